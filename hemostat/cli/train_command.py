"""`hemostat train`: event logs to a model bundle, with the figures that it was measured by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.attribute_tables import (
    AttributesReport,
    build_attributes_report,
    draw_attributes,
)
from hemostat.cli.calibration_table import draw_contests
from hemostat.cli.evaluation_costs import PolicyOption, read_costs
from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.registry_tables import (
    EXIT_REFUSED,
    ByOption,
    SigningKeyOption,
    draw_gates,
    name_actor,
    tell_change,
)
from hemostat.cli.steps import show_steps

if TYPE_CHECKING:
    from features.model_bundle import CalibrationStanding, HeadManifest, HeadMetrics
    from features.model_bundle.signing import SigningKey
    from training.labelling.noise import InspectionError
    from training.pipeline import TrainingResult
    from training.registry.promotion import Change

app = typer.Typer()

CutOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Day (UTC) on which the model is born; default: after 70 % of the log.",
    ),
]
CheckSensitivityOption = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=1.0,
        help="Share of abuse that your checks find, if you know it; without it probabilities are "
        "of what checks find, unless enough cases were looked at twice.",
    ),
]
CheckSpecificityOption = Annotated[
    float,
    typer.Option(min=0.9, max=1.0, help="Share of honest cases that checks and appeals clear."),
]
AllowColumnOption = Annotated[
    list[str] | None,
    typer.Option(help="Column to learn from although the leak gate refuses it; repeatable."),
]


@dataclass(frozen=True, slots=True)
class HeadReport:
    """One head: how much taught it, how it did on later cases, and its graph's parity.

    Attributes:
        head: Name, `<target>__<call>`.
        label_source: `tenant` or `simulated`.
        n_train: Cases learned from.
        n_train_positive: Positive ones among them.
        n_trees: Trees kept.
        verify_threshold: Where the hint becomes `VERIFY`; None: no hint.
        metrics: Figures on later cases; None: too few of them.
        parity_rows: Rows on which graph and XGBoost were compared.
        parity_max_difference: Largest difference of a probability.
        parity_changed_hints: Rows with another hint.
        calibration: What makes probabilities of the trees' sums.
        calibration_contest: How ways to calibrate did.
    """

    head: str
    label_source: str
    n_train: int
    n_train_positive: int
    n_trees: int
    verify_threshold: float | None
    metrics: HeadMetrics | None
    parity_rows: int
    parity_max_difference: float
    parity_changed_hints: int
    calibration: str
    calibration_contest: tuple[CalibrationStanding, ...]


@dataclass(frozen=True, slots=True)
class SkippedReport:
    """A head that could not be learned, and why."""

    head: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What `hemostat train` did.

    Attributes:
        bundle: The bundle's folder.
        version: Hash of its content.
        tenant: Whose cases it scores.
        n_events: Rows read of the tenant's log.
        n_rejected: Rows that the acceptance rules refused.
        n_repeated: Rows that told an event again.
        heads: What was learned.
        skipped: What was not.
        registry: Whether it serves now; what the gates said, if they were asked.
        attributes: What became of the tenant's own fields; None: none are declared.
    """

    bundle: Path
    version: str
    tenant: str
    n_events: int
    n_rejected: int
    n_repeated: int
    heads: tuple[HeadReport, ...]
    skipped: tuple[SkippedReport, ...]
    registry: Change
    attributes: AttributesReport | None


