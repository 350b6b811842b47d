"""The report as one HTML page: figures, plots with captions, model card; no script, no link out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from features.model_bundle import Manifest
from training.evaluation.figures import HeadFigures
from training.evaluation.money import CostMatrix
from training.evaluation.resampling import Estimate, Resampling
from training.evaluation.ring_detection import summarize_rings
from training.head_evaluation import HeadEvaluation
from training.model_card import SkippedHead, build_card
from training.report import words
from training.report.card_blocks import to_html
from training.report.language import LANGUAGES, Words, same, span, tag
from training.report.plots import plot_head
from training.report.row_plots import plot_coverage, plot_drivers, plot_ratios, plot_slices
from training.report.style import STYLE

_RECALL_TARGET: Final = 0.005
_MINOR_PER_MAJOR: Final = 100.0
_SWITCH: Final = (
    '<div class="switch" role="group" aria-label="Language / 语言">'
    '<label><input type="radio" name="language" id="en" checked> English</label>'
    '<label><input type="radio" name="language" id="zh-CN"> 中文</label></div>'
)


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What a page tells.

    Attributes:
        manifest: The bundle's; its metrics are not shown, but where it comes from is.
        version: The bundle's, to be shown; empty: the page is part of it and cannot know it.
        tenant: Whose cases were judged.
        is_simulated: The cases come from a simulated log.
        heads: What was found.
        skipped: Heads that could not be learned or judged, and why.
        costs: For the money.
        resampling: Draws behind the bounds.
    """

    manifest: Manifest
    version: str
    tenant: str
    is_simulated: bool
    heads: Sequence[HeadEvaluation]
    skipped: Sequence[SkippedHead]
    costs: CostMatrix
    resampling: Resampling


def build_page(content: ReportContent) -> str:
    """Return the HTML; equal content gives equal bytes."""
    first = min((one.from_us for one in content.heads), default=0)
    day = datetime.fromtimestamp(first / 1e6, UTC).date().isoformat()
    title = f"{words.TITLE.en} · {content.tenant}"
    lead = words.LEAD.fill(tenant=content.tenant, first=day, n=content.resampling.n_resamples)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        '<link rel="icon" href="data:,">',  # Else a browser asks its server for one.
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<header><h1>{span(words.TITLE)} · {escape(content.tenant)}</h1>{_SWITCH}</header>",
        tag("p", words.SUBTITLE, ' class="soft"'),
        tag("p", lead),
    ]
    if content.version:
        version = f" <code>{escape(content.version[:12])}</code>"
        parts.append(f'<p class="soft">{span(words.BUNDLE)}{version}</p>')
    if content.is_simulated:
        parts.append(tag("p", words.SIMULATED, ' class="warn"'))
    parts += [_build_navigation(content), _build_overview(content)]
    parts.append(tag("p", _describe_costs(content.costs), ' class="soft"'))
    parts += [_build_head(one, content.resampling) for one in content.heads]
    parts += [_build_skipped(content.skipped), _build_card(content)]
    parts.append(f"<footer>{tag('p', words.FOOT)}</footer></main></body></html>\n")
    return "\n".join(part for part in parts if part)


def name_head(head: str) -> Words:
    """Return what a head predicts, in words; its own name if it has none."""
    return words.HEADS.get(head, same(head))


def show_figure(head: str, figure: str, estimate: Estimate, digits: int, factor: float) -> str:
    """Return a figure as an element that also carries its exact value and bounds.

    Args:
        head: Name of the head.
        figure: Its path inside the head's figures, as in the JSON of `hemostat evaluate`.
        estimate: Value and bounds.
        digits: After the point.
        factor: From the figure's unit to the one shown.
    """
    shown = "–" if math.isnan(estimate.value) else _round(estimate.value * factor, digits)
    exact = "".join(
        f' {name}="{value!r}"'
        for name, value in (
            ("value", estimate.value), ("data-low", estimate.low), ("data-high", estimate.high),
        )
        if math.isfinite(value)
    )  # fmt: skip
    unit = "%" if factor == 100.0 and shown != "–" else ""
    return f'<data data-figure="{head}.{figure}"{exact}>{shown}{unit}</data>'


