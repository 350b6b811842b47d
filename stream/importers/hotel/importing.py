"""The import on one page: read, parse, write. All effects are here and in `reading`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from features.errors import ConfigError
from features.log.manifest import FORMATS
from features.log.writer import DEFAULT_PARTITIONS, EventLogWriter
from stream.importers.hotel.attributes import (
    ATTRIBUTES_FILE,
    LATE_ATTRIBUTES_FILE,
    write_declaration,
)
from stream.importers.hotel.bookings import MalformedRow, ParsedSource
from stream.importers.hotel.events import build_events
from stream.importers.hotel.parsing import parse_source
from stream.importers.hotel.reading import find_source, read_source
from stream.importers.hotel.report import (
    REPORT_FILE,
    ImportReport,
    count_buckets,
    count_events,
    count_source,
)

DEFAULT_TENANT: Final = "hotel"
DEAD_LETTER_FILE: Final = "dead-letters/import.jsonl"
"""Name of the file of malformed rows in the log's directory; empty if there are none."""

Progress = Callable[[str, int, int], None]
"""Called with the step (`read`, `append`, `write`), units done and in all (0: unknown)."""


@dataclass(frozen=True)
class ImportOptions:
    """What an import may be told; the defaults fit the published data set.

    Attributes:
        tenant: Tenant of the events.
        with_late: Tell country and parking spaces in the bookings, too: the shop learned
            them at check-in, so they say who came. For comparison with published figures.
        n_partitions: Partitions of the log.
        formats: `parquet`, `jsonl` or both.
        created_by: Command and version, for the log's manifest.
    """

    tenant: str = DEFAULT_TENANT
    with_late: bool = False
    n_partitions: int = DEFAULT_PARTITIONS
    formats: Sequence[str] = FORMATS
    created_by: str = "hemostat import hotel"


def import_hotel(
    source: Path, out: Path, options: ImportOptions, progress: Progress | None = None
) -> ImportReport:
    """Turn a hotel bookings file into an event log and return what became of its rows.

    The log appears at `out` as a whole or not at all, with the dead letters, the
    report and the declaration of the attributes beside the events.

    Args:
        source: A CSV file, plain or gzipped, or a folder with exactly one.
        out: The log's directory; must not exist or be empty.
        options: Choices.
        progress: Told how far the import is.

    Raises:
        ConfigError: A path or an option is wrong.
        LogFormatError: The source is not the data set.
    """
    tell = progress or (lambda _step, _done, _total: None)
    if not options.tenant.strip():
        raise ConfigError(
            "--tenant is out of range",
            field="--tenant",
            value=options.tenant,
            expectation="a name",
            fix="give a name",
        )
    path = find_source(source)
    n_events = 0
    # Opened first: a place that is taken is refused before the work.
    with EventLogWriter(
        out,
        n_partitions=options.n_partitions,
        formats=options.formats,
        created_by=options.created_by,
        progress=lambda step, done: tell(step, done, n_events),
    ) as writer:
        parsed = parse_source(read_source(path, tell))
        report = _report(path, out, options, parsed)
        n_events = report.n_events
        writer.append_structs(
            build_events(parsed.bookings, tenant=options.tenant, with_late=options.with_late)
        )
        _write_dead_letters(writer.place_side_file(DEAD_LETTER_FILE), path, parsed.malformed)
        for name in _name_declarations(options):
            text = write_declaration(with_late=name == LATE_ATTRIBUTES_FILE)
            writer.place_side_file(name).write_text(text, encoding="utf-8")
        writer.place_side_file(REPORT_FILE).write_bytes(
            msgspec.json.format(msgspec.json.encode(report)) + b"\n"
        )
    return report


def _name_declarations(options: ImportOptions) -> list[str]:
    return [ATTRIBUTES_FILE, *([LATE_ATTRIBUTES_FILE] if options.with_late else [])]


def _report(path: Path, out: Path, options: ImportOptions, parsed: ParsedSource) -> ImportReport:
    source_rows = count_buckets(parsed)
    events = count_events(source_rows)
    return ImportReport(
        source=path.name,
        log=str(out),
        tenant=options.tenant,
        has_late_columns=options.with_late,
        n_source_rows=parsed.n_rows,
        n_events=sum(events.values()),
        source_rows=source_rows,
        events=events,
        counters=count_source(parsed),
        dead_letters=str(out / DEAD_LETTER_FILE),
        attributes=[str(out / name) for name in _name_declarations(options)],
    )


def _write_dead_letters(target: Path, source: Path, malformed: Sequence[MalformedRow]) -> None:
    encoder = msgspec.json.Encoder()
    target.write_bytes(
        b"".join(
            encoder.encode({"source": source.name, **msgspec.structs.asdict(row)}) + b"\n"
            for row in malformed
        )
    )
