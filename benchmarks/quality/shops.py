"""One world from folder to scores: the task of the judged shop, the contenders, the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.quality.contenders import SEED, Contender, Scored, Task
from benchmarks.quality.contenders.trees import PARAMETERS
from benchmarks.quality.history import read_return_facts
from benchmarks.quality.worlds import (
    TrueCases,
    find_cut_us,
    load_cases,
    load_clicks,
    strip_rows,
)
from features.request_rows import Call
from training.cases import CaseSet
from training.evaluation.operating_points import find_threshold
from training.growing import HeadParameters, Part
from training.head_definitions import ABUSE_HEADS, FULL_HEADS
from training.heads import FittedHead, fit_head, predict_probability
from training.labelling.noise import InspectionError
from training.labels import HeadDefinition
from training.learning import divide_cases
from training.simulation import SimulationConfig
from training.sources import LearningSource, open_source

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

CHECKS = InspectionError(sensitivity=0.8, specificity=0.99)
"""What these shops state of their checks: a fifth is missed; one in fifty honest cases is blamed,
and half of these appeal with success."""
ORDER_ALARM_TARGET = 0.002
"""Orders outnumber returns by far: their share of the false alarms of a year is kept small."""


@dataclass(frozen=True, eq=False)
class JudgedClicks:
    """Later cancel clicks; arrays of `n` entries.

    Attributes:
        score: Hemostat's probability that the customer leaves if nothing is offered.
        p_leaves: The true one.
        group: Number of the customer.
    """

    score: Floats
    p_leaves: Floats
    group: Ints


@dataclass(frozen=True, eq=False)
class JudgedWorld:
    """A world's later returns with everybody's scores; arrays of `n` entries.

    Attributes:
        seed: Of the world.
        truth: The later returns.
        value_minor: What each is about.
        scored: By name of the contender.
        oracle: Scores of the learner with complete true labels of ten times the customers.
        told_all: Scores of the learner with complete true labels of its own customers: what is
            lost between it and the oracle is the price of size, the rest that of labels.
        order_truth: The later orders.
        is_order_alarm: Which of them hemostat flags.
        told_label: What checks told of each return by the end of the log, 0 or 1.
        told_weight: How many returns each checked one stands for; 0: nobody knows.
        clicks: The later cancel clicks.
        n_train: Matured returns before the cut.
        n_checked: Of them with a verdict.
    """

    seed: int
    truth: TrueCases
    value_minor: Floats
    scored: dict[str, Scored]
    oracle: Floats
    told_all: Floats
    order_truth: TrueCases
    is_order_alarm: Flags
    told_label: Floats
    told_weight: Floats
    clicks: JudgedClicks
    n_train: int
    n_checked: int


def judge_world(
    seed: int, config: SimulationConfig, folders: Sequence[Path], contenders: Sequence[Contender]
) -> JudgedWorld:
    """Return what everybody says of a world's later returns.

    Args:
        seed: Of the world.
        config: Of the judged shop.
        folders: Its prepared shops, the judged one first.
        contenders: Who competes.
    """
    cut_us = find_cut_us(config)
    heads = (*ABUSE_HEADS, *(head for head in FULL_HEADS if head.call is Call.CANCELLATION))
    source = open_source(folders[0] / "log", lambda *_: None, heads=heads, cut_us=cut_us)
    own = load_cases(folders[0], Call.RETURN)
    task, told = read_task(source)
    told_label, told_weight = (np.zeros(int(task.is_test.sum())) for _ in range(2))
    told_label[: len(told)], told_weight[: len(told)] = told.label, told.weight
    shops = [own, *(load_cases(folder, Call.RETURN) for folder in folders[1:])]
    oracle, told_all = fit_oracle(shops, cut_us), fit_oracle([own], cut_us)
    orders = load_cases(folders[0], Call.ORDER)
    later = orders.time_us >= cut_us
    return JudgedWorld(
        seed=seed,
        truth=strip_rows(_take(own, task.is_test)),
        value_minor=task.facts.value_minor[task.is_test],
        scored={one.name: one.run(task) for one in contenders},
        oracle=predict_probability(oracle, task.test_rows),
        told_all=predict_probability(told_all, task.test_rows),
        order_truth=strip_rows(_take(orders, later)),
        is_order_alarm=_flag_orders(source, later),
        told_label=told_label,
        told_weight=told_weight,
        clicks=_judge_clicks(source, folders[0]),
        n_train=len(task.train),
        n_checked=sum(task.train.count_classes()),
    )


def read_task(source: LearningSource) -> tuple[Task, Part]:
    """Return the returns of a shop's log, divided at its cut, and the labels told of the later.

    The later ones are those that matured by the end: the first of the task's, in its order.
    """
    definition, cases = _find_head(source, Call.RETURN)
    facts, end_us = source.cases.facts, source.cases.end_us
    parts = divide_cases(definition, cases, facts, source.cut_us, end_us, SEED, CHECKS)
    is_test = cases.time_us >= source.cut_us
    n_matured = int(parts.split.is_test.sum())
    assert len(parts.test) == n_matured
    assert parts.split.is_test[np.flatnonzero(is_test)[:n_matured]].all()
    task = Task(
        train=parts.train,
        test_rows=cases.rows[is_test],
        facts=read_return_facts(cases, facts),
        is_train=parts.split.is_train,
        is_test=is_test,
    )
    return task, parts.test


def fit_oracle(shops: Sequence[TrueCases], cut_us: int) -> FittedHead:
    """Return the same learner, taught by the truth of all returns of all shops before the cut."""
    parts, n_persons = [], 0
    for shop in shops:
        is_past = shop.time_us < cut_us
        parts.append(
            Part(
                shop.rows[is_past],
                shop.is_abuse[is_past].astype(np.float64),
                np.ones(int(is_past.sum())),
                shop.person[is_past] + n_persons,
                shop.is_good[is_past].astype(np.float64),
            )
        )
        n_persons += int(shop.person.max()) + 1
    whole = Part(
        rows=np.concatenate([part.rows for part in parts]),
        label=np.concatenate([part.label for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        group=np.concatenate([part.group for part in parts]),
        honesty=np.concatenate([part.honesty for part in parts]),
    )
    return fit_head(whole, PARAMETERS, SEED, gives_hint=False)


def find_recall(
    score: Floats, truth: TrueCases, target: float, weight: Floats | None = None
) -> float:
    """Return the share of abuse above the threshold that flags a share of good customers' cases."""
    times = np.ones(len(score)) if weight is None else weight
    threshold = find_threshold(score, times * truth.is_good, target)
    caught = times * truth.is_abuse
    return float(caught[score >= threshold].sum() / caught.sum())