def show_bounds(estimate: Estimate, digits: int, factor: float) -> str:
    """Return the bounds of a figure in brackets; nothing without bounds."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    return f"[{_round(estimate.low * factor, digits)}, {_round(estimate.high * factor, digits)}]"


def _round(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # No figure is minus nothing.


def _describe_costs(costs: CostMatrix) -> Words:
    return words.COSTS.fill(
        missed=costs.missed_share * costs.scale, caught=costs.caught_share * costs.scale,
        check=costs.check_minor * costs.scale, insulted=costs.insulted_minor * costs.scale,
    )  # fmt: skip


def _build_navigation(content: ReportContent) -> str:
    links = [f'<a href="#{one.head}">{span(name_head(one.head))}</a>' for one in content.heads]
    return f'<nav>{"".join(links)}<a href="#card">{span(words.CARD)}</a></nav>'


def _build_overview(content: ReportContent) -> str:
    names = words.FIGURES
    headings = (
        words.COLUMNS["head"], words.COLUMNS["cases"], names["pr_auc"], names["roc_auc"],
        words.COLUMNS["recall_at"], words.COLUMNS["flagged"], names["money"],
        names["calibration_error"], names["slope"],
    )  # fmt: skip
    rows = []
    for one in content.heads:
        link = f'<a href="#{one.head}">{span(name_head(one.head))}</a>'
        figures = one.figures
        if figures is None:
            rows.append([link, f"{one.coverage.n_known:,}", *["–"] * 7])
            continue
        shown = [
            (figures.pr_auc, 3, 1.0), (figures.roc_auc, 3, 1.0),
            (figures.recall_at[_RECALL_TARGET], 1, 100.0), (figures.false_alarm_share, 2, 100.0),
            (figures.money, 0, 1.0 / _MINOR_PER_MAJOR), (figures.calibration_error, 4, 1.0),
            (figures.slope, 2, 1.0),
        ]  # fmt: skip
        cells = [
            "–" if e is None else _show_plain(e, digits, factor) for e, digits, factor in shown
        ]
        rows.append([link, f"{figures.n:,} ({figures.n_positive:,})", *cells])
    return tag("h2", words.OVERVIEW) + _build_table([span(one) for one in headings], rows)


def _show_plain(estimate: Estimate | None, digits: int, factor: float) -> str:
    """Return a figure with its bounds below, as a table has it."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    unit = "%" if factor == 100.0 else ""
    bounds = show_bounds(estimate, digits, factor)
    return f'{_round(estimate.value * factor, digits)}{unit}<br><span class="soft">{bounds}</span>'


def _build_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{one}</th>" for one in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll panel"><table><tr>{head}</tr>{body}</table></div>'


def _build_head(one: HeadEvaluation, resampling: Resampling) -> str:
    title = f'<h2>{span(name_head(one.head))} <code class="soft">{escape(one.head)}</code></h2>'
    parts = [f'<section id="{one.head}">', title]
    if one.label_source == "simulated":
        parts.append(tag("p", words.SHADOW, ' class="warn"'))
    figures, curves = one.figures, one.curves
    if figures is None or curves is None:
        return "".join([*parts, tag("p", words.TOO_FEW), "</section>"])
    parts += [_build_tiles(one.head, figures), _build_rings(one, resampling)]
    plots = plot_head(one, figures, curves)
    rows = {"slices": plot_slices(figures), "ratios": plot_ratios(figures)}
    plots |= {name: svg for name, svg in rows.items() if svg is not None}
    if one.drivers:
        plots["drivers"] = plot_drivers(one.drivers)
    plots["coverage"] = plot_coverage(one.coverage)
    figures_html = [_build_plot(name, plots[name]) for name in words.PLOTS if name in plots]
    parts += ['<div class="plots">', *figures_html, "</div>", _build_slices(figures), "</section>"]
    return "\n".join(parts)


def _build_plot(name: str, svg: str) -> str:
    heading, caption = words.PLOTS[name]
    return (
        f'<figure class="{name}">{tag("h3", heading)}{svg}'
        f"<figcaption>{span(caption)}</figcaption></figure>"
    )


