"""Words of the report in English and Chinese: names of heads, figures, slices, plots."""

from __future__ import annotations

from typing import Final

from training.report.language import Words, same

TITLE: Final = Words("Model report", "模型报告")
SUBTITLE: Final = Words(
    "What each head is worth on cases that it did not learn from.",
    "每个模型头在未参与学习的案例上的表现。",
)
LEAD: Final = Words(
    "Tenant {tenant}. Cases from {first} on, judged by outcomes known at the end of the log. "
    "In brackets: 95 % bounds from {n} draws of whole customers. Cases that nobody checked are "
    "stood for by those that somebody did.",
    "租户 {tenant}。自 {first} 起的案例，按日志末尾已知的结果评判。"
    "方括号内为对整个客户重抽 {n} 次得到的 95% 区间。无人核查的案例由已核查的案例加权代表。",
)
SIMULATED: Final = Words(
    "This log is simulated. The figures show that the machinery works; they say nothing about a "
    "real shop.",
    "本日志为模拟数据。数字只说明流程可用，不代表真实商店的表现。",
)
SHADOW: Final = Words(
    "Learned from a simulated log: runs in shadow, gives no hint.",
    "学自模拟日志：仅影子运行，不给出提示。",
)
BUNDLE: Final = Words("Bundle", "模型包")
OVERVIEW: Final = Words("All heads at a glance", "总览")
CARD: Final = Words("Model card", "模型卡")
NOT_JUDGED: Final = Words("Not judged", "未评判")
TOO_FEW: Final = Words(
    "Too few cases of one outcome after the model's birth: no figure would mean anything.",
    "模型诞生之后某一类结果的案例太少：任何数字都没有意义。",
)
SLICES: Final = Words("All slices in numbers", "各切片数据")
COSTS: Final = Words(
    "Money follows the policy's costs: approved abuse loses {missed:.0%} of the case's value, "
    "verified abuse {caught:.0%}; a check costs {check:g}, and {insulted:g} on top if the customer "
    "was honest (minor units). Saved means: against approving everything.",
    "金额按策略的成本计算：放行的滥用损失案例金额的 {missed:.0%}，核查出的滥用损失 {caught:.0%}；"
    "每次核查成本 {check:g}，若客户是诚实的另加 {insulted:g}（最小货币单位）。"
    "“节省”指与全部放行相比。",
)
FOOT: Final = Words(
    "Written by hemostat. This page loads nothing from anywhere and runs no script.",
    "由 hemostat 生成。本页不加载任何外部资源，也不运行脚本。",
)

HEADS: Final = {
    "abuse__return": Words("Abuse at returns", "退货滥用"),
    "abuse__order": Words("Abuse at orders", "下单滥用"),
    "abuse__cancellation": Words("Abuse at cancel clicks", "取消点击滥用"),
    "cancel__order": Words("Cancelled before delivery", "签收前取消"),
    "cancel__cancellation": Words("Leaves after a cancel click", "点击取消后流失"),
    "return__order": Words("Order will be returned", "订单将退货"),
    "return_or_cancel_30d__order_line": Words(
        "Line returned or cancelled within 30 days", "30 天内退货或取消的订单行"
    ),
}
"""What a head predicts; a head that is not named here is shown by its own name."""

FIGURES: Final = {
    "pr_auc": same("PR-AUC"),
    "roc_auc": same("ROC-AUC"),
    "recall_at": Words("Recall at 0.5 % false alarms", "误报 0.5% 时的召回"),
    "false_alarm_share": Words("Honest customers flagged", "误伤的诚实客户"),
    "recall": Words("Abuse flagged", "发现的滥用"),
    "money": Words("Saved per 1,000 cases", "每千例节省"),
    "calibration_error": Words("Calibration error", "校准误差"),
    "slope": Words("Calibration slope", "校准斜率"),
    "top_ratio": Words("Seen / expected, top 1 %", "最高 1% 的实际/预期"),
    "brier_skill": Words("Brier skill", "Brier 技能分"),
}

