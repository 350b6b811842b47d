"""Feast's point-in-time join over the feature log gives the log's own rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.definitions import FEATURE_NAMES

Shop = Any
_COLUMNS = list(FEATURE_NAMES)
_KEYS = ["tenant", "case_event_id", "event_timestamp"]


def _make_entities(rows: pd.DataFrame, *names: str) -> pd.DataFrame:
    picked = rows[["tenant", *names, "known_time"]]
    return picked.rename(columns={"known_time": "event_timestamp"})


def _read_bits(frame: pd.DataFrame, columns: list[str]) -> npt.NDArray[np.float32]:
    values: npt.NDArray[np.float32] = frame[columns].to_numpy(np.float32)
    return values


def test_cases_at_their_times_get_the_rows_of_the_feature_log(shop: Shop) -> None:
    feast = shop.open_feast("unused")
    entities = _make_entities(shop.rows, "case_event_id", "request")
    found = feast.get_historical_features(
        entity_df=entities, features=feast.get_feature_service("scoring")
    ).to_df()
    found = found.sort_values(_KEYS, ignore_index=True)
    expected = shop.rows.rename(columns={"known_time": "event_timestamp"})
    expected = expected.sort_values(_KEYS, ignore_index=True)
    np.testing.assert_array_equal(_read_bits(found, _COLUMNS), _read_bits(expected, _COLUMNS))


def test_a_customer_in_between_gets_the_last_row_before_and_nothing_later(shop: Shop) -> None:
    customer = shop.rows["customer_id"][shop.rows["customer_id"] != ""].mode()[0]
    rows = shop.rows[shop.rows["customer_id"] == customer]
    assert len(rows) > 2
    names = ["order_count_30d", "return_count_lifetime"]
    entities = _make_entities(rows, "customer_id")
    entities["event_timestamp"] += pd.Timedelta(microseconds=1)
    earlier = entities.head(1).assign(event_timestamp=rows["known_time"].iloc[0])
    earlier["event_timestamp"] -= pd.Timedelta(microseconds=1)
    feast = shop.open_feast("unused")
    found = feast.get_historical_features(
        entity_df=pd.concat([earlier, entities], ignore_index=True),
        features=[f"customer_features:{name}" for name in names],
    ).to_df()
    found = found.sort_values("event_timestamp", ignore_index=True)
    # Before the first case there is nothing: Feast's file store leaves such a row out.
    np.testing.assert_array_equal(_read_bits(found, names), _read_bits(rows, names))
