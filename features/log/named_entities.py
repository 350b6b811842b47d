"""Which entities an event or an order line names, and their keys, inside compiled passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import inlined
from features.entities import Entity
from features.keys import mix_batch_id, mix_entity_key
from features.log.row_tables import CUSTOMER_ID, NONE

_ZERO = np.uint64(0)
_SUPPLIER = int(Entity.SUPPLIER)
_BATCH = int(Entity.BATCH)


@inlined
def compute_key(
    head: Any,
    words: npt.NDArray[np.int64],
    i: int,
    entity: int,
    id_cells: npt.NDArray[np.int64],
) -> Any:
    """Return whether an event (or a line) names an entity, and both halves of its key.

    Args:
        head: The event's head.
        words: Cells of the event or the line.
        i: Which row of them.
        entity: The entity.
        id_cells: First cell of each entity's id.
    """
    cell = id_cells[entity]
    if cell == NONE:
        return False, _ZERO, _ZERO
    if cell == CUSTOMER_ID:
        h1, h2 = head["customer_h1"], head["customer_h2"]
    else:
        h1, h2 = np.uint64(words[i, cell]), np.uint64(words[i, cell + 1])
    if h1 == _ZERO and h2 == _ZERO:
        return False, _ZERO, _ZERO
    if entity == _BATCH:
        supplier = id_cells[_SUPPLIER]
        h1, h2 = mix_batch_id(
            np.uint64(words[i, supplier]), np.uint64(words[i, supplier + 1]), h1, h2
        )
    k1, k2 = mix_entity_key(head["tenant_h1"], head["tenant_h2"], entity, h1, h2)
    return True, k1, k2
