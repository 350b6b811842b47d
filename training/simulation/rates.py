"""Rates of a simulated world beside the published ones, each with its source.

Published figures are shares of *retailers' sales* and come from reports; where a
report was not at hand itself, the page that quotes it is named. They contradict
each other within a factor of two, because they mean different goods, countries and
years: so each stands beside its own simulated rate, and none is averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.log.reader import EventLog
from training.simulation.catalogue import CATEGORIES
from training.simulation.realism.true_cases import Flags
from training.simulation.truth import TRUTH_FILE

_FASHION: Final = frozenset(category.name for category in CATEGORIES if category.is_sized)
"""Clothing and shoes: what has sizes."""
_US_PER_DAY: Final = 86_400e6


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """A rate that somebody published.

    Attributes:
        rate: Name of the simulated rate that it stands beside.
        low: Least published value.
        high: Greatest one; equal to `low` if there is one only.
        what: What the source counts, year and place.
        source: Report, and the page it was read from.
    """

    rate: str
    low: float
    high: float
    what: str
    source: str


_NRF_2023: Final = (
    "NRF and Appriss Retail, 2023 Consumer Returns in the Retail Industry (dcvelocity.com/articles/"
    "59494)"
)
_APPRISS_2024: Final = (
    "Appriss Retail and Deloitte, 2024 Consumer Returns in the Retail Industry (chainstoreage.com,"
    " massmarketretailers.com)"
)
_NRF_2024: Final = "NRF and Happy Returns, 2024 Consumer Returns in the Retail Industry"
_NRF_2022: Final = "NRF and Appriss Retail, 2022 (retaildive.com/news/703516)"
_EHI: Final = "EHI Retail Institute, Versand- und Retourenmanagement (marketscreener.com/45504800)"
_EHI_GOODS: Final = "EHI Retail Institute (quoted by xictron.com)"
_UCI: Final = "UCI Online Retail, UK 2010-2011 (docs/IMPORT_ONLINE_RETAIL.md)"

PUBLISHED: Final = (
    PublishedRate("returned value over sales", 0.145, 0.145, "all goods, US 2023", _NRF_2023),
    PublishedRate("returned value over sales", 0.1321, 0.1321, "all goods, US 2024", _APPRISS_2024),
    PublishedRate("returned value over sales", 0.169, 0.169, "all goods, US 2024", _NRF_2024),
    PublishedRate("returned value over sales, online", 0.176, 0.176, "US 2023", _NRF_2023),
    PublishedRate("returned value over sales, online", 0.2452, 0.2452, "US 2024", _APPRISS_2024),
    PublishedRate("returned value over sales, store", 0.1002, 0.1002, "US 2023", _NRF_2023),
    PublishedRate("returned value over sales, store", 0.0872, 0.0872, "US 2024", _APPRISS_2024),
    PublishedRate("orders with a return", 0.170, 0.170, "linked returns, gifts", _UCI),
    PublishedRate("lines returned, fashion online", 0.26, 0.50, "parcels, DACH 2023", _EHI),
    PublishedRate("lines returned, other goods online", 0.06, 0.10, "all groups, DACH 2023", _EHI),
    PublishedRate("lines returned, electronics", 0.10, 0.10, "about, DACH", _EHI_GOODS),
    PublishedRate("abuse share of returned value", 0.104, 0.104, "fraud, US 2022", _NRF_2022),
    PublishedRate("abuse share of returned value", 0.137, 0.137, "fraud, US 2023", _NRF_2023),
    PublishedRate(
        "abuse share of returned value", 0.1514, 0.1514, "fraud and abuse, US 2024", _APPRISS_2024
    ),
    PublishedRate("days from order to return, median", 9.4, 9.4, "linked returns", _UCI),
)
"""What is known from outside; rates without an entry are chosen."""


@dataclass(frozen=True, slots=True)
class RateRow:
    """A simulated rate, and what was published of it.

    Attributes:
        rate: Its name.
        values: One per world.
        published: Sources beside it; empty: the rate is chosen.
    """

    rate: str
    values: tuple[float, ...]
    published: tuple[PublishedRate, ...]


def compare_rates(worlds: list[Mapping[str, float]]) -> list[RateRow]:
    """Return the rates of several worlds, each beside what was published.

    Args:
        worlds: As of `compute_rates`, not empty.
    """
    return [
        RateRow(
            rate,
            tuple(world[rate] for world in worlds),
            tuple(row for row in PUBLISHED if row.rate == rate),
        )
        for rate in worlds[0]
    ]


def compute_rates(path: Path) -> dict[str, float]:
    """Return the rates of a simulated log by name; shares, days where the name says so.

    Args:
        path: A log written by `hemostat simulate`.
    """
    log = EventLog(path)
    orders, returns = read_kind(log, "order_placed"), read_kind(log, "return_requested")
    cancelled = read_kind(log, "order_cancelled")
    truth = pq.read_table(path / TRUTH_FILE)
    return {
        **_compute_return_rates(orders, returns),
        **_compute_category_rates(orders, returns),
        **_compute_cancel_rates(orders, cancelled),
        **_compute_hold_times(returns),
        **_compute_abuse_rates(returns, truth),
    }


def read_kind(log: EventLog, kind: str) -> pa.Table:
    """Return the events of a kind, those told twice once.

    Returns:
        The kind's fields, and of the envelope event_id, event_time, channel, customer_id.
    """
    table = log.read_table([kind]).select(
        ["event_id", "event_time", "channel", "customer_id", kind]
    )
    _, first = np.unique(table.column("event_id").to_numpy(zero_copy_only=False), return_index=True)
    table = table.take(pa.array(np.sort(first)))
    fields = pa.Table.from_batches([pa.RecordBatch.from_struct_array(
        table.column(kind).combine_chunks())])  # fmt: skip
    for name in ("event_id", "event_time", "channel", "customer_id"):
        fields = fields.append_column(name, table.column(name).combine_chunks())
    return fields


def _floats(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = (
        pc.cast(table.column(name), pa.float64()).fill_null(0.0).to_numpy()
    )
    return found


def _compute_return_rates(orders: pa.Table, returns: pa.Table) -> dict[str, float]:
    value = _sum_lines(orders)
    in_store = _equals(orders, "channel", "store")
    from_store = _equals(returns, "order_channel", "store")
    paid = _floats(returns, "unit_price_minor") * np.maximum(_floats(returns, "quantity"), 1.0)
    has_order = pc.not_equal(returns.column("order_id").fill_null(""), "").to_numpy(
        zero_copy_only=False
    )
    # Without an order the counter stands for the shop where it was bought.
    is_store = from_store | (~has_order & _equals(returns, "channel", "store"))
    came_back = pc.is_in(
        orders.column("order_id"), returns.column("order_id").combine_chunks()
    ).to_numpy(zero_copy_only=False)
    return {
        "orders with a return": float(came_back.mean()),
        "orders with a return, online": float(came_back[~in_store].mean()),
        "orders with a return, store": float(came_back[in_store].mean()),
        "returned value over sales": float(paid.sum() / value.sum()),
        "returned value over sales, online": float(paid[~is_store].sum() / value[~in_store].sum()),
        "returned value over sales, store": float(paid[is_store].sum() / value[in_store].sum()),
        "returns without an order": float((~has_order).mean()),
        "returns without receipt": 1.0 - float(_floats(returns, "has_receipt").mean()),
    }


def _equals(table: pa.Table, name: str, word: str) -> Flags:
    """Return where an enum's value is a word; the log may write it with its type's name before."""
    column = pc.utf8_lower(table.column(name).fill_null(""))
    found: Flags = pc.ends_with(column, word).to_numpy(zero_copy_only=False)
    return found


def _sum_lines(orders: pa.Table) -> npt.NDArray[np.float64]:
    """Return each order's value in minor units; a unit's price has its discount taken."""
    parents, lines = _flatten(orders)
    paid = _floats(lines, "unit_price_minor")
    return np.bincount(
        parents, paid * np.maximum(_floats(lines, "quantity"), 1.0), orders.num_rows
    ) - _floats(orders, "discount_minor")


def _flatten(orders: pa.Table) -> tuple[npt.NDArray[np.int64], pa.Table]:
    """Return the place of each line's order, and the lines."""
    lines = orders.column("lines").combine_chunks()
    flat = pa.RecordBatch.from_struct_array(pc.list_flatten(lines))
    return pc.list_parent_indices(lines).to_numpy(), pa.Table.from_batches([flat])


