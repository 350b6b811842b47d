"""The gallery as one HTML page: plots with captions in two languages, no script, no link out."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from training.simulation.gallery import plots
from training.simulation.gallery.words import LANGUAGES, Language
from training.simulation.gallery.world_view import WorldView, read_world
from training.simulation.rates import RateRow, compare_rates, compute_rates


class Section(NamedTuple):
    """A plot of the page: what draws it, and its heading and caption in each language."""

    draw: plots.Plot
    headings: dict[Language, str]
    captions: dict[Language, str]


SECTIONS: Final = (
    Section(
        plots.plot_rates,
        {"en": "Rates over time", "zh-CN": "各月比率"},
        {
            "en": "Orders follow promotions and the year. Returns are counted with the month of "
            "the order, so the last month still lacks some; abuse rises while the first weeks' "
            "customers build their histories.",
            "zh-CN": "订单随促销和季节起伏。退货按下单月份统计，最后一个月尚不完整；"
            "开始几周客户还没有历史，滥用随后上升。",
        },
    ),
    Section(
        plots.plot_holds,
        {"en": "How long goods are held", "zh-CN": "持有时间"},
        {
            "en": "Most returns come within ten days. Wardrobing waits for the window's end - and "
            "so do honest late returners: the hold alone convicts nobody.",
            "zh-CN": "多数退货在十天内发生。穿后退货会拖到期限末尾，诚实的“拖到最后才退”也一样："
            "仅凭持有时间不能定性。",
        },
    ),
    Section(
        plots.plot_reasons,
        {"en": "Reasons given", "zh-CN": "退货与取消原因"},
        {
            "en": "Codes chosen by honest and by abusive customers. Both mostly keep the first "
            "entry of the drop-down, and both write from the same text bank.",
            "zh-CN": "诚实与滥用客户所选的原因代码。两者大多保留下拉框的第一项，"
            "文字也出自同一语料。",
        },
    ),
    Section(
        plots.plot_look_alikes,
        {"en": "Patterns against their look-alikes", "zh-CN": "滥用模式与诚实的相似者"},
        {
            "en": "Running share (%) of cases by days held and by price: abuse red, its honest "
            "look-alike blue. A look-alike shares marginals and differs in the combination or the "
            "cause.",
            "zh-CN": "按持有天数和价格的累计占比（%）：红为滥用，蓝为与之相似的诚实案例。"
            "相似者的单项分布相近，差别在组合或成因。",
        },
    ),
    Section(
        plots.plot_drift,
        {"en": "Drift", "zh-CN": "漂移"},
        {
            "en": "Abusive returns and clicks by month and pattern. A pattern may be switched on "
            "at a date (world `drift`); those caught get careful for some months.",
            "zh-CN": "各月各模式的滥用退货与点击。某个模式可从某日起出现（世界 drift）；"
            "被查实者会收敛几个月。",
        },
    ),
    Section(
        plots.plot_offers,
        {"en": "Offers", "zh-CN": "补偿"},
        {
            "en": "Left: who leaves if nothing is offered, by the true cause of the click. Right: "
            "of those who would leave, whom each gesture keeps. Only a simulation knows both.",
            "zh-CN": "左：不给补偿时按真实原因离开的占比。右：会离开的客户中，每种补偿能留住谁。"
            "只有模拟世界两者都知道。",
        },
    ),
)

_STYLE: Final = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;
max-width:62rem;margin:2rem auto;padding:0 1rem;color:#22262a;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.4rem}
svg{width:100%;height:auto}figure{margin:0}figcaption{color:#50565c}
table{border-collapse:collapse;font-size:.9rem}td,th{padding:.25rem .8rem .25rem 0;
text-align:left;border-bottom:1px solid #e3e6e8;vertical-align:top}
label{margin-right:1rem;cursor:pointer}
body:has(#en:checked) [lang="zh-CN"],body:has(#zh-CN:checked) [lang="en"]{display:none}
"""
_SWITCH: Final = (
    '<p><label><input type="radio" name="language" id="en" checked> English</label>'
    '<label><input type="radio" name="language" id="zh-CN"> 中文</label></p>'
)
_TITLES: Final[dict[Language, str]] = {"en": "A simulated shop", "zh-CN": "模拟商店"}
_LEADS: Final[dict[Language, str]] = {
    "en": "World {name}: {events:,} events, {orders:,} orders, {returns:,} return requests, "
    "{clicks:,} cancel clicks. Colours and shares come from the truth beside the log, which no "
    "shop has. What is modelled and what not: docs/SIMULATION.md.",
    "zh-CN": "世界 {name}：{events:,} 个事件，{orders:,} 笔订单，{returns:,} 次退货申请，"
    "{clicks:,} 次取消点击。颜色与占比取自日志旁的真值，真实商店没有。"
    "模拟了什么、没模拟什么见 docs/SIMULATION.md。",
}
_RATES: Final[dict[Language, str]] = {
    "en": "Rates beside published ones",
    "zh-CN": "模拟比率与公开数据",
}


def write_gallery(log: Path, page: Path) -> None:
    """Write a world's gallery; equal logs give equal pages.

    Args:
        log: A log written by `hemostat simulate`.
        page: The file to write.
    """
    world = read_world(log)
    rates = compare_rates([compute_rates(log)])
    page.write_text(build_page(world, rates), encoding="utf-8")


def build_page(world: WorldView, rates: list[RateRow]) -> str:
    """Return the HTML of a world's gallery."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{_TITLES['en']}</title><style>{_STYLE}</style></head><body>",
        _SWITCH,
    ]
    counts = {
        "name": world.name, "events": world.n_events, "orders": len(world.order_days),
        "returns": len(world.returns.days), "clicks": len(world.clicks.days),
    }  # fmt: skip
    parts += [_tag("h1", language, _TITLES[language]) for language in LANGUAGES]
    parts += [_tag("p", one, _LEADS[one].format(**counts)) for one in LANGUAGES]
    parts += [_build_section(world, section, one) for section in SECTIONS for one in LANGUAGES]
    parts += [_tag("h2", one, _RATES[one]) for one in LANGUAGES]
    parts += [_build_rates(rates), "</body></html>\n"]
    return "\n".join(parts)


def _tag(name: str, language: Language, text: str) -> str:
    return f'<{name} lang="{language}">{escape(text)}</{name}>'


def _build_section(world: WorldView, section: Section, language: Language) -> str:
    return (
        f'<section lang="{language}"><h2>{escape(section.headings[language])}</h2>'
        f"<figure>{section.draw(world, language)}"
        f"<figcaption>{escape(section.captions[language])}</figcaption></figure></section>"
    )


def _build_rates(rates: list[RateRow]) -> str:
    lines = ["<table><tr><th>rate</th><th>simulated</th><th>published</th><th>source</th></tr>"]
    for row in rates:
        days = row.rate.startswith("days")
        shown = [f"{one:.1f}" if days else f"{one:.1%}" for one in row.values]
        published = [
            (f"{one.low:.1f}" if days else f"{one.low:.1%}")
            + ("" if one.low == one.high else f" - {one.high:.1%}")
            for one in row.published
        ]
        sources = [f"{one.what}: {one.source}" for one in row.published]
        cells = (escape(row.rate), shown[0], "<br>".join(published) or "chosen",
                 "<br>".join(map(escape, sources)))  # fmt: skip
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</table>"])
