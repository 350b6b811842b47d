from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.entities import N_ENTITIES, Entity
from features.hashing import hash_bytes
from features.keys import (
    ENTITY_KEY_SIZE,
    N_SHARDS,
    compute_batch_key,
    compute_case_names,
    compute_entity_key,
    compute_event_key,
    compute_link,
    compute_member,
    compute_shard,
)

# Identifiers as validation lets them in: no control characters.
IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40)


def test_keys_never_change_between_versions() -> None:
    # Stores and logs outlive a release: another hash would orphan every record.
    assert compute_event_key("demo", "e1") == 14_467_643_361_229_781_768
    assert (
        compute_entity_key("demo", Entity.CUSTOMER, "c1").hex()
        == "6451fbbd31d18fb8474d19280f4442e9"
    )
    assert compute_batch_key("demo", "s1", "b1").hex() == "03d35ca89f0cb35c85f60c71e1dc72b7"
    assert compute_link("demo", "o1") == 9_980_662_467_504_970_669


@given(IDS, IDS, IDS, IDS)
def test_another_tenant_or_id_is_another_key(a: str, b: str, c: str, d: str) -> None:
    is_same = (a, b) == (c, d)
    assert (compute_event_key(a, b) == compute_event_key(c, d)) is is_same
    assert (
        compute_entity_key(a, Entity.CUSTOMER, b) == compute_entity_key(c, Entity.CUSTOMER, d)
    ) is is_same


@given(IDS, IDS)
def test_an_event_key_fits_its_column_and_is_never_the_empty_place(tenant: str, name: str) -> None:
    assert 0 < compute_event_key(tenant, name) <= np.iinfo(np.uint64).max


@given(IDS, IDS)
def test_an_entity_key_has_its_size_and_a_shard(tenant: str, name: str) -> None:
    key = compute_entity_key(tenant, Entity.CUSTOMER, name)
    assert len(key) == ENTITY_KEY_SIZE
    assert 0 <= compute_shard(key) < N_SHARDS


def test_entities_of_one_id_do_not_share_a_record() -> None:
    assert compute_entity_key("demo", Entity.CUSTOMER, "x") != compute_entity_key(
        "demo", Entity.SKU, "x"
    )


def test_customers_spread_over_all_shards_evenly() -> None:
    keys = [compute_entity_key("demo", Entity.CUSTOMER, f"c{n}") for n in range(16_000)]
    counts = np.bincount([compute_shard(key) for key in keys], minlength=N_SHARDS)
    # 1,000 each, standard deviation 31.
    assert counts.min() > 850
    assert counts.max() < 1_150


def _to_words(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little") for value in values)


@given(IDS, IDS, st.sampled_from([entity for entity in Entity if entity is not Entity.BATCH]))
def test_an_entity_key_hashes_tenant_entity_and_id(tenant: str, name: str, entity: Entity) -> None:
    words = _to_words(*hash_bytes(tenant.encode()), int(entity), *hash_bytes(name.encode()))
    assert compute_entity_key(tenant, entity, name) == _to_words(*hash_bytes(words))


@given(IDS, IDS, IDS)
def test_a_batch_is_its_suppliers(tenant: str, supplier: str, batch: str) -> None:
    pair = _to_words(*hash_bytes(supplier.encode()), *hash_bytes(batch.encode()))
    words = _to_words(*hash_bytes(tenant.encode()), int(Entity.BATCH), *hash_bytes(pair))
    assert compute_batch_key(tenant, supplier, batch) == _to_words(*hash_bytes(words))


@given(IDS, IDS, st.lists(IDS, min_size=2 * N_ENTITIES, max_size=2 * N_ENTITIES))
def test_the_names_of_cases_equal_the_single_ones(
    tenant: str, event_id: str, ids: list[str]
) -> None:
    names = compute_case_names(tenant, event_id, ids)
    assert names.event_key == compute_event_key(tenant, event_id)
    for case in range(2):
        own = ids[case * N_ENTITIES :][:N_ENTITIES]
        assert names.style_links[case] == compute_link(tenant, own[Entity.STYLE])
        for entity in Entity:
            if entity is Entity.BATCH:
                expected = compute_batch_key(tenant, own[Entity.SUPPLIER], own[Entity.BATCH])
            else:
                expected = compute_entity_key(tenant, entity, own[entity])
            assert names.entity_keys[case * N_ENTITIES + entity] == expected


def test_a_batch_key_is_not_made_without_its_supplier() -> None:
    with pytest.raises(ValueError, match="compute_batch_key"):
        compute_entity_key("demo", Entity.BATCH, "b1")


@given(IDS, IDS)
def test_only_the_empty_id_has_no_link(tenant: str, name: str) -> None:
    assert (compute_link(tenant, name) == 0) is (not name)


def test_a_member_is_half_of_the_customers_key() -> None:
    key = compute_entity_key("demo", Entity.CUSTOMER, "c1")
    assert compute_member(key).to_bytes(8, "little") == key[:8]
