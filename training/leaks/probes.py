"""Leaks that show when a table is built again from a world in which less had happened.

A column may know what came in by the case's own time. So a table built from the log's
beginning alone must hold the same values for the same cases, bit for bit; a column that
differs knew something from later. What it knew is found by giving back one kind of
later knowledge at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.log.arrow_access import read_ints, read_kind_index
from features.log.schema import EVENT_KINDS
from training.facts import Flags, Ints, find_places, read_envelope
from training.leaks.findings import LeakFinding, LeakKind, Rows

MAX_PREFIX = 100_000
"""Events of the beginning that is built a second time: the gate must stay cheap."""
_LABEL_SET = EVENT_KINDS.index("label_set")


@dataclass(frozen=True, eq=False)
class BuiltTable:
    """What a builder makes of a log: one row per case.

    Attributes:
        names: Of the columns.
        case_id: Names each case, the same in every table that holds it; shape `(n,)`.
        event_id: Event of each case, shape `(n,)`.
        rows: Shape `(n, len(names))`.
    """

    names: Sequence[str]
    case_id: pa.Array
    event_id: pa.Array
    rows: Rows


Build = Callable[[pa.RecordBatch], BuiltTable]
"""Accepted events in log order -> their cases. Called several times; must not change them."""


def choose_end_us(batch: pa.RecordBatch, max_events: int = MAX_PREFIX) -> int | None:
    """Return until when the beginning goes: at most half of the log; None without any event."""
    ingest_us = np.sort(read_ints(batch.column("ingest_time")))
    n_early = min(max_events, len(ingest_us) // 2)
    return int(ingest_us[n_early - 1]) if n_early else None


def probe_time(
    build: Build, batch: pa.RecordBatch, end_us: int, whole: BuiltTable | None = None
) -> list[LeakFinding]:
    """Return one finding per column that knows more than had come in.

    Args:
        build: Makes the table.
        batch: Accepted events, in log order.
        end_us: Until when (ingest time) the beginning goes; see `choose_end_us`.
        whole: The table of all events, if it is there already.
    """
    is_early = read_ints(batch.column("ingest_time")) <= end_us
    early = build(batch.filter(pa.array(is_early)))
    whole = build(batch) if whole is None else whole
    differs = _compare(early, whole)
    suspects = np.flatnonzero(differs.any(axis=0))
    if len(suspects) == 0:
        return []
    worlds = _Worlds(build, batch, is_early, end_us, early)
    return [worlds.explain(int(column), differs[:, column]) for column in suspects]


class _Worlds:
    """Tables of the beginning with one kind of later knowledge given back; built when asked."""

    def __init__(
        self,
        build: Build,
        batch: pa.RecordBatch,
        is_early: Flags,
        end_us: int,
        early: BuiltTable,
    ) -> None:
        self._build = build
        self._batch = batch
        self._early = early
        is_label = read_kind_index(batch) == _LABEL_SET
        has_happened = read_ints(batch.column("event_time")) <= end_us
        is_half = read_envelope(batch).group % 2 == 0
        self._is_half = is_half
        self._later = {
            "labels": ~is_early & is_label,
            "labels of half": ~is_early & is_label & is_half,
            "late": ~is_early & ~is_label & has_happened,
        }
        self._is_early = is_early
        self._found: dict[str, Flags] = {}

    def explain(self, column: int, differs: Flags) -> LeakFinding:
        """Return the finding about a column that differs for some cases of the beginning."""
        name = self._early.names[column]
        share = f"{int(differs.sum()):,} of {len(differs):,} cases"
        by_labels = self._see("labels")[:, column]
        if by_labels.any():
            by_half = self._see("labels of half")[:, column]
            if not (by_half & ~self._is_case_of_half()).any():
                evidence = f"verdicts on the same customer, told later, change it for {share}"
                return LeakFinding(LeakKind.SELF_INCLUSION, name, evidence)
            evidence = f"verdicts on other customers, told later, change it for {share}"
            return LeakFinding(LeakKind.GLOBAL_TARGET_ENCODING, name, evidence)
        if self._see("late")[:, column].any():
            evidence = f"events that had happened and not come in change it for {share}"
            return LeakFinding(LeakKind.LATE_ARRIVAL, name, evidence)
        evidence = f"events that had not happened change it for {share}"
        return LeakFinding(LeakKind.FUTURE_PEEK, name, evidence)

    def _see(self, world: str) -> Flags:
        """Return which values change if that knowledge is given back, shape `(n, F)`."""
        if world not in self._found:
            is_there = pa.array(self._is_early | self._later[world])
            self._found[world] = _compare(self._early, self._build(self._batch.filter(is_there)))
        return self._found[world]

    def _is_case_of_half(self) -> Flags:
        """Return which cases are of customers whose labels were given back."""
        place = find_places(self._early.event_id, self._batch.column("event_id"))
        return np.asarray(self._is_half[place], np.bool_)


def _compare(early: BuiltTable, later: BuiltTable) -> Flags:
    """Return where values of the beginning's cases are others in the later table."""
    place: Ints = find_places(early.case_id, later.case_id)
    other = later.rows[place]
    is_same = (early.rows == other) | (np.isnan(early.rows) & np.isnan(other))
    return np.asarray((place >= 0)[:, None] & ~is_same, np.bool_)
