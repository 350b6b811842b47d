"""Feature read and vector of one request, all its entities: per store, and as a store grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.stream.events import iterate_lines
from features.entities import N_ENTITIES, Entity
from features.keys import ENTITY_KEY_SIZE, N_SHARDS, compute_entity_key, compute_shard
from features.log.decode import decode_lines
from features.log.request_columns import to_request_rows
from features.records.packing import PackedRecords
from features.store.lmdb_store import LmdbFeatureReader
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.port import FeatureReader, FeatureStore, RecordCommit, ShardProgress
from features.store.redis_address import READER_OPTIONS, parse_address
from features.store.redis_link import Question, RedisLinks
from features.store.redis_scripts import ShardKeys
from features.store.redis_store import RedisFeatureReader, pack_hmget
from features.vector import STATE_OK, compute_vectors

_TENANT = "shop"
OWNED = {
    Entity.CUSTOMER: "c",
    Entity.ACTIVITY: "c",
    Entity.DEVICE: "d",
    Entity.ADDRESS: "a",
    Entity.PAYMENT_TOKEN: "p",
}
"""Entities that there are as many of as customers, and how their ids begin."""
_N_TEMPLATES = 500
_CHUNK = 50_000
_STATES = np.full(1, STATE_OK, np.int8)


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that name all entities.

    Attributes:
        rows: Shape `(n,)` of `REQUEST_ROW_DTYPE`.
        is_named: Shape `(n, N_ENTITIES)`, all true.
        keys: Of each, its entity keys.
    """

    rows: npt.NDArray[Any]
    is_named: npt.NDArray[np.bool_]
    keys: Sequence[list[bytes]]


def make_requests(n: int, n_customers: int, seed: int, at: datetime) -> Requests:
    """Return orders in a store by customers drawn evenly, `n` or a few less.

    Args:
        n: How many.
        n_customers: Of whom.
        seed: Of all draws.
        at: T of the first one.
    """
    # About one event in fifty is an order in a store.
    lines = iterate_lines(seed, 50 * n, n_customers, 10**9, at, 1e6)
    chosen = [line for line in lines if '"order_placed"' in line and '"store_id"' in line][:n]
    buffer = np.frombuffer("".join(chosen).encode(), np.uint8)
    ends = np.cumsum([len(line.encode()) for line in chosen])
    asked = to_request_rows(decode_lines(buffer, ends).cells)
    whole = np.flatnonzero(asked.is_named.all(axis=1))
    flat = asked.entity_keys[whole].reshape(-1, ENTITY_KEY_SIZE)
    names = [bytes(key) for key in flat]
    keys = [names[first : first + N_ENTITIES] for first in range(0, len(names), N_ENTITIES)]
    return Requests(asked.rows[whole], asked.is_named[whole], keys)


def read_vector(store: FeatureReader, requests: Requests, number: int) -> npt.NDArray[np.float32]:
    """Return a request's vector as a scorer makes it."""
    packed = PackedRecords.from_blobs(store.read_records(requests.keys[number]))
    one = slice(number, number + 1)
    return compute_vectors(packed, requests.is_named[one], _STATES, requests.rows[one])


def time_each(works: Sequence[Callable[[int], object]], n: int) -> list[float]:
    """Return the median of each work's times, microseconds; they take turns."""
    times: list[list[int]] = [[] for _ in works]
    for number in range(n):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter_ns()
            work(number)
            taken.append(time.perf_counter_ns() - start)
    return [statistics.median(taken) / 1e3 for taken in times]


def measure_lmdb(place: Path, n_customers: int, n: int, at: datetime) -> dict[str, float]:
    """Return the costs of a request on a filled embedded store, and what a customer costs."""
    requests = make_requests(n, n_customers, 7, at)
    with LmdbFeatureReader.open_reader(place) as store:
        blobs = [store.read_records(keys) for keys in requests.keys]  # Warms the map.
        parts = [PackedRecords.from_blobs(found) for found in blobs]

        def compute(number: int) -> object:
            one = slice(number, number + 1)
            return compute_vectors(
                parts[number], requests.is_named[one], _STATES, requests.rows[one]
            )

        works = (
            lambda number: read_vector(store, requests, number),
            lambda number: store.read_records(requests.keys[number]),
            compute,
        )
        whole, read, vector = time_each(works, len(requests.rows))
        sizes = _measure_customers(store, n_customers)
    return {"read_vector_us_lmdb": whole, "raw_read_us_lmdb": read, "vector_us": vector, **sizes}


def _measure_customers(store: FeatureReader, n_customers: int) -> dict[str, float]:
    """Return the mean bytes of a customer's two records, as stored."""
    names = [f"c{number:07d}" for number in range(n_customers)]
    figures = {}
    for entity in (Entity.CUSTOMER, Entity.ACTIVITY):
        keys = _to_array([compute_entity_key(_TENANT, entity, name) for name in names])
        figures[entity] = float(store.read_packed(keys).sizes.mean())
    return {"record_bytes_per_customer": sum(figures.values())}


