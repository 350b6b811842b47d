"""Words of the model card in English and Chinese."""

from __future__ import annotations

from typing import Final

from training.report.language import Words, same

TITLE: Final = Words("Model card: {tenant}", "模型卡：{tenant}")
PURPOSE: Final = Words(
    "Probabilities that an order, a cancellation or a return goes wrong, for a hint to a "
    "person (`APPROVE` or `VERIFY`), never for an automatic denial.",
    "订单、取消或退货出问题的概率，用于给人的提示（`APPROVE` 放行或 `VERIFY` 核查），"
    "绝不自动拒绝。",
)
LOG: Final = Words("Event log: `{by}`, {incarnation}.", "事件日志：`{by}`，{incarnation}。")
NOT_SAID: Final = Words("not said", "未注明")
SIMULATED: Final = Words(
    "**This log is simulated.** Its figures show that the machinery works, and say nothing about "
    "a real shop.",
    "**本日志为模拟数据。** 数字只说明流程可用，不代表真实商店的表现。",
)
SHADOW: Final = Words(
    "**Heads with `simulated` labels** come from another, simulated log ({incarnation}): this "
    "tenant has no verdicts. They run in shadow: they give no hint and touch no budget.",
    "**标签为 `simulated` 的模型头**来自另一份模拟日志（{incarnation}）：该租户没有判定结果。"
    "它们仅影子运行：不给提示，也不影响预算。",
)
FEATURES: Final = Words(
    "Features: {n}, schema `{schema}`; reasons embedded by `{embedder}`.",
    "特征：{n} 个，模式 `{schema}`；理由文本由 `{embedder}` 嵌入。",
)
VERSIONS: Final = Words("Seed {seed}; {libraries}.", "随机种子 {seed}；{libraries}。")

MEASURED: Final = Words("Heads, measured on later cases", "各模型头在之后案例上的表现")
BOUNDS: Final = Words(
    "Bounds: 95 %, resampling customers. Weighted where labels are (below).",
    "区间：95%，按客户重抽。标签有权重处按权重计算（见下）。",
)
HEADINGS: Final = (
    Words("head", "模型头"),
    Words("labels", "标签来源"),
    Words("train (positive)", "训练（正例）"),
    Words("test (positive)", "测试（正例）"),
    Words("prevalence", "基础比例"),
    same("PR-AUC"),
    same("ROC-AUC"),
    same("Brier"),
    Words("calibration error", "校准误差"),
    Words("trees", "树"),
)
TOO_FEW: Final = Words("too few", "太少")

HINTS: Final = Words("Hints", "提示")
HINT: Final = Words(
    "`{head}` says `VERIFY` from {threshold:.4f} on{strata}, set for {target:.1%} of good "
    "customers' cases{alarms}.",
    "`{head}` 自 {threshold:.4f} 起提示 `VERIFY`{strata}，"
    "按好客户案例的 {target:.1%} 设定{alarms}。",
)
STRATUM: Final = Words(" (`{name}`: from {threshold:.4f})", "（`{name}`：自 {threshold:.4f}）")
ALARMS: Final = Words(
    "; on later cases it flags {rate:.1%} of good customers' and {recall:.1%} of abusive ones",
    "；在之后的案例上标记好客户的 {rate:.1%}、滥用的 {recall:.1%}",
)

LABELS: Final = Words("What the labels mean", "标签含义")
WINDOW: Final = Words(
    "Learned on cases from {start} to before {end}, with outcomes known on {born}; measured on "
    "cases from then to before {until}.",
    "学习的案例自 {start} 起、{end} 之前，结果截至 {born} 已知；评测的案例自该日起、{until} 之前。",
)
CALIBRATED_LATEST: Final = Words(
    "Probabilities by {method}, fitted on the latest {n:,} cases as trees of the older ones "
    "judged them.",
    "概率由{method}得出，用最近 {n:,} 个案例拟合，案例由较早案例长成的树判断。",
)
CALIBRATED_FOLDS: Final = Words(
    "Probabilities by {method}, fitted on {n:,} cases as trees blind to their customers judged "
    "them.",
    "概率由{method}得出，用 {n:,} 个案例拟合，案例由未见过其客户的树判断。",
)
CONTEST: Final = Words(
    "Log loss a case on customers not fitted on: {losses}. The curve is served where it has less "
    "than Platt's line.",
    "对未参与拟合的客户，每案例对数损失：{losses}。曲线的损失低于 Platt 直线时采用曲线。",
)
OVER_PLATT: Final = same("{method} {loss:.5f} ({over:+.5f} [{low:+.5f}, {high:+.5f}])")
CANDIDATES: Final = {
    "platt": same("Platt"),
    "curve": Words("curve", "曲线"),
    "isotonic": Words("isotonic", "保序回归"),
    "venn_abers": same("Venn-Abers"),
}
METHODS: Final = {
    "platt": Words("a line (Platt)", "直线（Platt）"),
    "curve": Words("a line with a bend", "带折点的曲线"),
}
CHECKS: Final = Words(
    "Stated of the checks: they find {sensitivity:.0%} of abuse and clear {specificity:.1%} of "
    "honest cases. Probabilities are of abuse, not of its being found.",
    "对核查的说明：能发现 {sensitivity:.0%} 的滥用，并放行 {specificity:.1%} 的诚实案例。"
    "概率指滥用本身，而非被发现。",
)
NOT_LEARNED: Final = Words("Not learned", "未学习")

