"""Random rows and requests of one case: a customer's history and all other entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from features.definition import DAY_US, HOUR_US
from features.definitions import FEATURE_NAMES
from features.embedding import embed_text
from features.entities import N_ENTITIES, Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.records.packing import PackedRecords
from features.refold import refold
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from features.vector import STATE_OK, compute_vectors
from tests.features.layout_rows import (
    AHEAD_US,
    MEMBERS,
    START_US,
    draw_rows,
    draw_times,
)

Array = npt.NDArray[Any]

EMBEDDINGS = np.stack(
    [embed_text(text) for text in ("too small", "size is too small", "尺码偏小", "太贵")]
)
NO_EMBEDDINGS = np.zeros((0, EMBEDDINGS.shape[1]), np.int8)
NOBODY = PackedRecords.from_blobs([None] * N_ENTITIES)

EVENT_KINDS = (
    *(FoldKind.ORDER_PLACED,) * 4, *(FoldKind.RETURN_REQUESTED,) * 5,
    *(FoldKind.CANCEL_REQUESTED, FoldKind.ORDER_CANCELLED) * 2, FoldKind.ORDER_KEPT,
    *(FoldKind.RETURN_RECEIVED, FoldKind.RETURN_INSPECTED) * 2, FoldKind.REFUND_ISSUED,
    FoldKind.ITEM_EXCHANGED, FoldKind.LABEL_SET,
)  # fmt: skip
"""Kinds of a customer's events, the telling ones more often."""


def draw_history(
    seed: int, n: int, first_key: int = 1, kinds: Sequence[FoldKind] = EVENT_KINDS
) -> Array:
    """Return the rows of `n` events of one customer; an order's lines follow it."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, FOLD_ROW_DTYPE)
    rows["kind"] = rng.choice([int(kind) for kind in kinds], n)
    rows["event_time_us"] = draw_times(rng, n)
    lag = rng.choice([0, 0, 1, HOUR_US, 20 * DAY_US, -AHEAD_US], n)
    rows["ingest_time_us"] = rows["event_time_us"] + lag
    rows["event_key"] = rng.permutation(n).astype(np.uint64) + np.uint64(first_key)
    rows["value_minor"] = rng.choice([0, 1, 1_999, 250_000], n)
    rows["amount"] = rng.choice([0, 1, 86_400, 2_000_000], n)
    rows["member"] = MEMBERS[0]
    for link in ("order_link", "return_link", "style_link", "store_link"):
        rows[link] = rng.integers(0, 5, n)
    rows["line_count"] = rng.integers(1, 12, n)
    rows["multi_variant_count"] = rows["line_count"] // 2
    rows["weight_g"] = rng.choice([0, 400, 500], n)
    is_received = rows["kind"] == FoldKind.RETURN_RECEIVED
    rows["amount"][is_received] = rng.choice([0, 400, 600], is_received.sum())
    rows["embedding"] = rng.integers(-1, len(EMBEDDINGS), n)
    rows["embedder"] = rng.choice([1, 1, 1, 2], n)
    rows["flags"] = rng.integers(0, 2 * int(max(FoldFlag)), n) & ~int(FoldFlag.HAS_EMBEDDING)
    rows["flags"] |= np.where(rows["embedding"] >= 0, int(FoldFlag.HAS_EMBEDDING), 0).astype("u4")
    rows["channel"] = rng.integers(0, 4, n)
    rows["reason_code"] = rng.choice([0, 1, 2, 3, 10], n)
    rows["stage"] = rng.integers(0, 6, n)
    rows["condition"] = rng.integers(0, 5, n)
    return np.concatenate([*(_add_lines(rng, row) for row in rows.reshape(-1, 1)), rows[:0]])


def _add_lines(rng: np.random.Generator, row: Array) -> Array:
    """Return a row, and if it is an order's, the rows of its lines."""
    if row["kind"][0] != FoldKind.ORDER_PLACED:
        return row
    lines = np.repeat(row, row["line_count"][0])
    lines["kind"] = FoldKind.ORDER_LINE
    lines["line_count"] = np.arange(len(lines))
    lines["style_link"] = rng.integers(0, 5, len(lines))
    lines["flags"] = rng.choice([0, int(FoldFlag.IS_MULTI_VARIANT)], len(lines))
    return np.concatenate([row, lines])


