from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import StoreUnavailableError
from stream.dead_letters import (
    INVALID,
    DeadLetter,
    DeadLetterFiles,
    conflict_group,
    count_by_reason,
    read_dead_letters,
)


def _letters(*offsets: int, partition: int = 0, reason: str = "late") -> list[DeadLetter]:
    return [DeadLetter("log", partition, offset, reason) for offset in offsets]


def _content(path: Path) -> dict[str, bytes]:
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_letters_are_read_back_by_offset(tmp_path: Path) -> None:
    DeadLetterFiles(tmp_path).write(_letters(12_000, 3, 9_999), INVALID)
    assert [letter.offset for letter in read_dead_letters(tmp_path)] == [3, 9_999, 12_000]


def test_a_replay_in_other_batches_leaves_the_same_files(tmp_path: Path) -> None:
    once, again = DeadLetterFiles(tmp_path / "once"), DeadLetterFiles(tmp_path / "again")
    once.write(_letters(1, 5, 7, 99_999, 100_000, 250_000), INVALID)
    for offsets in [(1, 5), (7, 99_999), (1, 5, 7), (99_999, 100_000), (250_000,), (250_000,)]:
        again.write(_letters(*offsets), INVALID)
    assert _content(tmp_path / "once") == _content(tmp_path / "again")


def test_conflicts_of_shards_and_invalid_rows_do_not_overwrite_each_other(tmp_path: Path) -> None:
    files = DeadLetterFiles(tmp_path)
    files.write(_letters(1, 2), INVALID)
    files.write(_letters(3, reason="conflict"), conflict_group(0))
    files.write(_letters(4, 5, reason="conflict"), conflict_group(15))
    files.write(_letters(6, partition=1), INVALID)
    assert count_by_reason(tmp_path) == {"late": 3, "conflict": 3}


def test_no_letters_make_no_folder(tmp_path: Path) -> None:
    DeadLetterFiles(tmp_path / "absent").write([], INVALID)
    assert list(tmp_path.iterdir()) == []
    assert count_by_reason(tmp_path / "absent") == {}


def test_a_draft_left_by_a_crash_is_not_read(tmp_path: Path) -> None:
    files = DeadLetterFiles(tmp_path)
    files.write(_letters(1), INVALID)
    file = next(tmp_path.rglob("*.jsonl"))
    file.with_suffix(".tmp").write_bytes(b'{"incarn')
    assert count_by_reason(tmp_path) == {"late": 1}
    DeadLetterFiles(tmp_path).write(_letters(2), INVALID)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_half_a_line_left_by_a_crash_does_not_count_and_is_mended(tmp_path: Path) -> None:
    files = DeadLetterFiles(tmp_path)
    files.write(_letters(1), INVALID)
    files.write(_letters(3, 4), INVALID)
    file = next(tmp_path.rglob("*.jsonl"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert [letter.offset for letter in read_dead_letters(tmp_path)] == [1, 3]
    DeadLetterFiles(tmp_path).write(_letters(3, 4), INVALID)
    assert file.read_bytes() == whole


def test_letters_behind_all_others_are_added_and_those_between_sorted_in(tmp_path: Path) -> None:
    files, again = DeadLetterFiles(tmp_path / "files"), DeadLetterFiles(tmp_path / "again")
    for offsets in [(1, 2), (5, 9), (3, 7), (9, 12), (13,)]:
        files.write(_letters(*offsets), INVALID)
    again.write(_letters(1, 2, 3, 5, 7, 9, 12, 13), INVALID)
    assert _content(tmp_path / "files") == _content(tmp_path / "again")


def test_a_file_that_was_settled_away_is_begun_anew(tmp_path: Path) -> None:
    files = DeadLetterFiles(tmp_path)
    files.write(_letters(1, 2), INVALID)
    DeadLetterFiles(tmp_path).settle("log", 0, {1, 2}, [])
    assert list(tmp_path.rglob("*.jsonl")) == []
    files.write(_letters(3), INVALID)
    assert [letter.offset for letter in read_dead_letters(tmp_path)] == [3]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailableError, match="--dead-letters"):
        DeadLetterFiles(tmp_path / "file" / "letters").write(_letters(1), INVALID)
