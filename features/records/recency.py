"""When a customer did something last, as their stored records say."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled, int64, int64_1d, uint8_1d_readonly, welded
from features.entities import LAYOUTS, N_ENTITIES, Entity
from features.records.activity import ACTIVITY_DTYPE
from features.records.history import HISTORY_DTYPE
from features.records.layouts import ACTIVITY, HISTORY, N_ACTIVITY_WORDS, N_HISTORY_WORDS
from features.records.packing import PackedRecords, clear_words, explain_damage, unpack_words

_CUSTOMER = int(Entity.CUSTOMER)
_ACTIVITY = int(Entity.ACTIVITY)
_HISTORY_WORD = HISTORY_DTYPE.fields["last_event_us"][1] // 8  # type: ignore[index]
_ACTIVITY_WORD = ACTIVITY_DTYPE.fields["last_event_us"][1] // 8  # type: ignore[index]


@welded
def _read_word(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    number: int,
    layout: int,
    words: npt.NDArray[np.uint64],
    word: int,
) -> Any:
    """Return one word of a stored record, 0 if it is missing, -1 if it is damaged."""
    start, end = ends[number - 1] if number > 0 else 0, ends[number]
    if start == end:
        return np.int64(0)
    is_sound = unpack_words(data, start, end, layout, words)
    value = np.int64(words[word]) if is_sound else np.int64(-1)
    clear_words(words, data, start)
    return value


@compiled(int64(uint8_1d_readonly, int64_1d, int64_1d, int64_1d))
def _read_last_events(
    data: npt.NDArray[np.uint8],
    ends: npt.NDArray[np.int64],
    firsts: npt.NDArray[np.int64],
    out: npt.NDArray[np.int64],
) -> int:
    """Return the number of the first damaged record, or -1."""
    history, activity = np.zeros(N_HISTORY_WORDS, np.uint64), np.zeros(N_ACTIVITY_WORDS, np.uint64)
    for i in range(firsts.shape[0]):
        number = firsts[i] + _CUSTOMER
        ordered_us = _read_word(data, ends, number, HISTORY, history, _HISTORY_WORD)
        if ordered_us < 0:
            return int(number)
        number = firsts[i] + _ACTIVITY
        active_us = _read_word(data, ends, number, ACTIVITY, activity, _ACTIVITY_WORD)
        if active_us < 0:
            return int(number)
        out[i] = max(ordered_us, active_us)
    return -1


def read_last_event_us(
    packed: PackedRecords, requests: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return when the latest event of each customer happened; 0: none is known.

    Args:
        packed: `N_ENTITIES` stored records per request, as `vector.compute_vectors` takes them.
        requests: Shape `(n,)`: which of the requests to look at.

    Returns:
        Shape `(n,)`, int64, microseconds UTC.

    Raises:
        SchemaMismatchError: A record is damaged.
    """
    out = np.empty(len(requests), np.int64)
    damaged = _read_last_events(packed.buffer, packed.ends, requests * N_ENTITIES, out)
    if damaged >= 0:
        raise explain_damage(packed.get_blob(damaged), LAYOUTS[damaged % N_ENTITIES])
    return out
