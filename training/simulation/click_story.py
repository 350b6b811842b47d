"""Tells a click on cancel as events: the request, an offer, the end, the labels."""

from __future__ import annotations

from typing import Any

from features.log import structs
from training.simulation.agent import Agent
from training.simulation.cancelling import (
    Click,
    Course,
    Outcome,
    Temper,
    compute_leave_logit,
    decide_outcome,
    draw_temper,
)
from training.simulation.checking import CONFIRMED, plan_click_labels
from training.simulation.config import US_PER_HOUR, US_PER_MINUTE, US_PER_S
from training.simulation.counterfactual import (
    compute_click_outcomes,
    is_known_short,
    list_click_arms,
    view_click,
)
from training.simulation.keeping import find_click_away
from training.simulation.logistics import REGIONS
from training.simulation.ordering import name_product
from training.simulation.patterns import Driver, LookAlike, Pattern
from training.simulation.policy import Offer
from training.simulation.randomness import KeyedRandom
from training.simulation.stage import Stage
from training.simulation.truth import Truth
from training.simulation.wording import choose_wording


class ClickStory:
    """Tells one click."""

    def __init__(
        self, stage: Stage, agent: Agent, draws: KeyedRandom, course: Course, click: Click
    ) -> None:
        self._stage = stage
        self._agent = agent
        self._draws = draws
        self._course = course
        self._order = course.order
        self._click = click
        self._wording = choose_wording(
            draws.narrow("cancel"), agent.profile, click.code,
            self._order.lines[0].style.category, is_later=stage.world.is_later(click.time_us),
        )  # fmt: skip

    def _tell(self, kind: str, time_us: int, payload: Any, step: int = 0) -> str:
        return self._stage.outbox.tell(
            self._draws, kind, time_us, payload, customer_id=self._order.customer_id,
            channel=self._order.channel, step=step,
        )  # fmt: skip

    def tell(self) -> int:
        """Tell it and return when the order was cancelled, 0 if it was kept."""
        draws, click, agent = self._draws, self._click, self._agent
        is_short = is_known_short(self._course, click.time_us)
        view = view_click(agent, self._order, click, is_short=is_short)
        offer = self._stage.policy.choose_offer(view, draws)
        temper = draw_temper(draws)
        base = compute_leave_logit(agent, self._order, click)
        outcome = decide_outcome(temper, base, click.driver, offer.arm if offer else None)
        case_id = self._tell_request()
        if self._stage.wants_offers(case_id):
            rows = compute_click_outcomes(
                self._stage, agent, draws, self._course, click, case_id, offer
            )
            self._stage.add_offers(rows)
        away = find_click_away(
            leaves=outcome.leaves, takes=outcome.takes_offer,
            is_annoyed=offer is not None and temper.is_annoyed,
        )  # fmt: skip
        agent.consider_leaving(draws, "stays-away", away, click.time_us)
        offer_id = self._tell_offer(offer, outcome, case_id) if offer else ""
        thinks_us = int(draws.exponential("thinks", 40.0) * US_PER_MINUTE) + 10 * US_PER_S
        end_us = click.time_us + thinks_us
        cancel_id = draws.token("cancel-id")[:16]
        if outcome.leaves:
            self._tell_left(end_us, cancel_id, offer_id)
        else:
            kept = structs.OrderKept(
                cancel_id=cancel_id,
                order_id=self._order.order_id,
                offer_id=offer_id,
                is_offer_taken=outcome.takes_offer,
            )
            self._tell("order_kept", end_us, kept)
        self._tell_labels(case_id, temper, base)
        self._agent.n_cancel_clicks += 1
        return end_us if outcome.leaves else 0

    def _find_keeping(self, temper: Temper, base: float) -> tuple[str, ...]:
        """Return the gestures that keep, at some level, a customer who leaves without one."""
        driver = self._click.driver
        if not decide_outcome(temper, base, driver, None).leaves:
            return ()
        is_short = is_known_short(self._course, self._click.time_us)
        arms = list_click_arms(self._order, is_short=is_short)
        kept = [a for a in arms if not decide_outcome(temper, base, driver, a).leaves]
        return tuple(dict.fromkeys(arm.gesture.value for arm in kept))

    def _tell_request(self) -> str:
        order, click, draws = self._order, self._click, self._draws
        requested = structs.CancelRequested(
            cancel_id=draws.token("cancel-id")[:16],
            order_id=order.order_id,
            order_time=order.time_us,
            quantity=1,
            unit_price_minor=order.value_minor,
            unit_cost_minor=order.cost_minor,
            return_window_days=order.return_window_days,
            stage=click.stage,
            delay_s=click.delay_s,
            reason=structs.Reason(code=click.code, text=self._wording.text or None),
            order_channel=order.channel,
            region=REGIONS[self._agent.profile.region].name,
            store_id=order.store_id,
            address_hash=order.party.address_hash,
            device_hash=order.party.device_hash,
            payment_token_hash=order.party.payment_token_hash,
            **name_product(order),
        )
        return self._tell("cancel_requested", click.time_us, requested)

    def _tell_offer(self, offer: Offer, outcome: Outcome, case_id: str) -> str:
        click, draws = self._click, self._draws
        offer_id = f"f{draws.token('offer')[:16]}"
        made = structs.OfferMade(
            offer_id=offer_id,
            case_event_id=case_id,
            gesture=offer.gesture.value,
            cost_minor=offer.cost_minor,
            propensity=offer.propensity,
        )
        self._tell("offer_made", click.time_us + 2 * US_PER_S, made)
        result = "ACCEPTED" if outcome.takes_offer else "REFUSED" if outcome.leaves else "EXPIRED"
        closed = structs.OfferClosed(
            offer_id=offer_id,
            result=f"OFFER_RESULT_{result}",
            cost_minor=offer.cost_minor if outcome.takes_offer else 0,
        )
        self._tell("offer_closed", click.time_us + 8 * US_PER_S, closed)
        return offer_id

    def _tell_left(self, end_us: int, cancel_id: str, offer_id: str) -> None:
        order, click = self._order, self._click
        cancelled = structs.OrderCancelled(
            cancel_id=cancel_id,
            order_id=order.order_id,
            order_time=order.time_us,
            quantity=1,
            unit_price_minor=order.value_minor,
            return_window_days=order.return_window_days,
            initiator="CANCEL_INITIATOR_CUSTOMER",
            stage=click.stage,
            reason=structs.Reason(code=click.code),
            offer_id=offer_id,
            order_channel=order.channel,
            region=REGIONS[self._agent.profile.region].name,
            store_id=order.store_id,
            **name_product(order),
        )
        self._tell("order_cancelled", end_us, cancelled)
        if click.stage != "ORDER_STAGE_UNPAID" and not order.is_paid_later:
            refund = structs.RefundIssued(
                order_id=order.order_id, amount_minor=order.value_minor, tender=order.tender
            )
            self._tell("refund_issued", end_us + 6 * US_PER_HOUR, refund)

    def _tell_labels(self, case_id: str, temper: Temper, base: float) -> None:
        click, agent = self._click, self._agent
        is_fishing = click.driver is Driver.FISHING
        labels = plan_click_labels(
            self._stage.world.config.labels, self._draws.narrow("click-check"),
            is_fishing=is_fishing, click_us=click.time_us, n_clicks=agent.n_cancel_clicks,
        )  # fmt: skip
        look_alike = (
            LookAlike.PRICE_DROPPED if click.driver is Driver.PRICE_DROP else LookAlike.PLAIN
        )
        self._stage.add_truth(
            Truth(
                case_event_id=case_id,
                person=agent.profile.person,
                call="cancellation",
                pattern=(Pattern.OFFER_FISHING if is_fishing else look_alike).value,
                is_abuse=is_fishing,
                would_leave_without_offer=decide_outcome(temper, base, click.driver, None).leaves,
                driver=click.driver.value,
                kept_by=self._find_keeping(temper, base),
                is_checked=bool(labels),
                cause_nodes=tuple(node.value for node in click.nodes),
                template=self._wording.template,
                is_template_held_out=self._wording.is_held_out,
                ring=agent.profile.ring,
            )
        )
        is_taken_back = any(label.is_reversal for label in labels)
        for step, label in enumerate(labels):
            payload = structs.LabelSet(
                case_event_id=case_id,
                label=label.kind,
                effective_time=click.time_us,
                is_reversal=label.is_reversal,
                address_hash=self._order.party.address_hash,
                device_hash=self._order.party.device_hash,
                payment_token_hash=self._order.party.payment_token_hash,
                origin=label.origin,
                propensity=label.propensity,
            )
            self._tell("label_set", label.time_us, payload, step)
            if label.kind == CONFIRMED and not label.is_silent and not is_taken_back:
                agent.remember_verdict(label.time_us)
