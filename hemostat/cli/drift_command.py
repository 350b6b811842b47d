"""`hemostat drift`: whether today's cases still look like those that a bundle was trained on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.steps import show_steps

if TYPE_CHECKING:
    from training.drift.report import CallDrift, DriftReport
    from training.drift.stability import Stability

EXIT_DRIFTED = 6
"""A column or a score has drifted."""

app = typer.Typer()


@app.command("drift")
def drift(
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a folder of them: its champion.")],
    log: Annotated[
        Path, typer.Argument(help="A feature log (hemostat log features), or an event log.")
    ],
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="First day (UTC); default: the day on which the bundle was born.",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day (UTC) before which cases end."),
    ] = None,
    moved: Annotated[float, typer.Option(min=0.0, help="A spread has moved from here on.")] = 0.1,
    drifted: Annotated[
        float, typer.Option(min=0.0, help="It has drifted from here on: code 6.")
    ] = 0.25,
    top: Annotated[int, typer.Option(min=1, help="So many columns of each call.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Compare every column and score of a log's cases with those at training.

    The population stability index is 0 where a spread has not moved. Beside it stands what
    chance alone reaches with so few customers; what is not beyond that is told as `too few`.
    Ends with code 6 if something has drifted. `--json` lists all columns.
    """
    from training.drift.report import DriftOptions, measure_drift
    from training.drift.stability import StabilityBars

    output = Output(as_json)
    options = DriftOptions(
        bundle=bundle,
        log=log,
        from_us=_to_us(start),
        until_us=_to_us(until),
        bars=StabilityBars(moved, max(moved, drifted)),
    )
    with show_steps(output) as tell:
        report = measure_drift(options, progress=tell)
    tables = [table for call in report.calls for table in _draw_call(call, top)]
    output.show(report, tables, text=_tell(report))
    if report.has_drifted:
        raise typer.Exit(EXIT_DRIFTED)


def _to_us(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _draw_call(call: CallDrift, top: int) -> list[Table]:
    columns = (
        Column("name"),
        Column("PSI", "right"),
        Column("chance reaches", "right"),
        Column("missing then", "right"),
        Column("missing now", "right"),
        Column("state"),
    )
    counted = f"{call.n_cases:,} cases of {call.n_customers:,} customers"
    n_beyond = sum(one.state in {"moved", "drifted"} for one in call.columns)
    tables = [
        Table(
            title=f"Columns at {call.call}",
            columns=columns,
            rows=tuple(_draw(one) for one in call.columns[:top]),
            caption=f"{counted}; {n_beyond} of {len(call.columns)} columns moved or drifted",
        )
    ]
    if call.scores:
        tables.append(
            Table(
                title=f"Scores at {call.call}",
                columns=columns,
                rows=tuple(_draw(one) for one in call.scores),
                caption=counted,
            )
        )
    return tables


def _draw(one: Stability) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.psi:.3f}",
        f"{one.noise:.3f}",
        f"{one.missing_before:.1%}",
        f"{one.missing_now:.1%}",
        one.state,
    )


def _tell(report: DriftReport) -> str:
    lines = [f"Cases from {report.from_day} on against those that taught {report.version[:12]}"]
    if report.unseen:
        lines.append(f"No case at: {', '.join(report.unseen)}")
    without = [call.call for call in report.calls if not call.scores]
    if without:
        lines.append(f"No scores at: {', '.join(without)}: the model has fields of your own, which")
        lines.append("this log lacks; name the event log")
    return "\n".join(lines)