NOTES: Final = {
    "pr_auc": Words("chance would give {prevalence:.3f}", "随机水平为 {prevalence:.3f}"),
    "roc_auc": Words("chance would give 0.5", "随机水平为 0.5"),
    "recall_at": Words("threshold set on these cases", "阈值在这些案例上设定"),
    "false_alarm_share": Words(
        "by the bundle's threshold {threshold:.3f}", "按模型阈值 {threshold:.3f}"
    ),
    "recall": Words("{precision:.0%} of its alarms are right", "警报中 {precision:.0%} 属实"),
    "money": Words("in units of 100 minor ones", "以 100 个最小货币单位计"),
    "calibration_error": Words(
        "a perfect model would show {floor:.4f}", "完美模型也会有 {floor:.4f}"
    ),
    "slope": Words("1 is right; below: too extreme", "1 为正确；小于 1 表示过于极端"),
    "top_ratio": Words("1 is right", "1 为正确"),
    "brier_skill": Words("0: no better than a constant", "0：不优于常数"),
}

RINGS: Final = Words(
    "Rings of abusers that began in this time, by the truth beside the log: {n}, of which the "
    "threshold finds {found:.0%}; median {days} to the first alarm, {before:.1f} abusive cases "
    "before it.",
    "据日志旁的真值，此期间新出现的团伙：{n} 个，阈值发现 {found:.0%}；"
    "首次警报的中位时间为 {days}，此前平均有 {before:.1f} 个滥用案例。",
)
DAYS: Final = Words("{days:.1f} days", "{days:.1f} 天")
NEVER: Final = Words("no end", "无穷")
NO_ALARM: Final = Words("no case raises an alarm", "没有案例触发警报")

COLUMNS: Final = {
    "head": Words("head", "模型头"),
    "cases": Words("cases (positive)", "案例（正例）"),
    "recall_at": Words("recall at 0.5 %", "误报 0.5% 召回"),
    "flagged": Words("honest flagged", "误伤"),
    "slice": Words("slice", "切片"),
    "ratio": Words("seen / expected", "实际/预期"),
}

SLICE_NAMES: Final = {
    "tenure: none known": Words("tenure: none known", "客龄：未知"),
    "tenure: below 30 days": Words("tenure: below 30 days", "客龄：不足 30 天"),
    "tenure: 30 to 365 days": Words("tenure: 30 to 365 days", "客龄：30 至 365 天"),
    "tenure: above 365 days": Words("tenure: above 365 days", "客龄：超过 365 天"),
    "loyalty: below 10 orders": Words("loyalty: below 10 orders", "忠诚：不足 10 单"),
    "loyalty: 10 orders and more": Words("loyalty: 10 orders or more", "忠诚：10 单及以上"),
    "place: in a store": Words("place: in a store", "地点：门店"),
    "place: elsewhere": Words("place: elsewhere", "地点：其他"),
    "channel: another than that of the order": Words(
        "channel: not the order's", "渠道：与下单不同"
    ),
    "receipt: none": Words("receipt: none", "小票：无"),
    "receipt: shown": Words("receipt: shown", "小票：有"),
}
"""By the names of `training.evaluation.slices`."""

ALL_CASES: Final = Words("all cases", "全部案例")
PREVALENCE: Final = Words("prevalence", "基础比例")
HINT: Final = Words("VERIFY from here on", "此处起提示核查")
THRESHOLD: Final = Words("bundle's threshold", "模型阈值")
POSITIVE: Final = Words("positive", "正例")
NEGATIVE: Final = Words("negative", "负例")
RAISES: Final = Words("greater raises it", "越大分数越高")
LOWERS: Final = Words("greater lowers it", "越大分数越低")
MIXED: Final = Words("neither", "不单调")

