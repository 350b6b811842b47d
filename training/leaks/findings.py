"""What a leak is, and the table that is looked through for leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from training.facts import Flags, Ints

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


class LeakKind(StrEnum):
    """Ways in which a table knows too much."""

    POST_OUTCOME_FIELD = "post-outcome field"
    GLOBAL_TARGET_ENCODING = "global target encoding"
    LATE_ARRIVAL = "late arrival used early"
    SELF_INCLUSION = "self-inclusion"
    IMMATURE_LABEL = "immature label"
    FUTURE_PEEK = "peek at the future"


FIXES = {
    LeakKind.POST_OUTCOME_FIELD: "leave out the field: it is written when the outcome is known",
    LeakKind.GLOBAL_TARGET_ENCODING: "encode by outcomes known before each case, not by all",
    LeakKind.LATE_ARRIVAL: "go by when the event came in (ingest_time), not by when it happened",
    LeakKind.SELF_INCLUSION: "leave each case's own outcome out of its columns",
    LeakKind.IMMATURE_LABEL: "learn from cases whose horizon has passed (`label_cases`)",
    LeakKind.FUTURE_PEEK: "compute each column from what was known at the case's own time",
}
"""What to do about each."""


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """One leak.

    Attributes:
        kind: Which way.
        column: The column, or the head whose labels are immature.
        evidence: What gave it away, with numbers.
    """

    kind: LeakKind
    column: str
    evidence: str

    @property
    def fix(self) -> str:
        """What to do about it."""
        return FIXES[self.kind]


@dataclass(frozen=True, eq=False)
class CaseTable:
    """Cases as they go into learning; arrays of `n` entries.

    Attributes:
        head: Whose labels they are.
        names: Of the columns.
        rows: Shape `(n, len(names))`.
        label: 1 positive, 0 negative; of no meaning where not `is_used`.
        is_used: The case teaches.
        time_us: When each case happened.
        group: Number of its customer.
        horizon_us: Time after a case within which its outcome counts.
        as_of_us: When the model is born: nothing later may teach.
    """

    head: str
    names: Sequence[str]
    rows: Rows
    label: Floats
    is_used: Flags
    time_us: Ints
    group: Ints
    horizon_us: int
    as_of_us: int

    def __post_init__(self) -> None:
        """Refuse a table with columns that have no name: nobody would look at them.

        Raises:
            ValueError: There are not as many names as columns.
        """
        if self.rows.shape[1] != len(self.names):
            raise ValueError(f"{self.rows.shape[1]} columns under {len(self.names)} names")

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.label)
