"""The side table of an import: one row per source row, saying what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stream.importers.online_retail.articles import compute_style
from stream.importers.online_retail.buckets import BUCKETS, ORDER_LINE_BUCKETS, Bucket
from stream.importers.online_retail.event_ids import (
    name_line,
    name_order,
    name_pair,
    name_unlinked_return,
)
from stream.importers.online_retail.linking import LinkedRows
from stream.importers.online_retail.rows import Coded, MalformedRow

LINE_TABLE_FILE: Final = "online_retail_lines.parquet"
"""Name of the side table in the log's directory."""

_NAME = pa.dictionary(pa.int32(), pa.string())

LINE_TABLE_SCHEMA: Final = pa.schema(
    [
        ("source_row", pa.int64()),
        ("bucket", _NAME),
        ("article_kind", _NAME),
        ("invoice_no", pa.string()),
        ("is_credit", pa.bool_()),
        ("customer_id", pa.string()),
        ("sku", pa.string()),
        ("style", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("quantity", pa.int64()),
        ("unit_price_minor", pa.int64()),
        ("line_id", pa.string()),
        ("event_ids", pa.list_(pa.string())),
        ("matched_order_ids", pa.list_(pa.string())),
        ("matched_line_ids", pa.list_(pa.string())),
        ("matched_units", pa.list_(pa.int64())),
        ("match_lags_s", pa.list_(pa.int64())),
        ("units_matched", pa.int64()),
        ("units_unmatched", pa.int64()),
        ("match_candidates", pa.int64()),
        ("is_reinvoiced_within_1h", pa.bool_()),
    ]
)
"""Columns of the side table; what each means stands in `docs/IMPORT_ONLINE_RETAIL.md`."""


def build_line_table(linked: LinkedRows, malformed: Sequence[MalformedRow]) -> pa.Table:
    """Return the side table in the order of the source; malformed rows are null but two."""
    rows = linked.rows
    source_row = rows.source_row.tolist()
    is_line = linked.is_in(*ORDER_LINE_BUCKETS)
    offsets = np.searchsorted(linked.pair_credit, np.arange(len(rows) + 1)).astype(np.int32)
    purchase = linked.pair_purchase
    units_matched = np.zeros(len(rows), np.int64)
    np.add.at(units_matched, linked.pair_credit, linked.pair_units)
    styles = Coded(rows.sku.codes, tuple(compute_style(sku) for sku in rows.sku.names))
    kinds = Coded(rows.sku.codes, tuple(kind.value for kind in rows.kind))
    columns: dict[str, Any] = {
        "source_row": rows.source_row,
        "bucket": _spell(Coded(linked.bucket, tuple(bucket.value for bucket in BUCKETS))),
        "article_kind": _spell(kinds),
        "invoice_no": _spell(rows.invoice),
        "is_credit": rows.is_credit,
        "customer_id": _spell(rows.customer),
        "sku": _spell(rows.sku),
        "style": _spell(styles),
        "event_time": linked.event_time_us,
        "quantity": rows.quantity,
        "unit_price_minor": rows.price_minor,
        "line_id": [
            name_line(row) if line else None
            for row, line in zip(source_row, is_line.tolist(), strict=True)
        ],
        "event_ids": _name_events(linked, is_line),
        "matched_order_ids": _to_lists(offsets, _spell(rows.invoice).take(purchase)),
        "matched_line_ids": _to_lists(
            offsets, pa.array([name_line(source_row[row]) for row in purchase], pa.string())
        ),
        "matched_units": _to_lists(offsets, pa.array(linked.pair_units)),
        "match_lags_s": _to_lists(offsets, pa.array(linked.pair_lag_us // 1_000_000)),
        "units_matched": units_matched,
        "units_unmatched": linked.unmatched_units,
        "match_candidates": linked.n_candidates,
        "is_reinvoiced_within_1h": pa.array(linked.is_reinvoiced, mask=~rows.is_credit),
    }
    table = pa.table(
        [
            pa.array(columns[field.name]).cast(field.type)
            if not pa.types.is_list(field.type)
            else columns[field.name]
            for field in LINE_TABLE_SCHEMA
        ],
        schema=LINE_TABLE_SCHEMA,
    )
    if not malformed:
        return table
    lost = pa.Table.from_pylist(
        [{"source_row": row.source_row, "bucket": Bucket.MALFORMED.value} for row in malformed],
        schema=LINE_TABLE_SCHEMA,
    )
    return pa.concat_tables([table, lost]).unify_dictionaries().sort_by("source_row")


def _name_events(linked: LinkedRows, is_line: npt.NDArray[np.bool_]) -> pa.Array:
    """Return for each row the ids of the events that it makes or is a line of."""
    rows = linked.rows
    source_row: list[int] = rows.source_row.tolist()
    names: list[list[str]] = [[] for _ in source_row]
    first_row: list[int] = linked.invoices.first_row.tolist()
    invoice: list[int] = rows.invoice.codes.tolist()
    for row in np.flatnonzero(is_line).tolist():
        names[row] = [name_order(source_row[first_row[invoice[row]]])]
    for credit, purchase, is_cancelled in zip(
        linked.pair_credit.tolist(),
        linked.pair_purchase.tolist(),
        linked.pair_is_cancelled.tolist(),
        strict=True,
    ):
        names[credit].append(
            name_pair(source_row[credit], source_row[purchase], is_cancelled=is_cancelled)
        )
    unlinked = linked.is_in(Bucket.RETURN_WITHOUT_ORDER, Bucket.RETURN_WITHOUT_CUSTOMER)
    for row in np.flatnonzero(unlinked).tolist():
        names[row] = [name_unlinked_return(source_row[row])]
    return pa.array(names, pa.list_(pa.string()))


def _spell(coded: Coded) -> pa.Array:
    """Return names as a dictionary array; absent names are the empty string."""
    names = pa.array([*coded.names, ""], pa.string())
    absent = len(coded.names)
    codes = np.where(coded.codes < 0, absent, coded.codes).astype(np.int32)
    # Decoded: two stock codes may share one style, and a dictionary must not repeat.
    return pa.DictionaryArray.from_arrays(pa.array(codes), names).dictionary_decode()


def _to_lists(offsets: npt.NDArray[np.int32], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
