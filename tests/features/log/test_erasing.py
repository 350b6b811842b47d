"""Erasing from logs empties the customer's rows and moves no other."""

from pathlib import Path

import pytest

from features.log.customer_match import CustomerMatch
from features.log.embedded_appender import EmbeddedAppender
from features.log.embedded_log import EmbeddedLog
from features.log.erasing import erase_from_log
from features.log.event_archive import EventArchiveWriter, list_archived_files
from features.log.reader import EventLog
from features.log.structs import STRUCTS
from features.log.validation import validate_batch
from features.log.writer import EventLogWriter
from hemostat.v1 import event_pb2

DAY_US = 86_400_000_000
START_US = 1_795_000_000_000_000
GONE = 'c"\u00e4\\7'  # Needs escapes in JSON.


def _write(path: Path) -> EventLog:
    """Write 40 events of four customers over four days, one partition."""
    event = STRUCTS["Event"]
    viewed = STRUCTS["ProductViewed"](sku="s")
    with EventLogWriter(path, n_partitions=1) as writer:
        writer.append_structs(
            event(
                event_id=f"e{n}",
                tenant="t",
                customer_id=GONE if n % 4 == 0 else f"c{n % 4}",
                event_time=START_US + n * DAY_US // 10,
                channel="CHANNEL_WEB",
                product_viewed=viewed,
            )
            for n in range(40)
        )
    return EventLog(path)


def _read_ids(log: EventLog) -> list[str]:
    return [
        event_id
        for _, batch in log.read_batches(0, batch_size=7)
        for event_id in batch["event_id"].to_pylist()
    ]


def _expect(until: int) -> list[str]:
    return ["" if n % 4 == 0 and n <= until else f"e{n}" for n in range(40)]


@pytest.mark.parametrize("log_format", ["parquet", "jsonl"])
def test_rows_up_to_the_erasure_become_empty_and_all_others_keep_their_offsets(
    tmp_path: Path, log_format: str
) -> None:
    _write(tmp_path / "log")
    match = CustomerMatch("t", GONE, START_US + 20 * DAY_US // 10)
    assert erase_from_log(tmp_path / "log", match) == 6
    log = EventLog(tmp_path / "log", log_format=log_format)
    assert _read_ids(log) == _expect(20)
    assert log.read_table().num_rows == 34
    assert erase_from_log(tmp_path / "log", match) == 0


def test_empty_rows_are_neither_accepted_nor_rejected(tmp_path: Path) -> None:
    _write(tmp_path / "log")
    erase_from_log(tmp_path / "log", CustomerMatch("t", GONE, 1 << 60))
    for log_format in ("parquet", "jsonl"):
        ((offset, batch),) = EventLog(tmp_path / "log", log_format=log_format).read_batches(0)
        validated = validate_batch(batch, offset)
        assert validated.rejected == ()
        assert validated.valid.num_rows == 30


def test_another_tenants_customer_of_the_same_id_stays(tmp_path: Path) -> None:
    _write(tmp_path / "log")
    assert erase_from_log(tmp_path / "log", CustomerMatch("other", GONE, 1 << 60)) == 0


def test_an_archive_can_be_written_in_parts_and_erased_from(tmp_path: Path) -> None:
    source = _write(tmp_path / "log")
    for limit in (13, 40):  # The second run begins the range again and overwrites.
        writer = EventArchiveWriter(tmp_path / "archive", source.manifest)
        for offset, batch in source.read_batches(0, writer.find_start(0), batch_size=limit):
            writer.append(0, offset, batch)
            if limit == 13:
                break
        writer.close()
    archive = EventLog(tmp_path / "archive")
    assert len(list_archived_files(tmp_path / "archive", 0)) == 5
    assert archive.read_table().equals(source.read_table())
    assert erase_from_log(tmp_path / "archive", CustomerMatch("t", GONE, 1 << 60)) == 10
    assert _read_ids(EventLog(tmp_path / "archive")) == _expect(40)


def test_events_in_the_embedded_log_are_cut_out_while_a_reader_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    appender = EmbeddedAppender.open(path, n_partitions=1, segment_bytes=500)
    for n in range(40):
        customer = GONE if n % 4 == 0 else f"c{n % 4}"
        event = event_pb2.Event(event_id=f"e{n}", tenant="t", customer_id=customer)
        appender.append([event.SerializeToString()], [0])
    with EmbeddedLog(path) as log:
        reading = log.follow(0, 0)
        assert reading.read(5) is not None
        assert erase_from_log(path, CustomerMatch("t", GONE, 1 << 60)) == 10
        appender.append([event_pb2.Event(event_id="later", tenant="t").SerializeToString()], [0])
        n_read = 5
        while (batch := reading.read(100)) is not None:
            n_read += len(batch)
        assert n_read == 41
        fresh = log.follow(0, 0).read(100)
    assert fresh is not None
    ids = [event_pb2.Event.FromString(message).event_id for message in fresh.to_messages()]
    assert ids == [*_expect(40), "later"]
    appender.close()
    assert not any(GONE.encode() in file.read_bytes() for file in path.rglob("*.log"))


def test_lines_go_wherever_they_stand_and_those_that_only_look_alike_stay(tmp_path: Path) -> None:
    event = STRUCTS["Event"]
    customers = ["gone", "gone", "other", "gone2", "other", "gone"]
    with EventLogWriter(tmp_path / "log", n_partitions=1) as writer:
        writer.append_structs(
            event(
                event_id=f"e{n}",
                tenant="t",
                customer_id=customer,
                event_time=START_US + n,
                channel="CHANNEL_WEB",
                product_viewed=STRUCTS["ProductViewed"](sku="gone"),
            )
            for n, customer in enumerate(customers)
        )
    (file,) = (tmp_path / "log").glob("jsonl/*/*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines).removesuffix(b"\n"))
    empty = file.with_name("empty.jsonl")
    empty.write_bytes(b"")
    assert erase_from_log(tmp_path / "log", CustomerMatch("t", "gone", 1 << 60)) == 3
    left = [
        b"{}\n" if name == "gone" else line for name, line in zip(customers, lines, strict=True)
    ]
    assert file.read_bytes() == b"".join(left)
    assert empty.read_bytes() == b""
