"""Who was erased, asked anew for each call that publishes, without blocking the event loop.

A register in Redis answers after a round trip, or not at all for a while. So it is
asked in a thread, once for all calls that wait, and what it said last holds for a
minute: while a server is away nobody can be registered there either, and `hemostat
forget` promises no less. After that nothing is taken in.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from features.erasures import Erasures
from features.errors import StoreUnavailableError

TRUSTED_S = 60.0
"""How long the last answer of a register holds when it cannot be asked again."""


class Register(Protocol):
    """Where erased customers are registered. Used by one thread at a time."""

    def read(self) -> Erasures:
        """Return everybody erased by now.

        Raises:
            LogFormatError: It is damaged.
            StoreUnavailableError: It cannot be read.
        """
        ...


class KnownErasures:
    """Everybody erased by the moment of a call. To be used on one event loop only.

    Args:
        register: Where they are registered.
        is_remote: Whether to ask takes a thread, as a server does and a file does not.
        close: Releases what the register stands on.
        clock: Seconds, monotonic.
    """

    def __init__(
        self,
        register: Register,
        *,
        is_remote: bool,
        close: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._register = register
        self._thread = ThreadPoolExecutor(1, "erasures") if is_remote else None
        self._close = close
        self._clock = clock
        self._waiting: list[asyncio.Future[Erasures]] = []
        self._asking: asyncio.Task[None] | None = None
        self._last: tuple[float, Erasures] | None = None

    async def read(self) -> Erasures:
        """Return everybody erased by now, as asked after this call began.

        Raises:
            LogFormatError: A register is damaged: an erased customer could come back.
            StoreUnavailableError: It cannot be asked, and was not within a minute.
        """
        if self._thread is None:
            return self._register.read()
        waiting: asyncio.Future[Erasures] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all(self._thread))
        return await waiting

    async def close(self) -> None:
        """Wait for the question under way and release the register."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        if self._thread is not None:
            self._thread.shutdown()
        self._close()

    async def _ask_all(self, thread: ThreadPoolExecutor) -> None:
        """Ask until nobody waits; each question is for all who came before it."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                erasures = await loop.run_in_executor(thread, self._ask)
            except Exception as error:  # noqa: BLE001  # Each call reports its own.
                for each in waiting:
                    if not each.done():  # Its call may have been cancelled.
                        each.set_exception(copy.copy(error))
            else:
                for each in waiting:
                    if not each.done():
                        each.set_result(erasures)
        self._asking = None

    def _ask(self) -> Erasures:
        asked_s = self._clock()
        try:
            erasures = self._register.read()
        except StoreUnavailableError:
            if self._last is None or asked_s - self._last[0] > TRUSTED_S:
                raise
            return self._last[1]
        self._last = asked_s, erasures
        return erasures
