"""What the plots look at: the cases of a simulated log with their facts and their truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.log.reader import EventLog
from training.simulation.rates import read_kind
from training.simulation.truth import TRUTH_FILE

_US_PER_DAY: Final = 86_400e6
MONTH_DAYS: Final = 30.4375

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """Cases of one call; arrays of shape `(n,)`.

    Attributes:
        days: Since the first event of the log.
        is_abuse: In truth.
        kinds: `Pattern` or `LookAlike` value.
        drivers: True cause; empty for orders.
        codes: Reason code, lower case; empty for orders.
        price_minor: Of the returned unit; 0 where there is none.
        hold_days: From delivery to the request; NaN where nothing was delivered.
    """

    days: Floats
    is_abuse: Flags
    kinds: Names
    drivers: Names
    codes: Names
    price_minor: Floats
    hold_days: Floats


@dataclass(frozen=True, eq=False)
class WorldView:
    """A simulated world, ready to be drawn.

    Attributes:
        name: The log's folder.
        n_events: Rows of the log.
        order_days: Shape `(n_orders,)`: when each order was placed, days from the start.
        came_back: Shape `(n_orders,)`: some of it was returned.
        was_cancelled: Shape `(n_orders,)`: by the customer.
        returns: All return requests.
        clicks: All cancel clicks.
        leaves: Shape `(n_clicks,)`: leaves if nothing is offered.
        kept_by: By gesture: share of those who would leave whom it keeps.
    """

    name: str
    n_events: int
    order_days: Floats
    came_back: Flags
    was_cancelled: Flags
    returns: CaseFacts
    clicks: CaseFacts
    leaves: Flags
    kept_by: dict[str, float]


def read_world(path: Path) -> WorldView:
    """Return what a gallery shows of a log.

    Args:
        path: A log written by `hemostat simulate`.
    """
    log = EventLog(path)
    truth = pq.read_table(path / TRUTH_FILE)
    orders, cancelled = read_kind(log, "order_placed"), read_kind(log, "order_cancelled")
    returns, clicks = read_kind(log, "return_requested"), read_kind(log, "cancel_requested")
    start = _times(orders, "event_time").min()
    by_customer = pc.ends_with(pc.utf8_lower(cancelled.column("initiator")), "customer")
    click_truth = _align(truth, "cancellation", clicks)
    leaves = click_truth.column("would_leave_without_offer").fill_null(False)
    return WorldView(
        name=path.name,
        n_events=log.manifest.n_events or 0,
        order_days=(_times(orders, "event_time") - start) / _US_PER_DAY,
        came_back=_is_in(orders, returns),
        was_cancelled=_is_in(orders, cancelled.filter(by_customer)),
        returns=_to_facts(returns, _align(truth, "return", returns), start),
        clicks=_to_facts(clicks, click_truth, start),
        leaves=leaves.to_numpy(),
        kept_by=_count_kept(click_truth.filter(leaves)),
    )


def _times(table: pa.Table, name: str) -> Floats:
    column = pc.cast(table.column(name), pa.int64()).fill_null(0)
    times: Floats = column.to_numpy().astype(np.float64)
    return times


def _is_in(orders: pa.Table, others: pa.Table) -> Flags:
    ids = others.column("order_id").combine_chunks()
    found: Flags = pc.is_in(orders.column("order_id"), ids).to_numpy()
    return found


def _align(truth: pa.Table, call: str, events: pa.Table) -> pa.Table:
    """Return the truth of a call, a row per event."""
    of_call = truth.filter(pc.equal(truth.column("call"), call))
    places = pc.index_in(
        events.column("event_id"), of_call.column("case_event_id").combine_chunks()
    )
    return of_call.take(places.combine_chunks())


def _to_facts(events: pa.Table, truth: pa.Table, start: float) -> CaseFacts:
    asked, delivered = _times(events, "event_time"), _times(events, "delivery_time")
    codes = pc.struct_field(events.column("reason"), "code").fill_null("")
    return CaseFacts(
        days=(asked - start) / _US_PER_DAY,
        is_abuse=truth.column("is_abuse").to_numpy(),
        kinds=np.array(truth.column("pattern").to_pylist(), str),
        drivers=np.array(truth.column("driver").to_pylist(), str),
        codes=np.array([code.lower().removeprefix("reason_code_") for code in codes.to_pylist()]),
        price_minor=pc.cast(events.column("unit_price_minor"), pa.float64())
        .fill_null(0.0)
        .to_numpy(),
        hold_days=np.where(delivered > 0.0, (asked - delivered) / _US_PER_DAY, np.nan),
    )


def _count_kept(leavers: pa.Table) -> dict[str, float]:
    """Return the share of leaving customers whom each gesture keeps."""
    n = max(leavers.num_rows, 1)
    kept = leavers.column("kept_by").combine_chunks()
    counted = pc.value_counts(pc.list_flatten(kept)).to_pylist()
    return {row["values"]: row["counts"] / n for row in counted}
