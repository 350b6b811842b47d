"""Real labels: does a customer's history help to foresee returns? `make bench-quality`.

Data: UCI Online Retail (HEMOSTAT_DATA or ../shared/data). Task: is an order line
returned or cancelled within 30 days? Unit: invoice x article with a customer, a
product code, a positive price and quantity. Learned before 2011-06-01 (outcomes
known on 2011-07-01), measured on 2011-07-01 to 2011-08-31. Compared: the
prevalence, and the same XGBoost on what the request alone says. Bounds: 95 %,
resampling customers; the difference is paired.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from benchmarks.report import Value, is_short
from features.definitions import FEATURES
from features.log.reader import EventLog
from features.request_rows import Call
from hemostat.cli.output import Column, Output, Table
from stream.importers.online_retail.importing import ImportOptions, import_online_retail
from stream.importers.online_retail.linking import LinkingRules
from stream.importers.online_retail.matching import Matching
from training.cases import build_learning_set
from training.evaluation.calibration_figures import (
    compute_brier_skill,
    compute_calibration_error,
    compute_error_floor,
    compute_observed_to_expected,
    fit_calibration_line,
)
from training.evaluation.head_metrics import to_scored_cases
from training.evaluation.ranking import (
    ScoredCases,
    bootstrap_pr_auc_difference,
    bootstrap_ranking,
    compute_pr_auc,
    compute_prevalence,
)
from training.evaluation.resampling import Draws, Estimate, Resampling
from training.growing import HeadParameters, Part
from training.head_definitions import CREDIT_HEADS
from training.heads import fit_head, predict_probability
from training.learning import HeadParts, divide_cases
from training.log_reading import AcceptedEvents, read_accepted_events
from training.side_table import LINE_TABLE_FILE, LineTable, read_line_table

CUT_US = int(datetime(2011, 7, 1, tzinfo=UTC).timestamp()) * 1_000_000
TENANT = "online_retail"
SEED = 7
N_TOP_CUSTOMERS = 10
IS_REQUEST = np.array([feature.is_request for feature in FEATURES])
DEFINITION = CREDIT_HEADS[0]


@dataclass(frozen=True)
class Variant:
    """A way to read the credits of the file.

    Attributes:
        key: Prefix of its figures.
        title: The same for people.
        matching: Which purchase a credit takes back first.
        without_reinvoiced: Leave out credits bought again within an hour.
    """

    key: str
    title: str
    matching: Matching
    without_reinvoiced: bool


VARIANTS = (
    Variant("latest", "latest purchase first", Matching.LATEST, False),
    Variant("no_reinvoiced", "without re-invoiced credits", Matching.LATEST, True),
    Variant("fifo", "first purchase first", Matching.FIFO, False),
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of the same test cases with and without history."""

    full: ScoredCases
    request: ScoredCases


def measure_online_retail(folder: Path, values: dict[str, Value]) -> Path | None:
    """Fill in the figures of every variant; return the log of the first, None without the file."""
    source = find_source()
    return None if source is None else _measure_real_labels(source, folder, values)


def find_source() -> Path | None:
    """Return the data set's file, None if it is not there."""
    root = Path(__file__).resolve().parent.parent.parent
    folder = Path(os.environ.get("HEMOSTAT_DATA") or root.parent / "shared" / "data")
    file = folder / "online_retail" / "online_retail.parquet"
    return file if file.is_file() else None


def _measure_real_labels(source: Path, folder: Path, values: dict[str, Value]) -> Path:
    """Fill in the figures of every variant; return the log of the first."""
    variants = VARIANTS[:1] if is_short() else VARIANTS
    logs: dict[Matching, Path] = {}
    found: dict[str, Comparison] = {}
    rows = []
    for variant in variants:
        if variant.matching not in logs:
            logs[variant.matching] = _import(source, folder, variant.matching)
        parts = _divide(logs[variant.matching], variant)
        found[variant.key] = _compare(parts, SEED)
        rows.append(_describe(variant, found[variant.key], values))
        _look_at_seeds(variant, parts, found[variant.key], values)
    _name_as_asked(found["latest"], values)
    _look_at_top_customers(found["latest"], values)
    if "fifo" in found:
        _look_at_noise(found["latest"], found["fifo"], values)
    Output(False).show(None, [_draw(rows, values)])
    return logs[VARIANTS[0].matching]


