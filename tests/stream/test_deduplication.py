"""The first telling of an event holds: repetitions, contradictions and rows read again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.store.port import SEEN_DTYPE
from stream.deduplication import CONFLICT, DUPLICATE, NEW, decide_verdicts

Telling = tuple[int, int, int]
"""Event key, content hash and which row tells it."""


def _decide(events: list[Telling], remembered: dict[int, tuple[int, int]]) -> list[int]:
    keys, contents, tellings = np.array(events, np.uint64).reshape(-1, 3).T.copy()
    seen = np.array([remembered.get(key, (0, 0)) for key, _, _ in events], SEEN_DTYPE)
    verdicts: list[int] = decide_verdicts(keys, contents, tellings, seen).tolist()
    return verdicts


def _decide_one_by_one(events: list[Telling], remembered: dict[int, tuple[int, int]]) -> list[int]:
    held, verdicts = dict(remembered), []
    for key, content, telling in events:
        if key not in held:
            held[key] = content, telling
        first_content, first_telling = held[key]
        # Within a batch every row is a telling of its own.
        if telling == first_telling:
            verdicts.append(NEW)
        else:
            verdicts.append(DUPLICATE if content == first_content else CONFLICT)
    return verdicts


def test_an_event_told_again_is_a_repetition_or_a_conflict_by_its_content() -> None:
    events = [(7, 1, 100), (7, 1, 101), (7, 2, 102), (7, 1, 103)]
    assert _decide(events, {}) == [NEW, DUPLICATE, CONFLICT, DUPLICATE]


def test_a_row_read_again_after_a_crash_is_new_and_another_one_of_its_event_is_not() -> None:
    remembered = {7: (1, 100)}
    assert _decide([(7, 1, 100)], remembered) == [NEW]
    assert _decide([(7, 1, 200), (7, 1, 100)], remembered) == [DUPLICATE, NEW]


def test_what_is_remembered_holds_against_the_first_row_of_the_batch() -> None:
    assert _decide([(7, 2, 300), (7, 2, 301)], {7: (1, 100)}) == [CONFLICT, CONFLICT]


def test_events_whose_keys_share_a_slot_do_not_mix() -> None:
    # The table has 16 slots for few rows; the lowest bits choose.
    events = [(16 * n + 5, n, n) for n in range(1, 8)]
    assert _decide(events + [(key, content, 50 + key) for key, content, _ in events], {}) == (
        [NEW] * 7 + [DUPLICATE] * 7
    )


_EVENTS = st.lists(
    st.tuples(st.sampled_from([1, 2, 17, 33]), st.integers(1, 3)), min_size=1, max_size=40
)


@settings(deadline=None)
@given(_EVENTS, st.dictionaries(st.sampled_from([1, 17]), st.tuples(st.just(1), st.just(9_999))))
def test_a_batch_is_told_apart_as_its_events_one_by_one(
    told: list[tuple[int, int]], remembered: dict[int, tuple[int, int]]
) -> None:
    events = [(key, content, 1_000 + row) for row, (key, content) in enumerate(told)]
    assert _decide(events, remembered) == _decide_one_by_one(events, remembered)
