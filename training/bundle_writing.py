"""Puts a bundle together and on the disk: all of it at once, or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import ConfigError
from features.model_bundle import MANIFEST_FILE, Manifest, compute_version, encode_manifest
from features.model_bundle.reading import read_bundle
from training.registry.layout import NAME_LENGTH, sync_folder

N_GOLDEN_ROWS = 40


def make_golden_rows(
    rows: npt.NDArray[np.float32], n_rows: int, seed: int
) -> npt.NDArray[np.float32]:
    """Return rows that look like cases and are nobody's: each value from another case.

    The first row is missing everywhere, as when the store is down.

    Args:
        rows: Shape `(n, F)`, `n > 0`: cases to draw values from, column by column.
        n_rows: How many to make.
        seed: Seed.
    """
    random = np.random.default_rng(seed)
    source = random.integers(0, len(rows), (n_rows, rows.shape[1]))
    golden = rows[source, np.arange(rows.shape[1])]
    golden[0] = np.nan
    return golden


def write_bundle(out: Path, draft: Manifest, files: Mapping[str, bytes]) -> tuple[Path, Manifest]:
    """Write a bundle below `out`; earlier bundles stay, and so does the one in use.

    The bundle appears under its name by one rename: a reader sees all of it or
    nothing. Whether it serves is the registry's to say: `training.registry.promotion`.

    Args:
        out: Folder of bundles; made if it does not exist.
        draft: The manifest without version and checksums.
        files: Content by path inside the bundle.

    Returns:
        The bundle's folder, and its manifest.

    Raises:
        ConfigError: `out` is a file, or one bundle instead of a folder of them.
        MissingModelError: The bundle just written does not pass its own checks.
    """
    check_place(out)
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    bare = msgspec.structs.replace(draft, files=checksums)
    manifest = msgspec.structs.replace(bare, version=compute_version(bare))
    target = out / manifest.version[:NAME_LENGTH]
    out.mkdir(parents=True, exist_ok=True)
    partial = out / f".partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, content in {**files, MANIFEST_FILE: encode_manifest(manifest)}.items():
            _write_synced(partial / name, content)
        read_bundle(partial)
        for folder in {(partial / name).parent for name in files} | {partial}:
            sync_folder(folder)
        if target.exists():  # The same content: keep the one that may be in use.
            shutil.rmtree(partial)
        else:
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(out)
    return target, manifest


def check_place(out: Path) -> None:
    """Refuse a place that cannot hold bundles; call it before the work.

    Raises:
        ConfigError: `out` is a file, or one bundle instead of a folder of them.
    """
    is_bundle = (out / MANIFEST_FILE).exists()
    if not is_bundle and (not out.exists() or out.is_dir()):
        return
    raise ConfigError(
        "the bundle's place is taken",
        field="--out",
        value="a single bundle" if is_bundle else "a file",
        expectation="a folder that holds bundles, or a path that does not exist",
        fix="name the folder above, or another path",
    )


def _write_synced(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
