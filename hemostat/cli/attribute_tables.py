"""What `hemostat train` tells of a retailer's own fields."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from training.sources import AttributeUse

_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class AttributeReport:
    """One declared field.

    Attributes:
        column: Its column.
        of: Which object holds it.
        type: What values it has.
        n_categories: Categories with codes of their own; 0: it is no category.
        n_unknown: Cases whose category has none: rare, or not seen before the cut.
        n_wrong: Cases with a value of another type: missing.
    """

    column: str
    of: str
    type: str
    n_categories: int
    n_unknown: int
    n_wrong: int


@dataclass(frozen=True, slots=True)
class AttributesReport:
    """All own fields of a log.

    Attributes:
        declared: In the order of their columns.
        undeclared: Names that cases carry and no column uses, with their counts.
        n_unreadable: Objects that could not be read; they count as none.
    """

    declared: tuple[AttributeReport, ...]
    undeclared: dict[str, int]
    n_unreadable: int


def build_attributes_report(use: AttributeUse | None) -> AttributesReport | None:
    """Return what became of the own fields; None: none are declared."""
    from features.attributes import AttributeFault

    if use is None:
        return None
    return AttributesReport(
        declared=tuple(
            AttributeReport(
                column=column.column,
                of=column.place.value,
                type=column.kind.value,
                n_categories=len(column.categories),
                n_unknown=use.faults.get((column.column, AttributeFault.UNKNOWN_CATEGORY), 0),
                n_wrong=use.faults.get((column.column, AttributeFault.WRONG_TYPE), 0),
            )
            for column in use.plan.columns
        ),
        undeclared=dict(use.undeclared),
        n_unreadable=use.n_unreadable,
    )


def draw_attributes(report: AttributesReport | None) -> list[Table]:
    """Return the table of own fields, if any are declared."""
    if report is None:
        return []
    notes = []
    if report.undeclared:
        most = Counter(report.undeclared).most_common(_MOST_SHOWN)
        shown = ", ".join(f"{name} ({count:,})" for name, count in most)
        more = len(report.undeclared) - len(most)
        notes.append(f"told, but not declared: {shown}{f' and {more} more' if more else ''}")
    if report.n_unreadable:
        notes.append(f"{report.n_unreadable:,} objects could not be read and count as none")
    return [
        Table(
            title="Your own fields",
            columns=(
                Column("column"),
                Column("of"),
                Column("type"),
                Column("codes", "right"),
                Column("cases with others", "right"),
                Column("of wrong type", "right"),
            ),
            rows=tuple(
                (
                    one.column,
                    one.of,
                    one.type,
                    f"{one.n_categories:,}" if one.type == "category" else "-",
                    f"{one.n_unknown:,}" if one.type == "category" else "-",
                    f"{one.n_wrong:,}",
                )
                for one in report.declared
            ),
            caption="; ".join(notes),
        )
    ]
