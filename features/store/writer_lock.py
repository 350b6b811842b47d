"""The lock that keeps a store to one writing process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from features.errors import StoreLockedError, StoreUnavailableError


class WriterLock:
    """An exclusive lock on a file, held until `release` or the end of the process.

    The kernel drops a `flock` with the process that holds it, however it dies, so
    there is no stale lock to clean up. The file keeps the holder's process id for
    the message that a second writer gets. Local file systems only: on NFS a lock
    may not reach other machines.

    Args:
        path: The lock file; created if absent, never removed.

    Raises:
        StoreLockedError: Another process (or another lock in this one) holds it.
        StoreUnavailableError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailableError(
                "the store's lock file cannot be opened",
                field="store",
                value=str(path),
                expectation=error.strerror or "a writable file",
                fix="choose a folder that this user may write to",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StoreLockedError(
                "another stream writes to this store",
                field="store",
                value=f"{path.parent} (held by process {holder or 'unknown'})",
                expectation="one writer per store",
                fix=f"wait for process {holder or 'unknown'} or stop it, or use another --store",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next writer in; later calls do nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
