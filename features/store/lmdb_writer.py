"""The one writer of an embedded store: commits of many shards in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import lmdb
import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import StoreReplacedError, StoreUnavailableError
from features.keys import N_SHARDS
from features.store.commit_rules import (
    check_keys,
    check_records,
    check_seen,
    check_version,
    find_live_generation,
)
from features.store.generations import (
    describe_unknown,
    find_generation,
    make_first_generation,
    read_pointer,
)
from features.store.key_codes import split_keys
from features.store.lmdb_environment import (
    DATABASES,
    LmdbOptions,
    explained,
    make_room,
    open_environment,
)
from features.store.lmdb_store import (
    BOOT_KEY,
    RECORDS,
    SCHEMA_KEY,
    SEEN,
    LmdbFeatureReader,
    read_boot_id,
)
from features.store.port import RecordCommit, SeenCommit, ShardProgress, ShardState
from features.store.schema import CURRENT_SCHEMA, StoreSchema
from features.store.seen_table import SeenLedger
from features.store.writer_lock import WriterLock

_MIB = 1 << 20
_FIRST_ROOM = 4 * _MIB
_MIN_GROWTH = 16 * _MIB

_Write = Callable[["lmdb.Transaction[bytes]"], None]


class LmdbFeatureStore(LmdbFeatureReader):
    """A `FeatureStore` on disk: the one writer of a generation. Make it with `open_writer`.

    Not safe to share between threads: the map moves when it grows.
    """

    def __init__(
        self,
        environment: lmdb.Environment,
        path: Path,
        schema: StoreSchema,
        options: LmdbOptions,
        lock: WriterLock,
    ) -> None:
        self._options = options
        self._map_bytes = int(environment.info()["map_size"])
        _create_databases(environment, path, schema)
        super().__init__(environment, path, schema)
        with explained(path):
            self._seen = SeenLedger(path / "seen")
        self._lock = lock
        self._store = path.parent.parent
        self._was_current = read_pointer(self._store) == path.name
        self._seen_applied_us = [self.read_seen_state(n).applied_ingest_us for n in range(N_SHARDS)]
        self._mark_boot()

    @classmethod
    def open_writer(
        cls,
        store: Path | str,
        options: LmdbOptions | None = None,
        schema: StoreSchema = CURRENT_SCHEMA,
        generation: int | None = None,
    ) -> LmdbFeatureStore:
        """Return the writer of a store in a folder, made if absent.

        Args:
            store: The store's folder.
            options: `is_synced` makes commits durable; `is_mapped` is decided here.
            schema: What a new store is made with, and an old one must have been.
            generation: None: the one that is in use, or the first.

        Raises:
            StoreLockedError: Another process writes to it; names that process.
            StoreUnavailableError: It cannot be written, or is damaged.
            SchemaMismatchError: It was made with another schema.
        """
        root = Path(store)
        with explained(root):
            folder = find_generation(root, generation)
            if folder is None:
                if generation is not None:
                    raise describe_unknown(str(root), generation)
                folder = make_first_generation(root)
        options = options or LmdbOptions()
        with ExitStack() as undo:
            lock = WriterLock(folder / "writer.lock")
            undo.callback(lock.release)
            environment, options = _open_for_writing(folder, options)
            undo.callback(environment.close)
            opened = cls(environment, folder, schema, options, lock)
            undo.pop_all()
            return opened

    def read_seen(self, event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.void]:
        """Return what is remembered of each event key; see the port."""
        self._check_open()
        return self._seen.find(event_keys)

    def commit_seen(self, commits: Sequence[SeenCommit]) -> list[int]:
        """Remember event keys and commit the progress of all shards at once; see the port."""
        check_seen(commits)

        def write(transaction: lmdb.Transaction[bytes]) -> None:
            for commit in commits:
                self._check_version(transaction, SEEN, commit.shard, commit.expected_version)
            # Before the progress: entries without progress are harmless, not the reverse.
            for commit in commits:
                self._seen.insert(commit.event_keys, commit.entries, commit.ingest_us)
            if self._options.is_synced:
                self._seen.flush()
            for commit in commits:
                self._put_state(
                    transaction, SEEN, commit.shard, commit.expected_version, commit.progress
                )

        self._commit(write)
        with explained(self._path):
            self._seen.release_emptied()
            for commit in commits:
                self._seen_applied_us[commit.shard] = commit.progress.applied_ingest_us
            self._seen.drop_before(find_live_generation(min(self._seen_applied_us)))
        return [commit.expected_version + 1 for commit in commits]

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        """Write records and progress of all shards in one transaction; see the port."""
        check_records(commits)

        def write(transaction: lmdb.Transaction[bytes]) -> None:
            for commit in commits:
                self._check_version(transaction, RECORDS, commit.shard, commit.expected_version)
            cursor = transaction.cursor(self._records)
            for commit in commits:
                blobs = commit.packed.to_blobs()
                cursor.putmulti(list(zip(split_keys(commit.keys), blobs, strict=True)))
                self._put_state(
                    transaction, RECORDS, commit.shard, commit.expected_version, commit.progress
                )

        self._commit(write)
        return [commit.expected_version + 1 for commit in commits]

    def delete_records(self, shard: int, expected_version: int, keys: npt.NDArray[np.uint8]) -> int:
        """Delete records of a shard and return its new version; see the port."""
        check_keys(shard, keys)

        def write(transaction: lmdb.Transaction[bytes]) -> None:
            state = self._check_version(transaction, RECORDS, shard, expected_version)
            for key in split_keys(keys):
                transaction.delete(key, db=self._records)
            self._put_state(transaction, RECORDS, shard, expected_version, state)

        self._commit(write)
        return expected_version + 1

    def close(self) -> None:
        """Bring everything to the disk, then release the files and the lock."""
        if self._is_open:
            with ExitStack() as last:
                last.callback(self._lock.release)
                last.callback(super().close)
                last.callback(self._seen.close)
                with explained(self._path):
                    self._seen.flush()
                    self._environment.sync(True)
                    if not self._options.is_synced:
                        with self._environment.begin(write=True, db=self._meta) as transaction:
                            transaction.delete(BOOT_KEY)
                        self._environment.sync(True)

    def _mark_boot(self) -> None:
        """Say that what follows would not survive a power cut, until the store is closed."""
        if not self._options.is_synced:
            with (
                explained(self._path),
                self._environment.begin(write=True, db=self._meta) as transaction,
            ):
                transaction.put(BOOT_KEY, read_boot_id())
            self._environment.sync(True)

    def _check_version(
        self, transaction: lmdb.Transaction[bytes], ledger: bytes, shard: int, expected: int
    ) -> ShardState:
        state = self._get_state(transaction, ledger, shard)
        check_version(shard, expected, state.version)
        return state

    def _put_state(
        self,
        transaction: lmdb.Transaction[bytes],
        ledger: bytes,
        shard: int,
        version: int,
        progress: ShardProgress,
    ) -> None:
        state = msgspec.msgpack.encode(ShardState.from_progress(version + 1, progress))
        transaction.put(ledger + bytes([shard]), state, db=self._shards)

    def _commit(self, write: _Write) -> None:
        """Run `write` in one transaction, again in a larger map if it did not fit."""
        self._check_open()
        self._check_current()
        with explained(self._path):
            while not self._try_commit(write):
                pass

    def _try_commit(self, write: _Write) -> bool:
        try:
            with self._environment.begin(write=True) as transaction:
                write(transaction)
        except lmdb.MapFullError:
            if not self._enlarge():
                raise
            return False
        return True

    def _enlarge(self) -> bool:
        """Make the map larger, on the disk first; return False if it may not grow."""
        limit = self._options.map_size_bytes
        if not self._options.is_mapped or self._map_bytes >= limit:
            return False
        n_bytes = min(limit, self._map_bytes + max(_MIN_GROWTH, self._map_bytes // 4))
        make_room(self._path, n_bytes)
        self._environment.set_mapsize(n_bytes)
        self._map_bytes = n_bytes
        return True

    def _check_current(self) -> None:
        """Refuse to go on writing to a generation that another has replaced."""
        if self._was_current and read_pointer(self._store) != self._path.name:
            raise StoreReplacedError(
                "another generation of the store has taken over",
                field="store",
                value=str(self._path),
                fix="start the stream again; it continues from the new generation",
            )


def _open_for_writing(folder: Path, options: LmdbOptions) -> tuple[lmdb.Environment, LmdbOptions]:
    """Return an environment whose map has room behind every page, and its options."""
    if options.is_synced:
        # A synced commit waits for the disk anyway; without the map it needs no room ahead.
        options = replace(options, is_mapped=False)
        return open_environment(folder, options, readonly=False), options
    file = folder / "data.mdb"
    n_there = file.stat().st_size if file.is_file() else 0
    n_bytes = max(n_there, min(_FIRST_ROOM, options.map_size_bytes))
    first = replace(options, is_mapped=True, map_size_bytes=n_bytes)
    environment = open_environment(folder, first, readonly=False)
    try:
        with explained(folder):
            make_room(folder, n_bytes)
    except StoreUnavailableError:
        environment.close()
        raise
    return environment, replace(options, is_mapped=True)


def _create_databases(environment: lmdb.Environment, path: Path, schema: StoreSchema) -> None:
    """Create the databases of a new store and stamp its schema; leave an old one alone."""
    with explained(path), environment.begin(write=True) as transaction:
        opened = {name: environment.open_db(name, txn=transaction) for name in DATABASES}
        transaction.put(
            SCHEMA_KEY, msgspec.msgpack.encode(schema), db=opened[b"meta"], overwrite=False
        )
