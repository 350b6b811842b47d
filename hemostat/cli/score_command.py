"""`hemostat score`: ask a running server about cases in a JSON file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import HemostatError, InvalidRequestError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from hemostat.client import CallError
    from hemostat.v1 import common_pb2, scoring_pb2

app = typer.Typer(name=None)

_MAX_BATCH = 1024
_MAX_DETAILED = 5  # Cases whose reasons are shown in full.


class Language(StrEnum):
    """Language of hints and reasons."""

    EN = "en"
    ZH = "zh"


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
        Language, typer.Option("--lang", help="Language of checks and reasons.")
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
    output.show(_to_document(results), _draw(requests, results, language))


def _read_cases(path: str) -> list[tuple[str, Any]]:
    """Return each case's JSON with its place in the file, for messages."""
    name = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "the file with cases cannot be read",
            field="CASES",
            value=name,
            expectation=getattr(error, "strerror", None) or "UTF-8 text",
            fix="correct the path, or use - for standard input",
        ) from error
    try:
        document = json.loads(text)
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


def _read_lines(text: str, name: str, whole: json.JSONDecodeError) -> list[tuple[str, Any]]:
    """Return one case a line; a file of one line is judged as a whole."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    found = []
    for number, line in lines:
        try:
            found.append((f"{name}, line {number}", json.loads(line)))
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
    from scoring.spelling import suggest

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
    return HemostatError(f"{error.code.name}: {error.message}")


def _to_document(results: Sequence[Any]) -> Any:
    """Return what `--json` shows: the one answer, or all with their errors."""
    if len(results) == 1:
        return results[0]
    return {"results": list(results)}


def _draw(
    requests: Sequence[scoring_pb2.ScoreRequest], results: Sequence[Any], language: Language
) -> list[Table]:
    from hemostat.v1 import scoring_pb2

    answers = [r for r in results if isinstance(r, scoring_pb2.ScoreResponse)]
    rows = [
        _draw_row(number, request, result)
        for number, (request, result) in enumerate(zip(requests, results, strict=True), 1)
    ]
    columns = (
        Column("case", "right"),
        Column("call"),
        Column("probabilities"),
        Column("hint"),
        Column("strongest reason"),
        Column("budget", "right"),
        Column("customer"),
        Column("us", "right"),
    )
    versions = {(answer.model_version, answer.policy_version) for answer in answers}
    caption = "; ".join(f"model {model}, policy {policy}" for model, policy in sorted(versions))
    tables = [Table("Scores", columns, tuple(rows), f"{caption}. us: time inside the server.")]
    refused = tuple(
        (str(number), result.message)
        for number, result in enumerate(results, 1)
        if isinstance(result, scoring_pb2.ScoreError)
    )
    if refused:
        tables.append(Table("Refused", (Column("case", "right"), Column("why")), refused))
    if len(results) <= _MAX_DETAILED:
        tables += [
            _draw_reasons(number, result, language)
            for number, result in enumerate(results, 1)
            if isinstance(result, scoring_pb2.ScoreResponse) and result.reasons
        ]
    return tables


def _draw_row(number: int, request: scoring_pb2.ScoreRequest, result: Any) -> tuple[str, ...]:
    from hemostat.v1 import scoring_pb2

    call = (request.WhichOneof("case") or "none").removesuffix("_request")
    if isinstance(result, scoring_pb2.ScoreError):
        return (str(number), call, "", "ERROR", "", "", "", "")
    hint = scoring_pb2.Hint.Name(result.hint).removeprefix("HINT_")
    if result.shadow_hint:
        shadow = scoring_pb2.Hint.Name(result.shadow_hint).removeprefix("HINT_")
        hint += f" (shadow: {shadow})"
    state = scoring_pb2.CustomerState.Name(result.freshness.customer_state)
    degradations = [
        scoring_pb2.Degradation.Name(reason).removeprefix("DEGRADATION_").lower()
        for reason in result.degradations
    ]
    customer = state.removeprefix("CUSTOMER_STATE_").lower()
    return (
        str(number),
        call,
        _list_probabilities(result),
        hint,
        result.reasons[0].code if result.reasons else "",
        f"{result.budget.amount_minor / 100:,.2f}",
        ", ".join([customer, *degradations]),
        str(result.server_latency_us),
    )


def _list_probabilities(answer: scoring_pb2.ScoreResponse) -> str:
    """Return one probability per target; of a head per line, the greatest."""
    from hemostat.v1 import scoring_pb2

    found: dict[str, float] = {}
    for head in answer.heads:
        name = scoring_pb2.Target.Name(head.target).removeprefix("TARGET_").lower()
        name += " (simulated)" if head.source == scoring_pb2.LABEL_SOURCE_SIMULATED else ""
        name += " (greatest of lines)" if head.line_id else ""
        found[name] = max(found.get(name, 0.0), head.probability)
    return ", ".join(f"{name} {p:.3f}" for name, p in found.items())


def _draw_reasons(number: int, answer: scoring_pb2.ScoreResponse, language: Language) -> Table:
    from hemostat.v1 import scoring_pb2

    target = scoring_pb2.Target.Name(answer.reasons[0].target).removeprefix("TARGET_").lower()
    rows = tuple(
        (reason.code, f"{reason.contribution_log_odds:+.2f}", _choose(reason.text, language))
        for reason in answer.reasons
    )
    check = _choose(answer.check, language)
    return Table(
        f"Case {number}: why P({target}) is what it is",
        (Column("reason"), Column("log-odds", "right"), Column("in words")),
        rows,
        f"check: {check}" if check else "",
    )


def _choose(text: common_pb2.LocalizedText, language: Language) -> str:
    return str(text.zh_cn if language is Language.ZH else text.en)
