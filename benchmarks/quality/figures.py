"""The figures of simulated worlds by name, the long table behind them, and tables for people."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Final

from benchmarks.quality.frozen_policy import FrozenPolicy
from benchmarks.quality.honest_shares import (
    Calibration,
    EverFlagged,
    KindShare,
    RingTimes,
    compute_click_calibration,
    compute_ever_flagged,
    compute_kind_shares,
    compute_ring_times,
    compute_told_calibration,
    compute_true_calibration,
)
from benchmarks.quality.judging import (
    FALSE_ALARMS,
    ORACLE,
    PR_AUC,
    RECALL,
    RECALL_AT_THRESHOLD,
    RECALL_VS_ORACLE,
    ROC_AUC,
    STRICT_FALSE_ALARMS,
    TOLD_ALL,
    WorldMeans,
    name_money,
)
from benchmarks.quality.simulated_worlds import CONTENDERS, RIVALS, MeasuredWorld
from benchmarks.report import Value
from benchmarks.stream.bars import Bar
from hemostat.cli.output import Column, Table
from training.evaluation.resampling import Estimate, Resampling

OWN: Final = "hemostat"
RETURNGUARD: Final = "returnguard 1.2.2"
_SEED: Final = 7

_ABOVE_0: Final = Bar(">=", 1e-9, " (above 0)")

BARS: Final[Mapping[str, Bar]] = {
    "n_worlds": Bar(">=", 5),
    "pr_auc_gain_lo": _ABOVE_0,
    "recall_at_0_5pct_gain_lo": _ABOVE_0,
    "money_gain_lo": _ABOVE_0,
    "money_gain_half_costs_lo": _ABOVE_0,
    "money_gain_double_costs_lo": _ABOVE_0,
    "recall_vs_oracle": Bar(">=", 0.9),
    "oracle_recall_least": Bar(">=", 0.40),
    "oracle_recall_greatest": Bar("<=", 0.85),
    "honest_flagged_share": Bar("<=", 0.005),
    "honest_orders_flagged_share": Bar("<=", 0.005),
    "look_alike_flagged_greatest": Bar("<=", 0.02),
    "honest_ever_flagged_12_months": Bar("<=", 0.02),
    "ece_simulated": Bar("<=", 0.01),
    "ece_simulated_click_probabilities": Bar("<=", 0.01),
    "calibration_slope_simulated_below": Bar(">=", 0.9),
    "calibration_slope_simulated": Bar("<=", 1.1),
    "top_1pct_ratio_simulated_lo": Bar("<=", 1.0),
    "top_1pct_ratio_simulated_hi": Bar(">=", 1.0),
    "brier_skill_simulated_lo": _ABOVE_0,
    "ece_online_retail": Bar("<=", 0.01),
    "calibration_slope_online_retail_below": Bar(">=", 0.9),
    "calibration_slope_online_retail": Bar("<=", 1.1),
    "top_1pct_ratio_online_retail_lo": Bar("<=", 1.0),
    "top_1pct_ratio_online_retail_hi": Bar(">=", 1.0),
    "brier_skill_online_retail": _ABOVE_0,
    "online_retail_pr_auc_gain_lo": _ABOVE_0,
    "hotel_auc_gain_lo": _ABOVE_0,
    "hotel_auc": Bar(">=", 0.879),
    "hotel_auc_no_late_columns_gain_lo": _ABOVE_0,
    "hotel_auc_no_late_columns": Bar(">=", 0.817),
    "hotel_ece": Bar("<=", 0.02),
}
"""What is asked of each figure; those that a run did not measure have no row."""


@dataclass(frozen=True)
class WorldsReport:
    """All that is told of the simulated worlds.

    Attributes:
        worlds: Those that count.
        refused: Those that do not.
        means: Figures over worlds.
        second: Best rival by figure.
        kinds: Shares of honest kinds that are flagged.
        ever: Good customers ever flagged.
        calibration: Against the truth, by contender that claims probabilities.
        told: Hemostat's, against what checks told.
        clicks: Of hemostat's P(leaves if nothing is offered), against the true one.
        rings: How long rings go unseen.
        policy: Costs and target.
    """

    worlds: Sequence[MeasuredWorld]
    refused: Sequence[MeasuredWorld]
    means: WorldMeans
    second: Mapping[str, str]
    kinds: Sequence[KindShare]
    ever: EverFlagged
    calibration: Mapping[str, Calibration]
    told: Calibration
    clicks: Calibration
    rings: RingTimes | None
    policy: FrozenPolicy


def make_report(
    worlds: Sequence[MeasuredWorld],
    refused: Sequence[MeasuredWorld],
    policy: FrozenPolicy,
    n_resamples: int,
) -> WorldsReport:
    """Return the report of worlds that count."""
    judged = [world.judged for world in worlds]
    resampling = Resampling(n_resamples, _SEED)
    means = WorldMeans([world.figures for world in worlds], _SEED)
    metrics = (
        PR_AUC,
        RECALL,
        RECALL_AT_THRESHOLD,
        *(name_money(factor) for factor in policy.cost_factors),
    )
    probabilities = [name for name, scored in judged[0].scored.items() if scored.is_probability]
    return WorldsReport(
        worlds=worlds,
        refused=refused,
        means=means,
        second={metric: means.find_best(RIVALS, metric) for metric in metrics},
        kinds=compute_kind_shares(judged, OWN, resampling),
        ever=compute_ever_flagged(judged, OWN),
        calibration={
            name: compute_true_calibration(judged, name, resampling) for name in probabilities
        },
        told=compute_told_calibration(judged, OWN, resampling),
        clicks=compute_click_calibration(judged, resampling),
        rings=compute_ring_times(judged, OWN),
        policy=policy,
    )


def summarise(report: WorldsReport) -> dict[str, Value]:
    """Return the flat figures: means over worlds with bounds `_lo`, `_hi`."""
    values: dict[str, Value] = {
        "n_worlds": len(report.worlds),
        "world_seeds": " ".join(str(world.judged.seed) for world in report.worlds),
        "refused_seeds": " ".join(str(world.judged.seed) for world in report.refused),
    }
    for key, metric in (
        ("pr_auc", PR_AUC),
        ("recall_at_0_5pct", RECALL),
        ("recall_at_threshold", RECALL_AT_THRESHOLD),
        ("money", name_money(1.0)),
        ("money_half_costs", name_money(0.5)),
        ("money_double_costs", name_money(2.0)),
    ):
        second = report.second[metric]
        values |= _spread(f"{key}_hemostat", report.means.estimate(OWN, metric))
        values |= _spread(f"{key}_second", report.means.estimate(second, metric))
        stem, _, costs = key.partition("_") if key.startswith("money_") else (key, "", "")
        gain = f"{stem}_gain_{costs}" if costs else f"{stem}_gain"
        values |= _spread(gain, report.means.compare(OWN, second, metric))
        values[f"{key}_second_is"] = second
    values |= _spread("recall_vs_oracle", report.means.estimate(OWN, RECALL_VS_ORACLE))
    values |= _spread(
        "recall_vs_oracle_told_the_truth", report.means.estimate(TOLD_ALL, RECALL_VS_ORACLE)
    )
    recalls = [world.oracle_recall for world in report.worlds]
    values["oracle_recall_least"], values["oracle_recall_greatest"] = min(recalls), max(recalls)
    values |= _spread("oracle_recall", report.means.estimate(ORACLE, RECALL))
    values |= _spread("honest_flagged_share", report.means.estimate(OWN, FALSE_ALARMS))
    strict = report.means.estimate(OWN, STRICT_FALSE_ALARMS)
    values |= _spread("honest_flagged_share_abusers_included", strict)
    values |= _spread("returnguard_pr_auc", report.means.estimate(RETURNGUARD, PR_AUC))
    values |= _tell_honest(report)
    values |= _tell_calibration(report.calibration[OWN])
    values |= _spread("ece_simulated_labels", report.told.error)
    values["ece_floor_simulated_labels"] = report.told.error_floor
    values |= _spread("ece_simulated_click_probabilities", report.clicks.error)
    return {k: v for k, v in values.items() if not isinstance(v, float) or math.isfinite(v)}


def _tell_honest(report: WorldsReport) -> dict[str, Value]:
    flagged = [
        float(world.judged.is_order_alarm[world.judged.order_truth.is_good].mean())
        for world in report.worlds
    ]
    values: dict[str, Value] = {
        "honest_orders_flagged_share": mean(flagged),
        "honest_ever_flagged_12_months": report.ever.share,
        "honest_ever_flagged_12_months_by_returns": report.ever.by_returns,
        "honest_ever_flagged_12_months_by_orders": report.ever.by_orders,
    }
    if report.kinds:
        worst = report.kinds[0]
        values |= _spread("look_alike_flagged_greatest", worst.share)
        values["look_alike_flagged_greatest_is"] = worst.kind
    if report.rings is not None:
        values["ring_days_to_first_alarm_median"] = report.rings.days_median
        values["ring_found_share"] = report.rings.found_share
        values["n_rings"] = report.rings.n_rings
    return values


def _tell_calibration(found: Calibration) -> dict[str, Value]:
    return {
        **_spread("ece_simulated", found.error),
        "ece_floor_simulated": found.error_floor,
        "calibration_slope_simulated": found.line.slope,
        **_spread("top_1pct_ratio_simulated", found.top_ratio),
        **_spread("brier_skill_simulated", found.skill),
        "mean_probability_simulated": found.mean_probability,
        "prevalence_simulated": found.prevalence,
    }


def _spread(name: str, estimate: Estimate) -> dict[str, Value]:
    return {name: estimate.value, f"{name}_lo": estimate.low, f"{name}_hi": estimate.high}


COLUMNS: Final = ("world", "contender", "figure", "value", "low", "high")


def list_rows(report: WorldsReport) -> Iterator[tuple[str, ...]]:
    """Yield the long table: every figure of every contender in every world, then the means."""
    for world in report.worlds:
        for (contender, metric), found in sorted(world.figures.items()):
            yield str(world.judged.seed), contender, metric, f"{found.value:.6g}", "", ""
    for contender, metric in sorted(report.worlds[0].figures):
        found_mean = report.means.estimate(contender, metric)
        numbers = (
            f"{number:.6g}" for number in (found_mean.value, found_mean.low, found_mean.high)
        )
        yield ("mean", contender, metric, *numbers)


def write_rows(path: Path, report: WorldsReport) -> None:
    """Write the long table as CSV."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(list_rows(report))


