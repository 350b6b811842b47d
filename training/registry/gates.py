"""The gates before a model may serve: a table of pure checks, each with value, bar and advice.

All gates are asked, also after one failed: a refusal names everything at once.
Figures are each model's own, on cases after its own cut: where two models were born at
different times, they were measured on different cases. Comparing both on the same
requests is another step, before promotion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from features.model_bundle.manifest import HeadManifest, HeadMetrics, Manifest
from training.evaluation.calibration_figures import N_CALIBRATION_BINS
from training.registry.gate_terms import Gate, Question

_Z95 = 1.96
_TRUSTED = "trusted"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def compute_gates(question: Question) -> list[Gate]:
    """Return what every gate says, in the order of the table.

    A model that nobody trusted signed, or that is not whole, is asked nothing more: its
    figures may be anybody's.
    """
    if question.candidate.distrust:
        return list(ask_signature(question))
    if question.candidate.fault:
        return list(ask_whole(question))
    return [found for ask in GATES for found in ask(question)]


def ask_whole(question: Question) -> Iterator[Gate]:
    """Would a server load it: files, checksums, schema, golden vectors?"""
    fault = question.candidate.fault
    yield Gate(
        name="whole",
        value=fault or "whole",
        rule="is",
        bar="whole",
        is_met=not fault,
        can_be_forced=False,
        advice="restore the bundle from a copy, or train again" if fault else "",
    )


def ask_signature(question: Question) -> Iterator[Gate]:
    """Did a trusted key sign it as it stands, where keys are configured?"""
    if not question.candidate.must_be_signed:
        return
    distrust = question.candidate.distrust
    yield Gate(
        name="signature",
        value=distrust or _TRUSTED,
        rule="is",
        bar=_TRUSTED,
        is_met=not distrust,
        can_be_forced=False,
        advice="`hemostat keys sign` it where a trusted key is, or train again" if distrust else "",
    )


def ask_tenant(question: Question) -> Iterator[Gate]:
    """Is it for the same tenant as the champion?"""
    if question.before is None:
        return
    value, bar = question.manifest.tenant, question.before.tenant
    yield Gate(
        name="tenant",
        value=value,
        rule="is",
        bar=bar,
        is_met=value == bar,
        can_be_forced=False,
        advice="" if value == bar else "keep one folder of bundles per tenant",
    )


def ask_champion(question: Question) -> Iterator[Gate]:
    """Can the champion be read, to be compared with?"""
    champion = question.champion
    if champion is None or champion.manifest is not None:
        return
    yield Gate(
        name="champion",
        value=champion.fault,
        rule="is",
        bar="readable",
        is_met=False,
        advice=f"restore {champion.name}, roll back, or force: there is nothing to compare with",
    )


def ask_heads(question: Question) -> Iterator[Gate]:
    """Does it answer all that the champion answers?"""
    if question.before is None:
        return
    lost = sorted(
        {head.name for head in question.before.heads}
        - {head.name for head in question.manifest.heads}
    )
    yield Gate(
        name="heads",
        value=f"without {', '.join(lost)}" if lost else "all",
        rule="is",
        bar="all",
        is_met=not lost,
        advice="train on a longer log: the report names why a head was not learned" if lost else "",
    )


def ask_parity(question: Question) -> Iterator[Gate]:
    """Did the graph equal XGBoost, without a changed hint?"""
    lineage = question.candidate.lineage
    known = {} if lineage is None else {one.head: one for one in lineage.parities}
    bar = question.bars.max_difference
    for head in question.manifest.heads:
        parity = known.get(head.name)
        value: float | str | None = None
        is_met = False
        if parity is not None and parity.n_changed_hints:
            value = f"{parity.n_changed_hints} changed hints"
        elif parity is not None:
            value = parity.max_difference
            is_met = parity.max_difference <= bar
        yield Gate(
            name="parity",
            head=head.name,
            value=value,
            rule="at most",
            bar=bar,
            is_met=is_met,
            advice="" if is_met else "train again with this version of hemostat",
        )


def ask_calibration(question: Question) -> Iterator[Gate]:
    """Do probabilities mean what they say, as far as so many cases can tell?

    A perfect model shows an error, too: the coin's, `compute_calibration_floor`. It is
    added to the bar, else heads with few later cases could never pass.
    """
    for head in question.manifest.heads:
        metrics = head.metrics
        if metrics is None:
            continue
        floor = compute_calibration_floor(metrics)
        yield _compare(
            "calibration_error",
            head,
            metrics.calibration_error,
            "at most",
            question.bars.max_calibration_error + floor,
            "look at the head's reliability plot; train with a later --cut or a longer log",
        )


def compute_calibration_floor(metrics: HeadMetrics) -> float:
    """Return about the error that a perfect model shows: mean |noise| of a bin's rate.

    >>> from features.model_bundle.manifest import Interval
    >>> metrics = HeadMetrics(n=4000, n_positive=2000, n_customers=1, prevalence=0.5,
    ...     pr_auc=Interval(value=1.0), roc_auc=Interval(value=1.0), brier=0.0,
    ...     calibration_error=0.0)
    >>> round(compute_calibration_floor(metrics), 4)
    0.0244
    """
    spread = metrics.prevalence * (1.0 - metrics.prevalence)
    return math.sqrt(2.0 / math.pi) * math.sqrt(max(spread, 0.0) * N_CALIBRATION_BINS / metrics.n)


def ask_measured(question: Question) -> Iterator[Gate]:
    """Was every head that gives hints measured on later cases?"""
    for head in question.manifest.heads:
        if head.verify_threshold is not None and head.metrics is None:
            yield Gate(
                name="measured",
                head=head.name,
                value=None,
                rule="is",
                bar="measured on later cases",
                is_met=False,
                advice="choose an earlier --cut, or wait for outcomes",
            )


def ask_recall(question: Question) -> Iterator[Gate]:
    """Does the hint find as much as the champion's, within the champion's interval?"""
    for head, metrics, former in _pair(question):
        if metrics.recall is None or former.recall is None:
            continue
        low = compute_wilson_low(former.recall, former.n_positive)
        yield _compare(
            "recall", head, metrics.recall, "at least", low,
            "the hint would miss more abuse: compare labels and later cases of both models",
        )  # fmt: skip


def ask_ranking(question: Question) -> Iterator[Gate]:
    """Does each head rank as well as the champion's, within the champion's interval?"""
    for head, metrics, former in _pair(question):
        if former.roc_auc.low is None:
            continue
        yield _compare(
            "roc_auc", head, metrics.roc_auc.value, "at least", former.roc_auc.low,
            "the head ranks worse than before: compare the logs that taught both models",
        )  # fmt: skip


def compute_wilson_low(share: float, n: int) -> float:
    """Return the lower bound of a share's 95 % interval (Wilson 1927).

    Cases count once here, whatever their weights: the bound is a little too high where
    weights are uneven.

    >>> round(compute_wilson_low(0.5, 100), 3)
    0.404
    """
    if n <= 0:
        return 0.0
    z2 = _Z95**2 / n
    middle = share + z2 / 2.0
    spread = _Z95 * math.sqrt(share * (1.0 - share) / n + z2 / n / 4.0)
    return max(0.0, (middle - spread) / (1.0 + z2))


def ask_honest_flagged(question: Question) -> Iterator[Gate]:
    """Does the hint leave good customers alone, on later cases?"""
    for head in question.manifest.heads:
        if head.metrics is not None and head.metrics.false_alarm_rate is not None:
            yield _compare(
                "honest_flagged_share",
                head,
                head.metrics.false_alarm_rate,
                "at most",
                question.bars.max_honest_flagged,
                "train with a smaller --false-alarms",
            )


def ask_age(question: Question) -> Iterator[Gate]:
    """Is what it knows recent, and not older than what the champion knows?"""
    born = _get_birth(question.manifest)
    days = (question.as_of - born) / timedelta(days=1)
    bar = question.bars.max_age_days
    yield Gate(
        name="age_days",
        value=round(days, 1),
        rule="at most",
        bar=bar,
        is_met=days <= bar,
        advice=""
        if days <= bar
        else "train on newer events; a replay is promoted with --as-of DAY",
    )
    if question.before is None:
        return
    former = _get_birth(question.before)
    yield Gate(
        name="born",
        value=born.date().isoformat(),
        rule="at least",
        bar=former.date().isoformat(),
        is_met=born >= former,
        advice="" if born >= former else "the champion knows newer events; train on them",
    )


GATES: tuple[Callable[[Question], Iterator[Gate]], ...] = (
    ask_whole,
    ask_signature,
    ask_tenant,
    ask_champion,
    ask_heads,
    ask_parity,
    ask_measured,
    ask_calibration,
    ask_honest_flagged,
    ask_recall,
    ask_ranking,
    ask_age,
)
"""All gates, in the order in which they are shown."""


def _pair(question: Question) -> Iterator[tuple[HeadManifest, HeadMetrics, HeadMetrics]]:
    """Yield the heads that both models have and that were measured, with both figures."""
    former = {} if question.before is None else {one.name: one for one in question.before.heads}
    for head in question.manifest.heads:
        other = former.get(head.name)
        if head.metrics is not None and other is not None and other.metrics is not None:
            yield head, head.metrics, other.metrics


def _compare(
    name: str,
    head: HeadManifest,
    value: float,
    rule: Literal["at most", "at least"],
    bar: float,
    advice: str,
) -> Gate:
    is_met = value <= bar if rule == "at most" else value >= bar
    return Gate(
        name=name,
        head=head.name,
        value=value,
        rule=rule,
        bar=bar,
        is_met=is_met,
        advice="" if is_met else advice,
    )


def _get_birth(manifest: Manifest) -> datetime:
    """Return when the newest of a model's heads was born."""
    born_us = max(head.window.test_start_us for head in manifest.heads)
    return _EPOCH + timedelta(microseconds=born_us)
