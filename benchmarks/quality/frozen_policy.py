"""The benchmark's policy: costs and target of false alarms, frozen in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict

from training.evaluation.money import CostMatrix

POLICY_FILE: Final = Path(__file__).with_name("policy.yaml")


class FrozenPolicy(BaseModel):
    """What every contender is judged by.

    Attributes:
        false_alarm_target: Share of good customers' returns that a threshold may flag.
        costs: Of each outcome.
        cost_factors: On the costs of verifying; the first is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarm_target: float
    costs: CostMatrix
    cost_factors: tuple[float, ...]

    def scale_costs(self, factor: float) -> CostMatrix:
        """Return the costs with those of verifying multiplied."""
        return self.costs.model_copy(
            update={
                "check_minor": self.costs.check_minor * factor,
                "insulted_minor": self.costs.insulted_minor * factor,
            }
        )


def load_policy() -> FrozenPolicy:
    """Return the policy of the file.

    Raises:
        pydantic.ValidationError: The file says something else.
    """
    return FrozenPolicy.model_validate(yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8")))
