"""Puts a bundle together and on the disk: all of it at once, or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import ConfigError
from features.model_bundle import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    Manifest,
    TrustedKeys,
    compute_version,
    decode_manifest,
    encode_manifest,
)
from features.model_bundle.reading import read_bundle
from features.model_bundle.signing import (
    TRUSTED_KEYS_VARIABLE,
    SigningKey,
    Trust,
    read_trusted_keys,
)
from training.registry.layout import NAME_LENGTH, sync_folder

N_GOLDEN_ROWS = 40
PARTIAL_PREFIX = ".partial-"
"""A folder that is being written; the number of its process follows."""
LITTER_AGE_S = 600.0


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


def write_bundle(
    out: Path, draft: Manifest, files: Mapping[str, bytes], key: SigningKey | None = None
) -> tuple[Path, Manifest]:
    """Write a bundle below `out`; earlier bundles stay, and so does the one in use.

    The bundle appears under its name by one rename: a reader sees all of it or
    nothing. Whether it serves is the registry's to say: `training.registry.promotion`.

    Args:
        out: Folder of bundles; made if it does not exist.
        draft: The manifest without version and checksums.
        files: Content by path inside the bundle.
        key: Signs it; None: it is not signed.

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
    partial = out / f"{PARTIAL_PREFIX}{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        told = encode_manifest(manifest)
        for name, content in {**files, MANIFEST_FILE: told}.items():
            _write_synced(partial / name, content)
        if key is not None:
            _write_synced(partial / SIGNATURE_FILE, key.sign(told))
        read_bundle(partial)
        for folder in {(partial / name).parent for name in files} | {partial}:
            sync_folder(folder)
        if target.exists():  # The same content: keep the one that may be in use.
            shutil.rmtree(partial)
            if key is not None:
                sign_bundle(target, key)
        else:
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(out)
    return target, manifest


def sign_bundle(bundle: Path, key: SigningKey) -> Trust:
    """Sign a bundle that stands on the disk, after every check but that of a signature.

    Args:
        bundle: The bundle, or a folder of bundles: its champion.
        key: Who vouches for it. An earlier signature is replaced.

    Returns:
        Who signed it now, read back.

    Raises:
        MissingModelError: It is not whole.
        ConfigError: It cannot be written to.
    """
    found = read_bundle(bundle, TrustedKeys())
    content = (found.folder / MANIFEST_FILE).read_bytes()
    partial = found.folder / f".{SIGNATURE_FILE}-{os.getpid()}"
    try:
        if decode_manifest(content) != found.manifest:
            raise ConfigError(
                "the manifest changed while it was checked",
                field=MANIFEST_FILE,
                value="another one",
                expectation="a bundle that nobody writes to",
                fix="find out who did, then sign again",
            )
        _write_synced(partial, key.sign(content))
        partial.replace(found.folder / SIGNATURE_FILE)
        sync_folder(found.folder)
    except OSError as error:
        raise ConfigError(
            "the signature cannot be written",
            field=str(found.folder),
            value=error.strerror or str(error),
            expectation="a folder to write to",
            fix="sign it where bundles are written",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return read_bundle(found.folder, TrustedKeys({key.key_id: key.private.public_key()})).trust


def check_key(key: SigningKey | None) -> None:
    """Refuse to train what nobody here would load; call it before the work.

    Raises:
        ConfigError: Trusted keys are configured, and the key to sign with is none of them.
    """
    trusted = read_trusted_keys()
    if not trusted.is_configured or (key is not None and key.key_id in trusted.by_id):
        return
    raise ConfigError(
        "nobody here would load the model",
        field="--signing-key",
        value="not given" if key is None else f"key {key.key_id}, which is not trusted",
        expectation=f"one of the keys in {TRUSTED_KEYS_VARIABLE}",
        fix="name the private file of one of them, or train without the variable and sign later: "
        "`hemostat keys sign`",
    )


def clear_litter(out: Path, now: datetime) -> list[str]:
    """Remove what killed trainings left in a folder of bundles, and return its names.

    Writing takes seconds, so what nobody touched for ten minutes nobody writes. Process
    numbers are not asked: a training in another container has numbers of its own.

    Args:
        out: Folder of bundles; it may be absent.
        now: The time.
    """
    removed = []
    for path in sorted(out.glob(f"{PARTIAL_PREFIX}*")):
        if path.is_symlink() or not path.is_dir():
            continue
        age_s = now.timestamp() - path.stat().st_mtime
        if age_s > LITTER_AGE_S:
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path.name)
    return removed


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
