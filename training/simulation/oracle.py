"""The best that could have been offered, from the truth alone: the measure of any policy."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from training.simulation.truth import NO_GESTURE, OfferTruth


class OracleChoice(NamedTuple):
    """What an oracle offers.

    Attributes:
        rows: One row per case: what it offers there.
        plain: The same cases without an offer.
        expected_cost_minor: What the offers are expected to cost, minor units.
        gain_minor: Expected worth over that of no offers at all, costs taken off.
    """

    rows: tuple[OfferTruth, ...]
    plain: tuple[OfferTruth, ...]
    expected_cost_minor: float
    gain_minor: float


def choose_offers(rows: Iterable[OfferTruth], budget_minor: float = math.inf) -> OracleChoice:
    """Return the offers that raise the expected worth most within a budget.

    A multiple-choice knapsack, solved greedily over each case's efficient offers
    (steps of falling gain per cost; Dantzig's bound): at most one step, the one
    that no longer fits, is missing to the optimum of divisible offers.

    Args:
        rows: All rows of all cases, one call.
        budget_minor: Most that may be spent in expectation, minor units.
    """
    cases: dict[str, list[OfferTruth]] = {}
    for row in rows:
        cases.setdefault(row.case_event_id, []).append(row)
    chosen = {case_id: _find_plain(of_case) for case_id, of_case in cases.items()}
    plain = tuple(chosen.values())
    steps = [step for of_case in cases.values() for step in _list_steps(of_case)]
    steps.sort(key=lambda step: (-step[0], step[3].case_event_id))
    spent = 0.0
    for _, cost, before, after in steps:
        if chosen[after.case_event_id] is before and spent + cost <= budget_minor:
            chosen[after.case_event_id] = after
            spent += cost
    taken = tuple(chosen.values())
    gain = math.fsum(
        (row.expected_value_minor - none.expected_value_minor) * row.weight
        for row, none in zip(taken, plain, strict=True)
    )
    return OracleChoice(taken, plain, spent, gain)


_Step = tuple[float, float, OfferTruth, OfferTruth]


def _find_plain(of_case: Sequence[OfferTruth]) -> OfferTruth:
    return next(row for row in of_case if row.gesture == NO_GESTURE)


def _compute_cost(row: OfferTruth) -> float:
    return row.p_takes * row.cost_minor * row.weight


def _list_steps(of_case: Sequence[OfferTruth]) -> list[_Step]:
    """Return the steps from one efficient offer to the next: gain per cost, cost, from, to."""
    found: list[_Step] = []
    at = _find_plain(of_case)
    while True:
        best: _Step | None = None
        for row in of_case:
            gain = (row.expected_value_minor - at.expected_value_minor) * row.weight
            cost = _compute_cost(row) - _compute_cost(at)
            if gain <= 0.0 or row is at:
                continue
            rate = gain / cost if cost > 0.0 else math.inf
            if best is None or rate > best[0]:
                best = rate, cost, at, row
        if best is None:
            return found
        found.append(best)
        at = best[3]
