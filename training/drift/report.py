"""Looks at drift: today's cases, column by column and head by head, against a bundle's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from features.errors import ConfigError, MissingModelError
from features.model_bundle import Bundle, Manifest, read_bundle
from training.drift.logged_cases import CaseBatch, Window, iterate_cases, to_day
from training.drift.reference import (
    REFERENCE_FILE,
    CallReference,
    Ints,
    Predict,
    count_bins,
    decode_reference,
)
from training.drift.stability import Stability, StabilityBars, compute_stabilities
from training.onnx_export import open_session, run_model
from training.sources import Progress


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """What to look at.

    Attributes:
        bundle: The bundle, or a folder of bundles: its champion.
        log: A feature log, or an event log.
        from_us: The first moment; None: the bundle's birth, before which cases taught it.
        until_us: The moment before which cases end; None: no end.
        bars: Where `moved` and `drifted` begin.
    """

    bundle: Path
    log: Path
    from_us: int | None = None
    until_us: int | None = None
    bars: StabilityBars = field(default_factory=StabilityBars)


@dataclass(frozen=True, slots=True)
class CallDrift:
    """One call.

    Attributes:
        call: Lower-case name.
        n_cases: Cases looked at.
        n_customers: Distinct customers among them.
        columns: Every column, the farthest moved first.
        scores: Every head, the farthest moved first; none: scores cannot be made of these
            rows, since they lack the retailer's own columns.
    """

    call: str
    n_cases: int
    n_customers: int
    columns: tuple[Stability, ...]
    scores: tuple[Stability, ...]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What was found.

    Attributes:
        bundle: The bundle's folder.
        version: Hash of its content.
        tenant: Whose cases.
        from_day: The first day looked at (UTC).
        until_day: The day before which cases end; empty: no end.
        bars: Where `moved` and `drifted` begin.
        calls: What was looked at.
        unseen: Calls of the bundle without a case in this time.
    """

    bundle: Path
    version: str
    tenant: str
    from_day: str
    until_day: str
    bars: StabilityBars
    calls: tuple[CallDrift, ...]
    unseen: tuple[str, ...]

    @property
    def has_drifted(self) -> bool:
        """Whether a column or a score has drifted."""
        return any(
            one.state == "drifted" for call in self.calls for one in (*call.columns, *call.scores)
        )


def measure_drift(
    options: DriftOptions, *, progress: Progress = lambda _step, _done, _total: None
) -> DriftReport:
    """Return how far the cases of a log have moved from those that taught a bundle.

    Args:
        options: What to look at.
        progress: Told how far it is.

    Raises:
        MissingModelError: The bundle cannot be used, or has no reference.
        ConfigError: No case lies in the time asked for.
        HemostatError: The log cannot be read.
    """
    bundle = read_bundle(options.bundle)
    references = read_reference(bundle)
    heads = bundle.manifest.heads
    from_us = options.from_us
    if from_us is None:
        from_us = max(head.window.test_start_us for head in heads)
    window = Window(from_us, options.until_us)
    session = open_session(bundle.model)
    tallies = {call: _Tally(reference) for call, reference in references.items()}
    for batch in iterate_cases(options.log, bundle.manifest, window, progress):
        if batch.call in tallies:
            tallies[batch.call].add(batch, lambda rows: run_model(session, rows))
    found = [tally.measure(call, options.bars) for call, tally in tallies.items() if tally.n_cases]
    if not found:
        raise _describe_nothing(options, bundle.manifest, window)
    return DriftReport(
        bundle=bundle.folder,
        version=bundle.manifest.version,
        tenant=bundle.manifest.tenant,
        from_day=to_day(from_us),
        until_day="" if options.until_us is None else to_day(options.until_us),
        bars=options.bars,
        calls=tuple(found),
        unseen=tuple(call for call, tally in tallies.items() if not tally.n_cases),
    )


def read_reference(bundle: Bundle) -> dict[str, CallReference]:
    """Return a bundle's references by call; its checksums cover them.

    Raises:
        MissingModelError: There is none, or it cannot be read.
    """
    if REFERENCE_FILE not in bundle.manifest.files:
        raise MissingModelError(
            "the bundle has no reference for drift",
            field=REFERENCE_FILE,
            value="absent",
            expectation="a bundle of this version of hemostat",
            fix="train again",
        )
    return decode_reference((bundle.folder / REFERENCE_FILE).read_bytes())


class _Tally:
    """Counts of one call's cases over the bins of its reference."""

    def __init__(self, reference: CallReference) -> None:
        self._reference = reference
        self._columns = np.zeros_like(reference.columns.counts)
        self._scores = np.zeros_like(reference.scores.counts)
        self._customers: set[bytes] = set()
        self._n_guests = 0
        self._n_scored = 0
        self.n_cases = 0

    def add(self, batch: CaseBatch, predict: Predict) -> None:
        """Count some cases; rows without the retailer's own columns get no scores."""
        if not len(batch.rows):
            return
        width = len(self._reference.columns.names)
        n_found = batch.rows.shape[1]
        edges = self._reference.columns.edges
        self._columns[:n_found] += count_bins(edges[:n_found], batch.rows)
        if n_found == width:
            outputs = predict(np.ascontiguousarray(batch.rows))
            scores = np.column_stack([outputs[head] for head in self._reference.scores.names])
            self._scores += count_bins(self._reference.scores.edges, scores)
            self._n_scored += len(batch.rows)
        self._customers.update(filter(None, batch.customers))
        self._n_guests += sum(not customer for customer in batch.customers)
        self.n_cases += len(batch.rows)

    def measure(self, call: str, bars: StabilityBars) -> CallDrift:
        """Return how far the call's cases have moved."""
        n_now = len(self._customers) + self._n_guests
        columns, scores = self._reference.columns, self._reference.scores
        # Columns that the source does not have are not looked at.
        is_there = self._columns.sum(axis=1) > 0
        found = compute_stabilities(
            [name for name, there in zip(columns.names, is_there, strict=True) if there],
            columns.counts[is_there],
            self._columns[is_there],
            (columns.n_customers, n_now),
            bars,
        )
        of_scores: Sequence[Stability] = ()
        if self._n_scored:
            counts: tuple[Ints, Ints] = (scores.counts, self._scores)
            of_scores = compute_stabilities(
                scores.names, *counts, (scores.n_customers, n_now), bars
            )
        return CallDrift(
            call=call,
            n_cases=self.n_cases,
            n_customers=n_now,
            columns=tuple(sorted(found, key=lambda one: -one.psi)),
            scores=tuple(sorted(of_scores, key=lambda one: -one.psi)),
        )


def _describe_nothing(options: DriftOptions, manifest: Manifest, window: Window) -> ConfigError:
    return ConfigError(
        "there is no case to look at",
        field="LOG",
        value=str(options.log),
        expectation=f"cases of {manifest.tenant} from {to_day(window.from_us)} on",
        fix="name a log that goes on after the bundle's cut, or another --from",
    )
