"""`hemostat dlq` where there is nothing to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemostat.cli.main import main


@pytest.mark.parametrize("option", ["--store", "--state", "--dead-letters"])
def test_a_place_without_a_stream_is_told_from_one_without_letters(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dlq", "list", "--store", str(tmp_path / "nowhere")]
    if option != "--store":
        words += [option, str(tmp_path / "nobody")]
    assert main(words) == 2
    assert option in capsys.readouterr().err
    (tmp_path / "home").mkdir()
    assert main(["dlq", "list", "--store", str(tmp_path / "home")]) == 0
    assert "No dead letters" in capsys.readouterr().out
