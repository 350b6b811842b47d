"""Reads a file of lines in blocks, so that no line is an object of its own."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import LogFormatError
from features.log.jsonl import MAX_LINE_BYTES

_BLOCK = 1 << 20
_SKIPPED_LINES = 10_000  # At a time: what is skipped must not gather in memory.
_LINE_END = 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_NOTHING = np.empty(0, np.uint8)
_NO_ENDS = np.empty(0, np.int64)


class LineCursor:
    """Reads the lines of a file that may still grow.

    A last line without line end is read only if the file does not grow and the line
    is a whole JSON document: otherwise its end is yet to come. Of a line over the
    limit only the first bytes are kept, so that memory is bounded.

    Args:
        path: The file.
        start: Number of the first line wanted, from 0.
        is_following: Whether the file grows.

    Raises:
        LogFormatError: The file has fewer lines.
    """

    def __init__(self, path: Path, start: int, *, is_following: bool) -> None:
        self._path = path
        self._is_following = is_following
        self._file = path.open("rb", buffering=0)
        self._rest = _NOTHING
        self._ends = _NO_ENDS  # Behind each line end in `_rest`.
        self._is_skipping = False
        self._position = 0
        self.next_line = 0
        self.is_at_end = False
        self._skip_lines(start)

    def read(self, max_lines: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return the bytes of the lines that come next, and where each ends.

        Line ends are part of the lines. Fewer lines, or none, if the file ends.
        """
        self.is_at_end = False
        while len(self._ends) < max_lines and self._read_block():
            pass
        n_lines = min(max_lines, len(self._ends))
        if not n_lines:
            return self._read_last()
        end = int(self._ends[n_lines - 1])
        buffer, ends = self._rest[:end], self._ends[:n_lines]
        self._rest, self._ends = self._rest[end:], self._ends[n_lines:] - end
        self.next_line += n_lines
        return buffer, ends

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _read_block(self) -> bool:
        """Read on; return whether there was anything to read."""
        block = self._file.read(_BLOCK)
        if not block:
            self.is_at_end = True
            if os.fstat(self._file.fileno()).st_size < self._position:
                raise LogFormatError(
                    "the file has become shorter while it was read",
                    field=str(self._path),
                    value=f"{os.fstat(self._file.fileno()).st_size} bytes",
                    expectation=f"at least {self._position} bytes",
                    fix="append to a file that is streamed, never cut or rewrite it",
                )
            if self._is_following:
                self._check_place()
            return False
        if self._position == 0:
            block = block.removeprefix(_BYTE_ORDER_MARK)
        self._position = self._file.tell()
        self._append(np.frombuffer(block, np.uint8))
        return True

    def _check_place(self) -> None:
        """Refuse to follow a file that is no longer the one at its path.

        Raises:
            LogFormatError: It was moved away, as by a rotation: what is appended now
                stands elsewhere and would never be read.
        """
        try:
            is_same = os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise LogFormatError(
                "another file, or none, stands where the followed one was",
                field=str(self._path),
                value="moved or deleted",
                expectation="the same file, which only grows",
                fix="put the file back; do not rotate a file that is streamed",
            )

    def _append(self, block: npt.NDArray[np.uint8]) -> None:
        """Put a block behind what is left, cutting a line that is too long."""
        found = np.flatnonzero(block == _LINE_END) + 1
        if self._is_skipping:
            if not len(found):
                return
            block = block[found[0] - 1 :]
            found = found - (found[0] - 1)
            self._is_skipping = False
        self._ends = np.concatenate([self._ends, found + len(self._rest)])
        self._rest = np.concatenate([self._rest, block]) if len(self._rest) else block
        begin = int(self._ends[-1]) if len(self._ends) else 0
        if len(self._rest) - begin > 2 * MAX_LINE_BYTES:
            self._rest = self._rest[: begin + MAX_LINE_BYTES + 2]
            self._is_skipping = True

    def _read_last(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """Return the last line if it has no line end and is whole all the same."""
        last = self._rest
        if self._is_following or not len(last) or not is_whole(last.tobytes()):
            return _NOTHING, _NO_ENDS
        self._rest = _NOTHING
        self.next_line += 1
        return last, np.array([len(last)], np.int64)

    def _skip_lines(self, n_lines: int) -> None:
        while self.next_line < n_lines:
            if not len(self.read(min(n_lines - self.next_line, _SKIPPED_LINES))[1]):
                raise LogFormatError(
                    "the event log has lost rows that the store has applied",
                    field=str(self._path),
                    value=f"{self.next_line} lines",
                    expectation=f"at least {n_lines} lines",
                    fix="restore the log, or rebuild: `hemostat stream SOURCE --store NEW`",
                )


def is_whole(line: bytes) -> bool:
    """Return whether a last line without line end is a JSON document, or too long for one.

    >>> is_whole(b'{"a": 1}'), is_whole(b'{"a"')
    (True, False)
    """
    if len(line) > MAX_LINE_BYTES:
        return True
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
