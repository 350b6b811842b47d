"""Ends a process of a cluster that was asked to end and cannot, because others hang."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GRACE_S = 5.0
"""How long the other processes have to end, too, once one was asked."""

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def gives_up_after_signal(give_up: Callable[[], None], grace_s: float = GRACE_S) -> Iterator[None]:
    """Call `give_up` if the block is still running some time after SIGINT or SIGTERM.

    While Bytewax waits for the other processes (at the beginning, until all are there),
    no Python runs on the main thread, and so no handler of a signal does. Their numbers
    are written to a socket all the same, and a thread reads them.

    Args:
        give_up: Ends the process; called on another thread.
        grace_s: How long after the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals reach the main thread only; it decides what they mean.
        return
    is_over = threading.Event()
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def watch() -> None:
        while numbers := reading.recv(16):
            if _ENDING.intersection(numbers):
                if not is_over.wait(grace_s):
                    give_up()
                return

    watching = threading.Thread(target=watch, name="end-watch", daemon=True)
    previous = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        signal.set_wakeup_fd(previous)
        writing.close()
        watching.join()
        reading.close()
