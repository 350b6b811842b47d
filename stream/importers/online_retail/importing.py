"""The import on one page: read, parse, link, write. All effects are here and in `reading`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
import pyarrow.parquet as pq

from features.errors import ConfigError
from features.log.manifest import FORMATS
from features.log.writer import DEFAULT_PARTITIONS, EventLogWriter
from stream.importers.online_retail.events import build_events
from stream.importers.online_retail.line_table import LINE_TABLE_FILE, build_line_table
from stream.importers.online_retail.linking import LinkedRows, LinkingRules, link_rows
from stream.importers.online_retail.matching import Matching
from stream.importers.online_retail.parsing import parse_source
from stream.importers.online_retail.reading import find_source, read_source
from stream.importers.online_retail.report import (
    REPORT_FILE,
    ImportReport,
    count_customers,
    count_matching,
    count_source,
)
from stream.importers.online_retail.rows import MalformedRow, ParsedSource

DEFAULT_TENANT: Final = "online_retail"
DEFAULT_RETURN_WINDOW_DAYS: Final = 30
DEAD_LETTER_FILE: Final = "dead-letters/import.jsonl"
"""Name of the file of malformed rows in the log's directory; empty if there are none."""

Progress = Callable[[str, int, int], None]
"""Called with the step (`read`, `link`, `append`, `write`), units done and in all (0: unknown)."""


@dataclass(frozen=True)
class ImportOptions:
    """What an import may be told; the defaults fit the published data set.

    Attributes:
        tenant: Tenant of the events.
        rules: How credits find their purchases.
        return_window_days: Return window stated in every event; the file has none.
        n_partitions: Partitions of the log.
        formats: `parquet`, `jsonl` or both.
        created_by: Command and version, for the log's manifest.
    """

    tenant: str = DEFAULT_TENANT
    rules: LinkingRules = field(default_factory=LinkingRules)
    return_window_days: int = DEFAULT_RETURN_WINDOW_DAYS
    n_partitions: int = DEFAULT_PARTITIONS
    formats: Sequence[str] = FORMATS
    created_by: str = "hemostat import online-retail"


def import_online_retail(
    source: Path, out: Path, options: ImportOptions, progress: Progress | None = None
) -> ImportReport:
    """Turn an Online Retail file into an event log and return what became of its rows.

    The log appears at `out` as a whole or not at all, with three files beside
    the events: the dead letters, the side table of source rows and the report.

    Args:
        source: A Parquet, CSV or XLSX file, or a folder with exactly one.
        out: The log's directory; must not exist or be empty.
        options: Choices.
        progress: Told how far the import is.

    Raises:
        ConfigError: A path or an option is wrong.
        LogFormatError: The source is not the data set.
    """
    tell = progress or (lambda _step, _done, _total: None)
    _check_options(options)
    path = find_source(source)
    # Opened first: a place that is taken is refused before the work.
    with EventLogWriter(
        out,
        n_partitions=options.n_partitions,
        formats=options.formats,
        created_by=options.created_by,
        progress=lambda step, done: tell(step, done, n_events),
    ) as writer:
        n_events = 0
        parsed = parse_source(read_source(path, tell))
        ways = {way: _link(parsed, options.rules, way) for way in Matching}
        linked = ways[options.rules.matching]
        tell("link", len(parsed.rows), len(parsed.rows))
        events = build_events(
            linked, tenant=options.tenant, return_window_days=options.return_window_days
        )
        n_events = len(events)
        report = _report(path, out, options, parsed, ways, n_events)
        writer.append_structs(events)
        _write_dead_letters(writer.place_side_file(DEAD_LETTER_FILE), path, parsed.malformed)
        pq.write_table(
            build_line_table(linked, parsed.malformed),
            writer.place_side_file(LINE_TABLE_FILE),
            compression="zstd",
        )
        writer.place_side_file(REPORT_FILE).write_bytes(
            msgspec.json.format(msgspec.json.encode(report)) + b"\n"
        )
    return report


def _link(parsed: ParsedSource, rules: LinkingRules, way: Matching) -> LinkedRows:
    return link_rows(parsed.rows, LinkingRules(way, rules.cancel_within_h, rules.history_from))


def _report(
    path: Path,
    out: Path,
    options: ImportOptions,
    parsed: ParsedSource,
    ways: dict[Matching, LinkedRows],
    n_events: int,
) -> ImportReport:
    n_malformed = len(parsed.malformed)
    compared = {
        way: count_matching(linked, n_malformed, parsed.n_rows) for way, linked in ways.items()
    }
    counts = compared[options.rules.matching]
    if sum(counts.events.values()) != n_events:
        raise RuntimeError(f"{n_events} events were built, {counts.events} counted")
    return ImportReport(
        source=path.name,
        log=str(out),
        tenant=options.tenant,
        n_source_rows=parsed.n_rows,
        n_events=n_events,
        n_customers=count_customers(ways[options.rules.matching]),
        matching=options.rules.matching,
        cancel_within_h=options.rules.cancel_within_h,
        history_from=options.rules.history_from.isoformat(),
        return_window_days=options.return_window_days,
        counts=counts,
        compared=compared,
        counters=count_source(parsed, ways[options.rules.matching]),
        dead_letters=str(out / DEAD_LETTER_FILE),
        line_table=str(out / LINE_TABLE_FILE),
    )


def _write_dead_letters(target: Path, source: Path, malformed: Sequence[MalformedRow]) -> None:
    encoder = msgspec.json.Encoder()
    target.write_bytes(
        b"".join(
            encoder.encode({"source": source.name, **msgspec.structs.asdict(row)}) + b"\n"
            for row in malformed
        )
    )


def _check_options(options: ImportOptions) -> None:
    checks = (
        (bool(options.tenant.strip()), "--tenant", options.tenant, "a name"),
        (
            0 <= options.rules.cancel_within_h < float("inf"),
            "--cancel-within-hours",
            str(options.rules.cancel_within_h),
            "0 or more",
        ),
        (
            0 < options.return_window_days <= 3650,
            "--return-window-days",
            str(options.return_window_days),
            "1 to 3650",
        ),
    )
    for is_right, name, value, expectation in checks:
        if not is_right:
            raise ConfigError(
                f"{name} is out of range",
                field=name,
                value=value,
                expectation=expectation,
                fix="give a value in that range",
            )
