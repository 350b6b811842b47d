"""`hemostat evaluate`: what a bundle is worth on cases that it did not learn from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.evaluation_costs import PolicyOption, read_costs
from hemostat.cli.evaluation_tables import draw_evaluation
from hemostat.cli.output import JsonOption, Output
from hemostat.cli.steps import show_steps

if TYPE_CHECKING:
    from training.bundle_evaluation import BundleEvaluation
    from training.evaluation.drivers import Driver
    from training.evaluation.figures import HeadFigures
    from training.evaluation.resampling import Resampling
    from training.evaluation.ring_detection import RingSummary
    from training.head_evaluation import HeadEvaluation, LabelCoverage

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class HeadReport:
    """One head, judged.

    Attributes:
        head: Name, `<target>__<call>`.
        label_source: `tenant` or `simulated`.
        verify_threshold: From which probability on the hint is `VERIFY`; None: no hint.
        from_day: The first day judged (UTC).
        until_day: The day before which the judged cases end.
        coverage: How much is known of the cases.
        figures: All figures with 95 % bounds, and those of its slices; None: too few cases.
        drivers: Features that move scores most.
        rings: How long rings that began in this time went unseen; None: no truth beside
            the log, no hint, or no such ring.
    """

    head: str
    label_source: str
    verify_threshold: float | None
    from_day: str
    until_day: str
    coverage: LabelCoverage
    figures: HeadFigures | None
    drivers: tuple[Driver, ...]
    rings: RingSummary | None


@dataclass(frozen=True, slots=True)
class SkippedReport:
    """A head that could not be judged, and why."""

    head: str
    reason: str


@dataclass(frozen=True, slots=True)
class EvaluateReport:
    """What `hemostat evaluate` found.

    Attributes:
        bundle: The bundle's folder.
        version: Hash of its content.
        tenant: Whose cases.
        n_events: Rows read of the log.
        costs: What outcomes cost, for the money.
        n_resamples: Draws behind the bounds.
        heads: What could be judged.
        skipped: What could not.
        page: The page written; None: none was asked for.
    """

    bundle: Path
    version: str
    tenant: str
    n_events: int
    costs: dict[str, float]
    n_resamples: int
    heads: tuple[HeadReport, ...]
    skipped: tuple[SkippedReport, ...]
    page: Path | None


@app.command("evaluate")
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="A bundle, or a folder of them: its champion.")],
    log: Annotated[Path, typer.Argument(help="The event log.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose events; without it, the log's only tenant.")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="First day (UTC) to judge; default: the day on which the bundle was born.",
        ),
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option(help="Side table of `import online-retail`; default: the one in the log."),
    ] = None,
    policy: PolicyOption = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", help="Write an HTML page with plots and model card here."),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=20, max=10_000, help="Draws of customers behind the bounds.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Judge every head of a bundle on cases that it did not learn from.

    Ranking, recall at fixed shares of false alarms among good customers, the bundle's own
    threshold with its false alarms and its worth in money, calibration, and slices; each with
    95 % bounds from drawing customers. Labels are weighted as in training, so that the cases
    somebody checked stand for all. Money follows `evaluation.costs` of the policy. On a simulated
    log: how long new rings of abusers go unseen.
    """
    from training.bundle_evaluation import EvaluationOptions, evaluate_bundle
    from training.evaluation.resampling import Resampling

    output = Output(as_json)
    options = EvaluationOptions(
        bundle=bundle,
        log=log,
        tenant=tenant,
        lines=lines,
        from_us=None if start is None else int(start.replace(tzinfo=UTC).timestamp()) * 1_000_000,
        costs=read_costs(policy),
        resampling=Resampling(resamples, seed),
    )
    with show_steps(output) as tell:
        found = evaluate_bundle(options, progress=tell)
        if page is not None:
            from training.report.writing import write_evaluation_page

            tell("report", 0, 1)
            write_evaluation_page(found, page)
    report = _build_report(found, page)
    output.show(report, draw_evaluation(report), text=f"Report: {page}" if page else "")


def _build_report(found: BundleEvaluation, page: Path | None) -> EvaluateReport:
    return EvaluateReport(
        bundle=found.bundle.folder,
        version=found.bundle.manifest.version,
        tenant=found.tenant,
        n_events=found.n_read,
        costs=found.costs.model_dump(),
        n_resamples=found.resampling.n_resamples,
        heads=tuple(_describe(head, found.resampling) for head in found.heads),
        skipped=tuple(SkippedReport(one.name, one.reason) for one in found.skipped),
        page=page,
    )


def _describe(head: HeadEvaluation, resampling: Resampling) -> HeadReport:
    from training.evaluation.ring_detection import summarize_rings

    return HeadReport(
        head=head.head,
        label_source=head.label_source,
        verify_threshold=head.threshold,
        from_day=_to_day(head.from_us),
        until_day=_to_day(head.until_us),
        coverage=head.coverage,
        figures=head.figures,
        drivers=head.drivers,
        rings=None if head.rings is None else summarize_rings(head.rings, resampling),
    )


def _to_day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).date().isoformat()
