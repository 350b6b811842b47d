"""One small shop as a log, a feature log and a Feast repository, applied once for all tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from feast import FeatureStore
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

from benchmarks.serving.requests import iterate_events, to_request
from features.definitions import FEATURE_NAMES
from features.log.feature_log import write_feature_log
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from hemostat.cli.main import main
from hemostat.v1 import scoring_pb2 as pb
from stream.runner import stream_to_disk
from training.simulation import SimulationConfig, simulate


@dataclass(frozen=True)
class Shop:
    """What the tests share."""

    folder: Path
    log: Path
    rows: pd.DataFrame
    """The feature log, in order of time."""
    requests: dict[str, pb.ScoreRequest]
    """By case event."""
    repository: Path

    def stream(self, name: str, until_us: int | None = None) -> Path:
        """Return the store of that name, which holds what was known at a time."""
        path = self.folder / name
        if not path.exists():
            stream_to_disk(self.log, path, until_us=until_us)
        return path

    def open_feast(self, store: str, as_of_us: int | None = None) -> FeatureStore:
        """Return Feast over a store, with the registry of the applied repository."""
        settings = yaml.safe_load((self.repository / "feature_store.yaml").read_text())
        settings["online_store"] |= {"store": store, "as_of_us": as_of_us}
        file = self.repository / "other_store.yaml"
        file.write_text(yaml.safe_dump(settings))
        return FeatureStore(repo_path=str(self.repository), fs_yaml_file=file)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose repository went through `hemostat feast init` and Feast's apply."""
    folder = tmp_path_factory.mktemp("feast")
    log, feature_log, repository = folder / "log", folder / "features", folder / "repository"
    with EventLogWriter(log, n_partitions=2, formats=("parquet",)) as writer:
        simulate(SimulationConfig(seed=5, n_customers=90, days=180), writer)
    write_feature_log(EventLog(log), feature_log)
    words = ["feast", "init", str(repository), "--store", str(folder / "store")]
    assert main([*words, "--feature-log", str(feature_log), "--json"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)  # As `feast --chdir` does.
        patch.syspath_prepend(str(repository))
        config = load_repo_config(repository, repository / "feature_store.yaml")
        apply_total(config, repository, skip_source_validation=False)
        sys.modules.pop("hemostat_features", None)
    files = sorted(feature_log.glob("day=*/*.parquet"))
    rows = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    events = iterate_events(EventLog(log).read_table(list(_CASE_KINDS)))
    requests = {event.event_id: to_request(event) for event in events}
    return Shop(folder, log, rows, requests, repository)


_CASE_KINDS = ("order_placed", "cancel_requested", "return_requested")


@pytest.fixture(scope="session")
def to_array() -> Callable[[dict[str, Sequence[float | None]]], npt.NDArray[np.float32]]:
    """Make Feast's columns an array in the vector's order; absent is NaN."""

    def convert(columns: dict[str, Sequence[float | None]]) -> npt.NDArray[np.float32]:
        values = [columns[name] for name in FEATURE_NAMES if name in columns]
        return np.array(values, np.float64).T.astype(np.float32)

    return convert
