"""The limit of the dataflow: a bare Bytewax keyed step that only counts.

Pre-decoded items, 1,000 per batch, keyed by customer, one counter per key: what
Bytewax itself costs before anything is read, decoded, folded or stored.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, run_main

_BATCH = 1_000


class _Counter(StatefulBatchLogic[int, int, int]):
    def __init__(self, snapshot: int | None) -> None:
        self._n = snapshot or 0

    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        self._n += len(values)
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> int:
        return self._n


def make_items(n_items: int, n_customers: int) -> list[tuple[str, int]]:
    """Return decoded items: customer and number."""
    draws = random.Random(1)
    return [(f"c{draws.randrange(n_customers):07d}", n) for n in range(n_items)]


def run_bare_step(items: Sequence[tuple[str, int]]) -> float:
    """Return items per second."""
    flow = Dataflow("bare")
    keyed = op.input("in", flow, TestingSource(items, batch_size=_BATCH))
    counted = op.stateful_batch("count", keyed, _Counter)
    op.output("out", counted, TestingSink([]))
    start = time.perf_counter()
    run_main(flow)  # type: ignore[no-untyped-call]
    return len(items) / (time.perf_counter() - start)
