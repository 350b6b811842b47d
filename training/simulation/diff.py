"""What a what-if changed: two logs of the same seed compared, and each difference explained.

A what-if must change only what it causes. Nothing may differ before its day, and
whatever differs later must hang together with what was changed: `closure` walks
from the changed cell over the stock of a SKU, a customer's own later life, and
shared devices and addresses. What it cannot reach is an error of the simulation
(or the logs are not of one seed).

One limit: an order whose own event reaches the log after the horizon's end still
took its goods off the shelf, unseen. In the last three weeks of a log a few
differences may therefore stay unexplained; compare longer logs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import xxhash

from training.simulation.closure import Change, Closure, Connections, Fact, Reason

Row = Mapping[str, Any]
"""An event: the envelope's fields (times in microseconds) and one member of its kind's name."""
RowSource = Callable[[], Iterable[Row]]
"""Gives the rows of a log from its beginning, each time it is called."""

_ENVELOPE = frozenset(
    {
        "event_id",
        "tenant",
        "event_time",
        "known_at",
        "ingest_time",
        "customer_id",
        "channel",
        "kind",
    }
)


class Presence(StrEnum):
    """Where a fact stands."""

    REMOVED = "removed"
    """Only in the first log."""
    ADDED = "added"
    """Only in the second log."""
    CHANGED = "changed"
    """In both, with another content or time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that differs.

    Attributes:
        time_us: When it happened; the earlier of both.
        day: The same in days since the change; negative: before.
        kind: Kind of the event.
        entity: Customer, or what an anonymous fact is about.
        presence: Where it stands.
        reason: Why it may differ. None: nothing explains it.
    """

    time_us: int
    day: int
    kind: str
    entity: str
    presence: Presence
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class DiffReport:
    """The differences of two logs, in order of time.

    Attributes:
        change: What was changed.
        n_first: Events of the first log.
        n_second: Events of the second log.
        n_common: Events that are equal in both.
        differences: What is not.
        skus: SKUs whose stock differs, as far as the logs show.
    """

    change: Change
    n_first: int
    n_second: int
    n_common: int
    differences: tuple[Difference, ...]
    skus: tuple[str, ...]

    @property
    def n_early(self) -> int:
        """Differences before the day of the change."""
        return sum(difference.day < 0 for difference in self.differences)

    @property
    def n_unexplained(self) -> int:
        """Differences that nothing connects with the change."""
        return sum(difference.reason is None for difference in self.differences)

    @property
    def is_clean(self) -> bool:
        """Whether the change changed only what it causes."""
        return self.n_early == 0 and self.n_unexplained == 0

    def count_by_reason(self) -> dict[str, int]:
        """Return the number of differences by reason, unexplained ones as `unexplained`."""
        counts = Counter(d.reason.value if d.reason else "unexplained" for d in self.differences)
        return dict(sorted(counts.items()))


class _Seen(NamedTuple):
    n_rows: int
    digests: dict[tuple[str, int], bytes]


def compare_logs(first: RowSource, second: RowSource, change: Change) -> DiffReport:
    """Return what differs between two logs and what explains it.

    Memory grows with the logs: 100 bytes or so an event.

    Args:
        first: The log without the change.
        second: The log with it.
        change: What was changed, and from when on.
    """
    before, after = _digest(first), _digest(second)
    keys = {
        key
        for key in before.digests.keys() | after.digests.keys()
        if before.digests.get(key) != after.digests.get(key)
    }
    connections = Connections()
    pairs: dict[tuple[str, int], list[Fact | None]] = {key: [None, None] for key in keys}
    for side, source in enumerate((first, second)):
        for key, row in _number(source()):
            kind = find_kind(row)
            fact = Fact.from_row(row, kind)
            connections.add(side, fact, row[kind])
            if key in pairs:
                pairs[key][side] = fact
    ordered = sorted(pairs.values(), key=_get_time)
    closure = Closure(change, connections, ordered)
    differences = tuple(_describe(a, b, closure, change) for a, b in ordered)
    n_common = len(before.digests.keys() | after.digests.keys()) - len(keys)
    return DiffReport(
        change, before.n_rows, after.n_rows, n_common, differences, closure.list_skus()
    )


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of an event log, partition by partition.

    Raises:
        LogFormatError: Not an event log.
    """
    import pyarrow as pa

    from features.log.reader import EventLog

    log = EventLog(path)
    for partition in log.partitions:
        for _, batch in log.read_batches(partition):
            times = [batch.column(name).cast(pa.int64()) for name in ("event_time", "ingest_time")]
            for n, row in enumerate(batch.to_pylist()):
                kept = {name: value for name, value in row.items() if value is not None}
                kept["event_time"], kept["ingest_time"] = (column[n].as_py() for column in times)
                yield kept


def from_struct(event: Any) -> Row:
    """Return an event of `features.log.structs` as a row."""
    row: dict[str, Any] = msgspec.to_builtins(event)
    return row


def find_kind(row: Row) -> str:
    """Return the kind of a row: the name of its one member beside the envelope."""
    return next(name for name in row if name not in _ENVELOPE)


def _digest(source: RowSource) -> _Seen:
    digests: dict[tuple[str, int], bytes] = {}
    n_rows = 0
    for key, row in _number(source()):
        n_rows += 1
        digests[key] = xxhash.xxh3_128_digest(msgspec.json.encode(row, order="sorted"))
    return _Seen(n_rows, digests)


def _number(rows: Iterable[Row]) -> Iterator[tuple[tuple[str, int], Row]]:
    """Yield rows with their key: the event's id, and the how manieth telling of it."""
    told: Counter[str] = Counter()
    for row in rows:
        event_id = row["event_id"]
        yield (event_id, told[event_id]), row
        told[event_id] += 1


def _get_time(pair: list[Fact | None]) -> tuple[int, str]:
    return min((fact.time_us, fact.event_id) for fact in pair if fact is not None)


def _describe(
    first: Fact | None, second: Fact | None, closure: Closure, change: Change
) -> Difference:
    facts = [fact for fact in (first, second) if fact is not None]
    presence = Presence.CHANGED
    if second is None:
        presence = Presence.REMOVED
    elif first is None:
        presence = Presence.ADDED
    time_us = min(fact.time_us for fact in facts)
    day = change.find_day(time_us)
    reason = closure.explain(first, second) if day >= 0 else None
    entity = closure.name_entity(facts[0])
    return Difference(time_us, day, facts[0].kind, entity, presence, reason)
