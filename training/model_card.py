"""The model card: what the manifest says, in words and one table, for people of both languages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from features.attributes import AttributeColumn, AttributeKind, AttributePlan
from features.model_bundle import (
    CalibrationStanding,
    HeadManifest,
    HeadMetrics,
    Interval,
    Manifest,
)
from training.report import card_words as words
from training.report.card_blocks import Block, Bullets, Grid, Heading, Paragraph, to_markdown
from training.report.language import Language

CARD_FILES: Final[dict[Language, str]] = {"en": "MODEL_CARD.md", "zh-CN": "MODEL_CARD.zh-CN.md"}
"""Where the card of each language stands in a bundle."""


@dataclass(frozen=True, slots=True)
class SkippedHead:
    """A head that could not be learned, and why."""

    name: str
    reason: str


def write_cards(manifest: Manifest, skipped: Sequence[SkippedHead]) -> dict[str, bytes]:
    """Return the card in each language by its file; it names no version, being part of it."""
    return {
        file: to_markdown(build_card(manifest, skipped, language)).encode()
        for language, file in CARD_FILES.items()
    }


def build_card(
    manifest: Manifest, skipped: Sequence[SkippedHead], language: Language
) -> list[Block]:
    """Return the card in one language.

    Args:
        manifest: What the bundle says of itself.
        skipped: Heads that could not be learned.
        language: Which one.
    """
    return [
        Heading(1, words.TITLE.to(language).format(tenant=manifest.tenant)),
        Paragraph(words.PURPOSE.to(language)),
        Bullets(list(_describe_origin(manifest, language))),
        Heading(2, words.MEASURED.to(language)),
        Paragraph(words.BOUNDS.to(language)),
        Grid(
            [heading.to(language) for heading in words.HEADINGS],
            [_write_row(head, language) for head in manifest.heads],
        ),
        *_write_hints(manifest.heads, language),
        *_write_attributes(manifest.attributes, language),
        Heading(2, words.LABELS.to(language)),
        *(block for head in manifest.heads for block in _write_label(head, language)),
        *_write_skipped(skipped, language),
        Heading(2, words.LIMITS.to(language)),
        Bullets([item.to(language) for item in words.LIMIT_ITEMS]),
    ]


def _describe_origin(manifest: Manifest, language: Language) -> Iterator[str]:
    yield words.LOG.to(language).format(
        by=manifest.log_created_by or words.NOT_SAID.to(language),
        incarnation=manifest.log_incarnation,
    )
    if is_simulated(manifest.log_created_by):
        yield words.SIMULATED.to(language)
    if manifest.simulated_log_incarnation:
        yield words.SHADOW.to(language).format(incarnation=manifest.simulated_log_incarnation)
    yield words.FEATURES.to(language).format(
        n=len(manifest.schema), schema=manifest.schema_hash, embedder=manifest.embedder
    )
    if manifest.checks is not None:
        yield words.CHECKS.to(language).format(
            sensitivity=manifest.checks.sensitivity, specificity=manifest.checks.specificity
        )
    libraries = ", ".join(f"{name} {v}" for name, v in sorted(manifest.libraries.items()))
    yield words.VERSIONS.to(language).format(seed=manifest.seed, libraries=libraries)


def is_simulated(created_by: str) -> bool:
    """Return whether a log's maker is the simulator."""
    return "simulate" in created_by


def _write_row(head: HeadManifest, language: Language) -> list[str]:
    train = f"{head.n_train:,} ({head.n_train_positive:,})"
    start = [f"`{head.name}`", head.label_source, train]
    metrics = head.metrics
    if metrics is None:
        return [*start, words.TOO_FEW.to(language), *[""] * 5, str(head.n_trees)]
    return [
        *start,
        f"{metrics.n:,} ({metrics.n_positive:,})",
        f"{metrics.prevalence:.4f}",
        show_interval(metrics.pr_auc),
        show_interval(metrics.roc_auc),
        f"{metrics.brier:.4f}",
        f"{metrics.calibration_error:.4f}",
        str(head.n_trees),
    ]


