"""The embedded online store: one folder, no server, read by scorers while the stream writes.

Layout of `STORE/features` (an LMDB environment; all keys start with the shard's
byte, so a commit touches one sixteenth of each tree):

| database | key | value |
|---|---|---|
| `records` | shard, 16-byte entity key | the encoded record |
| `seen` | shard, event key | ingest_us, content hash (8 bytes each, big-endian) |
| `shards` | shard | `ShardState` as MessagePack |
| `meta` | `schema` | `StoreSchema` as MessagePack |
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Self

import lmdb
import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.keys import N_SHARDS, compute_shard
from features.store.commit_rules import check_owner, check_version, compute_forget_before_us
from features.store.lmdb_environment import DATABASES, LmdbOptions, explained, open_environment
from features.store.port import SeenEvents, ShardProgress, ShardState
from features.store.schema import CURRENT_SCHEMA, StoreSchema, check_schema
from features.store.writer_lock import WriterLock

_SHARD_BYTES = tuple(bytes([shard]) for shard in range(N_SHARDS))
_SEEN_KEY_SIZE = 9
_SEEN_VALUE_SIZE = 16
_SCHEMA_KEY = b"schema"
# Two old ids looked at per new one: the table stays below twice what must be kept.
_FORGET_RATE = 2
_MIN_FORGET_LOOKS = 16

_decode_state = msgspec.msgpack.Decoder(ShardState).decode
_decode_schema = msgspec.msgpack.Decoder(StoreSchema).decode


class LmdbFeatureReader:
    """A `FeatureReader` over a store on disk; works while a stream writes to it.

    Make it with `open_reader`, after any fork. One per process: LMDB refuses to
    open the same files twice in one process.
    """

    def __init__(self, environment: lmdb.Environment, path: Path, schema: StoreSchema) -> None:
        self._environment = environment
        self._path = path
        self._is_open = True
        with explained(path):
            try:
                opened = [environment.open_db(name, create=False) for name in DATABASES]
            except lmdb.NotFoundError as error:
                raise _describe_missing(path) from error
            self._records, self._seen, self._shards, self._meta = opened
            with environment.begin() as transaction:
                stored = transaction.get(_SCHEMA_KEY, db=self._meta)
        if stored is None:
            raise _describe_missing(path)
        check_schema(_decode_schema(stored), schema, str(path.parent))

    @classmethod
    def open_reader(
        cls,
        path: Path | str,
        options: LmdbOptions | None = None,
        schema: StoreSchema = CURRENT_SCHEMA,
    ) -> LmdbFeatureReader:
        """Return a reader of the store in folder `path`.

        Raises:
            StoreUnavailableError: There is no store, or it cannot be read.
            SchemaMismatchError: It was made with another schema.
        """
        folder = Path(path) / "features"
        if not (folder / "data.mdb").is_file():
            raise _describe_missing(folder)
        environment = open_environment(folder, options or LmdbOptions(), readonly=True)
        try:
            return LmdbFeatureReader(environment, folder, schema)
        except BaseException:
            environment.close()
            raise

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys, None where there is none."""
        self._check_open()
        with explained(self._path), self._begin(self._records) as transaction:
            get = transaction.get
            return [get(_SHARD_BYTES[compute_shard(key)] + key) for key in entity_keys]

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard has come; version 0 if nothing was committed."""
        self._check_open()
        with explained(self._path), self._begin(self._shards) as transaction:
            return self._get_state(transaction, shard)

    def close(self) -> None:
        """Release the files; later calls do nothing."""
        if self._is_open:
            self._is_open = False
            self._environment.close()

    def _begin(self, database: lmdb._Database) -> lmdb.Transaction[bytes]:
        try:
            return self._environment.begin(db=database)
        except lmdb.MapResizedError:  # A later writer has chosen a larger map.
            self._environment.set_mapsize(0)
            return self._environment.begin(db=database)

    def _get_state(self, transaction: lmdb.Transaction[bytes], shard: int) -> ShardState:
        stored = transaction.get(_SHARD_BYTES[shard], db=self._shards)
        return ShardState() if stored is None else _decode_state(stored)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError(
                "the store is closed", field="store", value=str(self._path), fix="open it again"
            )

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the store."""
        self.close()


