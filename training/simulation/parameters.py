"""The page of all parameters, read from the code: `make docs`.

What counts: fields of the configuration, tables and numbers of the modules, and every
draw with the probability or scale it is drawn with. A test compares the page with
what this writes, so the page cannot grow old and no number can hide.
"""

from __future__ import annotations

import ast
import datetime as dt
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

_FOLDER: Final = Path(__file__).parent
_NO_WORLD: Final = frozenset(
    {
        "__init__",
        "parameters",
        "rates",
        "diff",
        "closure",
        "sinks",
        "world_files",
    }
)
"""Modules that measure or write: nothing in them shapes the world's numbers."""

_DRAWS: Final = frozenset({"is_hit", "exponential", "lognormal", "normal", "uniform", "index"})
_UNITS: Final = {
    "us": "us", "s": "s", "hours": "hours", "days": "days", "day": "day", "minor": "minor units",
    "share": "share", "shares": "shares", "year": "1/year", "factor": "factor",
    "scale": "factor", "sigma": "log sd", "spread": "log or logit sd", "g": "g", "size": "count",
}  # fmt: skip
_CHOSEN: Final = "chosen"
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d\b")
_SOURCES: Final = {
    "HONEST_TYPES": "chosen; together they give the return rates in Rates",
    "ABUSIVE_TYPES": "shares set so that abuse among returns comes out at 9 to 15 % (Rates)",
    "RING_TYPE": "as `ABUSIVE_TYPES`",
    "CATEGORIES": "`change_of_mind` set so that returns come out near the reports in Rates; "
    "other columns chosen",
    "RING_BLOCK_SHARE": "as `ABUSIVE_TYPES`",
}
"""Where a number does not simply stand as a choice."""


_LEAD: Final = """\
Written by `make docs` from `training/simulation`; do not edit. {n_rows} rows.

*Chosen*: a belief of the authors, adjusted until the rates in [SIMULATION.md](SIMULATION.md) came
out. Rows that begin with the name of a distribution are draws: the probability, or median and
spread, as the code computes it. Rows of a table name what differs from its defaults."""


_NO_PARAMETER: Final = re.compile(r"_SUMS$|^US_PER_")
"""Names of what is derived from other numbers, or is a unit."""


class Parameter(NamedTuple):
    """One row of the page.

    Attributes:
        name: As in the code.
        value: As a reader writes it.
        unit: Empty: a pure number, or told by the value's own names.
        meaning: First sentence of its docstring; may be empty.
        source: Where it comes from.
    """

    name: str
    value: str
    unit: str
    meaning: str
    source: str


def collect_parameters() -> dict[str, list[Parameter]]:
    """Return all parameters by module, in the order of the code."""
    found = {}
    for file in sorted(_FOLDER.glob("*.py")):
        if file.stem in _NO_WORLD:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        module = import_module(f"training.simulation.{file.stem}")
        rows = [*_read_settings(module, tree), *_read_numbers(module, tree), *_read_draws(tree)]
        if rows:
            found[file.stem] = rows
    return found


def _read_settings(module: Any, tree: ast.Module) -> Iterator[Parameter]:
    """Yield the fields of the configuration's classes with their defaults."""
    for node in tree.body:
        kind = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
        if not isinstance(node, ast.ClassDef) or not isinstance(kind, type):
            continue
        if not issubclass(kind, BaseModel):
            continue
        meanings = _read_meanings(node.body)
        for name, field in kind.model_fields.items():
            value = field.default
            if isinstance(value, bool | int | float | dt.date):
                yield _make(f"{node.name}.{name}", value, meanings.get(name, ""))


def _read_numbers(module: Any, tree: ast.Module) -> Iterator[Parameter]:
    meanings = _read_meanings(tree.body)
    for node in tree.body:
        name = _read_name(node)
        if not name or not name.strip("_").isupper() or _NO_PARAMETER.search(name):
            continue
        value = getattr(module, name)
        if _holds_numbers(value):
            yield _make(name, value, meanings.get(name, ""))


def _read_draws(tree: ast.Module) -> Iterator[Parameter]:
    """Yield each named draw with what it is drawn with."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _DRAWS:
            continue
        arguments = [ast.unparse(one) for one in node.args[1:]]
        if any(character.isdigit() for word in arguments for character in word):
            name = f"{node.func.attr} {ast.unparse(node.args[0])}"
            yield Parameter(name, f"`{', '.join(arguments)}`", "", "", _CHOSEN)


def _read_name(node: ast.stmt) -> str:
    """Return the name that a statement defines; empty if it defines none, or several."""
    target: ast.expr | None = None
    if isinstance(node, ast.AnnAssign):
        target = node.target
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else ""


def _read_meanings(body: list[ast.stmt]) -> dict[str, str]:
    """Return the first sentence of the docstring below each name, all of it if it cites a work."""
    meanings: dict[str, str] = {}
    for before, node in pairwise(body):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        if name := _read_name(before):
            text = " ".join(str(node.value.value).split())
            first = text.split(". ")[0].rstrip(".")
            meanings[name] = text if _YEAR.search(text) else first
    return meanings


def _holds_numbers(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return True
    if isinstance(value, Mapping):
        return any(map(_holds_numbers, value.values()))
    if isinstance(value, tuple | list):
        return any(map(_holds_numbers, value))
    return is_dataclass(value) and not isinstance(value, type)


def _make(name: str, value: object, meaning: str) -> Parameter:
    word = name.rpartition(".")[2].lower()
    suffix = word.rpartition("_")[2] if "_" in word else word
    source = _SOURCES.get(name, "cited in its meaning" if _YEAR.search(meaning) else _CHOSEN)
    return Parameter(name, _show(value), _UNITS.get(suffix, ""), meaning, source)


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, int):
        return str(value) if isinstance(value, bool) or abs(value) < 10_000 else f"{value:,}"
    if isinstance(value, Mapping):
        return "; ".join(f"{_show(key)}: {_show(one)}" for key, one in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return _show_row(value)
    if isinstance(value, tuple | list):
        rows = [_show(one) for one in value]
        return "<br>".join(rows) if any(map(is_dataclass, value)) else ", ".join(rows)
    return str(value)


def _show_row(row: Any) -> str:
    """Return a row of a table: what differs from the defaults."""
    parts = []
    for field in fields(row):
        value = getattr(row, field.name)
        if field.default is MISSING or value != field.default:
            parts.append(_show(value) if field.name == "name" else f"{field.name} {_show(value)}")
    return ", ".join(parts)


def build_page() -> str:
    """Return the page."""
    found = collect_parameters()
    n_rows = sum(map(len, found.values()))
    lines = ["# Parameters of the simulated shop", "", _LEAD.format(n_rows=n_rows)]
    for module, rows in found.items():
        lines += ["", f"## `{module}`", "", "| parameter | value | unit | meaning | source |",
                  "|---|---|---|---|---|"]  # fmt: skip
        lines += [
            "| " + " | ".join(_escape(cell) for cell in (f"`{row.name}`", *row[1:])) + " |"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ").strip() or " "


if __name__ == "__main__":
    sys.stdout.write(build_page())
