"""The heads of a model: which question each answers, at which call, how its output is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from features.model_bundle import HeadManifest
from features.model_bundle.strata import find_stratum
from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb

TARGETS: dict[str, pb.Target] = {
    "abuse": pb.TARGET_ABUSE,
    "cancel": pb.TARGET_CANCEL,
    "return": pb.TARGET_RETURN,
    "return_or_cancel_30d": pb.TARGET_RETURN_OR_CANCEL_30D,
}
CALLS: dict[str, Call] = {call.name.lower(): call for call in Call}
LABEL_SOURCES: dict[str, pb.LabelSource] = {
    "tenant": pb.LABEL_SOURCE_TENANT,
    "simulated": pb.LABEL_SOURCE_SIMULATED,
}
HEAD_NAMES = tuple(f"{target}__{call}" for target in TARGETS for call in CALLS)
"""Every name a head can have."""


@dataclass(frozen=True, slots=True)
class Head:
    """One head of a loaded model.

    Attributes:
        name: `<target>__<call>`.
        target: What its output is the probability of.
        call: At which call it applies.
        source: Which labels it was learned from.
        verify_threshold: The bundle's; None: it gives no hint.
        output: Column of the model's outputs.
        strata_thresholds: In place of the bundle's threshold for cases of some strata, by name.
    """

    name: str
    target: pb.Target
    call: Call
    source: pb.LabelSource
    verify_threshold: float | None
    output: int
    strata_thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_shadow(self) -> bool:
        """Whether it may not move the hint or the budget: learned from simulated data."""
        return self.source == pb.LABEL_SOURCE_SIMULATED

    def find_threshold(self, row: npt.NDArray[np.float32]) -> float | None:
        """Return the bundle's threshold for a row, shape `(F,)`; None: it gives no hint."""
        if not self.strata_thresholds:
            return self.verify_threshold
        return self.strata_thresholds.get(find_stratum(row), self.verify_threshold)


@dataclass(frozen=True, slots=True)
class HeadResult:
    """What a head says of one row of a case.

    Attributes:
        head: Which one.
        probability: Calibrated, [0, 1].
        row: The row it is about: 0 the case, from 1 on its order lines.
        threshold: The bundle's threshold for that row; None: the head gives no hint.
    """

    head: Head
    probability: float
    row: int = 0
    threshold: float | None = None


def to_head(manifest: HeadManifest, output: int) -> Head:
    """Return a head of a manifest; `output` is its column of the model's outputs."""
    return Head(
        name=manifest.name,
        target=TARGETS[manifest.target],
        call=CALLS[manifest.call],
        source=LABEL_SOURCES[manifest.label_source],
        verify_threshold=manifest.verify_threshold,
        output=output,
        strata_thresholds=manifest.strata_thresholds,
    )
