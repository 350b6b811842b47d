"""The command line as a shell sees it: exit codes, streams, help."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer

from features.errors import StoreLockedError
from hemostat.cli import main as cli
from hemostat.cli.output import JsonOption


def _make_commands() -> ModuleType:
    """Return a command module with one command per way to end."""
    app = typer.Typer()

    @app.command("lock")
    def lock(as_json: JsonOption = False) -> None:
        """Meet a fault that the user can mend."""
        raise StoreLockedError(
            "another process writes to this store",
            field="--store",
            value="out/store",
            expectation="one writer",
            fix="stop process 42",
        )

    @app.command("crash")
    def crash() -> None:
        """Meet a programmer's error."""
        raise KeyError("lost")

    @app.command("write")
    def write(path: str) -> None:
        """Meet a place that cannot be written."""
        Path(path).write_text("x")

    @app.command("pipe")
    def pipe() -> None:
        """Meet a reader that has gone."""
        raise BrokenPipeError

    @app.command("interrupt")
    def interrupt() -> None:
        """Meet Ctrl-C."""
        raise KeyboardInterrupt

    @app.command("count")
    def count(n: int) -> None:
        """Print a number [in square brackets]."""
        typer.echo(f"[{n}]")

    module = ModuleType("made_for_this_test")
    module.__dict__["app"] = app
    return module


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch) -> None:
    module = _make_commands()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = ("lock", "crash", "write", "pipe", "interrupt", "count")
    monkeypatch.setattr(cli, "COMMANDS", dict.fromkeys(names, module.__name__))


def test_success_exits_0_and_prints_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", "3"]) == 0
    assert capsys.readouterr() == ("[3]\n", "")


def test_a_mendable_fault_exits_2_with_every_part_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["lock"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: another process writes to this store",
        "  field:    --store",
        "  value:    out/store",
        "  expected: one writer",
        "  fix:      stop process 42",
    ]


def test_a_mendable_fault_is_one_json_object_when_json_was_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["lock", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "error": {
            "message": "another process writes to this store",
            "field": "--store",
            "value": "out/store",
            "expectation": "one writer",
            "fix": "stop process 42",
        }
    }


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["count", "three"], "'n'"),
        (["count"], "'n'"),
        (["count", "3", "--colour"], "--colour"),
        (["cuont"], "'count'"),
    ],
)
def test_a_wrong_command_line_exits_2_and_names_what_is_wrong(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert named in err
    assert "--help" in err


def test_a_programmers_error_is_not_caught() -> None:
    with pytest.raises(KeyError, match="lost"):
        cli.main(["crash"])


def test_a_place_that_cannot_be_written_is_a_mendable_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nowhere" / "file"
    assert cli.main(["write", str(path)]) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "No such file or directory" in said
    assert "fix:" in said


def test_a_reader_that_has_gone_ends_the_command_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    saved = os.dup(1)
    try:
        assert cli.main(["pipe"]) == 141
    finally:
        os.dup2(saved, 1)
        os.close(saved)
    assert capfd.readouterr().err == ""


def test_an_interrupt_exits_130() -> None:
    assert cli.main(["interrupt"]) == 130


def test_no_arguments_show_the_help_with_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in cli.COMMANDS)


def test_a_command_loads_no_other_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "absent", "hemostat.cli.no_such_module")
    assert cli.main(["count", "3"]) == 0


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hemostat 0.")
