"""Small values that all scorers of one machine write: visible at once, durable soon.

Two LMDB environments stand in one folder:

- `recent` is written inside a call and never waits for the disk. What was put is
  seen by every scorer at once and survives a killed process; a power cut may
  damage the whole file, so one from before the last boot is thrown away.
- `durable` syncs each commit. A thread moves what is in `recent` there, everything
  that has gathered at once; `sync` returns when that is done. Power may then fail.

So a call never waits for the disk, and whoever needs durability waits for at most
the sync in progress and the next one. Values are written once and never changed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import lmdb

from features.errors import StoreUnavailableError
from features.store.lmdb_environment import LmdbOptions, explained, open_environment

ENVIRONMENTS = ("recent", "durable")
"""Folders of the two environments."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A call has been answered by then, so that moving its decision does not slow it down.
_MOVE_DELAY_S = 0.05
_KEY_FILE = "subject.key"
_SECRET_SIZE = 32
_MOVE_AT_MOST = 512  # A call waits while as many are deleted from `recent`.


class ServingStore:
    """Write-once values by key. Make it with `open`, after any fork; one per process.

    Methods for calls take microseconds and may be used on the event loop; `find_keys`,
    `delete_prefixes` and `move` may take seconds. Not safe to share between threads.

    Attributes:
        secret: 32 random bytes of this folder, the same for all who open it.

    Raises:
        StoreUnavailableError: From any call: disk full, file damaged, closed.
    """

    def __init__(
        self,
        folder: Path,
        recent: lmdb.Environment,
        durable: lmdb.Environment,
        on_fault: Callable[[Exception], None],
        secret: bytes,
    ) -> None:
        self.secret = secret
        self._folder = folder
        self._recent = recent
        self._durable = durable
        self._on_fault = on_fault
        self._mover = ThreadPoolExecutor(1, "decisions")
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_open = True

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        read_boot_id: Callable[[], str] = lambda: _BOOT_ID.read_text().strip(),
        on_fault: Callable[[Exception], None] = lambda _: None,
    ) -> ServingStore:
        """Return the values in a folder, made if absent.

        Args:
            folder: Where they stand.
            read_boot_id: Returns something that differs after the machine has booted.
            on_fault: Told when values could not be moved to the disk; they stay where
                they are, and the next move tries again.

        Raises:
            StoreUnavailableError: It cannot be read or written, or is damaged.
        """
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder / "open.lock"):
                _discard_from_before_boot(folder / "recent", read_boot_id())
                secret = _read_secret(folder / _KEY_FILE)
                (folder / "durable").mkdir(exist_ok=True)
                recent = open_environment(folder / "recent", LmdbOptions(), readonly=False)
                durable = open_environment(
                    folder / "durable", LmdbOptions(is_synced=True), readonly=False
                )
        opened = cls(folder, recent, durable, on_fault, secret)
        opened.move()
        return opened

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None: there is none."""
        self._check_open()
        with _explained(self._folder):
            # In this order: a value moved in between is found in the second.
            with self._recent.begin() as transaction:
                value = transaction.get(key)
            if value is None:
                with self._durable.begin() as transaction:
                    value = transaction.get(key)
        return value

    def list_values(self, prefix: bytes) -> list[bytes]:
        """Return the values of all keys that begin with `prefix`, in the order of keys."""
        self._check_open()
        found: dict[bytes, bytes] = {}
        with _explained(self._folder):
            for environment in (self._recent, self._durable):
                with environment.begin() as transaction, transaction.cursor() as cursor:
                    is_there = cursor.set_range(prefix)
                    while is_there and cursor.key().startswith(prefix):
                        found[cursor.key()] = cursor.value()
                        is_there = cursor.next()
        return [found[key] for key in sorted(found)]

    def list_keys(self, prefix: bytes) -> list[bytes]:
        """Return all keys that begin with `prefix`, sorted."""
        self._check_open()
        found: set[bytes] = set()
        with _explained(self._folder):
            for environment in (self._recent, self._durable):
                with environment.begin() as transaction, transaction.cursor() as cursor:
                    if not cursor.set_range(prefix):
                        continue
                    for key in cursor.iternext(keys=True, values=False):
                        if not key.startswith(prefix):
                            break
                        found.add(bytes(key))
        return sorted(found)

    def put_new(self, items: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
        """Write values whose keys are new, all or none.

        Returns:
            Per item None if it was written, else the value that was there already.
        """
        self._check_open()
        earlier: list[bytes | None] = []
        # `durable` is opened under the lock of `recent`: what has left this one is in that one.
        with (
            _explained(self._folder),
            self._recent.begin(write=True) as recent,
            self._durable.begin() as durable,
        ):
            for key, value in items:
                found = recent.get(key)
                found = durable.get(key) if found is None else found
                if found is None:
                    recent.put(key, value)
                earlier.append(found)
        return earlier

    def find_keys(self, prefix: bytes, needle: bytes) -> list[bytes]:
        """Return the keys that begin with `prefix` and whose durable values hold `needle`."""
        self._check_open()
        found = []
        with (
            _explained(self._folder),
            self._durable.begin(buffers=False) as transaction,
            transaction.cursor() as cursor,
        ):
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                if needle in cursor.value():
                    found.append(cursor.key())
                is_there = cursor.next()
        return found

    def delete_prefixes(self, prefixes: Sequence[bytes]) -> int:
        """Delete all values whose keys begin with one of these, on the disk when it returns.

        Returns:
            How many.
        """
        self._check_open()
        n_deleted = 0
        with (
            _explained(self._folder),
            self._recent.begin(write=True) as recent,
            self._durable.begin(write=True) as durable,
        ):
            for transaction, prefix in product((recent, durable), prefixes):
                with transaction.cursor() as cursor:
                    is_there = cursor.set_range(prefix)
                    while is_there and cursor.key().startswith(prefix):
                        is_there = cursor.delete()
                        n_deleted += 1
        return n_deleted

    def move_soon(self) -> None:
        """Have what was put moved to the disk within some tens of milliseconds."""
        if self._timer is None and self._next is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_MOVE_DELAY_S, self._start_move)

    async def sync(self) -> None:
        """Return when everything put so far survives a power cut."""
        self._start_move()
        assert self._next is not None
        await asyncio.shield(self._next)

    def move(self) -> None:
        """Move everything from `recent` to `durable`, synced."""
        with _explained(self._folder):
            for environment in (self._recent, self._durable):
                environment.reader_check()  # Frees the slots of killed scorers.
            while self._move_some() == _MOVE_AT_MOST:
                pass

    async def close(self) -> None:
        """Move what is left and release the files; later calls do nothing."""
        if not self._is_open:
            return
        with suppress(StoreUnavailableError):
            await self.sync()
        self._is_open = False
        self._mover.shutdown()
        self._recent.close()
        self._durable.close()

    def _start_move(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._move_after(self._running))
            self._next.add_done_callback(self._report_fault)

    def _report_fault(self, move: asyncio.Task[None]) -> None:
        fault = None if move.cancelled() else move.exception()
        if isinstance(fault, Exception):
            self._on_fault(fault)

    async def _move_after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        # From here on, what is put belongs to the move after this one.
        self._running, self._next = self._next, None
        await asyncio.get_running_loop().run_in_executor(self._mover, self.move)

    def _move_some(self) -> int:
        items = []
        with self._recent.begin() as transaction, transaction.cursor() as cursor:
            for item in cursor:
                items.append(item)
                if len(items) == _MOVE_AT_MOST:
                    break
        if items:
            with self._durable.begin(write=True) as transaction:
                transaction.cursor().putmulti(items, overwrite=False)
            with self._recent.begin(write=True) as transaction:
                for key, _ in items:
                    transaction.delete(key)
        return len(items)

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError(
                "the decision log is closed", field="store", value=str(self._folder)
            )


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what LMDB and the file system raise into an error that says what to do."""
    try:
        with explained(folder):
            yield
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            "the decision log cannot be used",
            field="store",
            value=error.value or str(folder),
            expectation=error.message,
            fix="check that the folder is writable and the disk has room; "
            "a damaged log is moved away by hand, a new one is then made",
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_secret(path: Path) -> bytes:
    """Return the folder's secret, made by whoever comes first; called under a lock."""
    if not path.exists():
        draft = path.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(_SECRET_SIZE))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(path)
    secret = path.read_bytes()
    if len(secret) != _SECRET_SIZE:
        raise StoreUnavailableError(
            "the decision log's secret is damaged",
            field=str(path),
            value=f"{len(secret)} bytes",
            expectation=f"{_SECRET_SIZE} bytes",
            fix="restore it from a backup; without it no customer's decisions are found",
        )
    return secret


def _discard_from_before_boot(recent: Path, boot_id: str) -> None:
    """Empty `recent` unless it was made since the machine started; called under a lock."""
    stamp = recent / "boot_id"
    if stamp.is_file() and stamp.read_text() == boot_id:
        return
    if recent.exists():
        shutil.rmtree(recent)
    recent.mkdir()
    stamp.write_text(boot_id)
