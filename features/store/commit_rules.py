"""Rules of a commit that are the same for every adapter."""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import CommitConflictError
from features.keys import compute_shard
from features.store.port import DEDUP_HORIZON_US, MAX_EARLY_US, ShardProgress


def check_owner(shard: int, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse records of another shard: two owners would overwrite each other.

    Raises:
        ValueError: A key belongs to another shard.
    """
    for key, _ in records:
        if compute_shard(key) != shard:
            raise ValueError(f"record of shard {compute_shard(key)} in a commit of shard {shard}")


def check_version(shard: int, expected: int, stored: int) -> None:
    """Refuse a commit that was prepared on another version of the shard.

    Raises:
        CommitConflictError: The versions differ.
    """
    if expected != stored:
        raise CommitConflictError(
            "another stream has written to this shard since it was read",
            field=f"shard {shard} version",
            value=str(stored),
            expectation=str(expected),
            fix="run one stream per store; start again, it continues from the store",
        )


def compute_forget_before_us(progress: ShardProgress) -> int:
    """Return the `ingest_time` before which seen ids can no longer arrive again.

    An id seen at I happened at I + 5 min at the latest, and is refused as late
    from 30 days after that on.
    """
    return progress.applied_ingest_us - DEDUP_HORIZON_US - MAX_EARLY_US
