"""Tells a return as events: the request, what was found, the money, the labels."""

from __future__ import annotations

from typing import Any, Final

from features.log import structs
from training.simulation.agent import Agent
from training.simulation.basket import STORE
from training.simulation.catalogue import SIZES
from training.simulation.checking import CONFIRMED, plan_return_labels
from training.simulation.config import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE, US_PER_S
from training.simulation.counterfactual import compute_return_outcomes
from training.simulation.keeping import Keeping, decide_keeping, draw_resistance
from training.simulation.patterns import Gesture
from training.simulation.policy import Action, CaseView, Offer
from training.simulation.randomness import KeyedRandom
from training.simulation.returning import Inspection, Return
from training.simulation.stage import Stage
from training.simulation.truth import DecisionTruth, Truth
from training.simulation.wording import choose_wording

_SUSPICION_US: Final = 90 * US_PER_DAY
_VERIFY_HOURS: Final = 20.0
"""What verifying adds to the time until the money is back, median."""


class ReturnStory:
    """Tells one return.

    Args:
        stage: Where it is told.
        agent: Who returns; its memory is brought up to date.
        draws: The draws of the line or item.
        plan: The return.
    """

    def __init__(self, stage: Stage, agent: Agent, draws: KeyedRandom, plan: Return) -> None:
        self._stage = stage
        self._agent = agent
        self._draws = draws
        self._plan = plan
        self._return_id = f"r{draws.token('return-id')[:16]}"
        self._wording = choose_wording(
            draws.narrow("return"), agent.profile, plan.code, plan.style.category,
            is_later=stage.world.is_later(plan.time_us),
        )  # fmt: skip

    def _tell(self, kind: str, time_us: int, payload: Any, step: int = 0) -> str:
        return self._stage.outbox.tell(
            self._draws, kind, time_us, payload, customer_id=self._plan.customer_id,
            channel=self._plan.channel, step=step,
        )  # fmt: skip

    def tell(self) -> None:
        """Tell it to its end."""
        plan = self._plan
        case_id = self._tell_request()
        view = self._view()
        action = self._decide(case_id, view)
        # Also of what the horizon's end keeps from the log: the customer's life goes on.
        self._agent.remember_return(plan.time_us, plan.style)
        offer = None
        if not action.ask_verify:
            offer = self._stage.policy.choose_offer(view, self._draws)
        keeping = self._answer(case_id, offer)
        is_kept = keeping.takes_offer and not keeping.is_exchange
        if offer is not None and is_kept:
            seen_us = self._tell_kept(offer)
        else:
            seen_us = self._tell_goods()
            self._tell_money(seen_us, action, wants_exchange=keeping.keeps)
        self._tell_labels(case_id, seen_us, view, action, is_kept=is_kept)

    def _view(self) -> CaseView:
        """Return what the shop knows at the request."""
        plan = self._plan
        return CaseView(
            call="return", time_us=plan.time_us, customer_id=plan.customer_id,
            value_minor=plan.quantity * plan.unit_price_minor,
            cost_minor=plan.quantity * plan.style.unit_cost_minor, code=plan.code, stage="",
            is_order_found=plan.order is not None, has_receipt=plan.has_receipt,
            n_returns_90d=self._agent.count_returns(plan.time_us - _SUSPICION_US, plan.time_us),
            n_clicks=self._agent.n_cancel_clicks, is_tag_on=plan.evidence.is_tag_on,
            region=self._agent.profile.region, delay_s=0,
            is_sized=plan.style.category.is_sized, is_short=False,
        )  # fmt: skip

    def _decide(self, case_id: str, view: CaseView) -> Action:
        """Let the shop decide on a check; who is asked for one learns of it and remembers."""
        plan, draws = self._plan, self._draws
        action = self._stage.policy.decide_return(view, draws.narrow("check"))
        learned_us = 0
        if action.ask_verify:
            wait_us = US_PER_MINUTE if plan.channel == STORE else 40 * US_PER_MINUTE
            learned_us = plan.time_us + int(draws.exponential("learns-of-check", 1.0) * wait_us)
            self._agent.remember_verify(draws, learned_us)
        self._stage.add_decision(
            DecisionTruth(
                case_id, plan.time_us, action.ask_verify, action.check, action.propensity,
                action.is_randomised, learned_us,
            )
        )  # fmt: skip
        return action

    def _answer(self, case_id: str, offer: Offer | None) -> Keeping:
        """Tell an offer and how the customer takes it; return what becomes of the return."""
        plan, draws, agent = self._plan, self._draws, self._agent
        if self._stage.wants_offers(case_id):
            rows = compute_return_outcomes(self._stage, agent, draws, plan, case_id, offer)
            self._stage.add_offers(rows)
        resistance = draw_resistance(agent, draws, plan)
        keeping = decide_keeping(resistance, plan.verdict.cause, offer.arm if offer else None)
        agent.consider_leaving(draws, "stays-away", keeping.share_away, plan.time_us)
        if offer is None:
            return keeping
        offer_id = f"f{draws.token('offer')[:16]}"
        made = structs.OfferMade(
            offer_id=offer_id,
            case_event_id=case_id,
            gesture=offer.gesture.value,
            cost_minor=offer.cost_minor,
            propensity=offer.propensity,
        )
        self._tell("offer_made", plan.time_us + 20 * US_PER_S, made)
        closed = structs.OfferClosed(
            offer_id=offer_id,
            result=f"OFFER_RESULT_{'ACCEPTED' if keeping.takes_offer else 'REFUSED'}",
            cost_minor=offer.cost_minor if keeping.takes_offer else 0,
        )
        closed_us = plan.time_us + int(draws.exponential("thinks", 4.0) * US_PER_HOUR)
        self._tell("offer_closed", closed_us + US_PER_MINUTE, closed)
        return keeping

    def _tell_kept(self, offer: Offer) -> int:
        """Tell that the article stays; return when the case is closed."""
        plan, draws = self._plan, self._draws
        closed_us = plan.time_us + int(draws.exponential("paid-after", 12.0) * US_PER_HOUR)
        if offer.gesture in {Gesture.PARTIAL_REFUND, Gesture.PRICE_PROTECTION}:
            refund = structs.RefundIssued(
                return_id=self._return_id,
                order_id=plan.order.order_id if plan.order else "",
                amount_minor=offer.cost_minor,
                tender=plan.refund_tender,
            )
            self._tell("refund_issued", closed_us + US_PER_HOUR, refund)
        return closed_us

    def _tell_request(self) -> str:
        plan = self._plan
        order, line, evidence = plan.order, plan.line, plan.evidence
        requested = structs.ReturnRequested(
            return_id=self._return_id,
            order_id=order.order_id if order else "",
            line_id=line.line_id if line else "",
            sku=plan.sku,
            style=plan.style.style_id,
            category=plan.style.category.name,
            order_channel=order.channel if order else "CHANNEL_UNSPECIFIED",
            order_time=order.time_us if order else None,
            delivery_time=plan.delivered_us or None,
            quantity=plan.quantity,
            unit_price_minor=plan.unit_price_minor,
            return_window_days=order.return_window_days if order else 0,
            has_receipt=plan.has_receipt,
            store_id=plan.store_id,
            refund_tender=plan.refund_tender,
            reason=structs.Reason(code=plan.code, text=self._wording.text or None),
            evidence=structs.ReturnEvidence(
                is_photo_checked=evidence.is_photo_checked,
                is_video_passed=evidence.is_video_passed,
                is_tag_on=evidence.is_tag_on,
                weight_g=evidence.weight_g,
            ),
            unit_cost_minor=plan.style.unit_cost_minor,
            supplier=plan.style.supplier_id if order else "",
            batch=plan.style.name_batch(order.day) if order else "",
            address_hash=order.party.address_hash if order else "",
            device_hash=order.party.device_hash if order else "",
            payment_token_hash=order.party.payment_token_hash if order else "",
            is_occasion_wear=plan.style.category.is_occasion_wear,
            is_high_resale=plan.style.category.is_high_resale,
        )
        return self._tell("return_requested", plan.time_us, requested)

    def _tell_goods(self) -> int:
        """Tell how the item arrives and what is found; return when the case can be judged."""
        plan, draws = self._plan, self._draws
        if plan.inspection is None:
            return plan.time_us + int(draws.lognormal("looks-into", 30.0, 0.5) * US_PER_HOUR)
        if plan.channel == STORE:
            received_us = plan.time_us + US_PER_MINUTE
            seen_us = received_us + 2 * US_PER_MINUTE
        else:
            received_us = plan.time_us + int(draws.lognormal("comes-back", 4.0, 0.4) * US_PER_DAY)
            seen_us = received_us + int(draws.lognormal("inspected", 20.0, 0.6) * US_PER_HOUR)
        weight = plan.evidence.weight_g
        received = structs.ReturnReceived(return_id=self._return_id, weight_g=weight)
        self._tell("return_received", received_us, received)
        self._tell_inspection(seen_us, plan.inspection)
        return seen_us

    def _tell_inspection(self, seen_us: int, inspection: Inspection) -> None:
        plan, order = self._plan, self._plan.order
        inspected = structs.ReturnInspected(
            return_id=self._return_id,
            condition=inspection.condition,
            is_wrong_item=inspection.is_wrong_item,
            is_empty_box=inspection.is_empty_box,
            sku=plan.sku,
            style=plan.style.style_id,
            supplier=plan.style.supplier_id if order else "",
            batch=plan.style.name_batch(order.day) if order else "",
        )
        self._tell("return_inspected", seen_us, inspected)

    def _tell_money(self, seen_us: int, action: Action, *, wants_exchange: bool) -> None:
        plan, draws = self._plan, self._draws
        if action.ask_verify:
            seen_us += int(draws.lognormal("verified", _VERIFY_HOURS, 0.5) * US_PER_HOUR)
        paid_us = seen_us + int(draws.exponential("refund-after", 12.0) * US_PER_HOUR) + US_PER_S
        if wants_exchange and plan.style.category.is_sized:
            size = SIZES[draws.integer("new-size", len(SIZES))]
            exchanged = structs.ItemExchanged(
                return_id=self._return_id, sku=plan.style.make_sku(size, plan.style.colours[0])
            )
            self._tell("item_exchanged", paid_us, exchanged)
            return
        refund = structs.RefundIssued(
            return_id=self._return_id,
            order_id=plan.order.order_id if plan.order else "",
            amount_minor=plan.quantity * plan.unit_price_minor,
            tender=plan.refund_tender,
        )
        self._tell("refund_issued", paid_us, refund)

    def _tell_labels(
        self, case_id: str, seen_us: int, view: CaseView, action: Action, *, is_kept: bool
    ) -> None:
        plan, agent = self._plan, self._agent
        settings = self._stage.world.config.labels
        labels = plan_return_labels(
            settings, self._draws.narrow("check"), plan, seen_us, view,
            action=action, is_kept=is_kept,
        )  # fmt: skip
        self._stage.add_truth(
            Truth(
                case_event_id=case_id,
                person=agent.profile.person,
                call="return",
                pattern=plan.verdict.kind.value,
                is_abuse=plan.verdict.is_abuse,
                would_leave_without_offer=None,
                driver=plan.verdict.cause.value,
                kept_by=(),
                is_checked=bool(labels),
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
                effective_time=plan.time_us,
                is_reversal=label.is_reversal,
                address_hash=plan.order.party.address_hash if plan.order else "",
                device_hash=plan.order.party.device_hash if plan.order else "",
                payment_token_hash=plan.order.party.payment_token_hash if plan.order else "",
                store_id=plan.store_id,
                origin=label.origin,
                propensity=label.propensity,
            )
            self._tell("label_set", label.time_us, payload, step)
            if label.kind == CONFIRMED and not label.is_silent and not is_taken_back:
                agent.remember_verdict(label.time_us)
                agent.count_against(label.time_us, plan.customer_id)
