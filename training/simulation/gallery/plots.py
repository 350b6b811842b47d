"""The plots: each takes a world and a language and returns an SVG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.simulation.gallery.words import Language, translate
from training.simulation.gallery.world_view import MONTH_DAYS, CaseFacts, Flags, Floats, WorldView
from training.simulation.patterns import LookAlike, Pattern

_ABUSE: Final = "#c2452d"
_HONEST: Final = "#2f6c9e"
_GREY: Final = "#8a8f94"
_SERIES: Final = (
    "#c2452d",
    "#e39b3b",
    "#7b9e3c",
    "#2f8f83",
    "#2f6c9e",
    "#6a5aa8",
    "#b05a8c",
    _GREY,
)
_MIN_CASES: Final = 20

_PAIRS: Final = (
    (Pattern.WARDROBING, LookAlike.LATE_RETURNER),
    (Pattern.WARDROBING, LookAlike.OCCASION_CANCELLED),
    (Pattern.BRACKETING, LookAlike.SIZE_UNSURE),
    (Pattern.SERIAL_RETURNER, LookAlike.HEAVY_BUYER),
    (Pattern.EMPTY_BOX, LookAlike.PARCEL_STOLEN),
    (Pattern.EMPTY_BOX, LookAlike.WAREHOUSE_MIXUP),
)

Plot = Callable[[WorldView, Language], str]


def _draw(
    rows: int, columns: int, height: float, fill: Callable[[Any], None], width: float = 9.6
) -> str:
    """Return a figure as SVG; equal worlds give equal bytes.

    Text stays text: the reader's browser has the Chinese glyphs, this machine need not.
    """
    style: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "gallery", "font.size": 9.0,
             "font.sans-serif": ["DejaVu Sans"], "axes.spines.top": False,
             "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        fill(figure.subplots(rows, columns, squeeze=False))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _by_month(days: Floats, n_months: int) -> Floats:
    """Return the counts of whole months; what lies beyond the last one is left out."""
    month = np.minimum((days / MONTH_DAYS).astype(np.int64), n_months)
    return np.bincount(month, minlength=n_months + 1)[:n_months].astype(np.float64)


def _count_months(world: WorldView) -> int:
    return max(int(world.order_days.max() // MONTH_DAYS), 1)


def _share(part: Floats, whole: Floats) -> Floats:
    found: Floats = 100.0 * part / np.maximum(whole, 1.0)
    return found


def plot_rates(world: WorldView, language: Language) -> str:
    """Draw orders, and the shares returned, cancelled and abusive, by month."""
    n = _count_months(world)
    orders = _by_month(world.order_days, n)
    returns = _by_month(world.returns.days, n)
    lines = {
        "orders with a return": _share(_by_month(world.order_days[world.came_back], n), orders),
        "orders cancelled by customer": _share(
            _by_month(world.order_days[world.was_cancelled], n), orders
        ),
        "abuse among returns": _share(
            _by_month(world.returns.days[world.returns.is_abuse], n), returns
        ),
    }

    def fill(axes: Any) -> None:
        months = np.arange(1, n + 1)
        axes[0, 0].bar(months, orders, color=_GREY)
        axes[0, 0].set(xlabel=translate("month", language), title=translate("orders", language))
        for (name, values), colour in zip(lines.items(), (_HONEST, _GREY, _ABUSE), strict=True):
            axes[0, 1].plot(
                months, values, marker="o", markersize=3, label=translate(name, language),
                color=colour,
            )  # fmt: skip
        axes[0, 1].set(xlabel=translate("month", language), ylim=(0.0, None), ylabel="%")
        for one in axes[0]:
            one.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0, 1].legend(frameon=False)

    return _draw(1, 2, 3.0, fill)


def plot_holds(world: WorldView, language: Language) -> str:
    """Draw how long goods are held, honest and abusive, and for three patterns."""
    returns = world.returns
    known = ~np.isnan(returns.hold_days)
    bins = np.arange(0.0, 35.0, 1.5)

    def fill(axes: Any) -> None:
        for is_abuse, name, colour in ((False, "honest", _HONEST), (True, "abuse", _ABUSE)):
            held = returns.hold_days[known & (returns.is_abuse == is_abuse)]
            _draw_histogram(axes[0, 0], held, bins, translate(name, language), colour)
        for kind, colour in (
            (Pattern.WARDROBING, _SERIES[0]), (LookAlike.LATE_RETURNER, _SERIES[4]),
            (Pattern.BRACKETING, _SERIES[1]), (LookAlike.SIZE_UNSURE, _SERIES[3]),
        ):  # fmt: skip
            held = returns.hold_days[known & (returns.kinds == kind.value)]
            _draw_histogram(axes[0, 1], held, bins, translate(kind.value, language), colour)
        for one in axes[0]:
            one.set(xlabel=translate("days from delivery to the return request", language))
            one.set(ylabel=translate("% of cases", language))
            _show_legend(one)

    return _draw(1, 2, 3.0, fill)


def _show_legend(axes: Axes, **options: Any) -> None:
    """Show the legend, if anything was drawn: a short world lacks some kinds."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, **options)


