"""What the registry decides is what a server loads: promoted, refused, rolled back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from scoring.metrics import ScoringMetrics
from scoring.models import Models, parse_bundles
from tests.training.registry.small_models import ModelMaker
from training.registry.journal import Signature
from training.registry.promotion import promote, register, roll_back

BY = Signature("ann", datetime(2026, 1, 1, tzinfo=UTC))


async def _decide_and_look(out: Path, make: ModelMaker) -> list[str]:
    """Return the names given to register, and then the one in force after each decision."""
    first, good, bad = make(out), make(out), make(out, recall=0.1)
    register(out, first, BY)
    models = Models(parse_bundles([str(out)]), ScoringMetrics())
    found = [first, good]

    async def look() -> None:
        await models.refresh()
        found.append(models.in_force["shop"].version[: len(first)])

    register(out, good, BY)
    await look()
    promote(out, good, BY)
    await look()
    promote(out, bad, BY)
    await look()
    promote(out, bad, BY, is_forced=True, reason="a test")
    roll_back(out, BY)
    await look()
    roll_back(out, BY)
    await look()
    return found


def test_a_running_server_follows_the_registry(tmp_path: Path) -> None:
    make = ModelMaker(tmp_path / "template")
    first, good, *seen = asyncio.run(_decide_and_look(tmp_path / "bundles", make))
    assert seen == [first, good, good, good, first]
