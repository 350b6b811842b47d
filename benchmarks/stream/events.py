"""A retailer's raw JSON lines, made fast: every kind that reaches a feature, all entities.

Not a shop with behaviour (that is `hemostat simulate`) but its traffic: shares of
kinds, ids drawn as shops draw them (customers evenly, articles by popularity), and
a text of its own in every return reason and service message, a tenth of all events.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 3, 1, tzinfo=UTC)
N_STYLES, N_SUPPLIERS, N_REGIONS, N_STORES = 2_000, 120, 40, 300
_CODES = ("SIZE_TOO_SMALL", "SIZE_TOO_LARGE", "QUALITY_DEFECT", "NOT_AS_DESCRIBED", "CHANGED_MIND")
_WORDS_ZH = (
    "尺码偏小", "颜色和图片差很多", "穿着不舒服", "面料太薄", "物流太慢", "不想要了", "买错了",
    "家人不喜欢", "有线头", "洗了一次就缩水", "客服没有回复", "和描述不符", "袖子太长", "拉链坏了",
)  # fmt: skip
_WORDS_EN = (
    "too small", "colour differs", "thin fabric", "arrived late", "changed my mind", "wrong item",
    "a seam came open", "not as shown", "sleeves too long", "bought two sizes", "smells odd",
)  # fmt: skip


class _Shop:
    """Draws the next event's line; `number` makes ids unique."""

    def __init__(self, seed: int, n_customers: int, first_number: int) -> None:
        self._random = random.Random(seed)
        self._n_customers = n_customers
        self.number = first_number

    def make_line(self, time: datetime) -> str:
        """Return one event as a JSON line without its end."""
        draw = self._random.random()
        for bound, make in _KINDS:
            if draw < bound:
                body = make(self)
                break
        self.number += 1
        stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06d}Z"
        who = f"c{self._random.randrange(self._n_customers):07d}"
        return (
            f'{{"event_id":"e{self.number:09d}","tenant":"shop","event_time":"{stamp}",'
            f'"ingest_time":"{stamp}","customer_id":"{who}","channel":"CHANNEL_APP",{body}}}'
        )

    def text(self) -> str:
        """Return a sentence that no other event has."""
        words = _WORDS_ZH if self._random.random() < 0.7 else _WORDS_EN
        parts = self._random.sample(words, 3)
        return f"{parts[0]}，{parts[1]} {self.number} {parts[2]}"

    def style(self) -> int:
        """Return a style by popularity (the square of a uniform draw)."""
        return int(N_STYLES * self._random.random() ** 2)

    def product(self) -> str:
        """Return the fields that name one article."""
        style = self.style()
        size = self._random.choice("SML")
        supplier = style % N_SUPPLIERS
        return (
            f'"sku":"st{style:05d}-{size}","style":"st{style:05d}","supplier":"su{supplier:03d}",'
            f'"batch":"b{style:05d}-{self.number // 200_000:02d}"'
        )

    def order(self) -> str:
        lines = []
        for n in range(1 + self._random.randrange(3)):
            price = 1_900 + 100 * self._random.randrange(500)
            lines.append(
                f'{{"line_id":"{n + 1}",{self.product()},"category":"women/dresses","size":"M",'
                f'"colour":"red","quantity":1,"unit_price_minor":"{price}",'
                f'"unit_cost_minor":"{price // 2}"}}'
            )
        who = self._random.randrange(self._n_customers)
        store = ""
        if self._random.random() < 0.15:
            store = f',"store_id":"s{self._random.randrange(N_STORES):03d}"'
        return (
            f'"order_placed":{{"order_id":"o{self.number}","lines":[{",".join(lines)}],'
            f'"tender":"TENDER_WALLET","address_hash":"a{who:07d}","device_hash":"d{who:07d}",'
            f'"payment_token_hash":"p{who:07d}","return_window_days":30,'
            f'"region":"r{self._random.randrange(N_REGIONS)}"{store}}}'
        )

    def returned(self) -> str:
        who = self._random.randrange(self._n_customers)
        code = self._random.choice(_CODES)
        return (
            f'"return_requested":{{"return_id":"r{self.number}","order_id":"o{self.number // 2}",'
            f'"line_id":"1",{self.product()},"order_channel":"CHANNEL_APP",'
            f'"delivery_time":"2026-02-20T10:00:00Z","quantity":1,"unit_price_minor":"19900",'
            f'"return_window_days":30,"has_receipt":true,"refund_tender":"TENDER_WALLET",'
            f'"reason":{{"code":"REASON_CODE_{code}","text":"{self.text()}"}},'
            f'"evidence":{{"is_photo_checked":true}},"device_hash":"d{who:07d}",'
            f'"address_hash":"a{who:07d}","payment_token_hash":"p{who:07d}"}}'
        )

    def inspected(self) -> str:
        condition = self._random.choice("ABCD")
        return (
            f'"return_inspected":{{"return_id":"r{self.number - 50}",'
            f'"condition":"CONDITION_{condition}",{self.product()}}}'
        )

    def cancelled(self) -> str:
        return (
            f'"order_cancelled":{{"order_id":"o{self.number}",{self.product()},"quantity":1,'
            f'"unit_price_minor":"19900","initiator":"CANCEL_INITIATOR_CUSTOMER",'
            f'"stage":"ORDER_STAGE_PAID","region":"r{self._random.randrange(N_REGIONS)}"}}'
        )

    def message(self) -> str:
        return (
            f'"service_message":{{"order_id":"o{self.number}","message":{{"code":'
            f'"REASON_CODE_OTHER","text":"{self.text()}","sentiment":-20}}}}'
        )

    def parcel(self, kind: str) -> str:
        region = self._random.randrange(N_REGIONS)
        return f'"{kind}":{{"order_id":"o{self.number}","region":"r{region}"}}'

    def price(self) -> str:
        sku = f"st{self.style():05d}-M"
        return f'"price_changed":{{"sku":"{sku}","unit_price_minor":"17900"}}'


