"""The online store in Redis or a Redis Cluster: a reader for scorers.

The writer is `features.store.redis_writer`; keys and scripts are in `redis_scripts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self
from uuid import uuid4

import msgspec
import numpy as np
import numpy.typing as npt

from features.erasures import Erasures
from features.errors import StoreUnavailableError
from features.keys import N_SHARDS, compute_shard
from features.records.packing import PackedRecords
from features.store.key_codes import join_keys, split_keys
from features.store.port import SEEN_DTYPE, RecordChunk, SeenChunk, ShardState
from features.store.redis_address import (
    READER_OPTIONS,
    RedisAddress,
    RedisOptions,
    parse_address,
)
from features.store.redis_link import Question, RedisLinks, Reply, pack_words
from features.store.redis_scripts import COPY_KEYS, ERASURE_CHANGES, ShardKeys
from features.store.schema import CURRENT_SCHEMA, StoreSchema, check_schema

_N_SCANNED = 4_096
_COPY_LASTS_S = b"86400"  # A copy whose backup has died ends by itself.
_N_ASKED = 5_000  # Fields of one command; more would hold up other clients.

decode_state = msgspec.msgpack.Decoder(ShardState).decode
_decode_schema = msgspec.msgpack.Decoder(StoreSchema).decode


class RedisFeatureReader:
    """A `FeatureReader` over Redis. Make it with `open_reader`; after any fork.

    One call is one round trip: a command per shard, all in one pipeline (in a cluster,
    one per node, at the same time). Safe to share between threads.
    """

    def __init__(
        self, links: RedisLinks, address: RedisAddress, schema: StoreSchema, generation: int
    ) -> None:
        self._links = links
        self._prefix = address.prefix
        self.schema = schema
        self.generation = generation
        self._erasures: tuple[bytes | None, Erasures] = None, Erasures.empty()
        self._keys = [ShardKeys.of(address.prefix, generation, shard) for shard in range(N_SHARDS)]

    @classmethod
    def open_reader(
        cls,
        url: str,
        options: RedisOptions = READER_OPTIONS,
        schema: StoreSchema = CURRENT_SCHEMA,
        generation: int | None = None,
    ) -> RedisFeatureReader:
        """Return a reader of the store at an address.

        Args:
            url: See `parse_address`.
            options: How long to wait.
            schema: What the store must have been made with.
            generation: None: the one that is in use.

        Raises:
            ConfigError: The address is wrong.
            StoreUnavailableError: There is no store, or no server.
            SchemaMismatchError: It was made with another schema.
        """
        address = parse_address(url)
        links = RedisLinks(address, options)
        try:
            current, stored = read_head(links, address)
            check_schema(_decode_schema(stored), schema, links.shown)
            return cls(links, address, schema, current if generation is None else generation)
        except BaseException:
            links.close()
            raise

    @property
    def shown(self) -> str:
        """The store's address without password."""
        return self._links.shown

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys; see the port."""
        by_shard: dict[int, list[int]] = {}
        for place, key in enumerate(entity_keys):
            by_shard.setdefault(compute_shard(key), []).append(place)
        questions, places = [], []
        for shard, mine in by_shard.items():
            keys = self._keys[shard]
            for start in range(0, len(mine), _N_ASKED):
                part = mine[start : start + _N_ASKED]
                fields = [entity_keys[place] for place in part]
                questions.append(pack_hmget(keys.slot, keys.records, fields))
                places.append(part)
        records: list[bytes | None] = [None] * len(entity_keys)
        for part, found in zip(places, self._ask(questions), strict=True):
            for place, record in zip(part, found, strict=True):
                records[place] = record
        return records

    def read_packed(self, keys: npt.NDArray[np.uint8]) -> PackedRecords:
        """Return the stored records in the order of the keys; see the port."""
        return PackedRecords.from_blobs(self.read_records(split_keys(keys)))

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard's records have come; see the port."""
        return self._read_state(self._keys[shard].records_state)

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come; see the port."""
        return self._read_state(self._keys[shard].seen_state)

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        """Yield all records of a shard in chunks, ascending keys; see the port."""
        keys = self._keys[shard]
        for fields, records in self._scan_hash(keys.slot, keys.records):
            yield join_keys(fields), PackedRecords.from_blobs(records)

    @contextmanager
    def read_shard_snapshot(self, shard: int) -> Iterator[tuple[ShardState, Iterator[RecordChunk]]]:
        """Yield one state of a shard's records, from a copy in Redis; see `SnapshotReader`."""
        keys = self._keys[shard]
        with self._copy_keys(keys, [keys.records_state, keys.records]) as (state, records):
            chunks = (
                (join_keys(fields), PackedRecords.from_blobs(blobs))
                for fields, blobs in self._scan_hash(keys.slot, records)
            )
            yield self._read_state(state), chunks

    @contextmanager
    def read_seen_snapshot(self) -> Iterator[tuple[list[ShardState], Iterator[SeenChunk]]]:
        """Yield the seen ledger's progress and entries; see `SnapshotReader`."""
        # Entries are only added, so those of the states are among what is read later.
        states = [self.read_seen_state(shard) for shard in range(N_SHARDS)]
        yield states, self._scan_seen()

    def _scan_seen(self) -> Iterator[SeenChunk]:
        for keys in self._keys:
            for field in self._links.ask_one(keys.seen_state, b"HKEYS", keys.seen_state):
                if field[:2] == b"g:":
                    name = keys.get_seen(int(field[2:]))
                    for names, values in self._scan_hash(keys.slot, name):
                        event_keys = np.frombuffer(b"".join(names), np.uint64)
                        entries = np.frombuffer(b"".join(values), SEEN_DTYPE)
                        yield int(field[2:]), event_keys, entries

    def _scan_hash(self, slot: int, name: bytes) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield fields, ascending, and values of a hash; what is gone meanwhile is left out."""
        fields = sorted(self._list_fields(name))
        for start in range(0, len(fields), _N_SCANNED):
            part = fields[start : start + _N_SCANNED]
            (found,) = self._ask([pack_hmget(slot, name, part)])
            pairs = [pair for pair in zip(part, found, strict=True) if pair[1] is not None]
            if pairs:
                yield [field for field, _ in pairs], [value for _, value in pairs]

    @contextmanager
    def _copy_keys(self, keys: ShardKeys, names: Sequence[bytes]) -> Iterator[list[bytes]]:
        """Yield the names of copies of some keys of a shard, all of one moment."""
        mark = b":copy:" + uuid4().hex.encode()
        copies = [name + mark for name in names]
        pairs = [name for pair in zip(names, copies, strict=True) for name in pair]
        self._ask([pack_script(COPY_KEYS, keys.slot, pairs, [_COPY_LASTS_S])])
        try:
            yield copies
        finally:
            self._ask([Question.ask(copies[0], b"UNLINK", *copies)])

    def read_erasures(self) -> Erasures:
        """Return everybody registered as erased by now; one small question if nothing is new.

        Raises:
            StoreUnavailableError: The server does not answer.
        """
        key, *words = _about(self._prefix, b"erasures", b"HGET")
        n_changes: bytes | None = self._links.ask_one(key, *words, ERASURE_CHANGES)
        held, erasures = self._erasures
        if n_changes == held:
            return erasures
        flat = self._links.ask_one(*_about(self._prefix, b"erasures", b"HGETALL"))
        stored = dict(zip(flat[::2], flat[1::2], strict=True))
        n_changes = stored.pop(ERASURE_CHANGES, None)
        erasures = Erasures.of({name: int(time_us) for name, time_us in stored.items()})
        self._erasures = n_changes, erasures  # In one step: threads share it.
        return erasures

    def close(self) -> None:
        """Close the connections; later calls fail."""
        self._links.close()

    def _list_fields(self, name: bytes) -> set[bytes]:
        """Return the fields of a hash without stopping the server for it."""
        fields: set[bytes] = set()
        cursor, with_values = b"0", False
        while True:
            words = [b"HSCAN", name, cursor, b"COUNT", str(_N_SCANNED).encode()]
            try:
                cursor, found = self._links.ask_one(
                    name, *words, *([] if with_values else [b"NOVALUES"])
                )
            except StoreUnavailableError as error:
                if with_values or "syntax error" not in str(error):
                    raise
                with_values = True  # Redis before 7.4.
                continue
            fields.update(found[::2] if with_values else found)
            if cursor == b"0":
                return fields

    def _read_state(self, name: bytes) -> ShardState:
        stored: bytes | None = self._links.ask_one(name, b"HGET", name, b"s")
        return ShardState() if stored is None else decode_state(stored)

    def _ask(self, questions: Sequence[Question]) -> list[Reply]:
        return self._links.ask(questions)

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()


def read_head(links: RedisLinks, address: RedisAddress) -> tuple[int, bytes]:
    """Return a store's generation in use and its schema as stored.

    Raises:
        StoreUnavailableError: There is no store.
    """
    key, *words = _about(address.prefix, b"store", b"HMGET")
    current, schema = links.ask_one(key, *words, b"current", b"schema")
    if current is None or schema is None:
        raise StoreUnavailableError(
            "there is no online store here",
            field="store",
            value=links.shown,
            expectation="a store made by `hemostat stream`",
            fix="run `hemostat stream LOG --store URL` first, or correct address and prefix",
        )
    return int(current), schema


def pack_hmget(slot: int, name: bytes, fields: Sequence[bytes]) -> Question:
    """Return the question for some fields of a hash."""
    # Written out: packing is a large part of a small read.
    parts = [b"*%d\r\n$5\r\nHMGET\r\n$%d\r\n%b\r\n" % (2 + len(fields), len(name), name)]
    parts += [b"$%d\r\n%b\r\n" % (len(field), field) for field in fields]
    return Question(slot, b"".join(parts))


def pack_script(
    script: bytes, slot: int, keys: Sequence[bytes], values: Sequence[bytes]
) -> Question:
    """Return the question that runs a script."""
    return Question(slot, pack_words((b"EVAL", script, len(keys), *keys, *values)))


def _about(prefix: str, name: bytes, command: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the key of a hash of the whole store, and the begin of a command about it."""
    key = prefix.encode() + b":" + name
    return key, command, key