def _import(source: Path, folder: Path, matching: Matching) -> Path:
    log = folder / f"online-retail-{matching.value}"
    options = ImportOptions(
        tenant=TENANT, rules=LinkingRules(matching=matching), formats=("parquet",)
    )
    import_online_retail(source, log, options)
    return log


def _divide(log: Path, variant: Variant) -> HeadParts:
    table = read_line_table(log / LINE_TABLE_FILE)
    events = read_accepted_events(EventLog(log), TENANT)
    if variant.without_reinvoiced:
        events = _drop_reinvoiced(events, table)
    found = build_learning_set(events, frozenset({Call.ORDER_LINE}))
    lines = found.cases[Call.ORDER_LINE]
    is_product = pc.is_in(lines.item_id, table.product_line_ids).to_numpy(zero_copy_only=False)
    return divide_cases(
        DEFINITION, lines.select(is_product), found.facts, CUT_US, found.end_us, SEED
    )


def _drop_reinvoiced(events: AcceptedEvents, table: LineTable) -> AcceptedEvents:
    """Return the events without corrections of invoices, in labels and in history."""
    is_correction = pc.is_in(events.batch.column("event_id"), table.reinvoiced_event_ids)
    return replace(events, batch=events.batch.filter(pc.invert(is_correction)))


def _compare(parts: HeadParts, seed: int) -> Comparison:
    full = fit_head(parts.train, HeadParameters(), seed, gives_hint=False)
    request = fit_head(
        _on_request(parts.train),
        HeadParameters(),
        seed,
        gives_hint=False,
        features=[feature for feature in FEATURES if feature.is_request],
    )
    return Comparison(
        to_scored_cases(parts.test, predict_probability(full, parts.test.rows)),
        to_scored_cases(parts.test, predict_probability(request, _on_request(parts.test).rows)),
    )


def _on_request(part: Part) -> Part:
    return replace(part, rows=np.ascontiguousarray(part.rows[:, IS_REQUEST]))


def _n_resamples() -> int:
    return 200 if is_short() else 1_000


def _describe(variant: Variant, found: Comparison, values: dict[str, Value]) -> tuple[str, ...]:
    """Fill in a variant's figures; return its row of the table."""
    n = _n_resamples()
    pr_auc, roc_auc = bootstrap_ranking(found.full, n, SEED)
    request_pr_auc, request_roc_auc = bootstrap_ranking(found.request, n, SEED)
    gain = bootstrap_pr_auc_difference(found.full, found.request.score, n, SEED)
    error = compute_calibration_error(found.full)
    request_error = compute_calibration_error(found.request)
    prevalence = compute_prevalence(found.full)
    figures: dict[str, Value] = {
        "test_lines": len(found.full.label),
        "test_positives": int(found.full.label.sum()),
        "prevalence": prevalence,
        **_spread("pr_auc", pr_auc),
        **_spread("roc_auc", roc_auc),
        "calibration_error": error,
        **_spread("request_only_pr_auc", request_pr_auc),
        **_spread("request_only_roc_auc", request_roc_auc),
        "request_only_calibration_error": request_error,
        **_spread("pr_auc_gain", gain),
        "history_helps": int(gain.low > 0.0),
    }
    values |= {f"{variant.key}_{name}": value for name, value in figures.items()}
    return (
        variant.title,
        f"{prevalence:.4f}",
        _show(pr_auc),
        _show(request_pr_auc),
        _show(gain),
        f"{roc_auc.value:.3f}",
        f"{request_roc_auc.value:.3f}",
        f"{error:.4f}",
        f"{request_error:.4f}",
    )


