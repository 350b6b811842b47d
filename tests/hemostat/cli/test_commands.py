"""Rules that every command of the table keeps."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.core
import typer.main

from hemostat.cli.main import COMMANDS, build_app

# Loaded only by the command that needs them: they cost a tenth of a second and more each.
HEAVY = {"bytewax", "duckdb", "grpc", "matplotlib", "numba", "onnx", "onnxruntime", "pyarrow"}


def _find_leaves(command: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    """Yield every command without subcommands: its path and its options."""
    if isinstance(command, typer.core.TyperGroup):
        for name, inner in command.commands.items():
            yield from _find_leaves(inner, f"{path} {name}")
    else:
        yield path, {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json_and_says_what_it_does(name: str) -> None:
    root: Any = typer.main.get_command(build_app([name]))
    command = root.commands[name]
    assert command.help
    for path, options in _find_leaves(command, name):
        assert "--json" in options, path


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from hemostat.cli.main import main; main(['--help']);"
        f"sys.exit(', '.join({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""  # `sys.exit("")` prints a line end.
