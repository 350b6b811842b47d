"""The decision log: idempotent, separate by tenant, durable as promised."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import RequestConflictError, StoreUnavailableError, UnknownDecisionError
from hemostat.v1 import scoring_pb2 as pb
from scoring.decision_log import DecisionLog
from scoring.serving_store import ServingStore


def _make_record(log: DecisionLog, request_id: str, **more: object) -> pb.DecisionRecord:
    decision_id = log.make_decision_id("shop", request_id)
    return pb.DecisionRecord(
        decision_id=decision_id,
        request_id=request_id,
        tenant="shop",
        request_hash=b"case",
        response=pb.ScoreResponse(decision_id=decision_id, request_id=request_id, **more),  # type: ignore[arg-type]
    )


def _make_outcome(decision_id: str, **more: object) -> pb.RecordOutcomeRequest:
    given = {"tenant": "shop", "outcome_id": "o1", "outcome": pb.OUTCOME_KEPT, **more}
    return pb.RecordOutcomeRequest(decision_id=decision_id, **given)  # type: ignore[arg-type]


async def _append(log: DecisionLog, *records: pb.DecisionRecord) -> list[object]:
    return list(log.append(records))


def test_the_first_answer_to_a_request_stands(tmp_path: Path) -> None:
    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        first = _make_record(log, "r", hint=pb.HINT_VERIFY)
        second = _make_record(log, "r", hint=pb.HINT_APPROVE)
        assert await _append(log, first) == [first.response]
        assert await _append(log, second) == [first.response]
        found = log.find("shop", first.decision_id, b"case")
        assert found == first.response
        await store.close()

    asyncio.run(run())


def test_another_case_under_the_same_id_is_a_conflict_when_written_and_when_found(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        first, other = _make_record(log, "r"), _make_record(log, "r")
        other.request_hash = b"other"
        await _append(log, first)
        (result,) = await _append(log, other)
        assert isinstance(result, RequestConflictError)
        with pytest.raises(RequestConflictError):
            log.find("shop", first.decision_id, b"other")
        await store.close()

    asyncio.run(run())


def test_another_tenants_decision_looks_like_none(tmp_path: Path) -> None:
    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        record = _make_record(log, "r")
        await _append(log, record)
        assert log.read("bazaar", record.decision_id) is None
        with pytest.raises(UnknownDecisionError) as theirs:
            await log.record_outcome(_make_outcome(record.decision_id, tenant="bazaar"))
        with pytest.raises(UnknownDecisionError) as nobodys:
            await log.record_outcome(_make_outcome("none"))
        assert theirs.value.message == nobodys.value.message
        await store.close()

    asyncio.run(run())


def test_an_outcome_counts_once_and_only_with_one_content(tmp_path: Path) -> None:
    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        record = _make_record(log, "r")
        await _append(log, record)
        outcome = _make_outcome(record.decision_id)
        assert not await log.record_outcome(outcome)
        assert await log.record_outcome(outcome)
        with pytest.raises(RequestConflictError):
            await log.record_outcome(_make_outcome(record.decision_id, spent_minor=5))
        await log.record_outcome(_make_outcome(record.decision_id, outcome_id="o2"))
        stored = log.read("shop", record.decision_id)
        assert stored is not None
        assert sorted(o.outcome_id for o in stored.outcomes) == ["o1", "o2"]
        await store.close()

    asyncio.run(run())


def test_two_scorers_of_one_machine_see_each_others_decisions_at_once(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from scoring.serving_store import ServingStore\n"
        "from scoring.decision_log import DecisionLog\n"
        "async def run():\n"
        "    store = ServingStore.open(Path(sys.argv[1])); log = DecisionLog(store)\n"
        "    print(log.find('shop', sys.argv[2], b'case').request_id)\n"
        "    await store.close()\n"
        "asyncio.run(run())\n"
    )

    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        record = _make_record(log, "r")
        await _append(log, record)
        words = [sys.executable, "-c", script, str(tmp_path), record.decision_id]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "r", done.stderr
        # The other process has moved the decision to the disk: it is found there, too.
        assert log.find("shop", record.decision_id, b"case") == record.response
        await store.close()

    asyncio.run(run())


_WRITER = """
import asyncio, sys
from pathlib import Path
from scoring.serving_store import ServingStore
from scoring.decision_log import DecisionLog
from hemostat.v1 import scoring_pb2 as pb

