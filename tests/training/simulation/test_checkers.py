"""Those who check differ, and together they are as good as the settings say."""

from __future__ import annotations

import pytest

from training.simulation.checkers import choose_checker, list_checkers
from training.simulation.checking import CONFIRMED, plan_click_labels
from training.simulation.config import LabelSettings
from training.simulation.randomness import KeyedRandom

_CHECKS = 20_000


def _confirmed(settings: LabelSettings, *, is_fishing: bool) -> dict[int, list[bool]]:
    """Return whether each of many checked clicks was first confirmed, by who checked."""
    people = list_checkers(7)
    said: dict[int, list[bool]] = {number: [] for number in range(len(people))}
    for number in range(_CHECKS):
        draws = KeyedRandom(7, f"case{number}")
        labels = plan_click_labels(settings, draws, is_fishing=is_fishing, click_us=0, n_clicks=0)
        said[people.index(choose_checker(draws))].append(labels[0].kind == CONFIRMED)
    return said


@pytest.mark.parametrize(
    ("is_fishing", "expected", "ratio"), [(True, 0.80, 1.15), (False, 0.02, 3.0)]
)
def test_checkers_differ_and_together_are_what_the_settings_say(
    is_fishing: bool, expected: float, ratio: float
) -> None:
    said = _confirmed(LabelSettings(audit_share=1.0), is_fishing=is_fishing)
    every = [hit for hits in said.values() for hit in hits]
    assert sum(every) / len(every) == pytest.approx(expected, rel=0.15, abs=0.003)
    shares = [sum(hits) / len(hits) for hits in said.values()]
    assert max(shares) > ratio * min(shares)
    assert all(len(hits) > 0.7 * _CHECKS / len(said) for hits in said.values())


def test_multiples_have_a_mean_of_one_and_another_seed_has_other_people() -> None:
    people = list_checkers(7)
    assert sum(one.misses for one in people) == pytest.approx(len(people))
    assert sum(one.blames for one in people) == pytest.approx(len(people))
    assert people != list_checkers(8)
