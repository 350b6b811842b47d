"""`hemostat promote`: a challenger becomes the champion, if the gates let it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from hemostat.cli.output import JsonOption, Output
from hemostat.cli.registry_tables import (
    EXIT_REFUSED,
    BundlesOption,
    ByOption,
    draw_gates,
    name_actor,
    tell_change,
)

app = typer.Typer()


@app.command("promote")
def promote(
    challenger: Annotated[str, typer.Argument(help="Its version, or how that begins.")],
    bundles: BundlesOption,
    force: Annotated[
        bool, typer.Option("--force", help="Overrule failed gates; needs --reason.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; goes into the journal.")] = "",
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Day (UTC) to which the age of the training data is counted; default: today.",
        ),
    ] = None,
    by: ByOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a challenger serve, if it passes every gate; servers follow within seconds.

    A refusal lists each gate that failed with its value, bar and what to do; it ends with code 5.
    Promotions and refusals go into the journal. A damaged bundle, or another tenant's, cannot be
    forced.
    """
    from training.registry import promotion

    change = promotion.promote(
        bundles,
        challenger,
        promotion.sign(name_actor(by), datetime.now(UTC)),
        as_of=None if as_of is None else as_of.replace(tzinfo=UTC),
        reason=reason,
        is_forced=force,
    )
    Output(as_json).show(change, draw_gates(change), text=tell_change(change, bundles))
    if change.action == "refused":
        raise typer.Exit(EXIT_REFUSED)
