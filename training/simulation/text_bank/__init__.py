"""Wordings of reasons and reviews in Chinese and English: one bank for everybody."""

from training.simulation.text_bank.chinese import CHINESE, CHINESE_CLOSINGS, CHINESE_OPENINGS
from training.simulation.text_bank.english import ENGLISH, ENGLISH_CLOSINGS, ENGLISH_OPENINGS
from training.simulation.text_bank.praise import CHINESE_PRAISE, ENGLISH_PRAISE

__all__ = [
    "CHINESE",
    "CHINESE_CLOSINGS",
    "CHINESE_OPENINGS",
    "CHINESE_PRAISE",
    "ENGLISH",
    "ENGLISH_CLOSINGS",
    "ENGLISH_OPENINGS",
    "ENGLISH_PRAISE",
]
