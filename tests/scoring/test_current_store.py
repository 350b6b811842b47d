"""The store that stands at a path now: a half-made one is tried again until it can be used."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from benchmarks.serving.world import RETURNER, SHOP, World
from features.errors import StoreUnavailableError
from features.keys import compute_entity_key
from scoring.current_store import CurrentStore
from scoring.metrics import ScoringMetrics


def test_a_store_that_is_still_being_made_is_taken_over_once_it_can_be_used(
    own_world: World, tmp_path: Path
) -> None:
    key = compute_entity_key(SHOP, "customer", RETURNER)
    metrics = ScoringMetrics()

    def count(result: str) -> float | None:
        labels = {"what": "store", "result": result}
        return metrics.registry.get_sample_value("hemostat_score_reloads_total", labels)

    store = CurrentStore(own_world.store, metrics)
    (record,) = store.read_records([key])
    shutil.copytree(own_world.store, tmp_path / "whole")
    shutil.rmtree(own_world.store)
    (own_world.store / "features").mkdir(parents=True)
    (own_world.store / "features" / "data.mdb").write_bytes(b"not yet")
    for _ in range(2):
        asyncio.run(store.refresh())
        with pytest.raises(StoreUnavailableError, match="the store has gone"):
            store.read_records([key])
    assert (count("refused"), count("loaded")) == (1.0, None)
    # Written into the same file, as a writer that was slow would.
    content = (tmp_path / "whole" / "features" / "data.mdb").read_bytes()
    (own_world.store / "features" / "data.mdb").write_bytes(content)
    asyncio.run(store.refresh())
    assert record is not None
    assert store.read_records([key]) == [record]
    assert (count("refused"), count("loaded")) == (1.0, 1.0)
    store.close()
