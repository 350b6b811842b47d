"""`hemostat features` shows a customer as of a time: from the log the past, from the store now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from features.definitions import FEATURES
from features.log.reader import EventLog
from hemostat.cli.main import main

_TENANT = ["--tenant", "shop"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("features") / "log"
    words = ["--customers", "40", "--days", "200", "--tenant", "shop", "--format", "parquet"]
    assert main(["simulate", str(path), *words]) == 0
    return path


@pytest.fixture(scope="module")
def store(log: Path) -> Path:
    path = log.parent / "store"
    assert main(["stream", str(log), "--store", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def customer(log: Path) -> str:
    """Return the customer with the most orders."""
    table = EventLog(log).read_table(["order_placed"])
    orders: list[str] = table.column("customer_id").to_pylist()
    return max(set(orders) - {""}, key=orders.count)


def _ask(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["features", *words, *_TENANT, "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


def _value(shown: dict[str, Any], name: str) -> float | None:
    found: float | None = next(f["value"] for f in shown["features"] if f["name"] == name)
    return found


def test_a_past_time_knows_only_what_was_known_then(
    log: Path, customer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = EventLog(log).read_table(["order_placed"])
    ingested = sorted(
        time
        for time, who in zip(
            table.column("ingest_time").to_pylist(),
            table.column("customer_id").to_pylist(),
            strict=True,
        )
        if who == customer
    )
    for n in (1, len(ingested) // 2, len(ingested)):
        shown = _ask(capsys, customer, "--log", str(log), "--at", ingested[n - 1].isoformat())
        assert shown["source"] == "log"
        assert _value(shown, "order_count_lifetime") == n


def test_the_live_record_says_the_same_as_the_log_about_now(
    log: Path, store: Path, customer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    live = _ask(capsys, customer, "--store", str(store))
    refolded = _ask(capsys, customer, "--log", str(log), "--at", live["at"])
    assert live["source"] == "store"
    assert live["shard_lag_s"] > 0
    assert refolded["shard_lag_s"] is None
    assert [f["name"] for f in live["features"]] == [f["name"] for f in refolded["features"]]
    for one, other in zip(live["features"], refolded["features"], strict=True):
        if one["value"] is None or other["value"] is None:
            assert one["value"] == other["value"], one["name"]
        else:
            assert one["value"] == pytest.approx(other["value"], rel=1e-6), one["name"]
    assert live["rfm_score"] == refolded["rfm_score"]


def test_every_feature_that_needs_no_case_is_shown_with_unit_and_meaning(
    log: Path, customer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    english = _ask(capsys, customer, "--log", str(log))["features"]
    chinese = _ask(capsys, customer, "--log", str(log), "--lang", "zh")["features"]
    assert [f["name"] for f in english] == [
        f.name
        for f in FEATURES
        if f.entity in ("customer", "activity") and not f.name.startswith("request_")
    ]
    assert all(f["unit"] and f["description"] for f in english)
    assert all(not f["description"].isascii() for f in chinese)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["nobody", "--log", "LOG"], "CUSTOMER"),
        (["nobody", "--store", "STORE"], "CUSTOMER"),
        (["c", "--log", "LOG", "--at", "yesterday"], "--at"),
        (["c", "--log", "LOG", "--at", "2024-05-01T00:00:00"], "--at"),
        (["c", "--store", "STORE", "--at", "2024-05-01T00:00:00Z"], "--log"),
        (["c"], "--store, --log"),
        (["c", "--log", "STORE"], "store"),
        (["c", "--store", "LOG"], "store"),
    ],
)
def test_what_cannot_be_answered_is_named(
    log: Path,
    store: Path,
    words: list[str],
    field: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"LOG": str(log), "STORE": str(store)}
    capsys.readouterr()
    assert main(["features", *(places.get(w, w) for w in words), *_TENANT, "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    error = json.loads(shown.err)["error"]
    assert field in error["field"]
    assert error["expectation"]
    assert error["fix"]


def test_another_tenants_customer_is_not_shown(
    log: Path, store: Path, customer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for source in (["--log", str(log)], ["--store", str(store)]):
        assert main(["features", customer, "--tenant", "other", *source]) == 2
        assert "order_count" not in capsys.readouterr().out
