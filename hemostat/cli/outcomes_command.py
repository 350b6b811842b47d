"""`hemostat outcomes`: what became of decisions, as labels for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hemostat.cli.output import JsonOption, Output

app = typer.Typer(name="outcomes")


class Exported(msgspec.Struct, frozen=True):
    """What exporting did.

    Attributes:
        file: Where the labels stand.
        labels: How many were written.
        told: How many were left out, since the event log holds them.
    """

    file: str
    labels: int
    told: int


@app.callback()
def outcomes() -> None:
    """What became of decisions, as labels for training."""


@app.command("export")
def export(
    target: Annotated[Path, typer.Argument(help="The .jsonl file to write; replaced if there.")],
    decisions: Annotated[
        Path,
        typer.Option(
            help="Folder of the decision log (HEMOSTAT_DECISIONS).", envvar="HEMOSTAT_DECISIONS"
        ),
    ],
    untold: Annotated[
        bool, typer.Option("--untold", help="Only labels that servers could not append themselves.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the labels that recorded outcomes made as `label_set` events, one a line.

    A server appends them to its own event log by itself; this is for logs that it cannot
    write to. Telling a label twice is harmless: it counts once.
    """
    from features.errors import ConfigError
    from scoring.label_export import export_labels

    if not decisions.is_dir():
        raise ConfigError(
            "there is no decision log at this place",
            field="--decisions",
            value=str(decisions),
            expectation="a folder that `hemostat serve` keeps decisions in",
            fix="give STORE/serving, or what the server's --decisions says",
        )
    written = export_labels(decisions, target, is_untold_only=untold)
    exported = Exported(str(target), written.labels, written.told)
    left_out = f"; {exported.told:,} stand in the event log already" if exported.told else ""
    Output(as_json).show(exported, text=f"{exported.labels:,} labels in {target}{left_out}")
