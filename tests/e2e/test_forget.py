"""`hemostat forget`: nothing of a customer is left anywhere, and nothing brings them back."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.entities import Entity
from features.keys import compute_entity_key
from features.log.embedded_appender import EmbeddedAppender, compute_partition, read_wall_us
from features.log.event_archive import EventArchiveWriter
from features.log.feature_log import write_feature_log
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.store.opening import open_store
from hemostat.cli.main import main
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.decision_log import DecisionLog
from scoring.serving_store import ServingStore
from stream.runner import stream_to_disk

TENANT, GONE, KEPT = "demo", "customer-who-leaves", "customer-who-stays"
MINUTE_US = 60_000_000
CUSTOMER_KEY = compute_entity_key(TENANT, Entity.CUSTOMER, GONE)
ACTIVITY_KEY = compute_entity_key(TENANT, Entity.ACTIVITY, GONE)
DEVICE_KEY = compute_entity_key(TENANT, Entity.DEVICE, "shared-device")


def _build_events(now_us: int) -> Iterator[event_pb2.Event]:
    for customer in (GONE, KEPT):
        for number in range(6):
            event = event_pb2.Event(tenant=TENANT, customer_id=customer, channel="CHANNEL_WEB")
            event.event_id = f"event-{customer}-{number}"
            event.event_time.FromMicroseconds(now_us - (60 - number) * MINUTE_US)
            if number == 0:
                event.size_chart_viewed.style = "style-1"
            elif number == 1:
                order = event.order_placed
                order.order_id = f"order-{customer}"
                order.device_hash = "shared-device"
                order.attributes = f'{{"gift_for":"friend-of-{customer}"}}'
                order.customer_attributes = f'{{"club_card":"{customer}"}}'
                order.lines.add(line_id="1", sku="s", quantity=1, unit_price_minor=5_000)
            else:
                case = event.return_requested
                case.return_id = f"return-{customer}-{number}"
                case.order_id = f"order-{customer}"
                case.quantity = 1
                case.unit_price_minor = 5_000
                case.device_hash = "shared-device"
            yield event


def _append(log: Path, events: list[event_pb2.Event]) -> None:
    appender = EmbeddedAppender.open(log)
    partitions = [
        compute_partition(
            compute_entity_key(TENANT, Entity.CUSTOMER, event.customer_id),
            0,
            appender.n_partitions,
        )
        for event in events
    ]
    appender.append([event.SerializeToString() for event in events], partitions)
    appender.close()


async def _decide(folder: Path) -> None:
    store = ServingStore.open(folder)
    log = DecisionLog(store)
    for customer in (GONE, KEPT):
        key = compute_entity_key(TENANT, Entity.CUSTOMER, customer)
        record = pb.DecisionRecord(
            decision_id=f"decision-{customer}",
            request_id=f"request-{customer}",
            tenant=TENANT,
            subject=log.compute_subject(key),
        )
        log.append([record])
        outcome = pb.RecordOutcomeRequest(
            tenant=TENANT, decision_id=record.decision_id, outcome_id=f"outcome-{customer}"
        )
        await log.record_outcome(outcome)
    await store.close()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A store, an embedded and a written log, an archive, a feature log and decisions of two."""
    import asyncio

    events = list(_build_events(read_wall_us()))
    _append(tmp_path / "log", events)
    stream_to_disk(tmp_path / "log", tmp_path / "store")
    source = EventLog(tmp_path / "log")
    table = source.read_table()
    with EventLogWriter(tmp_path / "written") as writer:
        writer.append_table(table)
    archive = EventArchiveWriter(tmp_path / "archive", source.manifest)
    for partition in source.partitions:
        for offset, batch in source.read_batches(partition):
            archive.append(partition, offset, batch)
    archive.close()
    write_feature_log(source, tmp_path / "features")
    asyncio.run(_decide(tmp_path / "store" / "serving"))
    return tmp_path


def _forget(world: Path, capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], int]:
    capsys.readouterr()
    names = ("log", "written", "archive", "features")
    logs = [part for name in names for part in ("--log", str(world / name))]
    arguments = ["forget", GONE, "--tenant", TENANT, "--store", str(world / "store"), *logs]
    assert main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["seconds"] < 60
    return {
        (Path(each["place"].split(" (")[0]).name, each["what"]): each["count"]
        for each in result["removals"]
    }


