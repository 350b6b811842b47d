"""Labels are late, incomplete, mostly right, and sometimes taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from training.simulation.config import US_PER_DAY, LabelSettings

Run = Any


def _labels_by_case(run: Run) -> dict[str, list[Any]]:
    labels = defaultdict(list)
    for event in run.of_kind("label_set"):
        labels[event.label_set.case_event_id].append(event)
    return labels


def test_labels_name_logged_cases_and_come_days_to_weeks_later(default_run: Run) -> None:
    cases = {e.event_id: e for kind in ("return_requested", "cancel_requested")
             for e in default_run.of_kind(kind)}  # fmt: skip
    delays_days = []
    for case_id, labels in _labels_by_case(default_run).items():
        case = cases[case_id]
        for label in labels:
            assert label.customer_id == case.customer_id
            assert label.known_at is None
            delays_days.append((label.event_time - case.event_time) / US_PER_DAY)
    assert min(delays_days) >= 1.0
    assert 7.0 < median(delays_days) < 21.0
    assert max(delays_days) > 30.0


def test_most_cases_are_never_checked_and_abuse_more_often_than_honesty(default_run: Run) -> None:
    counts = default_run.summary.cases["return"]
    checked_abuse = counts.n_abuse_checked / counts.n_abuse
    checked_honest = (counts.n_checked - counts.n_abuse_checked) / (counts.n_cases - counts.n_abuse)
    assert 0.10 < checked_honest < 0.30
    assert 0.35 < checked_abuse < 0.75


def test_verdicts_are_mostly_right(default_run: Run) -> None:
    is_abuse = {row.case_event_id: row.is_abuse for row in default_run.truths}
    said: dict[bool, list[bool]] = {True: [], False: []}
    for case_id, labels in _labels_by_case(default_run).items():
        first = min(labels, key=lambda event: event.event_time).label_set
        said[is_abuse[case_id]].append(first.label == "LABEL_KIND_ABUSE_CONFIRMED")
    assert abs(sum(said[True]) / len(said[True]) - 0.80) < 0.06
    assert abs(sum(said[False]) / len(said[False]) - 0.02) < 0.01


def test_an_upheld_appeal_takes_the_confirmation_back(run_world: Callable[..., Run]) -> None:
    settings = LabelSettings(audit_share=1.0, specificity=0.5, appeal_share=1.0)
    run = run_world(n_customers=150, days=200, labels=settings)
    appealed = []
    for labels in _labels_by_case(run).values():
        ordered = sorted(labels, key=lambda event: event.event_time)
        kinds = [(e.label_set.label, bool(e.label_set.is_reversal)) for e in ordered]
        if ("LABEL_KIND_APPEAL_UPHELD", False) in kinds:
            appealed.append(kinds)
    expected = [
        ("LABEL_KIND_ABUSE_CONFIRMED", False),
        ("LABEL_KIND_APPEAL_UPHELD", False),
        ("LABEL_KIND_ABUSE_CONFIRMED", True),
    ]
    assert len(appealed) > 10
    # One of the three may come too late for the log's end, never in another order.
    assert all([kind for kind in expected if kind in kinds] == kinds for kinds in appealed)
    assert sum(kinds == expected for kinds in appealed) > 0.9 * len(appealed)


def test_without_referrals_only_the_random_audit_is_left(run_world: Callable[..., Run]) -> None:
    settings = LabelSettings(audit_share=0.2, referral_scale=0.0, silent_audit_share=0.0)
    counts = run_world(n_customers=600, days=300, labels=settings).summary.cases["return"]
    assert abs(counts.n_checked / counts.n_cases - 0.2) < 0.06
    assert abs(counts.n_abuse_checked / counts.n_abuse - 0.2) < 0.2


def test_labels_alone_change_nothing_else_for_customers_who_are_never_caught(
    run_world: Callable[..., Run],
) -> None:
    with_labels = run_world(n_customers=200, days=200)
    without = run_world(
        n_customers=200,
        days=200,
        labels=LabelSettings(audit_share=0.0, referral_scale=0.0, silent_audit_share=0.0),
    )
    assert without.of_kind("label_set") == [] or all(
        e.label_set.label == "LABEL_KIND_CHARGEBACK" for e in without.of_kind("label_set")
    )
    person = {row.case_event_id: row.person for row in with_labels.truths}
    confirmed = {
        person[e.label_set.case_event_id]
        for e in with_labels.of_kind("label_set")
        if e.label_set.label == "LABEL_KIND_ABUSE_CONFIRMED"
    }
    for kind in ("order_placed", "return_requested"):
        honest = [e for e in with_labels.of_kind(kind) if person[e.event_id] not in confirmed]
        twins = {e.event_id: e for e in without.of_kind(kind)}
        assert all(twins[event.event_id] == event for event in honest)


def test_every_verdict_says_what_led_to_it_and_with_what_chance(default_run: Run) -> None:
    told: dict[str, list[Any]] = defaultdict(list)
    for event in default_run.of_kind("label_set"):
        label = event.label_set
        told[label.origin.removeprefix("LABEL_ORIGIN_")].append(label)
    assert set(told) == {"VERIFY", "INSPECTION", "RANDOM_AUDIT", "CHARGEBACK", "APPEAL"}
    for origin in ("CHARGEBACK", "APPEAL"):
        assert all(label.propensity is None for label in told[origin])
    for origin in ("VERIFY", "INSPECTION", "RANDOM_AUDIT"):
        assert all(0.0 < label.propensity <= 1.0 for label in told[origin])
    assert {label.label for label in told["CHARGEBACK"]} == {"LABEL_KIND_CHARGEBACK"}


@pytest.mark.parametrize("kind", ["return_requested", "cancel_requested"])
def test_checked_cases_stand_for_all_by_the_told_chance(default_run: Run, kind: str) -> None:
    # Whoever was checked, however odd, weighs one over the chance: the sum is all cases.
    truth = {row.case_event_id: row.is_abuse for row in default_run.truths}
    old = {e.event_id for e in default_run.of_kind(kind)
           if e.event_time < default_run.config.end_us - 90 * US_PER_DAY}  # fmt: skip
    weight: dict[str, float] = {
        event.label_set.case_event_id: 1.0 / event.label_set.propensity
        for event in default_run.of_kind("label_set")
        if event.label_set.propensity is not None
    }
    weight = {case: value for case, value in weight.items() if case in old}
    n_old_abuse = sum(truth[case] for case in old)
    for found, expected in (
        (list(weight.values()), len(old)),
        ([w for case, w in weight.items() if truth[case]], n_old_abuse),
    ):
        error = sum(w * (w - 1.0) for w in found) ** 0.5  # Of a sum over cases drawn apart.
        assert abs(sum(found) - expected) < 2.5 * error
        assert error < 0.4 * expected


def test_nobody_notices_the_silent_audit(run_world: Callable[..., Run]) -> None:
    worlds = [
        run_world(n_customers=250, days=250, labels=LabelSettings(silent_audit_share=share))
        for share in (0.0, 0.6)
    ]
    without, audited = ([e for e in run.events if e.label_set is None] for run in worlds)
    assert without == audited
    by_audit = [
        e.label_set for e in worlds[1].of_kind("label_set")
        if e.label_set.origin == "LABEL_ORIGIN_RANDOM_AUDIT"
    ]  # fmt: skip
    assert len(by_audit) > 50
    assert any(label.label == "LABEL_KIND_ABUSE_CONFIRMED" for label in by_audit)
    verified = {row.case_event_id for row in worlds[1].decisions if row.ask_verify}
    assert not verified & {label.case_event_id for label in by_audit}


def test_the_silent_audit_looks_a_second_time_at_what_was_referred(
    run_world: Callable[..., Run],
) -> None:
    run = run_world(n_customers=250, days=250, labels=LabelSettings(silent_audit_share=1.0))
    n_twice = sum(
        {"LABEL_ORIGIN_INSPECTION", "LABEL_ORIGIN_RANDOM_AUDIT"}
        <= {event.label_set.origin for event in labels}
        for labels in _labels_by_case(run).values()
    )
    assert n_twice > 15


def test_rings_have_names_in_the_truth_and_nobody_else_has(run_world: Callable[..., Run]) -> None:
    run = run_world(n_customers=600, days=240, ring_scale=20.0)
    rings: dict[str, set[str]] = defaultdict(set)
    for row in run.truths:
        rings[row.ring].add(row.person)
    assert len(rings) > 4
    assert all(0 < len(people) <= 6 for ring, people in rings.items() if ring)
    assert any(len(people) > 2 for ring, people in rings.items() if ring)
    assert {row.ring for row in run.truths if row.pattern == "ring"} <= set(rings) - {""}
