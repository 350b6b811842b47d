"""One head from labels to measured trees: what the pipeline and the benchmark both do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.definition import FeatureDefinition
from features.definitions import FEATURES
from features.model_bundle.manifest import FeatureRange, HeadMetrics
from features.model_bundle.trees import TreeArrays
from training.booster_trees import compile_trees, from_booster
from training.calibration import LookErrors
from training.cases import CaseSet
from training.evaluation.head_metrics import evaluate
from training.facts import FactLog, Flags
from training.forward_fitting import fit_forward, is_forward
from training.growing import HeadParameters, Part
from training.heads import FittedHead, fit_head, predict_probability
from training.labelling.hindsight import look_back
from training.labelling.noise import InspectionError, estimate_error
from training.labelling.origins import build_label_book
from training.labelling.verdicts import find_confirmed_groups
from training.labelling.weights import Weights, compute_weights
from training.labels import HeadDefinition, Labels, label_cases
from training.split import Split, split_cases

Rows = npt.NDArray[np.float32]

USUAL_SPECIFICITY = 0.99
"""Share of honest cases that checks and appeals clear, where nobody states another."""
WIDEST_SENSITIVITY = 0.2
"""Cases looked at twice tell how much checks miss if its bounds are not farther apart."""
MIN_HONESTY = 0.5
"""Customers more likely honest than not make the typical good customer."""


@dataclass(frozen=True, eq=False)
class HeadParts:
    """The cases of a head, divided.

    Attributes:
        split: Which case belongs where, and when that is.
        train: Cases to learn from: mature and not censored; weighted if the outcome is known.
        test: Cases to measure on, likewise.
        test_rows: Vectors of all cases of the test period, censored ones, too.
    """

    split: Split
    train: Part
    test: Part
    test_rows: Rows


@dataclass(frozen=True, eq=False)
class LearnedHead:
    """A head, learned and measured.

    Attributes:
        definition: Its question.
        parts: Its cases.
        fitted: XGBoost's trees, caps, calibration and thresholds.
        trees: The same, compiled for the bundle.
        ranges: What training saw of each feature.
        test_score: Probabilities of the test part.
        metrics: Figures on them.
    """

    definition: HeadDefinition
    parts: HeadParts
    fitted: FittedHead
    trees: TreeArrays
    ranges: list[FeatureRange]
    test_score: npt.NDArray[np.float64]
    metrics: HeadMetrics | None


def divide_cases(
    definition: HeadDefinition,
    cases: CaseSet,
    facts: FactLog,
    cut_us: int,
    end_us: int,
    seed: int,
    checks: InspectionError | None = None,
) -> HeadParts:
    """Return a head's labelled cases before the cut and after it.

    Train sees the outcomes known at the cut, test those known at the end.

    Args:
        definition: The question.
        cases: All cases of its call.
        facts: All facts.
        cut_us: When the model is born.
        end_us: End of the log.
        seed: Seed of weights and guesses.
        checks: How well the shop's checks see; None: as cases looked at twice tell.
    """
    split = split_cases(cases.time_us, definition.horizon_us, cut_us, end_us)
    train, test = (
        label_part(definition, cases, facts, as_of_us, is_part, seed, checks)
        for as_of_us, is_part in ((cut_us, split.is_train), (end_us, split.is_test))
    )
    return HeadParts(split, train, test, cases.rows[split.is_test])


def label_part(
    definition: HeadDefinition,
    cases: CaseSet,
    facts: FactLog,
    as_of_us: int,
    is_part: Flags,
    seed: int,
    checks: InspectionError | None = None,
) -> Part:
    """Return the labelled cases of a part, as they were known at a time.

    Args:
        definition: The question.
        cases: All cases of its call: also those outside the part tell of its customers.
        facts: All facts; those known after `as_of_us` are not looked at.
        as_of_us: When somebody looks.
        is_part: Which cases are wanted, shape `(n,)`.
        seed: Seed of weights and guesses.
        checks: How well the shop's checks see; None: as cases looked at twice tell.
    """
    labels = label_cases(definition, cases, facts, as_of_us)
    weights = compute_weights(cases.rows, labels, cases.group, is_part, seed)
    # What happens after somebody looks must not even be counted.
    is_past = cases.time_us <= as_of_us
    part = _build_part(
        definition,
        cases.select(is_past),
        facts.as_of(as_of_us),
        weights.select(is_past),
        is_part[is_past],
        seed,
        checks,
    )
    return part.select((is_part & labels.is_candidate)[is_past])


def _build_part(
    definition: HeadDefinition,
    cases: CaseSet,
    facts: FactLog,
    weights: Weights,
    is_part: Flags,
    seed: int,
    checks: InspectionError | None,
) -> Part:
    """Return all cases with what is known of them, and with what hindsight says of the rest.

    A head that gives hints learns from guesses, too, and counts false alarms by honesty.
    """
    known = definition.find(cases, facts, definition.horizon_us)
    due_us = None if definition.find_due is None else definition.find_due(cases, facts)
    errors = _find_errors(facts, known, checks) if definition.gives_hint else None
    weight = weights.anchor
    label = np.where(weight > 0.0, known.value, 0.0)
    is_confirmed = np.isin(cases.group, find_confirmed_groups(facts)) | (label > 0.0)
    honesty = np.where(is_confirmed, 0.0, 1.0)
    seen = look_back(cases, known, weight, is_part, seed) if definition.gives_hint else None
    part = Part(
        cases.rows,
        label,
        weight,
        cases.group,
        honesty,
        lesson=np.where(weights.tree > 0.0, known.value, 0.0),
        lesson_weight=weights.tree,
        errors=errors,
        time_us=cases.time_us,
        due_us=due_us,
    )
    if seen is None:
        return part
    return replace(
        part,
        honesty=np.minimum(honesty, seen.honesty),
        lesson=seen.guess,
        lesson_weight=np.ones(len(cases)),
        expected_label=seen.expected,
    )


def _find_errors(
    facts: FactLog, known: Labels, checks: InspectionError | None
) -> LookErrors | None:
    """Return how verdicts err; None: nobody knows, so they are taken at their word.

    Cases that nobody had to look at (`is_selective` is not set) are what they are.
    """
    if checks is None:
        found = estimate_error(build_label_book(facts), specificity=USUAL_SPECIFICITY)
        if found is None or found.high - found.low > WIDEST_SENSITIVITY:
            return None
        checks = InspectionError(found.sensitivity, USUAL_SPECIFICITY)
    is_look = known.is_selective.astype(np.float64)
    return LookErrors((1.0 - checks.sensitivity) * is_look, (1.0 - checks.specificity) * is_look)


def learn_head(
    definition: HeadDefinition,
    parts: HeadParts,
    parameters: HeadParameters,
    seed: int,
    columns: Sequence[FeatureDefinition] = FEATURES,
) -> LearnedHead:
    """Return the head fitted on the train part and measured on the test part.

    Raises:
        HemostatError: There are too few positives or negatives to learn from.
    """
    fitted = _fit(definition, parts, parameters, seed, columns)
    baseline = compute_baseline(parts.train, columns)
    trees = compile_trees(from_booster(fitted.booster, baseline), fitted.calibration, fitted.caps)
    score = np.zeros(0)
    if len(parts.test):
        score = predict_probability(fitted, parts.test.rows)
    return LearnedHead(
        definition=definition,
        parts=parts,
        fitted=fitted,
        trees=trees,
        ranges=compute_ranges(parts.train.rows, fitted.caps, columns),
        test_score=score,
        metrics=evaluate(parts.test, score, fitted.find_thresholds(parts.test.rows), seed),
    )


def _fit(
    definition: HeadDefinition,
    parts: HeadParts,
    parameters: HeadParameters,
    seed: int,
    columns: Sequence[FeatureDefinition],
) -> FittedHead:
    """Return the head fitted forward in time where outcomes are due at a promised time.

    With too few cases for that, and for all other heads, it is cross-fitted.
    """
    train, cut_us = parts.train, parts.split.window.test_start_us
    parameters = adapt_parameters(parameters, definition)
    if is_forward(train, cut_us):
        return fit_forward(train, cut_us, parameters, seed, features=columns)
    return fit_head(train, parameters, seed, gives_hint=definition.gives_hint, features=columns)


def adapt_parameters(parameters: HeadParameters, definition: HeadDefinition) -> HeadParameters:
    """Return how a head's trees are grown, given how trees are grown usually."""
    return replace(
        parameters,
        max_trees=parameters.max_trees * definition.tree_factor,
        max_depth=parameters.max_depth + definition.extra_depth,
    )


