"""Keys of the customers of events in cells."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from features.compiled import compiled_without_allocation, uint64_2d
from features.entities import Entity
from features.keys import mix_entity_key
from features.log.cells import HEAD_DTYPE

_CUSTOMER = int(Entity.CUSTOMER)
_TENANT, _ID = (HEAD_DTYPE.fields[name][1] // 8 for name in ("tenant_h1", "customer_h1"))  # type: ignore[index]


@compiled_without_allocation(numba.void(uint64_2d, uint64_2d))
def _mix_customer_keys(heads: Any, keys: Any) -> None:
    for i in range(len(keys)):
        id_h1, id_h2 = heads[i, _ID], heads[i, _ID + 1]
        if id_h1 == 0 and id_h2 == 0:
            keys[i, 0] = 0
            keys[i, 1] = 0
            continue
        tenant_h1, tenant_h2 = heads[i, _TENANT], heads[i, _TENANT + 1]
        h1, h2 = mix_entity_key(tenant_h1, tenant_h2, _CUSTOMER, id_h1, id_h2)
        keys[i, 0] = h1
        keys[i, 1] = h2


def compute_customer_keys(head: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """Return the CUSTOMER entity key of each event's head, shape `(n, 16)`; zeros for guests."""
    keys = np.empty((len(head), 2), np.uint64)
    words = np.ascontiguousarray(head).view(np.uint64).reshape(len(head), -1)
    _mix_customer_keys(words, keys)
    return keys.view(np.uint8)
