"""The contest: sequence networks against the boosted trees, same cases, same time split.

Each network comes in two forms. *Alone* it sees the tokens and the vector's columns; *on
the trees* it sees the tokens and may only add to the trees' log-odds (cross-fitted in
training, so that the network does not learn from trees that had seen the case). A form
wins if its PR-AUC on the later cases is surely higher by more than a hundredth of it (paired
bootstrap by customer, lower 95 % bound) and one row costs no more than the limit on top of
the trees: a network also needs the last events of every customer in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from training.booster_trees import compile_trees, from_booster
from training.cases import CaseSet
from training.evaluation.figures import Judged, compare_paired, compute_pr_auc_of
from training.evaluation.resampling import Draws, Estimate, Resampling
from training.facts import Flags
from training.growing import HeadParameters, Part, cross_fit
from training.heads import FittedHead, fit_head, predict_probability
from training.labelling.weights import compute_weights
from training.labels import HeadDefinition, label_cases
from training.learning import compute_baseline
from training.onnx_export import INPUT, build_model, open_session
from training.sequence.columns import ColumnScaling, fit_scaling, scale_columns
from training.sequence.fitting import (
    FitSettings,
    FittedNetwork,
    SequenceCases,
    fit_network,
    predict_logit,
)
from training.sequence.networks import GRU, TRANSFORMER, Network, NetworkSize
from training.sequence.onnx_graph import build_sequence_model
from training.sequence.tokens import TokenSet, read_tokens
from training.sources import LearningSource
from training.split import split_cases

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
Progress = Callable[[str, int, int], None]

NETWORKS = (GRU, TRANSFORMER)
MIN_GAIN_SHARE = 0.01
"""Of the trees' PR-AUC: gains below it are not worth an event ring in every record."""
MAX_ADDED_US = 150.0
"""A row may cost so much more than with the trees alone: the answer's budget is milliseconds."""
_N_TIMED = 300


@dataclass(frozen=True, slots=True)
class StudySettings:
    """What is compared, and how.

    Attributes:
        size: Of the networks; `n_inputs` is set by the form.
        fitting: How they are fitted.
        trees: How the trees are.
        resampling: Of customers.
        seed: Of everything random.
        max_cases: Of the train part, the latest ones; None: all.
    """

    size: NetworkSize = field(default_factory=NetworkSize)
    fitting: FitSettings = field(default_factory=FitSettings)
    trees: HeadParameters = field(default_factory=HeadParameters)
    resampling: Resampling = field(default_factory=Resampling)
    seed: int = 7
    max_cases: int | None = None


@dataclass(frozen=True)
class Finding:
    """How one contender did on the later cases.

    Attributes:
        name: `trees`, or network and form.
        pr_auc: With bounds over customers.
        gain: Its PR-AUC less that of the trees, paired; None for the trees.
        log_loss: Weighted mean.
        row_us: Median time of one row in ONNX Runtime, one thread, microseconds.
        onnx_difference: Greatest difference of the graph's probabilities.
        is_better: The gain is surely worth it and the row cheap enough.
    """

    name: str
    pr_auc: Estimate
    gain: Estimate | None
    log_loss: float
    row_us: float
    onnx_difference: float
    is_better: bool


@dataclass(frozen=True)
class Study:
    """The outcome of the contest for one head.

    Attributes:
        head: Name of the head.
        n_train: Cases learned from.
        n_test: Later cases.
        n_test_positive: Positives among them.
        tokens_per_case: Mean number of tokens that are no padding.
        findings: Per contender, the trees first.
        kept: What should serve: `trees`, or the best network that won.
    """

    head: str
    n_train: int
    n_test: int
    n_test_positive: int
    tokens_per_case: float
    findings: tuple[Finding, ...]
    kept: str


@dataclass(frozen=True, eq=False)
class _Side:
    """Cases of one side of the cut, with their tokens."""

    part: Part
    tokens: TokenSet


