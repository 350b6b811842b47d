"""Who was erased is asked anew for each call, in a thread, and trusted for a minute at most."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from features.entities import Entity
from features.erasures import Erasures, compute_tombstone
from features.errors import LogFormatError, StoreUnavailableError
from features.keys import compute_entity_key
from features.store.redis_writer import RedisFeatureStore
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.known_erasures import TRUSTED_S, KnownErasures
from scoring.metrics import ScoringMetrics
from scoring.publisher_opening import open_publisher
from scoring.settings import load_settings
from tests.redis_servers import RedisServer

T = TypeVar("T")


class _Register:
    """A register that answers as it is told to; counts questions, and may hold one back."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.n_erased = 0
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def read(self) -> Erasures:
        self.asked += 1
        answer = Erasures.of({bytes([n]) * 16: 1 for n in range(self.n_erased)})
        self.may_answer.wait(30)
        if self.fault is not None:
            raise self.fault
        return answer


class _Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _use(
    register: _Register, use: Callable[[KnownErasures], Awaitable[T]], clock: _Clock | None = None
) -> T:
    async def run() -> T:
        known = KnownErasures(register, is_remote=True, clock=clock or _Clock())
        try:
            return await use(known)
        finally:
            register.may_answer.set()
            await known.close()

    return asyncio.run(run())


def test_calls_that_wait_share_a_question_that_is_asked_after_they_came() -> None:
    register = _Register()

    async def use(known: KnownErasures) -> list[int]:
        register.may_answer.clear()
        first = asyncio.create_task(known.read())
        while not register.asked:
            await asyncio.sleep(0)
        register.n_erased = 1  # Behind the first question, before the others came.
        others = [asyncio.create_task(known.read()) for _ in range(20)]
        await asyncio.sleep(0)
        register.may_answer.set()
        return [len(each) for each in await asyncio.gather(first, *others)]

    assert _use(register, use) == [0] + [1] * 20
    assert register.asked == 2


def test_the_last_answer_holds_for_a_minute_while_the_server_is_away() -> None:
    register, clock = _Register(), _Clock()

    async def use(known: KnownErasures) -> None:
        register.n_erased = 2
        assert len(await known.read()) == 2
        register.fault = StoreUnavailableError("away")
        clock.now_s = TRUSTED_S
        assert len(await known.read()) == 2
        clock.now_s = TRUSTED_S + 1
        with pytest.raises(StoreUnavailableError, match="away"):
            await known.read()
        register.fault = None
        assert len(await known.read()) == 2

    _use(register, use, clock)


@pytest.mark.parametrize("fault", [StoreUnavailableError("away"), LogFormatError("damaged")])
def test_a_register_that_was_never_read_or_is_damaged_lets_nothing_in(fault: Exception) -> None:
    register = _Register()
    register.fault = fault

    async def use(known: KnownErasures) -> None:
        for _ in range(2):  # A fault does not stop the next question.
            with pytest.raises(type(fault)):
                await known.read()

    _use(register, use)
    assert register.asked == 2


def test_a_customer_registered_in_redis_is_not_taken_in_again(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    place = f"{redis_server.url}/?prefix=publishing"
    event = event_pb2.Event(event_id="e1", tenant="t", customer_id="c", channel="CHANNEL_WEB")
    event.event_time.GetCurrentTime()
    event.product_viewed.sku = "s"
    happened_us = event.event_time.ToMicroseconds()
    key = compute_entity_key("t", Entity.CUSTOMER, "c")
    settings = load_settings(
        {"store": place, "bundle": ("unused",), "events": str(tmp_path / "events")}, {}
    )

    async def publish() -> list[int]:
        publisher = open_publisher(settings, ScoringMetrics())
        try:
            statuses: list[int] = []
            for erased_us in (0, happened_us - 1, happened_us):
                if erased_us:
                    store.add_erasure(key, erased_us)
                response = await publisher.publish([event_pb2.Event.FromString(told)])
                statuses.append(response.results[0].status)
            return statuses
        finally:
            await publisher.close()

    told = event.SerializeToString()
    with RedisFeatureStore.open_writer(place) as store:
        accepted = pb.PUBLISH_STATUS_ACCEPTED
        assert asyncio.run(publish()) == [accepted, accepted, pb.PUBLISH_STATUS_ERASED]
        assert compute_tombstone(key) in store.read_erasures().to_tombstones()
