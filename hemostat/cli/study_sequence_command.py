"""`hemostat study-sequence`: do sequence networks foresee cancellations better than the trees?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.steps import show_steps

if TYPE_CHECKING:
    from training.evaluation.resampling import Estimate
    from training.sequence.study import Study

app = typer.Typer()


@app.command("study-sequence")
def study_sequence(
    log: Annotated[Path, typer.Argument(help="The tenant's event log.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose events; without it, the log's only tenant.")
    ] = None,
    cut: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day (UTC) before which is learned; default: after 70 % of the log.",
        ),
    ] = None,
    length: Annotated[
        int, typer.Option(min=4, max=256, help="Last events of the customer that are read.")
    ] = 32,
    epochs: Annotated[int, typer.Option(min=1, max=100, help="Passes at most.")] = 12,
    max_cases: Annotated[
        int, typer.Option(min=1_000, help="Latest cases to learn from, per head.")
    ] = 40_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Compare a GRU and a Transformer over the last events with the boosted trees.

    For every head of P(cancel) that the log can teach, on cases after the cut, with bounds over
    customers. A network is worth keeping if its PR-AUC is surely higher and a row cheap enough.
    Needs the extra `sequence`.
    """
    from training.head_definitions import FULL_HEADS
    from training.sequence.fitting import FitSettings
    from training.sequence.networks import NetworkSize
    from training.sequence.study import StudySettings
    from training.sequence.study import study_sequence as study
    from training.sources import open_source

    output = Output(as_json)
    heads = tuple(head for head in FULL_HEADS if head.target == "cancel")
    settings = StudySettings(
        size=NetworkSize(length=length),
        fitting=FitSettings(max_epochs=epochs),
        seed=seed,
        max_cases=max_cases,
    )
    with show_steps(output) as tell:
        source = open_source(
            log,
            tell,
            tenant=tenant,
            cut_us=None if cut is None else int(cut.replace(tzinfo=UTC).timestamp()) * 1_000_000,
            heads=heads,
        )
        studies = [study(source, head, settings, tell) for head in heads]
    output.show(studies, [_draw(one) for one in studies], text=_tell(studies))


def _draw(study: Study) -> Table:
    return Table(
        title=f"{study.head}: networks over the last events against the trees",
        columns=(
            Column("contender"),
            Column("PR-AUC", "right"),
            Column("gain on the trees", "right"),
            Column("log loss", "right"),
            Column("one row, us", "right"),
            Column("ONNX differs by", "right"),
            Column("better"),
        ),
        rows=tuple(
            (
                one.name,
                _show(one.pr_auc),
                "" if one.gain is None else _show(one.gain),
                f"{one.log_loss:.4f}",
                f"{one.row_us:.0f}",
                f"{one.onnx_difference:.0e}",
                "" if one.gain is None else ("yes" if one.is_better else "no"),
            )
            for one in study.findings
        ),
        caption=f"learned from {study.n_train:,} cases with {study.tokens_per_case:.1f} events "
        f"each, measured on {study.n_test:,} later ones ({study.n_test_positive:,} positive); "
        "in brackets: 95 % bounds, resampling customers",
    )


def _show(estimate: Estimate) -> str:
    return f"{estimate.value:+.4f} [{estimate.low:+.4f}, {estimate.high:+.4f}]".replace("+0", "0")


def _tell(studies: list[Study]) -> str:
    return "\n".join(f"{one.head}: {one.kept} should serve." for one in studies)
