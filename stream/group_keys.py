"""Which key leads to which worker: so that the groups of shards are spread evenly.

Bytewax sends an item to the worker that a hash of its key names. Of few keys most may
meet at one worker (of eight plain numbers, seven at the first of two). The hash is
Bytewax's own; so it is asked, with a tiny flow on threads of this process.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import TestingSource, cluster_main

_TRIES_PER_WORKER = 32
_Keyed = tuple[str, None]


def find_owner(group: int, n_groups: int, n_workers: int) -> int:
    """Return the worker that owns a group; neighbours share one.

    >>> [find_owner(group, 4, 2) for group in range(4)]
    [0, 0, 1, 1]
    """
    return group * n_workers // n_groups


def choose_group_keys(n_groups: int, n_workers: int) -> tuple[str, ...]:
    """Return a key for each group that leads to its owner.

    The same in every process of a cluster: it follows from the numbers alone.

    >>> choose_group_keys(2, 1)
    ('00', '01')
    """
    if n_workers == 1:
        return tuple(_name(number) for number in range(n_groups))
    keys = {worker: deque(those) for worker, those in _find_workers(n_workers).items()}
    owners = [find_owner(group, n_groups, n_workers) for group in range(n_groups)]
    return tuple(keys[owner].popleft() for owner in owners)


def _name(number: int) -> str:
    return f"{number:02d}"


def _find_workers(n_workers: int) -> Mapping[int, Sequence[str]]:
    """Return the keys of some that lead to each worker."""
    found: dict[int, list[str]] = defaultdict(list)
    keys = [(_name(number), None) for number in range(_TRIES_PER_WORKER * n_workers)]
    flow = Dataflow("hemostat_group_keys")
    asked = op.input("keys", flow, TestingSource(keys))
    routed = op.stateful_batch("routed", asked, lambda _: _PassOn())
    op.output("found", routed, _Found(found))
    cluster_main(flow, [], 0, worker_count_per_proc=n_workers)  # type: ignore[no-untyped-call]
    return {worker: sorted(those) for worker, those in found.items()}


class _PassOn(StatefulBatchLogic[None, None, None]):
    def on_batch(self, values: list[None]) -> tuple[list[None], bool]:
        return values, StatefulBatchLogic.DISCARD

    def snapshot(self) -> None:
        return None


class _FoundHere(StatelessSinkPartition[_Keyed]):
    def __init__(self, keys: list[str]) -> None:
        self._keys = keys

    def write_batch(self, items: list[_Keyed]) -> None:
        self._keys += [key for key, _ in items]


class _Found(DynamicSink[_Keyed]):
    """Notes at which worker each key arrived."""

    def __init__(self, found: dict[int, list[str]]) -> None:
        self._found = found

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _FoundHere:
        return _FoundHere(self._found[worker_index])
