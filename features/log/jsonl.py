"""Events as JSON lines: the proto3 JSON mapping with proto field names.

A line written here is read by `google.protobuf.json_format.Parse` as the same
event, and a line printed by `MessageToJson(preserving_proto_field_name=True)`
is read here (tested on generated events). Stricter than proto3 JSON: lowerCamelCase
names, unknown enum numbers, non-finite numbers and names that stand twice are
refused. Times have microseconds: finer digits are cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.embedding import EMBEDDERS, Embedder
from features.errors import InvalidEventError
from features.log.assemble import ColumnValueError, build_batch
from features.log.conform import compute_validity
from features.log.json_cells import find_unusual
from features.log.json_strings import MAX_LINE_BYTES
from features.log.json_walk import show_name, walk_event
from features.log.schema import (
    ENVELOPE_FIELDS,
    EVENT_KINDS,
    EVENT_SPEC,
    KIND_SPECS,
    FieldSpec,
    FieldType,
    MessageSpec,
)
from features.log.structs import STRUCTS

__all__ = [
    "MAX_LINE_BYTES",
    "DecodedLines",
    "EventDecoder",
    "ParsedEvents",
    "encode_batch",
    "encode_table",
]

_EVENT = STRUCTS["Event"]
_ENCODE_ROWS = 8_192
# No event nests as deep. A parser would make a thousand objects before it gives up, and
# Python then collect garbage in the midst of good events.
_DEEP = re.compile(rb'(?:\s*[\[{]\s*(?:"[^"\\]*"\s*:)?){100}')
_DECODE_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# Arrow prints `2011-11-11 10:00:00.120000Z`; proto3 JSON wants 0, 3 or 6 digits.
_ARROW_TIME = r"^(.{10}) (.{8})(?:\.000000|(\.\d{3})000|(\.\d{6}))Z$"
_PROTO_TIME = r"\1T\2\3\4Z"


@dataclass(frozen=True, slots=True)
class DecodedLines:
    """What became of some lines.

    Attributes:
        batch: `EVENT_SCHEMA`, one row per line, in order; a malformed line's row
            has no id, no time and no kind.
        malformed: Index of each malformed line with its error, ascending.
    """

    batch: pa.RecordBatch
    malformed: tuple[tuple[int, InvalidEventError], ...]


@dataclass(frozen=True, slots=True)
class ParsedEvents:
    """What some encoded events say.

    Attributes:
        events: One `structs.Event` per row, in order; a malformed row's says nothing.
        malformed: Index of each malformed row with its error, ascending.
    """

    events: list[Any]
    malformed: tuple[tuple[int, InvalidEventError], ...]


class EventDecoder:
    """Decodes event lines; stateless between calls.

    Args:
        embedders: All that events may name.

    >>> line = b'{"event_id": "e1", "tenant": "demo", "event_time": "2026-03-01T12:00:00Z"}'
    >>> EventDecoder().decode(line).event_time
    1772366400000000
    """

    def __init__(self, embedders: Sequence[Embedder] = EMBEDDERS) -> None:
        self._decode_fast = msgspec.json.Decoder(_EVENT).decode
        self._embedders = embedders

    def decode(self, line: bytes, default_ingest_us: int = 0) -> Any:
        """Return the `structs.Event` of one line, texts embedded and dropped.

        Args:
            line: The line, with or without its end.
            default_ingest_us: Ingest time of an event that says none; 0: left out.

        Raises:
            InvalidEventError: The line is malformed; names the field at fault.
        """
        if len(line) > MAX_LINE_BYTES + 1:  # The line end does not count.
            raise InvalidEventError(
                "the line is too long",
                value=f"more than {MAX_LINE_BYTES} bytes",
                expectation=f"at most {MAX_LINE_BYTES} bytes",
                fix="split the event, or check for missing line ends",
            )
        try:
            if _DEEP.match(line):
                raise RecursionError
            tree = msgspec.json.decode(line)
            _refuse_repetition(line)
        except _DECODE_FAULTS as error:
            raise InvalidEventError(
                "the line is not JSON",
                value=f"a line of {len(line)} bytes",
                expectation=f"one JSON object in UTF-8, at most {MAX_LINE_BYTES} bytes",
                fix=f"write one event a line ({_describe(error)})",
            ) from None
        return walk_event(tree, self._embedders, default_ingest_us)

    def parse_carefully(
        self, lines: Sequence[bytes], default_ingest_us: Sequence[int] | None = None
    ) -> ParsedEvents:
        """Return the events of lines, each walked member by member.

        Args:
            lines: Some lines.
            default_ingest_us: One per line, see `decode`.
        """
        times = repeat(0) if default_ingest_us is None else default_ingest_us
        malformed: list[tuple[int, InvalidEventError]] = []
        events = [
            self._decode_or_note(line, index, malformed, time_us)
            for index, (line, time_us) in enumerate(zip(lines, times, strict=False))
        ]
        return ParsedEvents(events, tuple(malformed))

    def decode_lines(self, lines: Sequence[bytes]) -> DecodedLines:
        """Return the lines as columns, malformed ones on the side."""
        events: list[Any] = []
        malformed: list[tuple[int, InvalidEventError]] = []
        decode_fast = self._decode_fast
        for index, (line, is_usual) in enumerate(zip(lines, _find_usual(lines), strict=True)):
            try:
                if not is_usual:
                    _refuse_repetition(line)
                events.append(decode_fast(line))
            except (*_DECODE_FAULTS, InvalidEventError):
                events.append(self._decode_or_note(line, index, malformed))
        try:
            return DecodedLines(build_batch(events, self._embedders), tuple(malformed))
        except ColumnValueError:
            # Some value passed the types but not its column: walk all lines to find it.
            parsed = self.parse_carefully(lines)
        return DecodedLines(build_batch(parsed.events, self._embedders), parsed.malformed)

    def _decode_or_note(
        self,
        line: bytes,
        index: int,
        malformed: list[tuple[int, InvalidEventError]],
        default_ingest_us: int = 0,
    ) -> Any:
        try:
            return self.decode(line, default_ingest_us)
        except InvalidEventError as error:
            # Its frames hold the list that holds it: only the collector would free them, and
            # a full collection holds up a stream for longer than a batch takes.
            error.__traceback__ = error.__context__ = None
            malformed.append((index, error))
            return _EVENT()


def _find_usual(lines: Sequence[bytes]) -> npt.NDArray[np.bool_]:
    """Return which lines surely name nothing twice, shape `(n,)`."""
    buffer = np.frombuffer(b"".join(lines), np.uint8)
    ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    return ~find_unusual(buffer, ends)


def _refuse_repetition(line: bytes) -> None:
    """Raise if an object of the line names a member twice; parsers differ in which one holds."""
    try:
        json.loads(line, object_pairs_hook=_require_distinct)
    except (ValueError, RecursionError):
        return  # What is no JSON is told by the decoder proper.


def _require_distinct(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    if len(set(names)) == len(names):
        return
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidEventError(
                "a field stands twice",
                field=name if show_name(name) == name else "",
                value=show_name(name),
                expectation="each field once",
                fix="write each field once per object",
            )


def _describe(error: Exception) -> str:
    """Return what a JSON parser says, without any of the line's content."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} of a string is not UTF-8"
    if isinstance(error, RecursionError):
        return "too deeply nested"
    return str(error)


