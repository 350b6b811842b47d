"""Which columns the attributes have in a model: fixed when it is trained, kept in its bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from features.attributes.declaration import Attribute, AttributeKind, AttributePlace, Declaration
from features.attributes.parsing import AttributeValue
from features.definition import FeatureDefinition
from features.request_rows import Call

PREFIX = "attr_"
OTHER_CODE = 1.0
"""Code of categories that are rare in training, and of those never seen in it."""

_CALLS: Mapping[AttributePlace, tuple[Call, ...]] = {
    AttributePlace.ORDER: (Call.ORDER, Call.ORDER_LINE),
    AttributePlace.CANCELLATION: (Call.CANCELLATION,),
    AttributePlace.RETURN: (Call.RETURN,),
    AttributePlace.CUSTOMER: tuple(Call),
}


class AttributeColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attribute as a column.

    Attributes:
        name: The attribute's; the column is `attr_<name>`.
        place: Where it is told.
        kind: What values it has.
        unit: Of a number.
        categories: Of a category: those with codes of their own, from code 2, in order.
        en: What it is called in reasons.
        zh_cn: The same in Simplified Chinese.
    """

    name: str
    place: AttributePlace
    kind: AttributeKind
    unit: str = ""
    categories: tuple[str, ...] = ()
    en: str = ""
    zh_cn: str = ""

    @property
    def column(self) -> str:
        """Name of the column."""
        return PREFIX + self.name

    @property
    def calls(self) -> tuple[Call, ...]:
        """Calls at which it is known; missing at others."""
        return _CALLS[self.place]


class AttributePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The columns behind those of the features.

    Attributes:
        columns: In order.
    """

    columns: tuple[AttributeColumn, ...]

    def to_definitions(self) -> tuple[FeatureDefinition, ...]:
        """Return the columns as the trainer and the card read columns."""
        return tuple(_define(column) for column in self.columns)


def build_plan(
    declaration: Declaration,
    seen: Mapping[AttributePlace, Iterable[Mapping[str, AttributeValue]]],
) -> AttributePlan:
    """Return the columns of a declaration, with codes for the categories seen in training.

    Codes go by frequency, then by name; never by outcome, which would leak it.

    Args:
        declaration: What may be used.
        seen: Attributes of the cases to learn from, by the field that told them.
    """
    counts: dict[tuple[AttributePlace, str], Counter[str]] = {
        (one.place, one.name): Counter()
        for one in declaration.attributes
        if one.kind is AttributeKind.CATEGORY
    }
    for place, cases in seen.items():
        wanted = [name for found, name in counts if found is place]
        for case in cases if wanted else ():
            for name in wanted:
                category = to_category(case.get(name))
                if category is not None:
                    counts[place, name][category] += 1
    return AttributePlan(
        columns=tuple(
            _to_column(one, counts.get((one.place, one.name), Counter()))
            for one in declaration.attributes
        )
    )


def to_category(value: AttributeValue | None) -> str | None:
    """Return a category's name: strings, and whole numbers that name something; else None.

    >>> to_category("none"), to_category(240), to_category(True), to_category(1.5)
    ('none', '240', None, None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _to_column(one: Attribute, counts: Counter[str]) -> AttributeColumn:
    frequent = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    kept = [name for name, count in frequent if count >= one.min_count][: one.max_categories]
    return AttributeColumn(
        name=one.name,
        place=one.place,
        kind=one.kind,
        unit=one.unit,
        categories=tuple(kept),
        en=one.en,
        zh_cn=one.zh_cn,
    )


def _define(column: AttributeColumn) -> FeatureDefinition:
    units = {AttributeKind.CATEGORY: "code", AttributeKind.FLAG: "flag"}
    return FeatureDefinition(
        name=column.column,
        entity="request",
        events=(),
        aggregation="attribute",
        unit=units.get(column.kind, column.unit or "1"),
        description=column.en or column.name,
        description_zh=column.zh_cn or column.name,
        fact=-1,
        calls=column.calls,
    )
