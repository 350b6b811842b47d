"""The store in use at a place: swaps and half-made stores are taken over without a failed call."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from features.errors import StoreUnavailableError
from features.records.packing import PackedRecords
from features.store.key_codes import join_keys
from features.store.opening import (
    Place,
    begin_generation,
    drop_generation,
    open_store,
    read_generations,
    swap_generation,
)
from features.store.port import RecordCommit, ShardProgress
from scoring.current_store import CurrentStore
from scoring.metrics import ScoringMetrics
from tests.redis_servers import RedisServer

_KEY = bytes(16)
_numbers = count()


@pytest.fixture(params=["lmdb", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "lmdb":
        yield tmp_path / "store"
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    yield f"{server.url}/?prefix=current{next(_numbers)}"


def _write(place: Place, record: bytes, generation: int | None = None) -> None:
    packed = PackedRecords.from_blobs([record])
    with open_store(place, "write", generation=generation) as store:
        version = store.read_shard_state(0).version
        store.commit_records([RecordCommit(0, version, join_keys([_KEY]), packed, ShardProgress())])


def _count(metrics: ScoringMetrics, result: str) -> float | None:
    labels = {"what": "store", "result": result}
    return metrics.registry.get_sample_value("hemostat_score_reloads_total", labels)


def test_a_generation_that_is_swapped_in_is_taken_over_at_the_next_look(place: Place) -> None:
    _write(place, b"first")
    metrics = ScoringMetrics()
    store = CurrentStore(place, metrics)
    number = begin_generation(place)
    _write(place, b"second", number)
    asyncio.run(store.refresh())
    assert store.read_records([_KEY]) == [b"first"]
    assert swap_generation(place, number) == 1
    assert store.read_records([_KEY]) == [b"first"]  # Until the next look.
    asyncio.run(store.refresh())
    assert store.read_records([_KEY]) == [b"second"]
    drop_generation(place, 1)
    asyncio.run(store.refresh())
    assert store.read_records([_KEY]) == [b"second"]
    assert read_generations(place).numbers == (2,)
    assert (_count(metrics, "refused"), _count(metrics, "loaded")) == (None, 1.0)
    store.close()


def test_reads_never_fail_while_generations_are_swapped(place: Place) -> None:
    _write(place, b"1")
    store = CurrentStore(place, ScoringMetrics())
    answers: list[bytes | None] = []

    async def read(until: asyncio.Event) -> None:
        while not until.is_set():
            answers.extend(store.read_records([_KEY]))
            await asyncio.sleep(0)

    async def swap() -> None:
        done = asyncio.Event()
        reading = asyncio.create_task(read(done))
        for number in range(2, 6):
            await asyncio.to_thread(begin_generation, place)
            await asyncio.to_thread(_write, place, b"%d" % number, number)
            await asyncio.to_thread(swap_generation, place, number)
            await store.refresh()
            assert store.read_records([_KEY]) == [b"%d" % number]
            await asyncio.to_thread(drop_generation, place, number - 1)
        done.set()
        await reading

    asyncio.run(swap())
    assert set(answers) <= {b"%d" % number for number in range(1, 6)}
    store.close()


def test_a_store_that_is_still_being_made_is_taken_over_once_it_can_be_used(
    tmp_path: Path,
) -> None:
    _write(tmp_path / "store", b"record")
    metrics = ScoringMetrics()
    store = CurrentStore(tmp_path / "store", metrics)
    shutil.copytree(tmp_path / "store", tmp_path / "whole")
    shutil.rmtree(tmp_path / "store")
    folder = Path("generations") / "0001"
    file = folder / "data.mdb"
    (tmp_path / "store" / folder).mkdir(parents=True)
    (tmp_path / "store" / "current").write_text("0001\n")
    (tmp_path / "store" / file).write_bytes(b"not yet")
    for _ in range(2):
        asyncio.run(store.refresh())
        with pytest.raises(StoreUnavailableError, match="the store has gone"):
            store.read_records([_KEY])
    assert (_count(metrics, "refused"), _count(metrics, "loaded")) == (1.0, None)
    # Written into the same file, as a writer that was slow would.
    for name in ("records.heap", "records.index"):
        shutil.copy(tmp_path / "whole" / folder / name, tmp_path / "store" / folder / name)
    (tmp_path / "store" / file).write_bytes((tmp_path / "whole" / file).read_bytes())
    asyncio.run(store.refresh())
    assert store.read_records([_KEY]) == [b"record"]
    assert (_count(metrics, "refused"), _count(metrics, "loaded")) == (1.0, 1.0)
    store.close()
