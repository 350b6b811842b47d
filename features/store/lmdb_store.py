"""The embedded online store: one folder, no server, read by scorers while the stream writes.

Layout of one generation (`STORE/generations/NNNN`, see `features.store.generations`):

| file | what it holds |
|---|---|
| `data.mdb`, `lock.mdb` | an LMDB environment with the databases below: what counts |
| `records.heap`, `records.index` | the packed records, see `features.store.record_table` |
| `seen/GENERATION.seen` | event keys of 30 days of ingest time, see `features.store.seen_table` |
| `writer.lock` | the process that writes |

| database | key | value |
|---|---|---|
| `shards` | `r` or `s` (records, seen), shard | `ShardState` as MessagePack |
| `meta` | `schema` | `StoreSchema` as MessagePack |
| `meta` | `heap` | number of segments of the records' heap |
| `meta` | `boot` | boot id of the machine while an unsynced writer is at work |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import lmdb
import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import StoreUnavailableError
from features.keys import N_SHARDS
from features.records.packing import PackedRecords
from features.store.generations import find_generation
from features.store.key_codes import join_keys
from features.store.lmdb_environment import DATABASES, LmdbOptions, explained, open_environment
from features.store.port import RecordChunk, SeenChunk, ShardState
from features.store.record_table import RecordTable
from features.store.schema import CURRENT_SCHEMA, StoreSchema, check_schema
from features.store.seen_table import scan_ledger

RECORDS, SEEN = b"r", b"s"
"""Which ledger a state in `shards` belongs to."""

SCHEMA_KEY, BOOT_KEY, HEAP_KEY = b"schema", b"boot", b"heap"

_N_SCANNED = 4_096
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_decode_state = msgspec.msgpack.Decoder(ShardState).decode
_decode_schema = msgspec.msgpack.Decoder(StoreSchema).decode


def read_boot_id() -> bytes:
    """Return what differs each time the machine has booted."""
    return _BOOT_ID.read_bytes().strip()


class LmdbFeatureReader:
    """A `FeatureReader` over a store on disk; works while a stream writes to it.

    Make it with `open_reader`, after any fork. One per process and generation: LMDB
    refuses to open the same files twice in one process.
    """

    def __init__(self, environment: lmdb.Environment, path: Path, schema: StoreSchema) -> None:
        self._environment = environment
        self._path = path
        self._is_open = True
        with explained(path):
            try:
                opened = [environment.open_db(name, create=False) for name in DATABASES]
            except lmdb.NotFoundError as error:
                raise describe_missing(path) from error
            self._shards, self._meta = opened
            with environment.begin(db=self._meta) as transaction:
                stored, boot_id = transaction.get(SCHEMA_KEY), transaction.get(BOOT_KEY)
                heap = transaction.get(HEAP_KEY, b"")
        if stored is None:
            raise describe_missing(path)
        self.schema = _decode_schema(stored)
        check_schema(self.schema, schema, str(path))
        if boot_id is not None and boot_id != read_boot_id():
            raise StoreUnavailableError(
                "the machine went down while a stream wrote without --durable",
                field="store",
                value=str(path),
                expectation="a store that was closed, or one of the machine's present run",
                fix="restore a backup, or rebuild: `hemostat store rebuild LOG --store PATH`",
            )
        self._table = self._open_table(int.from_bytes(heap, "little"))

    def _open_table(self, n_segments: int) -> RecordTable:
        with explained(self._path):
            return RecordTable(self._path, n_segments)

    @classmethod
    def open_reader(
        cls,
        store: Path | str,
        options: LmdbOptions | None = None,
        schema: StoreSchema = CURRENT_SCHEMA,
        generation: int | None = None,
    ) -> LmdbFeatureReader:
        """Return a reader of the store in a folder.

        Args:
            store: The store's folder.
            options: See there.
            schema: What the store must have been made with.
            generation: None: the one that is in use.

        Raises:
            StoreUnavailableError: There is no store, or it cannot be read.
            SchemaMismatchError: It was made with another schema.
        """
        folder = find_generation(Path(store), generation)
        if folder is None or not (folder / "data.mdb").is_file():
            raise describe_missing(Path(store))
        environment = open_environment(folder, options or LmdbOptions(), readonly=True)
        try:
            return LmdbFeatureReader(environment, folder, schema)
        except BaseException:
            environment.close()
            raise

    @property
    def path(self) -> Path:
        """The folder of the generation that is open."""
        return self._path

    def read_records(self, entity_keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the stored records in the order of the keys; see the port."""
        return [blob or None for blob in self.read_packed(join_keys(entity_keys)).to_blobs()]

    def read_packed(self, keys: npt.NDArray[np.uint8]) -> PackedRecords:
        """Return the stored records in the order of the keys; see the port."""
        self._check_open()
        with explained(self._path), self._begin(self._shards) as transaction:
            return self._table.read(keys, transaction.id())

    def read_shard_state(self, shard: int) -> ShardState:
        """Return how far a shard's records have come; see the port."""
        return self._read_state(RECORDS, shard)

    def read_seen_state(self, shard: int) -> ShardState:
        """Return how far a shard of the seen ledger has come; see the port."""
        return self._read_state(SEEN, shard)

    def scan(self, shard: int) -> Iterator[RecordChunk]:
        """Yield all records of a shard in chunks, ascending keys; see the port."""
        self._check_open()
        with explained(self._path), self._begin(self._shards) as transaction:
            keys = self._table.list_keys(shard, transaction.id())
        for start in range(0, len(keys), _N_SCANNED):
            chunk = keys[start : start + _N_SCANNED]
            packed = self.read_packed(chunk)
            places = np.flatnonzero(packed.sizes)
            if len(places) < len(chunk):  # Some were deleted meanwhile.
                chunk, packed = chunk[places], packed.take(places)
            if len(chunk):
                yield chunk, packed

    def count_bytes(self) -> int:
        """Return the bytes of the files of the records, free room and all."""
        self._check_open()
        with explained(self._path):
            return self._table.count_bytes()

    @contextmanager
    def read_shard_snapshot(self, shard: int) -> Iterator[tuple[ShardState, Iterator[RecordChunk]]]:
        """Yield one state of a shard's records; see `SnapshotReader`."""
        self._check_open()
        with explained(self._path), self._begin(self._shards) as transaction:
            state = self._get_state(transaction, RECORDS, shard)
            yield state, self._table.scan(shard, transaction.id())

    @contextmanager
    def read_seen_snapshot(self) -> Iterator[tuple[list[ShardState], Iterator[SeenChunk]]]:
        """Yield the seen ledger's progress and entries; see `SnapshotReader`."""
        states = [self.read_seen_state(shard) for shard in range(N_SHARDS)]
        with explained(self._path):
            yield states, scan_ledger(self._path / "seen")

    def close(self) -> None:
        """Release the files; later calls do nothing."""
        if self._is_open:
            self._is_open = False
            self._table.close()
            self._environment.close()

    def _read_state(self, ledger: bytes, shard: int) -> ShardState:
        self._check_open()
        with explained(self._path), self._begin(self._shards) as transaction:
            return self._get_state(transaction, ledger, shard)

    def _begin(self, database: lmdb._Database) -> lmdb.Transaction[bytes]:
        try:
            return self._environment.begin(db=database)
        except lmdb.MapResizedError:  # The writer was allowed a larger map than this reader.
            self._environment.set_mapsize(0)
            return self._environment.begin(db=database)

    def _get_state(
        self, transaction: lmdb.Transaction[bytes], ledger: bytes, shard: int
    ) -> ShardState:
        stored = transaction.get(ledger + bytes([shard]), db=self._shards)
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


def describe_missing(store: Path) -> StoreUnavailableError:
    """Return the error that says that there is no store here, and how to make one."""
    return StoreUnavailableError(
        "there is no online store here",
        field="store",
        value=str(store),
        expectation="a folder made by `hemostat stream`",
        fix="run `hemostat stream LOG --store PATH` first, or correct the path",
    )
