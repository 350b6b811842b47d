"""The page of all features is what the table of definitions says."""

from __future__ import annotations

from pathlib import Path

from features.definitions import FEATURES
from hemostat.cli.feature_page import render_page


def test_the_page_in_docs_is_the_table_of_today(repository: Path) -> None:
    page = (repository / "docs" / "FEATURES.md").read_text(encoding="utf-8")
    assert page.splitlines() == list(render_page()), "run `make docs` and commit the page"


def test_every_feature_has_one_row_in_both_languages() -> None:
    rows = [line for line in render_page() if line.startswith("| `")]
    names = [row.split("`")[1] for row in rows]
    assert names == [feature.name for feature in FEATURES]
    for feature, row in zip(FEATURES, rows, strict=True):
        assert feature.description.replace("|", "\\|") in row
        assert feature.description_zh.replace("|", "\\|") in row
