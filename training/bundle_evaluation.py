"""Judges a bundle on cases of a log that it did not learn from. All effects are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from features.errors import ConfigError, HemostatError
from features.model_bundle import Bundle, HeadManifest, read_bundle
from features.model_bundle.strata import find_thresholds
from features.request_rows import Call
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Floats, Resampling
from training.evaluation.ring_detection import RingDetection, detect_rings
from training.growing import Part
from training.head_evaluation import HeadEvaluation, evaluate_part, read_values
from training.labelling.noise import to_inspection_error
from training.labels import HeadDefinition
from training.learning import label_part
from training.model_card import SkippedHead
from training.onnx_export import open_session, run_model
from training.ring_truth import NO_RING, RingTruth, read_rings
from training.side_table import LINE_TABLE_FILE, read_line_table
from training.sources import LearningSource, Progress, keep_product_lines, open_source
from training.split import split_cases


@dataclass(frozen=True)
class EvaluationOptions:
    """What to judge on what.

    Attributes:
        bundle: A bundle, or a folder of bundles: the one in use.
        log: The event log.
        tenant: Whose events; None: the log's only tenant.
        lines: Side table of an import; None: the one in the log's folder, if it is there.
        from_us: The first case to judge; None: the bundle's birth.
        costs: For the money.
        resampling: How often, from which seed.
    """

    bundle: Path
    log: Path
    tenant: str | None = None
    lines: Path | None = None
    from_us: int | None = None
    costs: CostMatrix = field(default_factory=CostMatrix)
    resampling: Resampling = field(default_factory=Resampling)


@dataclass(frozen=True, eq=False)
class BundleEvaluation:
    """A bundle, judged.

    Attributes:
        bundle: As read and checked.
        tenant: Whose cases.
        log_created_by: What wrote the log.
        n_read: Rows of the log.
        costs: For the money.
        resampling: Draws behind the bounds.
        heads: What could be judged.
        skipped: What could not, and why.
    """

    bundle: Bundle
    tenant: str
    log_created_by: str
    n_read: int
    costs: CostMatrix
    resampling: Resampling
    heads: tuple[HeadEvaluation, ...]
    skipped: tuple[SkippedHead, ...]


def evaluate_bundle(
    options: EvaluationOptions, *, progress: Progress = lambda _step, _done, _total: None
) -> BundleEvaluation:
    """Return what each head of a bundle is worth on later cases of a log.

    Labels are those known at the end of the log, weighted as training weights them.

    Args:
        options: What and on what.
        progress: Told how far it is.

    Raises:
        HemostatError: The bundle or the log cannot be read, the cases asked for taught the
            bundle, or no head has labels there.
    """
    bundle = read_bundle(options.bundle)
    _check_start(bundle.manifest.heads, options.from_us)
    source = open_source(
        options.log, progress, tenant=options.tenant, attributes=bundle.manifest.attributes
    )
    lines = options.lines
    if lines is None and (options.log / LINE_TABLE_FILE).is_file():
        lines = options.log / LINE_TABLE_FILE
    if lines is not None:
        source = keep_product_lines(source, read_line_table(lines))
    rings = read_rings(options.log)
    judge = _Judge(bundle, source, rings, options)
    known = {definition.name: definition for definition in source.heads}
    found: list[HeadEvaluation] = []
    skipped: list[SkippedHead] = []
    heads = bundle.manifest.heads
    for n_done, head in enumerate(heads):
        progress(f"judge {head.name}", n_done, len(heads))
        definition = known.get(head.name)
        if definition is None:
            skipped.append(SkippedHead(head.name, "the log holds nothing that labels it"))
            continue
        one = judge.judge(head, definition)
        if one.coverage.n_cases == 0:
            skipped.append(SkippedHead(head.name, "no case after the start has matured"))
            continue
        found.append(one)
    progress("judge", len(heads), len(heads))
    if not found:
        raise HemostatError(
            "no head of the bundle can be judged on this log",
            field="LOG",
            value="; ".join(f"{one.name}: {one.reason}" for one in skipped),
            expectation="cases after the bundle's cut whose outcomes have matured",
            fix="use a log that goes on for longer, or a bundle with an earlier cut",
        )
    return BundleEvaluation(
        bundle, source.events.tenant, source.log.created_by, source.events.n_read,
        options.costs, options.resampling, tuple(found), tuple(skipped),
    )  # fmt: skip


class _Judge:
    """What the judging of every head of a bundle shares."""

    def __init__(
        self, bundle: Bundle, source: LearningSource, rings: RingTruth | None,
        options: EvaluationOptions,
    ) -> None:  # fmt: skip
        self._bundle = bundle
        self._source = source
        self._rings = rings
        self._options = options
        self._session = open_session(bundle.model)
        stated = bundle.manifest.checks
        self._checks = None if stated is None else to_inspection_error(stated)
        self._ring_of = {} if rings is None else _find_members(source, rings)

    def judge(self, head: HeadManifest, definition: HeadDefinition) -> HeadEvaluation:
        """Return what a head is worth on the later cases of its call."""
        start_us = self._options.from_us or head.window.test_start_us
        everything = self._source.cases
        cases = everything.cases[definition.call]
        end_us = everything.end_us
        split = split_cases(cases.time_us, definition.horizon_us, start_us, end_us)
        part = label_part(
            definition, cases, everything.facts, end_us, split.is_test,
            self._options.resampling.seed, self._checks,
        )  # fmt: skip
        score = self._score(head, part)
        members = np.array([self._ring_of.get(one, NO_RING) for one in part.group.tolist()])
        found = evaluate_part(
            msgspec.structs.replace(head, window=split.window),
            self._bundle.trees[head.name], part, score, self._bundle.manifest.schema,
            self._options.costs, self._options.resampling,
            members.astype(np.int64) if len(part) else None,
        )  # fmt: skip
        return replace(found, rings=self._detect(head, definition, start_us))

    def _score(self, head: HeadManifest, part: Part) -> Floats:
        if not len(part):
            return np.zeros(0)
        return run_model(self._session, part.rows, [head.name])[head.name].astype(np.float64)

    def _detect(
        self, head: HeadManifest, definition: HeadDefinition, start_us: int
    ) -> tuple[RingDetection, ...] | None:
        """Return how long rings went unseen whose first abusive case came after the start."""
        if self._rings is None or head.verify_threshold is None:
            return None
        cases = self._source.cases.cases[definition.call]
        ring = self._rings.find(cases, is_abuse_only=True)
        is_old = np.isin(ring, ring[(cases.time_us < start_us) & (ring >= 0)])
        chosen = np.flatnonzero((ring >= 0) & ~is_old)
        if not len(chosen):
            return ()
        score = run_model(self._session, cases.rows[chosen], [head.name])[head.name]
        value = read_values(cases.rows[chosen])
        thresholds = find_thresholds(
            cases.rows[chosen], head.verify_threshold, head.strata_thresholds
        )
        return detect_rings(ring[chosen], cases.time_us[chosen], score >= thresholds, value)


def _find_members(source: LearningSource, rings: RingTruth) -> Mapping[int, int]:
    """Return the ring of each customer's number that acts for one."""
    members: dict[int, int] = {}
    for call, cases in source.cases.cases.items():
        if call is not Call.ORDER_LINE:
            ring = rings.find(cases)
            is_in = ring >= 0
            members.update(zip(cases.group[is_in].tolist(), ring[is_in].tolist(), strict=True))
    return members


def _check_start(heads: list[HeadManifest], from_us: int | None) -> None:
    """Refuse to judge a bundle on cases from before its birth."""
    born_us = max(head.window.test_start_us for head in heads)
    if from_us is None or from_us >= born_us:
        return
    asked, born = (
        datetime.fromtimestamp(us / 1e6, UTC).date().isoformat() for us in (from_us, born_us)
    )
    raise ConfigError(
        "these cases may have taught the bundle",
        field="--from",
        value=asked,
        expectation=f"{born}, the bundle's birth, or later",
        fix="leave it out, or name a later day",
    )
