"""From the policy's cost matrix to the one that training takes: neither knows the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.evaluation.money import CostMatrix

PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", help="Policy whose `evaluation.costs` count; default: the shipped."),
]


def read_costs(policy: Path | None) -> CostMatrix:
    """Return what outcomes cost by a policy file; None: by the default policy.

    Raises:
        ConfigError: The file cannot be read or breaks a rule; names the key.
    """
    from scoring.policy import DEFAULT_POLICY, load_policy
    from training.evaluation.money import CostMatrix

    rules = load_policy(DEFAULT_POLICY if policy is None else policy).rules
    return CostMatrix(**rules.evaluation.costs.model_dump())
