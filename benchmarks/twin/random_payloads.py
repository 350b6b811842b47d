"""What awkward events say: one method per kind, each from small pools so that ids meet.

Pools are drawn from unevenly: one product, one device, one store is everybody's.
Every id can be missing, and some are no ASCII.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from features.log import structs
from hemostat.v1 import common_pb2, event_pb2

DAY_US = 86_400_000_000

_TEXTS = ("", "", "too small", "too small!", "size is too small", "尺码偏小", "尺码偏小，穿不下",
          "物流太慢", "changed my mind", "!!!")  # fmt: skip
_FREQUENT_REASONS = ("REASON_CODE_UNSPECIFIED", "REASON_CODE_SIZE_TOO_SMALL",
                     "REASON_CODE_NOT_DELIVERED", "REASON_CODE_BETTER_PRICE")  # fmt: skip
CHANNELS = ("CHANNEL_UNSPECIFIED", "CHANNEL_WEB", "CHANNEL_STORE", "CHANNEL_OTHER")
_ORDERS = ("", *(f"o{n}" for n in range(8)))
_RETURNS = ("", *(f"r{n}" for n in range(6)))
_SKUS = ("", "hot", "s1", "s2", "商品三", "s4", "ÿ5", "s6")
_STYLES = ("", "a", "a", "b", "款式", "c")
_SUPPLIERS = ("", "sup1", "sup1", "sup2", "供应商")
_BATCHES = ("", "b1", "b1", "b2")
_REGIONS = ("", "north", "north", "south", "华东")
_STORES = ("", "", "st1", "st1", "st2", "门店三")
_SHARED = ("", "everybody", "everybody", "x1", "x2", "x3", "x4", "共享")


class RandomPayloads:
    """Draws what an event of a kind says.

    Args:
        rng: Source of all draws.
        is_hostile: Amounts at the greatest accepted values.
    """

    def __init__(self, rng: np.random.Generator, *, is_hostile: bool = False) -> None:
        self._rng = rng
        self._is_hostile = is_hostile

    def draw(self, kind: str, event_us: int) -> Any:
        """Return the struct of a kind, for an event at a time."""
        method: Callable[[int], Any] = getattr(self, f"_draw_{kind}")
        return method(event_us)

    def pick(self, options: Sequence[Any]) -> Any:
        """Return one of the options, each as likely."""
        return options[int(self._rng.integers(0, len(options)))]

    def _is_one_in(self, n: int) -> bool:
        return int(self._rng.integers(0, n)) == 0

    def _draw_reason(self) -> Any:
        code = self.pick((*common_pb2.ReasonCode.keys(), *_FREQUENT_REASONS * 4))
        sentiment = self.pick((None, None, -100, 0, int(self._rng.integers(-100, 101)), 100))
        return structs.Reason(code=code, text=self.pick(_TEXTS), sentiment=sentiment)

    def _draw_order_times(self, event_us: int) -> dict[str, int | None]:
        """Return order and delivery time, either of which may be absent or in the future."""
        order_us = max(1, event_us - int(self._rng.integers(-300_000_000, 60 * DAY_US)))
        delivery_us = order_us + int(self._rng.integers(0, 20 * DAY_US))
        dice = self._rng.random()
        if dice < 0.2:
            return {}
        return {"order_time": order_us, "delivery_time": None if dice < 0.5 else delivery_us}

    def _draw_amounts(self, n_lines: int = 1) -> dict[str, int]:
        """Return quantity and price; `n_lines` of them stay within validation's 10^13."""
        if self._is_hostile and self._is_one_in(2):
            dearest = min(10**12, 10**13 // n_lines)
            greatest = ((10, 10**12 // n_lines), (10**6, 10**7 // n_lines), (1, dearest))
            quantity, price = self.pick(greatest)
        else:
            quantity = self.pick((1, 1, 2, 12, 1_000))
            price = self.pick((0, 1, 999, 12_345, 10_000_000))
        return {"quantity": quantity, "unit_price_minor": price}

    def _draw_product(self) -> dict[str, str]:
        return {
            "sku": self.pick(_SKUS),
            "style": self.pick(_STYLES),
            "supplier": self.pick(_SUPPLIERS),
            "batch": self.pick(_BATCHES),
        }

    def _draw_identities(self) -> dict[str, str]:
        return {
            "device_hash": self.pick(_SHARED),
            "address_hash": self.pick(_SHARED),
            "payment_token_hash": self.pick(_SHARED),
        }

    def _draw_resale(self) -> dict[str, bool]:
        return {
            "is_occasion_wear": self.pick((True, False)),
            "is_high_resale": self.pick((True, False, False)),
        }

    def _draw_order_placed(self, event_us: int) -> Any:
        # More lines than a record keeps of one order, now and then.
        n_lines = 30 if self._is_one_in(20) else int(self._rng.integers(1, 5))
        lines = [
            structs.OrderLine(
                line_id=str(number),
                **self._draw_product(),
                **self._draw_amounts(n_lines),
                **self._draw_resale(),
                unit_discount_minor=int(self.pick((0, 0, 5))),
            )
            for number in range(n_lines)
        ]
        promised = event_us + int(self._rng.integers(-DAY_US, 9 * DAY_US))
        return structs.OrderPlaced(
            order_id=self.pick(_ORDERS),
            lines=lines,
            discount_minor=int(self.pick((0, 100, 1_000_000_000_000))),
            tender=self.pick(common_pb2.Tender.keys()),
            gift_card_minor=int(self.pick((0, 0, 500))),
            promised_delivery_time=self.pick((None, max(1, promised))),
            return_window_days=int(self.pick((0, 30))),
            region=self.pick(_REGIONS),
            store_id=self.pick(_STORES),
            **self._draw_identities(),
        )

    def _draw_cancel_requested(self, event_us: int) -> Any:
        return structs.CancelRequested(
            cancel_id="k",
            order_id=self.pick(_ORDERS),
            **self._draw_order_times(event_us),
            **self._draw_amounts(),
            stage=self.pick(common_pb2.OrderStage.keys()),
            delay_s=int(self.pick((0, 1, 86_400))),
            reason=self.pick((None, self._draw_reason())),
            order_channel=self.pick(CHANNELS),
            region=self.pick(_REGIONS),
            store_id=self.pick(_STORES),
            **self._draw_product(),
            **self._draw_identities(),
        )

    def _draw_order_cancelled(self, event_us: int) -> Any:
        return structs.OrderCancelled(
            order_id=self.pick(_ORDERS),
            **self._draw_order_times(event_us),
            **self._draw_amounts(),
            initiator=self.pick((*event_pb2.CancelInitiator.keys(), "CANCEL_INITIATOR_CUSTOMER")),
            stage=self.pick(common_pb2.OrderStage.keys()),
            reason=self.pick((None, self._draw_reason())),
            region=self.pick(_REGIONS),
            store_id=self.pick(_STORES),
            **self._draw_product(),
        )

    def _draw_order_kept(self, _event_us: int) -> Any:
        return structs.OrderKept(
            cancel_id="k", order_id="o", is_offer_taken=self.pick((True, False))
        )

    def _draw_return_requested(self, event_us: int) -> Any:
        evidence = structs.ReturnEvidence(
            is_photo_checked=self.pick((True, False)),
            is_video_passed=self.pick((True, False)),
            is_tag_on=self.pick((None, True, False)),
            weight_g=self.pick((None, 0, 100, 500, 1_000)),
        )
        return structs.ReturnRequested(
            return_id=self.pick(_RETURNS),
            order_id=self.pick(_ORDERS),
            order_channel=self.pick(CHANNELS),
            **self._draw_order_times(event_us),
            **self._draw_amounts(),
            return_window_days=int(self.pick((0, 7, 30))),
            has_receipt=self.pick((True, False)),
            store_id=self.pick(_STORES),
            refund_tender=self.pick(common_pb2.Tender.keys()),
            reason=self.pick((None, self._draw_reason(), self._draw_reason())),
            evidence=self.pick((None, evidence, evidence)),
            **self._draw_product(),
            **self._draw_identities(),
            **self._draw_resale(),
        )

    def _draw_return_received(self, _event_us: int) -> Any:
        # 100 against 120 or 80 g is the greatest difference that is none.
        weight = self.pick((None, 0, 79, 80, 100, 120, 121, 500, 1_200))
        return structs.ReturnReceived(return_id=self.pick(_RETURNS), weight_g=weight)

    def _draw_return_inspected(self, _event_us: int) -> Any:
        return structs.ReturnInspected(
            return_id=self.pick(_RETURNS),
            condition=self.pick(event_pb2.Condition.keys()),
            is_wrong_item=self.pick((True, False, False)),
            is_empty_box=self.pick((True, False, False)),
            **self._draw_product(),
        )

    def _draw_refund_issued(self, _event_us: int) -> Any:
        return structs.RefundIssued(
            return_id=self.pick(_RETURNS),
            amount_minor=int(self.pick((0, 1, 12_345, 10**13 if self._is_hostile else 9))),
            tender=self.pick(("TENDER_GIFT_CARD", "TENDER_CARD")),
        )

    def _draw_item_exchanged(self, _event_us: int) -> Any:
        return structs.ItemExchanged(return_id=self.pick(_RETURNS), sku=self.pick(_SKUS))

    def _draw_label_set(self, event_us: int) -> Any:
        return structs.LabelSet(
            case_event_id="e0",
            label=self.pick(event_pb2.LabelKind.keys()[1:]),
            effective_time=event_us,
            is_reversal=self.pick((False, False, True)),
            store_id=self.pick(_STORES),
            **self._draw_identities(),
        )

    def _draw_order_paid(self, _event_us: int) -> Any:
        return structs.OrderPaid(order_id="o", amount_minor=1, tender="TENDER_CARD")

    def _draw_payment_failed(self, _event_us: int) -> Any:
        return structs.PaymentFailed(order_id="o")

    def _draw_payment_timed_out(self, _event_us: int) -> Any:
        return structs.PaymentTimedOut(order_id="o")

    def _draw_product_viewed(self, _event_us: int) -> Any:
        return structs.ProductViewed(sku="s1", style="a")

    def _draw_size_chart_viewed(self, _event_us: int) -> Any:
        return structs.SizeChartViewed(style=self.pick(_STYLES))

    def _draw_cart_item_added(self, _event_us: int) -> Any:
        return structs.CartItemAdded(sku="s1", **self._draw_amounts())

    def _draw_cart_item_removed(self, _event_us: int) -> Any:
        return structs.CartItemRemoved(sku="s1", quantity=1)

    def _draw_checkout_abandoned(self, _event_us: int) -> Any:
        return structs.CheckoutAbandoned(cart_age_s=int(self.pick((0, 1, 3_600, 315_360_000))))

    def _draw_address_changed(self, _event_us: int) -> Any:
        return structs.AddressChanged(address_hash=self.pick(_SHARED))

    def _draw_return_policy_asked(self, _event_us: int) -> Any:
        return structs.ReturnPolicyAsked(sku=self.pick(_SKUS))

    def _draw_service_message(self, _event_us: int) -> Any:
        return structs.ServiceMessage(message=self.pick((None, self._draw_reason())))

    def _draw_service_replied(self, _event_us: int) -> Any:
        return structs.ServiceReplied(waited_s=int(self.pick((0, 600, 601, 315_360_000))))

    def _draw_review_posted(self, _event_us: int) -> Any:
        return structs.ReviewPosted(
            sku=self.pick(_SKUS),
            style=self.pick(_STYLES),
            rating=int(self._rng.integers(0, 6)),
            review=self.pick((None, self._draw_reason())),
        )

    def _draw_stock_short(self, _event_us: int) -> Any:
        return structs.StockShort(order_id="o", sku=self.pick(_SKUS))

    def _draw_order_shipped(self, _event_us: int) -> Any:
        return structs.OrderShipped(order_id="o", carrier="x", region=self.pick(_REGIONS))

    def _draw_delivery_delayed(self, _event_us: int) -> Any:
        delay_s = int(self.pick((0, 1, 86_400, 315_360_000)))
        return structs.DeliveryDelayed(region=self.pick(_REGIONS), delay_s=delay_s)

    def _draw_order_delivered(self, _event_us: int) -> Any:
        return structs.OrderDelivered(order_id="o", region=self.pick(_REGIONS))

    def _draw_parcel_lost(self, _event_us: int) -> Any:
        return structs.ParcelLost(order_id="o", region=self.pick(_REGIONS))

    def _draw_price_changed(self, _event_us: int) -> Any:
        price = self._draw_amounts()["unit_price_minor"]
        return structs.PriceChanged(sku=self.pick(_SKUS), unit_price_minor=price)

    def _draw_competitor_price_seen(self, _event_us: int) -> Any:
        price = self._draw_amounts()["unit_price_minor"]
        return structs.CompetitorPriceSeen(sku=self.pick(_SKUS), unit_price_minor=price)

    def _draw_offer_made(self, _event_us: int) -> Any:
        return structs.OfferMade(offer_id="f", gesture="coupon", cost_minor=5, propensity=0.5)

    def _draw_offer_closed(self, _event_us: int) -> Any:
        return structs.OfferClosed(
            offer_id="f",
            result=self.pick(event_pb2.OfferResult.keys()),
            cost_minor=int(self.pick((0, 100, 10**13 if self._is_hostile else 7))),
        )
