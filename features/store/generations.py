"""Generations of an embedded store: one in use, another rebuilt beside it.

    STORE/current             the name of the generation in use, as `0001`
    STORE/generations/NNNN/   the files of one generation

A rebuild fills the next generation while the one in use is read and written, then
the pointer is replaced in one step. Readers look at the pointer now and then and
open what it names; a writer of the old generation is refused its next commit.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from features.errors import ConfigError, StoreUnavailableError

_POINTER = "current"
_FOLDER = "generations"


def read_pointer(store: Path) -> str:
    """Return the name of the generation in use; empty if there is no store."""
    try:
        return (store / _POINTER).read_text("ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def find_generation(store: Path, number: int | None) -> Path | None:
    """Return the folder of a generation, None if it is not there.

    Args:
        store: The store's folder.
        number: None: the generation in use.
    """
    name = read_pointer(store) if number is None else _format_name(number)
    folder = store / _FOLDER / name
    return folder if name and folder.is_dir() else None


def make_first_generation(store: Path) -> Path:
    """Make a new store's first generation, put it in use and return its folder.

    Raises:
        OSError: The folder cannot be made.
        StoreUnavailableError: The pointer names a generation that is not there.
    """
    name = read_pointer(store) or _format_name(1)
    folder = store / _FOLDER / name
    if read_pointer(store):
        raise StoreUnavailableError(
            "the store's generation in use has gone",
            field="store",
            value=str(folder),
            fix="restore a backup into a new folder, or rebuild the store from the log",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_pointer(store, name)
    return folder


def list_generations(store: Path) -> list[int]:
    """Return the numbers of all generations, ascending."""
    folder = store / _FOLDER
    if not folder.is_dir():
        return []
    return sorted(int(each.name) for each in folder.iterdir() if each.name.isdecimal())


def begin_generation(store: Path) -> int:
    """Make an empty generation beside the others and return its number.

    Raises:
        OSError: The folder cannot be made.
    """
    number = max(list_generations(store), default=0) + 1
    (store / _FOLDER / _format_name(number)).mkdir(parents=True)
    return number


def swap_generation(store: Path, number: int) -> int:
    """Put a generation in use and return the number of the one that was, 0 if none.

    Raises:
        ConfigError: There is no such generation.
        OSError: The pointer cannot be written.
    """
    if number not in list_generations(store):
        raise describe_unknown(str(store), number)
    before = read_pointer(store)
    _write_pointer(store, _format_name(number))
    return int(before) if before else 0


def drop_generation(store: Path, number: int) -> None:
    """Delete a generation that is not in use; whoever has it open keeps its files.

    Raises:
        ConfigError: It is in use, or there is none.
        OSError: It cannot be deleted.
    """
    if read_pointer(store) == _format_name(number):
        raise describe_in_use(str(store), number)
    if number not in list_generations(store):
        raise describe_unknown(str(store), number)
    shutil.rmtree(store / _FOLDER / _format_name(number))


def describe_in_use(store: str, number: int) -> ConfigError:
    """Return the error that says that a generation cannot be dropped now."""
    return ConfigError(
        "the generation is in use",
        field="generation",
        value=f"{number} of {store}",
        fix="swap to another one first",
    )


def describe_unknown(store: str, number: int) -> ConfigError:
    """Return the error that says that there is no such generation."""
    return ConfigError(
        "there is no such generation",
        field="generation",
        value=f"{number} of {store}",
        fix="see `hemostat store status --store STORE`",
    )


def _write_pointer(store: Path, name: str) -> None:
    written = store / f"{_POINTER}.{os.getpid()}"
    with written.open("w", encoding="ascii") as file:
        file.write(f"{name}\n")
        file.flush()
        os.fsync(file.fileno())
    written.replace(store / _POINTER)


def _format_name(number: int) -> str:
    return f"{number:04d}"
