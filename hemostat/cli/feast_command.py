"""`hemostat feast`: hemostat's features as a Feast repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hemostat.cli.output import Column, JsonOption, Output, Table

app = typer.Typer(name="feast", no_args_is_help=True)


@app.callback()
def _feast() -> None:
    """Use hemostat's features through Feast (extra `feast`)."""


class FeastRepository(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        files: Written files.
        schema_hash: The feature table they were generated from.
        views: Feature views with their number of features.
    """

    files: tuple[str, ...]
    schema_hash: str
    views: dict[str, int]


@app.command("init")
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the repository; made if absent.")],
    store: Annotated[
        str, typer.Option(help="Online store: a folder made by `hemostat stream`, or a Redis url.")
    ],
    feature_log: Annotated[
        Path, typer.Option(help="Feature log, made by `hemostat log features`.")
    ],
    project: Annotated[str, typer.Option(help="Name of the Feast project.")] = "hemostat",
    as_json: JsonOption = False,
) -> None:
    """Write a Feast repository generated from the table of feature definitions."""
    from features.definitions import SCHEMA_HASH
    from hemostat.feast_store.repository import write_repository
    from hemostat.feast_store.views import list_views

    is_url = "://" in store
    files = write_repository(
        folder,
        project=project,
        store=store if is_url else str(Path(store).resolve()),
        feature_log=str(feature_log.resolve()),
    )
    views = {view.name: len(view.features) for view in list_views()}
    result = FeastRepository(tuple(str(path) for path in files), SCHEMA_HASH, views)
    table = Table(
        "Feature views",
        (Column("view"), Column("join keys"), Column("features", "right")),
        tuple(
            (view.name, ", ".join(view.join_keys), str(len(view.features))) for view in list_views()
        ),
    )
    Output(as_json).show(
        result, [table], text=f"Next: feast --chdir {folder} apply (needs the extra `feast`)"
    )
