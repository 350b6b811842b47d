"""The logs on which the core is held to the twin: a real shop, a simulated one, awkward ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.twin.random_log import RandomLog
from features.log.writer import EventLogWriter
from stream.importers.online_retail.importing import ImportOptions, import_online_retail
from training.simulation import SimulationConfig, simulate
from training.simulation.config import IngestSettings

_FORMATS = ("parquet",)


def find_online_retail() -> Path | None:
    """Return the Online Retail file of HEMOSTAT_DATA (or ../shared/data), if it is there."""
    root = Path(__file__).parent.parent.parent
    folder = Path(os.environ.get("HEMOSTAT_DATA") or root.parent / "shared" / "data")
    path = folder / "online_retail" / "online_retail.parquet"
    return path if path.is_file() else None


def write_online_retail(source: Path, folder: Path) -> Path:
    """Import the Online Retail file as an event log; return its folder."""
    import_online_retail(source, folder, ImportOptions(formats=_FORMATS))
    return folder


def write_simulated(folder: Path, *, n_customers: int, days: int, seed: int) -> Path:
    """Simulate a shop in which one event in twenty is late and one in twenty told twice."""
    config = SimulationConfig(
        seed=seed,
        n_customers=n_customers,
        days=days,
        ingest=IngestSettings(late_share=0.05, duplicate_share=0.05),
    )
    with EventLogWriter(folder, n_partitions=3, formats=_FORMATS) as writer:
        simulate(config, writer)
    return folder


def write_random(folder: Path, *, n_events: int, seed: int, is_hostile: bool) -> Path:
    """Write an awkward log; see `random_log`."""
    drawn = RandomLog(np.random.default_rng(seed), is_hostile=is_hostile)
    with EventLogWriter(folder, n_partitions=2, formats=_FORMATS) as writer:
        writer.append_structs(drawn.draw_events(n_events))
    return folder
