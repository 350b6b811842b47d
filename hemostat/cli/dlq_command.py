"""`hemostat dlq`: rows that could not be applied: list them, look at them, read them again."""

from __future__ import annotations

import uuid
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from features.errors import ConfigError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from stream.dead_letters import DeadLetter

app = typer.Typer(name="dlq")

StoreOption = Annotated[
    str, typer.Option("--store", help="The online store: a folder, or redis://HOST:PORT.")
]
FolderOption = Annotated[
    Path | None, typer.Option("--dead-letters", help="Their folder; default: STATE/dead_letters.")
]
StateOption = Annotated[
    Path | None, typer.Option(help="The stream's own folder; default: as for hemostat stream.")
]
ReasonOption = Annotated[
    list[str] | None, typer.Option("--reason", help="Only this reason; may be repeated.")
]


class LetterCount(msgspec.Struct, frozen=True):
    """How many rows of a partition were refused for a reason."""

    reason: str
    log: str
    partition: int
    count: int
    first_offset: int
    last_offset: int


@app.callback()
def _group() -> None:
    """Rows that could not be applied: why, where they stand, and how to apply them after all."""


@app.command("list")
def list_letters(
    store: StoreOption,
    dead_letters: FolderOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the dead letters by reason and partition."""
    counts: Counter[tuple[str, str, int]] = Counter()
    bounds: dict[tuple[str, str, int], tuple[int, int]] = {}
    for letter in _read(store, dead_letters, state):
        key = (letter.reason, letter.incarnation, letter.partition)
        first, last = bounds.get(key, (letter.offset, letter.offset))
        counts[key] += 1
        bounds[key] = min(first, letter.offset), max(last, letter.offset)
    found = tuple(LetterCount(*key, counts[key], *bounds[key]) for key in sorted(counts))
    table = Table(
        title="Dead letters",
        columns=(
            Column("reason"),
            Column("partition", "right"),
            Column("count", "right"),
            Column("offsets"),
        ),
        rows=tuple(
            (
                each.reason,
                str(each.partition),
                f"{each.count:,}",
                f"{each.first_offset:,} to {each.last_offset:,}",
            )
            for each in found
        ),
    )
    Output(as_json).show(found, [table] if found else [], text="" if found else "No dead letters")


@app.command("show")
def show_letters(
    store: StoreOption,
    reason: ReasonOption = None,
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most letters to show.")] = 20,
    dead_letters: FolderOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters: where the row stands and what is wrong with it, never the row itself."""
    wanted = (
        letter
        for letter in _read(store, dead_letters, state)
        if (not reason or letter.reason in reason)
        and (partition is None or letter.partition == partition)
    )
    found = tuple(islice(wanted, limit))
    names = ("reason", "partition", "offset", "field", "value", "expectation", "fix")
    table = Table(
        title="Dead letters",
        columns=tuple(Column(name) for name in names),
        rows=tuple(tuple(str(getattr(letter, name)) for name in names) for letter in found),
    )
    Output(as_json).show(found, [table] if found else [], text="" if found else "No dead letters")


@app.command("replay")
def replay(
    source: Annotated[str, typer.Argument(help="The source that the rows stand in.")],
    store: StoreOption,
    reason: ReasonOption = None,
    max_late_days: Annotated[
        int, typer.Option(min=0, help="Accept events so many days late.")
    ] = 30,
    log_format: Annotated[
        str, typer.Option("--format", help="Of a log in both formats: parquet or jsonl.")
    ] = "",
    dead_letters: FolderOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the refused rows again and apply those that are acceptable now, each once.

    Stop the stream first: a store has one writer. An interrupted replay goes on when
    it is started again.
    """
    from features.log.validation import AcceptanceRules
    from features.store.opening import StoreOptions, open_store
    from stream.options import StreamOptions, find_state_folder
    from stream.replay import replay_dead_letters

    options = StreamOptions(
        state=state or find_state_folder(store),
        dead_letters=dead_letters,
        log_format=log_format or None,
        acceptance=AcceptanceRules(max_late_us=max_late_days * 86_400_000_000),
    )
    opened = open_store(store, "write", StoreOptions(retry_for_s=2.0))
    try:
        summary = replay_dead_letters(source, opened, options, uuid.uuid4().hex, reason or ())
    finally:
        opened.close()
    rows = tuple((name, f"{getattr(summary, name):,}") for name in summary.__struct_fields__)
    table = Table(title="Replayed", columns=(Column("rows"), Column("count", "right")), rows=rows)
    Output(as_json).show(summary, [table])


def _read(store: str, dead_letters: Path | None, state: Path | None) -> list[DeadLetter]:
    from stream.dead_letters import read_dead_letters
    from stream.options import find_state_folder

    home = state or find_state_folder(store)
    folder = dead_letters or home / "dead_letters"
    if not folder.exists() and (dead_letters or not home.exists()):
        raise ConfigError(
            "there are no dead letters here, nor a stream's folder",
            field="--dead-letters" if dead_letters else "--state" if state else "--store",
            value=str(dead_letters or home),
            expectation="what was given to `hemostat stream`",
            fix="check the path",
        )
    return list(read_dead_letters(folder))
