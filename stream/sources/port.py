"""The seam between the stream and any source of events.

A source is a log cut into partitions; a row has an offset in its partition and keeps
it. The stream alone decides where to read: the positions are in its store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Encoding(Enum):
    """How rows are written."""

    JSON = "json"
    """One proto3 JSON document per row, with proto field names."""
    PROTOBUF = "protobuf"
    """One serialized `hemostat.v1.Event` per row."""
    MIXED = "mixed"
    """Each row is the one or the other: JSON begins with an opening brace."""


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of one partition as they stand there, one after the other.

    Attributes:
        partition: The partition's number.
        offsets: Shape `(n,)`, int64, ascending. May have gaps (Kafka).
        buffer: Shape `(b,)`, uint8: the rows end to end.
        ends: Shape `(n,)`, int64: where each row ends in `buffer`.
        encoding: How they are written.
        ingest_us: Shape `(n,)`, int64: when the log took each row in, 0: only the row
            itself says; None: for none.
        is_strict: No later row of the partition has the last row's `ingest_time`.
    """

    partition: int
    offsets: npt.NDArray[np.int64]
    buffer: npt.NDArray[np.uint8]
    ends: npt.NDArray[np.int64]
    encoding: Encoding
    ingest_us: npt.NDArray[np.int64] | None = None
    is_strict: bool = False

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ends)


@dataclass(frozen=True, slots=True)
class RawTable:
    """Rows of one partition as columns.

    Attributes:
        partition: The partition's number.
        offsets: Shape `(n,)`, int64, ascending.
        table: `pyarrow.RecordBatch` of the event log's schema.
    """

    partition: int
    offsets: npt.NDArray[np.int64]
    table: Any

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)


Raw = RawRows | RawTable


class SourceReader(Protocol):
    """Reads some partitions on and on. Used by one thread."""

    def read(self, max_rows: int) -> Sequence[Raw]:
        """Return rows that are there now, about `max_rows` of all partitions together.

        Each partition stands at most once. Nothing: no row is there now. Blocks a few
        milliseconds at most where it waits for a server.

        Raises:
            LogFormatError: What is to be read next is damaged or gone.
            SourceUnavailableError: The server cannot be reached; try again later.
        """
        ...

    def find_ended(self) -> Mapping[int, int]:
        """Return the partitions that had nothing more, and up to when that is certain.

        The value is an ingest time (microseconds UTC) such that no row taken in up to
        then will still come; 0: the source cannot tell.
        """
        ...

    def read_ends(self) -> Mapping[int, int]:
        """Return the offset behind each partition's last row, where it is known."""
        ...

    def stop(self, partition: int) -> None:
        """Read no more of a partition; it counts as ended."""
        ...

    def close(self) -> None:
        """Release files or connections."""
        ...


class Source(Protocol):
    """A log, opened.

    Attributes:
        name: For people: path or address.
        incarnation: Names this very sequence of rows; positions in another one are worthless.
        n_partitions: Number of partitions, named 0 up to it.
        n_rows: Rows of the log; None if it grows or was never counted.
        last_ingest_us: The last row's `ingest_time`; 0 if it is not known.
        is_finite: Whether a run that does not follow reads up to the end for good.
    """

    name: str
    incarnation: str
    n_partitions: int
    n_rows: int | None
    last_ingest_us: int
    is_finite: bool

    def open_reader(
        self, starts: Mapping[int, int], *, is_following: bool, batch_size: int
    ) -> SourceReader:
        """Return a reader of some partitions.

        Args:
            starts: Partition to the offset of the first row wanted.
            is_following: Whether rows that are yet to come are wanted, too.
            batch_size: The `max_rows` that will be asked for.

        Raises:
            LogFormatError: The source no longer holds the row that comes next, or has
                lost rows that were applied.
            SourceUnavailableError: The server cannot be reached.
        """
        ...

    def find_unfinished(self) -> Sequence[int]:
        """Return the partitions that end in the middle of a row, which was not read."""
        ...

    def close(self) -> None:
        """Release files or connections."""
        ...
