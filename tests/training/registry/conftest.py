"""Folders of small bundles whose figures a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.training.registry.small_models import ModelMaker
from training.registry.journal import Signature


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """Writes a bundle into a folder and returns its name: `make_model(out, recall=0.5)`."""
    return ModelMaker(tmp_path_factory.mktemp("template") / "bundle")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder of bundles."""
    path = tmp_path / "bundles"
    path.mkdir()
    return path


@pytest.fixture
def sign() -> Callable[..., Signature]:
    """Returns who acts, a day in 2026: `sign(day=3)`."""

    def make(day: int = 1, by: str = "ann", **more: Any) -> Signature:
        return Signature(by, datetime(2026, 1, day, tzinfo=UTC, **more))

    return make
