"""`hemostat simulate`: a seeded shop with known truth, written as an event log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ConfigError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from rich.progress import Progress

    from features.log.manifest import LogManifest
    from training.simulation import SimulationConfig, SimulationSummary

app = typer.Typer()


class FormatChoice(StrEnum):
    """What the log is stored as."""

    PARQUET = "parquet"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class SimulateReport:
    """What was written where; the JSON form of the command's result.

    Attributes:
        log: The event log, or where the events went instead.
        truth: The truth of every case.
        manifest: Of the log; None with `--to`.
        config: The world.
        summary: What was told.
    """

    log: str
    truth: Path
    manifest: LogManifest | None
    config: dict[str, Any]
    summary: SimulationSummary


@app.command("simulate")
def simulate_command(
    out: Annotated[Path, typer.Argument(help="The log's directory; new or empty.")],
    world: Annotated[
        str, typer.Option(help="A preset: default, drift, promotions, rings, fashion-dach.")
    ] = "default",
    seed: Annotated[int, typer.Option(help="Seed; equal seeds give equal bytes.")] = 7,
    customers: Annotated[int, typer.Option(help="Number of customers.")] = 3_000,
    days: Annotated[int, typer.Option(help="Length of the horizon.")] = 548,
    start: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d"], show_default="2024-01-01", help="First day (UTC+8)."),
    ] = datetime(2024, 1, 1),  # noqa: DTZ001 - a day by the shop's clock, typer wants it so
    tenant: Annotated[str, typer.Option(help="Tenant of the events.")] = "demo",
    partitions: Annotated[int, typer.Option(help="Partitions of the log, 1 to 99.")] = 4,
    formats: Annotated[
        list[FormatChoice] | None,
        typer.Option("--format", help="Format of the log; repeat for both (the default)."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="YAML file with rates, labels, offers, stock, drift of the world."),
    ] = None,
    what_if: Annotated[
        Path | None,
        typer.Option(help="YAML file with changes of prices, carriers, terms or customers."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            help="Send the events to kafka://HOST:PORT/TOPIC or into a new file of JSON lines; "
            "OUT then holds the truth alone."
        ),
    ] = "",
    pace: Annotated[
        str, typer.Option(help="With --to: simulated time per time, e.g. x100; default: no wait.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Simulate a shop with honest customers, abusers and look-alikes into an event log.

    The truth of every case is written beside the log (OUT/truth/cases.parquet), for evaluation
    only. What is modelled and what not stands in docs/SIMULATION.md.
    """
    output = Output(as_json)
    config = _build_config(
        world, settings, seed=seed, tenant=tenant, n_customers=customers, days=days,
        start=start.date(),
    )  # fmt: skip
    if what_if is not None:
        from training.simulation.world_files import apply_what_if

        config = apply_what_if(config, what_if)
    chosen = tuple(dict.fromkeys(formats or FormatChoice))
    started = time.perf_counter()
    if to or pace:
        report = _send_events(out, config, to, pace, output)
    else:
        report = _write_log(out, config, partitions, chosen, output)
    elapsed_s = time.perf_counter() - started
    n_events = report.summary.n_events + report.summary.n_repeated
    output.note(f"{n_events:,} events in {elapsed_s:.1f} s ({n_events / elapsed_s:,.0f} events/s)")
    output.show(
        report,
        (_draw_cases(report), _draw_events(report)),
        text=f"Events: {report.log}\nNext: hemostat stream {report.log} --store STORE",
    )


def _build_config(world: str, settings: Path | None, **options: object) -> SimulationConfig:
    """Return the configuration; a value out of range is the user's to mend."""
    from pydantic import ValidationError

    from training.simulation.presets import make_config
    from training.simulation.world_files import read_settings

    found = read_settings(settings) if settings is not None else {}
    names = {"n_customers": "--customers"}
    try:
        return make_config(world, **found, **options)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the options together"
        option = names.get(name, f"--{name}")
        raise ConfigError(
            "the simulation cannot run with this setting",
            field=name if name.partition(".")[0] in found else option,
            value=str(first["input"])[:40],
            expectation=str(first["msg"]),
            fix="give a value in that range",
        ) from invalid