def _build_tiles(head: str, figures: HeadFigures) -> str:
    target = f"recall_at.{_RECALL_TARGET}"
    tiles: list[tuple[str, str, Estimate | None, int, float]] = [
        ("pr_auc", "pr_auc", figures.pr_auc, 3, 1.0),
        ("roc_auc", "roc_auc", figures.roc_auc, 3, 1.0),
        ("recall_at", target, figures.recall_at[_RECALL_TARGET], 1, 100.0),
        ("false_alarm_share", "false_alarm_share", figures.false_alarm_share, 2, 100.0),
        ("recall", "recall", figures.recall, 1, 100.0),
        ("money", "money", figures.money, 0, 1.0 / _MINOR_PER_MAJOR),
        ("calibration_error", "calibration_error", figures.calibration_error, 4, 1.0),
        ("slope", "slope", figures.slope, 2, 1.0),
        ("top_ratio", "top_ratio", figures.top_ratio, 2, 1.0),
        ("brier_skill", "brier_skill", figures.brier_skill, 3, 1.0),
    ]
    values = {
        "prevalence": figures.prevalence,
        "floor": figures.error_floor,
        "threshold": figures.hint.threshold if figures.hint else 0.0,
        "precision": figures.hint.precision if figures.hint else 0.0,
    }
    found = []
    for name, path, estimate, digits, factor in tiles:
        if estimate is None:
            continue
        bounds = show_bounds(estimate, digits, factor) or "&nbsp;"
        found += [
            '<div class="tile">',
            tag("div", words.FIGURES[name], ' class="name"'),
            show_figure(head, path, estimate, digits, factor),
            f'<div class="bounds">{bounds}</div>',
            tag("div", _note(name, values), ' class="note"'),
            "</div>",
        ]
    many = " many" if figures.hint is not None else ""
    return f'<div class="tiles{many}">{"".join(found)}</div>'


def _build_rings(one: HeadEvaluation, resampling: Resampling) -> str:
    """Return how long new rings went unseen, where a truth tells of any."""
    found = summarize_rings(one.rings or (), resampling)
    if found is None:
        return ""
    days = words.NEVER
    if math.isfinite(found.days.value):
        days = words.DAYS.fill(days=found.days.value)
    told = Words(
        *(
            text.format(
                n=found.n, found=found.found_share.value, days=shown, before=found.n_before.value
            )
            for text, shown in zip(words.RINGS, days, strict=True)
        )
    )
    return tag("p", told)


def _note(name: str, values: dict[str, float]) -> Words:
    """Return what to compare a figure with; alarms that never sounded have no precision."""
    if name == "recall" and not math.isfinite(values["precision"]):
        return words.NO_ALARM
    return words.NOTES[name].fill(**values)


def _build_slices(figures: HeadFigures) -> str:
    if not figures.slices:
        return ""
    names = words.FIGURES
    headings = (
        words.COLUMNS["slice"], words.COLUMNS["cases"], names["pr_auc"], names["roc_auc"],
        words.COLUMNS["recall_at"], words.COLUMNS["flagged"], words.COLUMNS["ratio"],
    )  # fmt: skip
    rows = []
    for name, part in figures.slices.items():
        shown = [
            (part.pr_auc, 3, 1.0), (part.roc_auc, 3, 1.0),
            (part.recall_at[_RECALL_TARGET], 1, 100.0), (part.false_alarm_share, 2, 100.0),
            (part.total_ratio, 2, 1.0),
        ]  # fmt: skip
        cells = [
            "–" if e is None else _show_plain(e, digits, factor) for e, digits, factor in shown
        ]
        label = span(words.SLICE_NAMES.get(name, same(name)))
        rows.append([label, f"{part.n:,} ({part.n_positive:,})", *cells])
    table = _build_table([span(one) for one in headings], rows)
    return f"<details><summary>{span(words.SLICES)}</summary>{table}</details>"


def _build_skipped(skipped: Sequence[SkippedHead]) -> str:
    if not skipped:
        return ""
    items = "".join(
        f"<li><code>{escape(one.name)}</code>: {escape(one.reason)}</li>" for one in skipped
    )
    return f"<section>{tag('h2', words.NOT_JUDGED)}<ul>{items}</ul></section>"


def _build_card(content: ReportContent) -> str:
    cards = [
        f'<div lang="{language}">'
        f"{to_html(build_card(content.manifest, content.skipped, language))}</div>"
        for language in LANGUAGES
    ]
    return f'<section id="card" class="card">{"".join(cards)}</section>'
