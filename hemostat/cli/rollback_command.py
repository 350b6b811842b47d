"""`hemostat rollback`: the champion before this one serves again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from hemostat.cli.output import JsonOption, Output
from hemostat.cli.registry_tables import BundlesOption, ByOption, name_actor, tell_change

app = typer.Typer()


@app.command("rollback")
def rollback(
    bundles: BundlesOption,
    reason: Annotated[str, typer.Option(help="Why; goes into the journal.")] = "",
    by: ByOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let the champion before this one serve again; once more: the one before that.

    No gate is asked but that a server would load it.
    """
    from training.registry import promotion

    signature = promotion.sign(name_actor(by), datetime.now(UTC))
    change = promotion.roll_back(bundles, signature, reason=reason)
    Output(as_json).show(change, text=tell_change(change, bundles))