def _draw_histogram(axes: Axes, values: Floats, bins: Floats, label: str, colour: str) -> None:
    if len(values) < _MIN_CASES:
        return
    counts, edges = np.histogram(values, bins)
    axes.stairs(100.0 * counts / len(values), edges, label=label, color=colour, linewidth=1.6)


def plot_reasons(world: WorldView, language: Language) -> str:
    """Draw the reason codes of returns and of cancel clicks, honest beside abusive."""

    def fill(axes: Any) -> None:
        for place, (facts, name) in enumerate(
            ((world.returns, "returns"), (world.clicks, "cancel clicks"))
        ):
            _draw_codes(axes[0, place], facts, language)
            axes[0, place].set_title(translate(name, language))
        axes[0, 0].legend(frameon=False, loc="lower right")

    return _draw(1, 2, 4.6, fill)


def _draw_codes(axes: Axes, facts: CaseFacts, language: Language) -> None:
    codes, counts = np.unique(facts.codes[facts.codes != ""], return_counts=True)
    codes = codes[np.argsort(counts)][-12:]
    for offset, is_abuse, name, colour in (
        (0.2, False, "honest", _HONEST), (-0.2, True, "abuse", _ABUSE),
    ):  # fmt: skip
        chosen = facts.codes[facts.is_abuse == is_abuse]
        shares = [100.0 * float((chosen == code).mean()) if len(chosen) else 0.0 for code in codes]
        axes.barh(np.arange(len(codes)) + offset, shares, 0.38, color=colour,
                  label=translate(name, language))  # fmt: skip
    labels = [translate(str(code), language) for code in codes]
    axes.set_yticks(np.arange(len(codes)), labels)
    axes.set_xlabel(translate("% of cases", language))


def plot_look_alikes(world: WorldView, language: Language) -> str:
    """Draw each pattern against an honest look-alike: hold time, and price."""
    returns = world.returns

    def fill(axes: Any) -> None:
        for place, (pattern, look_alike) in enumerate(_PAIRS):
            one = axes[place // 3 * 2 : place // 3 * 2 + 2, place % 3]
            for kind, colour in ((pattern, _ABUSE), (look_alike, _HONEST)):
                is_kind = returns.kinds == kind.value
                label = translate(kind.value, language)
                held = returns.hold_days[is_kind & ~np.isnan(returns.hold_days)]
                _draw_running_share(one[0], held, label, colour)
                _draw_running_share(one[1], returns.price_minor[is_kind] / 100.0, label, colour)
            one[0].set(xlabel=translate("days held", language), xlim=(0.0, 35.0), ylim=(0, 100))
            one[1].set(xlabel=translate("price", language), xscale="log", ylim=(0, 100))
            _show_legend(one[0], fontsize=8, loc="lower right")

    return _draw(4, 3, 8.4, fill)


def _draw_running_share(axes: Axes, values: Floats, label: str, colour: str) -> None:
    if len(values) >= _MIN_CASES:
        share = 100.0 * np.arange(1, len(values) + 1) / len(values)
        axes.plot(np.sort(values), share, label=label, color=colour)


def plot_drift(world: WorldView, language: Language) -> str:
    """Draw the abusive returns and clicks of each month by pattern."""
    n = _count_months(world)
    kinds = [pattern.value for pattern in Pattern]

    def fill(axes: Any) -> None:
        below = np.zeros(n)
        for kind, colour in zip(kinds, _SERIES, strict=False):
            days = np.concatenate(
                [facts.days[_is_of(facts, kind)] for facts in (world.returns, world.clicks)]
            )
            counts = _by_month(days, n)
            axes[0, 0].bar(np.arange(1, n + 1), counts, bottom=below, color=colour,
                           label=translate(kind, language))  # fmt: skip
            below += counts
        axes[0, 0].set(
            xlabel=translate("month", language), title=translate("abusive cases", language)
        )
        axes[0, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0, 0].legend(frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")

    return _draw(1, 1, 3.2, fill)


def _is_of(facts: CaseFacts, kind: str) -> Flags:
    found: Flags = facts.is_abuse & (facts.kinds == kind)
    return found


def plot_offers(world: WorldView, language: Language) -> str:
    """Draw who leaves without an offer by cause, and whom each gesture would keep."""

    def fill(axes: Any) -> None:
        drivers, counts = np.unique(world.clicks.drivers, return_counts=True)
        drivers = drivers[counts >= _MIN_CASES]
        shares = [100.0 * float(world.leaves[world.clicks.drivers == one].mean())
                  for one in drivers]  # fmt: skip
        _draw_ranked(axes[0, 0], [translate(str(one), language) for one in drivers], shares, _GREY)
        axes[0, 0].set_xlabel(translate("% of clicks that leave without an offer", language))
        kept = [translate(gesture, language) for gesture in world.kept_by]
        _draw_ranked(axes[0, 1], kept, [100.0 * share for share in world.kept_by.values()], _HONEST)
        axes[0, 1].set_xlabel(translate("% of those who would leave kept by the offer", language))

    return _draw(1, 2, 3.4, fill)


def _draw_ranked(axes: Axes, labels: list[str], values: list[float], colour: str) -> None:
    order = np.argsort(values)
    axes.barh(np.arange(len(values)), np.array(values)[order], 0.6, color=colour)
    axes.set_yticks(np.arange(len(values)), [labels[place] for place in order])