def draw_contenders(report: WorldsReport, speeds: Mapping[str, Value], n_shops: int) -> Table:
    """Return one row per contender, means over worlds.

    Args:
        report: Of the worlds.
        speeds: Microseconds per score, by figure.
        n_shops: Shops that taught the oracle.
    """
    own_us = {OWN: "score_us_hemostat_in_process", RETURNGUARD: "score_us_returnguard"}
    names = [one.name for one in CONTENDERS]
    rows = []
    for name in (*names, TOLD_ALL, ORACLE):
        shown = [_show(report.means.estimate(name, metric), 3) for metric in (PR_AUC, RECALL)]
        roc = f"{report.means.estimate(name, ROC_AUC).value:.3f}"
        told = ["", "", ""]
        if name in names:
            told = [
                f"{report.means.estimate(name, RECALL_AT_THRESHOLD).value:.3f}",
                f"{report.means.estimate(name, FALSE_ALARMS).value:.2%}",
                f"{report.means.estimate(name, name_money(1.0)).value / 100:,.0f}",
            ]
        microseconds = speeds.get(own_us.get(name, ""))
        taken = f"{microseconds:,.0f}" if isinstance(microseconds, float) else ""
        rows.append((name, *shown, roc, *told, taken))
    return Table(
        f"Returns of {len(report.worlds)} simulated worlds, a year after the cut",
        (
            Column("contender"),
            Column("PR-AUC", "right"),
            Column("recall at 0.5 %", "right"),
            Column("ROC", "right"),
            Column("own threshold: recall", "right"),
            Column("false alarms", "right"),
            Column("money per 1,000", "right"),
            Column("us", "right"),
        ),
        tuple(rows),
        f"oracle: the same learner, complete true labels of {n_shops} times the customers; "
        "second: the best that does not use hemostat's features",
    )


