"""What-ifs from a file: the same world from the same seed with one thing changed.

A YAML file names the fields of `SimulationConfig` that hold what-ifs, e.g.

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


def apply_what_if(config: SimulationConfig, path: Path) -> SimulationConfig:
    """Return a world with the changes of a file added to its own.

    Raises:
        ConfigError: The file cannot be read, or names what does not exist.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _refuse(path, type(error).__name__, "a YAML file") from error
    if not isinstance(found, dict) or not found:
        raise _refuse(path, type(found).__name__, "a mapping of " + ", ".join(WHAT_IF_FIELDS))
    settings: dict[str, Any] = config.model_dump()
    for name, entries in found.items():
        if name not in WHAT_IF_FIELDS:
            raise _refuse(path, str(name), "one of " + ", ".join(WHAT_IF_FIELDS))
        if not isinstance(entries, list):
            raise _refuse(path, name, "a list of changes")
        settings[name] = [*settings[name], *entries]
    try:
        return SimulationConfig.model_validate(settings)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refuse(path, place, str(first["msg"])) from invalid


def _refuse(path: Path, value: str, expectation: str) -> ConfigError:
    return ConfigError(
        "this what-if cannot be simulated",
        field=str(path),
        value=value[:60],
        expectation=expectation,
        fix="see docs/SIMULATION.md, What-ifs",
    )
