"""Empties rows of event tables: what stays of an erased event is its place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.log.assemble import build_batch
from features.log.structs import STRUCTS


def blank_rows(table: pa.Table, rows: npt.NDArray[np.int64]) -> pa.Table:
    """Return an event table with some rows emptied: the default event in their place."""
    if not len(rows):
        return table
    blank = build_blank_row()
    for name in set(table.schema.names) - set(blank.schema.names):  # As `malformed`.
        column_type = table.schema.field(name).type
        blank = blank.append_column(name, pa.nulls(1, column_type))
    blank = blank.select(table.schema.names)
    order = np.arange(table.num_rows)
    order[rows] = table.num_rows
    joined = pa.concat_tables([table.cast(blank.schema), blank]).unify_dictionaries()
    return joined.combine_chunks().take(pa.array(order))


def build_blank_row() -> pa.Table:
    """Return what an erased event leaves in a table: one row of defaults, without time or kind."""
    return pa.Table.from_batches([build_batch([STRUCTS["Event"]()])])