@dataclass(frozen=True, eq=False)
class _Contest:
    settings: StudySettings
    train: _Side
    test: _Side
    head: FittedHead
    scaling: ColumnScaling
    train_margin: Floats
    judged: Judged


def study_sequence(
    source: LearningSource,
    definition: HeadDefinition,
    settings: StudySettings,
    progress: Progress = lambda _step, _done, _total: None,
) -> Study:
    """Return how sequence networks compare with the trees on a head of a log.

    Args:
        source: The log, read.
        definition: The head.
        settings: What is compared.
        progress: Told how far it is.

    Raises:
        HemostatError: There are too few positives or negatives to learn from.
    """
    contest = _prepare(source, definition, settings, progress)
    findings = [_judge_trees(contest)]
    for network in NETWORKS:
        for is_on_trees in (False, True):
            findings.append(_judge_network(contest, network, is_on_trees, findings[0], progress))
    winners = [one for one in findings[1:] if one.is_better]
    kept = max(winners, key=lambda one: one.pr_auc.value).name if winners else "trees"
    test = contest.test.part
    return Study(
        head=definition.name,
        n_train=sum(contest.train.part.count_classes()),
        n_test=len(test),
        n_test_positive=int(test.label.sum()),
        tokens_per_case=float((contest.train.tokens.kind > 0).sum(axis=1).mean()),
        findings=tuple(findings),
        kept=kept,
    )


def _prepare(
    source: LearningSource, definition: HeadDefinition, settings: StudySettings, progress: Progress
) -> _Contest:
    cases = source.cases.cases[definition.call]
    progress("tokens", 0, 1)
    tokens = read_tokens(source.events, cases, settings.size.length)
    split = split_cases(cases.time_us, definition.horizon_us, source.cut_us, source.cases.end_us)
    train = _take_side(source, definition, cases, tokens, split.is_train, source.cut_us)
    if settings.max_cases is not None:
        train = _Side(
            _take_last(train.part, settings.max_cases),
            train.tokens.select(np.arange(len(train.tokens))[-settings.max_cases :]),
        )
    test = _take_side(source, definition, cases, tokens, split.is_test, source.cases.end_us)
    progress("trees", 0, 1)
    # A network adds to what stands before a bend: all contenders are calibrated by a line.
    trees = replace(settings.trees, n_knots=0)
    head = fit_head(train.part, trees, settings.seed, gives_hint=False)
    _, margin = cross_fit(train.part, head.caps, settings.trees, settings.seed)
    score = predict_probability(head, test.part.rows)
    judged = Judged(
        test.part.label, score, test.part.weight, np.ones(len(score)), test.part.group,
        np.zeros(len(score)),
    )  # fmt: skip
    return _Contest(
        settings,
        train,
        test,
        head,
        fit_scaling(train.part.rows),
        head.calibration.slope * margin + head.calibration.intercept,
        judged,
    )


def _take_side(
    source: LearningSource,
    definition: HeadDefinition,
    cases: CaseSet,
    tokens: TokenSet,
    is_side: Flags,
    as_of_us: int,
) -> _Side:
    """Return one side's cases whose outcome is known."""
    labels = label_cases(definition, cases, source.cases.facts, as_of_us)
    weight = compute_weights(cases.rows, labels, cases.group, is_side, seed=0).anchor
    is_in = is_side & (weight > 0.0)
    n = int(is_in.sum())
    part = Part(
        cases.rows[is_in], labels.value[is_in], weight[is_in], cases.group[is_in],
        np.ones(n),
    )  # fmt: skip
    return _Side(part, tokens.select(is_in))


def _take_last(part: Part, n: int) -> Part:
    is_kept = np.zeros(len(part), np.bool_)
    is_kept[-n:] = True
    return part.select(is_kept)


