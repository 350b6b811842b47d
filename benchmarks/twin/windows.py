"""The windows: W at time T counts events from floor(T - W, hop) on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """One window; lengths and hops in hours, 0 hours are the whole life."""

    name: str
    length_h: int
    hop_h: int

    def contains(self, event_us: str, at_us: str) -> str:
        """Return the SQL condition that an event lies in the window at a time."""
        if not self.length_h:
            return "true"
        start = f"floor_to({at_us} - {self.length_h} * hour_us(), {self.hop_h} * hour_us())"
        return f"{event_us} >= {start}"


WINDOWS = {
    window.name: window
    for window in (
        Window("1h", 1, 1),
        Window("24h", 24, 1),
        Window("7d", 7 * 24, 24),
        Window("30d", 30 * 24, 24),
        Window("90d", 90 * 24, 7 * 24),
        Window("365d", 365 * 24, 7 * 24),
        Window("lifetime", 0, 0),
    )
}