def _write_log(
    out: Path, config: SimulationConfig, partitions: int, formats: tuple[str, ...], output: Output
) -> SimulateReport:
    from features.log.writer import EventLogWriter
    from training.simulation import simulate
    from training.simulation.truth import TRUTH_FILE, TruthWriter

    with _show_progress(output) as progress:
        writing = progress.add_task("writing events", total=None, visible=False)
        simulating = progress.add_task("simulating days", total=config.days)

        def tell(phase: str, n_done: int) -> None:
            if phase == "write":
                progress.update(writing, completed=n_done, visible=True)

        writer = EventLogWriter(
            out,
            n_partitions=partitions,
            formats=formats,
            created_by=f"hemostat simulate --seed {config.seed}",
            progress=tell,
        )
        try:
            with TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth:
                summary = simulate(
                    config, writer, truth, lambda day: progress.update(simulating, completed=day)
                )
        except BaseException:
            writer.abort()
            raise
        progress.update(simulating, completed=config.days)
        progress.update(writing, total=summary.n_events + summary.n_repeated)
        manifest = writer.close()
    settings = config.model_dump(mode="json")
    return SimulateReport(str(out), out / TRUTH_FILE, manifest, settings, summary)


def _send_events(
    out: Path, config: SimulationConfig, to: str, pace: str, output: Output
) -> SimulateReport:
    from training.simulation import simulate
    from training.simulation.sinks import PacedSink, open_sink, parse_pace
    from training.simulation.truth import TRUTH_FILE, TruthWriter

    if not to:
        raise ConfigError(
            "a log appears all at once, at no pace",
            field="--pace",
            value=pace,
            expectation="--to beside it",
            fix="add --to kafka://HOST:PORT/TOPIC or --to FILE.jsonl",
        )
    factor = parse_pace(pace) if pace else None
    truth_file = out / TRUTH_FILE
    if truth_file.exists():
        raise ConfigError(
            "the folder holds another world's truth",
            field="OUT",
            value=str(out),
            expectation="a new or empty folder",
            fix="name another one",
        )
    with closing(open_sink(to)) as target, _show_progress(output) as progress:
        truth_file.parent.mkdir(parents=True, exist_ok=True)
        simulating = progress.add_task("simulating days", total=config.days)
        sink = target if factor is None else PacedSink(target, factor)
        with TruthWriter(truth_file) as truth:
            summary = simulate(
                config, sink, truth, lambda day: progress.update(simulating, completed=day)
            )
    return SimulateReport(to, truth_file, None, config.model_dump(mode="json"), summary)


@contextmanager
def _show_progress(output: Output) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    with bars:
        yield bars


def _draw_cases(report: SimulateReport) -> Table:
    rows = [
        (
            call,
            f"{counts.n_cases:,}",
            f"{counts.n_abuse / max(counts.n_cases, 1):.1%}",
            f"{counts.n_checked / max(counts.n_cases, 1):.1%}" if call != "order" else "-",
            f"{counts.n_abuse_checked / max(counts.n_abuse, 1):.1%}" if call != "order" else "-",
        )
        for call, counts in report.summary.cases.items()
    ]
    return Table(
        title=f"Cases of {report.config['tenant']}, in truth",
        columns=(
            Column("call"),
            Column("cases", "right"),
            Column("abuse", "right"),
            Column("checked", "right"),
            Column("abuse checked", "right"),
        ),
        rows=tuple(rows),
        caption=f"truth, for evaluation only: {report.truth}",
    )


def _draw_events(report: SimulateReport) -> Table:
    summary = report.summary
    rows = [(kind, f"{count:,}") for kind, count in summary.n_by_kind.items()]
    rows += [("told twice", f"{summary.n_repeated:,}")]
    rows += [("total", f"{summary.n_events + summary.n_repeated:,}")]
    return Table(
        title="Events",
        columns=(Column("event"), Column("events", "right")),
        rows=tuple(rows),
        caption=f"{summary.n_late:,} of them came half a day or more after they happened",
    )
