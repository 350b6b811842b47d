"""How the columns and scores of a model's cases were spread at training: `reference.npz`."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from features.errors import MissingModelError
from features.model_bundle import HeadManifest
from features.request_rows import Call
from training.cases import CaseSet

REFERENCE_FILE = "reference.npz"
N_BINS = 20
MIN_LATER_CASES = 500
"""So many cases after the cut give the reference of scores; fewer: the cases before it."""
MAX_CASES = 20_000
"""More are thinned evenly in time: bins need no more."""

Rows = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Predict = Callable[[Rows], Mapping[str, Rows]]
"""Returns each head's probabilities, shape `(n,)`, of rows `(n, F)`."""


@dataclass(frozen=True, eq=False)
class Spread:
    """How `k` quantities were spread.

    Attributes:
        names: Of the quantities.
        edges: Shape `(k, N_BINS - 1)`, float32, rising; positive infinity behind the last one
            used. Bin `j` holds `edges[j - 1] < value <= edges[j]`.
        counts: Shape `(k, N_BINS + 1)`, int64: cases per bin, the missing ones last.
        n_customers: Distinct customers behind the cases; each case of a guest is one.
    """

    names: tuple[str, ...]
    edges: Rows
    counts: Ints
    n_customers: int


@dataclass(frozen=True, eq=False)
class CallReference:
    """What training saw at one call: its columns before the cut, its scores after it."""

    columns: Spread
    scores: Spread


@dataclass(frozen=True, eq=False)
class CallCases:
    """Cases of one call: their rows, times and customers, arrays of `n` entries."""

    rows: Rows
    time_us: Ints
    group: Ints

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.time_us)

    def select(self, is_wanted: npt.NDArray[np.bool_]) -> CallCases:
        """Return some of them, thinned evenly to `MAX_CASES`."""
        places = np.flatnonzero(is_wanted)
        if len(places) > MAX_CASES:
            places = places[np.linspace(0, len(places) - 1, MAX_CASES).astype(np.int64)]
        return CallCases(self.rows[places], self.time_us[places], self.group[places])


def describe_cases(
    cases: Mapping[Call, CaseSet],
    cut_us: int,
    columns: Sequence[str],
    heads: Sequence[HeadManifest],
    predict: Predict,
) -> bytes:
    """Return the content of `reference.npz` for a tenant's own cases.

    Args:
        cases: Of the tenant's log; calls without a head are left out, and so are heads of
            calls that the log does not have (learned from a simulated one).
        cut_us: When the model is born.
        columns: Names of the rows' columns.
        heads: All heads of the model.
        predict: The model.
    """
    found = {}
    for call, one in cases.items():
        names = [head.name for head in heads if head.call == call.name.lower()]
        if not names:
            continue
        of_call = CallCases(one.rows, one.time_us, one.group)
        reference = make_reference(of_call, cut_us, columns, names, predict)
        if reference is not None:
            found[call.name.lower()] = reference
    return encode_reference(found)


def make_reference(
    cases: CallCases, cut_us: int, columns: Sequence[str], heads: Sequence[str], predict: Predict
) -> CallReference | None:
    """Return the reference of a call; None: nothing happened before the cut.

    Columns are those of the cases before the cut, which taught the model. Scores are
    those of the cases after it: a model is too sure of the cases that taught it, and
    later ones would seem to have drifted for that alone. Where there are fewer than
    `MIN_LATER_CASES` of them, the cases before the cut must do.

    Args:
        cases: Of the call, in log order.
        cut_us: When the model is born.
        columns: Names of the rows' columns.
        heads: Heads of the call.
        predict: The model.
    """
    before = cases.select(cases.time_us < cut_us)
    if not len(before):
        return None
    later = cases.select(cases.time_us >= cut_us)
    scored = later if len(later) >= MIN_LATER_CASES else before
    outputs = predict(scored.rows)
    scores = np.column_stack([outputs[head] for head in heads]).astype(np.float32)
    return CallReference(
        compute_spread(columns, before.rows, before.group),
        compute_spread(heads, scores, scored.group),
    )


