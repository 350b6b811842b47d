"""Tables for people, one JSON document for programs."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hemostat.cli.output import Column, Output, Table, encode_json
from hemostat.v1 import common_pb2

TABLE = Table(
    "Cases",
    (Column("case"), Column("p(abuse)", "right")),
    (("return [late] 退货", "0.81"), ("order", "0.02")),
    caption="simulated events",
)


@dataclass(frozen=True)
class _Cases:
    n_cases: int
    path: Path


def _make_output(*, as_json: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return Output(as_json, stdout=stdout, stderr=stderr), stdout, stderr


def test_a_person_sees_the_tables_and_not_the_json() -> None:
    output, stdout, _ = _make_output(as_json=False)
    output.show(_Cases(2, Path("out")), [TABLE], text="next: hemostat serve")
    shown = stdout.getvalue()
    assert "return [late] 退货" in shown
    assert "simulated events" in shown
    assert shown.endswith("next: hemostat serve\n")
    assert "n_cases" not in shown


def test_a_program_reads_one_json_document_and_no_notes() -> None:
    output, stdout, stderr = _make_output(as_json=True)
    output.note("reading")
    output.make_progress_console().print("half")
    output.show(_Cases(2, Path("out")), [TABLE], text="next: hemostat serve")
    assert json.loads(stdout.getvalue()) == {"n_cases": 2, "path": "out"}
    assert stderr.getvalue() == ""


def test_notes_go_to_stderr() -> None:
    output, stdout, stderr = _make_output(as_json=False)
    output.note("reading")
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "reading\n")


def test_a_wide_table_is_not_cut_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    cells = tuple("x" * 25 for _ in range(4))
    output, stdout, _ = _make_output(as_json=False)
    output.show(None, [Table("", tuple(Column("h") for _ in cells), (cells,))])
    assert list(cells) in [line.split() for line in stdout.getvalue().splitlines()]


def test_a_row_that_does_not_fit_the_headings_is_a_programmers_error() -> None:
    output, _, _ = _make_output(as_json=False)
    with pytest.raises(ValueError, match="row of 1 cells under 2 headings"):
        output.show(None, [Table("t", (Column("a"), Column("b")), (("only",),))])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.array([1, 2]), [1, 2]),
        (float("nan"), None),
        (np.float64("nan"), None),
        (np.float32("nan"), None),
        (common_pb2.Reason(text="太小"), {"text": "太小"}),
    ],
)
def test_json_takes_what_results_hold(value: object, expected: object) -> None:
    assert msgspec.json.decode(encode_json({"value": value})) == {"value": expected}


def test_json_refuses_what_has_no_form() -> None:
    with pytest.raises(NotImplementedError, match="no JSON form for object"):
        encode_json({"value": object()})
