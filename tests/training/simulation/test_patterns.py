"""Every pattern and every look-alike is there, and a look-alike has its pattern's marginals."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.simulation.config import PatternStart
from training.simulation.patterns import LookAlike, Pattern
from training.simulation.realism.auc import compute_auc

Run = Any
Measure = Callable[[Any], float]


@pytest.fixture(scope="module")
def returns(default_run: Run) -> dict[str, list[Any]]:
    """Return requests by pattern or look-alike."""
    kinds = {row.case_event_id: row.pattern for row in default_run.truths if row.call == "return"}
    found: dict[str, list[Any]] = {}
    for event in default_run.of_kind("return_requested"):
        found.setdefault(kinds[event.event_id], []).append(event)
    return found


def test_every_pattern_and_look_alike_occurs(default_run: Run) -> None:
    counts = Counter(row.pattern for row in default_run.truths if row.call != "order")
    missing = [kind.value for kind in (*Pattern, *LookAlike) if counts[kind.value] < 10]
    assert missing == []


def _hold_days(event: Any) -> float:
    request = event.return_requested
    return (event.event_time - request.delivery_time) / 86_400e6 if request.delivery_time else 0.0


def _price(event: Any) -> float:
    return float(event.return_requested.unit_price_minor)


def _wants_gift_card(event: Any) -> float:
    return float(event.return_requested.refund_tender == "TENDER_GIFT_CARD")


def _says_not_delivered(event: Any) -> float:
    return float(event.return_requested.reason.code == "REASON_CODE_NOT_DELIVERED")


def _keeps_default_code(event: Any) -> float:
    return float(event.return_requested.reason.code == "REASON_CODE_CHANGED_MIND")


@pytest.mark.parametrize(
    ("pattern", "look_alike", "measure"),
    [
        (Pattern.WARDROBING, LookAlike.LATE_RETURNER, _hold_days),
        (Pattern.WARDROBING, LookAlike.OCCASION_CANCELLED, _hold_days),
        (Pattern.WARDROBING, LookAlike.OCCASION_CANCELLED, _price),
        (Pattern.BRACKETING, LookAlike.SIZE_UNSURE, _hold_days),
        (Pattern.SERIAL_RETURNER, LookAlike.HEAVY_BUYER, _hold_days),
        (Pattern.SERIAL_RETURNER, LookAlike.HEAVY_BUYER, _keeps_default_code),
        (Pattern.RECEIPTLESS_REFUND, LookAlike.NO_RECEIPT, _wants_gift_card),
        (Pattern.EMPTY_BOX, LookAlike.WAREHOUSE_MIXUP, _hold_days),
    ],
)  # fmt: skip
def test_a_look_alike_has_its_patterns_marginals(
    returns: dict[str, list[Any]], pattern: Pattern, look_alike: LookAlike, measure: Measure,
    print_result: Callable[[str], None],
) -> None:  # fmt: skip
    abuse = np.array([measure(event) for event in returns[pattern.value]])
    honest = np.array([measure(event) for event in returns[look_alike.value]])
    label = np.repeat([True, False], [len(abuse), len(honest)])
    auc = compute_auc(label, np.concatenate([abuse, honest]))
    print_result(
        f"look-alike: {measure.__name__.strip('_')} of {pattern.value} {abuse.mean():.2f}, "
        f"of {look_alike.value} {honest.mean():.2f}, AUC {auc:.2f}"
    )
    assert 0.2 < auc < 0.8


def test_honest_customers_claim_missing_parcels_too(returns: dict[str, list[Any]]) -> None:
    claims = {kind: sum(map(_says_not_delivered, events)) for kind, events in returns.items()}
    honest = claims[LookAlike.PARCEL_STOLEN.value]
    abusive = sum(claims.get(pattern.value, 0) for pattern in Pattern)
    assert honest > 0.4 * abusive > 0


def test_abusers_also_shop_and_return_honestly(default_run: Run) -> None:
    owner = {e.event_id: e.customer_id for kind in ("order_placed", "return_requested")
             for e in default_run.of_kind(kind)}  # fmt: skip
    rows = [row for row in default_run.truths if row.call in {"order", "return"}]
    abusers = {owner[row.case_event_id] for row in rows if row.is_abuse} - {""}
    honest = [row for row in rows if not row.is_abuse and owner[row.case_event_id] in abusers]
    assert sum(row.call == "order" for row in honest) / len(abusers) > 3
    assert sum(row.call == "return" for row in honest) / len(abusers) > 0.5


def test_a_ring_shares_devices_as_a_household_does(default_run: Run) -> None:
    kinds = {row.case_event_id: row.pattern for row in default_run.truths if row.call == "order"}
    users: dict[str, set[str]] = {}
    ring, household = set(), set()
    for event in default_run.of_kind("order_placed"):
        device = event.order_placed.device_hash
        if device:
            users.setdefault(device, set()).add(event.customer_id)
            kind = kinds[event.event_id]
            ring |= {device} if kind == Pattern.RING else set()
            household |= {device} if kind == LookAlike.HOUSEHOLD else set()
    assert max(len(users[device]) for device in ring) >= 3
    assert sum(len(users[device]) >= 2 for device in household) > 20


def test_a_pattern_can_be_unknown_until_a_day(run_world: Callable[..., Run]) -> None:
    start = PatternStart(pattern=Pattern.WARDROBING, from_day=150)
    run = run_world(n_customers=800, days=300, pattern_starts=(start,))
    placed = {e.event_id: e.event_time for e in run.of_kind("order_placed")}
    from_us = run.config.start_us + 150 * 86_400_000_000
    times = [placed[r.case_event_id] for r in run.truths
             if r.call == "order" and r.pattern == Pattern.WARDROBING]  # fmt: skip
    assert times
    assert min(times) >= from_us


def test_no_behaviour_asks_for_the_type_of_an_agent(repository: Path) -> None:
    asking = []
    for file in (repository / "training" / "simulation").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if "type_name" in names:
            asking.append(file.name)
    assert asking == []
