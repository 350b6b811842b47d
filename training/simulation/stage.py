"""Where stories are told: the world, the way to the log, and the truth beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from training.simulation.outbox import Outbox
from training.simulation.policy import RetailerPolicy
from training.simulation.truth import DecisionTruth, OfferTruth, Truth, TruthSink
from training.simulation.world import World


@dataclass(slots=True)
class CaseCounts:
    """How many cases of one call there are, in truth.

    Attributes:
        n_cases: Cases in the log.
        n_abuse: Abuse among them (orders: placed for abuse).
        n_checked: Cases that somebody checks; the label may lie beyond the horizon.
        n_abuse_checked: Abuse among these.
    """

    n_cases: int = 0
    n_abuse: int = 0
    n_checked: int = 0
    n_abuse_checked: int = 0


class Stage:
    """What a story needs besides its own plan.

    Args:
        world: Surroundings of all agents.
        outbox: Takes the events.
        truth: Takes the truth; None: not wanted.
        policy: The shop's decisions.

    Attributes:
        day: Day of the visit that is lived.
        counts: Cases so far, by call.
    """

    def __init__(
        self, world: World, outbox: Outbox, truth: TruthSink | None, policy: RetailerPolicy
    ) -> None:
        self.world = world
        self.outbox = outbox
        self.policy = policy
        self.day = 0
        self.counts: dict[str, CaseCounts] = {}
        self._truth = truth

    def add_truth(self, row: Truth) -> None:
        """Note the truth of a case, unless it never reached the log."""
        if self.outbox.is_withheld(row.case_event_id):
            return
        counts = self.counts.setdefault(row.call, CaseCounts())
        counts.n_cases += 1
        counts.n_abuse += row.is_abuse
        counts.n_checked += row.is_checked
        counts.n_abuse_checked += row.is_abuse and row.is_checked
        if self._truth is not None:
            self._truth.add(row)

    def wants_offers(self, case_event_id: str) -> bool:
        """Return whether somebody takes the potential outcomes of a case: they cost time."""
        return self._truth is not None and not self.outbox.is_withheld(case_event_id)

    def add_offers(self, rows: Sequence[OfferTruth]) -> None:
        """Note the potential outcomes of a case that somebody wants."""
        if self._truth is not None:
            self._truth.add_offers(rows)

    def add_decision(self, row: DecisionTruth) -> None:
        """Note a decision on a return, unless it never reached the log."""
        if self._truth is not None and not self.outbox.is_withheld(row.case_event_id):
            self._truth.add_decision(row)
