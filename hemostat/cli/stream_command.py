"""`hemostat stream`: an event log into the online store, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from features.errors import LogFormatError
from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.times import parse_time

if TYPE_CHECKING:
    from stream.status import StoreStatus
    from stream.summary import PartitionSummary, StreamProgress, StreamSummary

_RUN = "run"
_UNREADABLE = ("malformed", "unknown_kind")


class _RunUnlessNamed(TyperGroup):
    """Takes `hemostat stream LOG` as `hemostat stream run LOG`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or args[0] not in self.commands:
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(name="stream", cls=_RunUnlessNamed)

StoreOption = Annotated[Path, typer.Option("--store", help="The online store's folder.")]
DeadLettersOption = Annotated[
    Path | None,
    typer.Option(help="Folder for rows that cannot be applied; default: STORE/dead_letters."),
]


@app.callback()
def _group() -> None:
    """Stream an event log into the online store: `hemostat stream LOG --store STORE`."""


@app.command(_RUN, epilog="How far a store has come: hemostat stream status --help")
def run(
    log: Annotated[
        Path, typer.Argument(help="An event log, a .jsonl file, or a folder of .jsonl files.")
    ],
    store: StoreOption,
    until: Annotated[
        str,
        typer.Option(help="Last ingest time to apply, e.g. 2011-06-01T00:00:00Z; default: all."),
    ] = "",
    batch_size: Annotated[
        int, typer.Option(help="Rows per batch; more are faster and become visible later.")
    ] = 10_000,
    dead_letters: DeadLettersOption = None,
    map_size_gib: Annotated[
        int, typer.Option(min=1, help="Upper bound of the store's size; disk is used as needed.")
    ] = 64,
    as_json: JsonOption = False,
) -> None:
    """Stream an event log into the online store, going on where the last run ended.

    The store is made if it is not there. Scorers may read it at the same time;
    a second stream is refused. Rows that cannot be applied are filed with their
    reason, none is lost. Stop with Ctrl-C at any time.
    """
    from features.store.lmdb_environment import LmdbOptions
    from stream.runner import stream_to_disk

    output = Output(as_json)
    until_us = parse_time(until, "--until") if until else None
    try:
        with _show_progress(output) as on_progress:
            summary = stream_to_disk(
                log,
                store,
                dead_letters=dead_letters,
                batch_size=batch_size,
                until_us=until_us,
                store_options=LmdbOptions(map_size_bytes=map_size_gib << 30),
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        output.note("stopped; what was committed is kept, the same command goes on from there")
        raise
    letters = dead_letters or store / "dead_letters"
    output.show(summary, _draw_summary(summary), text=_tell_next(summary, store, letters))
    n_unreadable = sum(summary.dead_letters.get(reason, 0) for reason in _UNREADABLE)
    if summary.events_read and n_unreadable == summary.events_read:
        raise LogFormatError(
            "no row of the log is an event",
            field=str(log),
            value=f"{summary.events_read} rows, {n_unreadable} dead letters",
            expectation="events of hemostat.v1.Event",
            fix=f"see the reasons in {letters}",
        )


@app.command("status")
def show_status(
    store: StoreOption,
    log: Annotated[
        Path | None, typer.Option(help="The log, to tell how far the store is behind it.")
    ] = None,
    dead_letters: DeadLettersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far a store has come: position, lag, row counts and dead letters."""
    from features.log.reader import EventLog
    from features.store.lmdb_store import LmdbFeatureReader
    from stream.status import read_status

    with LmdbFeatureReader.open_reader(store) as reader:
        status = read_status(
            reader,
            dead_letters or store / "dead_letters",
            None if log is None else EventLog(log).manifest,
        )
    Output(as_json).show(status, _draw_status(status))


@contextmanager
def _show_progress(output: Output) -> Iterator[Callable[[StreamProgress], None]]:
    """Yield what the stream tells where it stands; a bar with rate and lag on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("streaming"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} events/s  lag {task.fields[lag]}"),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    task = bar.add_task("", total=None, rate="-", lag="-")

    def tell(at: StreamProgress) -> None:
        bar.update(
            task,
            completed=at.rows_done,
            total=at.rows_total,
            rate=f"{at.events_per_s:,.0f}",
            lag="-" if at.lag is None else format_duration(at.lag),
        )

    with bar:
        yield tell


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


def _draw_summary(summary: StreamSummary) -> list[Table]:
    """Return where each row of the run went, then examples of what was refused."""
    rejected = sum(summary.dead_letters.values())
    applied = _show(summary.applied_ingest_time)
    rows = [
        ("folded", f"{summary.folded:,}", "into customers' records"),
        ("not folded", f"{summary.not_folded:,}", "accepted; other kinds, or no customer"),
        ("duplicates", f"{summary.duplicates:,}", "dropped: the same event told again"),
        ("dead letters", f"{rejected:,}", _list_counts(summary.dead_letters)),
    ]
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


def _draw_status(status: StoreStatus) -> list[Table]:
    totals = status.totals
    rejected = sum(status.dead_letters.values())
    rows = (
        ("folded", f"{totals.folded:,}"),
        ("not folded", f"{totals.not_folded:,}"),
        ("duplicates", f"{totals.duplicates:,}"),
        ("dead letters", f"{rejected:,}  {_list_counts(status.dead_letters)}".rstrip()),
        ("applied up to", _show(status.applied_ingest_time)),
        ("rows behind", "-" if status.rows_behind is None else f"{status.rows_behind:,}"),
        ("lag", "-" if status.lag_s is None else format_duration(timedelta(seconds=status.lag_s))),
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
        columns=(Column("partition", "right"), Column("next row", "right"), Column("passed")),
        rows=tuple(
            (str(each.partition), f"{each.next_offset:,}", _show(each.passed_ingest_time))
            for each in partitions
        ),
    )


def _tell_next(summary: StreamSummary, store: Path, letters: Path) -> str:
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
