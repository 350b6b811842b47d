"""Simulated worlds to look at: small ones in memory, the default one as a log with its truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from features.log.writer import EventLogWriter
from training.simulation import SimulationConfig, SimulationSummary, simulate
from training.simulation.truth import (
    TRUTH_FILE,
    DecisionTruth,
    OfferTruth,
    Truth,
    TruthWriter,
)


@dataclass
class Collected:
    """A run kept in memory: a sink for events and truth, and what they were."""

    config: SimulationConfig
    events: list[Any] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    offers: list[OfferTruth] = field(default_factory=list)
    decisions: list[DecisionTruth] = field(default_factory=list)
    summary: SimulationSummary | None = None

    def append_structs(self, events: list[Any]) -> None:
        self.events.extend(events)

    def add(self, row: Truth) -> None:
        self.truths.append(row)

    def add_offers(self, rows: Sequence[OfferTruth]) -> None:
        self.offers.extend(rows)

    def add_decision(self, row: DecisionTruth) -> None:
        self.decisions.append(row)

    def of_kind(self, kind: str) -> list[Any]:
        """Return events of a kind, repetitions left out."""
        first = {event.event_id: event for event in reversed(self.events)}
        return [event for event in first.values() if getattr(event, kind) is not None]


RunWorld = Callable[..., Collected]


def run(**settings: Any) -> Collected:
    collected = Collected(SimulationConfig(**settings))
    collected.summary = simulate(collected.config, collected, collected)
    return collected


@pytest.fixture(scope="session")
def run_world() -> RunWorld:
    """Call with settings of the configuration to run a world in memory."""
    return run


@pytest.fixture(scope="session")
def default_run() -> Collected:
    """The default world, in memory."""
    return run()


@pytest.fixture(scope="session")
def default_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default world as a log on disk, with the truth beside it."""
    path = tmp_path_factory.mktemp("world") / "log"
    with (
        EventLogWriter(path, formats=("parquet",)) as writer,
        TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth,
    ):
        simulate(SimulationConfig(), writer, truth)
    return path