def _flag_orders(source: LearningSource, later: Flags) -> Flags:
    """Return which later orders hemostat's own head flags."""
    definition, cases = _find_head(source, Call.ORDER)
    facts, end_us = source.cases.facts, source.cases.end_us
    parts = divide_cases(definition, cases, facts, source.cut_us, end_us, SEED, CHECKS)
    parameters = replace(PARAMETERS, false_alarm_target=ORDER_ALARM_TARGET)
    head = fit_head(parts.train, parameters, SEED, gives_hint=True)
    thresholds = head.find_thresholds(cases.rows[later])
    assert thresholds is not None
    return predict_probability(head, cases.rows[later]) >= thresholds


def _judge_clicks(source: LearningSource, folder: Path) -> JudgedClicks:
    definition, cases = _find_head(source, Call.CANCELLATION)
    facts, end_us = source.cases.facts, source.cases.end_us
    parts = divide_cases(definition, cases, facts, source.cut_us, end_us, SEED, CHECKS)
    head = fit_head(parts.train, HeadParameters(), SEED, gives_hint=False)
    truth = load_clicks(folder)
    place = pc.index_in(cases.event_id, pa.array(truth.event_id))
    later = (cases.time_us >= source.cut_us) & pc.is_valid(place).to_numpy(zero_copy_only=False)
    known = pc.fill_null(place, 0).to_numpy(zero_copy_only=False)
    return JudgedClicks(
        score=predict_probability(head, cases.rows[later]),
        p_leaves=truth.p_leaves[known[later]],
        group=cases.group[later],
    )


def _find_head(source: LearningSource, call: Call) -> tuple[HeadDefinition, CaseSet]:
    definition = next(head for head in source.heads if head.call is call)
    return definition, source.cases.cases[call]


def _take(cases: TrueCases, is_wanted: Flags) -> TrueCases:
    return TrueCases(**{name: value[is_wanted] for name, value in vars(cases).items()})
