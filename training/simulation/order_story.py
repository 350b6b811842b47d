"""Tells an order's life as events: browsing, payment, the way, a cancel click."""

from __future__ import annotations

from typing import Any, Final

from features.log import structs
from training.simulation.agent import Agent, StoreGood
from training.simulation.basket import STORE
from training.simulation.cancelling import Course, plan_click
from training.simulation.click_story import ClickStory
from training.simulation.config import US_PER_DAY, US_PER_MINUTE, US_PER_S
from training.simulation.counterfactual import (
    AT_RISK,
    SAMPLED_SHARE,
    compute_order_outcomes,
)
from training.simulation.logistics import (
    REGIONS,
    Fulfilment,
    Payment,
    plan_fulfilment,
    plan_payment,
)
from training.simulation.ordering import Order, name_product
from training.simulation.patterns import LookAlike
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import find_intent
from training.simulation.stage import Stage
from training.simulation.traces import Traces, find_reply_us, plan_traces
from training.simulation.truth import Truth
from training.simulation.wording import choose_wording

_MISSED_STEP: Final = 100


class OrderStory:
    """Tells one order; `tell` returns when and how late it arrived.

    Args:
        stage: Where it is told.
        agent: Whose order; its memory is brought up to date.
        draws: The order's draws.
        order: The plan.
    """

    def __init__(self, stage: Stage, agent: Agent, draws: KeyedRandom, order: Order) -> None:
        self._stage = stage
        self._agent = agent
        self._draws = draws
        self._order = order

    def _tell(self, kind: str, time_us: int, payload: Any, step: int = 0) -> str:
        return self._stage.outbox.tell(
            self._draws, kind, time_us, payload, customer_id=self._order.customer_id,
            channel=self._order.channel, step=step,
        )  # fmt: skip

    def tell(self) -> tuple[int, int] | None:
        """Tell all up to the delivery.

        Returns:
            When it was delivered and by how much after the promise (negative:
            before), both in microseconds. None: it never arrived.
        """
        order, draws = self._order, self._draws
        if order.channel == STORE:
            self._tell_placed(promise_us=None)
            paid = structs.OrderPaid(
                order_id=order.order_id, amount_minor=order.value_minor, tender=order.tender
            )
            self._tell("order_paid", order.time_us + US_PER_S, paid)
            self._remember_goods()
            return order.time_us, -US_PER_DAY
        world = self._stage.world
        way = plan_fulfilment(
            world.carriers, world.seasons, draws, order.time_us, self._agent.profile.region,
            is_short=order.short_line >= 0,
        )  # fmt: skip
        friction = self._agent.profile.payment_friction
        payment = plan_payment(draws, order.time_us, friction, order.is_paid_later)
        traces = plan_traces(world, self._agent, draws, order, way)
        course = Course(order, way, payment, traces)
        self._tell_browsing(traces)
        event_id = self._tell_placed(promise_us=way.promise_us)
        end_us = self._tell_ending(course, event_id)
        self._tell_payment(payment, end_us)
        self._move_stock(way, end_us)
        self._tell_service(course, end_us)
        return self._tell_way(way, end_us)

    def _move_stock(self, way: Fulfilment, end_us: int) -> None:
        """Take the goods off the shelf, and put them back if the order ends before shipment."""
        order, world = self._order, self._stage.world
        for line in order.lines:
            item = line.style, line.size, line.colour, line.quantity
            world.stock.take(*item, order.day)
            if end_us < way.shipped_us:
                back_day = world.seasons.day_of(end_us) + 1
                world.stock.put_back(*item, order.day, back_day)

    def _remember_goods(self) -> None:
        for line in self._order.lines:
            if line.intent is None:
                good = StoreGood(line.style, line.sku, line.quote.unit_price_minor)
                self._agent.store_goods.append(good)

    def _tell_placed(self, promise_us: int | None) -> str:
        order, profile, party = self._order, self._agent.profile, self._order.party
        placed = structs.OrderPlaced(
            order_id=order.order_id,
            lines=[
                structs.OrderLine(
                    line_id=line.line_id,
                    sku=line.sku,
                    style=line.style.style_id,
                    category=line.style.category.name,
                    size=line.size,
                    colour=line.colour,
                    quantity=line.quantity,
                    unit_price_minor=line.quote.unit_price_minor,
                    unit_cost_minor=line.style.unit_cost_minor,
                    unit_discount_minor=line.quote.unit_discount_minor,
                    supplier=line.style.supplier_id,
                    batch=line.style.name_batch(order.day),
                    is_occasion_wear=line.style.category.is_occasion_wear,
                    is_high_resale=line.style.category.is_high_resale,
                )
                for line in order.lines
            ],
            discount_minor=order.discount_minor,
            coupon_hash=order.coupon_hash,
            tender=order.tender,
            gift_card_minor=order.gift_card_minor,
            address_hash=party.address_hash,
            device_hash=party.device_hash,
            ip_hash=party.ip_hash,
            payment_token_hash=party.payment_token_hash,
            promised_delivery_time=promise_us,
            promotion=order.promotion,
            return_window_days=order.return_window_days,
            store_id=order.store_id,
            region="" if order.store_id else REGIONS[profile.region].name,
        )
        event_id = self._tell("order_placed", order.time_us, placed)
        intent = find_intent(order)
        kind = intent or (LookAlike.HOUSEHOLD if profile.is_household else LookAlike.PLAIN)
        self._stage.add_truth(
            Truth(
                case_event_id=event_id,
                person=profile.person,
                call="order",
                pattern=kind.value,
                is_abuse=intent is not None,
                would_leave_without_offer=None,
                driver="",
                kept_by=(),
                is_checked=False,
                ring=profile.ring,
            )
        )
        return event_id

    def _tell_browsing(self, traces: Traces) -> None:
        """Tell what the customer did between coming and ordering."""
        order, draws = self._order, self._draws
        span_us = order.time_us - order.session_us
        for step, line in enumerate(order.lines):
            seen_us = order.session_us + int(span_us * 0.2 * draws.uniform("seen-at", step))
            if draws.is_hit("seen", 0.28, step):
                viewed = structs.ProductViewed(sku=line.sku, style=line.style.style_id)
                self._tell("product_viewed", seen_us, viewed, step)
            if draws.is_hit("cart-told", 0.15, step):
                price = line.seen_price_minor
                added = structs.CartItemAdded(
                    sku=line.sku, quantity=line.quantity, unit_price_minor=price
                )
                self._tell("cart_item_added", seen_us + 20 * US_PER_S, added, step)
        for missed in order.missed:
            # Its page shows that it is sold out: the one trace of what could not be bought.
            viewed = structs.ProductViewed(sku=missed.sku, style=missed.style_id)
            at_us = order.session_us + missed.step * US_PER_S // 2
            self._tell("product_viewed", at_us, viewed, _MISSED_STEP + missed.step)
        first = order.lines[0]
        for step in range(order.chart_views):
            at_us = order.session_us + int(span_us * draws.uniform("chart-at", step))
            chart = structs.SizeChartViewed(style=first.style.style_id)
            self._tell("size_chart_viewed", at_us, chart, step)
        if draws.is_hit("removes", 0.03):
            removed = structs.CartItemRemoved(
                sku=first.style.make_sku("", first.colour), quantity=1
            )
            self._tell("cart_item_removed", order.session_us + span_us // 2, removed)
        if traces.left_checkout:
            left = structs.CheckoutAbandoned(
                cart_value_minor=order.cart_value_minor, cart_age_s=order.cart_age_s // 3
            )
            self._tell("checkout_abandoned", order.session_us + span_us // 3, left)
        if order.asks_policy:
            asked = structs.ReturnPolicyAsked(sku=first.sku)
            self._tell("return_policy_asked", order.session_us + span_us // 2, asked)
        if traces.flips_address:
            changed = structs.AddressChanged(
                order_id=order.order_id, address_hash=draws.token("new-address")[:16]
            )
            self._tell("address_changed", order.time_us + 5 * US_PER_MINUTE, changed)

    def _tell_payment(self, payment: Payment, end_us: int) -> None:
        order = self._order
        if payment.failed_us and payment.failed_us < end_us:
            failed = structs.PaymentFailed(order_id=order.order_id, tender=order.tender)
            self._tell("payment_failed", payment.failed_us, failed)
        if payment.paid_us and payment.paid_us < end_us:
            paid = structs.OrderPaid(
                order_id=order.order_id, amount_minor=order.value_minor, tender=order.tender
            )
            self._tell("order_paid", payment.paid_us, paid)

    def _tell_ending(self, course: Course, event_id: str) -> int:
        """Tell what ends the order before delivery and return when, or a time never reached."""
        way, payment = course.way, course.payment
        click, risk = plan_click(self._stage.world, self._agent, self._draws, course)
        if self._stage.wants_offers(event_id):
            self._add_offers(course, event_id, is_at_risk=risk >= AT_RISK)
        if click is not None:
            story = ClickStory(self._stage, self._agent, self._draws, course, click)
            left_us = story.tell()
            if left_us:
                return left_us
        if payment.lapsed_us:
            timed_out = structs.PaymentTimedOut(order_id=self._order.order_id)
            self._tell("payment_timed_out", payment.lapsed_us, timed_out)
            return self._tell_cancelled(
                payment.lapsed_us + US_PER_MINUTE, "PAYMENT_LAPSE", "ORDER_STAGE_UNPAID"
            )
        if way.retailer_cancel_us:
            self._tell_short(way)
            return self._tell_cancelled(
                way.retailer_cancel_us, "RETAILER", "ORDER_STAGE_FULFILMENT"
            )
        return self._order.time_us + 10_000 * US_PER_DAY

    def _add_offers(self, course: Course, event_id: str, *, is_at_risk: bool) -> None:
        """Note what offers with the order would have changed: all at risk, few of the others."""
        is_ended = course.way.retailer_cancel_us or course.payment.lapsed_us
        if is_ended or not (is_at_risk or self._draws.is_hit("told-anyway", SAMPLED_SHARE)):
            return
        weight = 1.0 if is_at_risk else 1.0 / SAMPLED_SHARE
        rows = compute_order_outcomes(
            self._stage, self._agent, self._draws, course, event_id, weight
        )
        self._stage.add_offers(rows)

    def _tell_short(self, way: Fulfilment) -> None:
        short = structs.StockShort(
            order_id=self._order.order_id, sku=self._order.lines[self._order.short_line].sku
        )
        self._tell("stock_short", way.short_us, short)

    def _tell_cancelled(self, time_us: int, initiator: str, stage: str) -> int:
        order = self._order
        cancelled = structs.OrderCancelled(
            order_id=order.order_id,
            order_time=order.time_us,
            quantity=1,
            unit_price_minor=order.value_minor,
            return_window_days=order.return_window_days,
            initiator=f"CANCEL_INITIATOR_{initiator}",
            stage=stage,
            order_channel=order.channel,
            region=REGIONS[self._agent.profile.region].name,
            **name_product(order),
        )
        self._tell("order_cancelled", time_us, cancelled)
        return time_us

    def _tell_way(self, way: Fulfilment, end_us: int) -> tuple[int, int] | None:
        """Tell warehouse and carrier, as far as the order lives; return its arrival."""
        order, draws = self._order, self._draws
        if way.short_us and not way.retailer_cancel_us and way.short_us < end_us:
            self._tell_short(way)
        region = REGIONS[self._agent.profile.region]
        if way.shipped_us < end_us:
            shipped = structs.OrderShipped(
                order_id=order.order_id, carrier=way.carrier, region=region.name
            )
            self._tell("order_shipped", way.shipped_us, shipped)
        for step, slip in enumerate(way.slips):
            if slip.time_us < end_us:
                delayed = structs.DeliveryDelayed(
                    order_id=order.order_id,
                    promised_delivery_time=slip.promise_us,
                    region=region.name,
                    delay_s=slip.delay_us // US_PER_S,
                )
                self._tell("delivery_delayed", slip.time_us, delayed, step)
        arrival_us = way.delivered_us or way.lost_us
        if arrival_us >= end_us:
            return None
        if not way.delivered_us:
            lost = structs.ParcelLost(order_id=order.order_id, region=region.name)
            self._tell("parcel_lost", way.lost_us, lost)
            refund = structs.RefundIssued(
                order_id=order.order_id, amount_minor=order.value_minor, tender=order.tender
            )
            self._tell("refund_issued", way.lost_us + US_PER_DAY, refund)
            return None
        delivered = structs.OrderDelivered(order_id=order.order_id, region=region.name)
        self._tell("order_delivered", way.delivered_us, delivered)
        if order.is_paid_later and draws.is_hit("paid-at-door", 0.97):
            paid = structs.OrderPaid(
                order_id=order.order_id, amount_minor=order.value_minor, tender=order.tender
            )
            self._tell("order_paid", way.delivered_us + US_PER_MINUTE, paid)
        return way.delivered_us, way.delivered_us - way.promise_us

    def _draw_mood(self, way: Fulfilment) -> int | None:
        """Return the mood of a message, -100 to 100; None: nobody judged it. Delays annoy."""
        if not self._draws.is_hit("mood-judged", 0.8):
            return None
        mood = (-35.0 if way.slips else 5.0) + 30.0 * self._draws.normal("mood")
        return min(max(round(mood), -100), 100)

    def _tell_service(self, course: Course, end_us: int) -> None:
        """Tell a question to customer service, and its answer unless the order ends before."""
        order, traces, way = self._order, course.traces, course.way
        if not 0 < traces.asked_us < end_us:
            return
        code = "REASON_CODE_LATE_DELIVERY" if way.slips else "REASON_CODE_OTHER"
        if traces.haggles:
            code = "REASON_CODE_BETTER_PRICE"
        wording = choose_wording(
            self._draws.narrow("service"), self._agent.profile, code, None,
            is_later=self._stage.world.is_later(traces.asked_us),
        )  # fmt: skip
        message = structs.ServiceMessage(
            order_id=order.order_id,
            message=structs.Reason(
                code=code, text=wording.text or None, sentiment=self._draw_mood(way)
            ),
        )
        self._tell("service_message", traces.asked_us, message)
        replied_us = find_reply_us(traces)
        if replied_us < end_us:
            replied = structs.ServiceReplied(order_id=order.order_id, waited_s=traces.waited_s)
            self._tell("service_replied", replied_us, replied)
