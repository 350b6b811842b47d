"""Worlds from files: settings of a world of one's own, and what-ifs.

A what-if is the same world from the same seed with one thing changed. A YAML
file names the fields of `SimulationConfig` that hold what-ifs, e.g.

    price_overrides:
      - {style: 7, from_day: 60, factor: 0.8}
    carrier_delays:
      - {carrier: zto, from_day: 60, delay_days: 3}
    policy_changes:
      - {from_day: 60, return_window_days: 14}
    customer_overrides:
      - {customer: 2, parameter: impatience, value: 0.9}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from features.errors import ConfigError
from training.simulation.config import SimulationConfig

WHAT_IF_FIELDS: Final = (
    "price_overrides",
    "carrier_delays",
    "policy_changes",
    "customer_overrides",
    "pattern_starts",
)


OPTION_FIELDS: Final = ("seed", "tenant", "n_customers", "days", "start")
"""Fields that have options of their own."""


def read_settings(path: Path) -> dict[str, Any]:
    """Return fields of `SimulationConfig` from a YAML file, their values unchecked.

    Raises:
        ConfigError: The file cannot be read, or names what is no field or has an option.
    """
    known = [name for name in SimulationConfig.model_fields if name not in OPTION_FIELDS]
    found = _read_mapping(path, known, "Settings")
    return {str(name): value for name, value in found.items()}


def apply_what_if(config: SimulationConfig, path: Path) -> SimulationConfig:
    """Return a world with the changes of a file added to its own.

    Raises:
        ConfigError: The file cannot be read, or names what does not exist.
    """
    settings: dict[str, Any] = config.model_dump()
    for name, entries in _read_mapping(path, WHAT_IF_FIELDS, "What-ifs").items():
        if not isinstance(entries, list):
            raise _refuse(path, name, "a list of changes", "What-ifs")
        settings[name] = [*settings[name], *entries]
    try:
        return SimulationConfig.model_validate(settings)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refuse(path, place, str(first["msg"]), "What-ifs") from invalid


def _read_mapping(path: Path, known: Sequence[str], section: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _refuse(path, type(error).__name__, "a YAML file", section) from error
    if not isinstance(found, dict) or not found:
        raise _refuse(path, type(found).__name__, "a mapping of " + ", ".join(known), section)
    for name in found:
        if name not in known:
            raise _refuse(path, str(name), "one of " + ", ".join(known), section)
    return found


def _refuse(path: Path, value: str, expectation: str, section: str) -> ConfigError:
    return ConfigError(
        "this world cannot be simulated",
        field=str(path),
        value=value[:60],
        expectation=expectation,
        fix=f"see docs/SIMULATION.md, {section}",
    )
