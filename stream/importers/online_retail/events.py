"""Linked rows to events of the log.

The file has no delivery, no reason, no tender and no cost: those fields are
absent, so time to return counts from the order and the policy's default margin
applies. Every event has the one time of its invoice and no ingest time of its
own: the log's writer stamps it with the event time.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from features.log import structs
from stream.importers.online_retail.articles import compute_style
from stream.importers.online_retail.buckets import ORDER_LINE_BUCKETS, Bucket
from stream.importers.online_retail.event_ids import (
    name_line,
    name_order,
    name_pair,
    name_unlinked_return,
)
from stream.importers.online_retail.linking import LinkedRows

CHANNEL: Final = "CHANNEL_WEB"
"""Channel of all events: the shop sold without stores; the file does not say more."""

_INITIATOR: Final = "CANCEL_INITIATOR_CUSTOMER"


def build_events(
    linked: LinkedRows, *, tenant: str, return_window_days: int
) -> list[msgspec.Struct]:
    """Return the events in log order: by time, then by source row.

    One `order_placed` per invoice with a line of goods, one `order_cancelled` or
    `return_requested` per pair of credit row and purchase, one `return_requested`
    without order per credit that found no purchase and should have.

    Args:
        linked: The rows and pairs.
        tenant: Tenant of the events.
        return_window_days: Stated in every event, since the file names none.
    """
    facts = _Facts(linked, tenant, return_window_days)
    events = [*_build_orders(facts), *_build_pairs(facts), *_build_unlinked(facts)]
    events.sort(key=lambda event: event[0])
    return [event for _, event in events]


_Keyed = tuple[tuple[int, int, int], msgspec.Struct]  # (time, source row, purchase's row), event


class _Facts:
    """Columns of the linked rows as Python lists, for loops over rows."""

    def __init__(self, linked: LinkedRows, tenant: str, return_window_days: int) -> None:
        rows = linked.rows
        everything = slice(None)
        self.linked = linked
        self.tenant = tenant
        self.return_window_days = return_window_days
        self.invoice_code: list[int] = rows.invoice.codes.tolist()
        self.invoice: list[str] = rows.invoice.spell(everything)
        self.customer: list[str] = rows.customer.spell(everything)
        self.sku: list[str] = rows.sku.spell(everything)
        self.style_of: dict[str, str] = {sku: compute_style(sku) for sku in rows.sku.names}
        self.quantity: list[int] = rows.quantity.tolist()
        self.price_minor: list[int] = rows.price_minor.tolist()
        self.source_row: list[int] = rows.source_row.tolist()
        self.time_us: list[int] = linked.event_time_us.tolist()

    def wrap(self, event_id: str, row: int, **kind: msgspec.Struct) -> msgspec.Struct:
        """Return the event of a row: its envelope around the one kind given."""
        event: msgspec.Struct = structs.Event(
            event_id=event_id,
            tenant=self.tenant,
            event_time=self.time_us[row],
            customer_id=self.customer[row],
            channel=CHANNEL,
            **kind,
        )
        return event


def _build_orders(facts: _Facts) -> list[_Keyed]:
    lines: dict[int, list[Any]] = {}
    last_row: dict[int, int] = {}
    for row in np.flatnonzero(facts.linked.is_in(*ORDER_LINE_BUCKETS)).tolist():
        sku = facts.sku[row]
        line = structs.OrderLine(
            line_id=name_line(facts.source_row[row]),
            sku=sku,
            style=facts.style_of[sku],
            quantity=facts.quantity[row],
            unit_price_minor=facts.price_minor[row],
        )
        lines.setdefault(facts.invoice_code[row], []).append(line)
        last_row[facts.invoice_code[row]] = row
    first_row: list[int] = facts.linked.invoices.first_row.tolist()
    keyed: list[_Keyed] = []
    for invoice, order_lines in lines.items():
        row = last_row[invoice]
        first = facts.source_row[first_row[invoice]]
        order = structs.OrderPlaced(
            order_id=facts.invoice[row],
            lines=order_lines,
            return_window_days=facts.return_window_days,
        )
        event = facts.wrap(name_order(first), row, order_placed=order)
        keyed.append(((facts.time_us[row], first, 0), event))
    return keyed


def _build_pairs(facts: _Facts) -> list[_Keyed]:
    linked = facts.linked
    keyed: list[_Keyed] = []
    for credit, purchase, units, is_cancelled in zip(
        linked.pair_credit.tolist(),
        linked.pair_purchase.tolist(),
        linked.pair_units.tolist(),
        linked.pair_is_cancelled.tolist(),
        strict=True,
    ):
        rows = facts.source_row[credit], facts.source_row[purchase]
        event_id = name_pair(*rows, is_cancelled=is_cancelled)
        shared: dict[str, Any] = {
            "order_id": facts.invoice[purchase],
            "line_id": name_line(rows[1]),
            "sku": facts.sku[purchase],
            "order_time": facts.time_us[purchase],
            "order_channel": CHANNEL,
            "quantity": units,
            # What is paid back; it may differ from what was paid.
            "unit_price_minor": facts.price_minor[credit],
            "return_window_days": facts.return_window_days,
        }
        if is_cancelled:
            cancelled = structs.OrderCancelled(initiator=_INITIATOR, **shared)
            event = facts.wrap(event_id, credit, order_cancelled=cancelled)
        else:
            returned = structs.ReturnRequested(
                return_id=event_id,
                style=facts.style_of[facts.sku[purchase]],
                has_receipt=True,
                **shared,
            )
            event = facts.wrap(event_id, credit, return_requested=returned)
        keyed.append(((facts.time_us[credit], *rows), event))
    return keyed


def _build_unlinked(facts: _Facts) -> list[_Keyed]:
    unlinked = facts.linked.is_in(Bucket.RETURN_WITHOUT_ORDER, Bucket.RETURN_WITHOUT_CUSTOMER)
    keyed: list[_Keyed] = []
    for row in np.flatnonzero(unlinked).tolist():
        event_id = name_unlinked_return(facts.source_row[row])
        returned = structs.ReturnRequested(
            return_id=event_id,
            sku=facts.sku[row],
            style=facts.style_of[facts.sku[row]],
            quantity=-facts.quantity[row],
            unit_price_minor=facts.price_minor[row],
            return_window_days=facts.return_window_days,
            has_receipt=False,
        )
        event = facts.wrap(event_id, row, return_requested=returned)
        keyed.append(((facts.time_us[row], facts.source_row[row], 0), event))
    return keyed
