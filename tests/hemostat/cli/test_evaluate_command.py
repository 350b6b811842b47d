"""`hemostat evaluate` on a small simulated log: tables, JSON, the policy's costs, clear errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from features.log.writer import EventLogWriter
from hemostat.cli.evaluation_tables import show
from hemostat.cli.main import EXIT_USER_ERROR, main
from scoring.policy import DEFAULT_POLICY
from training.evaluation.resampling import Estimate
from training.simulation import SimulationConfig, simulate
from training.simulation.config import LabelSettings

Place = tuple[Path, Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder of bundles, and its log."""
    folder = tmp_path_factory.mktemp("evaluate")
    config = SimulationConfig(
        n_customers=300, days=420, seed=5, labels=LabelSettings(audit_share=0.8), abuser_scale=3.0
    )
    writer = EventLogWriter(folder / "log", formats=("parquet",), created_by="hemostat simulate")
    with writer:
        simulate(config, writer)
    assert main(["train", str(folder / "log"), "--out", str(folder / "bundles"), "--json"]) == 0
    return folder / "bundles", folder / "log"


def _evaluate(place: Place, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    capsys.readouterr()
    words = ["evaluate", str(place[0]), str(place[1]), "--json", "--resamples", "20", *more]
    assert main(words) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_holds_all_figures_with_bounds_and_slices(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    report = _evaluate(place, capsys)
    assert report["n_resamples"] == 20
    judged = [head for head in report["heads"] if head["figures"]]
    assert judged
    for head in judged:
        figures = head["figures"]
        for name in ("pr_auc", "roc_auc", "calibration_error", "slope", "top_ratio", "brier_skill"):
            assert set(figures[name]) == {"value", "low", "high"}
        assert [float(key) for key in figures["recall_at"]] == [0.001, 0.005, 0.01]
        assert figures["error_floor"] > 0.0
        assert head["drivers"][0]["strength"] > 0.0
    orders = next(head for head in judged if head["head"] == "return__order")
    assert "loyalty: below 10 orders" in orders["figures"]["slices"]
    assert orders["rings"] is None  # No truth lies beside this log.


def test_the_page_holds_the_figures_of_the_json(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each figure of the page carries its exact value: equal to the JSON, digit for digit."""
    page = tmp_path / "new" / "page.html"
    report = _evaluate(place, capsys, "--report", str(page))
    assert report["page"] == str(page)
    told: dict[str, Any] = {head["head"]: head["figures"] for head in report["heads"]}
    pattern = r'<data data-figure="([^"]+)"((?: [a-z-]+="[^"]*")*)>([^<]+)</data>'
    shown = re.findall(pattern, page.read_text(encoding="utf-8"))
    assert len(shown) >= 7 * sum(figures is not None for figures in told.values())
    for path, attributes, text in shown:
        head, name, *key = path.split(".", 2)
        figure = told[head][name]
        estimate = figure[key[0]] if key else figure
        exact = {k: float(v) for k, v in re.findall(r'([a-z-]+)="([^"]*)"', attributes)}
        expected = {"value": estimate["value"], "data-low": estimate["low"],
                    "data-high": estimate["high"]}  # fmt: skip
        assert exact == {k: v for k, v in expected.items() if v is not None}
        if text != "–":
            number = float(text.rstrip("%").replace(",", ""))
            factor = 100.0 if text.endswith("%") else 0.01 if name == "money" else 1.0
            assert number == pytest.approx(estimate["value"] * factor, rel=0.01, abs=0.5)


def test_money_follows_the_policys_costs(
    place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = DEFAULT_POLICY.read_text(encoding="utf-8")
    free = tmp_path / "free.yaml"
    free.write_text(
        text.replace("check_minor: 800", "check_minor: 0").replace(
            "insulted_minor: 4000", "insulted_minor: 0"
        ),
        encoding="utf-8",
    )
    usual, cheap = (_evaluate(place, capsys, *more) for more in ((), ("--policy", str(free))))
    assert (usual["costs"]["check_minor"], cheap["costs"]["check_minor"]) == (800.0, 0.0)
    for one, other in zip(usual["heads"], cheap["heads"], strict=True):
        if one["figures"] and one["figures"]["hint"] and one["figures"]["hint"]["recall"]:
            assert other["figures"]["money"]["value"] > one["figures"]["money"]["value"]
        if one["figures"]:
            assert one["figures"]["pr_auc"] == other["figures"]["pr_auc"]


def test_tables_show_what_is_asked_first(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # Narrow tables wrap their words.
    assert main(["evaluate", str(place[0]), str(place[1]), "--resamples", "20"]) == 0
    shown = capsys.readouterr().out
    for word in ("PR-AUC", "0.5%", "ECE", "slope", "return__order", "VERIFY"):
        assert word in shown


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--tenant", "nobody"], "--tenant"),
        (["--from", "1999-01-01"], "--from"),
        (["--lines", "absent.parquet"], "--lines"),
        (["--policy", "absent.yaml"], "policy"),
    ],
)
def test_a_wrong_option_is_named(
    place: Place, capsys: pytest.CaptureFixture[str], words: list[str], field: str
) -> None:
    code = main(["evaluate", str(place[0]), str(place[1]), *words, "--json"])
    assert code == EXIT_USER_ERROR
    assert field in json.loads(capsys.readouterr().err)["error"]["field"]


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (Estimate(0.4351, 0.4, 0.4821), "0.435 [0.400, 0.482]"),
        (Estimate(-0.0001, -0.2, 0.1), "0.000 [-0.200, 0.100]"),
        (Estimate(float("inf"), 3.0, float("inf")), "never [3.000, never]"),
        (Estimate(0.5, float("nan"), float("nan")), "0.500"),
        (Estimate(float("nan"), 0.0, 1.0), "-"),
        (None, "-"),
    ],
)
def test_figures_are_shown_for_people(estimate: Estimate | None, shown: str) -> None:
    assert show(estimate) == shown
