"""What the commands of the model registry share: options, who acts, and how gates are shown."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from training.registry.gate_terms import Gate
    from training.registry.promotion import Change

EXIT_REFUSED = 5
"""A gate refused; nothing changed but the journal."""

BundlesOption = Annotated[
    Path, typer.Option("--bundles", help="Folder of bundles: --out of hemostat train.")
]
SigningKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--signing-key",
        envvar="HEMOSTAT_SIGNING_KEY",
        help="Private key that signs the bundle (hemostat keys create); default: not signed.",
    ),
]
ByOption = Annotated[
    str, typer.Option("--by", help="Who acts, for the journal; default: the login name.")
]


def name_actor(by: str) -> str:
    """Return who acts: the name given, or the login name; empty where there is none."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # A container's user may have no name.
        return ""


def draw_gates(change: Change) -> list[Table]:
    """Return the table of gates; none if they were not asked."""
    if not change.gates:
        return []
    return [
        Table(
            title=f"Gates of {change.model}",
            columns=(
                Column("gate"),
                Column("head"),
                Column("value", "right"),
                Column("bar", "right"),
                Column("met"),
            ),
            rows=tuple(
                (
                    gate.name,
                    gate.head,
                    show_value(gate.value),
                    f"{gate.rule} {show_value(gate.bar)}",
                    "yes" if gate.is_met else "NO",
                )
                for gate in change.gates
            ),
            caption="figures are each model's own, on cases after its own cut",
        )
    ]


def tell_change(change: Change, bundles: Path) -> str:
    """Return what came of it, and what to do about each gate that failed."""
    lines = [_tell_outcome(change)]
    lines += [_tell_failed(gate) for gate in change.failed]
    if change.action == "refused":
        if all(gate.can_be_forced for gate in change.failed):
            lines.append(
                f"All the same: hemostat promote {change.model} --bundles {bundles} "
                "--force --reason WHY"
            )
    elif change.champion_before:
        lines.append(f"Back: hemostat rollback --bundles {bundles}")
    return "\n".join(lines)


def _tell_outcome(change: Change) -> str:
    before = change.champion_before or "nobody"
    if change.action == "refused":
        n_failed = len(change.failed)
        gates = "1 gate" if n_failed == 1 else f"{n_failed} gates"
        return f"Refused: {change.model} fails {gates}; champion stays {before}"
    how = "Promoted (gates overruled)" if change.is_forced else "Promoted"
    if change.action == "rolled_back":
        how = "Rolled back to"
    return f"{how} {change.model}; before: {before}. Servers take it over within seconds."


def _tell_failed(gate: Gate) -> str:
    of = f" of {gate.head}" if gate.head else ""
    value, bar = show_value(gate.value), show_value(gate.bar)
    return f"  {gate.name}{of}: {value}, asked: {gate.rule} {bar}. {gate.advice}"


def show_value(value: float | str | None) -> str:
    """Return a gate's value or bar for a person.

    >>> show_value(0.012345), show_value("all"), show_value(None)
    ('0.01234', 'all', 'not measured')
    """
    if value is None:
        return "not measured"
    return value if isinstance(value, str) else f"{value:.4g}"
