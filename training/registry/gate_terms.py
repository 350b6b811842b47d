"""What gates are made of: the question that each is asked, and the form of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from features.model_bundle.manifest import Manifest
from training.registry.lineage import Lineage


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gate found.

    Attributes:
        name: Of the gate.
        head: Which head; empty: the whole model.
        value: What was met; None: not measured.
        rule: How the value must stand to the bar.
        bar: What is asked for.
        is_met: Whether it passes.
        can_be_forced: False: no server would load this model, or it is another tenant's.
        advice: What to do if it is not met; empty if it is.
    """

    name: str
    head: str = ""
    value: float | str | None
    rule: Literal["at most", "at least", "is"]
    bar: float | str
    is_met: bool
    can_be_forced: bool = True
    advice: str = ""


@dataclass(frozen=True, slots=True)
class GateBars:
    """Where the bars are.

    Attributes:
        max_difference: Between graph and XGBoost, of a probability.
        max_calibration_error: Above what a perfect model would show on as many cases.
        max_honest_flagged: Share of good customers' later cases that the hint flags.
        max_age_days: From the model's birth to the promotion.
    """

    max_difference: float = 1e-5
    max_calibration_error: float = 0.05
    max_honest_flagged: float = 0.02
    max_age_days: float = 730.0


BARS = GateBars()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model before the gates.

    Attributes:
        manifest: What it says of itself.
        lineage: Where it comes from; None: from a build that recorded none.
        fault: Why no server would load it; empty: one would.
        distrust: Why its signature is refused; empty: it is good, or none is asked for.
        must_be_signed: Trusted keys are configured.
    """

    manifest: Manifest
    lineage: Lineage | None
    fault: str
    distrust: str = ""
    must_be_signed: bool = False


@dataclass(frozen=True, eq=False)
class Champion:
    """The model in use, as far as it can be read.

    Attributes:
        name: Its folder.
        manifest: None: it is damaged or gone.
        fault: Why it cannot be read.
    """

    name: str
    manifest: Manifest | None
    fault: str = ""


@dataclass(frozen=True, eq=False)
class Question:
    """What every gate is asked: may this model follow that one, at this time?"""

    candidate: Candidate
    champion: Champion | None
    as_of: datetime
    bars: GateBars

    @property
    def manifest(self) -> Manifest:
        """The candidate's."""
        return self.candidate.manifest

    @property
    def before(self) -> Manifest | None:
        """The champion's, if it can be read."""
        return None if self.champion is None else self.champion.manifest


def list_failed(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates that are not met."""
    return [gate for gate in gates if not gate.is_met]
