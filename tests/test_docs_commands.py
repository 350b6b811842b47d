"""Every command that README and docs show exists, and those in console blocks run.

The convention for authors:

* ```` ```console ```` runs. Lines that start with `$ ` are commands (one ending in `\\` goes on
  below, and lines that start with `> ` belong to the command above); all else is output and not
  compared. The blocks of one document share one shell, started in a copy of the repository that
  nobody else sees, so `out/` and the like may be written; a server started with `&` is ended with
  the shell. A command that fails, fails the test.
* ```` ```console real-data ```` runs only where the real data sets are at hand;
  `../shared/data` leads to them.
* ```` ```console no-run ```` is only looked at, as are all `make`, `git` and `pip` commands: they
  would run the tests inside the tests, or need a network.

Wherever a document names a command in a console block or in backticks, `hemostat <command>`, its
subcommands and `--options` must exist, and so must `make <target>`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.command_lines import ROOT, find_faults, split_calls

_FOLDERS = ("docs", "deploy")
DOCUMENTS = [
    *ROOT.glob("README.md"),
    *(file for folder in _FOLDERS for file in sorted(ROOT.glob(f"{folder}/**/*.md"))),
]
NEVER_RUN = frozenset({"git", "make", "pip", "cd"})
TIMEOUT_S = 280


def _name(document: Path) -> str:
    return str(document.relative_to(ROOT))


BLOCK = re.compile(r"^```console(?P<marks>[^\n]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A console block: its marks (`no-run`, `real-data`) and its commands."""

    marks: frozenset[str]
    commands: tuple[str, ...]


def _read_blocks(text: str) -> list[Block]:
    """Return the console blocks of a document, in order."""
    blocks = []
    for match in BLOCK.finditer(text):
        commands: list[str] = []
        is_open = False  # The command goes on in the next line.
        for line in match["body"].splitlines():
            if line.startswith("$ "):
                commands.append(line[2:])
            elif commands and (is_open or line.startswith("> ")):
                commands[-1] += "\n" + line.removeprefix("> ")
            else:
                continue
            is_open = line.endswith("\\")
        blocks.append(Block(frozenset(match["marks"].split()), tuple(commands)))
    return blocks


def _find_calls(text: str) -> Iterator[list[str]]:
    """Yield every call that a document shows, in console blocks and in backticks."""
    for block in _read_blocks(text):
        for command in block.commands:
            yield from split_calls(command)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in SPAN.findall(prose):
        if re.match(r"(?:[A-Z_]+=\S+ )*(?:hemostat|make) [a-z]", span) and "<" not in span:
            yield from split_calls(span)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_documents_name_only_what_exists(document: Path) -> None:
    calls = _find_calls(document.read_text(encoding="utf-8"))
    assert [fault for call in calls for fault in find_faults(call)] == []


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_shown_commands_run(
    document: Path,
    tmp_path: Path,
    real_data_or_none: Path | None,
    skip_optional: Callable[[str, str], NoReturn],
) -> None:
    blocks = _read_blocks(document.read_text(encoding="utf-8"))
    marks = {"no-run"} if real_data_or_none else {"no-run", "real-data"}
    commands = [
        command
        for block in blocks
        if not block.marks & marks
        for command in block.commands
        if not {call[0] for call in split_calls(command)} & NEVER_RUN
    ]
    if real_data_or_none:
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "data").symlink_to(real_data_or_none)
    if commands:
        _run_in_copy(commands, tmp_path / "hemostat")
    if not real_data_or_none and any("real-data" in block.marks for block in blocks):
        skip_optional(f"the real data sets (for some commands of {document.name})", "HEMOSTAT_DATA")


def _run_in_copy(commands: list[str], copy: Path) -> None:
    """Run commands in one shell in a copy of the repository; fail with what it printed."""
    keep_out = shutil.ignore_patterns(".*", "out", "results", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, copy, ignore=keep_out)
    script = ["trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT", "set -e -o pipefail"]
    for command in commands:
        script += [f"printf '$ %s\\n' {shlex.quote(command)}", command]
    shell = subprocess.Popen(
        ["bash", "-c", "\n".join(script)],
        cwd=copy,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # So that a time-out ends the servers too.
    )
    try:
        printed, _ = shell.communicate(timeout=TIMEOUT_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, printed[-4000:]


def test_the_readme_shows_the_two_commands_of_a_fresh_clone() -> None:
    calls = list(_find_calls((ROOT / "README.md").read_text(encoding="utf-8")))
    assert ["make", "demo"] in calls
    assert ["make", "test"] in calls


# --- the convention itself -------------------------------------------------------------------

SAMPLE = """
Say `make tset` or `hemostat scoer --json`, `hemostat.v1` is a package.

```console
$ DATA=x make demo | tee out
some output
$ echo one \\
  two > file
$ cat <<END
> three
```

```console no-run real-data
$ hemostat serve &
```
"""


def test_blocks_hold_commands_and_not_output() -> None:
    first, second = _read_blocks(SAMPLE)
    assert first.commands == (
        "DATA=x make demo | tee out",
        "echo one \\\n  two > file",
        "cat <<END\nthree",
    )
    assert second == Block(frozenset({"no-run", "real-data"}), ("hemostat serve &",))


def test_calls_are_found_in_blocks_and_in_prose() -> None:
    calls = list(_find_calls(SAMPLE))
    assert ["make", "demo"] in calls
    assert ["echo", "one", "two"] in calls
    assert ["hemostat", "serve"] in calls
    assert ["hemostat", "scoer", "--json"] in calls
    assert not any(call[0].startswith("hemostat.v1") for call in calls)


@pytest.mark.parametrize(
    "call",
    [["make", "tset"], ["hemostat", "scoer"], ["hemostat", "import", "online-retail", "--no-such"]],
)
def test_what_does_not_exist_is_found(call: list[str]) -> None:
    assert list(find_faults(call))


def test_a_failing_command_fails_and_servers_end_with_the_shell(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="seen before the failure"):
        _run_in_copy(["echo seen before the failure", "sleep 100 &", "false"], tmp_path / "copy")
