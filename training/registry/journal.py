"""The journal: one line of JSON per decision, each bound to all before it by a hash.

A changed, removed or inserted line breaks the chain from there on. Lines cut off at
the *end* leave a shorter, unbroken chain: only a copy, or a champion that the journal
does not know, tells of them. The hash is no signature: who can write here can forge
the whole chain anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from features.errors import HemostatError
from training.registry.gate_terms import Gate
from training.registry.layout import sync_folder

JOURNAL_FILE = "registry.jsonl"

Action = Literal["trained", "promoted", "refused", "rolled_back", "found"]
"""`found`: the link `current` named another model than the journal; the link counts."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the journal.

    Attributes:
        n: Its number, from 0.
        prev: `sha256` of the line before; empty: the first line.
        at: When, RFC 3339, UTC.
        by: Who.
        action: What.
        model: Which bundle's folder; empty: `found` no champion.
        version: That bundle's whole version, as far as it could be read.
        champion_before: Who was champion then: of a `trained` model, its parent.
        reason: Why, in the words of who did it.
        is_forced: Gates failed and were overruled.
        gates: What the gates said.
        sha256: Hash of this line without its hash; `prev` is inside.
    """

    n: int
    prev: str
    at: str
    by: str
    action: Action
    model: str
    version: str = ""
    champion_before: str = ""
    reason: str = ""
    is_forced: bool = False
    gates: tuple[Gate, ...] = ()
    sha256: str = ""


class Signature(msgspec.Struct, frozen=True):
    """Who acts, and when."""

    by: str
    at: datetime


class Journal:
    """The journal, opened for one change; see `open_journal`.

    Args:
        descriptor: Of the locked file.
        entries: Its lines.
    """

    def __init__(self, descriptor: int, entries: Sequence[Entry]) -> None:
        self._descriptor = descriptor
        self.entries = list(entries)

    def append(
        self,
        action: Action,
        model: str,
        signature: Signature,
        *,
        version: str = "",
        champion_before: str = "",
        reason: str = "",
        is_forced: bool = False,
        gates: Sequence[Gate] = (),
    ) -> Entry:
        """Write a line through to the disk and return it."""
        bare = Entry(
            n=len(self.entries),
            prev=self.entries[-1].sha256 if self.entries else "",
            at=signature.at.astimezone(UTC).isoformat(timespec="seconds"),
            by=signature.by,
            action=action,
            model=model,
            version=version,
            champion_before=champion_before,
            reason=reason,
            is_forced=is_forced,
            gates=tuple(gates),
        )
        entry = msgspec.structs.replace(bare, sha256=_compute_hash(bare))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        rest = msgspec.json.encode(entry) + b"\n"
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fsync(self._descriptor)
        self.entries.append(entry)
        return entry


@contextmanager
def open_journal(out: Path) -> Iterator[Journal]:
    """Lock a folder's journal, check it, and yield it; one process at a time gets it.

    A line without its end, as a killed process leaves it, told nobody anything: it is
    cut off.

    Raises:
        HemostatError: A line was changed, removed or inserted.
    """
    path = out / JOURNAL_FILE
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if is_new:
            sync_folder(out)
        content = path.read_bytes()
        entries = decode_journal(content, path)
        n_whole = content.rfind(b"\n") + 1
        if n_whole < len(content):
            os.ftruncate(descriptor, n_whole)
        yield Journal(descriptor, entries)
    finally:
        os.close(descriptor)  # Gives the lock back.


def read_journal(out: Path) -> list[Entry]:
    """Return a folder's journal as it is now, checked; no file: no lines.

    Raises:
        HemostatError: A line was changed, removed or inserted.
    """
    path = out / JOURNAL_FILE
    return decode_journal(path.read_bytes(), path) if path.exists() else []


def decode_journal(content: bytes, path: Path) -> list[Entry]:
    """Return the lines of a journal; a last line without its end is left out.

    Args:
        content: The file's bytes.
        path: Named in the error.

    Raises:
        HemostatError: The chain is broken.
    """
    entries: list[Entry] = []
    for n, line in enumerate(content.split(b"\n")[:-1]):
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except msgspec.DecodeError as error:
            raise _refuse(path, n, "cannot be read") from error
        if msgspec.json.encode(entry) != line or entry.sha256 != _compute_hash(entry):
            raise _refuse(path, n, "was changed")
        if entry.n != n or entry.prev != (entries[-1].sha256 if entries else ""):
            raise _refuse(path, n, "does not follow the line before it")
        entries.append(entry)
    return entries


def list_champions(entries: Sequence[Entry]) -> list[str]:
    """Return the way back: the champion that the journal knows, last, and those before it.

    Going back takes the later ones off: who was rolled back is not gone back to.
    """
    champions: list[str] = []
    for entry in entries:
        if entry.action in {"trained", "refused"}:
            continue
        if entry.action != "promoted" and entry.model in champions:
            del champions[champions.index(entry.model) + 1 :]
        elif not entry.model:
            champions.clear()
        elif champions[-1:] != [entry.model]:
            champions.append(entry.model)
    return champions


def _compute_hash(entry: Entry) -> str:
    bare = msgspec.structs.replace(entry, sha256="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()


def _refuse(path: Path, n: int, what: str) -> HemostatError:
    return HemostatError(
        "the registry's journal was tampered with",
        field=f"{path}:{n + 1}",
        value=f"the line {what}",
        expectation="the lines as hemostat wrote them",
        fix="restore it from a copy, or move it away: the next change begins a new one",
    )