def encode_table(table: pa.Table | pa.RecordBatch) -> Iterator[bytes]:
    """Yield each row of an event table as one JSON line, newline included.

    Defaults and absent fields are left out, 64-bit integers are strings, as
    proto3 JSON has it.
    """
    for batch in table.to_batches(_ENCODE_ROWS) if isinstance(table, pa.Table) else [table]:
        yield from encode_batch(batch)


def encode_batch(batch: pa.RecordBatch) -> list[bytes]:
    """Return each row of a batch as one JSON line, newline included."""
    n_rows = batch.num_rows
    columns: dict[str, Iterable[Any]] = {
        field.name: _column_to_list(batch.column(field.name), field) for field in ENVELOPE_FIELDS
    }
    for kind in EVENT_KINDS:
        if kind in batch.schema.names:
            columns[kind] = _struct_to_list(batch.column(kind), KIND_SPECS[kind])
        else:
            columns[kind] = repeat(None, n_rows)
    encode = msgspec.json.Encoder().encode
    in_order = (columns[field.name] for field in EVENT_SPEC.fields)
    return [encode(event) + b"\n" for event in map(_EVENT, *in_order)]


def _struct_to_list(column: pa.Array, spec: MessageSpec) -> Sequence[Any]:
    """Return the structs of one message column; null is None."""
    n_rows = len(column)
    if column.null_count == n_rows:
        return [None] * n_rows
    validity = compute_validity(column)
    present = column if column.null_count == 0 else column.filter(pa.array(validity))
    fields = (
        _column_to_list(present.field(field.name), field)
        if field.is_logged
        else repeat(None, len(present))
        for field in spec.fields
    )
    objects = list(map(STRUCTS[spec.name], *fields))
    if len(objects) == n_rows:
        return objects
    scattered: list[Any] = [None] * n_rows
    for index, value in zip(np.flatnonzero(validity).tolist(), objects, strict=True):
        scattered[index] = value
    return scattered


def _column_to_list(column: pa.Array, field: FieldSpec) -> Sequence[Any]:
    """Return one column's JSON values; what JSON leaves out is None."""
    if field.is_repeated:
        assert field.message is not None
        return _lists_to_list(column, field.message)
    if field.message is not None:
        return _struct_to_list(column, field.message)
    if field.type is FieldType.TIME:
        texts = pc.replace_substring_regex(column.cast(pa.string()), _ARROW_TIME, _PROTO_TIME)
        return list(texts.to_pylist())
    if field.default is not None:
        is_default = pc.equal(column, pa.scalar(field.default, field.arrow_type))
        column = pc.if_else(is_default, pa.scalar(None, field.arrow_type), column)
    if field.type is FieldType.INT64:
        column = column.cast(pa.string())
    return list(column.to_pylist())


def _lists_to_list(column: pa.ListArray, message: MessageSpec) -> list[Any]:
    """Return one list of structs per row, None for an empty one."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_pylist()
    flat = _struct_to_list(pc.list_flatten(column), message)
    lists: list[Any] = []
    start = 0
    for length in lengths:
        lists.append(flat[start : start + length] if length else None)
        start += length
    return lists
