"""The ids that a case names, as text columns: what Feast joins on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

CASE_KINDS: Mapping[str, str] = {
    "order_placed": "order",
    "cancel_requested": "cancellation",
    "return_requested": "return",
}
"""Kinds that tell a case, and the name of its call."""

PRODUCT_IDS = ("sku", "style", "supplier", "batch")
PLACE_IDS = ("region", "store_id", "device_hash", "address_hash", "payment_token_hash")

_LINES = "lines"


def read_case_ids(kind: str, cases: pa.StructArray) -> dict[str, pa.Array]:
    """Return each id's column of some cases of one kind; empty where a case does not name it.

    An order's product is that of its dearest line, the first of equals.

    Args:
        kind: One of `CASE_KINDS`.
        cases: Their struct column without nulls.
    """
    names = {field.name for field in cases.type}
    product = _take_dearest(cases.field(_LINES)) if _LINES in names else cases
    columns = {name: product.field(name) for name in PRODUCT_IDS}
    nothing = pa.array([""] * len(cases), pa.string())
    for name in PLACE_IDS:
        columns[name] = cases.field(name) if name in names else nothing
    return columns


def _take_dearest(lists: pa.ListArray) -> pa.StructArray:
    """Return the dearest line of each order, null for one without lines."""
    lines = pc.list_flatten(lists)
    owners = pc.list_parent_indices(lists).to_numpy()
    values = (
        lines.field("quantity").to_numpy().astype(np.int64)
        * lines.field("unit_price_minor").to_numpy()
    )
    # By order, then dearest first; stable, so that the first of equals comes first.
    order = np.lexsort((np.arange(len(values)), -values, owners))
    firsts: npt.NDArray[np.int64] = order[np.unique(owners[order], return_index=True)[1]]
    places = np.full(len(lists), -1, np.int64)
    places[owners[firsts]] = firsts
    return lines.take(pa.array(places, mask=places < 0))
