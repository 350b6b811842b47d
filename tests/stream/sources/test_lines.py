"""Lines come whole, in order and once, wherever blocks, limits and the file's end fall."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from features.errors import LogFormatError
from features.log.jsonl import MAX_LINE_BYTES
from stream.sources.lines import LineCursor

_MARK = b"\xef\xbb\xbf"


def _read_all(cursor: LineCursor, max_lines: int = 1_000) -> list[bytes]:
    lines: list[bytes] = []
    while True:
        buffer, ends = cursor.read(max_lines)
        if not len(ends):
            return lines
        assert len(ends) <= max_lines
        begins = np.concatenate([[0], ends[:-1]])
        lines += [buffer[a:b].tobytes() for a, b in zip(begins, ends, strict=True)]


def _open(path: Path, content: bytes, start: int = 0, *, is_following: bool = False) -> LineCursor:
    path.write_bytes(content)
    return LineCursor(path, start, is_following=is_following)


@pytest.mark.parametrize("max_lines", [1, 3, 1_000])
@pytest.mark.parametrize("start", [0, 2, 7])
def test_lines_come_in_order_from_any_line_on(tmp_path: Path, max_lines: int, start: int) -> None:
    lines = [b'{"n":%d}\n' % n for n in range(7)]
    cursor = _open(tmp_path / "f", b"".join(lines), start)
    assert _read_all(cursor, max_lines) == lines[start:]
    assert (cursor.next_line, cursor.is_at_end) == (7, True)
    cursor.close()


def test_lines_over_the_ends_of_blocks_come_whole(tmp_path: Path) -> None:
    line = b"x" * 699_999 + b"\n"  # Blocks are of a MiB.
    cursor = _open(tmp_path / "f", line * 5)
    assert _read_all(cursor, 2) == [line] * 5
    cursor.close()


def test_empty_lines_and_those_of_another_system_are_lines(tmp_path: Path) -> None:
    cursor = _open(tmp_path / "f", _MARK + b"{}\r\n\n{}\n")
    assert _read_all(cursor) == [b"{}\r\n", b"\n", b"{}\n"]
    cursor.close()


@pytest.mark.parametrize(("last", "is_read"), [(b'{"n":1}', True), (b'{"n":', False)])
def test_a_last_line_without_its_end_counts_if_it_is_whole(
    tmp_path: Path, last: bytes, is_read: bool
) -> None:
    cursor = _open(tmp_path / "f", b"{}\n" + last)
    assert _read_all(cursor) == [b"{}\n", last][: 1 + is_read]
    assert cursor.next_line == 1 + is_read
    cursor.close()


def test_of_a_file_that_grows_a_line_is_read_once_its_end_is_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    cursor = _open(path, b'{}\n{"n":1}', is_following=True)
    assert _read_all(cursor) == [b"{}\n"]
    with path.open("ab") as file:
        file.write(b'\n{"n":2}\n')
    assert _read_all(cursor) == [b'{"n":1}\n', b'{"n":2}\n']
    cursor.close()


@pytest.mark.parametrize("size", [2 * MAX_LINE_BYTES + 1, 5 * MAX_LINE_BYTES])
def test_of_a_line_over_the_limit_only_the_begin_is_kept_and_the_next_lines_come(
    tmp_path: Path, size: int
) -> None:
    cursor = _open(tmp_path / "f", b"{}\n" + b"x" * size + b"\n[]\n")
    first, long, last = _read_all(cursor)
    assert (first, last) == (b"{}\n", b"[]\n")
    assert MAX_LINE_BYTES < len(long) <= size + 1
    assert cursor.next_line == 3
    cursor.close()


def test_a_file_with_fewer_lines_than_were_applied_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogFormatError, match="lost rows"):
        _open(tmp_path / "f", b"{}\n{}\n", 3)


def test_a_file_that_became_shorter_is_refused(tmp_path: Path) -> None:
    cursor = _open(tmp_path / "f", b"{}\n" * 9)
    assert len(_read_all(cursor)) == 9
    os.truncate(tmp_path / "f", 3)
    with pytest.raises(LogFormatError, match="shorter"):
        cursor.read(1)
    cursor.close()


@pytest.mark.parametrize("is_replaced", [True, False])
def test_a_followed_file_that_was_moved_away_is_refused(tmp_path: Path, is_replaced: bool) -> None:
    path = tmp_path / "f"
    cursor = _open(path, b"{}\n", is_following=True)
    path.rename(tmp_path / "f.1")
    if is_replaced:
        path.write_bytes(b"{}\n{}\n")
    with pytest.raises(LogFormatError, match="another file"):
        _read_all(cursor)
    cursor.close()
