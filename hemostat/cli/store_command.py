"""`hemostat store`: status, backup, restore, verification and rebuilding of online stores."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import StoreUnavailableError
from hemostat.cli.output import JsonOption, Output
from hemostat.cli.store_tables import (
    ShardStatus,
    StoreBackup,
    StoreRebuild,
    StoreStatus,
    draw_backup,
    draw_rebuild,
    draw_status,
    draw_verification,
)

if TYPE_CHECKING:
    from features.store.backup import BackupManifest
    from features.store.port import FeatureReader, FeatureStore
    from stream.summary import StreamProgress

app = typer.Typer(name="store")

StoreOption = Annotated[
    str, typer.Option("--store", help="The online store: a folder, or redis://HOST:PORT.")
]
DurableOption = Annotated[
    bool, typer.Option("--durable", help="Wait for the disk at each commit (folders).")
]

KeepOption = Annotated[bool, typer.Option("--keep", help="Keep the generation that was in use.")]

OnPart = Callable[[int, int | None], None]
"""Told the number of parts done and of all; None: not known."""

_MAX_ROUNDS = 20


@app.callback()
def _group() -> None:
    """See, back up, restore, verify and rebuild an online store."""


@app.command("status")
def show_status(store: StoreOption, as_json: JsonOption = False) -> None:
    """Show a store's generations and how far each shard has come."""
    from features.keys import N_SHARDS
    from features.store.opening import open_store, read_generations

    generations = read_generations(store)
    shards = []
    with open_store(store, "read") as reader:
        shown = _show_place(store, reader)
        for shard in range(N_SHARDS):
            state, seen = reader.read_shard_state(shard), reader.read_seen_state(shard)
            shards.append(
                ShardStatus(
                    shard,
                    state.version,
                    state.applied_ingest_us,
                    seen.version,
                    seen.applied_ingest_us,
                )
            )
    applied_us = min((each.applied_ingest_us for each in shards if each.version), default=0)
    status = StoreStatus(
        shown,
        generations.current,
        generations.numbers,
        applied_us,
        _count_behind_s(applied_us),
        tuple(shards),
    )
    Output(as_json).show(status, [draw_status(status)])


@app.command("backup")
def back_up(
    store: StoreOption,
    to: Annotated[Path, typer.Option(help="Folder for the backup; new or empty.")],
    as_json: JsonOption = False,
) -> None:
    """Write a backup of a store, also while a stream writes to it.

    It can be restored into a store of another kind.
    """
    from features.store.backup import write_backup
    from features.store.opening import open_store

    output = Output(as_json)
    with (
        open_store(store, "read") as reader,
        _show_progress(output, "backing up", "shards") as tell,
    ):
        shown = _show_place(store, reader)
        manifest = write_backup(reader, to, now_us=_read_now_us, on_shard=tell)
    result = _describe_backup(shown, to, manifest, manifest.seconds)
    text = f"restore it with: hemostat store restore {to} --store STORE"
    output.show(result, [draw_backup("Backed up", result)], text=text)


@app.command("restore")
def restore(
    backup: Annotated[Path, typer.Argument(help="A folder written by `hemostat store backup`.")],
    store: StoreOption,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of the store that is there.")
    ] = False,
    keep: KeepOption = False,
    durable: DurableOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fill a store from a backup; the stream then goes on from the backup's positions."""
    from features.store.backup import restore_backup
    from features.store.opening import StoreOptions, drop_generation, open_store, read_generations

    output = Output(as_json)
    started_s = time.perf_counter()
    replaced = read_generations(store).current
    with _show_progress(output, "restoring", "shards") as tell:
        manifest = restore_backup(
            backup, store, StoreOptions(is_durable=durable), is_replacing=replace, on_shard=tell
        )
    if replaced and not keep:
        drop_generation(store, replaced)
    seconds = time.perf_counter() - started_s
    with open_store(store, "read") as reader:
        shown = _show_place(store, reader)
    result = _describe_backup(shown, backup, manifest, seconds)
    text = f"catch up with: hemostat stream SOURCE --store {shown}"
    output.show(result, [draw_backup("Restored", result)], text=text)


