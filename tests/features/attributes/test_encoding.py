"""Values become columns the same way everywhere; what cannot be used is missing, and counted."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import (
    AttributeColumn,
    AttributeFault,
    AttributeKind,
    AttributePlace,
    AttributePlan,
    Encoder,
    check_attributes,
    encode_attributes,
    read_attributes,
)
from features.errors import InvalidRequestError
from features.request_rows import Call

_N, _C, _F = AttributeKind.NUMBER, AttributeKind.CATEGORY, AttributeKind.FLAG


def _plan(*kinds: AttributeKind, place: AttributePlace = AttributePlace.ORDER) -> AttributePlan:
    return AttributePlan(
        columns=tuple(
            AttributeColumn(name=f"a{n}", place=place, kind=kind, categories=("x", "240"))
            for n, kind in enumerate(kinds)
        )
    )


@pytest.mark.parametrize(
    ("kind", "value", "expected", "fault"),
    [
        (_N, 3, 3.0, None),
        (_N, -2.5, -2.5, None),
        (_N, 1e300, float(np.finfo(np.float32).max), None),
        (_N, "3", math.nan, AttributeFault.WRONG_TYPE),
        (_N, True, math.nan, AttributeFault.WRONG_TYPE),
        (_C, "x", 2.0, None),
        (_C, 240, 3.0, None),
        (_C, "new", 1.0, AttributeFault.UNKNOWN_CATEGORY),
        (_C, "", 1.0, AttributeFault.UNKNOWN_CATEGORY),
        (_C, True, math.nan, AttributeFault.WRONG_TYPE),
        (_C, 1.5, math.nan, AttributeFault.WRONG_TYPE),
        (_F, True, 1.0, None),
        (_F, 0, 0.0, None),
        (_F, 2, math.nan, AttributeFault.WRONG_TYPE),
        (_F, "yes", math.nan, AttributeFault.WRONG_TYPE),
    ],
)
def test_a_value_becomes_its_columns_number(
    kind: AttributeKind, value: Any, expected: float, fault: AttributeFault | None
) -> None:
    faults: dict[tuple[str, AttributeFault], int] = {}
    row = Encoder(_plan(kind)).encode(Call.ORDER, {"a0": value}, {}, faults)
    np.testing.assert_array_equal(row, np.array([expected], np.float32))
    assert faults == ({} if fault is None else {("attr_a0", fault): 1})


def test_an_attribute_is_known_only_where_it_is_told() -> None:
    told = {"a0": 1}
    order, customer = _plan(_N), _plan(_N, place=AttributePlace.CUSTOMER)
    assert encode_attributes(order, Call.ORDER_LINE, told, {}) == 1.0
    assert np.isnan(encode_attributes(order, Call.RETURN, told, {}))
    assert np.isnan(encode_attributes(order, Call.ORDER, {}, told))
    assert encode_attributes(customer, Call.RETURN, {}, told) == 1.0


_VALUES = st.one_of(st.booleans(), st.integers(-(10**15), 10**15), st.text(max_size=20),
                    st.floats(allow_nan=False, allow_infinity=False))  # fmt: skip


@given(st.dictionaries(st.sampled_from(["a0", "a1", "a2", "other"]), _VALUES))
def test_whatever_is_accepted_gives_numbers_or_missing(told: dict[str, Any]) -> None:
    text = json.dumps(told)
    check_attributes(text, "order.attributes")
    row = encode_attributes(_plan(_N, _C, _F), Call.ORDER, read_attributes(text), {})
    assert row.dtype == np.float32
    assert not np.isinf(row).any()
    assert np.isnan(row[[f"a{n}" not in told for n in range(3)]]).all()


@pytest.mark.parametrize(
    "text",
    [
        "[1]", "1", "null", "{", '{"a": null}', '{"a": {}}', '{"a": [1]}', '{"a": NaN}',
        '{"a": 1e999}', '{"": 1}', '{"' + "n" * 65 + '": 1}', '{"a": "' + "t" * 65 + '"}',
        '{"a": "' + "t" * 5_000 + '"}', json.dumps({f"a{n}": 1 for n in range(65)}),
        "[" * 4_000, '{"a":' * 600,
    ],
)  # fmt: skip
def test_what_is_no_flat_object_of_small_values_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_attributes(text, "order.attributes")
    assert caught.value.field.startswith("order.attributes")
    assert "ttttt" not in str(caught.value)
    assert read_attributes("[1]") == {}


def test_nothing_told_is_nothing_wrong() -> None:
    check_attributes("", "order.attributes")
    check_attributes("{}", "order.attributes")
    assert read_attributes("") == {}
