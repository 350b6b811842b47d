"""History in bulk against the live path: records refolded up to each request, then one vector."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bulk import compute_vectors_at
from features.definitions import FEATURE_NAMES
from features.entities import N_ENTITIES
from features.records.packing import PackedRecords
from features.refold import refold
from features.vector import STATE_OK, compute_vectors
from tests.features.random_history import RandomHistory, draw_history

Array = npt.NDArray[Any]
NOTHING = PackedRecords.from_blobs([None] * N_ENTITIES)


def ask_in_bulk(history: RandomHistory, n_threads: int | None = None) -> Array:
    return compute_vectors_at(
        history.rows,
        history.row_keys,
        history.embeddings,
        history.requests,
        history.request_keys,
        history.is_named,
        n_threads,
    )


def drop_repeats(history: RandomHistory) -> Array:
    """Return the places of the rows that tell their event first, one by one."""
    first_telling: dict[int, int] = {}
    told: set[tuple[int, int, int, int, int]] = set()
    telling, kept = 0, []
    for place, row in enumerate(history.rows):
        key = int(row["event_key"])
        part = (int(row["entity"]), int(row["kind"]), int(row["line_count"]))
        before = history.rows[place - 1] if place else row
        is_same = before["event_key"] == key and before["ingest_time_us"] == row["ingest_time_us"]
        if not is_same or (telling, key, *part) in told:
            telling += 1
        told.add((telling, key, *part))
        if first_telling.setdefault(key, telling) == telling:
            kept.append(place)
    return np.array(kept, np.int64)


def ask_one_by_one(history: RandomHistory) -> Array:
    """Return each vector from records refolded with exactly what was known at its time."""
    kept = drop_repeats(history)
    rows, keys = history.rows[kept], history.row_keys[kept]
    vectors = []
    for q, request in enumerate(history.requests):
        is_known = rows["ingest_time_us"] <= request["time_us"]
        asked = history.request_keys[q][rows["entity"]]
        is_own = is_known & (keys == asked).all(axis=1) & history.is_named[q][rows["entity"]]
        own = np.ascontiguousarray(rows[is_own][np.argsort(rows[is_own]["entity"], kind="stable")])
        entities = np.arange(N_ENTITIES, dtype=np.uint8)
        owners = own["entity"].astype(np.int64)
        packed = refold(NOTHING, entities, own, owners, history.embeddings)
        one = slice(q, q + 1)
        states = np.full(1, STATE_OK, np.int8)
        vectors.append(
            compute_vectors(packed, history.is_named[one], states, history.requests[one].copy())
        )
    return np.concatenate(vectors)


def find_differing(a: Array, b: Array) -> list[str]:
    """Return the features in which some bit differs."""
    is_equal = (a.view(np.uint32) == b.view(np.uint32)).all(axis=0)
    return [name for name, equal in zip(FEATURE_NAMES, is_equal, strict=True) if not equal]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 150))
def test_bulk_equals_folding_what_was_known_and_asking_once(seed: int, n_events: int) -> None:
    history = draw_history(seed, n_events, 12)
    assert find_differing(ask_in_bulk(history), ask_one_by_one(history)) == []


def test_a_long_log_gives_equal_vectors_in_bulk_and_one_by_one() -> None:
    history = draw_history(11, 3_000, 300)
    vectors = ask_in_bulk(history)
    assert find_differing(vectors, ask_one_by_one(history)) == []
    still = [
        name
        for name, column in zip(FEATURE_NAMES, vectors.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    assert [name for name in still if not name.startswith("request_")] == []


def test_the_number_of_threads_and_of_parts_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history = draw_history(5, 800, 200)
    alone = ask_in_bulk(history, 1)
    assert find_differing(ask_in_bulk(history, 5), alone) == []
    monkeypatch.setattr("features.bulk.grouping._PART_ROWS", 10)
    assert find_differing(ask_in_bulk(history, 3), alone) == []


def test_the_order_of_requests_does_not_matter() -> None:
    history = draw_history(7, 400, 100)
    order = np.random.default_rng(1).permutation(100)
    shuffled = replace(
        history,
        requests=history.requests[order],
        request_keys=history.request_keys[order],
        is_named=history.is_named[order],
    )
    assert find_differing(ask_in_bulk(shuffled), ask_in_bulk(history)[order]) == []


@settings(max_examples=15)
@given(st.integers(0, 2**32))
def test_what_is_known_later_changes_nothing(seed: int) -> None:
    history = draw_history(seed, 80, 6)
    until_us = int(np.sort(history.requests["time_us"])[3])
    is_asked = history.requests["time_us"] <= until_us
    later = draw_history(seed + 1, 80, 1)
    later.rows["ingest_time_us"] = until_us + 1
    later.rows["event_time_us"] = np.minimum(later.rows["event_time_us"], until_us + 1)
    # Of the same entities: what is known is kept, what comes later is something else.
    known = history.rows["ingest_time_us"] <= until_us
    borrowed = np.random.default_rng(seed).integers(0, len(history.rows), len(later.rows))
    later_keys = history.row_keys[borrowed]
    later.rows["entity"] = history.rows["entity"][borrowed]
    scrambled = replace(
        history,
        rows=np.concatenate([history.rows[known], later.rows]),
        row_keys=np.concatenate([history.row_keys[known], later_keys]),
    )
    before, after = ask_in_bulk(history)[is_asked], ask_in_bulk(scrambled)[is_asked]
    assert find_differing(before, after) == []


def test_nothing_known_and_nothing_asked_are_answered() -> None:
    history = draw_history(3, 20, 5)
    empty = replace(history, rows=history.rows[:0], row_keys=history.row_keys[:0])
    assert find_differing(ask_in_bulk(empty), ask_one_by_one(empty)) == []
    unasked = replace(
        history,
        requests=history.requests[:0],
        request_keys=history.request_keys[:0],
        is_named=history.is_named[:0],
    )
    assert ask_in_bulk(unasked).shape == (0, len(FEATURE_NAMES))


@pytest.mark.slow
def test_without_the_compiler_the_same_bits_come_out(tmp_path: Path) -> None:
    program = """
import sys
import numpy as np
from features.compiled import IS_JIT_ON
from tests.features.bulk.test_bulk import ask_in_bulk
from tests.features.random_history import draw_history
assert not IS_JIT_ON
np.save(sys.argv[1], ask_in_bulk(draw_history(9, 300, 60)))
"""
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "got.npy")],
        check=True,
        env={**os.environ, "HEMOSTAT_JIT": "off"},
        cwd=Path(__file__).parents[3],
        timeout=250,
    )
    expected = ask_in_bulk(draw_history(9, 300, 60))
    assert find_differing(np.load(tmp_path / "got.npy"), expected) == []