class LmdbFeatureStore(LmdbFeatureReader):
    """A `FeatureStore` on disk: the one writer of a store. Make it with `open_writer`."""

    def __init__(
        self,
        environment: lmdb.Environment,
        path: Path,
        schema: StoreSchema,
        lock: WriterLock,
    ) -> None:
        _create_databases(environment, path, schema)
        super().__init__(environment, path, schema)
        self._lock = lock
        # Where the search for ids to forget goes on, per shard.
        self._forget_from: dict[int, bytes] = {}

    @classmethod
    def open_writer(
        cls,
        path: Path | str,
        options: LmdbOptions | None = None,
        schema: StoreSchema = CURRENT_SCHEMA,
    ) -> LmdbFeatureStore:
        """Return the writer of the store in folder `path`, made if absent.

        Raises:
            StoreLockedError: Another process writes to it; names that process.
            StoreUnavailableError: It cannot be written, or is damaged.
            SchemaMismatchError: It was made with another schema.
        """
        folder = Path(path) / "features"
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder / "writer.lock")
        environment = None
        try:
            environment = open_environment(folder, options or LmdbOptions(), readonly=False)
            return cls(environment, folder, schema, lock)
        except BaseException:
            if environment is not None:
                environment.close()
            lock.release()
            raise

    def read_seen(self, shard: int, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return the content hash under which each event was seen, 0 where it was not."""
        self._check_open()
        hashes = np.zeros(len(event_keys), np.uint64)
        keys = _encode_seen_keys(shard, event_keys)
        with explained(self._path), self._begin(self._seen) as transaction:
            found = dict(transaction.cursor().getmulti(keys))
        if found:
            for place, key in enumerate(keys):
                value = found.get(key)
                if value is not None:
                    hashes[place] = int.from_bytes(value[8:], "big")
        return hashes

    def commit(
        self,
        shard: int,
        expected_version: int,
        records: Sequence[tuple[bytes, bytes]],
        seen: SeenEvents,
        progress: ShardProgress,
    ) -> int:
        """Write a batch of one shard in one transaction and return the new version."""
        self._check_open()
        check_owner(shard, records)
        prefix = _SHARD_BYTES[shard]
        state = ShardState.from_progress(expected_version + 1, progress)
        with explained(self._path), self._environment.begin(write=True) as transaction:
            check_version(shard, expected_version, self._get_state(transaction, shard).version)
            transaction.cursor(self._records).putmulti(
                [(prefix + key, record) for key, record in records]
            )
            transaction.cursor(self._seen).putmulti(_encode_seen(shard, seen))
            transaction.put(prefix, msgspec.msgpack.encode(state), db=self._shards)
            forget_from = self._forget_seen(transaction, shard, len(seen), progress)
        self._forget_from[shard] = forget_from
        return state.version

    def close(self) -> None:
        """Bring everything to the disk, then release the files and the lock."""
        if self._is_open:
            with explained(self._path):
                self._environment.sync(True)
            super().close()
            self._lock.release()

    def _forget_seen(
        self,
        transaction: lmdb.Transaction[bytes],
        shard: int,
        n_new: int,
        progress: ShardProgress,
    ) -> bytes:
        """Delete expired ids among the next few; return the key to go on from."""
        start = self._forget_from.get(shard, _SHARD_BYTES[shard])
        forget_before_us = compute_forget_before_us(progress)
        cursor = transaction.cursor(self._seen)
        if forget_before_us <= 0 or not cursor.set_range(start):
            return _SHARD_BYTES[shard]
        n_looks = _FORGET_RATE * n_new + _MIN_FORGET_LOOKS
        looks = list(islice(cursor.iternext(), n_looks))
        is_at_end = len(looks) < n_looks or looks[-1][0][0] != shard
        if is_at_end:
            looks = [look for look in looks if look[0][0] == shard]
        # A value begins with its ingest time, so values compare as times do.
        forget_before = forget_before_us.to_bytes(8, "big")
        for key in [key for key, value in looks if value < forget_before]:
            transaction.delete(key, db=self._seen)
        # At the shard's end the search begins anew.
        return _SHARD_BYTES[shard] if is_at_end else looks[-1][0]


def _create_databases(environment: lmdb.Environment, path: Path, schema: StoreSchema) -> None:
    """Create the databases of a new store and stamp its schema; leave an old one alone."""
    with explained(path), environment.begin(write=True) as transaction:
        opened = {name: environment.open_db(name, txn=transaction) for name in DATABASES}
        transaction.put(
            _SCHEMA_KEY, msgspec.msgpack.encode(schema), db=opened[b"meta"], overwrite=False
        )


def _encode_seen_keys(shard: int, event_keys: npt.NDArray[np.uint64]) -> list[bytes]:
    keys = np.empty((len(event_keys), _SEEN_KEY_SIZE), np.uint8)
    keys[:, 0] = shard
    keys[:, 1:] = event_keys.astype(">u8").view(np.uint8).reshape(-1, 8)
    return _split(keys.tobytes(), _SEEN_KEY_SIZE)


def _encode_seen(shard: int, seen: SeenEvents) -> list[tuple[bytes, bytes]]:
    order = np.argsort(seen.event_keys)
    values = np.empty((len(seen), 2), ">u8")
    values[:, 0] = seen.ingest_us[order]
    values[:, 1] = seen.content_hashes[order]
    keys = _encode_seen_keys(shard, seen.event_keys[order])
    return list(zip(keys, _split(values.tobytes(), _SEEN_VALUE_SIZE), strict=True))


def _split(joined: bytes, size: int) -> list[bytes]:
    return [joined[start : start + size] for start in range(0, len(joined), size)]


def _describe_missing(folder: Path) -> StoreUnavailableError:
    return StoreUnavailableError(
        "there is no online store here",
        field="store",
        value=str(folder.parent),
        expectation="a folder made by `hemostat stream`",
        fix="run `hemostat stream LOG --store PATH` first, or correct the path",
    )
