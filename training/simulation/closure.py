"""What a change may reach: from its cell over the stock of SKUs, customers and households."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from training.simulation.config import US_PER_DAY

_HASHES = ("address_hash", "device_hash", "payment_token_hash")
_SERVICE = frozenset({"service_message", "service_replied"})
_ANSWERS = frozenset({"offer_made", "offer_closed", "order_kept", "order_cancelled"})
"""What follows a click on cancel, and changes with the shop's offers."""


class Cell(StrEnum):
    """Kinds of things that a what-if changes."""

    SKU = "sku"
    STYLE = "style"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed, and from when on.

    Attributes:
        cell: Kind of what was changed.
        name: Which one, as written into events. Empty for a policy.
        from_us: Midnight (by the shop's clock) of its first day.
    """

    cell: Cell
    name: str
    from_us: int

    def find_day(self, time_us: int) -> int:
        """Return the shop's day of a time, counted from the change."""
        return (time_us - self.from_us) // US_PER_DAY


class Reason(StrEnum):
    """Why a fact may differ."""

    CHANGED = "changed"
    """It is about what was changed: its price, its carrier, a term."""
    STOCK = "stock"
    """It is about a SKU of which others have bought more or less on days before."""
    CUSTOMER = "customer"
    """It is about a customer (or an anonymous visit) that differed before."""
    HOUSEHOLD = "household"
    """It shares device, address or payment with a customer that differed before."""
    QUEUE = "queue"
    """It waited at a service desk of a region where a carrier became late."""


class Fact(NamedTuple):
    """What the comparison needs of an event.

    Attributes:
        event_id: Its id.
        kind: Its kind.
        time_us: When it happened.
        customer_id: Whose it is. Empty: unknown.
        order_id: Its order. Empty: none.
        return_id: Its return. Empty: none.
        case_event_id: The case it is about. Empty: none.
        skus: SKUs that it names.
        hashes: Devices, addresses and payment instruments that it names.
    """

    event_id: str
    kind: str
    time_us: int
    customer_id: str
    order_id: str
    return_id: str
    case_event_id: str
    skus: tuple[str, ...]
    hashes: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any], kind: str) -> Fact:
        """Return the fact of a row of that kind."""
        payload = row[kind]
        skus = [payload["sku"]] if payload.get("sku") else []
        skus += [line["sku"] for line in payload.get("lines") or ()]
        return cls(
            event_id=row["event_id"],
            kind=kind,
            time_us=row["event_time"],
            customer_id=row.get("customer_id") or "",
            order_id=payload.get("order_id") or "",
            return_id=payload.get("return_id") or "",
            case_event_id=payload.get("case_event_id") or "",
            skus=tuple(skus),
            hashes=tuple(payload[name] for name in _HASHES if payload.get(name)),
        )


@dataclass(slots=True)
class _OrderSides:
    """An order in both logs: units by SKU and time on each side; where and by whom it went."""

    units: list[dict[str, int] | None]
    times_us: list[int]
    region: str = ""
    carriers: tuple[str, ...] = ()

    def list_skus(self) -> set[str]:
        return {sku for units in self.units if units for sku in units}

    def list_moved(self) -> set[str]:
        first, second = (units or {} for units in self.units)
        if self.times_us[0] != self.times_us[1]:
            return first.keys() | second.keys()
        return {sku for sku in first | second if first.get(sku) != second.get(sku)}


class Connections:
    """Who is connected with what, over both logs: orders, returns, cases and customers."""

    def __init__(self) -> None:
        self.orders: dict[str, _OrderSides] = {}
        self.order_of_return: dict[str, str] = {}
        self.skus_of_return: dict[str, set[str]] = {}
        self.fact_of_case: dict[str, Fact] = {}
        self.hashes_of: dict[str, set[str]] = {}
        self.regions_of: dict[str, set[str]] = {}

    def add(self, side: int, fact: Fact, payload: Mapping[str, Any]) -> None:
        """Take note of a fact of the first (0) or second (1) log."""
        if fact.kind == "order_placed":
            order = self.orders.setdefault(fact.order_id, _OrderSides([None, None], [0, 0]))
            units: dict[str, int] = {}
            for line in payload["lines"]:
                units[line["sku"]] = units.get(line["sku"], 0) + int(line.get("quantity") or 0)
            order.units[side] = units
            order.times_us[side] = fact.time_us
            order.region = payload.get("region") or ""
            if fact.customer_id:
                self.hashes_of.setdefault(fact.customer_id, set()).update(fact.hashes)
        elif fact.kind == "order_shipped":
            order = self.orders.setdefault(fact.order_id, _OrderSides([None, None], [0, 0]))
            order.carriers += (payload["carrier"],)
            self.regions_of.setdefault(payload["carrier"], set()).add(payload["region"])
        elif fact.kind == "return_requested":
            self.order_of_return[fact.return_id] = fact.order_id
            self.skus_of_return.setdefault(fact.return_id, set()).update(fact.skus)
            self.fact_of_case[fact.event_id] = fact
        elif fact.kind == "cancel_requested":
            self.fact_of_case[fact.event_id] = fact


