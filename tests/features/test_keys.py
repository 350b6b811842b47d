from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.keys import (
    ENTITY_KEY_SIZE,
    N_SHARDS,
    compute_entity_key,
    compute_event_key,
    compute_shard,
)

# Identifiers as validation lets them in: no control characters.
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


def test_keys_never_change_between_versions() -> None:
    # Stores and logs outlive a release: another hash would orphan every record.
    assert compute_event_key("demo", "e1") == 3_992_531_968_500_796_751
    assert compute_entity_key("demo", "customer", "c1").hex() == "970b82066b34b579e89a288590c45ea7"


@given(IDS, IDS, IDS, IDS)
def test_another_tenant_or_id_is_another_key(a: str, b: str, c: str, d: str) -> None:
    is_same = (a, b) == (c, d)
    assert (compute_event_key(a, b) == compute_event_key(c, d)) is is_same
    assert (compute_entity_key(a, "customer", b) == compute_entity_key(c, "customer", d)) is is_same


@given(IDS, IDS)
def test_an_event_key_fits_its_column_and_is_never_the_empty_place(tenant: str, name: str) -> None:
    assert 0 < compute_event_key(tenant, name) <= np.iinfo(np.uint64).max


@given(IDS, IDS)
def test_an_entity_key_has_its_size_and_a_shard(tenant: str, name: str) -> None:
    key = compute_entity_key(tenant, "customer", name)
    assert len(key) == ENTITY_KEY_SIZE
    assert 0 <= compute_shard(key) < N_SHARDS


def test_entities_of_one_id_do_not_share_a_record() -> None:
    assert compute_entity_key("demo", "customer", "x") != compute_entity_key("demo", "sku", "x")


def test_customers_spread_over_all_shards_evenly() -> None:
    keys = [compute_entity_key("demo", "customer", f"c{n}") for n in range(16_000)]
    counts = np.bincount([compute_shard(key) for key in keys], minlength=N_SHARDS)
    # 1,000 each, standard deviation 31.
    assert counts.min() > 850
    assert counts.max() < 1_150
