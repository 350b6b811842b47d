"""The file of a retailer's own fields: read strictly, and every fault names line, field and fix."""

from __future__ import annotations

import pytest

from features.attributes import (
    AttributeKind,
    AttributePlace,
    build_plan,
    parse_declaration,
)
from features.errors import ConfigError

GOOD = b"""
version: 1
attributes:
  - {name: lead_time, of: order, type: number, unit: days}
  - {name: deposit, of: order, type: category, max_categories: 2, min_count: 2}
  - {name: is_member, of: customer, type: flag, en: member, zh_cn: "\xe4\xbc\x9a\xe5\x91\x98"}
"""


def test_a_declaration_is_read_in_order() -> None:
    found = parse_declaration(GOOD).attributes
    assert [one.name for one in found] == ["lead_time", "deposit", "is_member"]
    assert found[1].kind is AttributeKind.CATEGORY
    assert found[2].place is AttributePlace.CUSTOMER


@pytest.mark.parametrize(
    ("content", "where", "fix"),
    [
        (GOOD.replace(b"unit", b"unti"), "line 4", "did you mean `unit`?"),
        (GOOD.replace(b"type: number", b"type: numeric"), "line 4", "'number'"),
        (GOOD.replace(b"lead_time", b"Lead-Time"), "line 4", "pattern"),
        (GOOD.replace(b"deposit", b"lead_time"), "line 4", "rename"),
        (GOOD.replace(b"min_count: 2", b"min_count: 0"), "line 5", "greater than or equal to 1"),
        (GOOD.replace(b"version: 1", b"version: 2"), "line 2", "1"),
        (b"version: 1\nattributes: [", "line 2", "correct it"),
        (b"version: 1\nattributes: []", "line 2", "at least 1"),
        (b"version: 1\nversion: 1\nattributes: []", "line 2", "correct it"),
        (b"- 1", "the whole", "dict"),
    ],
)  # fmt: skip
def test_a_fault_names_its_line_and_how_to_mend_it(content: bytes, where: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_declaration(content, "attributes.yaml")
    assert where in caught.value.field
    assert fix in f"{caught.value.fix} {caught.value.expectation}"


def test_codes_go_by_frequency_then_name_and_rare_categories_share_one() -> None:
    seen = {
        AttributePlace.ORDER: [{"deposit": d} for d in "bbbaaaccd"],
        AttributePlace.RETURN: [{"deposit": "z"}] * 9,
    }
    plan = build_plan(parse_declaration(GOOD), seen)
    assert plan.columns[1].categories == ("a", "b")
    assert [d.name for d in plan.to_definitions()] == [
        "attr_lead_time", "attr_deposit", "attr_is_member",
    ]  # fmt: skip
