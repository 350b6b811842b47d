"""`hemostat simulate-diff` explains what a what-if changed, or ends with code 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.log.writer import EventLogWriter
from hemostat.cli.main import main
from training.simulation import SimulationConfig, simulate
from training.simulation.config import CarrierDelay

FROM = ["--from", "2024-02-20"]  # Day 50.


def _write(path: Path, **changes: object) -> Path:
    with EventLogWriter(path, formats=("parquet",)) as writer:
        simulate(SimulationConfig(n_customers=120, days=110, seed=5, **changes), writer)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    path = tmp_path_factory.mktemp("logs")
    delay = CarrierDelay(carrier="zto", from_day=50, delay_days=5.0)
    return str(_write(path / "usual")), str(_write(path / "slow", carrier_delays=(delay,)))


def test_a_clean_what_if_ends_well(
    logs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate-diff", *logs, "--changed", "carrier:zto", *FROM]) == 0
    shown = capsys.readouterr().out
    assert "only what it causes: 0 differences before its day, 0 unexplained" in shown
    assert "order_delivered" in shown


def test_a_change_that_is_not_the_cause_ends_with_code_4(
    logs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate-diff", *logs, "--changed", "carrier:dhl", *FROM, "--json"]) == 4
    report = json.loads(capsys.readouterr().out)
    assert report["is_clean"] is False
    assert report["n_unexplained"] > 0
    assert report["n_early"] == 0
    assert report["n_different"] == len(report["differences"])


def test_a_later_day_than_the_true_one_ends_with_code_4(
    logs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    late = ["--from", "2024-03-20"]
    assert main(["simulate-diff", *logs, "--changed", "carrier:zto", *late]) == 4
    assert "MORE THAN IT CAUSES" in capsys.readouterr().out


@pytest.mark.parametrize("changed", ["colour:red", "carrier", "policy:window", "sku:"])
def test_an_unknown_change_is_refused(
    logs: tuple[str, str], capsys: pytest.CaptureFixture[str], changed: str
) -> None:
    assert main(["simulate-diff", *logs, "--changed", changed, *FROM]) == 2
    assert "--changed" in capsys.readouterr().err
