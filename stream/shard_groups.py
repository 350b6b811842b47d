"""Which shards a step owns: all of them in one process, some each in a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.keys import N_SHARDS


@dataclass(frozen=True, slots=True)
class ShardGroups:
    """A division of the shards into groups of neighbours; each group has one owner.

    Few groups make few transactions, many spread better over workers. How many there
    are is no property of the store: progress is kept by shard, so any number goes on
    where another stopped.

    Attributes:
        count: How many groups; a divisor of the number of shards.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or N_SHARDS % self.count:
            raise ValueError(f"{self.count} groups do not divide {N_SHARDS} shards")

    def list_shards(self, group: int) -> range:
        """Return the shards of a group.

        >>> list(ShardGroups(4).list_shards(1))
        [4, 5, 6, 7]
        """
        size = N_SHARDS // self.count
        return range(group * size, (group + 1) * size)

    def find_groups(self, shards: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the group of each shard."""
        return shards * self.count // N_SHARDS


def find_record_shards(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return the shard of each entity key, shape `(m,)`; `features.keys.compute_shard`."""
    shards: npt.NDArray[np.int64] = (keys[:, 0] & (N_SHARDS - 1)).astype(np.int64)
    return shards


def find_seen_shards(event_keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the shard of the seen ledger that each event key belongs to, shape `(n,)`."""
    return (event_keys & np.uint64(N_SHARDS - 1)).astype(np.int64)