def draw_case(seed: int, n: int, first_key: int = 1) -> Array:
    """Return rows of `n` events of the customer and of every other entity each."""
    others = [
        draw_rows(seed + int(entity), entity, n, first_key)
        for entity in Entity
        if entity is not Entity.CUSTOMER
    ]
    return np.concatenate([draw_history(seed, n, first_key), *others])


def draw_requests(seed: int, n: int, calls: Sequence[Call] = tuple(Call)) -> Array:
    """Return requests of the customer, without a case event of their own."""
    rng = np.random.default_rng(seed)
    requests = np.zeros(n, REQUEST_ROW_DTYPE)
    time_us = draw_times(rng, n) + rng.choice([0, 0, 40 * DAY_US], n)
    requests["time_us"] = time_us
    requests["call"] = rng.choice([int(call) for call in calls], n)
    requests["order_time_us"] = time_us - rng.integers(0, 40 * DAY_US, n)
    requests["delivery_time_us"] = rng.choice([0, START_US], n)
    requests["promised_delivery_us"] = time_us + rng.choice([-DAY_US, 3 * DAY_US], n)
    for amount in ("value_minor", "unit_price_minor", "product_price_minor", "order_value_minor"):
        requests[amount] = rng.choice([0, 1, 1_999, 250_000], n)
    for amount in ("discount_minor", "gift_card_minor"):
        requests[amount] = rng.choice([0, 500], n)
    requests["delay_s"] = rng.choice([0, 90_000], n)
    requests["quantity"], requests["line_count"] = rng.integers(1, 9, n), rng.integers(4, 9, n)
    requests["multi_variant_line_count"] = rng.integers(0, 4, n)
    requests["return_window_days"] = rng.choice([0, 7, 30], n)
    for code in ("channel", "order_channel", "tender", "stage"):
        requests[code] = rng.integers(0, 5, n)
    requests["reason_code"] = rng.choice([0, 1, 2, 3, 10], n)
    requests["style_link"] = rng.integers(0, 5, n)
    requests["member"] = MEMBERS[0]
    has_text = rng.random(n) < 0.7
    requests["embedding"][has_text] = EMBEDDINGS[rng.integers(0, len(EMBEDDINGS), has_text.sum())]
    requests["embedder"] = np.where(has_text, rng.choice([1, 1, 2], n), 0)
    requests["flags"] = rng.integers(0, 256, n) & ~int(RequestFlag.HAS_EMBEDDING)
    requests["flags"] |= np.where(has_text, int(RequestFlag.HAS_EMBEDDING), 0).astype("u2")
    return requests


def ask_after(requests: Array, rows: Array) -> Array:
    """Return the requests, none before all rows are known; no clock runs further ahead."""
    later = requests.copy()
    newest_us = int(rows["event_time_us"].max(initial=0)) - AHEAD_US
    later["time_us"] = np.maximum(requests["time_us"], newest_us)
    return later


def store(rows: Array, packed: PackedRecords = NOBODY) -> PackedRecords:
    """Return the stored records of all entities, one each, after some rows."""
    rows = rows[np.argsort(rows["entity"], kind="stable")]
    entities = np.arange(N_ENTITIES, dtype=np.uint8)
    return refold(packed, entities, rows, rows["entity"].astype(np.int64), EMBEDDINGS)


def ask(
    packed: PackedRecords, requests: Array, is_named: Array | None = None, state: int = STATE_OK
) -> Array:
    """Return the vectors of requests that all name the same entities: all, unless told."""
    n = len(requests)
    named = np.ones((n, N_ENTITIES), np.bool_) if is_named is None else np.tile(is_named, (n, 1))
    states = np.full(n, state, np.int8)
    together = PackedRecords.concatenate([packed] * n)
    return compute_vectors(together, named, states, np.ascontiguousarray(requests))


def find_differing(a: Array, b: Array) -> list[str]:
    """Return the features in which some bit differs."""
    is_equal = (a.view(np.uint32) == b.view(np.uint32)).all(axis=0)
    return [name for name, equal in zip(FEATURE_NAMES, is_equal, strict=True) if not equal]
