"""`hemostat forget`: a customer is removed everywhere, and does not come back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import ConfigError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from hemostat.cli.forgetting import Forgotten, Places

app = typer.Typer(name=None)


@app.command("forget")
def forget(
    customer: Annotated[str, typer.Argument(help="The customer's id, as events name it.")],
    tenant: Annotated[str, typer.Option(help="The retailer.")],
    store: Annotated[
        list[str] | None,
        typer.Option(help="A store's folder or address; repeat for several (HEMOSTAT_STORE)."),
    ] = None,
    log: Annotated[
        list[Path] | None,
        typer.Option(
            help="An event log, archive or feature log, or a folder of your own .jsonl files "
            "(which are not changed); repeat for several (HEMOSTAT_EVENTS)."
        ),
    ] = None,
    decisions: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of decisions; default: STORE/serving (HEMOSTAT_DECISIONS)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a customer from stores, logs and decisions, for good.

    Their events are not let through again, from wherever they are replayed: a
    register beside each store and log sees to that. What the same id does from now on
    belongs to a new customer. A running stream removes the records itself. Safe to
    repeat.
    """
    from features.log.embedded_appender import read_wall_us
    from hemostat.cli.forgetting import forget_customer

    places = _find_places(store, log, decisions)
    forgotten = forget_customer(tenant, customer, places, read_us=read_wall_us)
    Output(as_json).show(forgotten, [_draw(forgotten)], text=_tell(forgotten, places))


def _find_places(
    stores: list[str] | None,
    logs: list[Path] | None,
    decisions: list[Path] | None,
) -> Places:
    """Return what was named, else what is configured."""
    from features.log.appender import KAFKA_PREFIX
    from features.store.place import is_redis_url
    from hemostat.cli.forgetting import Places

    configured = os.environ.get("HEMOSTAT_STORE", "")
    stores = stores or ([configured] if configured else [])
    folders = [Path(each) for each in stores if not is_redis_url(each)]
    if logs is None:
        events = os.environ.get("HEMOSTAT_EVENTS", "")
        beside = [each.with_name(f"{each.name}-events") for each in folders]
        logs = [each for each in beside if each.exists()]
        if events and not events.startswith(KAFKA_PREFIX):
            logs = [Path(events)]
    if decisions is None:
        named = os.environ.get("HEMOSTAT_DECISIONS", "")
        beside = [Path(named)] if named else [each / "serving" for each in folders]
        decisions = [each for each in beside if each.exists()]
    if not (stores or logs or decisions):
        raise ConfigError(
            "no place is named",
            field="--store, --log, --decisions",
            value="none",
            expectation="where the customer may be found",
            fix="for example --store var/store --log var/log",
        )
    return Places(tuple(stores), tuple(logs), tuple(decisions))


def _draw(forgotten: Forgotten) -> Table:
    rows = tuple(
        (
            removal.place,
            removal.kind,
            removal.what,
            "all" if removal.count is None else f"{removal.count:,}",
            removal.by,
        )
        for removal in forgotten.removals
    )
    return Table(
        title="Removed",
        columns=(
            Column("place"),
            Column("kind"),
            Column("what"),
            Column("count", justify="right"),
            Column("by"),
        ),
        rows=rows,
    )


def _tell(forgotten: Forgotten, places: Places) -> str:
    n_registers = len(places.stores) + len(places.logs)
    return (
        f"done in {forgotten.seconds:.1f} s; {n_registers} registers keep the customer's "
        "events from coming back"
    )
