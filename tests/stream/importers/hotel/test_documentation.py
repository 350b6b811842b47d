"""The figures and names of docs/IMPORT_HOTEL.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.importers.hotel.attributes import ATTRIBUTES, LATE_ATTRIBUTES
from stream.importers.hotel.buckets import Bucket
from stream.importers.hotel.parsing import parse_source
from stream.importers.hotel.reading import read_source
from stream.importers.hotel.report import SourceCounters, count_buckets, count_source


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "IMPORT_HOTEL.md").read_text(encoding="utf-8")


@pytest.mark.realdata
def test_the_documented_counts_are_those_of_a_run(page: str, real_data: Path) -> None:
    file = real_data / "hotel" / "hotel_bookings.csv.gz"
    parsed = parse_source(read_source(file, lambda _step, _done, _total: None))
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", page, re.MULTILINE)
    figures = {name: int(n.replace(",", "")) for name, n in rows}
    counters = count_source(parsed)
    expected = count_buckets(parsed) | {
        name: getattr(counters, name) for name in SourceCounters.__struct_fields__
    }
    assert figures == expected


def test_every_bucket_and_attribute_is_explained(page: str) -> None:
    names = [attribute.name for attribute in (*ATTRIBUTES, *LATE_ATTRIBUTES)]
    for name in [*Bucket, *SourceCounters.__struct_fields__, *names]:
        assert f"`{name}`" in page, name
