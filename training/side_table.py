"""What the import of Online Retail wrote beside the log about its source rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import LogFormatError

LINE_TABLE_FILE = "online_retail_lines.parquet"
"""Name of the table in the log's folder."""

_COLUMNS = ["line_id", "article_kind", "event_ids", "is_reinvoiced_within_1h"]
_PRODUCT = "product"


@dataclass(frozen=True, eq=False)
class LineTable:
    """Facts of source rows that events do not carry.

    Attributes:
        product_line_ids: Order lines of products: no vouchers, no cushion pads.
        reinvoiced_event_ids: Events of credits whose article the same customer bought
            again within an hour: corrections of an invoice rather than returns.
    """

    product_line_ids: pa.Array
    reinvoiced_event_ids: pa.Array


def read_line_table(path: Path) -> LineTable:
    """Return the side table.

    Raises:
        LogFormatError: It is not there, or not such a table.
    """
    try:
        table = pq.read_table(path, columns=_COLUMNS).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise LogFormatError(
            "the table of source lines cannot be read",
            field="--lines",
            value=str(path),
            expectation=f"the {LINE_TABLE_FILE} that `hemostat import online-retail` writes",
            fix="name that file in the log's folder, or leave --lines out",
        ) from error
    is_product = pc.and_(
        pc.equal(table.column("article_kind").cast(pa.string()), _PRODUCT),
        pc.is_valid(table.column("line_id")),
    )
    is_reinvoiced = pc.fill_null(table.column("is_reinvoiced_within_1h"), False)
    return LineTable(
        product_line_ids=_gather(table.column("line_id").filter(pc.fill_null(is_product, False))),
        reinvoiced_event_ids=_gather(
            pc.list_flatten(table.column("event_ids").filter(is_reinvoiced))
        ),
    )


def _gather(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one string array."""
    found = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
