"""A replay of dead letters in a process of its own, to be killed. Not a test.

    python -m tests.stream.replay_child SOURCE STORE STATE BATCH_SIZE MAX_LATE_DAYS

Prints a line after each commit of records.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from features.log.validation import AcceptanceRules
from features.store.opening import open_store
from features.store.port import FeatureStore, RecordCommit
from stream.options import StreamOptions
from stream.replay import replay_dead_letters


class _Telling:
    """A store that tells of its commits."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    def commit_records(self, commits: Sequence[RecordCommit]) -> None:
        self._store.commit_records(commits)
        sys.stdout.write("committed\n")
        sys.stdout.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def main(source: str, place: str, state: str, batch_size: str, max_late_days: str) -> None:
    """Replay to the end."""
    rules = AcceptanceRules(max_late_us=int(max_late_days) * 86_400_000_000)
    options = StreamOptions(Path(state), batch_size=int(batch_size), acceptance=rules)
    with open_store(place, "write") as store:
        replay_dead_letters(source, _Telling(store), options, "child")  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
