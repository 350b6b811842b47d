"""Overwrites what the record table has let go: replaced and deleted records leave their bytes.

Under LMDB's own write lock, so that nobody commits meanwhile, and only while no reader
still looks at an older state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from features.store.lmdb_environment import explained
from features.store.lmdb_scrub import lock_out_others
from features.store.record_writer import RecordTableWriter


def scrub_records(folder: Path, sleep: Callable[[float], None] = time.sleep) -> int:
    """Overwrite all that is no record of today and return how many bytes that changed.

    Safe while others read and write; a writer waits for its end (a second per GB).

    Args:
        folder: A generation of a store that this process has not open.
        sleep: How to wait for readers.

    Raises:
        StoreUnavailableError: A reader holds an old state for long, or the files are
            damaged; nothing was changed.
    """
    with explained(folder), lock_out_others(folder, sleep) as last_commit:
        table = RecordTableWriter(folder, last_commit, max_bytes=0, is_synced=True)
        try:
            return table.scrub()
        finally:
            table.close()
