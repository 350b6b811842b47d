"""The policy's section on how models are judged: what the outcomes of a hint cost."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from scoring.policy_section import Section


class CostRules(Section):
    """What a hint's outcomes cost a shop; an approved honest case costs nothing.

    Scoring does not read them: `hemostat train` and `hemostat evaluate` do, to say what a
    threshold is worth.

    Attributes:
        missed_share: Abuse that was approved: lost share of the case's value.
        caught_share: Abuse that was verified: share of the value lost all the same.
        check_minor: Cost of verifying any case, minor units.
        insulted_minor: Further cost of verifying an honest one, minor units.
    """

    missed_share: float = Field(default=0.85, ge=0, le=2, allow_inf_nan=False)
    caught_share: float = Field(default=0.10, ge=0, le=2, allow_inf_nan=False)
    check_minor: float = Field(default=800, ge=0, allow_inf_nan=False)
    insulted_minor: float = Field(default=4_000, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _check_that_catching_saves(self) -> Self:
        if self.caught_share > self.missed_share:
            raise PydanticCustomError(
                "caught_share",
                "caught_share is at most missed_share ({missed_share}): "
                "else no check could ever pay",
                {"missed_share": self.missed_share},
            )
        return self


class EvaluationRules(Section):
    """How models are judged.

    Attributes:
        costs: The cost matrix.
    """

    costs: CostRules = CostRules()
