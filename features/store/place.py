"""Telling addresses of Redis from folders, without loading a client of Redis."""

from __future__ import annotations

REDIS_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster")


def is_redis_url(place: str) -> bool:
    """Return whether a place is an address of Redis, and not a folder.

    >>> is_redis_url("redis://localhost"), is_redis_url("data/store")
    (True, False)
    """
    scheme, found, _ = place.partition("://")
    return bool(found) and scheme in REDIS_SCHEMES
