"""The one writer of an embedded store: commits of many shards in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import lmdb
import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import StoreReplacedError
from features.keys import N_SHARDS
from features.records.packing import PackedRecords
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
from features.store.lmdb_environment import (
    DATABASES,
    LmdbOptions,
    explained,
    find_oldest_reader,
    open_environment,
)
from features.store.lmdb_store import (
    BOOT_KEY,
    HEAP_KEY,
    RECORDS,
    SCHEMA_KEY,
    SEEN,
    LmdbFeatureReader,
    read_boot_id,
)
from features.store.port import RecordCommit, SeenCommit, ShardProgress, ShardState
from features.store.record_table import HEAP_NAME, RecordTable, describe_damage
from features.store.record_writer import RecordTableWriter
from features.store.schema import CURRENT_SCHEMA, StoreSchema
from features.store.seen_table import SeenLedger
from features.store.writer_lock import WriterLock

_ENVIRONMENT_BYTES = 1 << 28
_LONG_READ = 64  # Commits.


class LmdbFeatureStore(LmdbFeatureReader):
    """A `FeatureStore` on disk: the one writer of a generation. Make it with `open_writer`.

    Not safe to share between threads: the records' map moves when it grows.
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
        # First of all: the number of the commit that a killed writer did not finish is given
        # out again, and what it wrote would count.
        self._records = _open_records(environment, path, options)
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
            options: `is_synced` makes commits durable.
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
            # Of what LMDB itself keeps there is little: the option bounds the records.
            small = replace(options, map_size_bytes=_ENVIRONMENT_BYTES)
            environment = open_environment(folder, small, readonly=False)
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
        with self._writing() as transaction:
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
        with explained(self._path):
            self._seen.release_emptied()
            for commit in commits:
                self._seen_applied_us[commit.shard] = commit.progress.applied_ingest_us
            self._seen.drop_before(find_live_generation(min(self._seen_applied_us)))
        return [commit.expected_version + 1 for commit in commits]

    def commit_records(self, commits: Sequence[RecordCommit]) -> list[int]:
        """Write records and progress of all shards in one transaction; see the port."""
        check_records(commits)
        with self._writing() as transaction:
            for commit in commits:
                self._check_version(transaction, RECORDS, commit.shard, commit.expected_version)
            self._write_records(transaction, [(commit.keys, commit.packed) for commit in commits])
            for commit in commits:
                self._put_state(
                    transaction, RECORDS, commit.shard, commit.expected_version, commit.progress
                )
        return [commit.expected_version + 1 for commit in commits]

    def delete_records(self, shard: int, expected_version: int, keys: npt.NDArray[np.uint8]) -> int:
        """Delete records of a shard and return its new version; see the port."""
        check_keys(shard, keys)
        keys = np.unique(keys, axis=0)
        nothing = PackedRecords(np.zeros(0, np.uint8), np.zeros(len(keys), np.int64))
        with self._writing() as transaction:
            state = self._check_version(transaction, RECORDS, shard, expected_version)
            self._write_records(transaction, [(keys, nothing)])
            self._put_state(transaction, RECORDS, shard, expected_version, state)
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
                    self._records.flush()
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

    @contextmanager
    def _writing(self) -> Iterator[lmdb.Transaction[bytes]]:
        """Yield a transaction; what was written to the records counts with it, or is taken back."""
        self._check_open()
        self._check_current()
        with explained(self._path):
            try:
                with self._environment.begin(write=True) as transaction:
                    yield transaction
            except BaseException:
                if not self._records.is_settled:
                    self._records.settle(_get_last_commit(self._environment))
                raise
        self._records.finish()

    def _write_records(
        self,
        transaction: lmdb.Transaction[bytes],
        written: Sequence[tuple[npt.NDArray[np.uint8], PackedRecords]],
    ) -> None:
        commit = transaction.id()
        oldest = find_oldest_reader(self._environment)
        if oldest < commit - _LONG_READ:
            self._environment.reader_check()  # A killed reader holds its state for ever.
        for keys, packed in written:
            self._records.append(commit, keys, packed, oldest)
        self._records.publish(commit, oldest)
        n_segments = self._records.n_segments.to_bytes(8, "little")
        transaction.put(HEAP_KEY, n_segments, db=self._meta)

    def _open_table(self, n_segments: int) -> RecordTable:
        if self._records.n_segments < n_segments:
            raise describe_damage(self._path / HEAP_NAME)
        return self._records

    def _check_current(self) -> None:
        """Refuse to go on writing to a generation that another has replaced."""
        if self._was_current and read_pointer(self._store) != self._path.name:
            raise StoreReplacedError(
                "another generation of the store has taken over",
                field="store",
                value=str(self._path),
                fix="start the stream again; it continues from the new generation",
            )


def _open_records(
    environment: lmdb.Environment, path: Path, options: LmdbOptions
) -> RecordTableWriter:
    with explained(path):
        return RecordTableWriter(
            path,
            _get_last_commit(environment),
            options.map_size_bytes,
            is_synced=options.is_synced,
        )


def _get_last_commit(environment: lmdb.Environment) -> int:
    return int(environment.info()["last_txnid"])


def _create_databases(environment: lmdb.Environment, path: Path, schema: StoreSchema) -> None:
    """Create the databases of a new store and stamp its schema; leave an old one alone."""
    with explained(path), environment.begin(write=True) as transaction:
        opened = {name: environment.open_db(name, txn=transaction) for name in DATABASES}
        transaction.put(
            SCHEMA_KEY, msgspec.msgpack.encode(schema), db=opened[b"meta"], overwrite=False
        )
