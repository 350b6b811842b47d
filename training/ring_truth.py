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

from training.cases import CaseSet
from training.facts import Flags, Ints
from training.simulation.truth import TRUTH_FILE

NO_RING: Final = -1


@dataclass(frozen=True, eq=False)
class RingTruth:
    """The cases of rings' accounts.

    Attributes:
        case_ids: Their event ids, `n` of them.
        rings: Number of each one's ring, from 0, shape `(n,)`.
        is_abuse: Which of them are abuse, shape `(n,)`.
    """

    case_ids: pa.Array
    rings: Ints
    is_abuse: Flags

    def find(self, cases: CaseSet, *, is_abuse_only: bool = False) -> Ints:
        """Return the ring of each case's customer, -1 for all others, shape `(n_cases,)`.

        Args:
            cases: Cases of one call.
            is_abuse_only: Name the ring of its abusive cases alone.
        """
        rings = np.where(self.is_abuse, self.rings, NO_RING) if is_abuse_only else self.rings
        found = pc.index_in(cases.event_id, self.case_ids).fill_null(len(rings))
        ring: Ints = np.append(rings, NO_RING)[found.to_numpy(zero_copy_only=False)]
        return ring


def read_rings(log: Path) -> RingTruth | None:
    """Return the rings of a simulated log; None if there is no truth that names them, or none.

    Args:
        log: The log's folder.
    """
    file = log / TRUTH_FILE
    if not file.is_file() or "ring" not in pq.read_schema(file).names:
        return None
    truth = pq.read_table(file, columns=["case_event_id", "is_abuse", "ring"])
    theirs = truth.filter(pc.not_equal(truth.column("ring"), ""))
    is_abuse = theirs.column("is_abuse").to_numpy()
    if not is_abuse.any():
        return None
    names = theirs.column("ring").to_pylist()
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    rings = np.array([number[name] for name in names], np.int64)
    return RingTruth(theirs.column("case_event_id").combine_chunks(), rings, is_abuse)
