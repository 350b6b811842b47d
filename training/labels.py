"""What became of a case: positive, negative, or not known, as of a time.

Every label has a horizon: the outcome counts within it, and the case counts only
when it has passed ("mature"), so quick outcomes are not learned before slow ones.
Three ways of not knowing are kept apart. *Immature*: the horizon has not passed.
*Censored*: something else ended the case first (the retailer cancelled, the
payment lapsed), so nobody knows what the customer would have done. *Unobserved*:
nobody looked (no check), or the world was changed (an offer was made); such cases
belong to the population that a head speaks of, and `training.propensity` weights
the observed ones so that they stand for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.definition import DAY_US
from features.request_rows import Call
from training.cases import CaseSet
from training.facts import FactLog, Flags


@dataclass(frozen=True, eq=False)
class Labels:
    """Outcomes of `n` cases.

    Attributes:
        value: 1 positive, 0 negative; of no meaning where not `is_observed`.
        is_candidate: Mature and not censored: the population.
        is_observed: A candidate whose outcome is known.
        is_selective: A candidate whose outcome was seen by somebody's choice (a check,
            no offer); other candidates were observed whatever they are.
        context: Shape `(n, k)`, float32: facts after the case that the choice may have
            depended on. Never part of a vector.
    """

    value: npt.NDArray[np.float64]
    is_candidate: Flags
    is_observed: Flags
    is_selective: Flags
    context: npt.NDArray[np.float32]


FindLabels = Callable[[CaseSet, FactLog, int], Labels]
"""(cases, facts known by T, horizon in us) -> outcomes; maturity is added by `label_cases`."""


@dataclass(frozen=True, slots=True)
class HeadDefinition:
    """One question that can be learned from a log.

    Attributes:
        target: What the probability is of.
        call: At which call.
        horizon_days: Time after the case within which the outcome counts.
        label: Positive, negative and unknown, for the manifest and the model card.
        find: The rule.
        gives_hint: The head decides `VERIFY` and needs a threshold.
    """

    target: str
    call: Call
    horizon_days: int
    label: str
    find: FindLabels
    gives_hint: bool = False

    @property
    def name(self) -> str:
        """Name of the head: `<target>__<call>`."""
        return f"{self.target}__{self.call.name.lower()}"

    @property
    def horizon_us(self) -> int:
        """The horizon in microseconds."""
        return self.horizon_days * DAY_US


def label_cases(
    definition: HeadDefinition, cases: CaseSet, facts: FactLog, as_of_us: int
) -> Labels:
    """Return the outcomes that were known at a time.

    Args:
        definition: The question.
        cases: Cases of its call.
        facts: All facts; those known after `as_of_us` are not looked at.
        as_of_us: When somebody looks. Cases whose horizon ends later are no candidates.
    """
    labels = definition.find(cases, facts.as_of(as_of_us), definition.horizon_us)
    is_mature = cases.time_us + definition.horizon_us <= as_of_us
    return Labels(
        value=labels.value,
        is_candidate=labels.is_candidate & is_mature,
        is_observed=labels.is_observed & labels.is_candidate & is_mature,
        is_selective=labels.is_selective,
        context=labels.context,
    )
