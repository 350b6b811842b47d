"""What Redis and the network answer when something is wrong, in words that say what to do."""

from __future__ import annotations

from redis import exceptions
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from features.errors import StoreUnavailableError

_EXPLAINED = {
    # First word of the answer: what is wrong, what to do, whether waiting may help.
    "OOM": (
        "Redis has no memory left; the batch was not written",
        "raise maxmemory or free memory; the stream goes on where it was",
        True,
    ),
    "READONLY": (
        "this Redis server is a replica",
        "name the primary in the address; after a failover, wait until one is promoted",
        True,
    ),
    "NOREPLICAS": (
        "Redis takes no writes: too few replicas are connected",
        "bring the replicas back, or lower min-replicas-to-write",
        True,
    ),
    "LOADING": ("Redis still loads its data", "wait until it has started", True),
    "BUSY": ("Redis is busy with a script", "wait, or see what else runs on this server", True),
    "MISCONF": (
        "Redis cannot write its snapshot and takes no writes",
        "see its log: most often the disk is full",
        True,
    ),
    "CLUSTERDOWN": (
        "the Redis Cluster is down: some hash slots have no server",
        "see `CLUSTER INFO`; bring the missing nodes back",
        True,
    ),
    "TRYAGAIN": ("the Redis Cluster moves hash slots", "wait until it has finished", True),
    "MASTERDOWN": ("the replica has lost its primary", "wait for the failover", True),
    "NOPERM": ("this user may not do that in Redis", "grant it the commands and keys", False),
    "NOAUTH": ("Redis asks for a password", "write it into the address", False),
    "WRONGPASS": ("user or password are wrong", "correct the address", False),
    "WRONGTYPE": (
        "something else uses the store's keys",
        "choose another prefix in the address (?prefix=NAME)",
        False,
    ),
}


def is_passing(error: Exception) -> bool:
    """Return whether the same call may succeed a little later."""
    if isinstance(error, AuthenticationError):
        return False
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
        return True
    explained = _EXPLAINED.get(_get_code(error))
    return explained is not None and explained[2]


def explain(error: Exception, shown: str) -> StoreUnavailableError:
    """Return the error for the user.

    Args:
        error: What redis-py or the network raised, or a server answered.
        shown: The store's address without password.
    """
    explained = _EXPLAINED.get(_get_code(error))
    if isinstance(error, AuthenticationError):
        explained = explained or _EXPLAINED["WRONGPASS"]
    if explained is not None:
        message, fix, _ = explained
    elif isinstance(error, exceptions.TimeoutError):
        message = "Redis does not answer in time"
        fix = "check the server's load and the network"
    elif isinstance(error, exceptions.ConnectionError | OSError):
        message = "Redis cannot be reached"
        fix = "start it, or correct the address; the stream goes on where it was"
    else:
        message, fix = "Redis refuses a command", "Redis 6.2 or later is needed"
    return StoreUnavailableError(message, field="store", value=f"{shown}: {error}", fix=fix)


def _get_code(error: Exception) -> str:
    if isinstance(error, BusyLoadingError):
        return "LOADING"
    text = str(error)
    if isinstance(error, ResponseError | exceptions.ConnectionError):
        for code, kind in _CLASSES.items():
            if isinstance(error, kind):
                return code
    # redis-py takes some codes off the text when it has a class for them.
    return text.partition(" ")[0].rstrip(":")


def _find_classes() -> dict[str, type[RedisError]]:
    names = {
        "OOM": "OutOfMemoryError",
        "READONLY": "ReadOnlyError",
        "CLUSTERDOWN": "ClusterDownError",
        "TRYAGAIN": "TryAgainError",
        "MASTERDOWN": "MasterDownError",
        "NOPERM": "NoPermissionError",
        "NOAUTH": "AuthenticationRequiredError",
    }
    found = {code: getattr(exceptions, name, None) for code, name in names.items()}
    return {code: kind for code, kind in found.items() if kind is not None}


_CLASSES = _find_classes()
