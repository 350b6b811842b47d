"""Random fold rows and requests of every entity, and the layouts under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.definition import DAY_US, HOUR_US, WEEK_US, WINDOWS, FeatureDefinition, Window
from features.entities import LAYOUTS, Entity, Layout
from features.facts.activity import N_ACTIVITY_FACTS, fill_activity_facts
from features.facts.identity import N_IDENTITY_FACTS, fill_identity_facts
from features.facts.tally import N_TALLY_FACTS, fill_tally_facts
from features.fold_rows import FAN_OUT, FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.folds.activity import fold_activity
from features.folds.identity import fold_identity
from features.folds.tally import fold_tally
from features.records.activity import ACTIVITY_DTYPE
from features.records.identity import IDENTITY_DTYPE
from features.records.tally import TALLY_DTYPE
from features.request_rows import REQUEST_ROW_DTYPE, Call

START_US = 18_998 * DAY_US  # A Thursday: an edge of all grids.
SPAN_DAYS = 420
AHEAD_US = 300_000_000  # So far may a clock run ahead of the log's.
MEMBERS = np.random.default_rng(5).integers(1, 2**64, 40, np.uint64)

Array = npt.NDArray[Any]

ENTITIES = tuple(entity for entity in Entity if LAYOUTS[entity] is not Layout.HISTORY)
TALLIES = tuple(entity for entity in Entity if LAYOUTS[entity] is Layout.TALLY)
SHARED = tuple(entity for entity in Entity if LAYOUTS[entity] is Layout.IDENTITY)


@dataclass(frozen=True, slots=True)
class Tested:
    """One layout: its dtype, how many facts it has, its fold."""

    dtype: np.dtype[Any]
    n_facts: int
    fold: Callable[[Any, Any], None]


TESTED = {
    Layout.ACTIVITY: Tested(ACTIVITY_DTYPE, N_ACTIVITY_FACTS, fold_activity),
    Layout.TALLY: Tested(TALLY_DTYPE, N_TALLY_FACTS, fold_tally),
    Layout.IDENTITY: Tested(IDENTITY_DTYPE, N_IDENTITY_FACTS, fold_identity),
}


def list_kinds(entity: Entity) -> list[FoldKind]:
    """Return the kinds of rows that reach an entity."""
    return [kind for kind, entities in FAN_OUT.items() if entity in entities]


def draw_times(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return times on and beside the edges of all grids, and dense ones at the end."""
    hop = rng.choice([HOUR_US, DAY_US, WEEK_US, 6 * HOUR_US, HOUR_US // 7], n)
    steps = rng.integers(0, SPAN_DAYS * DAY_US // hop)
    steps = np.where(rng.random(n) < 0.5, SPAN_DAYS * DAY_US // hop - rng.integers(0, 9, n), steps)
    return np.asarray(START_US + steps * hop + rng.choice([0, 0, -1, 1], n), np.int64)


def draw_rows(seed: int, entity: Entity, n: int, first_key: int = 1) -> Array:
    """Return the rows of `n` events as one entity sees them, in no order."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, FOLD_ROW_DTYPE)
    rows["entity"] = entity
    rows["kind"] = rng.choice([int(kind) for kind in list_kinds(entity)], n)
    rows["event_time_us"] = draw_times(rng, n)
    lag = rng.choice([0, 0, 1, HOUR_US, 20 * DAY_US, -AHEAD_US], n)
    rows["ingest_time_us"] = rows["event_time_us"] + lag
    rows["event_key"] = rng.permutation(n).astype(np.uint64) + np.uint64(first_key)
    rows["value_minor"] = rng.choice([0, 1, 1_999, 250_000], n)
    rows["amount"] = rng.choice([0, 1, 5, 600, 601, 90_000], n)
    rows["member"] = rng.choice(np.append(MEMBERS, np.uint64(0)), n)
    rows["style_link"] = rng.integers(0, 3, n)
    rows["line_count"] = rng.integers(0, 3, n)
    rows["embedding"] = -1
    rows["flags"] = rng.integers(0, 2 * int(max(FoldFlag)), n)
    rows["reason_code"] = rng.integers(0, 15, n)
    rows["condition"] = rng.integers(0, 5, n)
    rows["sentiment"] = rng.integers(-100, 101, n)
    rows["channel"] = rng.integers(1, 5, n)
    return rows


def draw_request(seed: int, time_us: int) -> Any:
    """Return one request, an element of `REQUEST_ROW_DTYPE`."""
    rng = np.random.default_rng(seed)
    requests = np.zeros(1, REQUEST_ROW_DTYPE)
    requests["time_us"] = time_us
    requests["call"] = rng.integers(1, max(Call) + 1)
    requests["style_link"] = rng.integers(0, 3)
    requests["product_price_minor"] = rng.choice([0, 100, 1_999])
    requests["member"] = rng.choice(np.append(MEMBERS[:5], np.uint64(0)))
    return requests[0]


def draw_time_after(seed: int, rows: Array) -> int:
    """Return a time at which all rows are known: from their newest on, often at once."""
    rng = np.random.default_rng(seed)
    known_us = max(
        int(rows["ingest_time_us"].max(initial=START_US)),
        int(rows["event_time_us"].max(initial=START_US)) - AHEAD_US,
    )
    later = rng.choice([0, 1, HOUR_US // 3, 5 * HOUR_US, DAY_US, 9 * DAY_US, 60 * DAY_US])
    return known_us + int(later)


def fold(entity: Entity, rows: Array, record: Any = None) -> Any:
    """Return one record with the rows folded into it, an element of the layout's dtype."""
    tested = TESTED[LAYOUTS[entity]]
    records = np.zeros(1, tested.dtype)
    if record is not None:
        records[0] = record
    for row in rows:
        tested.fold(records[0], row)
    return records[0]


def ask(entity: Entity, record: Any, request: Any) -> dict[str, float]:
    """Return an entity's features by name."""
    layout = LAYOUTS[entity]
    facts = np.full(TESTED[layout].n_facts + 3, np.inf)
    sums = np.full((len(WINDOWS) + 1, 40), -1, np.int64)
    if layout is Layout.ACTIVITY:
        fill_activity_facts(record, request, sums, facts, 3)
    elif layout is Layout.TALLY:
        fill_tally_facts(record, int(entity), request, sums, facts, 3)
    else:
        fill_identity_facts(record, request["member"], request, facts, 3)
    assert not np.isinf(facts[3:]).any()  # Every place of the slice is written.
    return {feature.name: _read(feature, facts[3:]) for feature in list_features(entity)}


def _read(feature: FeatureDefinition, facts: npt.NDArray[np.float64]) -> float:
    if feature.divisor is None:
        return float(facts[feature.fact])
    divisor = facts[feature.divisor]
    return float(facts[feature.fact] / divisor) if divisor > 0 else np.nan


def list_features(entity: Entity) -> Sequence[FeatureDefinition]:
    """Return an entity's rows of the table."""
    from features.definitions.activity import ACTIVITY_FEATURES
    from features.definitions.entities import ENTITY_FEATURES

    name = entity.name.lower()
    return [f for f in (*ACTIVITY_FEATURES, *ENTITY_FEATURES) if f.entity == name]


def is_in_window(window: Window, now_us: int, time_us: int) -> bool:
    """Return whether a window counts an event: the rule itself."""
    if not window.length_us:
        return True
    return time_us >= (now_us - window.length_us) // window.hop_us * window.hop_us
