"""The tables of `hemostat labels audit`, in English and Simplified Chinese."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hemostat.cli.output import Column, Table
from hemostat.cli.score_tables import Language

if TYPE_CHECKING:
    from training.labelling.audit_report import CallAudit, LabelAudit
    from training.labelling.auditing import LogAudit

_LOOKS = ("random_audit", "verify", "inspection", "unspecified")
_WORDS_ZH: Mapping[str, str] = {
    "Labels by call": "各类请求的标签",
    "call": "请求类型",
    "order": "下单",
    "cancellation": "取消",
    "return": "退货",
    "cases": "案例数",
    "looked at": "已查案例",
    "looked at [%]": "查验率 [%]",
    "told [%]": "已告知 [%]",
    "bank only": "仅拒付",
    "abuse seen [%]": "已查滥用 [%]",
    "abuse in all [%]": "全体滥用 [%]",
    "corrected [%]": "校正后 [%]",
    "n effective": "有效样本数",
    "settled [days]": "成熟期 [天]",
    "Coverage by month": "各月覆盖",
    "month": "月份",
    "random audit": "随机抽查",
    "verify": "核实",
    "inspection": "验货",
    "unspecified": "未说明",
    "chargeback": "拒付",
    "appeal": "申诉",
    "Delays from the case to the label": "从案例到标签的时间",
    "origin": "来源",
    "labels": "标签数",
    "10 % [days]": "10 % [天]",
    "50 % [days]": "50 % [天]",
    "90 % [days]": "90 % [天]",
    "99 % [days]": "99 % [天]",
    "Labels taken back": "被撤回的标签",
    "kind": "类型",
    "told": "告知",
    "taken back": "撤回",
    "confirmed": "确认滥用",
    "cleared": "排除",
    "appeal upheld": "申诉成立",
    "Cases looked at twice": "被查两次的案例",
    "pairs": "对数",
    "agreement [%]": "一致率 [%]",
    "sensitivity": "灵敏度",
    "95 % bounds": "95 % 区间",
}
_NOT_TOLD = "-"


def draw_audit(found: LogAudit, language: Language) -> list[Table]:
    """Return the tables of an audit."""

    def say(word: str) -> str:
        return _WORDS_ZH[word] if language is Language.ZH else word

    audit = found.audit
    tables = [
        _draw_calls(audit, say, language),
        _draw_months(audit, say),
        _draw_delays(audit, say),
        _draw_reversals(audit, say),
    ]
    if audit.error is not None:
        tables.append(_draw_pairs(audit, say))
    return tables


_Say = Callable[[str], str]


def _draw_calls(audit: LabelAudit, say: _Say, language: Language) -> Table:
    headings = (
        "cases", "looked at [%]", "told [%]", "bank only", "abuse seen [%]",
        "abuse in all [%]", "corrected [%]", "n effective", "settled [days]",
    )  # fmt: skip
    return Table(
        title=say("Labels by call"),
        columns=(Column(say("call")), *(Column(say(one), "right") for one in headings)),
        rows=tuple(_draw_call(one, say) for one in audit.calls),
        caption=_explain(audit, language),
    )


def _draw_call(one: CallAudit, say: _Say) -> tuple[str, ...]:
    return (
        say(one.call),
        f"{one.n_cases:,}",
        _to_percent(one.n_looked / one.n_cases if one.n_cases else None),
        _to_percent(one.n_told / one.n_looked if one.n_looked else None),
        f"{one.n_positive_only:,}",
        _to_percent(one.share_looked),
        _to_percent(one.share_weighted),
        _to_percent(one.share_corrected),
        _NOT_TOLD if one.effective_n is None else f"{one.effective_n:,.0f}",
        str(one.horizon_days),
    )


def _explain(audit: LabelAudit, language: Language) -> str:
    assumed = audit.assumed
    if language is Language.ZH:
        text = (
            f"仅计早于成熟期的案例; 校正按灵敏度 {assumed.sensitivity:g}"
            f" 与特异度 {assumed.specificity:g}"
        )
        unknown = f"; {audit.n_unknown_cases:,} 个标签所指案例不在日志中"
    else:
        text = (
            f"Of cases so old that 98 % of verdicts have settled. Corrected for a sensitivity of "
            f"{assumed.sensitivity:g} and a specificity of {assumed.specificity:g}"
        )
        unknown = f"; {audit.n_unknown_cases:,} labels name cases that the log does not hold"
    return text + (unknown if audit.n_unknown_cases else "")


def _draw_months(audit: LabelAudit, say: _Say) -> Table:
    looks = [one for one in _LOOKS if any(one in month.looked_by for month in audit.months)]
    return Table(
        title=say("Coverage by month"),
        columns=(
            Column(say("month")),
            *(Column(say(one), "right") for one in ("cases", "looked at", "looked at [%]")),
            *(Column(say(one.replace("_", " ")), "right") for one in looks),
        ),
        rows=tuple(
            (
                month.month,
                f"{month.n_cases:,}",
                f"{month.n_looked:,}",
                _to_percent(month.n_looked / month.n_cases),
                *(f"{month.looked_by.get(one, 0):,}" for one in looks),
            )
            for month in audit.months
        ),
    )


def _draw_delays(audit: LabelAudit, say: _Say) -> Table:
    headings = ("labels", "10 % [days]", "50 % [days]", "90 % [days]", "99 % [days]")
    return Table(
        title=say("Delays from the case to the label"),
        columns=(Column(say("origin")), *(Column(say(one), "right") for one in headings)),
        rows=tuple(
            (
                say(one.origin.replace("_", " ")),
                f"{one.n:,}",
                *(
                    f"{days:.1f}"
                    for days in (one.days_p10, one.days_p50, one.days_p90, one.days_p99)
                ),
            )
            for one in audit.delays
        ),
    )


def _draw_reversals(audit: LabelAudit, say: _Say) -> Table:
    back = audit.reversals
    counts = (
        ("confirmed", back.n_confirmed, back.n_confirmed_taken_back),
        ("cleared", back.n_cleared, back.n_cleared_taken_back),
        ("appeal upheld", back.n_appeals_upheld, back.n_appeals_taken_back),
        ("chargeback", back.n_chargebacks, back.n_chargebacks_taken_back),
    )
    return Table(
        title=say("Labels taken back"),
        columns=(Column(say("kind")), Column(say("told"), "right"),
                 Column(say("taken back"), "right")),
        rows=tuple((say(kind), f"{told:,}", f"{taken:,}") for kind, told, taken in counts),
    )  # fmt: skip


def _draw_pairs(audit: LabelAudit, say: _Say) -> Table:
    error = audit.error
    assert error is not None
    headings = ("pairs", "agreement [%]", "sensitivity", "95 % bounds")
    return Table(
        title=say("Cases looked at twice"),
        columns=tuple(Column(say(one), "right") for one in headings),
        rows=(
            (
                f"{error.n_pairs:,}",
                _to_percent(error.agreement),
                f"{error.sensitivity:.2f}",
                f"{error.low:.2f} - {error.high:.2f}",
            ),
        ),
    )


def _to_percent(share: float | None) -> str:
    return _NOT_TOLD if share is None else f"{100.0 * share:.1f}"
