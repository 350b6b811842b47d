"""Small plots as inline SVG: axes, lines with bands, points with bars; colours come from the page.

Everything is drawn once for both languages: only texts exist twice. A number that is not
finite is refused, so a page never holds a broken path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.report.language import Words, same, tag

Floats = npt.NDArray[np.float64]

WIDTH: Final = 400.0
_BELOW: Final = 44.0
_RIGHT: Final = 20.0


@dataclass(frozen=True)
class Axis:
    """A range, how it is stretched, and where its ticks stand.

    Attributes:
        low: Value at the start.
        high: Value at the end, not equal to `low`.
        ticks: Values with their labels.
        words: What it measures.
        stretch: From a value to a place; the identity is linear.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    words: Words
    stretch: Callable[[float], float] = float

    def find_share(self, value: float) -> float:
        """Return where a value lies between start (0) and end (1), held inside."""
        low, high = self.stretch(self.low), self.stretch(self.high)
        place = self.stretch(min(max(value, min(self.low, self.high)), max(self.low, self.high)))
        return (place - low) / (high - low)


class Plot:
    """A plot under construction; `to_svg` gives what was drawn, in order.

    Args:
        x: The horizontal axis.
        y: The vertical axis; None: rows, see `place_row`.
        height: Of the whole, in units of a width of 400.
        left: Room for the labels of the vertical axis or of rows.
        top: Room above, for a legend.
    """

    def __init__(
        self, x: Axis, y: Axis | None, *,
        height: float = 270.0, left: float = 50.0, top: float = 10.0,
    ) -> None:  # fmt: skip
        self._x, self._y, self._height, self._left, self._top = x, y, height, left, top
        self._right = WIDTH - _RIGHT
        self._bottom = height - _BELOW
        self._parts: list[str] = []
        self._draw_axes()

    def to_svg(self, title: Words) -> str:
        """Return the SVG; the title is what a screen reader says."""
        label = f"{title.en} / {title.zh}".replace('"', "&quot;").replace("<", "&lt;")
        return (
            f'<svg viewBox="0 0 {WIDTH:g} {self._height:g}" role="img" aria-label="{label}">'
            + "".join(self._parts)
            + "</svg>"
        )

    def place_x(self, value: float) -> float:
        """Return the place of a value on the horizontal axis."""
        return self._left + self._x.find_share(value) * (self._right - self._left)

    def place_y(self, value: float) -> float:
        """Return the place of a value on the vertical axis."""
        assert self._y is not None
        return self._bottom - self._y.find_share(value) * (self._bottom - self._top)

    def place_row(self, row: int, n_rows: int) -> float:
        """Return the middle of a row, counted from the top."""
        return self._top + (row + 0.5) * (self._bottom - self._top) / n_rows

    def draw_band(self, x: Floats, low: Floats, high: Floats, look: str) -> None:
        """Draw the area between two lines; points without bounds are left out."""
        is_known = np.isfinite(low) & np.isfinite(high)
        if np.count_nonzero(is_known) < 2:
            return
        x, low, high = x[is_known], low[is_known], high[is_known]
        there = [(self.place_x(a), self.place_y(b)) for a, b in zip(x, high, strict=True)]
        back = [(self.place_x(a), self.place_y(b)) for a, b in zip(x, low, strict=True)][::-1]
        self._add_path([*there, *back], f"band {look}", "Z")

    def draw_line(self, x: Floats, y: Floats, look: str) -> None:
        """Draw a line through the points that have a value."""
        is_known = np.isfinite(x) & np.isfinite(y)
        points = [(self.place_x(a), self.place_y(b))
                  for a, b in zip(x[is_known], y[is_known], strict=True)]  # fmt: skip
        if len(points) > 1:
            self._add_path(points, f"line {look}", "")

    def draw_segment(self, start: tuple[float, float], end: tuple[float, float], look: str) -> None:
        """Draw a straight line between two points of the drawing (not of the axes)."""
        self._add_path([start, end], look, "")

    def draw_vertical(self, value: float, look: str = "mark", words: Words | None = None) -> None:
        """Draw a line over the whole height, with words beside its top."""
        at = self.place_x(value)
        self._add_path([(at, self._top), (at, self._bottom)], look, "")
        if words is not None:
            is_right = at > (self._left + self._right) / 2
            self.write(at + (-5 if is_right else 5), self._top + 10, words,
                       f"t {'end' if is_right else ''}")  # fmt: skip

    def draw_horizontal(self, value: float, look: str = "ref") -> None:
        """Draw a line over the whole width."""
        at = self.place_y(value)
        self._add_path([(self._left, at), (self._right, at)], look, "")

    def draw_point(self, x: float, y: float, look: str, radius: float = 4.0) -> None:
        """Draw a dot at a place of the drawing."""
        self._parts.append(
            f'<circle class="{look}" cx="{_show(x)}" cy="{_show(y)}" r="{_show(radius)}"/>'
        )

    def draw_bar(self, x: float, y: float, width: float, height: float, look: str) -> None:
        """Draw a rectangle at a place of the drawing."""
        self._parts.append(
            f'<rect class="{look}" x="{_show(x)}" y="{_show(y)}" width="{_show(max(width, 0.6))}" '
            f'height="{_show(max(height, 0.6))}"/>'
        )

    def draw_legend(self, entries: Sequence[tuple[str, Words, float]]) -> None:
        """Draw a row of coloured squares with words above the axes.

        Args:
            entries: Look, words and room of each, from the left.
        """
        x = 6.0
        for look, words, room in entries:
            self.draw_bar(x, 4.0, 10.0, 10.0, look)
            self.write(x + 14.0, 13.0, words)
            x += room

    def write(self, x: float, y: float, words: Words, look: str = "t", more: str = "") -> None:
        """Write words at a place of the drawing; `more`: further attributes."""
        at = f' class="{look}" x="{_show(x)}" y="{_show(y)}"{more}'
        self._parts.append(tag("text", words, at))

    def _draw_axes(self) -> None:
        for value, label in self._x.ticks:
            at = self.place_x(value)
            self._add_path([(at, self._top), (at, self._bottom)], "grid", "")
            self.write(at, self._bottom + 15, same(label), "t mid")
        self.write((self._left + self._right) / 2, self._height - 8, self._x.words, "t mid axis")
        if self._y is None:
            return
        for value, label in self._y.ticks:
            at = self.place_y(value)
            self._add_path([(self._left, at), (self._right, at)], "grid", "")
            self.write(self._left - 5, at + 4, same(label), "t end")
        middle = (self._top + self._bottom) / 2
        turned = f' transform="rotate(-90 11 {_show(middle)})"'
        self.write(11, middle, self._y.words, "t mid axis", turned)

    def _add_path(self, points: Sequence[tuple[float, float]], look: str, end: str) -> None:
        steps = "L".join(f"{_show(x)} {_show(y)}" for x, y in points)
        self._parts.append(f'<path class="{look}" d="M{steps}{end}"/>')


