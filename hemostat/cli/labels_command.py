"""`hemostat labels`: what the labels of a log are worth before anything is learned from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemostat.cli.labels_tables import draw_audit
from hemostat.cli.output import JsonOption, Output
from hemostat.cli.score_tables import Language
from hemostat.cli.steps import show_steps

app = typer.Typer()
labels = typer.Typer(no_args_is_help=True)
app.add_typer(labels, name="labels")


@labels.callback()
def _group() -> None:
    """Look at the labels of a log."""


@labels.command("audit")
def audit(
    log: Annotated[Path, typer.Argument(help="The event log.")],
    tenant: Annotated[
        str | None, typer.Option(help="Whose events; without it, the log's only tenant.")
    ] = None,
    sensitivity: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of checked abuse that checks confirm.")
    ] = 1.0,
    specificity: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Share of honest checked cases that are clear after appeals."
        ),
    ] = 1.0,
    language: Annotated[
        Language, typer.Option("--lang", help="Language of the tables.")
    ] = Language.EN,
    as_json: JsonOption = False,
) -> None:
    """Audit the labels of a log: who is looked at, how late, what is taken back.

    Coverage by what led to the look and by month, delays, reversals, the share of abuse among
    all cases by the told chances of a look, the horizon after which 98 % of verdicts have
    settled, and what cases looked at twice tell of the checks. Checks err: --sensitivity and
    --specificity correct the share for it.
    """
    from features.errors import ConfigError
    from training.labelling.auditing import audit_log
    from training.labelling.noise import InspectionError

    output = Output(as_json)
    try:
        assumed = InspectionError(sensitivity, specificity)
    except ValueError as error:
        raise ConfigError(
            "checks that see so little tell nothing",
            field="--sensitivity, --specificity",
            value=f"{sensitivity}, {specificity}",
            expectation="a sum above 1",
            fix=str(error),
        ) from error
    with show_steps(output) as tell:
        found = audit_log(log, assumed, tell, tenant=tenant)
    output.show(found, draw_audit(found, language))
