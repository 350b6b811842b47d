"""The truth beside the log: what each case really was. For evaluation only.

Nothing that trains or computes features may read it: in a shop it does not exist.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

TRUTH_SCHEMA: Final = pa.schema(
    [
        pa.field("case_event_id", pa.string(), nullable=False),
        pa.field("person", pa.string(), nullable=False),
        pa.field("call", pa.string(), nullable=False),
        pa.field("pattern", pa.string(), nullable=False),
        pa.field("is_abuse", pa.bool_(), nullable=False),
        pa.field("would_leave_without_offer", pa.bool_()),
        pa.field("driver", pa.string(), nullable=False),
        pa.field("kept_by", pa.list_(pa.string())),
        pa.field("is_checked", pa.bool_(), nullable=False),
    ]
)
"""Columns of the truth file.

`person`: who acts, the same under all accounts and as a guest. `call`: `order`,
`cancellation` or `return`. `pattern`: a value of `Pattern` or `LookAlike`.
`would_leave_without_offer`: clicks only, else null. `driver`: cause of the click or
of the return, empty for orders. `kept_by`: offers that would keep a customer who
leaves without one. `is_checked`: somebody checks it; the label may still lie beyond
the log's end.
"""

TRUTH_FILE: Final = "truth/cases.parquet"
"""Where the truth stands in a log's directory."""

_FLUSH_ROWS: Final = 20_000


class Truth(NamedTuple):
    """One case; see `TRUTH_SCHEMA`."""

    case_event_id: str
    person: str
    call: str
    pattern: str
    is_abuse: bool
    would_leave_without_offer: bool | None
    driver: str
    kept_by: tuple[str, ...]
    is_checked: bool


class TruthSink(Protocol):
    """What takes the truth of a simulation; `TruthWriter` is one."""

    def add(self, row: Truth) -> None:
        """Take one case; called in the order in which cases are planned."""
        ...


class TruthWriter:
    """Writes the truth of a log, a bounded number of rows in memory; a context manager.

    Args:
        path: File to write, in a folder that exists.
    """

    def __init__(self, path: Path) -> None:
        self._rows: list[Truth] = []
        self._writer = pq.ParquetWriter(path, TRUTH_SCHEMA)

    def add(self, row: Truth) -> None:
        """Add one case."""
        self._rows.append(row)
        if len(self._rows) >= _FLUSH_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is left and complete the file."""
        self._flush()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(TRUTH_SCHEMA)
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, TRUTH_SCHEMA, strict=True)
        ]
        self._writer.write_table(pa.table(arrays, schema=TRUTH_SCHEMA))
        self._rows.clear()
