"""`hemostat score`: ask a running server about cases in a JSON file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import HemostatError, InvalidRequestError
from hemostat.cli.output import JsonOption, Output
from hemostat.cli.score_tables import Language, draw_scores

if TYPE_CHECKING:
    from hemostat.client import CallError
    from hemostat.v1 import scoring_pb2

app = typer.Typer(name=None)

_MAX_BATCH = 1024
# The server's one-line form of an error; see `features.errors.HemostatError`.
_ERROR_PARTS = re.compile(
    r"(?P<message>.*?)(?:; field: (?P<field>.*?))?(?:; value: (?P<value>.*?))?"
    r"(?:; expected: (?P<expectation>.*?))?(?:; fix: (?P<fix>.*))?",
    re.DOTALL,
)


@app.command("score")
def score_cases(
    cases: Annotated[
        str,
        typer.Argument(
            help="JSON file: one score request, a list of them, or one a line; - for stdin."
        ),
    ],
    address: Annotated[str, typer.Option(help="The server.")] = "127.0.0.1:50051",
    language: Annotated[
        Language, typer.Option("--lang", help="Language of the tables, checks and reasons.")
    ] = Language.EN,
    timeout: Annotated[float, typer.Option(help="Seconds for the whole call.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Score cases with a running server and show probabilities, hints, reasons and budgets.

    A case is a `hemostat.v1.ScoreRequest` in the proto3 JSON mapping with proto field
    names. For example:

    {"tenant": "demo", "customer_id": "c1", "channel": "CHANNEL_STORE",
    "return_request": {"quantity": 1, "unit_price_minor": 12900, "has_receipt": true}}
    """
    from hemostat.client import CallError, Client

    output = Output(as_json)
    requests = [_parse_request(case, place) for place, case in _read_cases(cases)]
    with Client(address, timeout_s=timeout) as client:
        try:
            results = _score(client.score, client.score_batch, requests)
        except CallError as error:
            raise _to_user_error(error, address) from error
    output.show(_to_document(results), draw_scores(requests, results, language))


def _read_cases(path: str) -> list[tuple[str, Any]]:
    """Return each case's JSON with its place in the file, for messages."""
    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "the file with cases cannot be read",
            field="CASES",
            value=name,
            expectation=getattr(error, "strerror", None) or "UTF-8 text",
            fix="correct the path, or use - for standard input",
        ) from error
    text = text.removeprefix("\ufeff")  # The mark that some editors put before UTF-8.
    try:
        document = _load_json(text)
    except json.JSONDecodeError as error:
        found = _read_lines(text, name, error)
    else:
        items = document if isinstance(document, list) else [document]
        found = [(f"{name}, case {number}", case) for number, case in enumerate(items, 1)]
    if not 1 <= len(found) <= _MAX_BATCH:
        raise InvalidRequestError(
            "there are no cases" if not found else "there are too many cases",
            field="CASES",
            value=f"{len(found)} in {name}",
            expectation=f"1 to {_MAX_BATCH}",
            fix="put a score request into the file" if not found else "split the file",
        )
    return found


def _load_json(text: str) -> Any:
    """Return a JSON document.

    Raises:
        json.JSONDecodeError: It is none, or one that no score request can be.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except ValueError as error:  # A number of thousands of digits.
        raise json.JSONDecodeError(str(error), text, 0) from error


def _read_lines(text: str, name: str, whole: json.JSONDecodeError) -> list[tuple[str, Any]]:
    """Return one case a line; a file of one line is judged as a whole."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    found = []
    for number, line in lines:
        try:
            found.append((f"{name}, line {number}", _load_json(line)))
        except json.JSONDecodeError as error:
            # If no line stands for itself, the file was meant to be one document.
            shown = error if found else whole
            at = number if found else whole.lineno
            raise InvalidRequestError(
                "this is not JSON",
                field=f"{name}, line {at}, column {shown.colno}",
                value=shown.msg,
                expectation="a score request, a list of them, or one a line",
                fix="see `hemostat score --help` for an example",
            ) from error
    return found


def _parse_request(case: Any, place: str) -> scoring_pb2.ScoreRequest:
    """Return the request of a case's JSON; unknown fields and enum names are errors."""
    from google.protobuf import json_format

    from hemostat.v1 import scoring_pb2

    if not isinstance(case, dict):
        raise InvalidRequestError(
            "a case is not a JSON object",
            field=place,
            value=type(case).__name__,
            expectation="a score request",
            fix="see `hemostat score --help` for an example",
        )
    try:
        return json_format.ParseDict(case, scoring_pb2.ScoreRequest())
    except json_format.ParseError as error:
        raise _explain_parse_error(str(error), place) from error


def _explain_parse_error(message: str, place: str) -> InvalidRequestError:
    from features.spelling import suggest

    unknown = re.search(r'has no field named "(\w+)" at "ScoreRequest\.?([^"]*)"', message)
    if unknown:
        # The message lists each name twice: as in the proto, and in camel case.
        known = [name for name in re.findall(r"'(\w+)'", message) if name.islower()]
        path = ".".join(part for part in (unknown[2], unknown[1]) if part)
        return InvalidRequestError(
            "a case has a field that does not exist",
            field=f"{place}: {path}",
            value=unknown[1],
            expectation="a field of hemostat.v1.ScoreRequest",
            fix=suggest(unknown[1], known) if known else "see protos/hemostat/v1/scoring.proto",
        )
    field = re.search(r"parse (\S+) field", message)
    return InvalidRequestError(
        "a case has a value of the wrong type",
        field=f"{place}: {field[1]}" if field else place,
        value=message.rstrip(".").split(": ", 1)[-1][:160],
        expectation="the proto3 JSON form of its type",
        fix="see protos/hemostat/v1/scoring.proto for the types",
    )


def _score(score: Any, score_batch: Any, requests: Sequence[scoring_pb2.ScoreRequest]) -> Any:
    """Ask about one case in one call, about several in one batch."""
    return [score(requests[0])] if len(requests) == 1 else score_batch(requests)


def _to_user_error(error: CallError, address: str) -> HemostatError:
    import grpc

    if error.code is grpc.StatusCode.UNAVAILABLE:
        return HemostatError(
            "no scoring server answers",
            field="--address",
            value=address,
            expectation="a running `hemostat serve`",
            fix="start one, or correct --address",
        )
    told = _ERROR_PARTS.fullmatch(error.message)
    assert told is not None  # Every part is optional.
    parts = {name: part or "" for name, part in told.groupdict().items()}
    message = parts.pop("message")
    return HemostatError(f"{error.code.name}: {message}", **parts)


def _to_document(results: Sequence[Any]) -> Any:
    """Return what `--json` shows: the one answer, or all with their errors."""
    if len(results) == 1:
        return results[0]
    return {"results": list(results)}