def draw_honest(report: WorldsReport) -> Table:
    """Return the kinds of honest returns and the share of each that is flagged."""
    rows = [(kind.kind, f"{kind.n_cases:,}", _show_share(kind.share)) for kind in report.kinds]
    ever = report.ever
    rows.append(("ever, in 12 months", f"{ever.n_persons:,}", f"{ever.share:.2%}"))
    return Table(
        "Good customers flagged by hemostat",
        (Column("kind"), Column("returns", "right"), Column("flagged", "right")),
        tuple(rows),
    )


def draw_calibration(report: WorldsReport) -> Table:
    """Return what probabilities mean."""
    rows = [_draw_calibration(name, found) for name, found in report.calibration.items()]
    rows.append(_draw_calibration("hemostat, against checks", report.told))
    # Against probabilities there are no coins: neither floor nor skill means anything.
    name, error, _, slope, top, _, mean, truth = _draw_calibration(
        "hemostat, clicks: true P(leaves)", report.clicks
    )
    rows.append((name, error, "", slope, top, "", mean, truth))
    headings = ("error, 15 bins", "floor", "slope", "top 1 %", "Brier skill", "mean", "in truth")
    return Table(
        "Probabilities against the truth, later cases of all worlds",
        (Column("contender"), *(Column(heading, "right") for heading in headings)),
        tuple(rows),
        "floor: what perfect probabilities would show; top 1 %: observed over expected",
    )


def _draw_calibration(name: str, found: Calibration) -> tuple[str, ...]:
    return (
        name, _show(found.error, 4), f"{found.error_floor:.4f}", f"{found.line.slope:.3f}",
        _show(found.top_ratio, 2), _show(found.skill, 3),
        f"{found.mean_probability:.4f}", f"{found.prevalence:.4f}",
    )  # fmt: skip


def draw_bars(values: Mapping[str, Value]) -> Table:
    """Return the figures that have a bar, and whether each is met."""
    # A slope has two bars; the name of one of them is its own.
    known = dict(values)
    for name in ("calibration_slope_simulated", "calibration_slope_online_retail"):
        if name in values:
            known[f"{name}_below"] = values[name]
    rows = [
        (name, f"{float(known[name]):,.4g}", str(bar),
         "met" if bar.is_met(float(known[name])) else "NOT MET")
        for name, bar in BARS.items()
        if name in known
    ]  # fmt: skip
    return Table(
        "Bars",
        (Column("figure"), Column("value", "right"), Column("bar", "right"), Column("")),
        tuple(rows),
    )


def _show(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def _show_share(estimate: Estimate) -> str:
    return f"{estimate.value:.2%} [{estimate.low:.2%}, {estimate.high:.2%}]"
