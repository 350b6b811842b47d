"""One decorator for the compiled core, so that every kernel is built the same way.

Explicit signatures (compiled when the module is imported, cached on disk beside
the source), no `fastmath` and no threads: results are the same everywhere and a
request never waits for a compiler. `HEMOSTAT_JIT=off` runs the same functions
as plain Python; the law tests use it to rule the compiler out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

IS_JIT_ON = os.environ.get("HEMOSTAT_JIT", "on").lower() not in {"off", "0", "false"}

void = numba.void
int64 = numba.int64
int8_1d = numba.types.Array(numba.int8, 1, "C")
int64_1d = numba.types.Array(numba.int64, 1, "C")
int64_2d = numba.types.Array(numba.int64, 2, "C")
float32_2d = numba.types.Array(numba.float32, 2, "C")
float64_1d = numba.types.Array(numba.float64, 1, "C")
float64_2d = numba.types.Array(numba.float64, 2, "C")
uint8_1d = numba.types.Array(numba.uint8, 1, "C")
uint64_1d = numba.types.Array(numba.uint64, 1, "C")
uint64_1d_readonly = numba.types.Array(numba.uint64, 1, "C", readonly=True)
uint64_2d = numba.types.Array(numba.uint64, 2, "C")


def array_of(dtype: np.dtype[Any]) -> Any:
    """Return the numba type of a one-dimensional C array of a structured dtype."""
    return numba.types.Array(numba.from_dtype(dtype), 1, "C")


def record_of(dtype: np.dtype[Any]) -> Any:
    """Return the numba type of one element of a structured dtype."""
    return numba.from_dtype(dtype)


def compiled(signature: Any) -> Callable[[F], F]:
    """Return a decorator that compiles a kernel for one explicit signature."""

    def decorate(function: F) -> F:
        if not IS_JIT_ON:
            return function
        kernel: F = numba.njit(
            [signature], cache=True, nogil=True, error_model="numpy", boundscheck=False
        )(function)
        return kernel

    return decorate


def inlined(function: F) -> F:
    """Compile a helper for whatever types its compiled callers pass."""
    if not IS_JIT_ON:
        return function
    helper: F = numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)(function)
    return helper
