"""What became of a case: positive, negative, or not known, as of a time.

Every label has a horizon: the outcome counts within it, and the case counts only
when it has passed ("mature"), so quick outcomes are not learned before slow ones.
Three ways of not knowing are kept apart. *Immature*: the horizon has not passed.
*Censored*: something else ended the case first (the retailer cancelled, the
payment lapsed), so nobody knows what the customer would have done. *Unobserved*:
nobody looked (no check), or the world was changed (an offer was made); such cases
belong to the population that a head speaks of, and `training.labelling.weights`
weights the observed ones so that they stand for them. Unchecked is never clean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.definition import DAY_US
from features.request_rows import Call
from training.cases import CaseSet
from training.facts import FactLog, Flags, Ints


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
        origin: `labelling.origins.Origin` of the look that told; 0: nobody looked, or not told.
        propensity: Told chance of being looked at; NaN: not told.
        is_positive_only: A candidate that is known to be positive (`value` is 1) in a way in
            which no negative could have become known: a chargeback that nobody checked. Not
            observed: it may grow trees, and never calibrates or measures.
    """

    value: npt.NDArray[np.float64]
    is_candidate: Flags
    is_observed: Flags
    is_selective: Flags
    context: npt.NDArray[np.float32]
    origin: npt.NDArray[np.int64]
    propensity: npt.NDArray[np.float64]
    is_positive_only: Flags


FindLabels = Callable[[CaseSet, FactLog, int], Labels]
"""(cases, facts known by T, horizon in us) -> outcomes; maturity is added by `label_cases`."""


FindDue = Callable[[CaseSet, FactLog], Ints]
"""(cases, facts) -> when the outcome of each is due, microseconds UTC, shape `(n,)`."""


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
        find_due: Where outcomes are due at a promised time and not a fixed time after the case;
            then the head is fitted forward in time (`training.forward_fitting`).
        tree_factor: So many times as many trees as usual, at most.
        extra_depth: So many more splits on a path than usual.
    """

    target: str
    call: Call
    horizon_days: int
    label: str
    find: FindLabels
    gives_hint: bool = False
    find_due: FindDue | None = None
    tree_factor: int = 1
    extra_depth: int = 0

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
    is_candidate = labels.is_candidate & (cases.time_us + definition.horizon_us <= as_of_us)
    return replace(
        labels,
        is_candidate=is_candidate,
        is_observed=labels.is_observed & is_candidate,
        is_positive_only=labels.is_positive_only & is_candidate,
    )