class Closure:
    """Explains differing facts one after the other, in order of time.

    Args:
        change: What was changed.
        connections: Both logs' connections.
        pairs: The differing facts, first and second log's, in order of time.
    """

    def __init__(
        self, change: Change, connections: Connections, pairs: Sequence[list[Fact | None]]
    ) -> None:
        self._change = change
        self._connections = connections
        self._reached: set[str] = set()
        self._hashes: set[str] = set()
        self._moved_day: dict[str, int] = {}
        self._orders_ahead: dict[str, list[tuple[int, str]]] = {}
        for facts in pairs:
            for fact in facts:
                if fact is not None and fact.kind == "order_placed":
                    ahead = self._orders_ahead.setdefault(self.name_entity(fact), [])
                    ahead.append((fact.time_us, fact.order_id))
        for ahead in self._orders_ahead.values():
            ahead.sort()
        if change.cell is Cell.CUSTOMER:
            self._reach(change.name)

    def list_skus(self) -> tuple[str, ...]:
        """Return the SKUs whose stock differs."""
        return tuple(sorted(self._moved_day))

    def name_entity(self, fact: Fact) -> str:
        """Return whose fact it is: a customer, or the visit of somebody unknown."""
        if fact.customer_id:
            return fact.customer_id
        if fact.case_event_id in self._connections.fact_of_case:
            return self.name_entity(self._connections.fact_of_case[fact.case_event_id])
        order_id = fact.order_id or self._connections.order_of_return.get(fact.return_id, "")
        if order_id:
            return f"order {order_id}"
        return f"return {fact.return_id}" if fact.return_id else f"shop {' '.join(fact.skus)}"

    def explain(self, first: Fact | None, second: Fact | None) -> Reason | None:
        """Return why a fact may differ, and note whom it reaches. None: nothing explains it."""
        facts = [fact for fact in (first, second) if fact is not None]
        reason = self._find_reason(facts)
        if reason is not None:
            for fact in facts:
                if not fact.event_id or fact.kind in {"price_changed", "competitor_price_seen"}:
                    continue
                self._reach(self.name_entity(fact))
                # Somebody unknown at the till pays with a card that is known elsewhere.
                self._hashes.update(fact.hashes)
                self._note_stock(fact)
        return reason

    def _reach(self, entity: str) -> None:
        self._reached.add(entity)
        self._hashes |= self._connections.hashes_of.get(entity, set())

    def _note_stock(self, fact: Fact) -> None:
        """Note SKUs of which the two logs took another number off the shelf."""
        order = self._connections.orders.get(fact.order_id)
        if fact.kind == "order_placed" and order is not None:
            moved = order.list_moved()
        elif fact.kind == "order_cancelled" and order is not None:
            moved = order.list_skus()
        else:
            return
        day = self._change.find_day(fact.time_us)
        for sku in moved:
            self._moved_day[sku] = min(day, self._moved_day.get(sku, day))

    def _find_reason(self, facts: Sequence[Fact]) -> Reason | None:
        if any(self.name_entity(fact) in self._reached for fact in facts):
            return Reason.CUSTOMER
        order_ids = {order_id for fact in facts if (order_id := self._find_order(fact))}
        skus = set(self._list_skus(facts, order_ids))
        if self._is_about_change(facts, order_ids, skus):
            return Reason.CHANGED
        day = self._change.find_day(min(fact.time_us for fact in facts))
        if any(self._moved_day.get(sku, day) < day for sku in skus):
            return Reason.STOCK
        if any(not self._hashes.isdisjoint(self._list_hashes(fact)) for fact in facts):
            return Reason.HOUSEHOLD
        if self._has_waited(facts, order_ids):
            return Reason.QUEUE
        return None

    def _find_order(self, fact: Fact) -> str:
        """Return the order of a fact; of browsing, the customer's next order that differs."""
        order_id = fact.order_id or self._connections.order_of_return.get(fact.return_id, "")
        if order_id or fact.return_id or fact.case_event_id:
            return order_id
        ahead = self._orders_ahead.get(self.name_entity(fact), [])
        place = bisect_left(ahead, (fact.time_us, ""))
        return ahead[place][1] if place < len(ahead) else ""

    def _list_skus(self, facts: Iterable[Fact], order_ids: Iterable[str]) -> Iterable[str]:
        for fact in facts:
            yield from fact.skus
            yield from self._connections.skus_of_return.get(fact.return_id, ())
        for order_id in order_ids:
            if order_id in self._connections.orders:
                yield from self._connections.orders[order_id].list_skus()

    def _list_hashes(self, fact: Fact) -> set[str]:
        return self._connections.hashes_of.get(fact.customer_id, set()) | set(fact.hashes)

    def _is_about_change(
        self, facts: Iterable[Fact], order_ids: Collection[str], skus: Iterable[str]
    ) -> bool:
        cell, name = self._change.cell, self._change.name
        if cell is Cell.SKU:
            return name in skus
        if cell is Cell.STYLE:
            return any(sku.startswith(f"{name}-") for sku in skus)
        found = (self._connections.orders.get(order_id) for order_id in order_ids)
        orders = [order for order in found if order is not None]
        if cell is Cell.POLICY:
            # Terms hold for orders from the day on, offers for clicks from the day on.
            is_new = any(max(order.times_us) >= self._change.from_us for order in orders)
            # Whose order the till did not find may be anybody's.
            return is_new or any(
                fact.kind in _ANSWERS or (fact.return_id and not order_ids) for fact in facts
            )
        for order in orders if cell is Cell.CARRIER else ():
            # An order that was never shipped shows no carrier: any of its region may be meant.
            in_reach = order.region in self._connections.regions_of.get(name, set())
            if name in order.carriers or (not order.carriers and in_reach):
                return True
        return False

    def _has_waited(self, facts: Iterable[Fact], order_ids: Iterable[str]) -> bool:
        if self._change.cell is not Cell.CARRIER or not all(f.kind in _SERVICE for f in facts):
            return False
        regions = self._connections.regions_of.get(self._change.name, set())
        orders = (self._connections.orders.get(order_id) for order_id in order_ids)
        return any(order is not None and order.region in regions for order in orders)