_Make = Callable[[_Shop], str]


def _accumulate() -> tuple[tuple[float, _Make], ...]:
    shares: tuple[tuple[float, _Make], ...] = (
        (0.26, lambda shop: f'"product_viewed":{{"sku":"x","style":"st{shop.style():05d}"}}'),
        (0.06, lambda shop: f'"size_chart_viewed":{{"style":"st{shop.style():05d}"}}'),
        (0.10, lambda _: '"cart_item_added":{"sku":"x","quantity":1,"unit_price_minor":"9900"}'),
        (0.04, lambda _: '"cart_item_removed":{"sku":"x","quantity":1}'),
        (0.14, _Shop.order),
        (0.12, lambda shop: shop.parcel("order_shipped")),
        (0.10, lambda shop: shop.parcel("order_delivered")),
        (0.02, lambda shop: shop.parcel("delivery_delayed")),
        (0.06, _Shop.returned),
        (0.02, _Shop.inspected),
        (0.02, _Shop.cancelled),
        (0.04, _Shop.message),
        (0.02, _Shop.price),
    )
    bound, bounds = 0.0, []
    for share, make in shares:
        bound += share
        bounds.append((bound, make))
    assert abs(bound - 1.0) < 1e-9
    bounds[-1] = (2.0, bounds[-1][1])
    return tuple(bounds)


_KINDS = _accumulate()


def iterate_lines(
    seed: int,
    n_events: int,
    n_customers: int,
    first_number: int = 0,
    start: datetime = START,
    per_s: float = 50.0,
) -> Iterator[str]:
    """Yield JSON lines in time order, `per_s` events a second of event time.

    Args:
        seed: Of all draws.
        n_events: How many.
        n_customers: Who may act.
        first_number: Of the first event; makes ids unique.
        start: Time of the first event; taken in as it happens.
        per_s: How dense the events are in time.
    """
    shop = _Shop(seed, n_customers, first_number)
    step = timedelta(microseconds=round(1e6 / per_s))
    for n in range(n_events):
        yield shop.make_line(start + n * step)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append lines to a `.jsonl` file, made if absent, and wait for the disk.

    What the system still had to write would slow what is timed next.
    """
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
