"""Who learns from what: a split by time that the model's own birth would have had.

The model is born at the cut. It may know only outcomes that had matured by then,
so cases of the last horizon before the cut belong to no part:

    |-------- train --------|- horizon: maturing -|------ test ------|- horizon: maturing -|
    start          cut - horizon                 cut          end - horizon              end

The labels of train are those known at the cut, the labels of the test those known
at the end of the log. The number of trees, the calibration and the threshold come
from train, too, cross-fitted by customer (see `training.heads`).
"""

from __future__ import annotations

from dataclasses import dataclass

from features.definition import DAY_US
from features.model_bundle.manifest import TrainingWindow
from training.facts import Flags, Ints

DEFAULT_CUT_SHARE = 0.7
"""Share of the log before the cut if none is given: enough after it to mature a test part."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which cases belong to which part; flags of shape `(n,)`."""

    window: TrainingWindow
    is_train: Flags
    is_test: Flags


def compute_default_cut_us(start_us: int, end_us: int) -> int:
    """Return the midnight UTC before 70 % of the log.

    >>> compute_default_cut_us(0, 100 * DAY_US) // DAY_US
    70
    """
    return int(start_us + (end_us - start_us) * DEFAULT_CUT_SHARE) // DAY_US * DAY_US


def split_cases(time_us: Ints, horizon_us: int, cut_us: int, end_us: int) -> Split:
    """Return the parts of the cases by their time.

    Args:
        time_us: When each case happened.
        horizon_us: The label's horizon.
        cut_us: When the model is born.
        end_us: End of the log.
    """
    # A label matures at exactly time + horizon.
    train_end_us = cut_us - horizon_us + 1
    test_end_us = max(end_us - horizon_us + 1, cut_us)
    is_train = time_us < train_end_us
    return Split(
        window=TrainingWindow(
            train_start_us=int(time_us[is_train].min()) if is_train.any() else train_end_us,
            train_end_us=train_end_us,
            test_start_us=cut_us,
            test_end_us=test_end_us,
        ),
        is_train=is_train,
        is_test=(time_us >= cut_us) & (time_us < test_end_us),
    )