def _name_as_asked(found: Comparison, values: dict[str, Value]) -> None:
    """Fill in the headline figures under their own names, and what calibration is worth."""
    values["online_retail_pr_auc"] = values["latest_pr_auc"]
    values["online_retail_pr_auc_request_only"] = values["latest_request_only_pr_auc"]
    values["online_retail_pr_auc_gain_lo"] = values["latest_pr_auc_gain_low"]
    values["ece_online_retail"] = values["latest_calibration_error"]
    cases = found.full
    values["ece_floor_online_retail"] = compute_error_floor(cases)
    values["calibration_slope_online_retail"] = fit_calibration_line(cases).slope
    values["brier_skill_online_retail"] = compute_brier_skill(cases)
    draws = Draws(cases.group, Resampling(_n_resamples(), SEED))

    def compute_ratio(weight: npt.NDArray[np.float64]) -> float:
        is_in = weight > 0.0
        return compute_observed_to_expected(
            ScoredCases(cases.label[is_in], cases.score[is_in], weight[is_in], cases.group[is_in])
        )

    ratio = draws.estimate(cases.weight, compute_ratio)
    values["top_1pct_ratio_online_retail"] = ratio.value
    values["top_1pct_ratio_online_retail_lo"] = ratio.low
    values["top_1pct_ratio_online_retail_hi"] = ratio.high


def _spread(name: str, estimate: Estimate) -> dict[str, Value]:
    return {
        name: estimate.value,
        f"{name}_low": estimate.low,
        f"{name}_high": estimate.high,
    }


def _look_at_top_customers(found: Comparison, values: dict[str, Value]) -> None:
    """Fill in what is left of the gain without the customers who return most."""
    positives = np.bincount(found.full.group, found.full.label)
    top = np.argsort(-positives, kind="stable")[:N_TOP_CUSTOMERS]
    values["top10_customers_share_of_positives"] = float(positives[top].sum() / positives.sum())
    is_rest = ~np.isin(found.full.group, top)
    rest, request = (_select(cases, is_rest) for cases in (found.full, found.request))
    gain = bootstrap_pr_auc_difference(rest, request.score, _n_resamples(), SEED)
    values |= _spread("without_top10_pr_auc_gain", gain)
    values["without_top10_prevalence"] = compute_prevalence(rest)


def _select(cases: ScoredCases, is_wanted: npt.NDArray[np.bool_]) -> ScoredCases:
    group = np.unique(cases.group[is_wanted], return_inverse=True)[1].astype(np.int64)
    return ScoredCases(
        cases.label[is_wanted], cases.score[is_wanted], cases.weight[is_wanted], group
    )


def _look_at_noise(latest: Comparison, fifo: Comparison, values: dict[str, Value]) -> None:
    """Fill in what trees learned on one way's labels gain by the other way's.

    Both ways link the same credits; where a customer bought an article several
    times they name another purchase. If trees of the one gain on labels of the other
    and not the other way round, the other way's labels are the noisier teachers.
    """
    for name, taught, judge in (
        ("taught_by_latest_judged_by_fifo", latest, fifo),
        ("taught_by_fifo_judged_by_latest", fifo, latest),
    ):
        crossed = replace(taught.full, label=judge.full.label)
        gain = bootstrap_pr_auc_difference(crossed, taught.request.score, _n_resamples(), SEED)
        values |= _spread(f"{name}_pr_auc_gain", gain)


def _look_at_seeds(
    variant: Variant, parts: HeadParts, first: Comparison, values: dict[str, Value]
) -> None:
    """Fill in how far the gain hangs on the seed of folds and trees."""
    if is_short():
        return
    found = [first, *(_compare(parts, SEED + step) for step in (1, 2))]
    gains = [compute_pr_auc(one.full) - compute_pr_auc(one.request) for one in found]
    values[f"{variant.key}_pr_auc_gain_least_of_3_seeds"] = min(gains)
    values[f"{variant.key}_pr_auc_gain_greatest_of_3_seeds"] = max(gains)


def _draw(rows: Sequence[tuple[str, ...]], values: dict[str, Value]) -> Table:
    return Table(
        title="Online Retail: is a line returned or cancelled within 30 days? "
        f"{values['latest_test_lines']:,} lines, {values['latest_test_positives']:,} positive",
        columns=(
            Column("credits matched"),
            Column("prevalence", "right"),
            Column("PR-AUC", "right"),
            Column("request only", "right"),
            Column("gain", "right"),
            Column("ROC", "right"),
            Column("req.", "right"),
            Column("ECE", "right"),
            Column("req.", "right"),
        ),
        rows=tuple(rows),
        caption="learned before 2011-06-01, measured on 2011-07-01 to 2011-08-31",
    )


def _show(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
