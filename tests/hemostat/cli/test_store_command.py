"""`hemostat store`: what a person or a program gets to see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.entities import Layout
from features.records.packing import pack_records
from features.store.key_codes import join_keys
from features.store.opening import open_store
from features.store.port import RecordCommit, ShardProgress
from features.store.schema import LAYOUT_DTYPES
from hemostat.cli.main import main


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one record."""
    record = np.zeros(1, LAYOUT_DTYPES[Layout.HISTORY])
    with open_store(tmp_path / "store", "write") as opened:
        packed = pack_records(Layout.HISTORY, record)
        progress = ShardProgress(applied_ingest_us=1_700_000_000_000_000)
        opened.commit_records([RecordCommit(0, 0, join_keys([bytes(16)]), packed, progress)])
    return tmp_path / "store"


def _run(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_store_is_backed_up_restored_and_verified(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup, restored = str(tmp_path / "backup"), str(tmp_path / "restored")
    taken = _run(["store", "backup", "--store", str(store), "--to", backup], capsys)
    assert (taken["records"], taken["recovery_point_us"]) == (1, 1_700_000_000_000_000)
    back = _run(["store", "restore", backup, "--store", restored], capsys)
    assert back["records"] == 1
    found = _run(["store", "verify", "--store", restored, "--against", str(store)], capsys)
    assert (found["records"], found["faults"], found["compared"]) == (1, 0, True)
    status = _run(["store", "status", "--store", restored], capsys)
    assert (status["generation"], status["generations"]) == (1, [1])
    assert status["applied_ingest_us"] == 1_700_000_000_000_000
    assert status["behind_s"] > 0


def test_tables_name_the_recovery_point(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "status", "--store", str(store)]) == 0
    assert "2023-11-14 22:13:20 UTC" in capsys.readouterr().out
    assert main(["store", "verify", "--store", str(store)]) == 0
    assert "history" in capsys.readouterr().out


def test_a_damaged_store_fails_the_verification_with_the_way_out(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_store(store, "write") as opened:
        packed = pack_records(Layout.TALLY, np.zeros(1, LAYOUT_DTYPES[Layout.TALLY]))
        broken = type(packed)(np.append(packed.buffer, np.uint8(7)), packed.ends + 1)
        opened.commit_records(
            [RecordCommit(1, 0, join_keys([b"\x01" + bytes(15)]), broken, ShardProgress())]
        )
    assert main(["store", "verify", "--store", str(store), "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["faults"] == 1
    assert "hemostat store rebuild" in json.loads(captured.err)["error"]["fix"]


def test_what_is_no_store_is_told_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["store", "status", "--store", str(tmp_path / "absent")]) == 2
    assert "there is no online store here" in capsys.readouterr().err
    assert main(["store", "restore", str(tmp_path), "--store", str(tmp_path / "new")]) == 2
    assert "this is no backup" in capsys.readouterr().err


def test_a_restored_backup_takes_the_place_of_the_store_that_was_there(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup, words = str(tmp_path / "backup"), ["store", "status", "--store", str(store)]
    _run(["store", "backup", "--store", str(store), "--to", backup], capsys)
    assert main(["store", "restore", backup, "--store", str(store)]) == 2
    capsys.readouterr()
    _run(["store", "restore", backup, "--store", str(store), "--replace"], capsys)
    assert _run(words, capsys)["generations"] == [2]
    _run(["store", "restore", backup, "--store", str(store), "--replace", "--keep"], capsys)
    assert _run(words, capsys)["generations"] == [2, 3]
