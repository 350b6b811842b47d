"""Small logs made to be awkward: ties, late and repeated events, odd values.

Real logs rarely have two events in one microsecond, a fact told twice, a text of
punctuation or two tenants with equal ids. Here every log has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from features.log import structs
from hemostat.v1 import common_pb2, event_pb2

DAY_US = 86_400_000_000
START_US = 18_998 * DAY_US
"""A Thursday: an edge of the weekly and of the daily grid."""

_LAST_US = 4_000_000_000_000_000  # In the year 2096; 2100 is refused.
_TEXTS = ("", "", "too small", "too small!", "size is too small", "尺码偏小", "尺码偏小，穿不下",
          "物流太慢", "changed my mind", "!!!")  # fmt: skip
_CHANNELS = ("CHANNEL_UNSPECIFIED", "CHANNEL_WEB", "CHANNEL_STORE", "CHANNEL_OTHER")
_LAGS_US = (0, 0, 0, 1, 60_000_000, DAY_US, 29 * DAY_US, 30 * DAY_US, -5 * 60_000_000)
_REFUSED_LAGS_US = (30 * DAY_US + 1, -5 * 60_000_000 - 1)


class RandomLog:
    """Draws events; equal seeds give equal events.

    Args:
        rng: Source of all draws.
        n_customers: Few customers get long histories; the last one is the guest.
        span_days: Events happen in these days from `START_US` on.
        tenants: Whose log it is; they share customer and event ids.
        is_hostile: Amounts at the greatest accepted values, and times from 1970 to 2099.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        *,
        n_customers: int = 20,
        span_days: int = 500,
        tenants: Sequence[str] = ("demo", "other"),
        is_hostile: bool = False,
    ) -> None:
        self._rng = rng
        self._n_customers = n_customers
        self._span_days = span_days
        self._tenants = tenants
        self._is_hostile = is_hostile

    def draw_events(self, n: int) -> list[Any]:
        """Return `n` or a few more `structs.Event`, one in ten of them told twice."""
        n_tenants = len(self._tenants)
        events = [
            self._draw_event(self._tenants[number % n_tenants], f"e{number // n_tenants}")
            for number in range(n)
        ]
        for event in list(events):
            if self._rng.random() < 0.1:
                later = event.ingest_time + int(self._pick((0, 1, DAY_US)))
                events.append(msgspec.structs.replace(event, ingest_time=later))
        return sorted(events, key=lambda event: event.ingest_time)

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[int(self._rng.integers(0, len(options)))]

    def _draw_time(self) -> int:
        """Return a time on a coarse grid or a microsecond beside it, so that ties abound."""
        quarter_days = int(self._rng.integers(0, self._span_days * 4))
        off_us = int(self._pick((0, 0, 0, -1, 1, 1_234_567)))
        start_us = self._pick((DAY_US, START_US, _LAST_US)) if self._is_hostile else START_US
        return int(start_us + quarter_days * DAY_US // 4 + off_us)

    def _draw_event(self, tenant: str, event_id: str) -> Any:
        customer = int(self._rng.integers(0, self._n_customers))
        event_us = self._draw_time()
        lag_us = self._pick(_REFUSED_LAGS_US if self._rng.random() < 0.03 else _LAGS_US)
        kind = self._pick(
            ("order_placed", "order_placed", "return_requested", "return_requested",
             "order_cancelled", "cancel_requested", "order_kept", "label_set", "product_viewed")
        )  # fmt: skip
        return structs.Event(
            event_id=event_id,
            tenant=tenant,
            event_time=event_us,
            ingest_time=event_us + lag_us,
            known_at=self._draw_known_at(event_us + lag_us),
            customer_id="" if customer == self._n_customers - 1 else f"c{customer}",
            channel=self._pick(_CHANNELS),
            **{kind: getattr(self, f"_draw_{kind}")(event_us)},
        )

    def _draw_known_at(self, ingest_us: int) -> int | None:
        lag_us = self._pick((None,) * 30 + (0, 240_000_000, 300_000_000, 300_000_001))
        return None if lag_us is None else ingest_us + lag_us

    def _draw_reason(self) -> Any:
        code = self._pick(common_pb2.ReasonCode.keys()[:4])
        return structs.Reason(code=code, text=self._pick(_TEXTS))

    def _draw_order_times(self, event_us: int) -> tuple[int | None, int | None]:
        """Return order and delivery time, either of which may be absent or in the future."""
        order_us = max(1, event_us - int(self._rng.integers(-300_000_000, 60 * DAY_US)))
        delivery_us = order_us + int(self._rng.integers(0, 20 * DAY_US))
        dice = self._rng.random()
        if dice < 0.2:
            return None, None
        return order_us, None if dice < 0.5 else delivery_us

    def _draw_amounts(self, n_lines: int = 1) -> dict[str, int]:
        """Return quantity and price; `n_lines` of them stay within validation's 10^13."""
        if self._is_hostile and self._rng.random() < 0.5:
            greatest = ((10, 10**12 // n_lines), (10**6, 10**7 // n_lines), (1, 10**12))
            quantity, price = self._pick(greatest)
        else:
            quantity = self._pick((1, 1, 2, 12, 1_000))
            price = self._pick((0, 1, 999, 12_345, 10_000_000))
        return {"quantity": quantity, "unit_price_minor": price}

    def _draw_order_placed(self, event_us: int) -> Any:
        n_lines = int(self._rng.integers(1, 5))
        lines = [
            structs.OrderLine(
                line_id=str(number),
                sku=f"s{number}",
                style=self._pick(("", "a", "b", "c")),
                **self._draw_amounts(n_lines),
                unit_discount_minor=int(self._pick((0, 0, 5))),
            )
            for number in range(n_lines)
        ]
        promised = event_us + int(self._rng.integers(-DAY_US, 9 * DAY_US))
        return structs.OrderPlaced(
            order_id="o",
            lines=lines,
            discount_minor=int(self._pick((0, 100, 1_000_000_000_000))),
            tender=self._pick(common_pb2.Tender.keys()),
            gift_card_minor=int(self._pick((0, 0, 500))),
            promised_delivery_time=self._pick((None, promised)),
            return_window_days=int(self._pick((0, 30))),
        )

    def _draw_cancel_requested(self, event_us: int) -> Any:
        order_us, delivery_us = self._draw_order_times(event_us)
        return structs.CancelRequested(
            cancel_id="k",
            order_id="o",
            order_time=order_us,
            delivery_time=delivery_us,
            **self._draw_amounts(),
            stage=self._pick(common_pb2.OrderStage.keys()),
            delay_s=int(self._pick((0, 1, 86_400))),
            reason=self._pick((None, self._draw_reason())),
            order_channel=self._pick(_CHANNELS),
        )

    def _draw_order_cancelled(self, event_us: int) -> Any:
        order_us, _ = self._draw_order_times(event_us)
        return structs.OrderCancelled(
            order_id="o",
            order_time=order_us,
            **self._draw_amounts(),
            initiator=self._pick(event_pb2.CancelInitiator.keys()),
            reason=self._pick((None, self._draw_reason())),
        )

    def _draw_order_kept(self, _event_us: int) -> Any:
        return structs.OrderKept(
            cancel_id="k", order_id="o", is_offer_taken=self._pick((0, 1)) == 1
        )

    def _draw_return_requested(self, event_us: int) -> Any:
        order_us, delivery_us = self._draw_order_times(event_us)
        evidence = structs.ReturnEvidence(
            is_photo_checked=self._pick((True, False)),
            is_video_passed=self._pick((True, False)),
            is_tag_on=self._pick((None, True, False)),
        )
        return structs.ReturnRequested(
            return_id="r",
            order_id=self._pick(("", "o", "o")),
            order_channel=self._pick(_CHANNELS),
            order_time=order_us,
            delivery_time=delivery_us,
            **self._draw_amounts(),
            return_window_days=int(self._pick((0, 7, 30))),
            has_receipt=self._pick((True, False)),
            refund_tender=self._pick(common_pb2.Tender.keys()),
            reason=self._pick((None, self._draw_reason(), self._draw_reason())),
            evidence=self._pick((None, evidence)),
        )

    def _draw_label_set(self, event_us: int) -> Any:
        return structs.LabelSet(
            case_event_id="e0",
            label=self._pick(event_pb2.LabelKind.keys()[1:]),
            effective_time=event_us,
            is_reversal=self._pick((False, False, True)),
        )

    def _draw_product_viewed(self, _event_us: int) -> Any:
        return structs.ProductViewed(sku="s", style="a")
