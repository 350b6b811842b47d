"""Tables of `hemostat simulate-report` and of the simulator's bench."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from training.simulation.realism.catch import KindShare
    from training.simulation.realism.report import Realism

_N_COLUMNS = 5
"""Most telling columns shown per world and call."""


def draw_realism(report: Realism) -> tuple[Table, ...]:
    """Return the tables of a measurement."""
    return (
        _draw_catches(report),
        _draw_rules(report),
        _draw_kinds(report),
        _draw_columns(report),
        _draw_artefacts(report),
        _draw_look_alikes(report),
    )


def _right(*headings: str) -> tuple[Column, ...]:
    return tuple(Column(heading, "right") for heading in headings)


def _draw_catches(report: Realism) -> Table:
    rows = []
    for world in report.worlds:
        for call, rule in world.one_rules.items():
            found, strict_rule = world.catches.get(call), world.strict_one_rules[call]
            cells = ("too little abuse", "", "", "", "")
            if found is not None:
                cells = (
                    f"{found.n_abuse:,} of {found.n_test:,}",
                    f"{found.auc:.3f}",
                    f"{found.recall:.3f}",
                    f"{found.recall_se:.3f}",
                    f"{found.strict_recall:.3f}",
                )
            rules = (f"{rule.recall:.3f}", f"{strict_rule.recall:.3f}")
            rows.append((world.name, call, *cells, *rules))
    headings = ("later abuse", "AUC", "caught", "SE", "strictly", "by one rule", "strictly")
    return Table(
        "Caught at 0.5 % false alarms, taught by the whole truth of the earlier two thirds",
        (Column("world"), Column("call"), *_right(*headings)),
        tuple(rows),
        "false alarms on customers who never abuse; strictly: on all honest cases. "
        "Bar: caught 0.40 to 0.85",
    )


def _draw_rules(report: Realism) -> Table:
    rows = [
        (world.name, call, counted, f"{rule.recall:.3f}", f"{rule.false_alarm_share:.2%}",
         f"{rule.column} {'>' if rule.is_above else '<'} {rule.threshold:,.4g}")
        for world in report.worlds
        for counted, rules in (("good customers", world.one_rules),
                               ("all honest cases", world.strict_one_rules))
        for call, rule in rules.items()
    ]  # fmt: skip
    return Table(
        "The best rule of one column, chosen on the earlier two thirds at 0.5 % false alarms",
        (Column("world"), Column("call"), Column("false alarms on"),
         *_right("caught later", "alarms later"), Column("rule")),
        tuple(rows),
    )  # fmt: skip


def _draw_kinds(report: Realism) -> Table:
    rows = [
        (world.name, call, _list_kinds(found.by_pattern), _list_kinds(found.by_look_alike))
        for world in report.worlds
        for call, found in world.catches.items()
    ]
    return Table(
        "The same by kind of case",
        (Column("world"), Column("call"), Column("abuse caught (of cases)"),
         Column("false alarms on honest cases (of cases)")),
        tuple(rows),
    )  # fmt: skip


def _list_kinds(kinds: Mapping[str, KindShare]) -> str:
    ranked = sorted(kinds.items(), key=lambda item: -item[1].share)
    return ", ".join(f"{name} {kind.share:.2f} ({kind.n_cases})" for name, kind in ranked)


def _draw_columns(report: Realism) -> Table:
    rows = []
    for world in report.worlds:
        for call, columns in world.columns.items():
            words = [row.auc for row in columns if row.group == "text"]
            features = [row for row in columns if row.group == "feature"]
            rows.append(
                (
                    world.name,
                    call,
                    f"{columns[0].n_abuse:,} of {columns[0].n_cases:,}",
                    f"{words[0]:.3f}" if words else "-",
                    _list(f"{row.name} {row.auc:.3f}" for row in features[:_N_COLUMNS]),
                )
            )
    return Table(
        "What single columns and words tell alone (AUC)",
        (Column("world"), Column("call"), *_right("abuse", "words"), Column("columns")),
        tuple(rows),
        "bars: 0.85 a column, 0.70 the words",
    )


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


def _draw_artefacts(report: Realism) -> Table:
    rows = [
        (row.call, row.name, f"{row.auc:.3f}", f"{row.se:.3f}", f"{row.n_cases:,}",
         f"{row.n_abusers:,}")
        for row in report.artefacts
    ]  # fmt: skip
    return Table(
        f"What must tell nothing (AUC, {report.n_pooled} worlds together)",
        (Column("call"), Column("artefact"), *_right("AUC", "SE", "cases", "abusers")),
        tuple(rows),
        "bar: 0.50 +- 0.02",
    )


def _draw_look_alikes(report: Realism) -> Table:
    rows = [
        (row.call, row.pattern, row.look_alike, row.column, f"{row.pattern_median:,.4g}",
         f"{row.look_alike_median:,.4g}", f"{row.auc:.2f}",
         f"{row.n_pattern:,} / {row.n_look_alike:,}")
        for row in report.look_alikes
    ]  # fmt: skip
    return Table(
        "Look-alikes against their pattern",
        (Column("call"), Column("pattern"), Column("look-alike"), Column("column"),
         *_right("median", "its median", "AUC", "cases")),
        tuple(rows),
        "bar: AUC 0.2 to 0.8 in each column that the look-alike shares",
    )  # fmt: skip
