"""Settings and what-ifs are read from files, or the file is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import ConfigError
from training.simulation import SimulationConfig
from training.simulation.config import CarrierDelay, PriceOverride
from training.simulation.presets import make_config
from training.simulation.world_files import apply_what_if, read_settings

FILE = """
price_overrides:
  - {style: 7, from_day: 60, factor: 0.8}
carrier_delays:
  - {carrier: zto, from_day: 60, delay_days: 3}
"""


def test_the_changes_of_a_file_come_on_top_of_the_worlds_own(tmp_path: Path) -> None:
    path = tmp_path / "what-if.yaml"
    path.write_text(FILE)
    own = PriceOverride(style=1, from_day=5, factor=1.1)
    config = apply_what_if(SimulationConfig(seed=3, price_overrides=(own,)), path)
    assert config.seed == 3
    assert config.price_overrides == (own, PriceOverride(style=7, from_day=60, factor=0.8))
    assert config.carrier_delays == (CarrierDelay(carrier="zto", from_day=60, delay_days=3.0),)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prices: []", "prices"),
        ("price_overrides: 3", "price_overrides"),
        ("price_overrides: [{style: 7, from_day: 60}]", "factor"),
        ("price_overrides: [{from_day: 60, factor: 0.5}]", "either a style or a SKU"),
        ("policy_changes: [{from_day: 3, return_window_days: 1}]", "return_window_days"),
        ("just words", "mapping"),
        ("a: [", "YAML"),
    ],
)
def test_a_file_that_names_nothing_is_refused(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "what-if.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        apply_what_if(SimulationConfig(), path)
    error = refused.value
    assert named in f"{error.value} {error.expectation}"
    assert str(path) in error.field


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be simulated"):
        apply_what_if(SimulationConfig(), tmp_path / "none.yaml")


def test_settings_of_a_file_win_over_the_named_worlds(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("abuser_scale: 1.5\nlabels: {audit_share: 0.01}\nring_scale: 2.0\n")
    config = make_config("rings", **read_settings(path), seed=3)
    assert (config.abuser_scale, config.ring_scale, config.seed) == (1.5, 2.0, 3)
    assert config.labels.audit_share == 0.01
    assert config.labels.closing_verdicts == SimulationConfig().labels.closing_verdicts


@pytest.mark.parametrize("text", ["seed: 3", "colour: red", "- 1", "labels"])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot be simulated"):
        read_settings(path)
