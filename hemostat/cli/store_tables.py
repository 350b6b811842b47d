"""What the commands of `hemostat store` did, and how a person sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from features.store.verification import StoreVerification


class ShardStatus(msgspec.Struct, frozen=True):
    """How far one shard has come; times in microseconds UTC, 0: never."""

    shard: int
    version: int
    applied_ingest_us: int
    seen_version: int
    seen_applied_ingest_us: int


class StoreStatus(msgspec.Struct, frozen=True):
    """What a store is.

    Attributes:
        store: Its place, without password.
        generation: The one in use.
        generations: All.
        applied_ingest_us: All events up to here are in all shards that were written.
        behind_s: Seconds from there to now.
        shards: Each shard.
    """

    store: str
    generation: int
    generations: tuple[int, ...]
    applied_ingest_us: int
    behind_s: float
    shards: tuple[ShardStatus, ...]


class StoreBackup(msgspec.Struct, frozen=True):
    """What a backup or a restore did.

    Attributes:
        store: The store's place, without password.
        backup: The backup's folder.
        records: Number of records.
        seen: Number of seen event keys (some may be counted twice).
        bytes: Bytes of the files.
        seconds: How long it took: for a restore, the recovery time.
        recovery_point_us: All events up to here are in it, microseconds UTC.
        behind_s: Seconds from the recovery point to now: what a stream has to catch up.
    """

    store: str
    backup: str
    records: int
    seen: int
    bytes: int
    seconds: float
    recovery_point_us: int
    behind_s: float


class StoreRebuild(msgspec.Struct, frozen=True):
    """What a rebuild did.

    Attributes:
        store: The store's place, without password.
        generation: The new generation, now in use.
        replaced: The one that was; 0: none.
        events: Rows of the log that were read.
        rounds: How often the end of the log was reached.
        seconds: How long it took: the recovery time from the log.
    """

    store: str
    generation: int
    replaced: int
    events: int
    rounds: int
    seconds: float


def draw_status(status: StoreStatus) -> Table:
    """Return how far each shard has come."""
    rows = tuple(
        (
            str(each.shard),
            f"{each.version:,}",
            _show_time(each.applied_ingest_us),
            _show_time(each.seen_applied_ingest_us),
        )
        for each in status.shards
    )
    others = [str(number) for number in status.generations if number != status.generation]
    return Table(
        title=f"Store {status.store}, generation {status.generation}",
        columns=(
            Column("shard", "right"),
            Column("commits", "right"),
            Column("records applied up to"),
            Column("ids seen up to"),
        ),
        rows=rows,
        caption=f"all shards are applied up to {_show_time(status.applied_ingest_us)}"
        + (f"; other generations: {', '.join(others)}" if others else ""),
    )


def draw_backup(what: str, result: StoreBackup) -> Table:
    """Return what a backup or a restore did; `what` it was."""
    rows = (
        ("records", f"{result.records:,}"),
        ("seen event ids", f"{result.seen:,}"),
        ("size", f"{result.bytes / 1e6:,.1f} MB"),
        ("time", f"{result.seconds:.2f} s"),
        ("recovery point", _show_time(result.recovery_point_us)),
        ("behind now", _show_duration(result.behind_s)),
    )
    return Table(f"{what}: {result.store}", (Column(""), Column("", "right")), rows)


def draw_verification(shown: str, found: StoreVerification) -> Table:
    """Return what was counted and compared."""
    rows = [
        (each.layout, f"{each.records:,}", f"{each.bytes:,}", f"{each.bytes_per_record:,.0f}")
        for each in found.layouts
    ]
    total = sum(each.bytes for each in found.layouts)
    mean = total / max(1, found.records)
    rows.append(("all", f"{found.records:,}", f"{total:,}", f"{mean:,.0f}"))
    compared = ", compared with the other store" if found.compared else ""
    return Table(
        title=f"Verified {shown}: {found.faults} faults{compared}",
        columns=(
            Column("layout"),
            Column("records", "right"),
            Column("bytes", "right"),
            Column("bytes per record", "right"),
        ),
        rows=tuple(rows),
        caption=f"recovery point {_show_time(found.applied_ingest_us)}",
    )


def draw_rebuild(result: StoreRebuild) -> Table:
    """Return what a rebuild did."""
    rows = (
        ("generation", str(result.generation)),
        ("replaced", str(result.replaced or "-")),
        ("events", f"{result.events:,}"),
        ("rounds", str(result.rounds)),
        ("time", f"{result.seconds:.2f} s"),
    )
    return Table(f"Rebuilt {result.store}", (Column(""), Column("", "right")), rows)


def _show_time(time_us: int) -> str:
    if not time_us:
        return "-"
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _show_duration(seconds: float) -> str:
    from hemostat.cli.stream_tables import format_duration

    return format_duration(timedelta(seconds=seconds)) if seconds else "-"
