"""What command lines name, held against the command line itself and the Makefile."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.core
import typer.main

from hemostat.cli.main import COMMANDS, build_app

ROOT = Path(__file__).resolve().parent.parent
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*", re.DOTALL)


def split_calls(command: str) -> list[list[str]]:
    """Return the words of each call in a shell line; operators and assignments separate or go."""
    joined = command.replace("\\\n", " ").partition("<<")[0]  # A here-document is no call.
    lexer = shlex.shlex(joined, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    calls: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&;<>()"):
            calls.append([])
        elif calls[-1] or not _ASSIGNMENT.fullmatch(word):
            calls[-1].append(word)
    return [call for call in calls if call]


def find_faults(call: list[str]) -> Iterator[str]:
    """Yield what a call of `hemostat` or `make` names that does not exist."""
    if call[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        for word in call[1:]:
            if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets:
                yield f"make {word}: no such target"
    elif call[0] == "hemostat" and len(call) > 1:
        yield from _find_command_faults(call[1:])


def _find_command_faults(words: list[str]) -> Iterator[str]:
    if words[0].startswith("-"):
        return
    if words[0] not in COMMANDS:
        yield f"hemostat {words[0]}: no such command"
        return
    root: Any = typer.main.get_command(build_app(words))
    command, rest = root.commands[words[0]], words[1:]
    while isinstance(command, typer.core.TyperGroup) and rest and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    is_group = isinstance(command, typer.core.TyperGroup)
    if (
        is_group and "run" in command.commands
    ):  # `hemostat stream LOG` is `hemostat stream run LOG`.
        command = command.commands["run"]
    elif is_group and rest and re.fullmatch(r"[a-z-]+", rest[0]):
        yield f"hemostat {words[0]} {rest[0]}: no such subcommand"
    known = {"--help"}.union(*(each.opts + each.secondary_opts for each in command.params))
    for word in rest:
        option = word.partition("=")[0]
        if option.startswith("--") and len(option) > 2 and option not in known:
            yield f"hemostat {words[0]}: no option {option}"
