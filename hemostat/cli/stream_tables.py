"""What `hemostat stream` shows: where each row went, and how far a store has come."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from stream.status import StoreStatus
    from stream.summary import PartitionSummary, StreamSummary


def format_duration(duration: timedelta) -> str:
    """Return a duration with its two greatest units.

    >>> format_duration(timedelta(days=3, hours=4, minutes=5))
    '3 d 4 h'
    """
    seconds = int(duration.total_seconds())
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def draw_summary(summary: StreamSummary) -> list[Table]:
    """Return where each row of the run went, then examples of what was refused."""
    rejected = sum(summary.dead_letters.values())
    applied = _show(summary.applied_ingest_time)
    rows = [
        ("folded", f"{summary.folded:,}", f"into {summary.rows_folded:,} changes of records"),
        ("not folded", f"{summary.not_folded:,}", "accepted; they change no record"),
        ("duplicates", f"{summary.duplicates:,}", "dropped: the same event told again"),
        ("dead letters", f"{rejected:,}", _list_counts(summary.dead_letters)),
    ]
    if summary.erased:
        rows.append(("erased", f"{summary.erased:,}", "of customers who were forgotten"))
    if summary.already_applied:
        rows.append(("already applied", f"{summary.already_applied:,}", "by an earlier run"))
    rows.append(("read", f"{summary.events_read:,}", f"{summary.events_per_s:,.0f} events/s"))
    tables = [
        Table(
            title=f"Streamed {summary.log}",
            columns=(Column("rows"), Column("count", "right"), Column("what became of them")),
            rows=tuple(rows),
            caption=f"in {summary.seconds:.2f} s, applied up to {applied}",
        )
    ]
    if summary.examples:
        columns = ("reason", "partition", "offset", "field", "value", "expected", "fix")
        tables.append(
            Table(
                title="Dead letters: the first of each reason",
                columns=tuple(Column(name) for name in columns),
                rows=tuple(
                    (
                        e.reason,
                        str(e.partition),
                        str(e.offset),
                        e.field,
                        e.value,
                        e.expectation,
                        e.fix,
                    )
                    for e in summary.examples
                ),
            )
        )
    return tables


def draw_status(status: StoreStatus) -> list[Table]:
    """Return how far a store has come."""
    totals = status.totals
    rejected = sum(status.dead_letters.values())
    rows = (
        ("stream", _tell_workers(status)),
        ("folded", f"{totals.folded:,}"),
        ("not folded", f"{totals.not_folded:,}"),
        ("duplicates", f"{totals.duplicates:,}"),
        ("dead letters", f"{rejected:,}  {_list_counts(status.dead_letters)}".rstrip()),
        ("applied up to", _show(status.applied_ingest_time)),
        ("rows behind", "-" if status.rows_behind is None else f"{status.rows_behind:,}"),
        ("lag", "-" if status.lag_s is None else format_duration(timedelta(seconds=status.lag_s))),
        ("rate", f"{status.events_per_s:,.0f} events/s"),
    )
    return [
        Table(
            title="Store",
            columns=(Column("what"), Column("how much")),
            rows=rows,
            caption=f"log {', '.join(status.incarnations) or '(none yet)'}",
        ),
        _draw_partitions(status.partitions),
    ]


def _draw_partitions(partitions: tuple[PartitionSummary, ...]) -> Table:
    return Table(
        title="Partitions",
        columns=(
            Column("partition", "right"),
            Column("next row", "right"),
            Column("behind", "right"),
            Column("passed"),
        ),
        rows=tuple(
            (
                str(each.partition),
                f"{each.next_offset:,}",
                "-" if each.rows_behind is None else f"{each.rows_behind:,}",
                _show(each.passed_ingest_time),
            )
            for each in partitions
        ),
    )


def _tell_workers(status: StoreStatus) -> str:
    """Return who runs, and what is waited for."""
    running = [each for each in status.workers if each.is_running]
    if not running:
        return "not running"
    pids = ", ".join(str(each.pid) for each in running)
    waiting = next((each.waiting_for for each in running if each.waiting_for), "")
    return f"running (process {pids})" + (f", waiting: {waiting}" if waiting else "")


def tell_next(summary: StreamSummary, store: str, letters: Path) -> str:
    """Return where things are now and what is left to do."""
    lines = [f"Store: {store}"]
    if summary.dead_letters:
        lines.append(f"Dead letters: {letters}")
    if summary.rows_behind:
        lines.append(f"{summary.rows_behind:,} rows are left: stream again with a later --until")
    if summary.unfinished:
        n = len(summary.unfinished)
        lines.append(f"Ending in the middle of a line: {n} files; stream again when it is whole")
    if not summary.events_read and not summary.rows_behind and not summary.unfinished:
        lines.append("Nothing new: the store has all rows of this log")
    return "\n".join(lines)


def _list_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _show(time: datetime | None) -> str:
    return "(nothing)" if time is None else time.isoformat(timespec="milliseconds")
