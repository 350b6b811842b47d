"""Why an event of the log is not applied, one reason per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt


class RejectionReason(StrEnum):
    """Kinds of fault; what a dead letter and a metric are labelled with."""

    MALFORMED = "malformed"
    """The line is no event: not JSON, unknown field, wrong type."""
    UNKNOWN_KIND = "unknown_kind"
    """An event kind that this version does not know."""
    MISSING_FIELD = "missing_field"
    """A field that every such event needs is absent or empty."""
    BAD_VALUE = "bad_value"
    """A value outside its range, or one that contradicts another."""
    LATE = "late"
    """Happened too long before the log took it in."""
    FUTURE = "future"
    """Happened after the log took it in: a wrong clock."""
    NOT_YET_KNOWN = "not_yet_known"
    """Known only after the log took it in."""
    CONFLICT = "conflict"
    """An event id seen before with other content; found where ids are remembered."""


class Rejection(msgspec.Struct, frozen=True):
    """One row that is not applied.

    Attributes:
        offset: The row's offset in its partition.
        reason_code: Which kind of fault.
        field: The field at fault, as `order_placed.lines[2].quantity`.
        value_shown: The value met: a number, time or enum name as it is, anything
            else by its type; never raw text and never an identifier.
        expectation: What would have been right.
        fix: What to do now.
    """

    offset: int
    reason_code: RejectionReason
    field: str
    value_shown: str
    expectation: str
    fix: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a check asks for: the constant parts of its rejections."""

    reason: RejectionReason
    field: str
    expectation: str
    fix: str


class RejectionCollector:
    """Gathers the first fault of each row of one batch.

    Args:
        n_rows: Rows of the batch.
        offset: Offset of its first row.
    """

    def __init__(self, n_rows: int, offset: int) -> None:
        self.is_rejected: npt.NDArray[np.bool_] = np.zeros(n_rows, np.bool_)
        self._offset = offset
        self._rejections: list[Rejection] = []

    def reject(
        self,
        rows: npt.NDArray[np.int64],
        expected: Expectation,
        shown: str | Sequence[str],
        fields: Sequence[str] | None = None,
    ) -> None:
        """Reject rows that have no earlier fault.

        Args:
            rows: Rows at fault; one may stand there several times.
            expected: What was asked of them.
            shown: The value met, as it may be shown: one for all, or one per row.
            fields: The field of each row, where `expected.field` is not enough.
        """
        for position, row in enumerate(rows.tolist()):
            if self.is_rejected[row]:
                continue
            self.is_rejected[row] = True
            self._rejections.append(
                Rejection(
                    offset=self._offset + row,
                    reason_code=expected.reason,
                    field=expected.field if fields is None else fields[position],
                    value_shown=shown if isinstance(shown, str) else shown[position],
                    expectation=expected.expectation,
                    fix=expected.fix,
                )
            )

    def add(self, row: int, rejection: Rejection) -> None:
        """Reject a row, unless it has an earlier fault; the offset is put right here."""
        if not self.is_rejected[row]:
            self.is_rejected[row] = True
            self._rejections.append(msgspec.structs.replace(rejection, offset=self._offset + row))

    def build(self) -> tuple[Rejection, ...]:
        """Return the rejections by offset."""
        return tuple(sorted(self._rejections, key=lambda rejection: rejection.offset))
