"""Generations of a store in Redis: a prefix each, and one field that names the one in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from features.keys import N_SHARDS
from features.store.generations import describe_in_use, describe_unknown
from features.store.redis_address import RedisOptions, parse_address
from features.store.redis_link import Question, RedisLinks
from features.store.redis_scripts import ShardKeys

_OPTIONS = RedisOptions(retry_for_s=5.0)
_LINGERS_S = b"60"


@contextmanager
def _open_links(url: str) -> Iterator[tuple[RedisLinks, bytes, str]]:
    """Yield connections, the key of the store's head, and the prefix."""
    address = parse_address(url)
    links = RedisLinks(address, _OPTIONS)
    try:
        yield links, f"{address.prefix}:store".encode(), address.prefix
    finally:
        links.close()


def read_generations(url: str) -> tuple[int, list[int]]:
    """Return the generation in use (0: there is no store) and all, ascending."""
    with _open_links(url) as (links, head, _):
        return _read(links, head)


def begin_generation(url: str) -> int:
    """Make an empty generation beside the others and return its number."""
    with _open_links(url) as (links, head, _):
        number = max(_read(links, head)[1], default=0) + 1
        # Another process may begin one at the same moment: whoever sets the field has it.
        while not links.ask_one(head, b"HSETNX", head, b"g:%d" % number, b"1"):
            number += 1
        return number


def swap_generation(url: str, number: int) -> int:
    """Put a generation in use and return the number of the one that was.

    Raises:
        ConfigError: There is no such generation.
    """
    with _open_links(url) as (links, head, _):
        current, numbers = _read(links, head)
        if number not in numbers:
            raise describe_unknown(links.shown, number)
        links.ask_one(head, b"HSET", head, b"current", b"%d" % number)
        return current


def drop_generation(url: str, number: int) -> None:
    """Delete a generation that is not in use.

    One that was in use before stays readable for a minute, under its old name: a
    scorer that has not looked yet would take missing records for new customers.

    Raises:
        ConfigError: It is in use, or there is none.
    """
    with _open_links(url) as (links, head, prefix):
        current, numbers = _read(links, head)
        if number == current:
            raise describe_in_use(links.shown, number)
        if number not in numbers:
            raise describe_unknown(links.shown, number)
        for shard in range(N_SHARDS):
            keys = ShardKeys.of(prefix, number, shard)
            fields = links.ask_one(keys.seen_state, b"HKEYS", keys.seen_state)
            seen = [keys.get_seen(int(field[2:])) for field in fields if field[:2] == b"g:"]
            names = [keys.records, keys.records_state, *seen, keys.seen_state]
            if number < current:  # A later number may be given again, and must be gone.
                links.ask([Question.ask(name, b"EXPIRE", name, _LINGERS_S) for name in names])
            else:
                links.ask([Question.ask(names[0], b"UNLINK", *names)])
        links.ask_one(head, b"HDEL", head, b"g:%d" % number)


def _read(links: RedisLinks, head: bytes) -> tuple[int, list[int]]:
    flat = links.ask_one(head, b"HGETALL", head)
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    numbers = [int(name[2:]) for name in fields if name[:2] == b"g:"]
    return int(fields.get(b"current", 0)), sorted(numbers)
