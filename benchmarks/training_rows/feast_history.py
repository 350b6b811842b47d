"""Training rows as Feast makes them: `get_historical_features` over prepared feature rows.

Generous to the baseline: the feature rows are there already, one per event of a
customer, so Feast only joins; what computing them took is not counted. Only the
customer's columns are asked for, not those of articles, places and identities.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_SETTINGS = """project: bench
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""


def _prepare_rows(events: pa.Table, n_columns: int) -> pd.DataFrame:
    """Return a feature row per event of a customer, as a nightly job would leave them."""
    named = events.filter(pa.compute.not_equal(events["customer_id"], ""))
    draws = np.random.default_rng(3)
    columns: dict[str, Any] = {
        f"f{n}": draws.random(named.num_rows, dtype=np.float32) for n in range(n_columns)
    }
    columns["customer_id"] = named["customer_id"].to_pandas()
    columns["event_time"] = named["event_time"].to_pandas()
    return pd.DataFrame(columns)


def _open_store(folder: Path, n_columns: int) -> Any:
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float32

    (folder / "feature_store.yaml").write_text(_SETTINGS)
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="customer_features",
        entities=[customer],
        ttl=timedelta(days=3650),
        schema=[Field(name=f"f{n}", dtype=Float32) for n in range(n_columns)],
        source=FileSource(path=str(folder / "rows.parquet"), timestamp_field="event_time"),
    )
    store = FeatureStore(repo_path=str(folder))
    store.apply([customer, view])
    return store


def measure_history(events: pa.Table, n_columns: int) -> float:
    """Return training rows per second, one wanted at every event.

    Args:
        events: Columns `customer_id` and `event_time` of a log.
        n_columns: Features of the customer.
    """
    asked = pd.DataFrame(
        {
            "customer_id": events["customer_id"].to_pandas(),
            "event_timestamp": events["event_time"].to_pandas(),
        }
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare_rows(events, n_columns).to_parquet(folder / "rows.parquet")
        store = _open_store(folder, n_columns)
        features = [f"customer_features:f{n}" for n in range(n_columns)]
        start = time.perf_counter()
        rows = store.get_historical_features(entity_df=asked, features=features).to_df()
        seconds = time.perf_counter() - start
    if len(rows) != events.num_rows:
        raise ValueError(f"{len(rows)} rows for {events.num_rows} questions")
    return len(rows) / seconds
