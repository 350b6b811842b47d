"""A stream in a process of its own, to be killed. Not a test.

    python -m tests.stream.stream_child SOURCE STORE STATE BATCH_SIZE [follow]

Prints the number of rows read after each batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from features.store.opening import StoreOptions, open_store
from stream.options import StreamOptions
from stream.runner import run_stream
from stream.summary import StreamProgress


def _tell(at: StreamProgress) -> None:
    sys.stdout.write(f"{at.rows_done}\n")
    sys.stdout.flush()


def main(source: str, place: str, state: str, batch_size: str, *more: str) -> None:
    """Stream until the end, or for good."""
    options = StreamOptions(
        Path(state),
        batch_size=int(batch_size),
        is_following="follow" in more,
        wait_s=None if "follow" in more else 20.0,
    )
    store = open_store(place, "write", StoreOptions(retry_for_s=0.5))
    try:
        run_stream(source, store, options, _tell)
    finally:
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
