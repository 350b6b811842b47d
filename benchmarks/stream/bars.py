"""What is expected of each figure, and the table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.report import Value


@dataclass(frozen=True, slots=True)
class Bar:
    """A bound of a figure.

    Attributes:
        sign: `>=` or `<=`.
        bound: The bound.
        name: What it is, if not a number.
    """

    sign: str
    bound: float
    name: str = ""

    def is_met(self, value: float) -> bool:
        """Return whether a figure keeps to it.

        >>> Bar(">=", 0.5).is_met(0.5), Bar("<=", 30).is_met(31.0)
        (True, False)
        """
        return value >= self.bound if self.sign == ">=" else value <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:,.10g}{self.name}"


_READ_US = 60.0

BARS = {
    "ratio_to_keyed_step": Bar(">=", 0.5),
    "ratio_to_keyed_step_2k": Bar(">=", 0.3),
    "ratio_redis_to_keyed_step": Bar(">=", 0.2),
    "ratio_to_feast_push": Bar(">=", 20),
    "ratio_poison_to_clean": Bar(">=", 0.9),
    "visible_p99_ms": Bar("<=", 30),
    "bulk_fold_events_per_s": Bar(">=", 5e6),
    "training_rows_per_s": Bar(">=", 0.7e6),
    "ratio_training_rows_to_baseline": Bar(">=", 20),
    "read_vector_us_lmdb": Bar("<=", _READ_US),
    "read_growth_10k_to_1m": Bar("<=", 1.2),
    "read_growth_10k_to_100k": Bar("<=", 1.2),
    "memory_growth_10k_to_1m": Bar("<=", 1.2),
    "memory_growth_10k_to_100k": Bar("<=", 1.2),
}


def find_bars(figures: Mapping[str, Value]) -> dict[str, Bar]:
    """Return the bars of the figures that have one; Redis is held to its own bare read."""
    bars = {name: bar for name, bar in BARS.items() if name in figures}
    if "raw_read_us_redis" in figures:
        raw = float(figures["raw_read_us_redis"])
        bars["read_vector_us_redis"] = Bar("<=", round(raw + _READ_US, 1), " (raw + 60)")
    return bars


def draw_table(figures: Mapping[str, Value]) -> str:
    """Return the figures, one a line, with their bars beside."""
    bars = find_bars(figures)
    lines = []
    for name, value in figures.items():
        if isinstance(value, str):
            continue
        shown = f"{value:>14,.0f}" if abs(value) >= 1_000 else f"{value:>14,.3f}"
        bar = bars.get(name)
        verdict = "" if bar is None else f"  {bar!s:<22} {'met' if bar.is_met(value) else 'MISSED'}"
        lines.append(f"{name:<36}{shown}{verdict}".rstrip())
    return "\n".join(lines) + "\n"