LABEL_MEANINGS: Final = {
    "cancel__order": "1：客户在 {days} 天内、签收之前取消订单或其中一行。"
    "0：已签收，或仍未结束而没有取消。不计：商家先取消，或付款先失效。",
    "return__order": "1：下单后 {days} 天内任一行申请退货。0：没有。不计：商家取消或付款失效。",
    "cancel__cancellation": "1：点击取消后订单最终取消。0：订单保留。只学习没有给出补偿的点击，"
    "按不给补偿的概率的倒数加权。不计：{days} 天内没有结局。",
    "abuse__order": "1：{days} 天内，该订单、其退货或其取消点击被确认为滥用（或拒付），且未被撤销。"
    "0：已排除，或没有可核查之事。退货和点击无人核查的订单为未知，由已核查的按核查概率的倒数代表。",
    "abuse__return": "1：退货后 {days} 天内被确认为滥用（或拒付），且未被撤销。0：核查后排除。"
    "未核查的退货为未知，由已核查的按核查概率的倒数代表。",
    "abuse__cancellation": "1：点击取消后 {days} 天内被确认为滥用，且未被撤销。0：核查后排除。"
    "未核查的点击为未知，由已核查的按核查概率的倒数代表。",
    "return_or_cancel_30d__order_line": "1：下单后 {days} 天内有与该行关联的退货或取消。0：没有。"
    "游客的行与免费的行不计：退款按客户关联。",
}
"""By head; `days` is its horizon. The English texts stand in the manifest."""

BOOKING_MEANING: Final = (
    "1：客户在约定时间之前取消（或未到），无论约定时间多远。0：已履行。"
    "不计：尚未到期，或以其他方式结束。"
)
"""Of `cancel__order` where orders are bookings: no horizon, but a promised time."""

LIMITS: Final = Words("Limits", "局限")
LIMIT_ITEMS: Final = (
    Words(
        "Gradient-boosted trees on counts, values, rates and times: of the customer, the case, its "
        "goods, store and region, and of devices, addresses and payments that accounts share.",
        "梯度提升树，输入为计数、金额、比率和时间：涉及客户、案例、商品、门店与地区，"
        "以及多个账户共用的设备、地址和支付方式。",
    ),
    Words(
        "Money is winsorised at the 99 % quantile of training: greater values count as that "
        "one; `ranges` in the manifest says which.",
        "金额在训练的 99% 分位处截尾：更大的值按该值计；截点见清单中的 `ranges`。",
    ),
    Words(
        "Calibrated on cases that the trees had not seen. A shift of the base rate after "
        "the training window shows in the calibration error, not in the ranking.",
        "校准用的是树没有见过的案例。训练期之后基础比例的变化会体现在校准误差上，而不影响排序。",
    ),
    Words(
        "Chances of a check, or of no offer, are estimated where the log does not tell them. What "
        "decides them and stands neither in the features nor in the inspection biases the "
        "probabilities.",
        "日志未说明的核查概率或不给补偿的概率为估计值。若其决定因素既不在特征中也不在验货结果中，"
        "概率会有偏差。",
    ),
)

OWN_FIELDS: Final = Words("The retailer's own fields", "零售商自有字段")
OWN_FIELDS_MEANING: Final = Words(
    "Behind the features, as declared; codes by frequency before the cut, never by outcome.",
    "按声明排在特征之后；编码按切分日之前的出现频率，绝不按结果。",
)
OWN_FIELDS_HEADINGS: Final = (
    Words("column", "列"),
    Words("of", "所属"),
    Words("values", "取值"),
)
CATEGORIES: Final = Words(
    "{n:,} categories; others share one code", "{n:,} 个类别，其余共用一个编码"
)
