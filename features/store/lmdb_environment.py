"""Opening LMDB files so that a bad one is an error message and not a crash.

LMDB maps its file into memory: a page that is missing or holds garbage kills the
process with a signal. So the file is walked before the map is trusted.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lmdb
from lmdb.verify import VerifyError, verify

from features.errors import StoreFullError, StoreUnavailableError

DATABASES = (b"shards", b"meta")

_GIB = 1 << 30
_MIB = 1 << 20
_REBUILD = "restore a backup, or rebuild: `hemostat store rebuild LOG --store PATH`"


@dataclass(frozen=True, slots=True)
class LmdbOptions:
    """How a store's files are used; where they are is the caller's business.

    Attributes:
        map_size_bytes: Upper bound of the store; the writer's counts. Address space,
            not disk: the file grows with its content.
        max_readers: Most processes and threads that may read at the same time.
        is_synced: Whether each commit waits for the disk. False survives a killed
            process but not a power cut: after one, restore or rebuild the store.
        max_checked_bytes: Files up to this size are walked page by page when opened
            (about a quarter of a second for 64 MiB); larger ones only if they look cut off.
    """

    map_size_bytes: int = 64 * _GIB
    max_readers: int = 256
    is_synced: bool = False
    max_checked_bytes: int = 64 * _MIB


def open_environment(path: Path, options: LmdbOptions, *, readonly: bool) -> lmdb.Environment:
    """Return an opened and checked environment.

    To be opened after a fork, never before: LMDB's locks belong to a process.

    Args:
        path: Folder of `data.mdb`; made by the caller when writing.
        options: See there.
        readonly: False creates the files if they are absent.

    Raises:
        StoreUnavailableError: Missing, unreadable, truncated or damaged.
    """
    with explained(path):
        environment = lmdb.open(
            str(path),
            # A reader's map may be larger than the file, which then may grow under it.
            map_size=options.map_size_bytes,
            max_dbs=len(DATABASES),
            max_readers=options.max_readers,
            readonly=readonly,
            create=not readonly,
            sync=options.is_synced,
            metasync=options.is_synced,
            readahead=False,  # Reads are random; readahead would evict hot pages.
        )
        try:
            environment.reader_check()  # Frees the slots of killed readers.
            _check_pages(environment, path, options.max_checked_bytes)
        except BaseException:
            environment.close()
            raise
    return environment


def find_oldest_reader(environment: lmdb.Environment) -> int:
    """Return the oldest commit that somebody reads now or may begin to read."""
    last = int(environment.info()["last_txnid"])
    words = [line.split() for line in str(environment.readers()).splitlines()[1:]]
    return min([int(w[2]) for w in words if len(w) == 3 and w[2].isdecimal()], default=last)


def _check_pages(environment: lmdb.Environment, path: Path, max_checked_bytes: int) -> None:
    """Refuse a file whose pages are cut off or damaged.

    The read transaction pins what is walked: a writer cannot reuse its pages.
    """
    size = (path / "data.mdb").stat().st_size
    needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    # LMDB may leave the very last pages unwritten when they are free, so a short
    # file is only a suspicion.
    if size > max_checked_bytes and size >= needed:
        return
    with environment.begin():
        # Twice: the first walk may take the file's length just before a commit.
        problems = _find_damage(path) and _find_damage(path)
    if problems:
        raise StoreUnavailableError(
            "the store's file is truncated or damaged",
            field="store",
            value=f"{path / 'data.mdb'}: {problems[0]}",
            expectation="an intact LMDB file",
            fix=_REBUILD,
        )


def _find_damage(path: Path) -> list[str]:
    try:
        problems: list[str] = verify(str(path))  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]
    return problems


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what LMDB and the file system raise into errors that say what to do.

    Raises:
        StoreFullError: The store has reached its upper bound.
        StoreUnavailableError: In place of any other `lmdb.Error` or `OSError`.
    """
    try:
        yield
    except lmdb.MapFullError as error:
        raise StoreFullError(
            "the store has reached its maximum size; the batch was not written",
            field="store",
            value=str(path),
            fix="stream again with a larger --map-size-gib; it goes on where it was",
        ) from error
    except lmdb.ReadersFullError as error:
        raise StoreUnavailableError(
            "too many processes read this store",
            field="store",
            value=str(path),
            fix="raise max_readers of the writer, with every process stopped",
        ) from error
    except lmdb.Error as error:
        if "already open in this process" in str(error):
            raise StoreUnavailableError(
                "the store is open in this process already",
                field="store",
                value=str(path),
                expectation="one reader or writer per process; LMDB allows no more",
                fix="pass the open one on (a writer reads, too), or close it first",
            ) from error
        raise _explain(path, error, getattr(error, "code", 0)) from error
    except OSError as error:
        raise _explain(path, error, error.errno or 0) from error


_FIXES = {
    # LMDB reports a disk that is full as an input/output error (a short write).
    errno.EIO: "free disk space (or check the disk); the stream goes on where it was",
    errno.ENOSPC: "free disk space; the stream goes on where it was",
    errno.EFBIG: "allow larger files (`ulimit -f`); the stream goes on where it was",
    errno.EDQUOT: "free disk space or raise the quota; the stream goes on where it was",
    errno.EACCES: "choose a folder that this user may read and write",
    errno.EROFS: "choose a folder on a writable file system",
    errno.ENOENT: "check the path; `hemostat stream LOG --store PATH` makes a store",
    errno.ENOMEM: "allow more address space (`ulimit -v`) or use a smaller --map-size-gib",
}


def _explain(path: Path, error: Exception, code: int) -> StoreUnavailableError:
    is_disk_full = code in (errno.EIO, errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    return StoreUnavailableError(
        "the disk is full or failing" if is_disk_full else "the store cannot be used",
        field="store",
        value=f"{path}: {error}",
        fix=_FIXES.get(code, _REBUILD),
    )