def compute_spread(names: Sequence[str], values: Rows, group: Ints) -> Spread:
    """Return how quantities are spread over bins that hold about equal shares.

    Args:
        names: Of the `k` quantities.
        values: Shape `(n, k)`, NaN for missing.
        group: Customers, shape `(n,)`.
    """
    edges = np.full((len(names), N_BINS - 1), np.inf, np.float32)
    for place in range(len(names)):
        chosen = _choose_edges(values[:, place])
        edges[place, : len(chosen)] = chosen
    return Spread(tuple(names), edges, count_bins(edges, values), len(np.unique(group)))


def count_bins(edges: Rows, values: Rows) -> Ints:
    """Return cases per bin, shape `(k, N_BINS + 1)`, the missing ones last.

    >>> edges = np.full((1, N_BINS - 1), np.inf, np.float32)
    >>> edges[0, :2] = 0.0, 1.0
    >>> count_bins(edges, np.array([[0.0], [0.5], [9.0], [np.nan]], np.float32))[0, [0, 1, 2, -1]]
    array([1, 1, 1, 1])
    """
    counts = np.zeros((len(edges), N_BINS + 1), np.int64)
    for place, inner in enumerate(edges):
        column = values[:, place]
        bins = np.searchsorted(inner, column, side="left")
        bins[np.isnan(column)] = N_BINS
        counts[place] = np.bincount(bins, minlength=N_BINS + 1)
    return counts


def _choose_edges(column: Rows) -> Rows:
    """Return the inner edges of a column: quantiles, or each value where there are few.

    The greatest value is an edge where it is frequent: a value above all that training
    saw then has a bin of its own.
    """
    values = np.sort(column[~np.isnan(column)])
    if not len(values):
        return values
    kinds = np.unique(values)
    if len(kinds) < N_BINS:
        return kinds
    shares = np.arange(1, N_BINS) / N_BINS
    return np.unique(np.quantile(values, shares, method="inverted_cdf"))


def encode_reference(calls: Mapping[str, CallReference]) -> bytes:
    """Return the content of `reference.npz`; equal references give equal bytes."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for call, reference in calls.items():
        for part, spread in (("columns", reference.columns), ("scores", reference.scores)):
            arrays[f"{call}/{part}/names"] = np.array(spread.names)
            arrays[f"{call}/{part}/edges"] = spread.edges
            arrays[f"{call}/{part}/counts"] = spread.counts
            arrays[f"{call}/{part}/n_customers"] = np.array(spread.n_customers)
    buffer = io.BytesIO()
    # numpy stamps every entry 1980, so bytes are stable; arrays by name, none is `allow_pickle`.
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def decode_reference(content: bytes) -> dict[str, CallReference]:
    """Return the references by call.

    Raises:
        MissingModelError: It cannot be read, or arrays do not fit each other.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            calls = dict.fromkeys(name.split("/")[0] for name in archive.files)
            return {
                call: CallReference(
                    _decode_spread(archive, f"{call}/columns"),
                    _decode_spread(archive, f"{call}/scores"),
                )
                for call in calls
            }
    except (ValueError, KeyError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise MissingModelError(
            "the bundle's reference for drift cannot be read",
            field=REFERENCE_FILE,
            value=str(error)[:100],
            expectation="the counts that training wrote",
            fix="restore the bundle from a copy, or train again",
        ) from error


def _decode_spread(archive: Mapping[str, Any], name: str) -> Spread:
    names = tuple(str(one) for one in archive[f"{name}/names"])
    edges, counts = archive[f"{name}/edges"], archive[f"{name}/counts"]
    shapes = ((len(names), N_BINS - 1), (len(names), N_BINS + 1))
    if (edges.shape, counts.shape) != shapes or counts.dtype != np.int64 or counts.min() < 0:
        raise ValueError(f"{name} does not fit its names")
    return Spread(names, edges.astype(np.float32), counts, int(archive[f"{name}/n_customers"]))