def _compute_category_rates(orders: pa.Table, returns: pa.Table) -> dict[str, float]:
    """Return the share of lines of online orders that come back, by kind of goods."""
    parents, lines = _flatten(orders)
    is_online = ~_equals(orders, "channel", "store")[parents]
    sold = np.array(lines.column("category").to_pylist(), str)
    is_linked = pc.is_in(
        returns.column("line_id"), lines.column("line_id").combine_chunks()
    ).to_numpy(zero_copy_only=False) & ~_equals(returns, "order_channel", "store")
    back = np.array(returns.column("category").to_pylist(), str)
    groups = {
        "lines returned, fashion online": _FASHION,
        "lines returned, electronics": {"electronics/small"},
        "lines returned, other goods online": {c.name for c in CATEGORIES} - _FASHION,
    }
    rates = {}
    for name, group in groups.items():
        n_back = (is_linked & np.isin(back, list(group))).sum()
        rates[name] = float(n_back / max((is_online & np.isin(sold, list(group))).sum(), 1))
    return rates


def _compute_cancel_rates(orders: pa.Table, cancelled: pa.Table) -> dict[str, float]:
    n_orders = max(orders.num_rows, 1)
    return {
        f"orders cancelled by {who}": float(_equals(cancelled, "initiator", word).sum() / n_orders)
        for who, word in (("the customer", "customer"), ("the retailer", "retailer"),
                          ("a payment's lapse", "payment_lapse"))
    }  # fmt: skip


