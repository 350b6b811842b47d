"""The figures of the simulator's bench, their bars, and the tables of rates and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

from benchmarks.report import Value
from benchmarks.simulation.worlds import MeasuredWorld
from benchmarks.stream.bars import Bar
from hemostat.cli.output import Column, Table
from training.simulation.rates import RateRow, compare_rates
from training.simulation.realism.report import Realism

BARS: Mapping[str, Bar] = {
    "events_per_s": Bar(">=", 20_000),
    "memory_growth_1_to_24_months": Bar("<=", 1.1),
    "end_to_end_s": Bar("<=", 120),
    "column_auc_greatest": Bar("<=", 0.85),
    "words_auc_greatest": Bar("<=", 0.70),
    "artefact_distance_greatest": Bar("<=", 0.02),
    "caught_least": Bar(">=", 0.40),
    "caught_greatest": Bar("<=", 0.85),
    "abuse_share_least": Bar(">=", 0.09),
    "abuse_share_greatest": Bar("<=", 0.152),
}
"""What is asked of each figure."""

_SHORT_BARS = ("events_per_s", "column_auc_greatest", "words_auc_greatest")
"""Bars that small worlds can be held to; in the others noise is larger than the bar."""


def summarise_realism(report: Realism, worlds: Sequence[MeasuredWorld]) -> dict[str, Value]:
    """Return the flat figures of a measurement."""
    values: dict[str, Value] = {}
    columns = [rows for world in report.worlds for rows in world.columns.values()]
    values["column_auc_greatest"] = max(
        row.auc for rows in columns for row in rows if row.group == "feature"
    )
    words = [row.auc for rows in columns for row in rows if row.group == "text"]
    values["words_auc_greatest"] = max(words)
    values["artefact_distance_greatest"] = max(abs(row.auc - 0.5) for row in report.artefacts)
    values["artefact_se_greatest"] = max(row.se for row in report.artefacts)
    caught = [found.recall for world in report.worlds for found in world.catches.values()]
    values["caught_least"], values["caught_greatest"] = min(caught), max(caught)
    for call in ("order", "cancellation", "return"):
        found = [world.catches[call] for world in report.worlds if call in world.catches]
        rules = [world.one_rules[call].recall for world in report.worlds]
        strict = [world.strict_one_rules[call].recall for world in report.worlds]
        if found:
            values[f"{call}_caught_mean"] = mean(one.recall for one in found)
            values[f"{call}_caught_strictly_mean"] = mean(one.strict_recall for one in found)
        values[f"{call}_one_rule_caught_mean"] = mean(rules)
        values[f"{call}_one_rule_caught_strictly_mean"] = mean(strict)
    shares = [world.rates["abuse share of returns"] for world in worlds]
    values["abuse_share_least"], values["abuse_share_greatest"] = min(shares), max(shares)
    outside = [row for row in report.look_alikes if not 0.2 <= row.auc <= 0.8]
    values["look_alike_columns"] = len(report.look_alikes)
    values["look_alike_columns_outside"] = len(outside)
    return values


def draw_rates(worlds: Sequence[MeasuredWorld]) -> Table:
    """Return the simulated rates beside the published ones."""
    rows = [cells for row in compare_rates([world.rates for world in worlds])
            for cells in _draw_rate(row)]  # fmt: skip
    return Table(
        f"Rates: {', '.join(world.name for world in worlds)}",
        (Column("rate"), Column("simulated", "right"), Column("published", "right"),
         Column("what and where")),
        tuple(rows),
    )  # fmt: skip


def _draw_rate(row: RateRow) -> list[tuple[str, ...]]:
    low, high = _show(row.rate, min(row.values)), _show(row.rate, max(row.values))
    simulated = low if low == high else f"{low} to {high}"
    if not row.published:
        return [(row.rate, simulated, "chosen", "")]
    cells: list[tuple[str, ...]] = []
    for place, published in enumerate(row.published):
        least, most = _show(row.rate, published.low), _show(row.rate, published.high)
        shown = least if least == most else f"{least} to {most}"
        first = (row.rate, simulated) if place == 0 else ("", "")
        cells.append((*first, shown, f"{published.what}: {published.source}"))
    return cells


def _show(rate: str, value: float) -> str:
    return f"{value:.1f}" if rate.startswith("days") else f"{value:.1%}"


def draw_bars(values: Mapping[str, Value], *, is_short: bool) -> Table:
    """Return the figures that have a bar, and whether each is met."""
    bars = {name: BARS[name] for name in _SHORT_BARS} if is_short else BARS
    rows = [
        (name, f"{float(values[name]):,.4g}", str(bar),
         "met" if bar.is_met(float(values[name])) else "NOT MET")
        for name, bar in bars.items()
        if name in values
    ]  # fmt: skip
    return Table(
        "Bars",
        (Column("figure"), Column("value", "right"), Column("bar", "right"), Column("")),
        tuple(rows),
    )
