"""Which events of a batch are new, which are repetitions, and which contradict."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.compiled import compiled, uint8_1d, uint64_1d, void

NEW = 0
"""Never told before, or this very telling, read again after a crash."""
DUPLICATE = 1
"""The same event told again with the same content."""
CONFLICT = 2
"""The same event told again with other content."""

_U0 = np.uint64(0)


def decide_verdicts(
    event_keys: npt.NDArray[np.uint64],
    content_hashes: npt.NDArray[np.uint64],
    tellings: npt.NDArray[np.uint64],
    seen: npt.NDArray[Any],
) -> npt.NDArray[np.uint8]:
    """Return what each event is: the first telling of it holds, whatever comes later.

    Args:
        event_keys: Shape `(n,)`, in the order read; repetitions within the batch count.
        content_hashes: Shape `(n,)`, what each says, never 0.
        tellings: Shape `(n,)`, which row says it, never 0.
        seen: Shape `(n,)` of `SEEN_DTYPE`: what is remembered of each key, zeros: nothing.

    Returns:
        Shape `(n,)`: `NEW`, `DUPLICATE` or `CONFLICT`.

    >>> import numpy as np
    >>> numbers = lambda *values: np.array(values, np.uint64)
    >>> seen = np.array([(0, 0), (0, 0), (3, 1), (5, 1), (6, 9)], "<u8,<u8")
    >>> decide_verdicts(
    ...     numbers(7, 7, 8, 9, 6), numbers(1, 2, 3, 4, 6), numbers(5, 6, 7, 8, 9), seen
    ... ).tolist()
    [0, 2, 1, 2, 0]
    """
    verdicts = np.empty(len(event_keys), np.uint8)
    words = np.ascontiguousarray(seen).view(np.uint64)
    _decide(event_keys, content_hashes, tellings, words, verdicts)
    return verdicts


@compiled(void(uint64_1d, uint64_1d, uint64_1d, uint64_1d, uint8_1d))
def _decide(keys: Any, contents: Any, tellings: Any, seen: Any, verdicts: Any) -> None:
    """Fill `verdicts`; `seen` holds content hash and telling of each row in turn."""
    n = keys.shape[0]
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, np.int64)
    mask = np.uint64(size - 1)
    for i in range(n):
        content, telling = seen[2 * i], seen[2 * i + 1]
        if content == _U0:  # The first of the batch is what will be remembered.
            slot = np.int64(keys[i] & mask)
            while table[slot] >= 0 and keys[table[slot]] != keys[i]:
                slot = (slot + 1) & (size - 1)
            if table[slot] < 0:
                table[slot] = i
                verdicts[i] = NEW
                continue
            content = contents[table[slot]]
        elif telling == tellings[i]:
            verdicts[i] = NEW
            continue
        verdicts[i] = DUPLICATE if content == contents[i] else CONFLICT
