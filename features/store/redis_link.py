"""Questions to Redis servers: pipelines to one server, or to all nodes of a cluster at once.

A connection belongs to one call until all its answers are read. If anything stops
the call in between (a time-out, a signal, a cancelled task), the connection is
thrown away: an answer that comes late can never be taken for another call's.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hiredis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError
from redis.retry import Retry

from features.errors import StoreUnavailableError
from features.store.redis_address import RedisAddress, RedisOptions
from features.store.redis_faults import explain, is_passing

Node = tuple[str, int]
Reply = Any
"""What Redis answers: int, bytes, None, a list of these."""

_FIRST_BACKOFF_S = 0.05
_MAX_MOVES = 8


def pack_words(words: Sequence[bytes | int]) -> bytes:
    """Return a command as it is sent."""
    packed: bytes = hiredis.pack_command(tuple(words))  # type: ignore[arg-type]  # Stub: a 1-tuple.
    return packed


@dataclass(frozen=True, slots=True)
class Question:
    """One command.

    Attributes:
        slot: Hash slot of its keys.
        packed: The command as sent.
    """

    slot: int
    packed: bytes

    @classmethod
    def ask(cls, key: bytes, *words: bytes | int) -> Question:
        """Return a command about a key; `words` hold the key, too."""
        return cls(key_slot(key), pack_words(words))


class RedisLinks:
    """Connections to a Redis server or to the nodes of a Redis Cluster.

    Safe to share between threads: each call takes connections of its own.

    Args:
        address: Where it is; in a cluster, any of its nodes.
        options: How long to wait.
        clock: Seconds, monotonic.
        sleep: Waits for seconds; between two attempts.
        draw: A random number in [0, 1), so that many clients do not return at once.
    """

    def __init__(
        self,
        address: RedisAddress,
        options: RedisOptions,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._address = address
        self._options = options
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._lock = threading.Lock()
        self._idle: dict[Node, list[Any]] = {}
        self._slots: list[Node] | None = None  # By hash slot; None: to be asked.
        self._is_open = True
        self._n_failures = 0
        self._not_before_s = float("-inf")
        self._last_fault: Exception | None = None

    @property
    def shown(self) -> str:
        """The address without password."""
        return self._address.shown

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """Return the answers to some questions, each node asked at once.

        After a fault that may pass, all of them are asked again: they must stand it.

        Raises:
            StoreUnavailableError: No answer, or a refusal.
        """
        until_s = self._clock() + self._options.retry_for_s
        while True:
            self._check_open()
            try:
                self._wait_for_turn(until_s)
                replies = self._ask_until_settled(questions)
            except (RedisError, OSError) as error:
                if isinstance(error, exceptions.ConnectionError) and self._drop_idle():
                    continue  # Old connections of a server that was restarted: try new ones.
                self._note_failure(error)
                if not is_passing(error) or self._not_before_s > until_s:
                    if isinstance(error, ResponseError):  # It answers: others may be served.
                        self._n_failures, self._not_before_s = 0, float("-inf")
                    raise explain(error, self.shown) from error
                continue
            if self._n_failures:
                self._n_failures, self._not_before_s = 0, float("-inf")
            return replies

    def ask_one(self, key: bytes, *words: bytes | int) -> Reply:
        """Return the answer to one command about a key."""
        return self.ask([Question.ask(key, *words)])[0]

    def ask_all_nodes(self, *words: bytes | int) -> list[Reply]:
        """Return each server's answer to one command."""
        first_slots = {node: slot for slot, node in reversed(list(enumerate(self._get_slots())))}
        packed = pack_words(words)
        return self.ask([Question(slot, packed) for slot in first_slots.values()])

    def close(self) -> None:
        """Close all connections; later calls fail."""
        with self._lock:
            self._is_open = False
            links = [link for idle in self._idle.values() for link in idle]
            self._idle.clear()
        for link in links:
            link.disconnect()

    def _wait_for_turn(self, until_s: float) -> None:
        """Wait until the next attempt is due; fail at once if that is too late."""
        wait_s = self._not_before_s - self._clock()
        if wait_s <= 0:
            return
        if self._not_before_s > until_s and self._last_fault is not None:
            raise self._last_fault
        self._sleep(wait_s)

    def _drop_idle(self) -> bool:
        """Close the connections that wait for work; return whether there were any."""
        with self._lock:
            links = [link for idle in self._idle.values() for link in idle]
            for idle in self._idle.values():
                idle.clear()
        for link in links:
            link.disconnect()
        return bool(links)

    def _note_failure(self, error: Exception) -> None:
        if error is self._last_fault and self._clock() < self._not_before_s:
            return  # Nothing was tried.
        backoff_s = min(_FIRST_BACKOFF_S * 2.0**self._n_failures, self._options.max_backoff_s)
        self._n_failures = min(self._n_failures + 1, 30)
        self._not_before_s = self._clock() + backoff_s * (0.5 + 0.5 * self._draw())
        self._last_fault = error
        self._slots = None  # A failover may have moved everything.

    def _ask_until_settled(self, questions: Sequence[Question]) -> list[Reply]:
        """Ask, and ask those again that a cluster sends elsewhere."""
        replies: list[Reply] = [None] * len(questions)
        open_places: list[int] = list(range(len(questions)))
        asking: dict[int, Node] = {}
        for _ in range(_MAX_MOVES):
            self._exchange(questions, open_places, asking, replies)
            asking = {}
            moved = [n for n in open_places if isinstance(replies[n], MovedError | AskError)]
            for place in moved:
                reply = replies[place]
                if isinstance(reply, MovedError):
                    self._slots = None
                else:
                    asking[place] = (reply.host, reply.port)
            if not moved:
                break
            open_places = moved
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return replies

    def _exchange(
        self,
        questions: Sequence[Question],
        places: Iterable[int],
        asking: dict[int, Node],
        replies: list[Reply],
    ) -> None:
        """Send to all nodes, then read from all; fill in the replies."""
        slots = self._get_slots()
        by_node: dict[Node, list[int]] = {}
        for place in places:
            node = asking.get(place) or slots[questions[place].slot]
            by_node.setdefault(node, []).append(place)
        links: dict[Node, Any] = {}
        try:
            for node, mine in by_node.items():
                links[node] = link = self._take(node)
                link.send_packed_command([_join(questions, mine, asking)], check_health=False)
            for node, mine in by_node.items():
                for place in mine:
                    if place in asking:
                        _read(links[node])
                    replies[place] = _read(links[node])
        except BaseException:
            # Whatever is still on its way would be taken for the next call's answers.
            for link in links.values():
                with suppress(RedisError, OSError):
                    link.disconnect()
            raise
        for node, link in links.items():
            self._put_back(node, link)

    def _get_slots(self) -> list[Node]:
        slots = self._slots
        if slots is None:
            slots = self._read_slots() if self._address.is_cluster else [self._address.node] * 16384
            self._slots = slots
        return slots

    def _read_slots(self) -> list[Node]:
        """Return the node of each hash slot, as any node of the cluster tells.

        Raises:
            ResponseError: Some slots have no node.
        """
        with self._lock:
            known = [*dict.fromkeys([self._address.node, *self._idle])]
        fault: Exception | None = None
        for node in known:
            try:
                link = self._take(node)
                link.send_packed_command([pack_words((b"CLUSTER", b"SLOTS"))], check_health=False)
                ranges = link.read_response()
            except (RedisError, OSError) as error:
                fault = error
                continue
            self._put_back(node, link)
            slots: list[Node | None] = [None] * 16384
            for first, last, primary, *_ in ranges:
                host = primary[0].decode() if primary[0] else node[0]
                slots[first : last + 1] = [(host, primary[1])] * (last + 1 - first)
            covered = [each for each in slots if each is not None]
            if len(covered) < len(slots):
                raise ResponseError("CLUSTERDOWN Hash slot not served")
            return covered
        assert fault is not None
        raise fault

    def _take(self, node: Node) -> Any:
        with self._lock:
            idle = self._idle.get(node)
            if idle:
                return idle.pop()
        options = {
            **self._address.options,
            "host": node[0],
            "port": node[1],
            "socket_timeout": self._options.timeout_s,
            "socket_connect_timeout": self._options.connect_timeout_s,
            "retry": Retry(NoBackoff(), 0),  # Retrying is this class's business.
            "protocol": 2,
            "driver_info": None,
        }
        link = self._address.connection_class(**options)
        try:
            link.connect()
        except BaseException:
            link.disconnect()
            raise
        return link

    def _put_back(self, node: Node, link: Any) -> None:
        with self._lock:
            if self._is_open:
                self._idle.setdefault(node, []).append(link)
                return
        link.disconnect()

    def _check_open(self) -> None:
        if not self._is_open:
            raise StoreUnavailableError(
                "the store is closed", field="store", value=self.shown, fix="open it again"
            )


def _join(questions: Sequence[Question], places: list[int], asking: dict[int, Node]) -> bytes:
    if not asking:
        return b"".join([questions[place].packed for place in places])
    asks = pack_words((b"ASKING",))
    return b"".join([(asks if n in asking else b"") + questions[n].packed for n in places])


def _read(link: Any) -> Reply:
    """Return an answer; a refusal is returned, too, since more answers follow it."""
    try:
        return link.read_response()
    except ResponseError as error:
        return error
