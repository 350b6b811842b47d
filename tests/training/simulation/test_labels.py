"""Labels are late, incomplete, mostly right, and sometimes taken back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

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
    assert 0.70 < sum(said[True]) / len(said[True]) < 0.95
    assert 0.0 < sum(said[False]) / len(said[False]) < 0.04


def test_an_upheld_appeal_takes_the_confirmation_back(run_world: Callable[..., Run]) -> None:
    settings = LabelSettings(audit_share=1.0, wrongly_confirmed_share=0.5, appeal_share=1.0)
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
    settings = LabelSettings(audit_share=0.2, referral_scale=0.0)
    counts = run_world(n_customers=600, days=300, labels=settings).summary.cases["return"]
    assert abs(counts.n_checked / counts.n_cases - 0.2) < 0.06
    assert abs(counts.n_abuse_checked / counts.n_abuse - 0.2) < 0.2


def test_labels_alone_change_nothing_else_for_customers_who_are_never_caught(
    run_world: Callable[..., Run],
) -> None:
    with_labels = run_world(n_customers=200, days=200)
    without = run_world(
        n_customers=200, days=200, labels=LabelSettings(audit_share=0.0, referral_scale=0.0)
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
