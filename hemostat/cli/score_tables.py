"""The tables of `hemostat score`, in English and Simplified Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from hemostat.cli.output import Column, Table

if TYPE_CHECKING:
    from hemostat.v1 import common_pb2, scoring_pb2

_MAX_DETAILED = 5  # Cases whose reasons are shown in full.


class Language(StrEnum):
    """Language of hints and reasons."""

    EN = "en"
    ZH = "zh"


_US_CAPTION = "us: time inside the server."
# What stands here in English is what stands in the tables; a clerk may read Chinese.
_WORDS_ZH: Mapping[str, str] = {
    "Scores": "评分结果",
    "Refused": "被拒绝的请求",
    "case": "序号",
    "call": "请求类型",
    "probabilities": "概率",
    "hint": "建议",
    "strongest reason": "首要原因",
    "budget": "挽留预算",
    "customer": "顾客",
    "us": "微秒",
    "why": "原因",
    "reason": "原因代码",
    "log-odds": "对数几率",
    "in words": "说明",
    "order": "下单",
    "cancellation": "取消",
    "return": "退货",
    "none": "无",
    "APPROVE": "放行",
    "VERIFY": "核实",
    "UNSPECIFIED": "无",
    "ERROR": "错误",
    "shadow": "试运行",
    "simulated": "模拟",
    "greatest of lines": "各行最高",
    "abuse": "滥用",
    "cancel": "取消",
    "return_or_cancel_30d": "30天内退货或取消",
    "known": "老顾客",
    "new": "新顾客",
    "guest": "游客",
    "unavailable": "未知",
    "unspecified": "未知",
    "store_unavailable": "特征存储不可用",
    "stale": "数据滞后",
    "model_unavailable": "无可用模型",
    "decision_log_unavailable": "决策日志不可用",
    "model": "模型",
    "policy": "策略",
    _US_CAPTION: "微秒：服务器内耗时。",
    "check": "核实方法",
}


def draw_scores(
    requests: Sequence[scoring_pb2.ScoreRequest], results: Sequence[Any], language: Language
) -> list[Table]:
    """Return the tables of some answers and errors; reasons only if there are few."""
    from hemostat.v1 import scoring_pb2

    def say(word: str) -> str:
        return _say(word, language)

    answers = [r for r in results if isinstance(r, scoring_pb2.ScoreResponse)]
    rows = [
        _draw_row(number, request, result, language)
        for number, (request, result) in enumerate(zip(requests, results, strict=True), 1)
    ]
    columns = (
        Column(say("case"), "right"),
        Column(say("call")),
        Column(say("probabilities")),
        Column(say("hint")),
        Column(say("strongest reason")),
        Column(say("budget"), "right"),
        Column(say("customer")),
        Column(say("us"), "right"),
    )
    versions = {(answer.model_version, answer.policy_version) for answer in answers}
    caption = "; ".join(
        f"{say('model')} {model}, {say('policy')} {policy}" for model, policy in sorted(versions)
    )
    tables = [Table(say("Scores"), columns, tuple(rows), f"{caption}. {say(_US_CAPTION)}")]
    refused = tuple(
        (str(number), result.message)
        for number, result in enumerate(results, 1)
        if isinstance(result, scoring_pb2.ScoreError)
    )
    if refused:
        tables.append(
            Table(say("Refused"), (Column(say("case"), "right"), Column(say("why"))), refused)
        )
    if len(results) <= _MAX_DETAILED:
        tables += [
            _draw_reasons(number, result, language)
            for number, result in enumerate(results, 1)
            if isinstance(result, scoring_pb2.ScoreResponse) and result.reasons
        ]
    return tables


def _draw_row(
    number: int, request: scoring_pb2.ScoreRequest, result: Any, language: Language
) -> tuple[str, ...]:
    from hemostat.v1 import scoring_pb2

    def say(word: str) -> str:
        return _say(word, language)

    call = say((request.WhichOneof("case") or "none").removesuffix("_request"))
    if isinstance(result, scoring_pb2.ScoreError):
        return (str(number), call, "", say("ERROR"), "", "", "", "")
    hint = say(scoring_pb2.Hint.Name(result.hint).removeprefix("HINT_"))
    if result.shadow_hint:
        shadow = scoring_pb2.Hint.Name(result.shadow_hint).removeprefix("HINT_")
        hint += f" ({say('shadow')}: {say(shadow)})"
    state = scoring_pb2.CustomerState.Name(result.freshness.customer_state)
    degradations = [
        say(scoring_pb2.Degradation.Name(reason).removeprefix("DEGRADATION_").lower())
        for reason in result.degradations
    ]
    customer = say(state.removeprefix("CUSTOMER_STATE_").lower())
    return (
        str(number),
        call,
        _list_probabilities(result, language),
        hint,
        result.reasons[0].code if result.reasons else "",
        f"{result.budget.amount_minor / 100:,.2f}",
        ", ".join([customer, *degradations]),
        str(result.server_latency_us),
    )


def _list_probabilities(answer: scoring_pb2.ScoreResponse, language: Language) -> str:
    """Return one probability per target; of a head per line, the greatest."""
    from hemostat.v1 import scoring_pb2

    found: dict[str, float] = {}
    for head in answer.heads:
        notes = (
            (head.source == scoring_pb2.LABEL_SOURCE_SIMULATED, "simulated"),
            (bool(head.line_id), "greatest of lines"),
        )
        name = _say(scoring_pb2.Target.Name(head.target).removeprefix("TARGET_").lower(), language)
        name += "".join(f" ({_say(note, language)})" for is_so, note in notes if is_so)
        found[name] = max(found.get(name, 0.0), head.probability)
    return ", ".join(f"{name} {p:.3f}" for name, p in found.items())


def _draw_reasons(number: int, answer: scoring_pb2.ScoreResponse, language: Language) -> Table:
    from hemostat.v1 import scoring_pb2

    def say(word: str) -> str:
        return _say(word, language)

    target = say(scoring_pb2.Target.Name(answer.reasons[0].target).removeprefix("TARGET_").lower())
    english, chinese = f"why P({target}) is what it is", f"“{target}”概率的原因"
    rows = tuple(
        (reason.code, f"{reason.contribution_log_odds:+.2f}", _choose(reason.text, language))
        for reason in answer.reasons
    )
    check = _choose(answer.check, language)
    return Table(
        f"第 {number} 例：{chinese}" if language is Language.ZH else f"Case {number}: {english}",
        (Column(say("reason")), Column(say("log-odds"), "right"), Column(say("in words"))),
        rows,
        f"{say('check')}: {check}" if check else "",
    )


def _choose(text: common_pb2.LocalizedText, language: Language) -> str:
    return str(text.zh_cn if language is Language.ZH else text.en)


def _say(word: str, language: Language) -> str:
    return _WORDS_ZH.get(word, word) if language is Language.ZH else word
