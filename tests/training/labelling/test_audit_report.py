"""The audit counts looks, delays and reversals, and its corrected share is the truth's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.definition import DAY_US
from features.log.reader import EventLog
from training.cases import LearningSet
from training.facts import from_events
from training.labelling.audit_report import LabelAudit, compute_label_audit
from training.labelling.maturity import DelayCurve, choose_horizon, measure_delay
from training.labelling.noise import InspectionError, correct_share, estimate_error
from training.labelling.origins import build_label_book
from training.log_reading import read_accepted_events
from training.simulation import SimulationConfig
from training.simulation.truth import TRUTH_FILE

Learn = Callable[[Sequence[Any]], LearningSet]


def _look(make: Any, day: float, case: str, origin: str, chance: float | None, kind: str) -> Any:
    label = make.label(day, case, kind)
    label.label_set.origin = f"LABEL_ORIGIN_{origin}"
    label.label_set.propensity = chance
    return label


@pytest.fixture
def audited(make: Any, learn_from: Learn) -> LabelAudit:
    """Ten old returns, three of them looked at, and a young one."""
    events = [make.returned(0.1 * i, f"r{i}") for i in range(10)]
    events += [
        make.returned(195, "young"),
        _look(make, 10, "r0", "VERIFY", 0.5, "ABUSE_CONFIRMED"),
        _look(make, 12, "r1", "INSPECTION", 0.5, "ABUSE_CLEARED"),
        _look(make, 14, "r2", "RANDOM_AUDIT", 0.125, "ABUSE_CONFIRMED"),
        make.label(20, "r2", "APPEAL_UPHELD"), make.label(20, "r2", reversal=True),
        make.label(30, "r3", "CHARGEBACK"),
        make.label(40, "nowhere", "ABUSE_CLEARED"),
        make.order(200, "later"),
    ]  # fmt: skip
    learned = learn_from(events)
    return compute_label_audit(learned.facts, make.at(200), InspectionError(0.8, 0.9))


def test_coverage_is_counted_by_origin_and_month(audited: LabelAudit) -> None:
    assert (audited.n_labels, audited.n_unknown_cases) == (7, 1)
    (returns,) = audited.calls
    assert (returns.call, returns.n_cases, returns.n_looked, returns.n_told) == ("return", 10, 3, 3)
    assert returns.looked_by == {"random_audit": 1, "verify": 1, "inspection": 1}
    assert returns.n_positive_only == 1
    assert returns.horizon_days == 20
    assert [month.n_cases for month in audited.months] == [10, 1]
    assert [month.n_looked for month in audited.months] == [3, 0]


def test_each_look_stands_for_one_over_its_chance(audited: LabelAudit) -> None:
    (returns,) = audited.calls
    assert returns.share_looked == pytest.approx(1 / 3)
    assert returns.share_weighted == pytest.approx(2 / 12)
    assert returns.share_corrected == pytest.approx((2 / 12 - 0.1) / (0.8 - 0.1))
    assert returns.effective_n == pytest.approx(12**2 / (4 + 4 + 64))


def test_delays_and_reversals_are_counted_by_what_they_are(audited: LabelAudit) -> None:
    delays = {delay.origin: delay for delay in audited.delays}
    assert delays["verify"].days_p50 == pytest.approx(10.0)
    assert delays["appeal"].n == 1
    assert delays["chargeback"].days_p99 == pytest.approx(29.7)
    back = audited.reversals
    assert (back.n_confirmed, back.n_confirmed_taken_back, back.n_appeals_upheld) == (2, 1, 1)
    assert (back.n_cleared, back.n_chargebacks, back.n_chargebacks_taken_back) == (2, 1, 0)


def test_without_a_told_chance_no_share_of_all_is_claimed(make: Any, learn_from: Learn) -> None:
    learned = learn_from([make.returned(0, "r"), make.label(5, "r"), make.order(200, "later")])
    (returns,) = compute_label_audit(learned.facts, make.at(200)).calls
    assert (returns.share_looked, returns.n_told) == (1.0, 0)
    assert returns.share_weighted is None
    assert returns.share_corrected is None


def test_a_horizon_lets_that_share_of_verdicts_settle() -> None:
    days = np.arange(1.0, 101.0)
    curve = DelayCurve(known_days=days / 2.0, settled_days=days, follow_up_days=180.0)
    assert choose_horizon(curve) == 100
    assert choose_horizon(curve, 0.5) == 50
    assert choose_horizon(curve, 0.51) == 55
    assert curve.compute_share_settled(50.0) == 0.5
    with pytest.raises(ValueError, match="no case"):
        choose_horizon(DelayCurve(np.zeros(0), np.zeros(0), 0.0))


def test_young_cases_do_not_make_verdicts_look_quick(make: Any, learn_from: Learn) -> None:
    # Every verdict takes 40 days; of cases of the last months only early ones would count.
    events = [make.returned(float(day), f"r{day}") for day in range(0, 120, 5)]
    late = [day + (40.0 if day <= 60 else 1.0) for day in range(0, 120, 5)]
    events += [make.label(at, f"r{5 * place}") for place, at in enumerate(late)]
    learned = learn_from(events)
    curve = measure_delay(build_label_book(learned.facts), make.at(121))
    assert curve.follow_up_days == pytest.approx(60.5)
    np.testing.assert_allclose(curve.settled_days, 40.0)


def test_agreement_between_two_looks_tells_what_checks_miss(make: Any, learn_from: Learn) -> None:
    random, events = np.random.default_rng(3), []
    for number in range(1_500):
        is_abuse = random.random() < 0.4
        events.append(make.returned(0.001 * number, f"r{number}"))
        for day, origin in ((9.0, "INSPECTION"), (11.0, "RANDOM_AUDIT")):
            is_said = random.random() < (0.8 if is_abuse else 0.02)
            kind = "ABUSE_CONFIRMED" if is_said else "ABUSE_CLEARED"
            events.append(_look(make, day, f"r{number}", origin, 0.3, kind))
    book = build_label_book(learn_from(events).facts)
    found = estimate_error(book)
    assert found is not None
    assert found.n_pairs == 1_500
    assert found.low < 0.8 < found.high
    assert found.sensitivity == pytest.approx(0.8, abs=0.05)
    assert estimate_error(build_label_book(learn_from(events[:40]).facts)) is None


def test_checks_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="must exceed 1"):
        InspectionError(0.5, 0.5)
    with pytest.raises(ValueError, match="shares"):
        InspectionError(1.2, 0.9)
    assert correct_share(0.01, InspectionError(0.8, 0.98)) == 0.0


def test_the_corrected_share_of_a_simulated_log_is_the_truths(simulated_log: Path) -> None:
    events = read_accepted_events(EventLog(simulated_log), SimulationConfig().tenant)
    facts = from_events(events.batch)
    returned = facts["return_requested"]
    end_us = int(facts["label_set"].known_us.max())
    # Of wrongly confirmed cases 60 % appeal in time.
    audit = compute_label_audit(facts, end_us, InspectionError(0.8, 0.992))
    (found,) = (call for call in audit.calls if call.call == "return")
    truth = pq.read_table(simulated_log / TRUTH_FILE, columns=["case_event_id", "is_abuse"])
    is_abuse = dict(zip(*(truth.column(i).to_pylist() for i in range(2)), strict=True))
    is_old = returned.event_us <= end_us - found.horizon_days * DAY_US
    share = np.mean(
        [is_abuse[case] for case in returned.select(is_old).get_event_ids().to_pylist()]
    )
    assert found.share_corrected == pytest.approx(share, abs=0.04)
    assert found.n_told == found.n_looked > 100
