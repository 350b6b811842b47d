"""Random logs of every kind of event, as the rows of all entities, and requests to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.definition import DAY_US, HOUR_US
from features.embedding import DIM
from features.entities import N_ENTITIES, Entity
from features.fold_rows import FAN_OUT, FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.request_rows import REQUEST_ROW_DTYPE, Call, RequestFlag
from tests.features.layout_rows import AHEAD_US, draw_times

Array = npt.NDArray[Any]

N_CUSTOMERS = 20
N_IDS = 3
_OF_CUSTOMERS = (
    Entity.CUSTOMER, Entity.ACTIVITY, Entity.DEVICE, Entity.ADDRESS, Entity.PAYMENT_TOKEN,
)  # fmt: skip
_KINDS = [kind for kind in FoldKind if kind is not FoldKind.ORDER_LINE]


@dataclass(frozen=True, slots=True)
class RandomHistory:
    """What `compute_vectors_at` takes."""

    rows: Array
    row_keys: npt.NDArray[np.uint8]
    embeddings: npt.NDArray[np.int8]
    requests: Array
    request_keys: npt.NDArray[np.uint8]
    is_named: npt.NDArray[np.bool_]


class _World:
    """Who and what there is: a few ids of each entity, with their keys."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.keys = rng.integers(0, 256, (N_ENTITIES, N_CUSTOMERS, 16), np.uint8)
        self.members = self.keys[Entity.CUSTOMER, :, :8].copy().view(np.uint64).ravel()

    def name(self, customer: int) -> dict[Entity, npt.NDArray[np.uint8]]:
        """Return the keys of the entities that an event or a request names."""
        named = {}
        for entity in Entity:
            if entity in _OF_CUSTOMERS[:2]:
                number = customer
            else:
                number = int(self.rng.integers(0, N_IDS)) if self.rng.random() < 0.8 else -1
            if number >= 0:
                named[entity] = self.keys[entity, number]
        return named


def _draw_customer(rng: np.random.Generator) -> int:
    """Return a customer's number, most often one of the first; -1: a guest."""
    return int(N_CUSTOMERS * rng.random() ** 3) if rng.random() < 0.9 else -1


def _draw_row(rng: np.random.Generator, kind: FoldKind, n_embeddings: int) -> Array:
    row = np.zeros(1, FOLD_ROW_DTYPE)
    row["kind"] = kind
    row["event_time_us"] = draw_times(rng, 1)
    row["ingest_time_us"] = row["event_time_us"] + rng.choice(
        [0, 0, 1, HOUR_US, 20 * DAY_US, -AHEAD_US]
    )
    row["event_key"] = rng.integers(1, 2**64, dtype=np.uint64)
    row["value_minor"] = rng.choice([0, 1_999, 250_000])
    row["amount"] = rng.choice([0, 5, 601, 90_000, 2_000_000])
    row["weight_g"] = rng.choice([0, 100, 120, 200])
    for link in ("order_link", "return_link", "style_link", "store_link"):
        row[link] = rng.integers(0, 4)
    row["line_count"] = rng.integers(1, 4)
    row["multi_variant_count"] = rng.integers(0, 2)
    row["channel"], row["stage"] = rng.integers(1, 5), rng.integers(0, 6)
    row["reason_code"], row["condition"] = rng.integers(0, 15), rng.integers(0, 5)
    row["sentiment"] = rng.integers(-100, 101)
    row["flags"] = rng.integers(0, 2 * int(max(FoldFlag))) & ~int(FoldFlag.HAS_EMBEDDING)
    row["embedding"] = -1
    if rng.random() < 0.5:
        row["flags"] |= np.uint32(FoldFlag.HAS_EMBEDDING)
        row["embedding"], row["embedder"] = rng.integers(0, n_embeddings), 1
    return row


def _fan_out(row: Array, named: dict[Entity, Any], is_guest: bool) -> tuple[Array, Array]:
    """Return the rows of one event and their keys."""
    rows, keys = [], []
    kinds = [FoldKind(int(row["kind"][0]))]
    lines = range(int(row["line_count"][0])) if kinds[0] is FoldKind.ORDER_PLACED else ()
    tellings = [(kinds[0], int(row["line_count"][0])), *((FoldKind.ORDER_LINE, i) for i in lines)]
    for kind, line in tellings:
        for entity in FAN_OUT[kind]:
            if entity in named and not (is_guest and entity in _OF_CUSTOMERS):
                one = row.copy()
                one["kind"], one["entity"], one["line_count"] = kind, entity, line
                rows.append(one)
                keys.append(named[entity])
    if not rows:
        return row[:0], np.empty((0, 16), np.uint8)
    return np.concatenate(rows), np.array(keys)


def draw_history(seed: int, n_events: int, n_requests: int) -> RandomHistory:
    """Return a log with events told twice (some with other content) and requests to it."""
    rng = np.random.default_rng(seed)
    world = _World(rng)
    embeddings = rng.integers(-127, 128, (5, DIM), np.int8)
    events: list[tuple[Array, Array]] = []
    while len(events) < n_events:
        customer = _draw_customer(rng)
        row = _draw_row(rng, _KINDS[int(rng.integers(len(_KINDS)))], len(embeddings))
        row["member"] = world.members[customer] if customer >= 0 else 0
        event = _fan_out(row, world.name(customer), customer < 0)
        if len(event[0]):
            events.append(event)
    for place in rng.integers(0, n_events, n_events // 5):
        again = events[place][0].copy()
        again["ingest_time_us"] += rng.choice([0, 1, DAY_US])
        again["value_minor"] += rng.choice([0, 7])
        events.append((again, events[place][1]))
    told = sorted(events, key=lambda event: int(event[0]["ingest_time_us"][0]))
    requests = _draw_requests(rng, n_requests, told, world)
    return RandomHistory(
        np.concatenate([event[0] for event in told]),
        np.concatenate([event[1] for event in told]),
        embeddings,
        *requests,
    )


def _draw_requests(
    rng: np.random.Generator, n: int, told: list[tuple[Array, Array]], world: _World
) -> tuple[Array, Array, Array]:
    requests = np.zeros(n, REQUEST_ROW_DTYPE)
    keys = rng.integers(0, 256, (n, N_ENTITIES, 16), np.uint8)
    is_named = np.zeros((n, N_ENTITIES), np.bool_)
    requests["call"] = rng.integers(1, max(Call) + 1, n)
    requests["embedding"] = rng.integers(-127, 128, (n, DIM), np.int8)
    requests["embedder"] = 1
    for field in ("value_minor", "product_price_minor", "order_value_minor"):
        requests[field] = rng.choice([0, 100, 25_000], n)
    for field in ("style_link", "reason_code", "channel", "order_channel"):
        requests[field] = rng.integers(0, 4, n)
    requests["flags"] = rng.integers(0, 2 * int(max(RequestFlag)), n)
    for q in range(n):
        customer = _draw_customer(rng)
        case = told[int(rng.integers(len(told)))][0][0]
        requests["time_us"][q] = case["ingest_time_us"] + rng.choice([0, 0, -1, HOUR_US, DAY_US])
        requests["case_key"][q] = case["event_key"] if rng.random() < 0.5 else 0
        requests["member"][q] = world.members[customer] if customer >= 0 else 0
        for entity, key in world.name(customer).items():
            keys[q, entity] = key if rng.random() < 0.9 else keys[q, entity]
            is_named[q, entity] = True
    return requests, keys, is_named