async def run():
    store = ServingStore.open(Path(sys.argv[1])); log = DecisionLog(store)
    for n in range(100_000):
        id = log.make_decision_id("shop", f"r{n}")
        log.append([pb.DecisionRecord(decision_id=id, tenant="shop", request_hash=b"case")])
        sys.stdout.write(f"decided {n}\\n")
        if n % 5 == 0:
            await log.record_outcome(pb.RecordOutcomeRequest(
                tenant="shop", decision_id=id, outcome_id=f"o{n}", outcome=pb.OUTCOME_KEPT))
            sys.stdout.write(f"acknowledged {n}\\n")
        sys.stdout.flush()

asyncio.run(run())
"""


@pytest.mark.parametrize("is_after_boot", [False, True], ids=["killed", "power cut"])
def test_what_was_acknowledged_survives(tmp_path: Path, *, is_after_boot: bool) -> None:
    """A kill loses no answered decision; a power cut (modelled) no acknowledged outcome."""
    words = [sys.executable, "-c", _WRITER, str(tmp_path)]
    told: list[str] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            told.append(line)
            if len(told) == 300:
                os.kill(writer.pid, signal.SIGKILL)
                break
        told += [line for line in writer.stdout if line.endswith("\n")]
    decided = [int(line.split()[1]) for line in told if line.startswith("decided")]
    acknowledged = [int(line.split()[1]) for line in told if line.startswith("acknowledged")]
    assert len(acknowledged) > 40

    async def read() -> None:
        # After a power cut nothing is trusted that was not synced.
        store = (
            ServingStore.open(tmp_path, read_boot_id=lambda: "another boot")
            if is_after_boot
            else ServingStore.open(tmp_path)
        )
        log = DecisionLog(store)
        for n in acknowledged:
            record = log.read("shop", log.make_decision_id("shop", f"r{n}"))
            assert record is not None
            assert [o.outcome_id for o in record.outcomes] == [f"o{n}"]
        if not is_after_boot:
            for n in decided:
                assert log.read("shop", log.make_decision_id("shop", f"r{n}")) is not None
        await store.close()

    asyncio.run(read())


def test_a_moved_decision_is_found_and_an_orderly_end_moves_everything(tmp_path: Path) -> None:
    async def write() -> str:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        records = [_make_record(log, f"r{n}") for n in range(1_500)]
        log.append(records)
        await store.sync()
        assert log.find("shop", records[700].decision_id, b"case") is not None
        log.append([_make_record(log, "last")])
        await store.close()
        return log.make_decision_id("shop", "last")

    last = asyncio.run(write())

    async def read() -> None:
        # Only what is on the disk counts: `recent` of another boot is thrown away.
        store = ServingStore.open(tmp_path, read_boot_id=lambda: "another boot")
        assert DecisionLog(store).read("shop", last) is not None
        await store.close()

    asyncio.run(read())


def test_a_disk_that_fails_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    faults: list[Exception] = []

    async def run() -> None:
        store = ServingStore.open(tmp_path, on_fault=faults.append)
        log = DecisionLog(store)
        record = _make_record(log, "r")
        log.append([record])
        store._durable.set_mapsize(4096 * 8)  # As good as a full disk.
        big = _make_record(log, "big")
        big.vectors = bytes(10**6)
        log.append([big])
        with pytest.raises(StoreUnavailableError):
            await store.sync()
        store._durable.set_mapsize(1 << 30)
        await store.sync()
        assert log.read("shop", big.decision_id) == big
        await store.close()

    asyncio.run(run())
    assert len(faults) == 1


def test_a_closed_log_is_unavailable(tmp_path: Path) -> None:
    async def run() -> None:
        store = ServingStore.open(tmp_path)
        log = DecisionLog(store)
        await store.close()
        await store.close()
        with pytest.raises(StoreUnavailableError):
            log.append([_make_record(log, "r")])
        with pytest.raises(StoreUnavailableError):
            await log.record_outcome(_make_outcome("d"))

    asyncio.run(run())


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailableError) as caught:
        ServingStore.open(tmp_path / "file")
    assert str(tmp_path / "file") in caught.value.value
