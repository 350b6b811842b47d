"""Forgetting a customer: what is done where, in an order that lets nothing come back.

First the register of every place, so that no decoder lets the customer's events
through any more; then the records, by the running stream if there is one; then the
logs and decisions. Each step can be repeated: after a failure, run it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from features.entities import Entity
from features.erasures import ErasureRequest
from features.errors import (
    ConfigError,
    StoreLockedError,
    StoreReplacedError,
    StoreUnavailableError,
)
from features.keys import compute_entity_key
from features.store.place import is_redis_url

if TYPE_CHECKING:
    from features.log.erasure_register import ErasureRequests
    from features.store.erasing import ErasedRecords

_POLL_S = 0.05
_TIMEOUT_S = 60.0
_TRIES = 5


class Removal(msgspec.Struct, frozen=True):
    """What was removed from one place.

    Attributes:
        place: Folder.
        kind: `store`, `log`, `feature log` or `decisions`.
        what: `histories`, `activity records`, `shared identities`, `events`, `rows`,
            `decisions` or `outcomes`.
        count: How many.
        by: `stream`: the running one did it and does not tell how many; else `forget`.
    """

    place: str
    kind: str
    what: str
    count: int | None
    by: str = "forget"


class Forgotten(msgspec.Struct, frozen=True):
    """The result of forgetting a customer; names nobody.

    Attributes:
        erased_us: Events that came in up to this time are not let through any more.
        removals: What was removed.
        seconds: How long it took.
    """

    erased_us: int
    removals: tuple[Removal, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Places:
    """Where a customer may be found.

    Attributes:
        stores: Folders of embedded stores, or addresses of Redis.
        logs: Event logs, archives, feature logs, folders with a retailer's own files.
        decisions: Folders of decision logs.
    """

    stores: tuple[Path | str, ...]
    logs: tuple[Path, ...]
    decisions: tuple[Path, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        """All places that are files or folders."""
        stores = [Path(each) for each in self.stores if not is_redis_url(str(each))]
        return (*stores, *self.logs, *self.decisions)


def forget_customer(
    tenant: str,
    customer_id: str,
    places: Places,
    *,
    read_us: Callable[[], int],
    sleep: Callable[[float], None] = time.sleep,
    timeout_s: float = _TIMEOUT_S,
) -> Forgotten:
    """Remove a customer everywhere and keep their events from coming back.

    Args:
        tenant: The retailer.
        customer_id: The customer.
        places: Where to look.
        read_us: The wall clock.
        sleep: How to wait for a running stream.
        timeout_s: How long.

    Raises:
        ConfigError: The customer has no id, or a place is not what it should be.
        StoreUnavailableError: Some place cannot be written, or a running stream did
            not remove the records in time. Run it again.
    """
    start_s = perf_counter()
    _check(tenant, customer_id, places)
    erased_us = read_us()
    request = ErasureRequest(
        compute_entity_key(tenant, Entity.CUSTOMER, customer_id),
        compute_entity_key(tenant, Entity.ACTIVITY, customer_id),
        erased_us,
    )
    _register(request, places)
    removals: list[Removal] = []
    for store in places.stores:
        if is_redis_url(str(store)):
            removals.extend(_forget_in_redis(str(store), request))
        else:
            removals.extend(_forget_in_store(Path(store), request, sleep, timeout_s))
    for log in places.logs:
        removals.extend(_forget_in_log(log, tenant, customer_id, request))
    for folder in places.decisions:
        removals.extend(_forget_decisions(folder, request))
    return Forgotten(erased_us, tuple(removals), perf_counter() - start_s)


def _check(tenant: str, customer_id: str, places: Places) -> None:
    if not customer_id or not tenant:
        raise ConfigError(
            "nobody is named",
            field="CUSTOMER" if not customer_id else "--tenant",
            value="empty",
            expectation="the customer's id and its retailer",
            fix="hemostat forget CUSTOMER --tenant TENANT",
        )
    for place in places.folders:
        if not place.exists():
            raise ConfigError(
                "there is nothing at this place",
                field=str(place),
                value="no such file or folder",
                expectation="a store, a log or a folder of decisions",
                fix="check the path; nothing was removed yet",
            )


def _register(request: ErasureRequest, places: Places) -> None:
    from features.log.erasure_register import ErasureRegister

    for place in places.folders:
        if place in places.decisions:
            continue
        folder = place if place.is_dir() else place.parent
        ErasureRegister(folder).append(request.customer_key, request.erased_us)
    for store in places.stores:
        if is_redis_url(str(store)):
            _register_in_redis(str(store), request)


def _register_in_redis(address: str, request: ErasureRequest) -> None:
    from features.store.opening import read_generations
    from features.store.redis_address import parse_address

    if not read_generations(address).current:
        raise StoreUnavailableError(
            "there is no online store here",
            field="--store",
            value=parse_address(address).shown,
            expectation="a store made by `hemostat stream`",
            fix="correct address and prefix",
        )
    from features.store.redis_writer import RedisFeatureStore

    with RedisFeatureStore.open_writer(address) as writer:
        writer.add_erasure(request.customer_key, request.erased_us)


def _forget_in_redis(address: str, request: ErasureRequest) -> Iterator[Removal]:
    """Remove the records of every generation; a running stream begins again from the store."""
    from features.store.erasing import erase_customer, fence_off
    from features.store.opening import open_store, read_generations
    from features.store.redis_address import parse_address

    shown = parse_address(address).shown
    for generation in read_generations(address).numbers:
        for attempt in range(_TRIES):
            writer = open_store(address, "write", generation=generation)
            try:
                fence_off(writer)
                erased = erase_customer(writer, request)
            except StoreReplacedError:
                if attempt == _TRIES - 1:
                    raise
            else:
                yield from _list_records(f"{shown} (generation {generation})", erased)
                break
            finally:
                writer.close()


def _list_records(place: str, erased: ErasedRecords) -> Iterator[Removal]:
    yield Removal(place, "store", "histories", erased.customer)
    yield Removal(place, "store", "activity records", erased.activity)
    yield Removal(place, "store", "shared identities", erased.identity)


def _forget_in_store(
    store: Path, request: ErasureRequest, sleep: Callable[[float], None], timeout_s: float
) -> Iterator[Removal]:
    """Have each generation's one writer remove the records, or remove them if it has none."""
    from features.log.erasure_register import ErasureRequests
    from features.store.generations import find_generation, list_generations

    deadline_s = perf_counter() + timeout_s
    for generation in list_generations(store):
        folder = find_generation(store, generation)
        if folder is None:
            continue  # Dropped meanwhile, and all that was in it.
        requests = ErasureRequests(folder)
        requests.place(request)
        yield from _await_writer(store, generation, requests, request, deadline_s, sleep)