@app.command("train")
def train(
    log: Annotated[Path, typer.Argument(help="The tenant's event log.")],
    out: Annotated[
        Path, typer.Option(help="Folder of bundles; the first one in it serves at once.")
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Whose events; without it, the log's only tenant.")
    ] = None,
    abuse_from: Annotated[
        Path | None,
        typer.Option(help="A simulated log: abuse heads for a tenant without verdicts, in shadow."),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(help="Side table of `import online-retail`; default: the one in the log."),
    ] = None,
    attributes: Annotated[
        Path | None,
        typer.Option(help="Your own fields, declared; default: the log's attributes.yaml."),
    ] = None,
    cut: CutOption = None,
    false_alarms: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, help="Share of good customers' cases that may be flagged."),
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 7,
    policy: PolicyOption = None,
    wants_promotion: Annotated[
        bool, typer.Option("--promote", help="Promote it at once, if the gates let it.")
    ] = False,
    allow_column: AllowColumnOption = None,
    check_sensitivity: CheckSensitivityOption = None,
    check_specificity: CheckSpecificityOption = 0.99,
    signing_key: SigningKeyOption = None,
    by: ByOption = "",
    as_json: JsonOption = False,
) -> None:
    """Train on an event log and write a model bundle: graph, manifest, report, model card.

    The model is born at the cut: it learns from outcomes known by then and is measured on the
    cases after it. Nothing is written unless the ONNX graph equals XGBoost. Equal logs, options,
    code and library versions give an equal bundle.

    The first model of a folder serves at once, later ones wait as challengers for
    `hemostat promote`. Columns and labels that know more than was known at their time are refused;
    --allow-column lets one pass, and the lineage says so. With --promote the gates are asked
    here; a refusal ends with code 5.
    """
    from training.growing import HeadParameters
    from training.pipeline import train_bundle
    from training.training_options import TrainingOptions

    output = Output(as_json)
    options = TrainingOptions(
        log=log,
        out=out,
        tenant=tenant,
        abuse_from=abuse_from,
        lines=lines,
        attributes=attributes,
        cut_us=_to_us(cut),
        seed=seed,
        parameters=HeadParameters(false_alarm_target=false_alarms),
        costs=read_costs(policy),
        wants_promotion=wants_promotion,
        by=name_actor(by),
        allowed_columns=tuple(allow_column or ()),
        key=_read_key(signing_key),
        checks=_state_checks(check_sensitivity, check_specificity),
    )
    with show_steps(output) as tell:
        result = train_bundle(options, now=lambda: datetime.now(UTC), progress=tell)
    report = _build_report(result)
    tables = [*_draw(report, result), *draw_gates(result.change)]
    output.show(report, tables, text=_tell_next(report, out))
    if result.change.action == "refused":
        raise typer.Exit(EXIT_REFUSED)


