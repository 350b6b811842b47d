"""The register of erased customers, as files beside a store or a log.

    FOLDER/erasures                     one line per erasure: tombstone and time; for ever
    FOLDER/erasure_requests/<id>.json   what the folder's one writer still has to remove

The register only grows, so a reader looks at its size and reads what is new. A
request holds the customer's keys until the writer of the store (the stream, or
`hemostat forget` itself when nobody streams) has removed the records; then it is
deleted, which is how `hemostat forget` learns that it is done.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from features.erasures import ErasureRequest, Erasures, compute_tombstone, merge_erasures
from features.errors import LogFormatError, StoreUnavailableError

REGISTER_NAME = "erasures"
REQUESTS_NAME = "erasure_requests"

_LINE_SIZE = 32 + 1 + 20 + 1  # Tombstone in hex, a space, microseconds, a line end.


class ErasureRegister:
    """The tombstones of one folder. Any process may read and append.

    Args:
        folder: A store's or a log's; made with the first tombstone.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / REGISTER_NAME
        self._size = 0
        self._tombstones: dict[bytes, int] = {}
        self._erasures = Erasures.empty()

    def read(self) -> Erasures:
        """Return everybody registered by now; one `stat` if nothing is new.

        Raises:
            LogFormatError: The file is damaged. Nothing may be decoded then: it could
                bring an erased customer back.
            StoreUnavailableError: It cannot be read.
        """
        try:
            size = self.path.stat().st_size // _LINE_SIZE * _LINE_SIZE
            if size != self._size:
                self._read_on(size)
        except FileNotFoundError:
            if self._size:
                raise _describe_damage(self.path, "the file has gone") from None
        except OSError as error:
            raise _describe_refusal(self.path, error) from error
        return self._erasures

    def append(self, customer_key: bytes, erased_us: int) -> None:
        """Register a customer; on the disk when this returns.

        Raises:
            StoreUnavailableError: It cannot be written.
        """
        line = b"%s %020d\n" % (compute_tombstone(customer_key).hex().encode(), erased_us)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, os.SEEK_END)
                # The start of a line that a killed process left.
                file.truncate(end // _LINE_SIZE * _LINE_SIZE)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(self.path.parent)
        except OSError as error:
            raise _describe_refusal(self.path, error) from error

    def _read_on(self, size: int) -> None:
        if size < self._size:
            raise _describe_damage(self.path, "the file has become shorter")
        with self.path.open("rb") as file:
            file.seek(self._size)
            content = file.read(size - self._size)
        for start in range(0, len(content), _LINE_SIZE):
            line = content[start : start + _LINE_SIZE]
            try:
                tombstone, erased_us = bytes.fromhex(line[:32].decode()), int(line[33:53])
            except ValueError as error:
                raise _describe_damage(self.path, "a line of another form") from error
            self._tombstones[tombstone] = max(erased_us, self._tombstones.get(tombstone, 0))
        self._size = size
        self._erasures = Erasures.of(self._tombstones)


class ErasureRegisters:
    """Several registers read as one: those beside a store and beside its log.

    Args:
        folders: Where they stand; the same one twice is harmless.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._registers = [ErasureRegister(folder) for folder in folders]
        self._parts: list[Erasures] = []
        self._merged = Erasures.empty()

    def read(self) -> Erasures:
        """Return everybody registered anywhere by now; cheap if nothing is new.

        Raises:
            LogFormatError: One is damaged.
            StoreUnavailableError: One cannot be read.
        """
        parts = [register.read() for register in self._registers]
        if any(new is not old for new, old in zip(parts, self._parts, strict=False)) or (
            len(parts) != len(self._parts)
        ):
            self._merged = merge_erasures(*parts)
            self._parts = parts
        return self._merged


@runtime_checkable
class KeepsErasures(Protocol):
    """A store that holds the register of erased customers itself: Redis has no folder."""

    def read_erasures(self) -> Erasures:
        """Return everybody registered by now."""
        ...


class AllErasures:
    """Everybody registered as erased, in whichever register. For one thread.

    Args:
        store: Asked for its own register, if it has one.
        folders: Where more registers stand.
    """

    def __init__(self, store: object, folders: Sequence[Path]) -> None:
        self._store = store if isinstance(store, KeepsErasures) else None
        self._registers = ErasureRegisters(folders)
        self._parts = Erasures.empty(), Erasures.empty()
        self._merged = Erasures.empty()

    def read(self) -> Erasures:
        """Return everybody erased by now; cheap if nobody is new.

        Raises:
            LogFormatError: A register is damaged.
            StoreUnavailableError: One cannot be read.
        """
        of_folders = self._registers.read()
        if self._store is None:
            return of_folders
        parts = of_folders, self._store.read_erasures()
        if any(new is not old for new, old in zip(parts, self._parts, strict=True)):
            self._merged, self._parts = merge_erasures(*parts), parts
        return self._merged


class _StoredRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An erasure request as it stands in its file."""

    customer_key: str
    activity_key: str
    erased_us: int


class ErasureRequests:
    """What is still to be removed from one store.

    Args:
        folder: The store's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / REQUESTS_NAME

    def list(self) -> Sequence[ErasureRequest]:
        """Return the open requests; cheap while there are none.

        Raises:
            LogFormatError: One is damaged.
            StoreUnavailableError: The folder cannot be read.
        """
        found = []
        for file in sorted(self.path.glob("*.json")):
            try:
                found.append(_parse_request(file))
            except FileNotFoundError:
                continue  # Finished in the meantime.
            except OSError as error:
                raise _describe_refusal(file, error) from error
        return found

    def place(self, request: ErasureRequest) -> None:
        """File a request; the same one again changes nothing.

        Raises:
            StoreUnavailableError: It cannot be written.
        """
        stored = _StoredRequest(
            request.customer_key.hex(), request.activity_key.hex(), request.erased_us
        )
        file = self._find_file(request)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(f".tmp-{os.getpid()}")
            draft.write_bytes(msgspec.json.encode(stored))
            draft.replace(file)
        except OSError as error:
            raise _describe_refusal(self.path, error) from error

    def is_open(self, request: ErasureRequest) -> bool:
        """Return whether a request is still to be done."""
        return self._find_file(request).exists()

    def finish(self, request: ErasureRequest) -> None:
        """Tell that a request is done: nothing of the customer is left in the store."""
        self._find_file(request).unlink(missing_ok=True)

    def _find_file(self, request: ErasureRequest) -> Path:
        # Not named by the key: file names outlive files in directories.
        name = compute_tombstone(request.customer_key).hex()
        return self.path / f"{name}-{request.erased_us}.json"


def _parse_request(file: Path) -> ErasureRequest:
    try:
        stored = msgspec.json.decode(file.read_bytes(), type=_StoredRequest)
        return ErasureRequest(
            bytes.fromhex(stored.customer_key), bytes.fromhex(stored.activity_key), stored.erased_us
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise LogFormatError(
            "an erasure request cannot be read",
            field=str(file),
            value=str(error),
            expectation="the file as `hemostat forget` wrote it",
            fix="delete it and run the same `hemostat forget` again",
        ) from error


def _describe_damage(path: Path, what: str) -> LogFormatError:
    return LogFormatError(
        "the register of erased customers is damaged",
        field=str(path),
        value=what,
        expectation="the file as `hemostat forget` left it; it only grows",
        fix="restore it from the copy beside the log or another store; without it, "
        "erased customers would come back",
    )


def _describe_refusal(path: Path, error: OSError) -> StoreUnavailableError:
    return StoreUnavailableError(
        "the register of erased customers cannot be used",
        field=str(path),
        value=error.strerror or str(error),
        fix="check that the folder can be read and written and the disk has room",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
