"""Keys of groups: Bytewax sends each group to its owner, and owners have about as many."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, cluster_main

from features.errors import ConfigError
from stream.group_keys import choose_group_keys, find_owner
from stream.options import ClusterPlace, StreamOptions


def _place(n_processes: int) -> ClusterPlace:
    return ClusterPlace(0, tuple(f"127.0.0.1:{port}" for port in range(n_processes)))


class _Keep(StatefulBatchLogic[int, int, None]):
    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        return values, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None


class _Arrivals(DynamicSink[tuple[str, int]]):
    def __init__(self) -> None:
        self.workers: dict[int, int] = {}

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Arrival:
        return _Arrival(self.workers, worker_index)


class _Arrival(StatelessSinkPartition[tuple[str, int]]):
    def __init__(self, workers: dict[int, int], worker: int) -> None:
        self._workers = workers
        self._worker = worker

    def write_batch(self, items: list[tuple[str, int]]) -> None:
        self._workers.update({group: self._worker for _, group in items})


@pytest.mark.parametrize("n_workers", [2, 3, 4, 5, 8, 16])
def test_each_group_arrives_at_its_owner(tmp_path: Path, n_workers: int) -> None:
    groups = StreamOptions(tmp_path, place=_place(n_workers)).groups
    keys = choose_group_keys(groups.count, n_workers)
    arrivals = _Arrivals()
    flow = Dataflow("arrivals")
    items = op.input("groups", flow, TestingSource([(key, g) for g, key in enumerate(keys)]))
    op.output("out", op.stateful_batch("routed", items, lambda _: _Keep()), arrivals)
    cluster_main(flow, [], 0, worker_count_per_proc=n_workers)  # type: ignore[no-untyped-call]
    owners = {group: find_owner(group, groups.count, n_workers) for group in range(groups.count)}
    assert arrivals.workers == owners
    shares = Counter(owners.values())
    assert len(shares) == n_workers
    assert max(shares.values()) - min(shares.values()) <= 1


def test_the_same_keys_are_chosen_again() -> None:
    assert choose_group_keys(16, 3) == choose_group_keys(16, 3)


def test_more_processes_than_shards_are_refused() -> None:
    assert _place(16).n_processes == 16
    with pytest.raises(ConfigError, match="at most 16"):
        _place(17)


@pytest.mark.parametrize("process_id", [-1, 2])
def test_a_process_that_is_none_of_the_cluster_s_is_refused(process_id: int) -> None:
    with pytest.raises(ConfigError, match="--process-id"):
        ClusterPlace(process_id, ("a:1", "b:2"))