def _to_us(day: datetime | None) -> int | None:
    return None if day is None else int(day.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _state_checks(sensitivity: float | None, specificity: float) -> InspectionError | None:
    from training.labelling.noise import InspectionError

    return None if sensitivity is None else InspectionError(sensitivity, specificity)


def _read_key(file: Path | None) -> SigningKey | None:
    from features.model_bundle.signing import read_signing_key

    return None if file is None else read_signing_key(file)


def _build_report(result: TrainingResult) -> TrainReport:
    manifest = result.manifest
    return TrainReport(
        bundle=result.folder,
        version=manifest.version,
        tenant=manifest.tenant,
        n_events=result.n_read,
        n_rejected=result.n_rejected,
        n_repeated=result.n_repeated,
        heads=tuple(
            HeadReport(
                head=head.name,
                label_source=head.label_source,
                n_train=head.n_train,
                n_train_positive=head.n_train_positive,
                n_trees=head.n_trees,
                verify_threshold=head.verify_threshold,
                metrics=head.metrics,
                parity_rows=parity.n_rows,
                parity_max_difference=parity.max_difference,
                parity_changed_hints=parity.n_changed_hints,
                calibration=head.calibration.method,
                calibration_contest=tuple(head.calibration_contest),
            )
            for head, parity in zip(manifest.heads, result.parities, strict=True)
        ),
        skipped=tuple(SkippedReport(one.name, one.reason) for one in result.skipped),
        registry=result.change,
        attributes=build_attributes_report(result.attributes),
    )


def _draw(report: TrainReport, result: TrainingResult) -> list[Table]:
    heads = result.manifest.heads
    tables = [
        _draw_figures(report, heads),
        _draw_cases(report, heads),
        *draw_attributes(report.attributes),
        *draw_contests(heads),
        _draw_parities(report),
    ]
    hints = tuple(_draw_hint(head) for head in report.heads if head.verify_threshold is not None)
    if hints:
        tables.append(
            Table(
                title="Hints",
                columns=(
                    Column("head"),
                    Column("VERIFY from", "right"),
                    Column("good customers' cases flagged", "right"),
                    Column("abuse flagged", "right"),
                ),
                rows=hints,
                caption="on later cases; good: as far as known afterwards",
            )
        )
    if report.skipped:
        tables.append(
            Table(
                title="Not learned",
                columns=(Column("head"), Column("why")),
                rows=tuple((one.head, one.reason) for one in report.skipped),
            )
        )
    return tables


def _draw_figures(report: TrainReport, heads: list[HeadManifest]) -> Table:
    return Table(
        title=f"Heads of {report.tenant}, measured on cases after the cut",
        columns=(
            Column("head"),
            Column("prevalence", "right"),
            Column("PR-AUC", "right"),
            Column("ROC-AUC", "right"),
            Column("Brier", "right"),
            Column("ECE", "right"),
        ),
        rows=tuple(_draw_metrics(head) for head in heads),
        caption="in brackets: 95 % bounds, resampling customers; ECE: calibration error",
    )


def _draw_metrics(head: HeadManifest) -> tuple[str, ...]:
    from training.model_card import show_interval

    metrics = head.metrics
    if metrics is None:
        return (head.name, "too few", "-", "-", "-", "-")
    return (
        head.name,
        f"{metrics.prevalence:.4f}",
        show_interval(metrics.pr_auc),
        show_interval(metrics.roc_auc),
        f"{metrics.brier:.4f}",
        f"{metrics.calibration_error:.4f}",
    )


def _draw_cases(report: TrainReport, heads: list[HeadManifest]) -> Table:
    return Table(
        title="What they were learned from",
        columns=(
            Column("head"),
            Column("labels"),
            Column("train (positive)", "right"),
            Column("test (positive)", "right"),
            Column("trees", "right"),
        ),
        rows=tuple(
            (
                head.name,
                head.label_source,
                f"{head.n_train:,} ({head.n_train_positive:,})",
                f"{head.metrics.n:,} ({head.metrics.n_positive:,})" if head.metrics else "-",
                str(head.n_trees),
            )
            for head in heads
        ),
        caption=f"{report.n_events:,} events read, {report.n_rejected:,} refused, "
        f"{report.n_repeated:,} told again",
    )


def _draw_parities(report: TrainReport) -> Table:
    return Table(
        title="The ONNX graph against XGBoost, on the whole test split",
        columns=(
            Column("head"),
            Column("rows", "right"),
            Column("largest difference", "right"),
            Column("changed hints", "right"),
        ),
        rows=tuple(
            (
                head.head,
                f"{head.parity_rows:,}",
                f"{head.parity_max_difference:.1e}",
                str(head.parity_changed_hints),
            )
            for head in report.heads
        ),
    )


def _draw_hint(head: HeadReport) -> tuple[str, ...]:
    alarms = head.metrics.false_alarm_rate if head.metrics else None
    recall = head.metrics.recall if head.metrics else None
    return (
        head.head,
        f"{head.verify_threshold:.4f}",
        "-" if alarms is None else f"{alarms:.1%}",
        "-" if recall is None else f"{recall:.1%}",
    )


def _tell_next(report: TrainReport, out: Path) -> str:
    lines = [f"Bundle: {report.bundle} (report and model card inside)"]
    change = report.registry
    if change.champion == change.model:
        lines.append("It is the champion: servers of this folder use it.")
        lines.append(f"Next: hemostat serve --bundle {out} --store STORE")
    elif change.action == "refused":
        lines.append(tell_change(change, out))
    else:
        lines.append(f"It is a challenger; {change.champion} serves.")
        lines.append(f"Next: hemostat promote {change.model} --bundles {out}")
    return "\n".join(lines)
