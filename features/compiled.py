"""One decorator for the compiled core, so that every kernel is built the same way.

Explicit signatures (compiled when the module is imported, cached on disk beside
the source), no `fastmath` and no threads: results are the same everywhere and a
request never waits for a compiler. `HEMOSTAT_JIT=off` runs the same functions
as plain Python; the law tests use it to rule the compiler out.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

from features.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def _read_jit_setting() -> bool:
    """Return whether `HEMOSTAT_JIT` asks for compiled kernels."""
    setting = os.environ.get("HEMOSTAT_JIT", "on").lower()
    if setting not in {"on", "1", "true", "off", "0", "false"}:
        raise ConfigError(
            "a setting is wrong",
            field="HEMOSTAT_JIT",
            value=setting,
            expectation="on or off",
            fix="leave it out, or set it to off for debugging",
        )
    return setting in {"on", "1", "true"}


IS_JIT_ON = _read_jit_setting()


def _find_cache_folder() -> Path:
    """Return where compiled kernels are kept: a folder named by a hash of what they are made of.

    Numba only looks at the time stamp of a kernel's own file; a constant or a
    helper changed in another module would go unnoticed and run stale code. The
    decoders are made from the messages, so the generated code counts, too. No kernel
    knows of model bundles.
    """
    package = Path(__file__).parent
    messages = package.parent / "hemostat" / "v1"
    digest = hashlib.sha256()
    for path in (*sorted(package.rglob("*.py")), *sorted(messages.glob("*_pb2.py"))):
        if not path.is_relative_to(package / "model_bundle"):
            digest.update(path.read_bytes())
    name = f"kernels-{digest.hexdigest()[:12]}"
    for parent in (package / "__pycache__", Path.home() / ".cache" / "hemostat"):
        try:
            (parent / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(parent / name, os.W_OK):
            return parent / name
    return Path(tempfile.gettempdir()) / f"hemostat-{os.getuid()}" / name


if IS_JIT_ON and not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(_find_cache_folder())  # type: ignore[attr-defined]

void = numba.void
int64 = numba.int64
int8_1d = numba.types.Array(numba.int8, 1, "C")
uint8_1d = numba.types.Array(numba.uint8, 1, "C")
uint8_1d_readonly = numba.types.Array(numba.uint8, 1, "C", readonly=True)
uint8_2d = numba.types.Array(numba.uint8, 2, "C")
int8_2d = numba.types.Array(numba.int8, 2, "C")
bool_2d = numba.types.Array(numba.boolean, 2, "C")
int64_1d = numba.types.Array(numba.int64, 1, "C")
int64_1d_readonly = numba.types.Array(numba.int64, 1, "C", readonly=True)
int64_2d = numba.types.Array(numba.int64, 2, "C")
float32_2d = numba.types.Array(numba.float32, 2, "C")
float64_1d = numba.types.Array(numba.float64, 1, "C")
float64_2d = numba.types.Array(numba.float64, 2, "C")
uint64_1d = numba.types.Array(numba.uint64, 1, "C")
uint64_1d_readonly = numba.types.Array(numba.uint64, 1, "C", readonly=True)
uint64_2d = numba.types.Array(numba.uint64, 2, "C")
uint64_2d_readonly = numba.types.Array(numba.uint64, 2, "C", readonly=True)


def tuple_of(*types: Any) -> Any:
    """Return the numba type of a tuple."""
    return numba.types.Tuple(types)


def array_of(dtype: np.dtype[Any]) -> Any:
    """Return the numba type of a one-dimensional C array of a structured dtype."""
    return numba.types.Array(numba.from_dtype(dtype), 1, "C")


@cache
def _tell_of_compiling() -> None:
    """Say once per process why it is silent: nobody waits a minute without a word."""
    sys.stderr.write(
        "hemostat: compiling the feature core, once per version; this takes a minute or two\n"
    )
    sys.stderr.flush()


def _tell_if_compiled(kernel: Any) -> None:
    if kernel.stats.cache_misses:
        _tell_of_compiling()


def compiled(signature: Any) -> Callable[[F], F]:
    """Return a decorator that compiles a kernel for one explicit signature."""

    def decorate(function: F) -> F:
        if not IS_JIT_ON:
            return function
        kernel = numba.njit(
            [signature], cache=True, nogil=True, error_model="numpy", boundscheck=False
        )(function)
        _tell_if_compiled(kernel)
        return cast("F", kernel)

    return decorate


def inlined(function: F) -> F:
    """Compile a helper for whatever types its compiled callers pass."""
    if not IS_JIT_ON:
        return function
    helper = numba.njit(
        cache=True, nogil=True, error_model="numpy", boundscheck=False, forceinline=True
    )(function)
    return cast("F", helper)


_WITHOUT_ALLOCATION: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
    "_nrt": False,
}


def compiled_without_allocation(signature: Any) -> Callable[[F], F]:
    """Return a decorator as `compiled`, for a kernel that makes no arrays and calls none that do.

    Its arrays belong to its caller, so no references are counted: in code that hands
    arrays from helper to helper for every byte that is most of the time.
    """

    def decorate(function: F) -> F:
        if not IS_JIT_ON:
            return function
        kernel = numba.njit([signature], **_WITHOUT_ALLOCATION)(function)
        _tell_if_compiled(kernel)
        return cast("F", kernel)

    return decorate


def welded(function: F) -> F:
    """Compile a helper into each caller; it may make no arrays. For what runs for every byte."""
    if not IS_JIT_ON:
        return function
    helper = numba.njit(forceinline=True, **_WITHOUT_ALLOCATION)(function)
    return cast("F", helper)