def compute_baseline(train: Part, columns: Sequence[FeatureDefinition] = FEATURES) -> Rows:
    """Return the typical case of a good customer, shape `(F,)`; see `model_bundle.trees`."""
    rows = train.rows[train.honesty >= MIN_HONESTY]
    baseline = np.full(rows.shape[1], np.nan, np.float32)
    for column, feature in enumerate(columns):
        values = rows[:, column]
        values = np.sort(values[~np.isnan(values)])
        if 2 * len(values) <= len(rows):
            continue
        if feature.unit in {"code", "flag"}:
            kinds, counts = np.unique(values, return_counts=True)
            baseline[column] = kinds[np.argmax(counts)]
        else:
            baseline[column] = values[(len(values) - 1) // 2]
    return baseline


def compute_ranges(
    rows: Rows, caps: Rows, columns: Sequence[FeatureDefinition] = FEATURES
) -> list[FeatureRange]:
    """Return what a part holds of each feature, in order."""
    ranges = []
    for column, feature in enumerate(columns):
        values = rows[:, column]
        values = values[~np.isnan(values)]
        cap = float(caps[column]) if np.isfinite(caps[column]) else None
        high = float(values.max()) if len(values) else None
        ranges.append(
            FeatureRange(
                name=feature.name,
                low=float(values.min()) if len(values) else None,
                high=high if high is None or cap is None else min(high, cap),
                cap=cap,
                missing_share=1.0 - len(values) / max(len(rows), 1),
            )
        )
    return ranges
