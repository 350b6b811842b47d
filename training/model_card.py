"""The model card: what the manifest says, in words and one table, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from features.model_bundle import HeadManifest, HeadMetrics, Interval, Manifest

CARD_FILE = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class SkippedHead:
    """A head that could not be learned, and why."""

    name: str
    reason: str


_PURPOSE = """\
Probabilities that an order, a cancellation or a return goes wrong, for a hint to a
person (`APPROVE` or `VERIFY`), never for an automatic denial."""

_LIMITS = """\
## Limits

- Gradient-boosted trees on counts, values, rates and times of one customer and on the
  case itself; no article, address or device history yet.
- Money is winsorised at the 99 % quantile of training: greater values count as that
  one; `ranges` in the manifest says which.
- Platt scaling on customers whom the trees had not seen. A shift of the base rate after
  the training window shows in the calibration error, not in the ranking.
- Chances of a check, or of no offer, are estimated. What decides them and stands neither
  in the features nor in the inspection biases the probabilities.
"""

_HEADINGS = (
    "head",
    "labels",
    "train (positive)",
    "test (positive)",
    "prevalence",
    "PR-AUC",
    "ROC-AUC",
    "Brier",
    "calibration error",
    "trees",
)


def write_card(manifest: Manifest, skipped: list[SkippedHead]) -> str:
    """Return the card in Markdown; it names no version, since it is part of it."""
    libraries = ", ".join(f"{name} {v}" for name, v in sorted(manifest.libraries.items()))
    parts = [
        f"# Model card: {manifest.tenant}",
        "",
        _PURPOSE,
        "",
        f"- Event log: `{manifest.log_created_by or 'not said'}`, {manifest.log_incarnation}.",
        *_describe_origin(manifest),
        f"- Features: {len(manifest.schema)}, schema `{manifest.schema_hash}`.",
        f"- Reasons embedded by `{manifest.embedder}`.",
        f"- Seed {manifest.seed}; {libraries}.",
        "",
        "## Heads, measured on later cases",
        "",
        "Bounds: 95 %, resampling customers. Weighted where labels are (below).",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        "|---" * len(_HEADINGS) + "|",
        *(_write_row(head) for head in manifest.heads),
        "",
        *_write_hints(manifest.heads),
        "## What the labels mean",
        "",
        *(line for head in manifest.heads for line in _write_label(head)),
        *_write_skipped(skipped),
        _LIMITS,
    ]
    return "\n".join(parts)


def _describe_origin(manifest: Manifest) -> list[str]:
    lines = []
    if "simulate" in manifest.log_created_by:
        lines.append(
            "- **This log is simulated.** Its figures show that the machinery works, and say "
            "nothing about a real shop."
        )
    if manifest.simulated_log_incarnation:
        lines.append(
            "- **Heads with `simulated` labels** come from another, simulated log "
            f"({manifest.simulated_log_incarnation}): this tenant has no verdicts. They run in "
            "shadow: they give no hint and touch no budget."
        )
    return lines


def _write_row(head: HeadManifest) -> str:
    train = f"{head.n_train:,} ({head.n_train_positive:,})"
    start = f"| `{head.name}` | {head.label_source} | {train} "
    metrics = head.metrics
    if metrics is None:
        return start + f"| too few | | | | | | {head.n_trees} |"
    return start + (
        f"| {metrics.n:,} ({metrics.n_positive:,}) | {metrics.prevalence:.4f} "
        f"| {show_interval(metrics.pr_auc)} | {show_interval(metrics.roc_auc)} "
        f"| {metrics.brier:.4f} | {metrics.calibration_error:.4f} | {head.n_trees} |"
    )


def show_interval(interval: Interval) -> str:
    """Return a figure with its bounds, `0.435 [0.400, 0.482]`."""
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _write_hints(heads: list[HeadManifest]) -> list[str]:
    lines = [
        f"- `{head.name}` says `VERIFY` from {head.verify_threshold:.4f} on, set for "
        f"{head.false_alarm_target:.1%} of good customers' cases{_show_alarms(head.metrics)}."
        for head in heads
        if head.verify_threshold is not None and head.false_alarm_target is not None
    ]
    return ["## Hints", "", *lines, ""] if lines else []


def _show_alarms(metrics: HeadMetrics | None) -> str:
    if metrics is None or metrics.false_alarm_rate is None or metrics.recall is None:
        return ""
    return (
        f"; on later cases it flags {metrics.false_alarm_rate:.1%} of good customers' and "
        f"{metrics.recall:.1%} of abusive ones"
    )


def _write_label(head: HeadManifest) -> list[str]:
    window = head.window
    return [
        f"### `{head.name}`",
        "",
        head.label,
        "",
        (
            f"Learned on cases from {_day(window.train_start_us)} to before "
            f"{_day(window.train_end_us)}, with outcomes known on {_day(window.test_start_us)}; "
            f"measured on cases from then to before {_day(window.test_end_us)}."
        ),
        "",
    ]


def _write_skipped(skipped: list[SkippedHead]) -> list[str]:
    if not skipped:
        return []
    return ["## Not learned", "", *(f"- `{one.name}`: {one.reason}" for one in skipped), ""]


def _day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).date().isoformat()
