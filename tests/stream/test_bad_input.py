"""Bad input to whole runs: a clear error, the store left alone, no row lost."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import (
    ConfigError,
    HemostatError,
    LogFormatError,
    StoreLockedError,
    StoreUnavailableError,
)
from features.log.manifest import MANIFEST_NAME
from features.store.opening import open_store
from hemostat.cli.main import main
from stream.dead_letters import count_by_reason
from stream.options import StreamOptions
from stream.runner import stream_to_disk
from stream.summary import StreamSummary

_MakeEvents = Callable[..., list[Any]]
_WriteLog = Callable[..., Path]
_CountAll = Callable[[StreamSummary], int]
_DumpStore = Callable[[Path], dict[str, dict[bytes, bytes]]]


def test_a_raw_file_with_bad_lines_loses_no_line(tmp_path: Path, count_all: _CountAll) -> None:
    good = (
        '{"event_id": "%s", "tenant": "t", "event_time": "2026-03-01T12:00:00Z",'
        ' "customer_id": "c1", "channel": "CHANNEL_WEB",'
        ' "product_viewed": {"sku": "s1"}}'
    )
    lines = [
        good % "e1",
        "not json",
        good % "e1",
        good.replace("product_viewed", "unheard_of") % "e2",
        good.replace("c1", "c2") % "e1",
        "",
        good.replace('"sku": "s1"', '"sku": 5') % "e3",
        good % "e4",
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    summary = stream_to_disk(tmp_path / "events.jsonl", tmp_path / "store", batch_size=3)
    assert summary.events_read == len(lines)
    assert summary.events_read == count_all(summary)
    assert summary.accepted + summary.duplicates >= 3
    assert summary.dead_letters["unknown_kind"] == 1
    assert summary.dead_letters["malformed"] >= 2
    examples = {example.reason: example for example in summary.examples}
    assert (examples["malformed"].partition, examples["malformed"].offset) == (0, 1)
    assert examples["unknown_kind"].offset == 3
    assert summary.rows_behind is None


def test_one_absurd_time_does_not_make_the_store_forget_what_it_saw(tmp_path: Path) -> None:
    order = (
        '{"event_id": "%s", "tenant": "t", "event_time": "%s", "customer_id": "c1",'
        ' "channel": "CHANNEL_WEB", "order_placed": {"order_id": "o1",'
        ' "lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": "500"}]}}'
    )
    day, absurd = "2026-03-01T12:00:00Z", "9999-12-01T00:00:00Z"
    # More ids between than a commit looks at when it forgets.
    others = [order % (f"f{number}", day) for number in range(40)]
    lines = [order % ("e1", day), order % ("z", absurd), *others, order % ("e1", day)]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    summary = stream_to_disk(tmp_path / "events.jsonl", tmp_path / "store", batch_size=1)
    assert (summary.folded, summary.duplicates) == (41, 1)
    assert summary.dead_letters == {"bad_value": 1}
    assert summary.applied_ingest_time is not None
    assert summary.applied_ingest_time.year == 2026


def test_an_empty_log_is_applied_and_said_to_be_empty(tmp_path: Path, write_log: _WriteLog) -> None:
    summary = stream_to_disk(write_log(tmp_path / "log", []), tmp_path / "store")
    assert (summary.events_read, summary.applied_ingest_time) == (0, None)


def test_another_log_is_refused_and_the_store_left_alone(
    tmp_path: Path, make_events: _MakeEvents, write_log: _WriteLog, dump_store: _DumpStore
) -> None:
    stream_to_disk(write_log(tmp_path / "one", make_events(50)), tmp_path / "store")
    before = dump_store(tmp_path / "store")
    other = write_log(tmp_path / "other", make_events(50, seed=2))
    with pytest.raises(ConfigError, match="another event log"):
        stream_to_disk(other, tmp_path / "store")
    assert dump_store(tmp_path / "store") == before


def test_a_log_that_lost_applied_rows_is_refused(
    tmp_path: Path, make_events: _MakeEvents, write_log: _WriteLog
) -> None:
    long = write_log(tmp_path / "long", make_events(80), incarnation="same")
    short = write_log(tmp_path / "short", make_events(80)[:40], incarnation="same")
    stream_to_disk(long, tmp_path / "store")
    with pytest.raises(LogFormatError, match="lost rows"):
        stream_to_disk(short, tmp_path / "store")


def test_a_missing_log_and_a_file_of_another_kind_are_refused_and_make_no_store(
    tmp_path: Path,
) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / "empty").mkdir()
    for source in ("absent", "picture.png", "empty"):
        with pytest.raises(LogFormatError):
            stream_to_disk(tmp_path / source, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_broken_parquet_file_ends_the_run_with_its_name(
    tmp_path: Path, troubled_log: Path
) -> None:
    log = tmp_path / "log"
    shutil.copytree(troubled_log, log)
    file = next((log / "parquet").rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)  # The footer stays whole.
    file.write_bytes(content)
    with pytest.raises(LogFormatError, match=r"part-000000\.parquet"):
        stream_to_disk(log, tmp_path / "store")


def test_a_store_in_use_is_refused(tmp_path: Path, troubled_log: Path) -> None:
    with open_store(tmp_path, "write"), pytest.raises(StoreLockedError):
        stream_to_disk(troubled_log, tmp_path)


def test_dead_letters_that_cannot_be_written_stop_the_run_before_their_rows_are_passed(
    tmp_path: Path, troubled_log: Path, whole_run: tuple[Path, StreamSummary]
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailableError, match="--dead-letters"):
        stream_to_disk(troubled_log, tmp_path / "store", dead_letters=tmp_path / "file" / "x")
    summary = stream_to_disk(troubled_log, tmp_path / "store", dead_letters=tmp_path / "letters")
    assert count_by_reason(tmp_path / "letters") == whole_run[1].dead_letters
    assert Counter(summary.dead_letters) <= Counter(whole_run[1].dead_letters)


@pytest.mark.parametrize("batch_size", [0, -1, 1_000_001])
def test_a_batch_size_out_of_range_is_refused(tmp_path: Path, batch_size: int) -> None:
    with pytest.raises(ConfigError, match="--batch-size"):
        StreamOptions(tmp_path, batch_size=batch_size)


def test_errors_of_a_run_are_errors_of_the_project(tmp_path: Path, troubled_log: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HemostatError):
        stream_to_disk(troubled_log, tmp_path / "file" / "store")


def test_the_manifest_is_what_marks_a_log(tmp_path: Path, troubled_log: Path) -> None:
    log = tmp_path / "log"
    shutil.copytree(troubled_log, log)
    (log / MANIFEST_NAME).write_text("{}")
    with pytest.raises(LogFormatError):
        stream_to_disk(log, tmp_path / "store")


def test_a_line_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "live.jsonl"
    first, second = (
        b'{"event_id": "e%d", "tenant": "demo", "event_time": "2026-03-01T12:00:0%dZ", '
        b'"customer_id": "c", "channel": "CHANNEL_WEB", "order_placed": {"order_id": "o%d", '
        b'"lines": [{"line_id": "1", "quantity": 1, "unit_price_minor": 5}]}}\n' % (n, n, n)
        for n in (1, 2)
    )
    log.write_bytes(first + second[:50])
    before = stream_to_disk(log, tmp_path / "store")
    assert (before.folded, before.dead_letters, before.unfinished) == (1, {}, (0,))
    log.write_bytes(first + second)
    after = stream_to_disk(log, tmp_path / "store")
    assert (after.folded, after.dead_letters, after.unfinished) == (1, {}, ())


def test_a_last_line_without_line_end_counts_if_it_is_whole(tmp_path: Path) -> None:
    log = tmp_path / "hand.jsonl"
    log.write_bytes(b'{"event_id": "e1", "tenant": "demo"}')
    summary = stream_to_disk(log, tmp_path / "store")
    assert summary.events_read == sum(summary.dead_letters.values()) == 1
    assert summary.unfinished == ()


def test_a_file_without_one_good_row_ends_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "garbage.jsonl"
    log.write_bytes(b"garbage\n" * 7)
    assert main(["stream", str(log), "--store", str(tmp_path / "store"), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["dead_letters"] == {"malformed": 7}
    assert "7 dead letters" in json.loads(shown.err)["error"]["value"]
