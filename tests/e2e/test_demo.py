"""`hemostat demo` goes the whole way and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def _run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hemostat.cli.main", "demo", "--json", *words]
    environment = {**os.environ, "TMPDIR": str(folder)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.mark.slow
def test_simulated_cases_are_scored_and_nothing_stays(tmp_path: Path) -> None:
    done = _run([], tmp_path)
    assert done.returncode == 0, done.stderr[-2_000:]
    result = json.loads(done.stdout)
    calls = {case["call"] for case in result["cases"]}
    assert calls == {"order", "cancellation", "return"}
    for case in result["cases"]:
        assert case["hint"] in {"APPROVE", "VERIFY"}
        assert all(0 <= p <= 1 for p in case["probabilities"].values())
        assert case["reasons"]
        assert case["budget_minor"] == 0 or case["hint"] == "APPROVE"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.realdata
def test_real_orders_get_shadow_hints_and_no_p_cancel(tmp_path: Path, online_retail: Path) -> None:
    done = _run(["--data", str(online_retail)], tmp_path)
    assert done.returncode == 0, done.stderr[-2_000:]
    cases = json.loads(done.stdout)["cases"]
    assert {case["call"] for case in cases} == {"order", "return"}
    for case in cases:
        own = {"return_or_cancel_30d"} if case["call"] == "order" else set()
        assert set(case["probabilities"]) == {"abuse", *own}
        assert case["hint"] == "APPROVE"
        assert case["shadow_hint"] in {"APPROVE", "VERIFY"}
        assert case["abuse_source"] == "SIMULATED"
        assert case["margin_source"] == "POLICY_DEFAULT"


def test_a_full_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    done = _run(["--out", str(tmp_path)], tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["field"] == "--out"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
