"""The day ledger: what all customers together did to a cell, read as closed the day before.

Whoever acts on a day sees the sums of the days before it, never of that day. So
the order within a day does not matter, and one customer reaches another only
through a named cell and only from the next day on.
"""

from __future__ import annotations

from typing import Final

Cell = tuple[str, int]
"""What is counted (`stock`, ...) and of which one."""

_REACH_DAYS: Final = 64
"""Amounts lie at most this far ahead; a longer delay is shortened to it."""
_SWEEP_DAYS: Final = 32


class DayLedger:
    """Sums by cell of amounts booked on days, of which only closed days can be read.

    Holds cells that lately moved: a cell whose amounts cancel each other out (sold,
    then delivered again) is forgotten, so memory does not grow with the horizon.

    >>> ledger = DayLedger()
    >>> ledger.add(("stock", 7), 10, -1.0)
    >>> ledger.add(("stock", 7), 14, 1.0)
    >>> [ledger.read(("stock", 7), day) for day in (9, 10, 13, 14)]
    [0.0, -1.0, -1.0, 0.0]
    """

    def __init__(self) -> None:
        self._closed: dict[Cell, float] = {}
        self._open: dict[Cell, list[tuple[int, float]]] = {}
        self._closed_day = -1
        self._sweep_day = _SWEEP_DAYS

    def __len__(self) -> int:
        """Return how many cells are held."""
        return len(self._closed.keys() | self._open.keys())

    def read(self, cell: Cell, day: int) -> float:
        """Return the sum of a cell at the end of a day, which thereby is closed.

        Args:
            cell: The cell.
            day: A day not before any that was read.

        Raises:
            ValueError: A later day has been read already.
        """
        if day < self._closed_day:
            raise ValueError(f"day {day} read after day {self._closed_day}")
        self._closed_day = day
        if day >= self._sweep_day:
            self._sweep_day = day + _SWEEP_DAYS
            for held in list(self._open):
                self._fold(held)
        elif cell in self._open:
            self._fold(cell)
        return self._closed.get(cell, 0.0)

    def add(self, cell: Cell, day: int, amount: float) -> None:
        """Book an amount on a day that is not closed.

        Raises:
            ValueError: The day is closed.
        """
        if day <= self._closed_day:
            raise ValueError(f"day {day} is closed; {self._closed_day} has been read")
        day = min(day, max(self._closed_day, 0) + _REACH_DAYS)
        self._open.setdefault(cell, []).append((day, amount))

    def _fold(self, cell: Cell) -> None:
        """Move what lies on closed days into the cell's sum."""
        ahead: list[tuple[int, float]] = []
        total = self._closed.pop(cell, 0.0)
        for day, amount in self._open.pop(cell):
            if day <= self._closed_day:
                total += amount
            else:
                ahead.append((day, amount))
        if ahead:
            self._open[cell] = ahead
        if total:
            self._closed[cell] = total
