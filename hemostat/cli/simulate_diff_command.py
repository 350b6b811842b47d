"""`hemostat simulate-diff`: what a what-if changed, and whether it changed only what it causes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from features.errors import ConfigError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from training.simulation.closure import Change
    from training.simulation.diff import Difference, DiffReport

app = typer.Typer()

_EXIT_NOT_CLEAN: Final = 4
"""Neither a bug (1), nor a wrong option (2), nor a place that is away (3)."""
_SHOP_DAY: Final = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class SimulateDiffReport:
    """What differs; the JSON form of the command's result.

    Attributes:
        is_clean: Nothing differs before the day, and all that differs later is explained.
        n_first: Events of the first log.
        n_second: Events of the second log.
        n_common: Events that are equal.
        n_different: Events that are not.
        n_early: Of these, before the day.
        n_unexplained: Of these, connected with the change by nothing.
        by_reason: Differences by reason.
        skus: SKUs whose stock differs.
        differences: All of them, in order of time.
    """

    is_clean: bool
    n_first: int
    n_second: int
    n_common: int
    n_different: int
    n_early: int
    n_unexplained: int
    by_reason: dict[str, int]
    skus: tuple[str, ...]
    differences: tuple[Difference, ...]


@app.command("simulate-diff")
def simulate_diff_command(
    first: Annotated[Path, typer.Argument(help="The log of the world as it was.")],
    second: Annotated[Path, typer.Argument(help="The log of the same seed with one change.")],
    changed: Annotated[
        str,
        typer.Option(
            help="What was changed: sku:ID, style:ID, carrier:NAME, customer:ID or policy."
        ),
    ],
    from_day: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="Its first day (UTC+8).")
    ],
    rows: Annotated[int, typer.Option(help="Rows of the table of differences.", min=0)] = 40,
    as_json: JsonOption = False,
) -> None:
    """Compare two simulated logs of one seed and check that a change changed only what it causes.

    Prints what differs by day, kind and customer, and why it may: it is about what was changed,
    about a SKU that others bought more or less of before, or about a customer (or household) that
    differed before. Ends with code 4 if anything differs before the day or stays unexplained.
    """
    from training.simulation.diff import compare_logs, read_rows

    output = Output(as_json)
    change = _parse_change(changed, from_day)
    report = compare_logs(lambda: read_rows(first), lambda: read_rows(second), change)
    verdict = "only what it causes" if report.is_clean else "MORE THAN IT CAUSES"
    output.show(
        _summarise(report),
        (_draw_reasons(report), _draw_differences(report, rows)),
        text=f"The change changed {verdict}: {report.n_early:,} differences before its day, "
        f"{report.n_unexplained:,} unexplained.",
    )
    if not report.is_clean:
        raise typer.Exit(_EXIT_NOT_CLEAN)


def _parse_change(text: str, from_day: datetime) -> Change:
    from training.simulation.closure import Cell, Change

    kind, _, name = text.partition(":")
    is_known = kind in set(Cell)
    if not is_known or (kind == Cell.POLICY) is bool(name):
        raise ConfigError(
            "not something that a what-if changes",
            field="--changed",
            value=text[:60],
            expectation="sku:ID, style:ID, carrier:NAME, customer:ID or policy",
            fix="write it like --changed carrier:zto",
        )
    midnight = from_day.replace(tzinfo=_SHOP_DAY)
    return Change(Cell(kind), name, int(midnight.timestamp()) * 1_000_000)


def _summarise(report: DiffReport) -> SimulateDiffReport:
    return SimulateDiffReport(
        is_clean=report.is_clean,
        n_first=report.n_first,
        n_second=report.n_second,
        n_common=report.n_common,
        n_different=len(report.differences),
        n_early=report.n_early,
        n_unexplained=report.n_unexplained,
        by_reason=report.count_by_reason(),
        skus=report.skus,
        differences=report.differences,
    )


def _draw_reasons(report: DiffReport) -> Table:
    entities = Counter[str]()
    for reason, _ in {(d.reason or "unexplained", d.entity) for d in report.differences}:
        entities[str(reason)] += 1
    rows = [
        (reason, f"{count:,}", f"{entities[reason]:,}")
        for reason, count in report.count_by_reason().items()
    ]
    return Table(
        title="Why events differ",
        columns=(Column("reason"), Column("events", "right"), Column("customers", "right")),
        rows=tuple(rows),
        caption=f"{report.n_common:,} events are equal; the stock of {len(report.skus):,} SKUs "
        "differs at some time",
    )


def _draw_differences(report: DiffReport, limit: int) -> Table:
    """Return differences by day, kind, entity and reason; what is wrong comes first."""
    counts = Counter(
        (
            d.day >= 0 and d.reason is not None,
            d.day,
            d.kind,
            d.entity,
            d.presence.value,
            "unexplained" if d.reason is None else d.reason.value,
        )
        for d in report.differences
    )
    ordered = sorted(counts.items())
    rows = [
        (str(day), kind, entity, presence, f"{count:,}", reason)
        for (_, day, kind, entity, presence, reason), count in ordered[:limit]
    ]
    left = len(ordered) - len(rows)
    return Table(
        title="What differs",
        columns=(
            Column("day", "right"),
            Column("event"),
            Column("of"),
            Column("second log"),
            Column("events", "right"),
            Column("reason"),
        ),
        rows=tuple(rows),
        caption=f"days count from the change; {left:,} rows not shown" if left else "",
    )
