"""The page holds the figures it was given, escapes what it is told, and loads nothing."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import msgspec
import pytest

from training.bundle_evaluation import BundleEvaluation, EvaluationOptions, evaluate_bundle
from training.evaluation.resampling import Resampling
from training.evaluation.ring_detection import RingDetection
from training.model_card import CARD_FILES, SkippedHead, build_card
from training.pipeline import TrainingResult
from training.report.card_blocks import Grid, Heading, to_html
from training.report.page import build_page
from training.report.writing import REPORT_FILE, make_content, write_evaluation_page


@pytest.fixture(scope="module")
def judged(trained: TrainingResult, simulated_log: Path) -> BundleEvaluation:
    options = EvaluationOptions(trained.folder, simulated_log, resampling=Resampling(20))
    return evaluate_bundle(options)


def test_the_bundles_page_loads_nothing_and_has_no_script(trained: TrainingResult) -> None:
    page = (trained.folder / REPORT_FILE).read_text(encoding="utf-8")
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)
    assert re.findall(r'<link[^>]*href="([^"]*)"', page) == ["data:,"]
    assert not re.search(r"\bnan\b|NaN|\binf\b|Infinity|None\b", page)
    for head in trained.manifest.heads:
        assert f'<section id="{head.name}">' in page
    assert trained.manifest.version not in page


def test_equal_evaluations_give_equal_pages(judged: BundleEvaluation, tmp_path: Path) -> None:
    for name in ("one.html", "two/three.html"):
        write_evaluation_page(judged, tmp_path / name)
    one, other = (tmp_path / name for name in ("one.html", "two/three.html"))
    assert one.read_bytes() == other.read_bytes()
    assert judged.bundle.manifest.version[:12] in one.read_text(encoding="utf-8")


def test_what_was_not_judged_is_named_and_escaped(judged: BundleEvaluation) -> None:
    first = dataclasses.replace(judged.heads[0], figures=None, curves=None)
    odd = dataclasses.replace(
        judged,
        tenant="<script>x</script>",
        heads=(first, *judged.heads[1:]),
        skipped=(SkippedHead("abuse__moon", "no <moon>"),),
    )
    page = build_page(make_content(odd))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "no &lt;moon&gt;" in page
    assert "any figure would mean" not in page
    assert "Too few cases of one outcome" in page


def test_rings_are_told_where_the_truth_knows_any(judged: BundleEvaluation) -> None:
    found = RingDetection(0, 5, True, 12.5, 2, 9_000.0)
    lost = RingDetection(1, 5, False, float("inf"), 5, 9_000.0)
    for rings, days in (((found,), "12.5 days"), ((lost, lost, found), "no end")):
        head = dataclasses.replace(judged.heads[-1], rings=rings)
        page = build_page(make_content(dataclasses.replace(judged, heads=(head,))))
        assert f"{len(rings)}, of which the threshold" in page
        assert days in page


def test_a_head_without_horizon_is_told_as_one_of_bookings(trained: TrainingResult) -> None:
    heads = [head for head in trained.manifest.heads if head.name == "cancel__order"]
    booked = [msgspec.structs.replace(head, horizon_days=0) for head in heads]
    manifest = msgspec.structs.replace(trained.manifest, heads=booked)
    card = to_html(build_card(manifest, [], "zh-CN"))
    assert "约定时间" in card
    assert "0 天" not in card


def test_the_card_tells_the_same_in_both_languages(trained: TrainingResult) -> None:
    english, chinese = (build_card(trained.manifest, [], one) for one in CARD_FILES)
    assert [type(block) for block in english] == [type(block) for block in chinese]
    grids = [next(b for b in card if isinstance(b, Grid)) for card in (english, chinese)]
    assert list(grids[0].rows) == list(grids[1].rows)
    assert grids[0].headings != grids[1].headings
    names = {b.text for b in chinese if isinstance(b, Heading)}
    assert {f"`{head.name}`" for head in trained.manifest.heads} <= names
    for language, file in CARD_FILES.items():
        text = (trained.folder / file).read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert "模拟数据" in text or language == "en"
    assert "<table>" in to_html(english)
