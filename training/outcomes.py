"""The rules that turn facts into outcomes, one per question.

Each takes cases, the facts known by then, and the horizon in microseconds; see
`training.labels` for what candidate, observed and selective mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training.cases import CaseSet
from training.facts import (
    NEVER_US,
    FactLog,
    FactTable,
    Flags,
    Ints,
    count_facts,
    find_first_us,
    find_places,
)
from training.labelling.origins import build_label_book
from training.labelling.verdicts import Verdicts, find_verdicts
from training.labels import Labels

_CUSTOMER = "CANCEL_INITIATOR_CUSTOMER"


def find_cancelled_orders(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: the customer cancels (all or a line) before delivery, within the horizon.

    Censored: the retailer cancelled or the payment lapsed before that.
    """
    ended = facts["order_cancelled"]
    delivered = facts["order_delivered"]
    is_customer = np.asarray(pc.equal(ended.get_texts("initiator"), _CUSTOMER))
    by_customer = _find_end_us(
        cases, ended.select(is_customer & (ended.ints("delivery_time") == 0))
    )
    by_other = _find_end_us(cases, ended.select(~is_customer))
    delivered_us = find_first_us(
        cases.order_id, delivered.get_texts("order_id"), delivered.event_us
    )
    end_us = np.minimum(cases.time_us + horizon_us, delivered_us)
    is_positive = by_customer <= np.minimum(end_us, by_other)
    return _observe_all(is_positive, is_candidate=is_positive | (by_other > end_us))


def find_cancelled_bookings(cases: CaseSet, facts: FactLog, _horizon_us: int) -> Labels:
    """Positive: the customer cancels before delivery, however long after the order.

    An outcome counts once the promised time has passed: up to then only cancellations
    have become known, and the rest is not yet kept. Censored: the promise has not passed,
    or nobody knows how the order ended, or the retailer or a payment lapse ended it.
    """
    ended = facts["order_cancelled"]
    known = [facts[kind].known_us for kind in ("order_placed", "order_delivered")]
    newest_us = max((int(times.max()) for times in known if len(times)), default=0)
    promised_us = find_promised_us(cases, facts)
    is_customer = np.asarray(pc.equal(ended.get_texts("initiator"), _CUSTOMER))
    by_customer = _find_end_us(
        cases, ended.select(is_customer & (ended.ints("delivery_time") == 0))
    )
    delivered = facts["order_delivered"]
    delivered_us = find_first_us(
        cases.order_id, delivered.get_texts("order_id"), delivered.event_us
    )
    is_due = (promised_us > 0) & (promised_us < newest_us)
    is_ended = np.minimum(by_customer, delivered_us) < NEVER_US
    return _observe_all(by_customer < delivered_us, is_candidate=is_due & is_ended)


def find_promised_us(cases: CaseSet, facts: FactLog) -> Ints:
    """Return when the order of each case was promised, microseconds UTC; 0: it was not."""
    placed = facts["order_placed"]
    place = find_places(cases.order_id, placed.get_texts("order_id"))
    promised_us: Ints = np.append(placed.ints("promised_delivery_time"), 0)[place]
    return promised_us


