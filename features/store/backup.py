"""Backups: one state of a store in a folder of files, from any kind of store into any other.

    BACKUP/manifest.json     schema, progress of all shards, sizes and checksums
    BACKUP/records-SS.bin    chunks of one shard's records
    BACKUP/seen.bin          chunks of seen event keys

Taken while the stream writes: each shard's records are of one moment, and the seen
ledger is never behind them, which is what a stream needs to go on without counting
twice. The manifest is written last: a folder without one is no backup.
"""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import ConfigError, StoreUnavailableError
from features.keys import ENTITY_KEY_SIZE, N_SHARDS
from features.records.packing import PackedRecords
from features.store.lmdb_environment import explained
from features.store.opening import (
    Place,
    StoreOptions,
    begin_generation,
    drop_generation,
    open_store,
    read_generations,
    swap_generation,
)
from features.store.port import (
    SEEN_DTYPE,
    SEEN_GENERATION_US,
    FeatureStore,
    RecordChunk,
    RecordCommit,
    SeenChunk,
    SeenCommit,
    ShardProgress,
    ShardState,
    SnapshotReader,
)
from features.store.schema import CURRENT_SCHEMA, StoreSchema, check_schema

BACKUP_FORMAT = 1
MANIFEST = "manifest.json"

_SEEN_FILE = "seen.bin"
_HEAD = struct.Struct("<qqq")  # Rows, bytes of records, generation of seen keys.

OnShard = Callable[[int, int], None]
"""Told the number of parts done and of all parts."""


class BackupFile(msgspec.Struct, frozen=True):
    """A file of a backup."""

    name: str
    rows: int
    bytes: int
    sha256: str


class BackupManifest(msgspec.Struct, frozen=True):
    """What a backup holds.

    Attributes:
        format_version: `BACKUP_FORMAT`.
        schema: What the store was made with.
        created_us: When it was begun, microseconds UTC.
        seconds: How long it took.
        record_states: Progress of each shard's records.
        seen_states: Progress of each shard of the seen ledger.
        files: All files but this one.
    """

    format_version: int
    schema: StoreSchema
    created_us: int
    seconds: float
    record_states: tuple[ShardState, ...]
    seen_states: tuple[ShardState, ...]
    files: tuple[BackupFile, ...]

    @property
    def applied_ingest_us(self) -> int:
        """The recovery point: all events up to here are in the backup; 0: none is."""
        written = [state.applied_ingest_us for state in self.record_states if state.version]
        return min(written, default=0)


def write_backup(
    reader: SnapshotReader,
    folder: Path,
    *,
    now_us: Callable[[], int],
    on_shard: OnShard = lambda *_: None,
    clock: Callable[[], float] = time.perf_counter,
) -> BackupManifest:
    """Write a backup of a store and return its manifest.

    Args:
        reader: The store; may be written meanwhile.
        folder: Where to; made, must be empty.
        now_us: The wall clock.
        on_shard: See `OnShard`.
        clock: Seconds, monotonic.

    Raises:
        ConfigError: The folder holds something.
        StoreUnavailableError: The store cannot be read, or the folder not be written.
    """
    created_us, started_s = now_us(), clock()
    files: list[BackupFile] = []
    record_states: list[ShardState] = []
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(
                "the folder for the backup holds something",
                field="backup",
                value=str(folder),
                expectation="an empty or new folder",
                fix="choose another folder",
            )
        for shard in range(N_SHARDS):
            with reader.read_shard_snapshot(shard) as (state, chunks):
                files.append(_write_records(folder / f"records-{shard:02d}.bin", chunks))
            record_states.append(state)
            on_shard(shard + 1, N_SHARDS + 1)
        with reader.read_seen_snapshot() as (seen_states, seen):
            files.append(_write_seen(folder / _SEEN_FILE, seen))
        on_shard(N_SHARDS + 1, N_SHARDS + 1)
        manifest = BackupManifest(
            BACKUP_FORMAT,
            CURRENT_SCHEMA,
            created_us,
            clock() - started_s,
            tuple(record_states),
            tuple(seen_states),
            tuple(files),
        )
        text = msgspec.json.format(msgspec.json.encode(manifest))
        (folder / MANIFEST).write_bytes(text)
    return manifest


