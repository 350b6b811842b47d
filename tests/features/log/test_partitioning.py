from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.entities import Entity
from features.keys import compute_entity_key, compute_event_key
from features.log import structs
from features.log.assemble import build_batch
from features.log.partitioning import (
    compute_entity_keys,
    compute_event_keys,
    compute_partitions,
)
from tests.features.log.event_strategies import LAW

_NAMES = st.text(st.characters(codec="utf-8"), max_size=6)


@LAW
@given(st.lists(st.tuples(_NAMES, _NAMES), max_size=8))
def test_keys_of_columns_equal_the_scalar_keys(pairs: list[tuple[str, str]]) -> None:
    tenants = pa.array([tenant for tenant, _ in pairs], pa.string())
    ids = pa.array([name for _, name in pairs], pa.string())
    assert compute_event_keys(tenants, ids).tolist() == [compute_event_key(*p) for p in pairs]
    keys = compute_entity_keys(tenants, Entity.CUSTOMER, ids)
    expected = [compute_entity_key(t, Entity.CUSTOMER, i) for t, i in pairs]
    assert [key.tobytes() for key in keys] == expected
    assert np.array_equal(compute_entity_keys(tenants[1:], Entity.CUSTOMER, ids[1:]), keys[1:])


def test_a_customers_events_share_a_partition_and_guests_go_by_their_event() -> None:
    batch = build_batch(
        [
            structs.Event(event_id=f"e{i}", tenant="demo", customer_id="" if i % 2 else "c1")
            for i in range(64)
        ]
    )
    partitions = compute_partitions(batch, 8)
    assert set(partitions[::2]) == {compute_entity_key("demo", Entity.CUSTOMER, "c1")[0] % 8}
    expected = [compute_event_key("demo", f"e{i}") % 256 % 8 for i in range(1, 64, 2)]
    assert partitions[1::2].tolist() == expected