def find_returned_orders(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: a line's return is requested within the horizon.

    Censored: the retailer or a payment lapse ended the order. A customer who
    cancels returns nothing: negative.
    """
    returned, ended = facts["return_requested"], facts["order_cancelled"]
    first_us = find_first_us(cases.order_id, returned.get_texts("order_id"), returned.event_us)
    is_customer = np.asarray(pc.equal(ended.get_texts("initiator"), _CUSTOMER))
    by_other = _find_end_us(cases, ended.select(~is_customer))
    is_positive = first_us <= cases.time_us + horizon_us
    return _observe_all(is_positive, is_candidate=is_positive | (by_other == NEVER_US))


def find_left_clicks(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: the cancel click ends in a cancellation; negative: in the order kept.

    Unobserved: an offer was made. What happens if nothing is offered is seen only
    where nothing was. Censored: no end within the horizon.
    """
    left, kept, offers = facts["order_cancelled"], facts["order_kept"], facts["offer_made"]
    by_customer = left.select(np.asarray(pc.equal(left.get_texts("initiator"), _CUSTOMER)))
    ends_us = cases.time_us + horizon_us
    left_us = find_first_us(cases.item_id, by_customer.get_texts("cancel_id"), by_customer.event_us)
    kept_us = find_first_us(cases.item_id, kept.get_texts("cancel_id"), kept.event_us)
    is_offered = count_facts(cases.event_id, offers.get_texts("case_event_id")) > 0
    for outcome in (left, kept):
        named = outcome.select(~outcome.is_empty("offer_id"))
        is_offered |= count_facts(cases.item_id, named.get_texts("cancel_id")) > 0
    is_candidate = np.minimum(left_us, kept_us) <= ends_us
    everything = _observe_all(left_us <= np.minimum(ends_us, kept_us), is_candidate)
    return replace(
        everything,
        is_observed=is_candidate & ~is_offered,
        is_selective=np.ones(len(cases), np.bool_),
    )


def find_abusive_returns(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: abuse confirmed within the horizon and not taken back; negative: cleared.

    Unobserved: nobody checked. Charged back and not checked: positive only.
    """
    book = build_label_book(facts)
    verdicts = find_verdicts(book, cases.event_id, cases.time_us + horizon_us)
    return Labels(
        value=((verdicts.value == 1) | verdicts.is_positive_only).astype(np.float64),
        is_candidate=np.ones(len(cases), np.bool_),
        is_observed=verdicts.value >= 0,
        is_selective=np.ones(len(cases), np.bool_),
        context=_find_inspections(cases.event_id, facts),
        origin=verdicts.origin,
        propensity=verdicts.propensity,
        is_positive_only=verdicts.is_positive_only,
    )


def find_abusive_orders(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: abuse confirmed for the order, a return or a cancel click of it.

    Negative: something of it was checked and cleared, or nothing happened that
    could have been abuse (no return, no click). Unobserved: it has returns or
    clicks of a kind that is checked, and nobody checked any. Charged back and
    nothing of it checked: positive only.
    """
    until_us = cases.time_us + horizon_us
    book = build_label_book(facts)
    parts = [_Part(np.arange(len(cases)), find_verdicts(book, cases.event_id, until_us))]
    n_open = np.zeros(len(cases), np.int64)
    contexts = []
    for kind in ("return_requested", "cancel_requested"):
        events = facts[kind]
        place = find_places(events.get_texts("order_id"), cases.order_id)
        events, place = events.select(place >= 0), place[place >= 0]
        in_time = events.event_us <= until_us[place]
        events, place = events.select(in_time), place[in_time]
        verdicts = find_verdicts(book, events.get_event_ids(), until_us[place])
        n_events = np.bincount(place, minlength=len(cases))
        if (verdicts.value >= 0).any():
            n_open += n_events
        parts.append(_Part(place, verdicts))
        worst = np.full((len(cases), _N_INSPECTION), -1.0, np.float32)
        np.maximum.at(
            worst, place, np.nan_to_num(_find_inspections(events.get_event_ids(), facts), nan=-1.0)
        )
        contexts += [n_events[:, None].astype(np.float32), worst]
    is_selective = n_open > 0
    told = _gather(parts, len(cases))
    is_checked = told.value >= 0
    return Labels(
        value=((told.value == 1) | told.is_positive_only).astype(np.float64),
        is_candidate=np.ones(len(cases), np.bool_),
        is_observed=is_checked | ~(is_selective | told.is_positive_only),
        is_selective=is_selective | told.is_positive_only,
        context=np.concatenate(contexts, axis=1),
        origin=told.origin,
        propensity=told.propensity,
        is_positive_only=told.is_positive_only,
    )


class _Part(NamedTuple):
    """Verdicts on what belongs to orders, and the places of the orders."""

    place: Ints
    verdicts: Verdicts


def _gather(parts: Sequence[_Part], n: int) -> Verdicts:
    """Return what verdicts on an order and on its returns and clicks say of the order.

    The worst counts. An order is looked at if any of them is, and they are drawn apart:
    its chance is that of at least one look. A part that nobody looked at told none; it
    counts with the mean chance of its kind, which is `looks / sum(1 / chance)` of those
    that were looked at (the ratio form of Horvitz and Thompson).
    """
    value, origin = np.full(n, -1), np.zeros(n, np.int64)
    is_charged, log_missed = np.zeros(n, np.bool_), np.zeros(n)
    for place, verdicts in parts:
        np.maximum.at(value, place, verdicts.value)
        np.maximum.at(origin, place, verdicts.origin)
        is_charged[place[verdicts.is_positive_only]] = True
        chance = verdicts.propensity.copy()
        is_told = ~np.isnan(chance)
        mean = is_told.sum() / max(np.sum(1.0 / chance[is_told]), 1.0)
        chance[verdicts.value < 0] = mean  # 0: nobody who looks at these tells a chance.
        with np.errstate(divide="ignore"):
            log_missed += np.bincount(place, np.log1p(-chance), n)
    is_told = (value >= 0) & (log_missed < 0.0)
    return Verdicts(
        value=value,
        origin=origin,
        propensity=np.where(is_told, -np.expm1(log_missed), np.nan),
        is_positive_only=is_charged & (value < 0),
    )


def find_credited_lines(cases: CaseSet, facts: FactLog, horizon_us: int) -> Labels:
    """Positive: a return or cancellation of the line within the horizon.

    Only lines with a customer and a price: a credit is linked by its customer, so a
    guest's line can never be positive and the missing id would tell the label.
    """
    first_us = np.full(len(cases), NEVER_US)
    for kind in ("return_requested", "order_cancelled"):
        events = facts[kind]
        found = find_first_us(
            _join_ids(cases.order_id, cases.item_id),
            _join_ids(events.get_texts("order_id"), events.get_texts("line_id")),
            events.event_us,
        )
        first_us = np.minimum(first_us, found)
    return _observe_all(
        first_us <= cases.time_us + horizon_us,
        is_candidate=~cases.is_guest & (cases.price_minor > 0),
    )


def _observe_all(is_positive: Flags, is_candidate: Flags) -> Labels:
    n = len(is_positive)
    return Labels(
        value=is_positive.astype(np.float64),
        is_candidate=is_candidate,
        is_observed=is_candidate,
        is_selective=np.zeros(n, np.bool_),
        context=np.zeros((n, 0), np.float32),
        origin=np.zeros(n, np.int64),
        propensity=np.full(n, np.nan),
        is_positive_only=np.zeros(n, np.bool_),
    )


def _find_end_us(cases: CaseSet, ended: FactTable) -> Ints:
    return find_first_us(cases.order_id, ended.get_texts("order_id"), ended.event_us)


def _join_ids(first: pa.Array, second: pa.Array) -> pa.Array:
    """Return pairs of ids; a pair without the second is the empty id."""
    joined = pc.binary_join_element_wise(first, second, "\x1f")
    return pc.if_else(pc.equal(second, ""), "", joined)


_CONDITIONS = {"CONDITION_A": 1.0, "CONDITION_B": 2.0, "CONDITION_C": 3.0, "CONDITION_D": 4.0}
_N_INSPECTION = 3


def _find_inspections(case_ids: pa.Array, facts: FactLog) -> npt.NDArray[np.float32]:
    """Return condition grade (1 to 4), wrong item, empty box of returns; NaN: not inspected."""
    returns, inspected = facts["return_requested"], facts["return_inspected"]
    found = np.full((len(case_ids), _N_INSPECTION), np.nan, np.float32)
    names = inspected.get_texts("condition").to_pylist()
    values = np.column_stack(
        [
            np.array([_CONDITIONS.get(name, 0.0) for name in names], np.float32),
            inspected.bools("is_wrong_item"),
            inspected.bools("is_empty_box"),
        ]
    ).astype(np.float32)
    by_return = find_places(inspected.get_texts("return_id"), returns.get_texts("return_id"))
    is_named = by_return >= 0
    event_ids = returns.get_event_ids().take(pa.array(by_return[is_named]))
    place = find_places(event_ids, case_ids)
    found[place[place >= 0]] = values[is_named][place >= 0]
    return found
