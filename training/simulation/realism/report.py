"""All measurements of realism of one or several worlds, in one frozen result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from features.errors import HemostatError
from training.simulation.realism.artefacts import ArtefactAuc, compute_artefact_aucs
from training.simulation.realism.catch import Catch, compute_catch, split_cases
from training.simulation.realism.look_alikes import SharedMarginal, compare_look_alikes
from training.simulation.realism.one_rule import OneRule, find_one_rule
from training.simulation.realism.separability import Separability, compute_separability
from training.simulation.realism.true_cases import TrueCases

CALLS = ("order", "cancellation", "return")


@dataclass(frozen=True, slots=True)
class WorldRealism:
    """What was measured of one world.

    Attributes:
        name: What the world is called.
        columns: By call, the most telling first; the words' own row among them.
        catches: By call; a call with too little abuse to learn from is left out.
        one_rules: By call, false alarms counted on good customers.
        strict_one_rules: By call, false alarms counted on all honest cases.
    """

    name: str
    columns: Mapping[str, tuple[Separability, ...]]
    catches: Mapping[str, Catch]
    one_rules: Mapping[str, OneRule]
    strict_one_rules: Mapping[str, OneRule]


@dataclass(frozen=True, slots=True)
class Realism:
    """What was measured of all worlds.

    Attributes:
        worlds: One each.
        n_pooled: Worlds of which artefacts and look-alikes were taken together.
        artefacts: Of those worlds.
        look_alikes: Of those worlds.
    """

    worlds: tuple[WorldRealism, ...]
    n_pooled: int
    artefacts: tuple[ArtefactAuc, ...]
    look_alikes: tuple[SharedMarginal, ...]


def measure_world(
    name: str, cases: Mapping[str, TrueCases], calls: Sequence[str] = CALLS
) -> WorldRealism:
    """Return what one world shows.

    Args:
        name: What to call it.
        cases: As of `read_true_cases`.
        calls: Which calls to measure; good customers are told from all of them.
    """
    split = split_cases(cases)
    catches = {}
    for call in calls:
        try:
            catches[call] = compute_catch(split[call])
        except HemostatError:  # A short world: fewer than twenty cases of abuse.
            continue
    return WorldRealism(
        name,
        {call: tuple(compute_separability(cases[call])) for call in calls},
        catches,
        {call: find_one_rule(split[call]) for call in calls},
        {call: find_one_rule(split[call], is_strict=True) for call in calls},
    )


def measure_pooled(
    worlds: Sequence[Mapping[str, TrueCases]], calls: Sequence[str] = CALLS
) -> tuple[tuple[ArtefactAuc, ...], tuple[SharedMarginal, ...]]:
    """Return what only several worlds together can show: artefacts and look-alikes."""
    artefacts: list[ArtefactAuc] = []
    look_alikes: list[SharedMarginal] = []
    for call in calls:
        of_call = [cases[call] for cases in worlds]
        artefacts += compute_artefact_aucs(of_call)
        look_alikes += compare_look_alikes(of_call)
    return tuple(artefacts), tuple(look_alikes)