AXES: Final = {
    "recall": Words("recall: share of positives found", "召回：找到的正例占比"),
    "precision": Words("precision", "精确率"),
    "negatives": Words("share of negatives flagged", "被标记的负例占比"),
    "alarms": Words(
        "honest customers' cases flagged (log scale)", "被误报的诚实案例占比（对数轴）"
    ),
    "recall_short": Words("recall", "召回"),
    "predicted": Words("predicted probability", "预测概率"),
    "seen": Words("seen share", "实际占比"),
    "threshold": Words("threshold", "阈值"),
    "money": Words("saved per 1,000 cases", "每千例节省"),
    "score": Words("probability (log-odds scale)", "概率（对数几率轴）"),
    "share": Words("share of each class", "各类占比"),
    "roc_auc": same("ROC-AUC"),
    "ratio": Words("seen / expected (log scale)", "实际/预期（对数轴）"),
    "strength": Words("mean step in log-odds", "对数几率平均变化"),
    "cases": Words("cases", "案例数"),
}

PLOTS: Final = {
    "precision": (
        Words("Precision and recall", "精确率与召回"),
        Words(
            "Should stay far above the dashed line, the prevalence. Further left, fewer and surer "
            "cases are flagged. The dot is the bundle's threshold.",
            "曲线应远高于虚线（基础比例）。越靠左标记越少、越有把握。圆点为模型阈值。",
        ),
    ),
    "roc": (
        Words("ROC curve", "ROC 曲线"),
        Words(
            "Should bend towards the upper left corner; on the dashed line it would guess.",
            "应向左上角弯曲；落在虚线上等于瞎猜。",
        ),
    ),
    "alarms": (
        Words("What false alarms buy", "误报换来的召回"),
        Words(
            "Recall over the share of honest customers' cases that are flagged. Bars stand at "
            "0.1, 0.5 and 1 %. The dot is what the bundle's threshold does.",
            "横轴为被误报的诚实案例占比，纵轴为召回。竖条位于 0.1%、0.5%、1%。"
            "圆点为模型阈值的实际效果。",
        ),
    ),
    "reliability": (
        Words("Reliability", "可靠性"),
        Words(
            "Each dot is a fifteenth of the cases. Bars that cross the diagonal mean that "
            "probabilities keep their word; dots below it promise too much.",
            "每个点为十五分之一的案例。竖条跨过对角线说明概率可信；低于对角线则高估。",
        ),
    ),
    "money": (
        Words("Money against threshold", "金额与阈值"),
        Words(
            "What verifying from a probability on saves. The marked threshold should stand near "
            "the top; below zero, checks cost more than they save.",
            "从某概率起核查所节省的金额。标记的阈值应接近最高点；低于零时核查得不偿失。",
        ),
    ),
    "scores": (
        Words("Scores of both outcomes", "两类结果的分数"),
        Words(
            "The further the two heaps stand apart, the better the head tells them apart. Each "
            "heap adds up to one.",
            "两堆相距越远，区分能力越强。每堆合计为一。",
        ),
    ),
    "slices": (
        Words("How well it ranks, by slice", "各切片的排序能力"),
        Words(
            "A bar that ends left of the vertical line (all cases) marks customers whom the head "
            "serves worse. Slices with fewer than five positives are not drawn.",
            "整条都在竖线（全部案例）左侧的切片表现较差。正例少于五个的切片不画。",
        ),
    ),
    "ratios": (
        Words("Calibration by slice", "各切片的校准"),
        Words(
            "Outcomes over the sum of probabilities. Right of 1: more happens than said; left: "
            "the head is too strict with these customers.",
            "实际发生数与概率之和的比。大于 1：低估；小于 1：对这些客户过严。",
        ),
    ),
    "drivers": (
        Words("What scores hang on", "分数取决于什么"),
        Words(
            "Mean size of the step that a feature makes in a case's log-odds. It tells what the "
            "model uses, not what causes the outcome.",
            "特征使案例对数几率变化的平均幅度。它说明模型用了什么，而非结果的原因。",
        ),
    ),
    "coverage": (
        Words("What the figures rest on", "数字的依据"),
        Words(
            "Cases that matured, those of known outcome, and how many equally weighted cases would "
            "tell as much. A short last bar means wide bounds.",
            "已成熟的案例、结果已知的案例，以及等权时信息量相当的案例数。最后一条越短，区间越宽。",
        ),
    ),
}
"""Heading and caption of each plot, in the order of the page."""

COVERAGE: Final = (
    Words("matured", "已成熟"),
    Words("outcome known", "结果已知"),
    Words("worth as many", "有效数量"),
)
