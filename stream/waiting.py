"""Waits for a store or broker that is away: patiently, but not longer than asked."""

from __future__ import annotations

from collections.abc import Callable

from features.errors import HemostatError

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_TELL_EVERY_S = 30.0

Log = Callable[[str], None]


class Patience:
    """Decides whether to try again, and pauses longer each time.

    Args:
        wait_s: Give up after so long without progress; None: never.
        clock: Seconds, monotonic.
        pause: Waits for seconds, less if the run shall end.
        log: Tells people.
    """

    def __init__(
        self,
        wait_s: float | None,
        clock: Callable[[], float],
        pause: Callable[[float], None],
        log: Log,
    ) -> None:
        self._wait_s = wait_s
        self._clock = clock
        self._pause = pause
        self._log = log
        self._failing_since_s: float | None = None
        self._told_s = float("-inf")
        self._pause_s = _FIRST_PAUSE_S

    def wait(self, error: HemostatError, progress_s: float) -> None:
        """Pause after a failure.

        Args:
            error: What failed.
            progress_s: When the last commit succeeded, by the clock.

        Raises:
            HemostatError: The error, if it has been waited for long enough.
        """
        now_s = self._clock()
        if self._failing_since_s is None or progress_s > self._failing_since_s:
            self._failing_since_s = now_s
            self._pause_s = _FIRST_PAUSE_S
            self._told_s = float("-inf")
        waited_s = now_s - self._failing_since_s
        if self._wait_s is not None and waited_s >= self._wait_s:
            raise error
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            limit = "until it is back" if self._wait_s is None else f"at most {self._wait_s:g} s"
            self._log(f"waiting {limit}: {error}")
        self._pause(self._pause_s)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def note_success(self) -> None:
        """Tell people that what was away is back, if they were told that it was."""
        if self._failing_since_s is not None:
            self._log("it is back; the stream goes on where the store stands")
            self._failing_since_s = None
