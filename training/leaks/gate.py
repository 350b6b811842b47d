"""The gate before learning: no table that knows too much passes, unless a person lets it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from features.errors import ConfigError
from training.leaks.checks import check_columns, check_maturity
from training.leaks.findings import CaseTable, LeakFinding, LeakKind

MAX_SHOWN = 5


class LeakError(ConfigError):
    """A table holds what nobody could have known.

    Args:
        head: What was to be learned.
        findings: All leaks, at least one.
    """

    def __init__(self, head: str, findings: Sequence[LeakFinding]) -> None:
        first = findings[0]
        more = [f"{one.column} ({one.kind})" for one in findings[1:MAX_SHOWN]]
        if len(findings) > MAX_SHOWN:
            more.append(f"and {len(findings) - MAX_SHOWN} more")
        escape = ""
        if first.kind is not LeakKind.IMMATURE_LABEL:
            escape = f"; if the column is honest after all: --allow-column {first.column}"
        super().__init__(
            f"{head} would learn from a leak: {first.kind}",
            field=first.column,
            value=first.evidence + (f"; also {', '.join(more)}" if more else ""),
            expectation="columns and labels that hold only what was known at their time",
            fix=first.fix + escape,
        )
        self.findings = tuple(findings)


def find_leaks(table: CaseTable) -> list[LeakFinding]:
    """Return all leaks that a finished table gives away, its labels first."""
    return [*check_maturity(table), *check_columns(table)]


def require_no_leak(
    head: str, findings: Sequence[LeakFinding], allowed: Collection[str] = ()
) -> None:
    """Let a table pass, or not.

    Args:
        head: What is to be learned.
        findings: What checks and probes found.
        allowed: Columns that a person vouches for. Immature labels nobody can vouch for.

    Raises:
        LeakError: There is a finding about another column.
    """
    refused = [
        one for one in findings
        if one.kind is LeakKind.IMMATURE_LABEL or one.column not in allowed
    ]  # fmt: skip
    if refused:
        raise LeakError(head, refused)


def require_known_columns(allowed: Sequence[str], names: Collection[str]) -> None:
    """Refuse names of columns that there are not: they would allow nothing.

    Raises:
        ConfigError: A name is unknown.
    """
    for name in allowed:
        if name not in names:
            close = get_close_matches(name, names, 3)
            raise ConfigError(
                "there is no such column",
                field="--allow-column",
                value=name,
                expectation="a column of the table",
                fix=f"did you mean {', '.join(close)}?" if close else "see docs/FEATURES.md",
            )
