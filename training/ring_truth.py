"""Which cases of a simulated log belong to which ring; for evaluation only.

Nothing that trains may read it: in a shop the truth does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.log.arrow_access import KindColumn, read_kind_index
from features.log.schema import EVENT_KINDS
from training.cases import CaseSet
from training.facts import Ints
from training.simulation.patterns import Pattern
from training.simulation.truth import TRUTH_FILE

_LINKS: Final = ("device_hash", "address_hash", "payment_token_hash")
NO_RING: Final = -1


@dataclass(frozen=True, eq=False)
class RingTruth:
    """Rings of a log: accounts of that pattern that share a device, an address or a payment.

    Attributes:
        case_ids: Event ids of the abusive cases of rings.
        rings: Number of each one's ring, from 0, shape `(n,)`.
    """

    case_ids: pa.Array
    rings: Ints

    def find(self, cases: CaseSet) -> Ints:
        """Return the ring of each case, -1 for all that are not abuse by one, shape `(n,)`."""
        found = pc.index_in(cases.event_id, self.case_ids).fill_null(len(self.rings))
        places = found.to_numpy(zero_copy_only=False)
        ring: Ints = np.append(self.rings, NO_RING)[places]
        return ring


def read_rings(log: Path, batch: pa.RecordBatch) -> RingTruth | None:
    """Return the rings of a simulated log; None if it has no truth beside it, or no ring.

    Args:
        log: The log's folder.
        batch: Its accepted events.
    """
    if not (log / TRUTH_FILE).is_file():
        return None
    truth = pq.read_table(log / TRUTH_FILE, columns=["case_event_id", "pattern", "is_abuse"])
    is_ring = pc.and_(pc.equal(truth.column("pattern"), Pattern.RING.value), truth["is_abuse"])
    wanted = truth.column("case_event_id").filter(is_ring).combine_chunks()
    place = pc.index_in(wanted, batch.column("event_id")).drop_null()
    if not len(place):
        return None
    customer = batch.column("customer_id").take(place)
    ring_of = _link_accounts(batch, pc.unique(customer))
    rings = np.array([ring_of[one] for one in customer.to_pylist()], np.int64)
    return RingTruth(batch.column("event_id").take(place), rings)


def _link_accounts(batch: pa.RecordBatch, customers: pa.Array) -> dict[str, int]:
    """Return the ring of each account: those that share a link, through others, too."""
    kind = EVENT_KINDS.index("order_placed")
    is_order = read_kind_index(batch) == kind
    is_theirs = pc.is_in(batch.column("customer_id"), customers).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_order & is_theirs)
    orders = KindColumn(batch, "order_placed", rows)
    names = batch.column("customer_id").take(pa.array(rows)).to_pylist()
    leader = {name: name for name in customers.to_pylist()}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for field in _LINKS:
        first: dict[str, str] = {}
        links = orders.column(field).take(pa.array(rows)).to_pylist()
        for name, link in zip(names, links, strict=True):
            if link:
                leader[find(name)] = find(first.setdefault(link, name))
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(find(name), len(numbers)) for name in leader}