def _remove_records(store: Path, generation: int, request: ErasureRequest) -> Iterator[Removal]:
    from features.store.erasing import erase_customer
    from features.store.generations import find_generation
    from features.store.lmdb_writer import LmdbFeatureStore
    from features.store.record_scrub import scrub_records

    writer = LmdbFeatureStore.open_writer(store, generation=generation)
    try:
        erased = erase_customer(writer, request)
    finally:
        writer.close()
    folder = find_generation(store, generation)
    if folder is not None:
        scrub_records(folder)
    yield from _list_records(f"{store} (generation {generation})", erased)


def _await_writer(
    store: Path,
    generation: int,
    requests: ErasureRequests,
    request: ErasureRequest,
    deadline_s: float,
    sleep: Callable[[float], None],
) -> Iterator[Removal]:
    """Remove the records as soon as nobody writes, unless the writer has done it before."""
    from features.store.generations import find_generation
    from features.store.record_scrub import scrub_records

    while requests.is_open(request):
        try:
            yield from _remove_records(store, generation, request)
        except StoreLockedError:
            if perf_counter() > deadline_s:
                raise StoreUnavailableError(
                    "the running stream has not removed the customer's records yet",
                    field="--store",
                    value=str(store),
                    expectation="done between two batches",
                    fix="nothing new is let through; stop the stream, then run this again",
                ) from None
            sleep(_POLL_S)
        else:
            requests.finish(request)
            return
    folder = find_generation(store, generation)
    if folder is not None:
        scrub_records(folder)
    yield Removal(f"{store} (generation {generation})", "store", "records", None, "stream")


def _forget_in_log(
    log: Path, tenant: str, customer_id: str, request: ErasureRequest
) -> Iterator[Removal]:
    from features.log.customer_match import CustomerMatch
    from features.log.erasing import erase_from_feature_log, erase_from_log
    from features.log.feature_log import is_feature_log

    if is_feature_log(log):
        n_rows = erase_from_feature_log(log, request.customer_key)
        yield Removal(str(log), "feature log", "rows", n_rows)
    else:
        match = CustomerMatch(tenant, customer_id, request.erased_us)
        yield Removal(str(log), "log", "events", erase_from_log(log, match))


def _forget_decisions(folder: Path, request: ErasureRequest) -> Iterator[Removal]:
    from scoring.decision_log import erase_decisions

    erased = erase_decisions(folder, request.customer_key)
    yield Removal(str(folder), "decisions", "decisions", erased.decisions)
    yield Removal(str(folder), "decisions", "outcomes", erased.outcomes)
