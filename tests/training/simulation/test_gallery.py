"""The gallery is one page that needs nothing else, in both languages; rates are counted right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from features.log.writer import EventLogWriter
from hemostat.v1.common_pb2 import ReasonCode
from training.simulation import SimulationConfig, simulate
from training.simulation.gallery import write_gallery
from training.simulation.gallery.page import SECTIONS
from training.simulation.gallery.words import LANGUAGES, translate
from training.simulation.patterns import Driver, Gesture, Pattern
from training.simulation.rates import PUBLISHED, compare_rates, compute_rates
from training.simulation.truth import TRUTH_FILE, TruthWriter


class _Told:
    """A sink that keeps the events and writes them, too."""

    def __init__(self, writer: EventLogWriter) -> None:
        self._writer = writer
        self.events: dict[str, Any] = {}

    def append_structs(self, events: list[Any]) -> None:
        self.events |= {event.event_id: event for event in events}
        self._writer.append_structs(events)

    def of_kind(self, kind: str) -> list[Any]:
        return [event for event in self.events.values() if getattr(event, kind) is not None]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, _Told]:
    path = tmp_path_factory.mktemp("gallery") / "log"
    config = SimulationConfig(seed=4, n_customers=500, days=150)
    with (
        EventLogWriter(path, formats=("parquet",)) as writer,
        TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth,
    ):
        told = _Told(writer)
        simulate(config, told, truth)
    return path, told


@pytest.fixture(scope="module")
def page(world: tuple[Path, _Told]) -> str:
    file = world[0].parent / "gallery.html"
    write_gallery(world[0], file)
    return file.read_text(encoding="utf-8")


def test_the_page_loads_nothing(page: str) -> None:
    assert not re.search(r"<(script|link|iframe|img)\b|@import|url\(\s*['\"]?https?:", page)
    outside = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert outside == set()


def test_every_plot_stands_in_both_languages(page: str) -> None:
    assert page.count("<svg") == page.count("</svg>") == len(SECTIONS) * len(LANGUAGES)
    for section in SECTIONS:
        for language in LANGUAGES:
            assert section.headings[language] in page
    assert "穿后退货" in page
    assert "wardrobing" in page


def test_every_name_that_is_drawn_has_a_chinese_word() -> None:
    names = [one.value for names in (Pattern, Driver, Gesture) for one in names]
    names += [
        code.lower().removeprefix("reason_code_") for code in ReasonCode.DESCRIPTOR.values_by_name
    ]
    assert [name for name in names if translate(name, "zh-CN") == name] == []


def test_rates_are_those_of_the_events(world: tuple[Path, _Told]) -> None:
    path, told = world
    rates = compute_rates(path)
    orders = {event.order_placed.order_id for event in told.of_kind("order_placed")}
    returns = told.of_kind("return_requested")
    came_back = {event.return_requested.order_id for event in returns} & orders
    assert rates["orders with a return"] == pytest.approx(len(came_back) / len(orders))
    unlinked = sum(not event.return_requested.order_id for event in returns)
    assert rates["returns without an order"] == pytest.approx(unlinked / len(returns))
    by_customer = [
        event for event in told.of_kind("order_cancelled")
        if event.order_cancelled.initiator == "CANCEL_INITIATOR_CUSTOMER"
    ]  # fmt: skip
    expected = len(by_customer) / len(orders)
    assert rates["orders cancelled by the customer"] == pytest.approx(expected)
    value = sum(
        sum(line.unit_price_minor * line.quantity for line in
            event.order_placed.lines) - event.order_placed.discount_minor
        for event in told.of_kind("order_placed")
    )  # fmt: skip
    back = sum(
        event.return_requested.unit_price_minor * event.return_requested.quantity
        for event in returns
    )
    assert rates["returned value over sales"] == pytest.approx(back / value)
    assert 2.0 < rates["days from delivery to return, median"] < 15.0


def test_every_published_rate_stands_beside_a_simulated_one(world: tuple[Path, _Told]) -> None:
    rows = compare_rates([compute_rates(world[0])])
    beside = [published for row in rows for published in row.published]
    assert sorted(map(repr, beside)) == sorted(map(repr, PUBLISHED))
