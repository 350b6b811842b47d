"""What is told of own fields: what was not used as told, and what nobody declared."""

from __future__ import annotations

from features.attributes import (
    AttributeColumn,
    AttributeFault,
    AttributeKind,
    AttributePlace,
    AttributePlan,
)
from hemostat.cli.attribute_tables import build_attributes_report, draw_attributes
from training.sources import AttributeUse

_PLAN = AttributePlan(
    columns=(
        AttributeColumn(
            name="deposit", place=AttributePlace.ORDER, kind=AttributeKind.CATEGORY,
            categories=("none", "full"),
        ),
        AttributeColumn(name="is_member", place=AttributePlace.CUSTOMER, kind=AttributeKind.FLAG),
    )
)  # fmt: skip


def test_faults_stand_beside_their_columns_and_the_rest_in_the_caption() -> None:
    faults = {
        ("attr_deposit", AttributeFault.UNKNOWN_CATEGORY): 1_234,
        ("attr_is_member", AttributeFault.WRONG_TYPE): 5,
    }
    undeclared = {f"name{n}": n + 1 for n in range(10)}
    report = build_attributes_report(AttributeUse(_PLAN, faults, undeclared, 3))
    (table,) = draw_attributes(report)
    assert list(table.rows) == [
        ("attr_deposit", "order", "category", "2", "1,234", "0"),
        ("attr_is_member", "customer", "flag", "-", "-", "5"),
    ]
    assert table.caption == (
        "told, but not declared: name9 (10), name8 (9), name7 (8), name6 (7), name5 (6), "
        "name4 (5), name3 (4), name2 (3) and 2 more; 3 objects could not be read and count as none"
    )


def test_nothing_is_told_of_fields_that_nobody_declared() -> None:
    assert draw_attributes(build_attributes_report(None)) == []
