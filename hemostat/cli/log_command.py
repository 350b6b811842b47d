"""`hemostat log`: archives, feature logs, trimming and verifying of event logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from rich.progress import TaskID

    from features.log.embedded_log import EmbeddedLog

app = typer.Typer(name="log")

LogArgument = Annotated[Path, typer.Argument(help="An event log.")]
_DAY_US = 86_400_000_000


class Archived(msgspec.Struct, frozen=True):
    """What archiving did."""

    archive: str
    rows: int
    rows_archived_before: int
    seconds: float


class FeaturesWritten(msgspec.Struct, frozen=True):
    """What writing a feature log did."""

    feature_log: str
    rows: int
    features: int
    schema_hash: str
    seconds: float


class LogTrimmed(msgspec.Struct, frozen=True):
    """What trimming did."""

    segments: int
    bytes: int
    first_offsets: tuple[int, ...]


class LogVerified(msgspec.Struct, frozen=True):
    """What a log holds, every block checked."""

    events: int
    partition_events: tuple[int, ...]


@app.callback()
def _group() -> None:
    """Archive, trim and verify event logs; write feature logs for training."""


@app.command("archive")
def archive(
    log: LogArgument,
    to: Annotated[Path, typer.Option(help="The archive's folder; goes on where it ended.")],
    as_json: JsonOption = False,
) -> None:
    """Write an event log as Parquet by day, going on where the last run ended.

    The archive is an event log itself: train and stream from it. Safe to stop and
    repeat at any time.
    """
    from features.log.event_archive import EventArchiveWriter
    from features.log.reader import EventLog

    output = Output(as_json)
    start_s = time.perf_counter()
    source = EventLog(log)
    writer = EventArchiveWriter(to, source.manifest)
    starts = [writer.find_start(partition) for partition in source.partitions]
    n_rows = 0
    with _show_progress(output) as tell:
        for partition, start in zip(source.partitions, starts, strict=True):
            for offset, batch in source.read_batches(partition, start):
                writer.append(partition, offset, batch)
                n_rows += batch.num_rows
                total = source.manifest.n_events
                tell("archive", n_rows, max(0, total - sum(starts)) if total else 0)
        writer.close()
    done = Archived(str(to), n_rows, sum(starts), time.perf_counter() - start_s)
    output.show(done, text=f"{n_rows:,} rows into {to} in {done.seconds:.1f} s")


@app.command("features")
def write_features(
    log: LogArgument,
    to: Annotated[Path, typer.Option(help="The feature log's folder; an older one is replaced.")],
    as_json: JsonOption = False,
) -> None:
    """Write the vector of every case, as it was then, for training and for Feast."""
    from features.log.feature_log import write_feature_log
    from features.log.reader import EventLog

    output = Output(as_json)
    start_s = time.perf_counter()
    with _show_progress(output) as tell:
        manifest = write_feature_log(EventLog(log), to, tell)
    seconds = time.perf_counter() - start_s
    n_features = len(manifest.features)
    done = FeaturesWritten(str(to), manifest.n_rows, n_features, manifest.schema_hash, seconds)
    output.show(done, text=f"{done.rows:,} vectors of {n_features} into {to} in {seconds:.1f} s")


@app.command("trim")
def trim_log(
    log: LogArgument,
    older_than_days: Annotated[float, typer.Option(min=0, help="Keep what came in later.")] = 90,
    store: Annotated[
        list[Path] | None,
        typer.Option(help="A store that follows the log, beside those that are known."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Remove old events from a log that grows; never what a store has still to apply."""
    from features.log.embedded_appender import read_wall_us
    from features.log.embedded_log import EmbeddedLog
    from features.log.embedded_maintenance import trim

    with EmbeddedLog(log) as opened:
        stores = sorted({*opened.list_readers(), *map(str, store or [])})
        needed = [
            min(offsets)
            for offsets in zip(
                opened.read_durable().next_offsets,
                *(_read_next_offsets(opened, each) for each in stores),
                strict=True,
            )
        ]
    keep_from_us = read_wall_us() - int(older_than_days * _DAY_US)
    trimmed = trim(log, keep_from_us, needed)
    result = LogTrimmed(trimmed.segments, trimmed.bytes, trimmed.first_offsets)
    Output(as_json).show(
        result, text=f"{trimmed.segments} segments removed, {trimmed.bytes / 1e6:,.1f} MB"
    )


@app.command("verify")
def verify_log(log: LogArgument, as_json: JsonOption = False) -> None:
    """Read every event of a log that grows and check that none is damaged or missing."""
    from features.log.embedded_maintenance import verify

    counts = verify(log)
    rows = tuple((f"{n:02d}", f"{count:,}") for n, count in enumerate(counts))
    table = Table("Intact", (Column("partition"), Column("events", justify="right")), rows)
    Output(as_json).show(LogVerified(sum(counts), tuple(counts)), [table])


def _read_next_offsets(log: EmbeddedLog, store: str) -> list[int]:
    """Return per partition the least offset that some shard of a store has still to apply."""
    from features.keys import N_SHARDS
    from features.store.lmdb_store import LmdbFeatureReader
    from stream.progress import make_source_id

    with LmdbFeatureReader.open_reader(Path(store)) as reader:
        states = [reader.read_shard_state(shard) for shard in range(N_SHARDS)]
    ids = [make_source_id(log.manifest.incarnation, partition) for partition in log.partitions]
    return [min(state.next_offsets.get(each, 0) for state in states) for each in ids]


@contextmanager
def _show_progress(output: Output) -> Iterator[Callable[[str, int, int], None]]:
    """Show how far it is, on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=output.make_progress_console(), transient=True) as shown:

        def tell(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = shown.add_task(phase, total=total or None)
            shown.update(tasks[phase], completed=done)

        yield tell
