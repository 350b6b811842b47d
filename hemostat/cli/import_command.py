"""`hemostat import`: a retailer's files to an event log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from stream.importers.hotel.report import ImportReport as HotelReport
    from stream.importers.online_retail.report import ImportReport

app = typer.Typer(name="import")


class MatchingChoice(StrEnum):
    """Which purchase a credit takes first; equal to the importer's own enum."""

    LATEST = "latest"
    FIFO = "fifo"


class FormatChoice(StrEnum):
    """What the log is stored as."""

    PARQUET = "parquet"
    JSONL = "jsonl"


_STEPS = {
    "read": "reading rows",
    "link": "linking rows",
    "append": "collecting events",
    "write": "writing events",
}


@app.callback()
def _group() -> None:
    """Turn a retailer's files into an event log."""


@app.command("online-retail")
def import_online_retail(
    src: Annotated[
        Path, typer.Argument(help="The data set (.parquet, .csv, .xlsx), or a folder with it.")
    ],
    out: Annotated[Path, typer.Argument(help="The log's directory; new or empty.")],
    matching: Annotated[
        MatchingChoice,
        typer.Option(help="Purchase that a credit takes first: the latest, or first in first out."),
    ] = MatchingChoice.LATEST,
    tenant: Annotated[str, typer.Option(help="Tenant of the events.")] = "online_retail",
    partitions: Annotated[int, typer.Option(help="Partitions of the log, 1 to 99.")] = 4,
    formats: Annotated[
        list[FormatChoice] | None,
        typer.Option("--format", help="Format of the log; repeat for both (the default)."),
    ] = None,
    cancel_within_hours: Annotated[
        float,
        typer.Option(help="A credit this soon after the order is a cancellation, else a return."),
    ] = 12.0,
    history_from: Annotated[
        datetime,
        typer.Option(
            formats=["%Y-%m-%d"],
            show_default="2011-04-01",
            help="First day on which a credit without a purchase is a return without order.",
        ),
    ] = datetime(2011, 4, 1),  # noqa: DTZ001 - a day in London, typer wants it so
    return_window_days: Annotated[
        int, typer.Option(help="Return window stated in the events; the file has none.")
    ] = 30,
    as_json: JsonOption = False,
) -> None:
    """Import UCI Online Retail: invoice lines become orders, cancellations and returns.

    Every source row ends in one counted bucket. The rules stand in
    docs/IMPORT_ONLINE_RETAIL.md.
    """
    from stream.importers.online_retail import importing
    from stream.importers.online_retail.linking import LinkingRules
    from stream.importers.online_retail.matching import Matching

    options = importing.ImportOptions(
        tenant=tenant,
        rules=LinkingRules(Matching(matching), cancel_within_hours, history_from.date()),
        return_window_days=return_window_days,
        n_partitions=partitions,
        formats=tuple(dict.fromkeys(formats or FormatChoice)),
    )
    output = Output(as_json)
    started = time.perf_counter()
    with _show_progress(output) as progress:
        report = importing.import_online_retail(src, out, options, progress)
    output.note(f"imported in {time.perf_counter() - started:.1f} s")
    output.show(
        report,
        (_draw_buckets(report), _draw_matchings(report)),
        text=f"Event log: {out}\nNext: hemostat stream {out} --store STORE",
    )


@app.command("hotel")
def import_hotel(
    src: Annotated[Path, typer.Argument(help="The data set (.csv, .csv.gz), or a folder with it.")],
    out: Annotated[Path, typer.Argument(help="The log's directory; new or empty.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the events.")] = "hotel",
    partitions: Annotated[int, typer.Option(help="Partitions of the log, 1 to 99.")] = 4,
    formats: Annotated[
        list[FormatChoice] | None,
        typer.Option("--format", help="Format of the log; repeat for both (the default)."),
    ] = None,
    late_columns: Annotated[
        bool,
        typer.Option(
            "--late-columns",
            help="Tell country and parking spaces, too, which the hotels learned at check-in.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import Hotel booking demand: bookings become orders, stays and cancellations.

    Every source row ends in one counted bucket. The rules stand in
    docs/IMPORT_HOTEL.md.
    """
    from stream.importers.hotel import importing

    options = importing.ImportOptions(
        tenant=tenant,
        with_late=late_columns,
        n_partitions=partitions,
        formats=tuple(dict.fromkeys(formats or FormatChoice)),
    )
    output = Output(as_json)
    started = time.perf_counter()
    with _show_progress(output) as progress:
        report = importing.import_hotel(src, out, options, progress)
    output.note(f"imported in {time.perf_counter() - started:.1f} s")
    output.show(
        report,
        (_draw_bookings(report),),
        text=f"Event log: {out}\nAttributes: {', '.join(report.attributes)}",
    )


@contextmanager
def _show_progress(output: Output) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what the importer tells its steps to; one bar per step on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    tasks = {}

    def tell(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(_STEPS.get(step, step), total=None)
        bars.update(tasks[step], completed=done, total=total or None)

    with bars:
        yield tell


def _draw_buckets(report: ImportReport) -> Table:
    """Return the source rows per bucket; empty buckets but the dead letters are left out."""
    from stream.importers.online_retail.buckets import MEANINGS, Bucket

    rows = [
        (bucket.value, f"{count:,}", MEANINGS[bucket])
        for bucket, count in ((b, report.counts.source_rows[b]) for b in Bucket)
        if count or bucket is Bucket.MALFORMED
    ]
    rows.append(("total", f"{report.n_source_rows:,}", f"= rows of {report.source}"))
    return Table(
        title="Source rows: where each one ended",
        columns=(Column("bucket"), Column("rows", "right"), Column("what it is: its event")),
        rows=tuple(rows),
        caption=f"dead letters: {report.dead_letters}",
    )


def _draw_bookings(report: HotelReport) -> Table:
    """Return the bookings per bucket."""
    from stream.importers.hotel.buckets import MEANINGS, Bucket

    rows = [
        (bucket.value, f"{report.source_rows[bucket.value]:,}", MEANINGS[bucket])
        for bucket in Bucket
    ]
    rows.append(("total", f"{report.n_source_rows:,}", f"= rows of {report.source}"))
    return Table(
        title=f"Bookings: where each one ended; {report.n_events:,} events of {report.tenant}",
        columns=(Column("bucket"), Column("rows", "right"), Column("what it is: its events")),
        rows=tuple(rows),
        caption=f"dead letters: {report.dead_letters}",
    )


def _draw_matchings(report: ImportReport) -> Table:
    """Return what each way of matching gives on this source."""
    ways = report.compared
    kinds = report.counts.events
    rows = [(kind, *(f"{counts.events[kind]:,}" for counts in ways.values())) for kind in kinds]
    rows.append(
        (
            "median days to credit",
            *(
                "-" if counts.lag_days_p50 is None else f"{counts.lag_days_p50:.1f}"
                for counts in ways.values()
            ),
        )
    )
    return Table(
        title=f"Events of {report.tenant}: {report.n_events:,}, {report.n_customers:,} customers",
        columns=(
            Column("event"),
            *(
                Column(f"{way}{' (written)' if way == report.matching else ''}", "right")
                for way in ways
            ),
        ),
        rows=tuple(rows),
        caption=f"{report.counts.ambiguous_credits:,} credits had several purchases to choose from",
    )
