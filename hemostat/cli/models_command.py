"""`hemostat models`: which models there are, who serves, and what the journal tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.registry_tables import BundlesOption

if TYPE_CHECKING:
    from training.registry.journal import Entry
    from training.registry.listing import Listing, ModelEntry

app = typer.Typer()


@app.command("models")
def models(
    bundles: BundlesOption,
    last: Annotated[int, typer.Option(min=0, help="So many lines of the journal.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """List the models of a folder, the champion first, and the end of its journal.

    The whole journal is checked: a line that was changed, removed or inserted is an error.
    `--json` prints all of it, with each model's figures and lineage.
    """
    from training.registry.listing import list_models

    listing = list_models(bundles)
    tables = [_draw_models(listing), *_draw_journal(listing, last)]
    Output(as_json).show(listing, tables, text=_tell_next(listing, bundles))


def _draw_models(listing: Listing) -> Table:
    return Table(
        title="Models",
        columns=(
            Column("model"),
            Column("part"),
            Column("signed"),
            Column("written"),
            Column("heads", "right"),
            Column("parent"),
            Column("data"),
            Column("code"),
        ),
        rows=tuple(_draw_model(one) for one in listing.models),
        caption=listing.note,
    )


def _draw_model(one: ModelEntry) -> tuple[str, ...]:
    if one.fault:
        return (one.model, one.part, "no", one.fault, "-", "-", "-", "-")
    lineage = one.lineage
    return (
        one.model,
        one.part,
        f"{one.signature} {one.signed_by}".strip(),
        one.created_at,
        str(len(one.heads)),
        one.parent or "-",
        lineage.logs[0].data_sha256[:12] if lineage and lineage.logs else "not recorded",
        lineage.code_sha256[:12] if lineage else "not recorded",
    )


def _draw_journal(listing: Listing, last: int) -> list[Table]:
    lines = listing.journal[-last:] if last else ()
    if not lines:
        return []
    return [
        Table(
            title=f"Journal, {len(lines)} of {len(listing.journal)} lines",
            columns=(
                Column("at"),
                Column("by"),
                Column("action"),
                Column("model"),
                Column("before"),
                Column("why"),
            ),
            rows=tuple(_draw_line(entry) for entry in lines),
        )
    ]


def _draw_line(entry: Entry) -> tuple[str, ...]:
    failed = [f"{gate.name} {gate.head}".strip() for gate in entry.gates if not gate.is_met]
    parts = [
        *(["forced"] if entry.is_forced else []),
        *([entry.reason] if entry.reason else []),
        *([f"failed: {', '.join(failed)}"] if failed else []),
    ]
    return (
        entry.at,
        entry.by,
        entry.action.replace("_", " "),
        entry.model or "-",
        entry.champion_before or "-",
        "; ".join(parts) or "-",
    )


def _tell_next(listing: Listing, bundles: object) -> str:
    challengers = [one.model for one in listing.models if one.part == "challenger"]
    if not challengers:
        return ""
    return f"Next: hemostat promote {challengers[0]} --bundles {bundles}"