def show_interval(interval: Interval) -> str:
    """Return a figure with its bounds, `0.435 [0.400, 0.482]`."""
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _write_hints(heads: Sequence[HeadManifest], language: Language) -> list[Block]:
    lines = [
        words.HINT.to(language).format(
            head=head.name,
            threshold=head.verify_threshold,
            strata="".join(
                words.STRATUM.to(language).format(name=name, threshold=threshold)
                for name, threshold in head.strata_thresholds.items()
            ),
            target=head.false_alarm_target,
            alarms=_show_alarms(head.metrics, language),
        )
        for head in heads
        if head.verify_threshold is not None and head.false_alarm_target is not None
    ]
    return [Heading(2, words.HINTS.to(language)), Bullets(lines)] if lines else []


def _show_alarms(metrics: HeadMetrics | None, language: Language) -> str:
    if metrics is None or metrics.false_alarm_rate is None or metrics.recall is None:
        return ""
    return words.ALARMS.to(language).format(rate=metrics.false_alarm_rate, recall=metrics.recall)


def _write_attributes(plan: AttributePlan | None, language: Language) -> list[Block]:
    if plan is None:
        return []
    rows = [
        [f"`{one.column}`", one.place.value, _name_values(one, language)] for one in plan.columns
    ]
    return [
        Heading(2, words.OWN_FIELDS.to(language)),
        Paragraph(words.OWN_FIELDS_MEANING.to(language)),
        Grid([heading.to(language) for heading in words.OWN_FIELDS_HEADINGS], rows),
    ]


def _name_values(column: AttributeColumn, language: Language) -> str:
    if column.kind is AttributeKind.CATEGORY:
        return words.CATEGORIES.to(language).format(n=len(column.categories))
    return f"{column.kind.value} {column.unit}".strip()


def _write_label(head: HeadManifest, language: Language) -> list[Block]:
    window = head.window
    meaning = head.label
    if language != "en" and head.name in words.LABEL_MEANINGS:
        meaning = words.LABEL_MEANINGS[head.name].format(days=head.horizon_days)
        if head.horizon_days == 0:
            meaning = words.BOOKING_MEANING
    return [
        Heading(3, f"`{head.name}`"),
        Paragraph(meaning),
        Paragraph(
            words.WINDOW.to(language).format(
                start=_day(window.train_start_us),
                end=_day(window.train_end_us),
                born=_day(window.test_start_us),
                until=_day(window.test_end_us),
            )
        ),
        Paragraph(_tell_calibration(head, language)),
    ]


def _tell_calibration(head: HeadManifest, language: Language) -> str:
    calibration = head.calibration
    told = words.CALIBRATED_LATEST if calibration.is_latest else words.CALIBRATED_FOLDS
    method = words.METHODS[calibration.method].to(language)
    start = told.to(language).format(method=method, n=calibration.n_cases)
    if not head.calibration_contest:
        return start
    losses = ", ".join(_tell_standing(one, language) for one in head.calibration_contest)
    return start + " " + words.CONTEST.to(language).format(losses=losses)


def _tell_standing(one: CalibrationStanding, language: Language) -> str:
    name, over = words.CANDIDATES[one.method].to(language), one.log_loss_over_platt
    if over.low is None or over.high is None or one.method == "platt":
        return f"{name} {one.log_loss:.5f}"
    return words.OVER_PLATT.to(language).format(
        method=name, loss=one.log_loss, over=over.value, low=over.low, high=over.high
    )


def _write_skipped(skipped: Sequence[SkippedHead], language: Language) -> list[Block]:
    if not skipped:
        return []
    items = [f"`{one.name}`: {one.reason}" for one in skipped]
    return [Heading(2, words.NOT_LEARNED.to(language)), Bullets(items)]


def _day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).date().isoformat()
