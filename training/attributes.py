"""A retailer's own fields as columns of the cases: declared, fixed by training, encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from features.attributes import (
    AttributeFault,
    AttributePlace,
    AttributePlan,
    AttributeValue,
    Declaration,
    Encoder,
    build_plan,
    parse_declaration,
    read_attributes,
)
from features.attributes.declaration import DECLARATION_FILE
from features.errors import ConfigError
from features.request_rows import Call
from training.cases import CaseSet

_PLACE_OF_CALL = {
    Call.ORDER: AttributePlace.ORDER,
    Call.ORDER_LINE: AttributePlace.ORDER,
    Call.CANCELLATION: AttributePlace.CANCELLATION,
    Call.RETURN: AttributePlace.RETURN,
}
_N_PARSED = 65_536
"""Texts kept in parsed form: many cases share theirs."""


@dataclass(frozen=True, eq=False)
class EncodedCases:
    """Cases with the columns of a plan behind their vectors.

    Attributes:
        cases: Per call.
        faults: Values that were not used as they are, by column and fault.
        undeclared: Names that events carry and the plan does not know, with their counts.
        n_unreadable: Texts that are no flat JSON object; they count as none.
    """

    cases: dict[Call, CaseSet]
    faults: dict[tuple[str, AttributeFault], int]
    undeclared: dict[str, int]
    n_unreadable: int


def find_declaration(log: Path, wanted: Path | None) -> Declaration | None:
    """Return the declaration named, or the one that stands in the log's folder, or None.

    Raises:
        ConfigError: The file named cannot be read, or a file cannot be used.
    """
    file = log / DECLARATION_FILE if wanted is None else wanted
    if wanted is None and not file.is_file():
        return None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(
            "the declaration of attributes cannot be read",
            field="--attributes",
            value=str(file),
            expectation=error.strerror or "a readable file",
            fix="name a file of attributes (docs/ATTRIBUTES.md)",
        ) from error
    return parse_declaration(content, str(file))


def learn_plan(
    declaration: Declaration, cases: Mapping[Call, CaseSet], cut_us: int
) -> AttributePlan:
    """Return the columns, with codes for the categories of cases before the cut."""
    parse = _make_parser()

    def list_seen(place: AttributePlace) -> Iterator[Mapping[str, AttributeValue]]:
        for call, one in cases.items():
            is_customer = place is AttributePlace.CUSTOMER
            # Lines repeat their orders.
            if call is Call.ORDER_LINE and Call.ORDER in cases:
                continue
            if is_customer or _PLACE_OF_CALL[call] is place:
                past = one.select(one.time_us < cut_us)
                texts = past.customer_attributes if is_customer else past.attributes
                assert texts is not None
                yield from (parse(text or "") for text in texts.to_pylist())

    return build_plan(declaration, {place: list_seen(place) for place in AttributePlace})


def append_attributes(cases: Mapping[Call, CaseSet], plan: AttributePlan) -> EncodedCases:
    """Return the cases with a plan's columns behind the features."""
    encoder = Encoder(plan)
    parse = _make_parser()
    faults: dict[tuple[str, AttributeFault], int] = {}
    undeclared: dict[str, int] = {}
    known = {column.name for column in plan.columns}
    n_unreadable = 0
    found = {}
    for call, one in cases.items():
        assert one.attributes is not None
        assert one.customer_attributes is not None
        columns = np.full((len(one), encoder.width), np.nan, np.float32)
        texts = zip(one.attributes.to_pylist(), one.customer_attributes.to_pylist(), strict=True)
        for row, (of_case, of_customer) in enumerate(texts):
            if not of_case and not of_customer:
                continue
            case, customer = parse(of_case or ""), parse(of_customer or "")
            for text, read in ((of_case, case), (of_customer, customer)):
                n_unreadable += bool(text) and not read and text.strip() != "{}"
            columns[row] = encoder.encode(call, case, customer, faults)
            for name in (*case, *customer):
                if name not in known:
                    undeclared[name] = undeclared.get(name, 0) + 1
        found[call] = replace(one, rows=np.concatenate([one.rows, columns], axis=1))
    return EncodedCases(found, faults, undeclared, n_unreadable)


def _make_parser() -> Callable[[str], Mapping[str, AttributeValue]]:
    """Return a parser that remembers, and that forgets when its user is done."""
    return lru_cache(_N_PARSED)(read_attributes)
