"""Opening a store by its place: a folder, or an address of Redis.

Also the generations of a store, whatever keeps it: `begin_generation` makes an
empty one beside the one in use, `swap_generation` puts it in use, and
`drop_generation` deletes one that is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, overload

from features.errors import StoreUnavailableError
from features.store import generations
from features.store.lmdb_environment import LmdbOptions, explained
from features.store.lmdb_store import LmdbFeatureReader
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.place import is_redis_url

if TYPE_CHECKING:  # The client of Redis is loaded only by those who use it.
    from features.store.redis_store import RedisFeatureReader
    from features.store.redis_writer import RedisFeatureStore

Place = Path | str
"""Where a store is: a folder, or `redis[s][+cluster]://HOST:PORT/?prefix=NAME`."""

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a store is written; what does not concern its kind is passed over.

    Attributes:
        is_durable: LMDB: each commit waits for the disk. Redis: see its `appendfsync`.
        map_size_bytes: LMDB: upper bound of the store.
        retry_for_s: Redis: for how long a call is tried again while the server is away.
    """

    is_durable: bool = False
    map_size_bytes: int = 64 * GIB
    retry_for_s: float = 60.0


@dataclass(frozen=True, slots=True)
class StoreGenerations:
    """The generations of a store.

    Attributes:
        current: The one in use; 0: there is no store.
        numbers: All, ascending.
    """

    current: int
    numbers: tuple[int, ...]


@overload
def open_store(
    place: Place,
    mode: Literal["read"],
    options: StoreOptions | None = None,
    *,
    generation: int | None = None,
) -> LmdbFeatureReader | RedisFeatureReader: ...


@overload
def open_store(
    place: Place,
    mode: Literal["write"],
    options: StoreOptions | None = None,
    *,
    generation: int | None = None,
) -> LmdbFeatureStore | RedisFeatureStore: ...


def open_store(
    place: Place,
    mode: Literal["read", "write"],
    options: StoreOptions | None = None,
    *,
    generation: int | None = None,
) -> LmdbFeatureReader | RedisFeatureReader | LmdbFeatureStore | RedisFeatureStore:
    """Return a reader or the writer of the store at a place.

    Open it after any fork. In the base install, addresses of Redis need the extra `redis`.

    Args:
        place: A folder or an address.
        mode: `write` makes the store if it is not there; a folder has one writer.
        options: How it is written. Redis readers wait a quarter of a second, no longer.
        generation: None: the one in use.

    Raises:
        ConfigError: The address is wrong, or the server would throw records away.
        SchemaMismatchError: The store was made with another schema.
        StoreLockedError: Another process writes to the folder; names it.
        StoreUnavailableError: There is no store, or it cannot be used.
    """
    options = options or StoreOptions()
    if is_redis_url(str(place)):
        return _open_redis(str(place), mode, options, generation)
    lmdb_options = LmdbOptions(map_size_bytes=options.map_size_bytes, is_synced=options.is_durable)
    if mode == "read":
        return LmdbFeatureReader.open_reader(place, lmdb_options, generation=generation)
    return LmdbFeatureStore.open_writer(place, lmdb_options, generation=generation)


def read_generations(place: Place) -> StoreGenerations:
    """Return which generations a store has.

    Raises:
        StoreUnavailableError: The server does not answer.
    """
    if is_redis_url(str(place)):
        redis_generations = _import_redis_generations()
        current, numbers = redis_generations.read_generations(str(place))
        return StoreGenerations(current, tuple(numbers))
    with explained(Path(place)):
        name = generations.read_pointer(Path(place))
        numbers = generations.list_generations(Path(place))
    return StoreGenerations(int(name or 0), tuple(numbers))


def read_identity(place: Place) -> str:
    """Return what differs once another store or generation stands at a place; empty: none.

    Raises:
        StoreUnavailableError: The server does not answer, so nobody knows.
    """
    if is_redis_url(str(place)):
        current = read_generations(place).current
        return str(current) if current else ""
    with explained(Path(place)):
        folder = generations.find_generation(Path(place), None)
        try:
            status = (folder / "data.mdb").stat() if folder else None
        except FileNotFoundError:
            status = None
    return f"{folder} {status.st_dev} {status.st_ino}" if status else ""


def begin_generation(place: Place) -> int:
    """Make an empty generation beside the others and return its number.

    Raises:
        StoreUnavailableError: It cannot be made.
    """
    if is_redis_url(str(place)):
        number: int = _import_redis_generations().begin_generation(str(place))
        return number
    with explained(Path(place)):
        return generations.begin_generation(Path(place))


def swap_generation(place: Place, number: int) -> int:
    """Put a generation in use, in one step, and return the one that was; 0 if none.

    Scorers take it over at their next look, without a failed call; the stream that
    writes to the old one gets a `CommitConflictError` at its next commit.

    Raises:
        ConfigError: There is no such generation.
        StoreUnavailableError: The pointer cannot be written.
    """
    if is_redis_url(str(place)):
        before: int = _import_redis_generations().swap_generation(str(place), number)
        return before
    with explained(Path(place)):
        return generations.swap_generation(Path(place), number)


def drop_generation(place: Place, number: int) -> None:
    """Delete a generation that is not in use.

    Raises:
        ConfigError: It is in use, or there is none.
        StoreUnavailableError: It cannot be deleted.
    """
    if is_redis_url(str(place)):
        _import_redis_generations().drop_generation(str(place), number)
        return
    with explained(Path(place)):
        generations.drop_generation(Path(place), number)


def _open_redis(
    url: str, mode: str, options: StoreOptions, generation: int | None
) -> RedisFeatureReader | RedisFeatureStore:
    _import_redis_generations()
    from features.store.redis_address import RedisOptions
    from features.store.redis_store import RedisFeatureReader
    from features.store.redis_writer import RedisFeatureStore

    if mode == "read":
        return RedisFeatureReader.open_reader(url, generation=generation)
    waiting = RedisOptions(retry_for_s=options.retry_for_s)
    return RedisFeatureStore.open_writer(url, waiting, generation=generation)


def _import_redis_generations() -> ModuleType:
    try:
        return import_module("features.store.redis_generations")
    except ImportError as error:
        if error.name not in ("redis", "hiredis"):
            raise
        raise StoreUnavailableError(
            "the client of Redis is not installed",
            field="store",
            fix='pip install "hemostat[redis]"',
        ) from error
