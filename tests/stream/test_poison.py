"""One row in a hundred is poison: each is on file with its reason, none stops others."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.stream.poison import SORTS, poison_lines
from features.store.memory_store import MemoryFeatureStore
from stream.dead_letters import read_dead_letters
from stream.options import StreamOptions
from stream.runner import run_stream
from tests.features.log.event_strategies import set_time, to_line
from tests.stream.every_kind import DAY_US, START_US, draw_events

_DAYS = 20


def _make_lines(n_events: int) -> list[bytes]:
    lines = []
    for number, event in enumerate(draw_events(random.Random(8), n_events, _DAYS, 40)):
        set_time(event.ingest_time, START_US + _DAYS * DAY_US + number * 1_000_000)
        lines.append(to_line(event) + b"\n")
    return lines


def test_a_hundredth_of_poison_is_on_file_with_reasons_and_all_else_is_counted(
    tmp_path: Path,
    dump_opened: Callable[[Any], dict[str, Any]],
    print_result: Callable[[str], None],
) -> None:
    good = _make_lines(6_000)
    poisoned, sorts = poison_lines(good, 0.01, seed=3)
    (tmp_path / "good.jsonl").write_bytes(b"".join(good))
    (tmp_path / "poisoned.jsonl").write_bytes(b"".join(poisoned))
    expected, store = MemoryFeatureStore(), MemoryFeatureStore()
    run_stream(str(tmp_path / "good.jsonl"), expected, StreamOptions(tmp_path / "good"))
    summary = run_stream(
        str(tmp_path / "poisoned.jsonl"), store, StreamOptions(tmp_path / "state", batch_size=500)
    )
    letters = list(read_dead_letters(tmp_path / "state" / "dead_letters"))
    assert {letter.offset: letter.reason for letter in letters} == {
        offset: SORTS[name].reason for offset, name in sorts.items()
    }
    assert set(sorts.values()) == set(SORTS)
    assert all(letter.expectation and letter.fix for letter in letters)
    assert summary.accepted == len(good)
    assert dump_opened(store)["records"] == dump_opened(expected)["records"]
    counts = Counter(letter.reason for letter in letters)
    print_result(f"stream: {len(letters)} of {len(poisoned):,} rows poison: {dict(counts)}")