def _show(value: float) -> str:
    """Return a coordinate; equal drawings give equal bytes.

    Raises:
        ValueError: It is not finite.
    """
    if not math.isfinite(value):
        raise ValueError("a plot needs finite places")
    return f"{value + 0.0:.1f}".removesuffix(".0")


def make_ticks(low: float, high: float, n_about: int = 5) -> list[tuple[float, str]]:
    """Return round values between two, with labels; at least two of them.

    >>> make_ticks(0.0, 1.0)
    [(0.0, '0'), (0.2, '0.2'), (0.4, '0.4'), (0.6, '0.6'), (0.8, '0.8'), (1.0, '1')]
    """
    span = max(high - low, 1e-12)
    size = 10.0 ** math.floor(math.log10(span / n_about))
    step = min((size * factor for factor in (1, 2, 5, 10)), key=lambda s: abs(span / s - n_about))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [(n * step, show_number(n * step)) for n in range(first, last + 1)]


def show_number(value: float) -> str:
    """Return a number for an axis, thousands as k.

    >>> [show_number(x) for x in (0.05, 12000.0, -2500.0, 3.0)]
    ['0.05', '12k', '-2.5k', '3']
    """
    if abs(value) >= 1_000.0:
        return f"{value / 1_000.0:.4g}k"
    return f"{value + 0.0:.4g}"


def to_percents(values: Sequence[float]) -> list[tuple[float, str]]:
    """Return ticks at shares, labelled in percent.

    >>> to_percents([0.005, 0.5])
    [(0.005, '0.5%'), (0.5, '50%')]
    """
    return [(value, f"{100.0 * value:.3g}%") for value in values]
