"""The conventional way: Feast `push` of ready feature rows into its own Redis store.

Generous to the baseline: the rows are there already (nothing is decoded, folded or
joined), and only the customer's columns are pushed, not those of the articles, regions
and devices that the event concerns as well.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

_SETTINGS = """project: bench
provider: local
registry: registry.db
online_store: {{type: redis, connection_string: "127.0.0.1:{port}"}}
offline_store: {{type: file}}
entity_key_serialization_version: 3
"""


def _open_store(folder: Path, port: int, n_columns: int) -> Any:
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, ValueType
    from feast.types import Float32

    (folder / "feature_store.yaml").write_text(_SETTINGS.format(port=port))
    rows = _make_rows(1, n_columns, 1, 0)
    rows.to_parquet(folder / "rows.parquet")
    source = PushSource(
        name="customer_push",
        batch_source=FileSource(path=str(folder / "rows.parquet"), timestamp_field="event_time"),
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="customer_counters",
        entities=[customer],
        ttl=timedelta(days=400),
        schema=[Field(name=f"f{n}", dtype=Float32) for n in range(n_columns)],
        source=source,
    )
    store = FeatureStore(repo_path=str(folder))
    store.apply([customer, view])
    return store


def _make_rows(n_rows: int, n_columns: int, n_customers: int, seed: int) -> pd.DataFrame:
    draws = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        f"f{n}": draws.random(n_rows, dtype=np.float32) for n in range(n_columns)
    }
    # Feast drops a write whose time equals the stored one: every row has its own.
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=seed)
    columns["customer_id"] = [f"c{n:07d}" for n in draws.integers(0, n_customers, n_rows)]
    columns["event_time"] = pd.to_datetime(
        [start + timedelta(microseconds=n) for n in range(n_rows)]
    )
    return pd.DataFrame(columns)


def measure_push(
    port: int, rows_per_push: int, n_columns: int, seconds: float, n_customers: int
) -> float:
    """Return rows per second pushed to the Redis server on a port of 127.0.0.1."""
    with tempfile.TemporaryDirectory() as name:
        store = _open_store(Path(name), port, n_columns)
        store.push("customer_push", _make_rows(rows_per_push, n_columns, n_customers, 1))
        n_rows, seed, pushing_s = 0, 2, 0.0
        while pushing_s < seconds:
            rows = _make_rows(rows_per_push, n_columns, n_customers, seed)
            start = time.perf_counter()
            store.push("customer_push", rows)
            pushing_s += time.perf_counter() - start
            n_rows, seed = n_rows + rows_per_push, seed + 1
        return n_rows / pushing_s
