"""Loading a bundle: what is not whole is refused, what is loaded answers row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.synthetic import HeadPlan, draw_rows, grow_trees, make_stump, write_bundle
from benchmarks.serving.world import SHOP, World, plan_shop
from features.definitions import FEATURE_NAMES, N_FEATURES
from features.errors import ConfigError, MissingModelError
from features.request_rows import Call
from scoring.metrics import ScoringMetrics
from scoring.model import load_model
from scoring.models import Models, parse_bundles


def test_a_stump_answers_as_planned(world: World) -> None:
    model = load_model(world.shop_bundles)
    rows = np.full((3, N_FEATURES), np.nan, np.float32)
    rows[:, FEATURE_NAMES.index("return_rate_90d")] = [0.49, 0.5, np.nan]
    (head,) = model.find_heads(Call.RETURN)
    found = model.predict(rows)[head.output]
    np.testing.assert_allclose(found, [0.05, 0.9, 0.05], atol=1e-6)


def test_a_rows_answer_does_not_depend_on_the_rows_beside_it(tmp_path: Path) -> None:
    rows = draw_rows(1, 150)
    heads = [HeadPlan("abuse", "return", grow_trees(n, 120, 6, rows)) for n in (1,)]
    heads.append(HeadPlan("cancel", "order", grow_trees(2, 120, 6, rows)))
    write_bundle(tmp_path / "bundle", SHOP, heads)
    model = load_model(tmp_path / "bundle")
    alone = np.hstack([model.predict(rows[n : n + 1]) for n in range(len(rows))])
    assert np.stack(model.predict(rows)).tobytes() == alone.tobytes()
    assert np.stack(model.predict(rows[:7])).tobytes() == alone[:, :7].copy().tobytes()


@pytest.mark.parametrize("name", ["model.onnx", "trees.npz", "manifest.json"])
def test_a_changed_file_is_refused(name: str, own_world: World) -> None:
    path = own_world.bazaar_bundle / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(MissingModelError):
        load_model(own_world.bazaar_bundle)


def test_what_stands_in_a_place_without_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="there is no model bundle"):
        load_model(tmp_path)


def test_a_bundle_is_for_its_own_tenant_only(world: World) -> None:
    (place,) = parse_bundles([str(world.shop_bundles)])
    assert place.tenant == SHOP
    assert parse_bundles([f"{SHOP}={world.shop_bundles}"]) == (place,)
    with pytest.raises(ConfigError, match="another tenant"):
        parse_bundles([f"other={world.shop_bundles}"])
    with pytest.raises(ConfigError, match="two bundles"):
        parse_bundles([str(world.shop_bundles), str(world.shop_bundles)])


async def _promote_and_look(world: World) -> list[str]:
    """Promote, promote a damaged bundle, roll back; return the version in force after each."""
    models = Models(parse_bundles([str(world.shop_bundles)]), ScoringMetrics())
    versions = [models.in_force[SHOP].version]

    async def point_to(name: str) -> None:
        link = world.shop_bundles / "next"
        link.symlink_to(name)
        link.replace(world.shop_bundles / "current")
        await models.refresh()
        versions.append(models.in_force[SHOP].version)

    write_bundle(world.shop_bundles / "v2", SHOP, plan_shop(verify_threshold=0.7))
    write_bundle(world.shop_bundles / "bad", SHOP, plan_shop(verify_threshold=0.6))
    (world.shop_bundles / "bad" / "model.onnx").write_bytes(b"")
    stump = make_stump("return_rate_90d", 0.5, 0.1, 0.2)
    write_bundle(world.shop_bundles / "other", "other", [HeadPlan("abuse", "return", stump)])
    for name in ("v2", "bad", "absent", "other", "v1"):
        await point_to(name)
    return versions


def test_a_promoted_bundle_is_taken_over_and_a_bad_one_is_not(own_world: World) -> None:
    import asyncio

    first, second, bad, absent, other, last = asyncio.run(_promote_and_look(own_world))
    assert second != first
    assert second == bad == absent == other
    assert last == first