@app.command("verify")
def verify(
    store: StoreOption,
    against: Annotated[
        str, typer.Option(help="Another store that must hold the same records, byte by byte.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Read and unpack every record of a store; count records and bytes per layout."""
    from features.store.opening import open_store
    from features.store.verification import verify_store

    output = Output(as_json)
    with ExitStack() as stack:
        reader = open_store(store, "read")
        stack.callback(reader.close)
        other = open_store(against, "read") if against else None
        if other is not None:
            stack.callback(other.close)
        tell = stack.enter_context(_show_progress(output, "verifying", "shards"))
        found = verify_store(reader, other, tell)
        shown = _show_place(store, reader)
    output.show(found, [draw_verification(shown, found)])
    if found.faults:
        raise StoreUnavailableError(
            "the store is not what it should be",
            field="store",
            value=f"{shown}: {found.faults} faults: {'; '.join(found.fault_examples)}",
            expectation="no faults",
            fix="restore a backup, or rebuild: `hemostat store rebuild SOURCE --store STORE`",
        )


@app.command("rebuild")
def rebuild(
    source: Annotated[str, typer.Argument(help="The log that the store was streamed from.")],
    store: StoreOption,
    keep: KeepOption = False,
    durable: DurableOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stream a log into a new generation beside the one in use, catch up, then swap.

    Scorers and a stream that follows go on with the old one, and take the new one over
    without a failed call.
    """
    from features.store.opening import (
        StoreOptions,
        begin_generation,
        drop_generation,
        open_store,
        swap_generation,
    )

    output = Output(as_json)
    started_s = time.perf_counter()
    number = begin_generation(store)
    try:
        options = StoreOptions(is_durable=durable)
        with (
            open_store(store, "write", options, generation=number) as writer,
            _show_progress(output, "rebuilding", "events") as tell,
        ):
            shown = _show_place(store, writer)
            n_events, n_rounds = _stream_until_level(source, store, writer, tell)
    except BaseException:
        drop_generation(store, number)
        raise
    replaced = swap_generation(store, number)
    if replaced and not keep:
        drop_generation(store, replaced)
    seconds = time.perf_counter() - started_s
    result = StoreRebuild(shown, number, replaced, n_events, n_rounds, seconds)
    output.show(result, [draw_rebuild(result)])


def _stream_until_level(
    source: str, store: str, writer: FeatureStore, tell: OnPart
) -> tuple[int, int]:
    """Stream to the end of the log until nothing has come meanwhile; return events and rounds."""
    from stream.options import DEFAULT_WAIT_S, StreamOptions, find_state_folder
    from stream.runner import run_stream

    def show(at: StreamProgress) -> None:
        tell(at.rows_done, at.rows_total)

    n_events = n_rounds = 0
    while n_rounds < _MAX_ROUNDS:
        n_rounds += 1
        with tempfile.TemporaryDirectory(prefix="hemostat-rebuild-") as folder:
            # Dead letters are filed already, by the stream that the log came through first.
            options = StreamOptions(
                Path(folder), wait_s=DEFAULT_WAIT_S, registers=(find_state_folder(store),)
            )
            summary = run_stream(source, writer, options, show)
        n_events += summary.events_read
        if not summary.events_read:
            break
    return n_events, n_rounds


def _show_place(store: str, reader: FeatureReader) -> str:
    """Return a store's place as it may be shown: an address without its password."""
    return str(getattr(reader, "shown", store))


def _read_now_us() -> int:
    return time.time_ns() // 1_000


def _count_behind_s(applied_us: int) -> float:
    return max(0.0, (_read_now_us() - applied_us) / 1e6) if applied_us else 0.0


def _describe_backup(
    shown: str, folder: Path, manifest: BackupManifest, seconds: float
) -> StoreBackup:
    *records, seen = manifest.files
    return StoreBackup(
        store=shown,
        backup=str(folder),
        records=sum(file.rows for file in records),
        seen=seen.rows,
        bytes=sum(file.bytes for file in manifest.files),
        seconds=seconds,
        recovery_point_us=manifest.applied_ingest_us,
        behind_s=_count_behind_s(manifest.applied_ingest_us),
    )


@contextmanager
def _show_progress(output: Output, what: str, unit: str) -> Iterator[OnPart]:
    """Yield what is told the parts done and of all; a bar on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        console=output.make_progress_console(),
        transient=True,
    )
    task = bar.add_task("", total=None)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)