def measure_redis(url: str, n_customers: int, n: int, at: datetime) -> dict[str, float]:
    """Return the costs of a request on a filled Redis store, and of the bare round trip.

    The bare read asks the same server over the same client for the same keys in the
    same pipeline, packed before the clock starts, and does nothing with the answer.
    """
    requests = make_requests(n, n_customers, 7, at)
    address = parse_address(url)
    links = RedisLinks(address, READER_OPTIONS)
    with RedisFeatureReader.open_reader(url) as store:
        shards = [
            ShardKeys.of(address.prefix, store.generation, shard) for shard in range(N_SHARDS)
        ]
        pipelines = [_pack(keys, shards) for keys in requests.keys]
        works = (
            lambda number: read_vector(store, requests, number),
            lambda number: links.ask(pipelines[number]),
        )
        time_each(works, min(200, len(requests.rows)))
        whole, raw = time_each(works, len(requests.rows))
    links.close()
    return {"read_vector_us_redis": whole, "raw_read_us_redis": raw}


def _pack(keys: Sequence[bytes], shards: Sequence[ShardKeys]) -> list[Question]:
    by_shard: dict[int, list[bytes]] = {}
    for key in keys:
        by_shard.setdefault(compute_shard(key), []).append(key)
    return [
        pack_hmget(shards[shard].slot, shards[shard].records, fields)
        for shard, fields in by_shard.items()
    ]


def measure_growth(
    folder: Path, filled: Path, n_small: int, n_large: int, n: int, at: datetime
) -> dict[str, float]:
    """Return how a request's cost and a customer's bytes grow with the number of customers.

    Both stores hold the same products and places, and for each customer id the records
    of some customer of a store that the stream has filled. Keys are random, every page
    has been touched before.

    Args:
        folder: Where the two stores are made.
        filled: Folder of a filled store.
        n_small: Customers of the one.
        n_large: Customers of the other.
        n: Requests to each.
        at: T of the requests.
    """
    asked, folders, n_bytes = [], [], []
    for n_customers in (n_small, n_large):
        requests = make_requests(n, n_customers, 9, at)
        place = folder / f"store-{n_customers}"
        with (
            LmdbFeatureReader.open_reader(filled) as source,
            LmdbFeatureStore.open_writer(place) as store,
        ):
            _fill(store, source, requests, n_customers)
            n_bytes.append(store.count_bytes() / n_customers)
        asked.append(requests)
        folders.append(place)
    with (
        LmdbFeatureReader.open_reader(folders[0]) as small,
        LmdbFeatureReader.open_reader(folders[1]) as large,
    ):
        _touch(small)
        _touch(large)
        works = (
            lambda number: read_vector(small, asked[0], number),
            lambda number: read_vector(large, asked[1], number),
        )
        of_small, of_large = time_each(works, min(len(one.rows) for one in asked))
    return {
        "read_vector_us_small": of_small,
        "read_vector_us_large": of_large,
        "read_growth": of_large / of_small,
        "store_bytes_per_customer_small": n_bytes[0],
        "store_bytes_per_customer_large": n_bytes[1],
        "memory_growth": n_bytes[1] / n_bytes[0],
    }


def _fill(
    store: FeatureStore, source: LmdbFeatureReader, requests: Requests, n_customers: int
) -> None:
    """Write what the requests name, and records of customers up to a number."""
    shared = {
        key
        for keys in requests.keys
        for entity, key in zip(Entity, keys, strict=True)
        if entity not in OWNED
    }
    found = dict(zip(shared, source.read_records(list(shared)), strict=True))
    blobs = [(key, blob) for key, blob in found.items() if blob]
    _commit(store, [key for key, _ in blobs], PackedRecords.from_blobs([b for _, b in blobs]))
    for entity, letter in OWNED.items():
        names = [f"{letter}{number:07d}" for number in range(n_customers)]
        keys = [compute_entity_key(_TENANT, entity, name) for name in names]
        templates = source.read_packed(_to_array(keys[:_N_TEMPLATES]))
        for first in range(0, n_customers, _CHUNK):
            part = keys[first : first + _CHUNK]
            _commit(store, part, templates.take(np.arange(first, first + len(part)) % _N_TEMPLATES))


def _commit(store: FeatureStore, keys: Sequence[bytes], packed: PackedRecords) -> None:
    """Write some records, whose keys are in any order; missing ones are left out."""
    array = _to_array(keys)
    order = np.argsort(array.view("S16").ravel(), kind="stable")
    order = order[packed.sizes[order] > 0]
    shards = array[order, 0] % N_SHARDS
    commits = []
    for shard in range(N_SHARDS):
        places = order[shards == shard]
        state = store.read_shard_state(shard)
        commits.append(
            RecordCommit(shard, state.version, array[places], packed.take(places), ShardProgress())
        )
    store.commit_records(commits)


def _touch(store: LmdbFeatureReader) -> None:
    """Read every record once, so that every page is mapped."""
    for shard in range(N_SHARDS):
        for _ in store.scan(shard):
            pass


def _to_array(keys: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, ENTITY_KEY_SIZE)
