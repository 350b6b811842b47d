"""A policy with what is derived from it for every call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scoring.policy import DEFAULT_POLICY, Policy, load_policy
from scoring.reasons import ReasonCatalogue


@dataclass(frozen=True, eq=False)
class Rules:
    """The policy in force and its reasons, swapped together."""

    policy: Policy
    catalogue: ReasonCatalogue


def to_rules(policy: Policy) -> Rules:
    """Return the rules of a policy."""
    return Rules(policy, ReasonCatalogue(policy))


def load_rules(path: Path = DEFAULT_POLICY) -> Rules:
    """Return the rules of a policy file.

    Raises:
        ConfigError: It breaks a rule; see `policy.load_policy`.
    """
    return to_rules(load_policy(path))
