"""What labels of a case say together: the last word of a kind that was not taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from features.request_rows import Call
from training.cases import LearningSet
from training.head_definitions import ABUSE_HEADS
from training.labelling.origins import Origin, build_label_book
from training.labelling.verdicts import Verdicts, find_verdicts
from training.labels import label_cases

Learn = Callable[[Sequence[Any]], LearningSet]


def _find(learned: LearningSet, make: Any, day: float = 100.0) -> dict[str, tuple[int, bool]]:
    """Return value and `is_positive_only` of each return."""
    cases = learned.cases[Call.RETURN]
    verdicts = _judge(learned, make, day)
    told = zip(verdicts.value.tolist(), verdicts.is_positive_only.tolist(), strict=True)
    return dict(zip(cases.event_id.to_pylist(), told, strict=True))


def _judge(learned: LearningSet, make: Any, day: float = 100.0) -> Verdicts:
    cases = learned.cases[Call.RETURN]
    book = build_label_book(learned.facts)
    return find_verdicts(book, cases.event_id, np.full(len(cases), make.at(day)))


def test_a_reversal_takes_back_its_own_kind_and_nothing_else(make: Any, learn_from: Learn) -> None:
    learned = learn_from(
        [
            make.returned(0, "dispute won"), make.label(5, "dispute won"),
            make.label(6, "dispute won", "CHARGEBACK"),
            make.label(7, "dispute won", "CHARGEBACK", True),
            make.returned(0, "second check withdrawn"), make.label(5, "second check withdrawn"),
            make.label(6, "second check withdrawn", "ABUSE_CLEARED"),
            make.label(7, "second check withdrawn", "ABUSE_CLEARED", True),
            make.returned(0, "appeal withdrawn"), make.label(5, "appeal withdrawn"),
            make.label(6, "appeal withdrawn", "APPEAL_UPHELD"),
            make.label(6.1, "appeal withdrawn", reversal=True),
            make.label(9, "appeal withdrawn", "APPEAL_UPHELD", True),
            make.returned(0, "confirmed anew"), make.label(5, "confirmed anew"),
            make.label(6, "confirmed anew", reversal=True), make.label(7, "confirmed anew"),
        ]
    )  # fmt: skip
    assert _find(learned, make) == {
        "dispute won": (1, False),
        "second check withdrawn": (1, False),
        "appeal withdrawn": (1, False),
        "confirmed anew": (1, False),
    }


def test_a_chargeback_is_no_check(make: Any, learn_from: Learn) -> None:
    learned = learn_from(
        [
            make.returned(0, "alone"), make.label(9, "alone", "CHARGEBACK"),
            make.returned(0, "won back"), make.label(9, "won back", "CHARGEBACK"),
            make.label(12, "won back", "CHARGEBACK", True),
            make.returned(0, "missed"), make.label(5, "missed", "ABUSE_CLEARED"),
            make.label(9, "missed", "CHARGEBACK"),
            make.returned(0, "looked at after"), make.label(9, "looked at after", "CHARGEBACK"),
            make.label(12, "looked at after", "ABUSE_CLEARED"),
        ]
    )  # fmt: skip
    assert _find(learned, make) == {
        "alone": (-1, True),
        "won back": (-1, False),
        "missed": (1, False),
        "looked at after": (0, False),
    }


def test_of_labels_known_at_once_the_later_effective_one_holds(
    make: Any, learn_from: Learn
) -> None:
    first = make.label(5, "r")
    second = make.label(5, "r", "ABUSE_CLEARED")
    second.label_set.effective_time = make.at(3)
    first.label_set.effective_time = make.at(4)
    early = make.label(5, "s")
    early.label_set.effective_time = make.at(-9)
    later = make.label(5, "t")
    later.label_set.effective_time = make.at(50)
    cases = [make.returned(0, name) for name in "rst"]
    learned = learn_from([*cases, first, second, early, later])
    assert _find(learned, make) == {"r": (1, False), "s": (1, False), "t": (1, False)}
    # It is known from day 5 on, and holds from day 50.
    assert _find(learned, make, 49.0)["t"] == (-1, False)
    book = build_label_book(learned.facts)
    assert book.effective_us.min() == make.at(0)


def test_the_last_look_names_the_origin_and_the_greatest_chance_is_told(
    make: Any, learn_from: Learn
) -> None:
    events = [make.returned(0, name) for name in ("twice", "untold", "appealed", "nobody")]
    for day, name, origin, chance in (
        (5, "twice", "INSPECTION", 0.3), (6, "twice", "RANDOM_AUDIT", 0.25),
        (5, "untold", "VERIFY", None), (5, "appealed", "VERIFY", 0.06),
    ):  # fmt: skip
        label = make.label(day, name)
        label.label_set.origin = f"LABEL_ORIGIN_{origin}"
        label.label_set.propensity = chance
        events.append(label)
    events += [make.label(9, "appealed", "APPEAL_UPHELD"), make.label(9, "nobody", "CHARGEBACK")]
    verdicts = _judge(learn_from(events), make)
    expected = [Origin.RANDOM_AUDIT, Origin.VERIFY, Origin.VERIFY, 0]
    np.testing.assert_array_equal(verdicts.origin, expected)
    np.testing.assert_array_equal(verdicts.propensity, [0.3, np.nan, 0.06, np.nan])
    assert verdicts.value.tolist() == [1, 1, 0, -1]


def _label_orders(learned: LearningSet, make: Any) -> dict[str, Any]:
    cases = learned.cases[Call.ORDER]
    labels = label_cases(ABUSE_HEADS[0], cases, learned.facts, make.at(200))
    rows = zip(
        labels.is_observed.tolist(), labels.value.tolist(), labels.propensity.tolist(),
        labels.is_positive_only.tolist(), strict=True,
    )  # fmt: skip
    return dict(zip(cases.event_id.to_pylist(), rows, strict=True))


def test_an_order_is_looked_at_if_any_of_its_returns_is(make: Any, learn_from: Learn) -> None:
    events = []
    for name, chances in (
        ("one", [0.2]), ("both", [0.2, 0.5]), ("half", [0.2, None]), ("none", [None]),
    ):  # fmt: skip
        events.append(make.order(0, name))
        for place, chance in enumerate(chances):
            events.append(make.returned(3, f"{name}{place}", name))
            if chance is not None:
                label = make.label(9, f"{name}{place}", "ABUSE_CLEARED")
                label.label_set.propensity = chance
                events.append(label)
    events += [make.order(0, "charged"), make.returned(3, "c", "charged"),
               make.label(9, "c", "CHARGEBACK")]  # fmt: skip
    found = _label_orders(learn_from(events), make)
    mean = 4 / (3 / 0.2 + 1 / 0.5)
    assert found["one"] == (True, 0.0, pytest.approx(0.2), False)
    assert found["both"] == (True, 0.0, pytest.approx(0.6), False)
    assert found["half"] == (True, 0.0, pytest.approx(1 - 0.8 * (1 - mean)), False)
    assert found["none"][0] is False
    assert found["charged"][:2] == (False, 1.0)
    assert found["charged"][3] is True
