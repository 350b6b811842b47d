"""The figures and names of docs/IMPORT_ONLINE_RETAIL.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.importers.online_retail.buckets import Bucket
from stream.importers.online_retail.line_table import LINE_TABLE_SCHEMA
from stream.importers.online_retail.linking import LinkingRules, link_rows
from stream.importers.online_retail.matching import Matching
from stream.importers.online_retail.parsing import parse_source
from stream.importers.online_retail.reading import read_source
from stream.importers.online_retail.report import count_matching


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "IMPORT_ONLINE_RETAIL.md").read_text(encoding="utf-8")


def _read_figures(page: str, names: list[str]) -> dict[str, list[int]]:
    """Return name to the figures (latest, fifo) of its table row."""
    rows = re.findall(r"^\| `?(\w+)`? \| ([\d,]+) \| ([\d,]+) \|", page, re.MULTILINE)
    figures = {name: [int(n.replace(",", "")) for n in (a, b)] for name, a, b in rows}
    assert set(figures) == {*names, "total"}
    return figures


@pytest.mark.realdata
def test_the_documented_counts_are_those_of_a_run(page: str, online_retail: Path) -> None:
    parsed = parse_source(read_source(online_retail, lambda _step, _done, _total: None))
    latest, fifo = (
        count_matching(link_rows(parsed.rows, LinkingRules(way)), 0, parsed.n_rows)
        for way in Matching
    )
    figures = _read_figures(page, [*latest.source_rows, *latest.events])
    for name in latest.source_rows:
        assert figures[name] == [latest.source_rows[name], fifo.source_rows[name]], name
    for name in latest.events:
        assert figures[name] == [latest.events[name], fifo.events[name]], name
    assert figures["total"] == [parsed.n_rows] * 2


def test_every_bucket_and_column_is_explained(page: str) -> None:
    for name in [*Bucket, *LINE_TABLE_SCHEMA.names]:
        assert f"`{name}`" in page, name