def _find_traces(folder: Path) -> list[str]:
    """Return the files that hold the customer's id, keys, events or decisions."""
    needles = [GONE.encode(), CUSTOMER_KEY, ACTIVITY_KEY]
    needles += [key.hex().encode() for key in (CUSTOMER_KEY, ACTIVITY_KEY)]
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and any(needle in file.read_bytes() for needle in needles)
    ]


def test_nothing_is_left_of_the_customer_and_all_of_the_others(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(_find_traces(world)) >= 4
    removed = _forget(world, capsys)

    assert removed[("store", "histories")] == 1
    assert removed[("store", "activity records")] == 1
    assert removed[("store", "shared identities")] == 1
    assert removed[("log", "events")] == 6
    assert removed[("written", "events")] == 6
    assert removed[("archive", "events")] == 6
    assert removed[("features", "rows")] == 5
    assert removed[("serving", "decisions")] == 1
    assert removed[("serving", "outcomes")] == 1
    assert _find_traces(world) == []

    kept = {f"event-{KEPT}-{number}" for number in range(6)}
    for name in ("log", "written", "archive"):
        table = EventLog(world / name).read_table()
        assert set(table["event_id"].to_pylist()) == kept
        told = pc.struct_field(table["order_placed"], "customer_attributes").to_pylist()
        assert set(told) - {None, ""} == {f'{{"club_card":"{KEPT}"}}'}
    files = list((world / "features").glob("day=*/*.parquet"))
    tables = [pq.read_table(file, partitioning=None) for file in files]
    assert pa.concat_tables(tables)["customer_id"].to_pylist() == [KEPT] * 5
    with open_store(world / "store", "read") as store:
        key = compute_entity_key(TENANT, Entity.CUSTOMER, KEPT)
        assert None not in store.read_records([key, DEVICE_KEY])
        assert store.read_records([CUSTOMER_KEY, ACTIVITY_KEY]) == [None, None]


def test_forgetting_twice_finds_nothing_more(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _forget(world, capsys)
    assert set(_forget(world, capsys).values()) == {0}


def test_a_replay_of_the_retailers_own_files_brings_nobody_back(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = world / "own"
    own.mkdir()
    lines = [
        line
        for file in sorted((world / "written").glob("jsonl/*/*.jsonl"))
        for line in file.read_bytes().splitlines(keepends=True)
    ]
    (own / "events.jsonl").write_bytes(b"".join(lines))
    _forget(world, capsys)
    shutil.copy(world / "store" / "erasures", own)  # As `--log own` would have.

    stream_to_disk(own, world / "rebuilt")
    with open_store(world / "rebuilt", "read") as store:
        key = compute_entity_key(TENANT, Entity.CUSTOMER, KEPT)
        assert store.read_records([key]) != [None]
        assert store.read_records([CUSTOMER_KEY, ACTIVITY_KEY]) == [None, None]
    assert GONE not in EventLog(own).read_table()["customer_id"].to_pylist()


def test_the_store_goes_on_behind_the_erased_rows_and_the_id_is_a_new_customers(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _forget(world, capsys)
    later = event_pb2.Event(
        tenant=TENANT, customer_id=GONE, channel="CHANNEL_WEB", event_id="later"
    )
    later.event_time.FromMicroseconds(read_wall_us())
    later.order_placed.order_id = "order-later"
    later.order_placed.lines.add(line_id="1", sku="s", quantity=1, unit_price_minor=700)
    _append(world / "log", [later])
    summary = stream_to_disk(world / "log", world / "store")
    assert summary.events_read == 1
    with open_store(world / "store", "read") as store:
        (history,) = store.read_records([CUSTOMER_KEY])
    assert history is not None

    fresh = world / "fresh"
    _append(fresh / "log", [later])
    stream_to_disk(fresh / "log", fresh / "store")
    with open_store(fresh / "store", "read") as store:
        assert store.read_records([CUSTOMER_KEY]) == [history]  # No trace of before.
