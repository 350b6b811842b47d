"""Rules of a commit that are the same for every adapter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.errors import CommitConflictError
from features.keys import ENTITY_KEY_SIZE, N_SHARDS
from features.store.port import (
    DEDUP_HORIZON_US,
    MAX_EARLY_US,
    SEEN_GENERATION_US,
    RecordCommit,
    SeenCommit,
)


def check_keys(shard: int, keys: npt.NDArray[np.uint8]) -> None:
    """Refuse entity keys of another shard: two owners would overwrite each other.

    Raises:
        ValueError: A key belongs to another shard, or `keys` has another shape.
    """
    if keys.ndim != 2 or keys.shape[1] != ENTITY_KEY_SIZE:
        raise ValueError(f"keys of shape {keys.shape} in place of (m, {ENTITY_KEY_SIZE})")
    shards = keys[:, 0] & (N_SHARDS - 1)
    if (shards != shard).any():
        stranger = int(shards[shards != shard][0])
        raise ValueError(f"key of shard {stranger} in a commit of shard {shard}")


def check_records(commits: Sequence[RecordCommit]) -> None:
    """Refuse record commits that no caller should make.

    Raises:
        ValueError: A key of another shard, a shard named twice, a missing record.
    """
    _check_distinct([commit.shard for commit in commits])
    for commit in commits:
        check_keys(commit.shard, commit.keys)
        ends = commit.packed.ends
        if len(ends) != len(commit.keys):
            raise ValueError(f"{len(commit.keys)} keys for {len(ends)} records")
        if len(ends) and (np.diff(ends, prepend=0) <= 0).any():
            raise ValueError("a record without bytes: use delete_records")


def check_seen(commits: Sequence[SeenCommit]) -> None:
    """Refuse seen commits that no caller should make.

    Raises:
        ValueError: An event key of another shard, a shard named twice, a zero.
    """
    _check_distinct([commit.shard for commit in commits])
    for commit in commits:
        keys, entries = commit.event_keys, commit.entries
        if not len(keys) == len(entries) == len(commit.ingest_us):
            raise ValueError("event keys, entries and ingest times of different lengths")
        shards = keys & np.uint64(N_SHARDS - 1)
        if (shards != np.uint64(commit.shard)).any():
            raise ValueError(f"event key of another shard in a commit of shard {commit.shard}")
        if not (keys.all() and entries["content_hash"].all() and entries["telling"].all()):
            raise ValueError("0 as event key, content hash or telling means: none")


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
            fix="run one stream per shard; start again, it continues from the store",
        )


def find_live_generation(applied_ingest_us: int) -> int:
    """Return the number of the oldest generation of seen ids that can still matter.

    An id seen at I happened at I + 5 min at the latest, and is refused as late from
    30 days after that on; a generation ends when its last id can no longer arrive.

    >>> find_live_generation(0)
    0
    >>> find_live_generation(3 * SEEN_GENERATION_US)
    1
    """
    horizon_us = applied_ingest_us - DEDUP_HORIZON_US - MAX_EARLY_US
    return max(0, horizon_us // SEEN_GENERATION_US)


def _check_distinct(shards: Sequence[int]) -> None:
    if len(set(shards)) != len(shards):
        raise ValueError(f"a shard is named twice: {sorted(shards)}")
