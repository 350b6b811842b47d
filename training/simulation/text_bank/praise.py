"""What satisfied customers write in reviews, in Chinese and English: one bank for everybody."""

from __future__ import annotations

from typing import Final

CHINESE_PRAISE: Final = (
    "{item}很好，和图片一样",
    "质量不错，会回购",
    "穿着合适，家人也喜欢",
    "物流快，包装完好",
    "性价比高，推荐",
    "{item}比想象中好",
    "一般吧，对得起价格",
    "第二次买了，一如既往",
)
ENGLISH_PRAISE: Final = (
    "Lovely {item}, as in the pictures",
    "Good quality, would buy again",
    "Fits well",
    "Fast delivery, well packed",
    "Good value for money",
    "The {item} is better than I expected",
    "Fine for the price",
    "Bought it for the second time, still happy",
)
