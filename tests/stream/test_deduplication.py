from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.deduplication import decide_verdicts

_ROWS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 3)), max_size=30)


@given(rows=_ROWS, seen=st.dictionaries(st.integers(1, 6), st.integers(1, 3)))
def test_verdicts_equal_those_of_reading_row_by_row(
    rows: list[tuple[int, int]], seen: dict[int, int]
) -> None:
    held, expected = dict(seen), []
    for key, content in rows:
        if key not in held:
            held[key] = content
            expected.append("new")
        else:
            expected.append("duplicate" if held[key] == content else "conflict")
    verdicts = decide_verdicts(
        np.array([key for key, _ in rows], np.uint64),
        np.array([content for _, content in rows], np.uint64),
        np.array([seen.get(key, 0) for key, _ in rows], np.uint64),
    )
    masks = (verdicts.is_new, verdicts.is_duplicate, verdicts.is_conflict)
    names = ("new", "duplicate", "conflict")
    for place, name in enumerate(expected):
        assert [names[n] for n, mask in enumerate(masks) if mask[place]] == [name]
