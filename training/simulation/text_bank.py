"""Wordings of reasons in Chinese and English: one bank for everybody.

`default` is what the drop-down writes when nobody types. `{item}` is the word
for the article, `{n}` a small number. The wordings in `later` come into use
only in the last part of the horizon, so that a model meets sentences it never
saw in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Wordings:
    """What customers write for one reason in one language."""

    default: str
    usual: tuple[str, ...]
    later: tuple[str, ...]


CHINESE: Final[dict[str, Wordings]] = {
    "REASON_CODE_SIZE_TOO_SMALL": Wordings(
        "尺码偏小",
        (
            "{item}尺码偏小，穿不下",
            "比平时的码小，勒得慌",
            "按尺码表买的还是小了",
            "肩膀和腰都太紧了",
            "小了一号，想退",
            "穿上扣不上扣子",
            "{item}做小了，抬手都费劲",
            "家人试了说太紧",
        ),
        ("{item}版型太窄，穿着难受", "买了{n}次这个码，就这件小"),
    ),
    "REASON_CODE_SIZE_TOO_LARGE": Wordings(
        "尺码偏大",
        (
            "{item}偏大，撑不起来",
            "大了一码，袖子太长",
            "尺码表不准，穿着松垮",
            "腰太大了要掉下来",
            "比想象中大很多",
            "{item}太长了，拖地",
            "按推荐买的，结果大了",
        ),
        ("{item}松松垮垮不好看", "推荐的码大了{n}厘米"),
    ),
    "REASON_CODE_NOT_AS_DESCRIBED": Wordings(
        "与商品描述不符",
        (
            "颜色和图片差很多",
            "{item}材质和页面写的不一样",
            "实物没有图片好看",
            "详情页说的功能没有",
            "色差太大，不能接受",
            "面料比描述的薄",
            "和直播间展示的不是一个样子",
        ),
        ("页面写的和收到的{item}对不上", "图片修得太过了，实物很普通"),
    ),
    "REASON_CODE_QUALITY_DEFECT": Wordings(
        "质量问题",
        (
            "{item}有线头，做工粗糙",
            "洗了一次就变形",
            "拉链坏了",
            "用了{n}天就坏了",
            "袖口开线了",
            "{item}有划痕和污渍",
            "味道很大，不敢用",
            "按键不灵，没法用",
        ),
        ("{item}缝线歪的，明显次品", "才拿出来就掉了一颗扣子"),
    ),
    "REASON_CODE_DAMAGED_IN_TRANSIT": Wordings(
        "运输破损",
        (
            "包裹压扁了，{item}坏了",
            "外箱破了，里面也有损坏",
            "收到时已经碎了",
            "快递摔坏了",
            "盒子进水了",
            "打开就是破的，有照片",
        ),
        ("箱子像被踩过，{item}也裂了",),
    ),
    "REASON_CODE_WRONG_ITEM": Wordings(
        "发错货",
        (
            "发错颜色了",
            "收到的不是我买的{item}",
            "尺码发错了",
            "款式不对，发错货",
            "里面是别的东西",
            "少发了一件，多了一件别的",
        ),
        ("打开一看根本不是这款{item}",),
    ),
    "REASON_CODE_LATE_DELIVERY": Wordings(
        "发货或物流太慢",
        (
            "等了{n}天还没到，不要了",
            "过了活动日子才到，用不上了",
            "物流太慢了",
            "说好的时间没送到",
            "一直不更新物流",
            "晚到了{n}天，已经在别处买了",
        ),
        ("承诺的日子早过了，{item}用不上了",),
    ),
    "REASON_CODE_NOT_DELIVERED": Wordings(
        "未收到货",
        (
            "显示签收但我没有收到",
            "快递说放门口了，没有找到",
            "物业那里也没有我的包裹",
            "盒子里是空的",
            "一直没收到{item}，却显示已签收",
            "不是我签收的",
        ),
        ("驿站查不到我的{item}",),
    ),
    "REASON_CODE_CHANGED_MIND": Wordings(
        "不喜欢/不想要了",
        (
            "不太喜欢，想退掉",
            "上身效果一般",
            "家里人说不好看",
            "考虑了一下还是不要了",
            "{item}不适合我",
            "感觉用不上",
            "跟现有的衣服不搭",
            "试了一下不合适",
            "七天无理由退货",
            "没有想象中喜欢",
        ),
        ("放了{n}天还是没心动，退了", "{item}不是我的风格"),
    ),
    "REASON_CODE_BETTER_PRICE": Wordings(
        "价格原因",
        (
            "刚买就降价了",
            "别家便宜很多",
            "现在活动价更低，想重买",
            "买贵了{n}0块",
            "同款{item}别的平台更便宜",
            "能补差价吗，不能就退",
        ),
        ("今天一看又便宜了，心里不舒服",),
    ),
    "REASON_CODE_ORDERED_BY_MISTAKE": Wordings(
        "拍错/多拍",
        (
            "拍错了",
            "多拍了一件",
            "地址填错了，重新拍",
            "颜色选错了",
            "孩子乱点下的单",
            "重复下单了",
        ),
        ("手滑点了{n}次",),
    ),
    "REASON_CODE_IMPULSE": Wordings(
        "冲动消费",
        (
            "看直播一时冲动买的",
            "当时没想清楚",
            "冷静下来觉得不需要",
            "囤太多了",
            "被种草了，其实用不上",
        ),
        ("半夜下的单，早上后悔了",),
    ),
    "REASON_CODE_GIFT": Wordings(
        "礼物不合适",
        (
            "送人的，对方不喜欢",
            "朋友已经有了",
            "礼物尺码不合适",
            "收到两份一样的{item}",
            "长辈说用不着",
        ),
        ("生日过了，{item}没送出去",),
    ),
    "REASON_CODE_OTHER": Wordings(
        "其他",
        (
            "个人原因",
            "临时有事，用不上了",
            "活动取消了，{item}用不到",
            "出差收不了货",
            "说不清，就是想退",
        ),
        ("计划变了，{item}先不要了",),
    ),
}

ENGLISH: Final[dict[str, Wordings]] = {
    "REASON_CODE_SIZE_TOO_SMALL": Wordings(
        "Too small",
        (
            "the {item} is too tight",
            "runs small, cannot close it",
            "a size smaller than the chart says",
            "tight at the shoulders",
            "ordered my usual size but it is small",
            "sleeves too short for me",
            "could not get into it",
        ),
        ("the {item} pinches everywhere", "my {n}th one and only this is small"),
    ),
    "REASON_CODE_SIZE_TOO_LARGE": Wordings(
        "Too large",
        (
            "the {item} is too big",
            "runs large, falls off me",
            "sleeves far too long",
            "baggy at the waist",
            "chart said this size, way too wide",
            "longer than expected",
        ),
        ("the {item} hangs like a tent",),
    ),
    "REASON_CODE_NOT_AS_DESCRIBED": Wordings(
        "Not as described",
        (
            "colour is not like the picture",
            "fabric differs from the listing",
            "looks cheaper than online",
            "the {item} lacks what the page promised",
            "thinner than described",
            "not what the photo shows",
        ),
        ("the {item} on the page is another one in my eyes",),
    ),
    "REASON_CODE_QUALITY_DEFECT": Wordings(
        "Defective or poor quality",
        (
            "seam came open",
            "zip is broken",
            "stopped working after {n} days",
            "stain on the {item}",
            "scratched out of the box",
            "threads everywhere",
            "smells strongly",
            "lost its shape in one wash",
        ),
        ("the {item} is crooked, clearly a second",),
    ),
    "REASON_CODE_DAMAGED_IN_TRANSIT": Wordings(
        "Damaged in transit",
        (
            "box was crushed and the {item} too",
            "arrived broken",
            "parcel was wet",
            "package torn open",
            "dented on arrival, photos attached",
        ),
        ("the courier must have dropped the {item}",),
    ),
    "REASON_CODE_WRONG_ITEM": Wordings(
        "Wrong item",
        (
            "got another colour",
            "this is not the {item} I ordered",
            "wrong size in the bag",
            "somebody else's order",
            "one piece is missing and one is wrong",
        ),
        ("opened it and it was no {item} at all",),
    ),
    "REASON_CODE_LATE_DELIVERY": Wordings(
        "Arrived too late",
        (
            "waited {n} days, no longer needed",
            "came after the party",
            "tracking never moved",
            "promised date passed",
            "bought it elsewhere meanwhile",
        ),
        ("the {item} came when the trip was over",),
    ),
    "REASON_CODE_NOT_DELIVERED": Wordings(
        "Not received",
        (
            "says delivered but nothing came",
            "courier left it at the door, it is gone",
            "neighbours do not have it",
            "the box was empty",
            "I never signed for the {item}",
        ),
        ("nobody at the pick-up point knows of my {item}",),
    ),
    "REASON_CODE_CHANGED_MIND": Wordings(
        "No longer wanted",
        (
            "changed my mind",
            "does not suit me",
            "not my style after all",
            "do not need it any more",
            "the {item} does not match anything I own",
            "family did not like it",
            "just did not love it",
            "thought about it and no",
        ),
        ("{n} days on the chair and still not sure, so no",),
    ),
    "REASON_CODE_BETTER_PRICE": Wordings(
        "Better price available",
        (
            "price fell the day after",
            "cheaper in another shop",
            "the {item} is on sale now",
            "please refund the difference or cancel",
            "found it for less",
        ),
        ("same {item}, lower price today",),
    ),
    "REASON_CODE_ORDERED_BY_MISTAKE": Wordings(
        "Ordered by mistake",
        (
            "clicked twice",
            "wrong colour chosen",
            "wrong address, will order again",
            "my kid ordered it",
            "ordered the same {item} twice",
        ),
        ("finger slipped {n} times",),
    ),
    "REASON_CODE_IMPULSE": Wordings(
        "Impulse purchase",
        (
            "bought it in the heat of the moment",
            "did not think it through",
            "late night shopping, sorry",
            "saw it in a live stream and fell for it",
        ),
        ("woke up and regretted the {item}",),
    ),
    "REASON_CODE_GIFT": Wordings(
        "Unwanted gift",
        (
            "she already has one",
            "gift did not fit",
            "a present he did not want",
            "got two of the same {item}",
        ),
        ("the birthday passed without the {item}",),
    ),
    "REASON_CODE_OTHER": Wordings(
        "Other",
        (
            "personal reasons",
            "the event was called off",
            "plans changed",
            "away for work, cannot take it",
            "hard to say",
        ),
        ("trip cancelled, no need for the {item}",),
    ),
}

CHINESE_OPENINGS: Final = ("", "", "", "您好，", "客服你好，", "麻烦了，", "不好意思，", "亲，")
CHINESE_CLOSINGS: Final = (
    "",
    "",
    "",
    "，谢谢",
    "，麻烦尽快处理",
    "。",
    "，辛苦了",
    "，请退款",
    "！",
)
ENGLISH_OPENINGS: Final = ("", "", "", "Hi, ", "Hello, ", "Sorry, ", "Please note: ")
ENGLISH_CLOSINGS: Final = ("", "", "", ", thanks", ", please refund", ".", "!", ", sorry")
