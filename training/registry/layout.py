"""The folder of bundles: which models are there, which one the link `current` names."""

from __future__ import annotations

import os
from pathlib import Path

from features.errors import ConfigError, MissingModelError
from features.model_bundle import CURRENT, MANIFEST_FILE

NAME_LENGTH = 12
"""A bundle's folder is named by so many digits of its version."""
_SWAP_PREFIX = f".{CURRENT}-"


def list_names(out: Path) -> list[str]:
    """Return the names of all bundles in a folder, sorted; unfinished ones are none.

    Raises:
        MissingModelError: There is no folder of bundles.
    """
    if (out / MANIFEST_FILE).exists() or not out.is_dir():
        raise MissingModelError(
            "there is no folder of bundles",
            field="--bundles",
            value="a single bundle" if out.is_dir() else str(out),
            expectation="the folder that was given to `hemostat train` as --out",
            fix="name the folder above" if out.is_dir() else "check the path, or train first",
        )
    return sorted(
        path.name
        for path in out.iterdir()
        if not path.name.startswith(".")
        and not path.is_symlink()
        and (path / MANIFEST_FILE).is_file()
    )


def find_model(out: Path, wanted: str) -> str:
    """Return the name of the one bundle whose version, or its beginning, is `wanted`.

    Raises:
        MissingModelError: There is none.
        ConfigError: There are several.
    """
    names = list_names(out)
    if wanted in names:
        return wanted
    found = [
        name
        for name in names
        if wanted and (name.startswith(wanted) or wanted[:NAME_LENGTH] == name)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            "several models begin like this",
            field="CHALLENGER",
            value=wanted,
            expectation=f"one of {', '.join(found)}",
            fix="give more digits",
        )
    raise MissingModelError(
        "there is no such model",
        field="CHALLENGER",
        value=wanted,
        expectation=f"one of {', '.join(names)}" if names else "a model of this folder",
        fix=f"see `hemostat models --bundles {out}`",
    )


def read_champion(out: Path) -> str | None:
    """Return the name that the link `current` holds; None: there is no link.

    The bundle that it names may be absent or damaged: that is for who loads it to see.

    Raises:
        ConfigError: `current` is no link, or leads out of the folder.
    """
    link = out / CURRENT
    if link.is_symlink():
        target = link.readlink()
        if str(target) == target.name and not target.name.startswith("."):
            return target.name
        value = str(target)
    elif link.exists():
        value = "a file or a folder"
    else:
        return None
    raise ConfigError(
        "the champion is not a bundle of this folder",
        field=str(link),
        value=value,
        expectation="a link to a bundle beside it",
        fix="remove it, then promote a model of this folder",
    )


def point_to(out: Path, name: str) -> None:
    """Make a bundle the champion: one rename, so a reader sees the old link or the new one.

    Call it with the journal locked: it clears away what an interrupted swap left.
    """
    for path in out.glob(f"{_SWAP_PREFIX}*"):
        path.unlink(missing_ok=True)
    partial = out / f"{_SWAP_PREFIX}{os.getpid()}"
    partial.symlink_to(name)
    partial.replace(out / CURRENT)
    sync_folder(out)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
