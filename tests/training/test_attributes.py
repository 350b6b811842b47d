"""A retailer's own fields teach a head, point in time, and stand in the bundle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.attributes import AttributeFault
from features.definitions import FEATURES, N_FEATURES
from features.errors import ConfigError
from features.log.writer import EventLogWriter
from features.model_bundle import read_bundle
from features.request_rows import Call
from training.attributes import find_declaration
from training.growing import HeadParameters
from training.pipeline import train_bundle
from training.sources import open_source
from training.training_options import TrainingOptions

DECLARATION = """
version: 1
attributes:
  - {name: deposit, of: order, type: category, min_count: 2, en: deposit, zh_cn: 定金}
  - {name: lead_time, of: order, type: number, unit: days}
  - {name: is_member, of: customer, type: flag}
"""
N_ORDERS = 900


@pytest.fixture
def booking_log(make: Any, tmp_path: Path) -> Path:
    """Orders that are cancelled if no deposit was paid, more often than not."""
    random = np.random.default_rng(5)
    events = []
    for n in range(N_ORDERS):
        day = n / 5.0
        kind = random.choice(["none", "full", "half"])
        told = f'{{"deposit":"{kind}","lead_time":{random.integers(0, 90)},"colour":"red"}}'
        member = '{"is_member":true}' if n % 3 else ""
        customer = f"c{n % 200}"
        events.append(
            make.order(day, f"o{n}", customer=customer, attributes=told, customer_attributes=member)
        )
        if kind == "none" and random.random() < 0.8:
            events.append(make.cancelled(day + 1, f"o{n}", customer=customer))
        else:
            events.append(make.delivered(day + 3, f"o{n}", customer=customer))
    last = make.order(
        N_ORDERS / 5.0 + 60, "last",
        attributes='{"deposit":"never seen before"}', customer_attributes="[no object]",
    )  # fmt: skip
    log = tmp_path / "log"
    with EventLogWriter(log, formats=("parquet",)) as writer:
        writer.append_structs(sorted([*events, last], key=lambda event: event.ingest_time))
    (log / "attributes.yaml").write_text(DECLARATION, "utf-8")
    return log


def test_attributes_become_columns_behind_the_features(booking_log: Path) -> None:
    declaration = find_declaration(booking_log, None)
    source = open_source(booking_log, lambda *_: None, attributes=declaration)
    rows = source.cases.cases[Call.ORDER].rows
    assert rows.shape[1] == N_FEATURES + 3
    assert [column.name for column in source.columns[N_FEATURES:]] == [
        "attr_deposit", "attr_lead_time", "attr_is_member",
    ]  # fmt: skip
    assert set(np.unique(rows[:-1, N_FEATURES])) == {2.0, 3.0, 4.0}
    assert rows[-1, N_FEATURES] == 1.0
    assert np.isnan(rows[-1, N_FEATURES + 1])
    assert source.encoded is not None
    assert source.encoded.faults == {("attr_deposit", AttributeFault.UNKNOWN_CATEGORY): 1}
    assert source.encoded.undeclared == {"colour": N_ORDERS}
    assert source.encoded.n_unreadable == 1


def test_codes_come_from_the_cases_before_the_cut_alone(
    booking_log: Path, tmp_path: Path, make: Any
) -> None:
    declaration = find_declaration(booking_log, None)
    cut_us = make.at(100)
    early = open_source(booking_log, lambda *_: None, attributes=declaration, cut_us=cut_us)
    source = open_source(booking_log, lambda *_: None, cut_us=cut_us)
    past = source.cases.cases[Call.ORDER].time_us < cut_us
    assert 0 < past.sum() < N_ORDERS
    assert early.encoded is not None
    counts: dict[str, int] = {}
    texts = source.cases.cases[Call.ORDER].select(past).attributes
    assert texts is not None
    for text in texts.to_pylist():
        name = text.split('"')[3]
        counts[name] = counts.get(name, 0) + 1
    expected = sorted(counts, key=lambda name: (-counts[name], name))
    assert list(early.encoded.plan.columns[0].categories) == expected


def test_a_field_that_decides_is_learned_and_stands_in_the_bundle(
    booking_log: Path, tmp_path: Path
) -> None:
    options = TrainingOptions(
        log=booking_log,
        out=tmp_path / "bundles",
        parameters=HeadParameters(max_trees=30, n_folds=2),
    )
    result = train_bundle(options, now=lambda: datetime.now(UTC))
    head = next(one for one in result.manifest.heads if one.name == "cancel__order")
    assert head.metrics is not None
    assert head.metrics.roc_auc.value > 0.85
    bundle = read_bundle(result.folder)
    assert bundle.manifest.schema[N_FEATURES:] == [
        "attr_deposit", "attr_lead_time", "attr_is_member",
    ]  # fmt: skip
    assert bundle.manifest.attributes is not None
    assert result.attributes is not None
    assert result.attributes.undeclared == {"colour": N_ORDERS}
    card = (result.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "| `attr_deposit` | order | 3 categories; others share one code |" in card
    assert "| `attr_lead_time` | order | number days |" in card
    card = (result.folder / "MODEL_CARD.zh-CN.md").read_text("utf-8")
    assert "| `attr_deposit` | order | 3 个类别，其余共用一个编码 |" in card
    assert N_FEATURES in bundle.trees["cancel__order"].feature
    assert [found.name for found in head.ranges][N_FEATURES] == "attr_deposit"


def test_without_a_declaration_nothing_changes(
    booking_log: Path, train: Callable[..., Any]
) -> None:
    (booking_log / "attributes.yaml").unlink()
    source = open_source(booking_log, lambda *_: None)
    assert source.columns == FEATURES
    assert source.cases.cases[Call.ORDER].rows.shape[1] == N_FEATURES


def test_a_declaration_that_cannot_be_read_is_told(booking_log: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_declaration(booking_log, tmp_path / "nowhere.yaml")
