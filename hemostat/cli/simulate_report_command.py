"""`hemostat simulate-report`: what simulated logs give away, and what a learner finds in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import JsonOption, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.simulation.realism.report import Realism

app = typer.Typer()


@app.command("simulate-report")
def simulate_report_command(
    logs: Annotated[list[Path], typer.Argument(help="Logs of `hemostat simulate`, one a world.")],
    call: Annotated[
        list[str] | None,
        typer.Option(help="order, cancellation or return; repeat for several (all)."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Also write the gallery of the first log as an HTML page.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure simulated worlds against their truth: can a label be seen, can it be learned?

    Tables: what hemostat's learner catches when the truth teaches it at once, beside the best rule
    of one column; the most telling columns and words; what must tell nothing; look-alikes.
    """
    from hemostat.cli.realism_tables import draw_realism
    from training.simulation.realism.report import CALLS

    output = Output(as_json)
    report = _measure(logs, _check_calls(call or list(CALLS)), output)
    if page is not None:
        from training.simulation.gallery import write_gallery

        write_gallery(logs[0], page)
    output.show(report, draw_realism(report), text=f"Gallery: {page}" if page else "")


def _check_calls(calls: Sequence[str]) -> tuple[str, ...]:
    from features.errors import ConfigError
    from training.simulation.realism.report import CALLS

    unknown = [call for call in calls if call not in CALLS]
    if unknown:
        raise ConfigError(
            "there is no such call",
            field="--call",
            value=unknown[0],
            expectation=", ".join(CALLS),
            fix="name one of these",
        )
    return tuple(dict.fromkeys(calls))


def _measure(logs: Sequence[Path], calls: Sequence[str], output: Output) -> Realism:
    from training.simulation.realism.report import Realism, measure_pooled, measure_world
    from training.simulation.realism.true_cases import read_true_cases

    cases = []
    worlds = []
    for log in logs:
        output.note(f"reading {log}")
        cases.append(read_true_cases(log))
        worlds.append(measure_world(log.name, cases[-1], calls))
    return Realism(tuple(worlds), len(worlds), *measure_pooled(cases, calls))