def _judge_trees(contest: _Contest) -> Finding:
    trees = compile_trees(
        from_booster(contest.head.booster, compute_baseline(contest.train.part)),
        contest.head.calibration,
        contest.head.caps,
    )
    rows = contest.test.part.rows
    found, row_us = _run(build_model({"p": trees}, rows.shape[1]), {INPUT: rows})
    judged = contest.judged
    draws = Draws(judged.cluster, contest.settings.resampling)
    return Finding(
        name="trees",
        pr_auc=draws.estimate(judged.weight, lambda weight: compute_pr_auc_of(judged, weight)),
        gain=None,
        log_loss=_compute_log_loss(judged),
        row_us=row_us,
        onnx_difference=float(np.abs(found - judged.score).max()),
        is_better=False,
    )


def _judge_network(
    contest: _Contest, network: Network, is_on_trees: bool, trees: Finding, progress: Progress
) -> Finding:
    name = f"{network.name} {'on the trees' if is_on_trees else 'alone'}"
    settings = contest.settings
    scaling = None if is_on_trees else contest.scaling
    n_inputs = 0 if scaling is None else len(scaling.place)
    size = replace(settings.size, n_inputs=n_inputs)
    learned = _to_cases(contest, contest.train, contest.train_margin, is_on_trees)
    fitted = fit_network(
        network,
        size,
        learned,
        settings.fitting,
        settings.seed,
        lambda done, total: progress(f"fit {name}", done, total),
    )
    margin = np.log(contest.judged.score) - np.log1p(-contest.judged.score)
    later = _to_cases(contest, contest.test, margin, is_on_trees)
    score = 1.0 / (1.0 + np.exp(-predict_logit(fitted, later)))
    found, row_us = _run_network(contest, fitted, scaling)
    judged = replace(contest.judged, score=score)
    draws = Draws(judged.cluster, settings.resampling)
    gain = compare_paired(judged, contest.judged.score, compute_pr_auc_of, settings.resampling)
    return Finding(
        name=name,
        pr_auc=draws.estimate(judged.weight, lambda weight: compute_pr_auc_of(judged, weight)),
        gain=gain,
        log_loss=_compute_log_loss(judged),
        row_us=row_us,
        onnx_difference=float(np.abs(found - score).max()),
        is_better=gain.low > MIN_GAIN_SHARE * trees.pr_auc.value
        and row_us - trees.row_us <= MAX_ADDED_US,
    )


def _to_cases(contest: _Contest, side: _Side, margin: Floats, is_on_trees: bool) -> SequenceCases:
    part = side.part
    columns = np.zeros((len(part), 0), np.float32)
    if not is_on_trees:
        columns = scale_columns(part.rows, contest.scaling)
    offset = margin if is_on_trees else np.zeros(len(part))
    return SequenceCases(side.tokens, columns, offset, part.label, np.sqrt(part.weight), part.group)


def _run_network(
    contest: _Contest, fitted: FittedNetwork, scaling: ColumnScaling | None
) -> tuple[Rows, float]:
    """Return the graph's probabilities of the later cases, and the time of a row."""
    rows, tokens = contest.test.part.rows, contest.test.tokens
    trees = None
    if scaling is None:
        baseline = compute_baseline(contest.train.part)
        booster = from_booster(contest.head.booster, baseline)
        trees = compile_trees(booster, contest.head.calibration, contest.head.caps)
    model = build_sequence_model(fitted, n_features=rows.shape[1], trees=trees, scaling=scaling)
    return _run(model, {"kind": tokens.kind, "scalars": tokens.scalars, INPUT: rows})


def _run(model: bytes, inputs: Mapping[str, npt.NDArray[np.generic]]) -> tuple[Rows, float]:
    session = open_session(model)
    found: Rows = session.run(None, dict(inputs))[0]
    took = []
    for row in range(min(_N_TIMED, len(found))):
        one = {name: values[row : row + 1] for name, values in inputs.items()}
        start = time.perf_counter()
        session.run(None, one)
        took.append(time.perf_counter() - start)
    return found, float(np.median(took) * 1e6)


def _compute_log_loss(judged: Judged) -> float:
    p = np.clip(np.where(judged.label > 0, judged.score, 1.0 - judged.score), 1e-12, 1.0)
    return float(np.average(-np.log(p), weights=judged.weight))