def read_manifest(folder: Path) -> BackupManifest:
    """Return a backup's manifest.

    Raises:
        ConfigError: It is no backup, or one of another version.
        SchemaMismatchError: The records were made with another schema.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=BackupManifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            "this is no backup of a store",
            field="backup",
            value=f"{folder}: {error}",
            expectation="a folder written by `hemostat store backup`",
            fix="correct the path",
        ) from error
    if manifest.format_version != BACKUP_FORMAT:
        raise ConfigError(
            "the backup was written by another version",
            field="format_version",
            value=str(manifest.format_version),
            expectation=str(BACKUP_FORMAT),
            fix="restore it with the version that wrote it",
        )
    check_schema(manifest.schema, CURRENT_SCHEMA, str(folder))
    return manifest


def check_files(folder: Path, manifest: BackupManifest) -> None:
    """Refuse a backup whose files are not what was written.

    Raises:
        StoreUnavailableError: A file is missing or differs.
    """
    for file in manifest.files:
        with explained(folder), (folder / file.name).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if digest != file.sha256:
            raise StoreUnavailableError(
                "a file of the backup is damaged",
                field=file.name,
                value=f"sha256 {digest}",
                expectation=f"sha256 {file.sha256}",
                fix="take another backup",
            )


def restore_backup(
    folder: Path,
    place: Place,
    options: StoreOptions | None = None,
    *,
    is_replacing: bool = False,
    on_shard: OnShard = lambda *_: None,
) -> BackupManifest:
    """Fill a new generation of a store from a backup, put it in use, return the manifest.

    A crash in between leaves the store as it was. The stream goes on from the backup's
    positions, so the log must reach back to them.

    Args:
        folder: The backup.
        place: The store, made if it is not there.
        options: How it is written.
        is_replacing: Whether there may be a store in use.
        on_shard: See `OnShard`.

    Raises:
        ConfigError: It is no backup, or there is a store already.
        StoreUnavailableError: The backup is damaged, or the store cannot be written.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if read_generations(place).current and not is_replacing:
        raise ConfigError(
            "there is a store already",
            field="--store",
            value=str(place),
            expectation="a place without a store",
            fix="name another place, or add --replace to put the backup in its place",
        )
    number = begin_generation(place)
    try:
        with open_store(place, "write", options, generation=number) as store:
            for shard, state in enumerate(manifest.record_states):
                chunks = _read_records(folder / f"records-{shard:02d}.bin")
                _restore_records(store, shard, state, chunks)
                on_shard(shard + 1, N_SHARDS + 1)
            _restore_seen(store, manifest.seen_states, _read_seen(folder / _SEEN_FILE))
            on_shard(N_SHARDS + 1, N_SHARDS + 1)
    except BaseException:
        drop_generation(place, number)
        raise
    swap_generation(place, number)
    return manifest


def _restore_records(
    store: FeatureStore, shard: int, state: ShardState, chunks: Iterator[RecordChunk]
) -> None:
    version = 0
    for keys, packed in chunks:
        commit = RecordCommit(shard, version, keys, packed, ShardProgress())
        (version,) = store.commit_records([commit])
    nothing = np.zeros((0, ENTITY_KEY_SIZE), np.uint8)
    if state.version:
        last = RecordCommit(shard, version, nothing, PackedRecords.from_blobs([]), state)
        store.commit_records([last])


def _restore_seen(
    store: FeatureStore, states: tuple[ShardState, ...], chunks: Iterator[SeenChunk]
) -> None:
    versions = [0] * N_SHARDS
    for generation, keys, entries in chunks:
        shards = (keys & np.uint64(N_SHARDS - 1)).astype(np.int64)
        commits = []
        for shard in np.unique(shards).tolist():
            places = np.flatnonzero(shards == shard)
            ingest_us = np.full(len(places), generation * SEEN_GENERATION_US)
            commits.append(
                SeenCommit(
                    shard,
                    versions[shard],
                    keys[places],
                    entries[places],
                    ingest_us,
                    ShardProgress(),
                )
            )
        for commit, version in zip(commits, store.commit_seen(commits), strict=True):
            versions[commit.shard] = version
    none, no_times = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    store.commit_seen(
        [
            SeenCommit(shard, versions[shard], none, np.zeros(0, SEEN_DTYPE), no_times, state)
            for shard, state in enumerate(states)
            if state.version
        ]
    )


class _HashedFile:
    """Writes a file and its checksum."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest = file, hashlib.sha256()
        self.n_rows = self.n_bytes = 0

    def write(self, n_rows: int, *parts: bytes | npt.NDArray[np.generic]) -> None:
        """Append the parts of one chunk."""
        for part in parts:
            content = part if isinstance(part, bytes) else part.tobytes()
            self._digest.update(content)
            self.n_bytes += self._file.write(content)
        self.n_rows += n_rows

    def describe(self, name: str) -> BackupFile:
        """Return the file's line of the manifest."""
        return BackupFile(name, self.n_rows, self.n_bytes, self._digest.hexdigest())


def _write_records(path: Path, chunks: Iterator[RecordChunk]) -> BackupFile:
    with path.open("wb") as opened:
        file = _HashedFile(opened)
        for keys, packed in chunks:
            head = _HEAD.pack(len(keys), len(packed.buffer), 0)
            file.write(len(keys), head, keys, packed.ends, packed.buffer)
    return file.describe(path.name)


def _read_records(path: Path) -> Iterator[RecordChunk]:
    with explained(path), path.open("rb") as file:
        while head := file.read(_HEAD.size):
            n_rows, n_bytes, _ = _HEAD.unpack(head)
            keys = np.frombuffer(file.read(n_rows * ENTITY_KEY_SIZE), np.uint8)
            ends = np.frombuffer(file.read(n_rows * 8), np.int64)
            buffer = np.frombuffer(file.read(n_bytes), np.uint8)
            yield keys.reshape(n_rows, ENTITY_KEY_SIZE), PackedRecords(buffer, ends)


def _write_seen(path: Path, chunks: Iterator[SeenChunk]) -> BackupFile:
    with path.open("wb") as opened:
        file = _HashedFile(opened)
        for generation, keys, entries in chunks:
            file.write(len(keys), _HEAD.pack(len(keys), 0, generation), keys, entries)
    return file.describe(path.name)


def _read_seen(path: Path) -> Iterator[SeenChunk]:
    with explained(path), path.open("rb") as file:
        while head := file.read(_HEAD.size):
            n_rows, _, generation = _HEAD.unpack(head)
            keys = np.frombuffer(file.read(n_rows * 8), np.uint64)
            entries = np.frombuffer(file.read(n_rows * SEEN_DTYPE.itemsize), SEEN_DTYPE)
            # A chunk may hold a key twice if it was moved while it was read.
            _, first = np.unique(keys, return_index=True)
            yield generation, keys[first], entries[first]
