"""Where a Redis store is, as one address, and how long to wait for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.connection import parse_url

from features.errors import ConfigError

_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """How long a Redis store is waited for.

    Attributes:
        timeout_s: Most seconds for an answer once the question was sent.
        connect_timeout_s: Most seconds to connect.
        retry_for_s: For how long a call is tried again while the server is away. 0:
            one attempt; then calls fail at once until the next attempt is due.
        max_backoff_s: Longest pause between two attempts.
    """

    timeout_s: float = 30.0
    connect_timeout_s: float = 2.0
    retry_for_s: float = 60.0
    max_backoff_s: float = 2.0


READER_OPTIONS = RedisOptions(timeout_s=0.25, connect_timeout_s=0.25, retry_for_s=0.0)
"""For a scorer: a call is answered without the store rather than late."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A parsed address.

    Attributes:
        is_cluster: Whether the server is a node of a Redis Cluster.
        prefix: What all keys of the store begin with (inside a hash tag, if they have one).
        shown: The address without user and password, for messages.
        options: Keyword arguments of `redis.connection.Connection`.
        connection_class: `Connection` or `SSLConnection`.
    """

    is_cluster: bool
    prefix: str
    shown: str
    options: dict[str, Any]
    connection_class: Any

    @property
    def node(self) -> tuple[str, int]:
        """Host and port of the server that is named."""
        return self.options["host"], self.options["port"]


def parse_address(url: str) -> RedisAddress:
    """Return the parts of `redis[s][+cluster]://[user:password@]host[:port][/db][?...]`.

    `?cluster=true` says the same as `+cluster`; `?prefix=NAME` keeps several stores in
    one server apart. Other parameters are those of redis-py (`ssl_ca_certs`, ...).

    >>> parse_address("redis://:secret@db:7000/?cluster=true&prefix=shop").shown
    'redis+cluster://db:7000/?prefix=shop'

    Raises:
        ConfigError: The address cannot be understood.
    """
    parts = urlsplit(url)
    scheme, plus, _ = parts.scheme.partition("+")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    is_cluster = bool(plus) or query.pop("cluster", "").lower() in ("true", "1", "yes")
    prefix = query.pop("prefix", "hemostat")
    path = "" if parts.path == "/" else parts.path
    host = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    shown_scheme = f"{scheme}+cluster" if is_cluster else scheme
    shown = f"{shown_scheme}://{host}{path}/?prefix={prefix}"
    if not _PREFIX.fullmatch(prefix):
        raise _describe_wrong(shown, "a prefix of letters, digits, `_`, `.` and `-`")
    if not re.fullmatch(r"(/\d+)?", path):
        raise _describe_wrong(shown, "a number of a database after the port, or nothing")
    if is_cluster and path not in ("", "/0"):
        raise _describe_wrong(shown, "database 0: a Redis Cluster has no other")
    plain = urlunsplit((scheme, parts.netloc, parts.path, urlencode(query), ""))
    try:
        options = dict(parse_url(plain))  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise _describe_wrong(shown, str(error)) from error
    options.setdefault("host", "localhost")
    options.setdefault("port", 6379)
    connection_class = options.pop("connection_class", None)
    if connection_class is None:
        from redis.connection import Connection

        connection_class = Connection
    return RedisAddress(is_cluster, prefix, shown, options, connection_class)


def _describe_wrong(shown: str, expectation: str) -> ConfigError:
    return ConfigError(
        "the store's address is wrong",
        field="store",
        value=shown,
        expectation=expectation,
        fix="write redis://HOST:PORT/DB?prefix=NAME or redis+cluster://HOST:PORT",
    )
