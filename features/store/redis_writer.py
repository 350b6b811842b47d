"""The writer of a Redis store: one atomic script per shard, all shards in one round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from uuid import uuid4

import msgspec
import numpy as np
import numpy.typing as npt
from redis.crc import key_slot

from features.erasures import compute_tombstone
from features.errors import ConfigError, StoreReplacedError
from features.keys import N_SHARDS
from features.store.commit_rules import (
    check_keys,
    check_records,
    check_seen,
    check_version,
    find_live_generation,
)
from features.store.key_codes import split_keys
from features.store.port import (
    SEEN_DTYPE,
    SEEN_GENERATION_US,
    RecordCommit,
    SeenCommit,
    ShardProgress,
    ShardState,
)
from features.store.redis_address import RedisAddress, RedisOptions, parse_address
from features.store.redis_link import Question, RedisLinks, Reply
from features.store.redis_scripts import (
    ADD_ERASURE,
    COMMIT_RECORDS,
    COMMIT_SEEN,
    DELETE_RECORDS,
    ShardKeys,
)
from features.store.redis_store import RedisFeatureReader, pack_hmget, pack_script
from features.store.schema import CURRENT_SCHEMA, StoreSchema, check_schema

_NOTHING_SEEN = bytes(SEEN_DTYPE.itemsize)
_SEEN_VALUE = np.dtype(f"V{SEEN_DTYPE.itemsize}")
_EVENT_KEY = np.dtype("V8")

_AnyCommit = TypeVar("_AnyCommit", SeenCommit, RecordCommit)


class RedisFeatureStore(RedisFeatureReader):
    """A `FeatureStore` in Redis or a Redis Cluster. Make it with `open_writer`.

    Several processes may write, each to its own shards; a second owner of a shard is
    found out by its version. A commit whose answer is lost is sent again: the shard
    keeps the id of its last commit, so it is known if that was this one.
    """

    def __init__(
        self, links: RedisLinks, address: RedisAddress, schema: StoreSchema, generation: int
    ) -> None:
        super().__init__(links, address, schema, generation)
        self._head = f"{address.prefix}:store".encode()
        self._ask_current = Question.ask(self._head, b"HGET", self._head, b"current")
        self._was_current = self._links.ask([self._ask_current])[0] == _number(generation)
        # Per shard: generations of ingest time that have a hash; None: not known.
        self._seen_generations: list[set[int] | None] = [None] * N_SHARDS

    @classmethod
    def open_writer(
        cls,
        url: str,
        options: RedisOptions | None = None,
        schema: StoreSchema = CURRENT_SCHEMA,
        generation: int | None = None,
    ) -> RedisFeatureStore:
        """Return a writer of the store at an address, made if absent.

        Args:
            url: See `parse_address`.
            options: How long to wait.
            schema: What a new store is made with, and an old one must have been.
            generation: None: the one that is in use, or the first.

        Raises:
            ConfigError: The address is wrong, or the server would throw records away.
            StoreUnavailableError: No server, or it takes no writes.
            SchemaMismatchError: The store was made with another schema.
        """
        address = parse_address(url)
        links = RedisLinks(address, options or RedisOptions())
        try:
            check_memory_policy(links)
            head = f"{address.prefix}:store".encode()
            links.ask(
                [
                    Question.ask(head, b"HSETNX", head, b"schema", msgspec.msgpack.encode(schema)),
                    Question.ask(head, b"HSETNX", head, b"current", b"1"),
                ]
            )
            current, stored = links.ask_one(head, b"HMGET", head, b"current", b"schema")
            check_schema(msgspec.msgpack.decode(stored, type=StoreSchema), schema, links.shown)
            # Only that in use: a generation that was dropped is not to come back.
            links.ask_one(head, b"HSETNX", head, b"g:" + current, b"1")
            return cls(links, address, schema, int(current) if generation is None else generation)
        except BaseException:
            links.close()
            raise

    def read_seen(self, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
        """Return what is remembered of each event key; see the port."""
        entries = np.zeros(len(event_keys), SEEN_DTYPE)
        shards = (event_keys & np.uint64(N_SHARDS - 1)).astype(np.int64)
        asked: list[npt.NDArray[np.int64]] = []
        questions: list[Question] = []
        live = self._get_seen_generations(np.unique(shards).tolist())
        for shard, generations in live.items():
            places = np.flatnonzero(shards == shard)
            fields = np.ascontiguousarray(event_keys[places]).view(_EVENT_KEY).tolist()
            for generation in generations:
                keys = self._keys[shard]
                questions.append(pack_hmget(keys.slot, keys.get_seen(generation), fields))
                asked.append(places)
        for places, values in zip(asked, self._links.ask(questions), strict=True):
            found = np.frombuffer(b"".join([v or _NOTHING_SEEN for v in values]), SEEN_DTYPE)
            is_seen = found["content_hash"] != 0
            entries[places[is_seen]] = found[is_seen]
        return entries

    def commit_seen(self, commits: Sequence[SeenCommit]) -> list[int]:
        """Remember event keys, one script per shard; see the port."""
        check_seen(commits)
        live = self._get_seen_generations([commit.shard for commit in commits])
        after: dict[int, set[int]] = {}

        def pack(commit: SeenCommit, commit_id: bytes) -> Question:
            keys = self._keys[commit.shard]
            question, after[commit.shard] = _pack_seen(keys, commit, live[commit.shard], commit_id)
            return question

        versions = self._commit(commits, pack)
        for shard, generations in after.items():
            self._seen_generations[shard] = generations
        return versions

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        """Write records, one script per shard; see the port."""
        check_records(commits)

        def pack(commit: RecordCommit, commit_id: bytes) -> Question:
            keys = self._keys[commit.shard]
            values: list[bytes] = [b""] * (2 * len(commit.keys))
            values[::2], values[1::2] = split_keys(commit.keys), commit.packed.to_blobs()
            version = commit.expected_version
            return pack_script(
                COMMIT_RECORDS,
                keys.slot,
                [keys.records_state, keys.records],
                [*_encode_head(version, commit.progress, commit_id), *values],
            )

        return self._commit(commits, pack)

    def delete_records(self, shard: int, expected_version: int, keys: npt.NDArray[np.uint8]) -> int:
        """Delete records of a shard and return its new version; see the port."""
        check_keys(shard, keys)
        state = self.read_shard_state(shard)
        check_version(shard, expected_version, state.version)
        names = self._keys[shard]
        commit_id = uuid4().bytes
        head = _encode_head(expected_version, state, commit_id)
        question = pack_script(
            DELETE_RECORDS,
            names.slot,
            [names.records_state, names.records],
            [*head, *split_keys(keys)],
        )
        replies = self._links.ask([question, self._ask_current])
        return self._settle([(shard, expected_version)], replies, commit_id)[0]

    def add_erasure(self, customer_key: bytes, erased_us: int) -> None:
        """Register an erased customer by their tombstone; the latest time holds.

        Raises:
            StoreUnavailableError: The server cannot be written.
        """
        name = f"{self._prefix}:erasures".encode()
        values = [compute_tombstone(customer_key), _number(erased_us)]
        self._links.ask([pack_script(ADD_ERASURE, key_slot(name), [name], values)])

    def _commit(
        self, commits: Sequence[_AnyCommit], pack: Callable[[_AnyCommit, bytes], Question]
    ) -> list[int]:
        commit_id = uuid4().bytes
        questions: list[Question] = [pack(commit, commit_id) for commit in commits]
        replies: list[Reply] = self._links.ask([*questions, self._ask_current])
        wanted = [(commit.shard, commit.expected_version) for commit in commits]
        return self._settle(wanted, replies, commit_id)

    def _settle(
        self, wanted: Iterable[tuple[int, int]], replies: Sequence[Reply], commit_id: bytes
    ) -> list[int]:
        """Return the new versions, or raise for the first shard that was refused."""
        *answers, current = replies
        # First: a generation that was dropped has lost its versions, too.
        if self._was_current and current != _number(self.generation):
            raise StoreReplacedError(
                "another generation of the store has taken over",
                field="store",
                value=f"{self.shown}, generation {self.generation}",
                fix="start the stream again; it continues from the new generation",
            )
        versions = []
        for (shard, expected), answer in zip(wanted, answers, strict=True):
            if answer != 1 and answer[1] != commit_id:
                self._seen_generations = [None] * N_SHARDS
                check_version(shard, expected, int(answer[0]))
            versions.append(expected + 1)
        return versions

    def _get_seen_generations(self, shards: Sequence[int]) -> dict[int, set[int]]:
        unknown = [shard for shard in shards if self._seen_generations[shard] is None]
        names = [self._keys[shard].seen_state for shard in unknown]
        replies = self._links.ask([Question.ask(name, b"HKEYS", name) for name in names])
        for shard, fields in zip(unknown, replies, strict=True):
            self._seen_generations[shard] = {
                int(field[2:]) for field in fields if field.startswith(b"g:")
            }
        return {shard: self._seen_generations[shard] or set() for shard in shards}


def check_memory_policy(links: RedisLinks) -> None:
    """Refuse servers that throw records away when their memory is full.

    Raises:
        ConfigError: `maxmemory-policy` is not `noeviction`.
    """
    for answer in links.ask_all_nodes(b"INFO", b"memory"):
        lines = dict(line.partition(":")[::2] for line in answer.decode().splitlines())
        policy = lines.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise ConfigError(
                "Redis would throw records away when its memory is full",
                field="maxmemory-policy",
                value=f"{policy} at {links.shown}",
                expectation="noeviction",
                fix="CONFIG SET maxmemory-policy noeviction, and in redis.conf",
            )


def _pack_seen(
    keys: ShardKeys, commit: SeenCommit, live: set[int], commit_id: bytes
) -> tuple[Question, set[int]]:
    """Return the script of a seen commit, and the generations that it leaves."""
    generations = commit.ingest_us // SEEN_GENERATION_US
    written = np.unique(generations).tolist()
    oldest = find_live_generation(commit.progress.applied_ingest_us)
    after = {number for number in (*live, *written) if number >= oldest}
    dropped = sorted({*live, *written} - after)
    counts: list[bytes] = []
    values: list[bytes] = []
    for generation in written:
        mine = generations == generation
        pairs: list[bytes] = [b""] * (2 * int(mine.sum()))
        pairs[::2] = np.ascontiguousarray(commit.event_keys[mine]).view(_EVENT_KEY).tolist()
        pairs[1::2] = np.ascontiguousarray(commit.entries[mine]).view(_SEEN_VALUE).tolist()
        counts += [_number(generation), _number(len(pairs))]
        values += pairs
    head = _encode_head(commit.expected_version, commit.progress, commit_id)
    question = pack_script(
        COMMIT_SEEN,
        keys.slot,
        [keys.seen_state, *[keys.get_seen(number) for number in (*written, *dropped)]],
        [
            *head,
            _number(len(written)),
            _number(len(dropped)),
            *counts,
            *[_number(number) for number in dropped],
            *values,
        ],
    )
    return question, after


def _encode_head(
    version: int, progress: ShardProgress, commit_id: bytes
) -> tuple[bytes, bytes, bytes, bytes]:
    state = msgspec.msgpack.encode(ShardState.from_progress(version + 1, progress))
    return _number(version), _number(version + 1), state, commit_id


def _number(number: int) -> bytes:
    return str(number).encode()
