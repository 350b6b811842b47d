"""Rows of a batch are sorted by shard and key, whatever the keys are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.keys import N_SHARDS
from stream.grouping import group_rows

Keys = npt.NDArray[np.uint8]


def _check(keys: Keys) -> None:
    """Compare with sorting in Python: by shard, then by bytes, rows of a key in their order."""
    grouped = group_rows(keys)
    names = [key.tobytes() for key in keys]
    distinct = sorted(set(names), key=lambda name: (name[0] % N_SHARDS, name))
    assert [names[place] for place in grouped.firsts] == distinct
    expected = sorted(range(len(names)), key=lambda row: (distinct.index(names[row]), row))
    assert grouped.order.tolist() == expected
    assert [distinct[owner] for owner in grouped.owners] == [names[row] for row in expected]
    bounds = [sum(name[0] % N_SHARDS < shard for name in distinct) for shard in range(N_SHARDS + 1)]
    assert grouped.shard_starts.tolist() == bounds


# Few values per byte: equal keys, and keys that differ in their last bytes only.
_KEYS = st.lists(st.lists(st.sampled_from([0, 1, 16, 255]), min_size=16, max_size=16), max_size=40)


@settings(deadline=None)
@given(_KEYS)
def test_rows_stand_by_shard_and_key_and_those_of_one_key_in_their_order(
    rows: list[list[int]],
) -> None:
    _check(np.array(rows, np.uint8).reshape(-1, 16))


@pytest.mark.parametrize("n_distinct", [1, 3, 700])
def test_many_rows_of_random_keys(n_distinct: int) -> None:
    rng = np.random.default_rng(n_distinct)
    known = rng.integers(0, 256, (n_distinct, 16), np.uint8)
    _check(known[rng.integers(0, n_distinct, 1_000)])


def test_keys_of_one_bucket_that_collide_in_the_table_are_told_apart() -> None:
    # The table's slot is of the last eight bytes: equal here for all; so is the bucket.
    keys = np.zeros((50, 16), np.uint8)
    keys[:, 7] = np.random.default_rng(1).permutation(50)
    _check(keys)


def test_a_view_into_wider_rows_is_grouped_as_its_copy() -> None:
    wide = np.random.default_rng(2).integers(0, 4, (60, 20), np.uint8)
    _check(wide[:, 2:18])
