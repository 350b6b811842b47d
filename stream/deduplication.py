"""Which events of a batch are new, which are repetitions, and which contradict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What each row of a batch is; the three masks of shape `(n,)` exclude each other."""

    is_new: npt.NDArray[np.bool_]
    is_duplicate: npt.NDArray[np.bool_]
    is_conflict: npt.NDArray[np.bool_]


def decide_verdicts(
    event_keys: npt.NDArray[np.uint64],
    content_hashes: npt.NDArray[np.uint64],
    seen_hashes: npt.NDArray[np.uint64],
) -> Verdicts:
    """Return what each row is: the first telling of an event holds, whatever comes later.

    Args:
        event_keys: Shape `(n,)`, in log order; repetitions within the batch count.
        content_hashes: Shape `(n,)`, what each row says, never 0.
        seen_hashes: Shape `(n,)`, what the store remembers of each key, 0: nothing.

    >>> import numpy as np
    >>> verdicts = decide_verdicts(
    ...     np.array([7, 7, 8, 9], np.uint64),
    ...     np.array([1, 2, 3, 4], np.uint64),
    ...     np.array([0, 0, 3, 5], np.uint64),
    ... )
    >>> verdicts.is_new.tolist(), verdicts.is_duplicate.tolist(), verdicts.is_conflict.tolist()
    ([True, False, False, False], [False, False, True, False], [False, True, False, True])
    """
    _, first_places, groups = np.unique(event_keys, return_index=True, return_inverse=True)
    is_first = np.zeros(len(event_keys), np.bool_)
    is_first[first_places] = True
    is_unseen = seen_hashes == 0
    held_hashes = np.where(is_unseen, content_hashes[first_places][groups], seen_hashes)
    is_new = is_first & is_unseen
    is_same = content_hashes == held_hashes
    return Verdicts(is_new, is_same & ~is_new, ~is_same)
