"""docs/SIMULATION_PARAMETERS.md is what the code says, and leaves no number out."""

from __future__ import annotations

from pathlib import Path

from training.simulation.agent_types import ABUSIVE_TYPES, HONEST_TYPES
from training.simulation.config import SimulationConfig
from training.simulation.parameters import build_page, collect_parameters


def test_the_page_is_fresh(repository: Path) -> None:
    page = (repository / "docs" / "SIMULATION_PARAMETERS.md").read_text(encoding="utf-8")
    assert page == build_page(), "run `make docs` and commit docs/SIMULATION_PARAMETERS.md"


def test_every_type_and_setting_stands_there() -> None:
    found = collect_parameters()
    types = " ".join(row.value for row in found["agent_types"])
    assert all(one.name in types for one in (*HONEST_TYPES, *ABUSIVE_TYPES))
    settings = {row.name for row in found["config"]}
    assert {"SimulationConfig.n_customers", "LabelSettings.audit_share"} <= settings
    numbers = {name for name, field in SimulationConfig.model_fields.items()
               if isinstance(field.default, int | float)}  # fmt: skip
    assert {f"SimulationConfig.{name}" for name in numbers} <= settings


def test_draws_stand_with_what_they_are_drawn_with() -> None:
    draws = {row.name for rows in collect_parameters().values() for row in rows
             if row.name.startswith(("is_hit", "lognormal", "exponential"))}  # fmt: skip
    assert "is_hit 'stolen'" in draws
    assert len(draws) > 50


def test_every_row_says_where_it_comes_from() -> None:
    assert all(row.source and row.value for rows in collect_parameters().values() for row in rows)
