"""Rows that could not be applied: where they stand, and why.

A dead letter points at its row (log, partition, offset) and says what was wrong;
it repeats neither the event nor an identifier, so erasing a customer from the log
erases them here. Letters are kept in files of fixed offset ranges and merged by
offset: a stream that reads a range again, after a crash or with batches of
another size, leaves the same files.

    DEAD_LETTERS/<incarnation>/partition=00/offsets-000000000000-000000099999.invalid.jsonl
    DEAD_LETTERS/<incarnation>/partition=00/offsets-000000000000-000000099999.conflict-03.jsonl

Conflicts are found shard by shard, hence the second name: one writer per file. What
lies behind all that a file holds is appended: making a file costs a file system more
than all else that is done for a bad row. A crash while appending leaves half a line,
which does not count; its row is read and filed again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import groupby
from pathlib import Path

import msgspec

from features.errors import StoreUnavailableError

RANGE_SIZE = 100_000
"""Rows of the source per file. Part of the layout: not to be changed with the batch size."""

INVALID = "invalid"
_SUFFIX = ".jsonl"


class DeadLetter(msgspec.Struct, frozen=True):
    """Why one row of the log was not applied.

    Attributes:
        incarnation: The log it stands in.
        partition: Partition of that log.
        offset: Its row (the line, in JSONL), counted from 0 within the partition.
        reason: Machine-readable, such as `late`, `conflict` or `unknown_kind`.
        field: The field at fault.
        value: The value met, shortened; never raw text and never an identifier.
        expectation: What would have been right.
        fix: What to do now.
    """

    incarnation: str
    partition: int
    offset: int
    reason: str
    field: str = ""
    value: str = ""
    expectation: str = ""
    fix: str = ""


_decode_letter = msgspec.json.Decoder(DeadLetter).decode
_encode_lines = msgspec.json.Encoder().encode_lines


def conflict_group(shard: int) -> str:
    """Return the name under which a shard files its conflicts.

    >>> conflict_group(3)
    'conflict-03'
    """
    return f"conflict-{shard:02d}"


class DeadLetterFiles:
    """Writes dead letters below a folder, which is made with the first letter.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: dict[tuple[str, int, str], tuple[Path, int]] = {}

    def write(self, letters: Sequence[DeadLetter], group: str) -> None:
        """File letters; on the disk's side of the call when it returns, each whole or not at all.

        To be called before the progress past their rows is committed: a crash in
        between files them again, in the same place.

        Args:
            letters: Any rows, once each.
            group: `INVALID`, or `conflict_group` of the shard that found them.

        Raises:
            StoreUnavailableError: The folder cannot be written.
        """

        def range_of(letter: DeadLetter) -> tuple[str, int, int]:
            return letter.incarnation, letter.partition, letter.offset // RANGE_SIZE

        for (incarnation, partition, number), those in groupby(
            sorted(letters, key=lambda letter: (*range_of(letter), letter.offset)), range_of
        ):
            first, last = number * RANGE_SIZE, (number + 1) * RANGE_SIZE - 1
            folder = self.path / incarnation / f"partition={partition:02d}"
            file = folder / f"offsets-{first:012d}-{last:012d}.{group}{_SUFFIX}"
            key = (incarnation, partition, group)
            # Forgotten until it is done: after half a write the file is read again.
            held, last_offset = self._last.pop(key, (None, 0))
            letters_here = list(those)
            is_behind = held == file and letters_here[0].offset > last_offset
            try:
                if not (is_behind and _append(file, letters_here)):
                    last_offset = _merge(file, letters_here)
            except OSError as error:
                raise _describe_refusal(file, error) from error
            self._last[key] = file, max(last_offset, letters_here[-1].offset)

    def settle(
        self, incarnation: str, partition: int, done: AbstractSet[int], still: Sequence[DeadLetter]
    ) -> None:
        """Take away letters whose rows were read again; put back those still refused.

        Args:
            incarnation: The log.
            partition: Its partition.
            done: Offsets of the rows that were read again.
            still: Letters of those of them that are refused still.

        Raises:
            StoreUnavailableError: The folder cannot be written.
        """
        folder = self.path / incarnation / f"partition={partition:02d}"
        for file in sorted(folder.glob(f"offsets-*.{INVALID}{_SUFFIX}")):
            kept = [letter for letter in _read(file) if letter.offset not in done]
            try:
                _replace(file, _encode_lines(kept))
                if not kept:
                    file.unlink()
            except OSError as error:
                raise _describe_refusal(file, error) from error
        self.write(still, INVALID)


def read_dead_letters(path: Path) -> Iterator[DeadLetter]:
    """Yield all letters below a folder by log, partition and offset range.

    Nothing if the folder does not exist: it is made with the first letter.
    """
    for file in sorted(path.glob(f"*/partition=*/offsets-*{_SUFFIX}")):
        yield from _read(file)


def count_by_reason(path: Path) -> dict[str, int]:
    """Return how many letters below a folder have each reason, most frequent first."""
    return dict(Counter(letter.reason for letter in read_dead_letters(path)).most_common())


def _read(file: Path) -> list[DeadLetter]:
    with file.open("rb") as lines:
        return [_decode_letter(line) for line in lines if line.endswith(b"\n")]


def _append(file: Path, letters: Sequence[DeadLetter]) -> bool:
    """Add letters at the end of a file; False if it is not there."""
    try:
        opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    _write_all(opened, _encode_lines(letters))
    return True


def _merge(file: Path, letters: Sequence[DeadLetter]) -> int:
    """Write a file's letters and these in order; return the last offset."""
    held: dict[int, DeadLetter] = {}
    with suppress(FileNotFoundError):
        held = {letter.offset: letter for letter in _read(file)}
    held.update((letter.offset, letter) for letter in letters)
    content = _encode_lines([held[offset] for offset in sorted(held)])
    try:
        _replace(file, content)
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, content)
    return max(held)


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_suffix(".tmp")
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    _write_all(opened, content)
    os.replace(draft, file)  # noqa: PTH105 - the atomic rename, under its own name


def _write_all(opened: int, content: bytes) -> None:
    """Write to a file and close it."""
    try:
        written = 0
        while written < len(content):
            written += os.write(opened, content[written:])
    finally:
        os.close(opened)


def _describe_refusal(file: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        "the dead letters cannot be written; the batch was not applied",
        field="--dead-letters",
        value=f"{file}: {error.strerror}",
        fix="free disk space or choose a folder that this user may write to",
    )