def _compute_hold_times(returns: pa.Table) -> dict[str, float]:
    rates = {}
    asked = _floats_of_time(returns, "event_time")
    for what, name in (("delivery", "delivery_time"), ("order", "order_time")):
        since = _floats_of_time(returns, name)
        days = (asked - since)[since > 0.0] / _US_PER_DAY
        rates[f"days from {what} to return, median"] = float(np.median(days)) if len(days) else 0.0
    return rates


def _floats_of_time(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    column = pc.cast(table.column(name), pa.int64()).fill_null(0)
    times: npt.NDArray[np.float64] = column.to_numpy().astype(np.float64)
    return times


def _compute_abuse_rates(returns: pa.Table, truth: pa.Table) -> dict[str, float]:
    cases = truth.filter(pc.equal(truth.column("call"), "return"))
    places = pc.index_in(cases.column("case_event_id"), returns.column("event_id").combine_chunks())
    is_told = places.is_valid().to_numpy(zero_copy_only=False)
    paid = (_floats(returns, "unit_price_minor") * np.maximum(_floats(returns, "quantity"), 1.0))[
        places.fill_null(0).to_numpy()
    ]
    is_abuse = cases.column("is_abuse").to_numpy() & is_told
    is_checked = cases.column("is_checked").to_numpy()
    clicks = truth.filter(pc.equal(truth.column("call"), "cancellation"))
    leaves = _floats(clicks, "would_leave_without_offer")
    return {
        "abuse share of returned value": float(paid[is_abuse].sum() / max(paid[is_told].sum(), 1)),
        "abuse share of returns": float(is_abuse.sum() / max(is_told.sum(), 1)),
        "returns checked": float(is_checked.mean()),
        "abuse checked": float(is_checked[is_abuse].mean()) if is_abuse.any() else 0.0,
        "clicks that leave without an offer": float(leaves.mean()) if len(leaves) else 0.0,
    }
