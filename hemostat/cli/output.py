"""How every command speaks: tables for people, one JSON document for programs.

Results go to stdout and nothing else does; notes, progress and errors go to
stderr. A command builds a frozen dataclass or msgspec struct with its result,
and tables that show it; `Output.show` prints the one or the other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import msgspec
import typer

if TYPE_CHECKING:
    from rich.console import Console

    from features.errors import HemostatError

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON document on stdout.")
]
"""The type of the parameter `as_json` that every command takes."""

_PIPE_WIDTH = 120  # Columns when the output is no terminal: wide enough not to fold a table.


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading (unit last, as `budget [EUR]`) and alignment."""

    heading: str
    justify: Literal["left", "right", "center"] = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of ready text under headings.

    Attributes:
        title: What the table shows.
        columns: Headings, left to right.
        rows: Cells as they shall appear; each row as long as `columns`.
        caption: A line below, such as where the figures come from.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


class ErrorReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault that the user can mend, as shown on stderr."""

    message: str
    field: str = ""
    value: str = ""
    expectation: str = ""
    fix: str = ""

    @classmethod
    def from_error(cls, error: HemostatError) -> ErrorReport:
        """Return the report of an error of the project."""
        return cls(error.message, error.field, error.value, error.expectation, error.fix)

    def to_text(self) -> str:
        """Return the report for a terminal: the message, then one line per known part.

        >>> print(ErrorReport("the port is in use", field="--port", fix="choose another").to_text())
        error: the port is in use
          field:    --port
          fix:      choose another
        """
        parts = (
            ("field", self.field),
            ("value", self.value),
            ("expected", self.expectation),
            ("fix", self.fix),
        )
        lines = [f"  {name + ':':<9} {text}" for name, text in parts if text]
        return "\n".join([f"error: {self.message}", *lines])


class Output:
    """Prints the results and notes of one command.

    Args:
        as_json: The command's `--json`: results become JSON, notes are silent.
        stdout: Where results go. None: the process's own.
        stderr: Where notes and progress go. None: the process's own.
    """

    def __init__(
        self, as_json: bool, *, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self._stdout = sys.stdout if stdout is None else stdout
        self._stderr = sys.stderr if stderr is None else stderr

    def show(self, result: object, tables: Sequence[Table] = (), *, text: str = "") -> None:
        """Print `result` as JSON, or the tables and then the text that show it to a person.

        Args:
            result: The whole result: a dataclass, msgspec struct or protobuf message.
                NaN becomes null.
            tables: The same for a person.
            text: Closing words for a person, such as what to try next.
        """
        if self.as_json:
            self._stdout.write(encode_json(result).decode() + "\n")
            self._stdout.flush()
            return
        console = _make_console(self._stdout)
        for table in tables:
            console.print(_draw(table))
        if text:
            console.print(text, markup=False, highlight=False, soft_wrap=True)  # Paths stay whole.

    def note(self, text: str) -> None:
        """Tell the person at the terminal what is going on; silent with `--json`."""
        if not self.as_json:
            self._stderr.write(text + "\n")
            self._stderr.flush()

    def make_progress_console(self) -> Console:
        """Return the stderr console for a `rich.progress.Progress`; quiet with `--json`."""
        return _make_console(self._stderr, quiet=self.as_json)


def encode_json(result: object) -> bytes:
    """Return `result` as one JSON document without a line end.

    >>> encode_json(Column("budget", justify="right"))
    b'{"heading":"budget","justify":"right"}'
    """
    return msgspec.json.encode(result, enc_hook=_to_builtin)


def write_error(report: ErrorReport, *, as_json: bool, stderr: TextIO | None = None) -> None:
    """Write an error to stderr: text, or `{"error": {...}}` where JSON was asked for."""
    stream = sys.stderr if stderr is None else stderr
    text = encode_json({"error": report}).decode() if as_json else report.to_text()
    stream.write(text + "\n")


def _to_builtin(value: object) -> Any:
    """Return what msgspec can encode in place of a path, numpy value or protobuf message."""
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy here
        return value.tolist()
    if hasattr(value, "DESCRIPTOR"):
        from google.protobuf import json_format
        from google.protobuf.message import Message

        if isinstance(value, Message):
            return json_format.MessageToDict(value, preserving_proto_field_name=True)
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


def _make_console(stream: TextIO, *, quiet: bool = False) -> Console:
    from rich.console import Console

    # rich assumes 80 columns for a pipe and would cut tables; a person's COLUMNS still wins.
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(file=stream, width=width, quiet=quiet, soft_wrap=False)


def _draw(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        title=table.title or None,
        caption=table.caption or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
    )
    for column in table.columns:
        drawn.add_column(Text(column.heading), justify=column.justify)
    for row in table.rows:
        if len(row) != len(table.columns):
            raise ValueError(f"row of {len(row)} cells under {len(table.columns)} headings")
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn
