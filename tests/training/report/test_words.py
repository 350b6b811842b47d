"""No word of the report or the card is missing in either language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest

from features.definitions import FEATURES
from training.evaluation.slices import cut_slices
from training.head_definitions import ABUSE_HEADS, CREDIT_HEADS, FULL_HEADS
from training.report import card_words, words
from training.report.language import Words, span, tag

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _find_words(value: object) -> Iterator[Words]:
    if isinstance(value, Words):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _find_words(one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _find_words(one)


ALL = [
    one
    for module in (words, card_words)
    for name, value in vars(module).items()
    if name.isupper()
    for one in _find_words(value)
]


def test_every_word_stands_in_both_languages_with_the_same_places() -> None:
    assert len(ALL) > 90
    for one in ALL:
        assert one.en.strip()
        assert one.zh.strip()
        assert not _CHINESE.search(one.en), one.en
        assert one.en == one.zh or _CHINESE.search(one.zh), one.zh
        places = [sorted(re.findall(r"\{(\w+)", text)) for text in one]
        assert places[0] == places[1], one.en


@pytest.mark.parametrize("definition", [*CREDIT_HEADS, *FULL_HEADS, *ABUSE_HEADS])
def test_every_head_has_a_name_and_a_meaning(definition: object) -> None:
    name = str(getattr(definition, "name", ""))
    assert name in words.HEADS
    assert _CHINESE.search(card_words.LABEL_MEANINGS[name])


def test_every_slice_has_its_words() -> None:
    values = {
        "tenure_lifetime_days": (np.nan, 5.0, 100.0, 500.0),
        "order_count_lifetime": (1.0, 20.0),
        "request_has_receipt": (0.0, 1.0),
        "request_is_cross_channel": (1.0, 0.0),
        "store_return_count_24h": (np.nan, 2.0),
    }
    rows = np.full((1_600, len(FEATURES)), np.nan, np.float32)
    for column, feature in enumerate(FEATURES):
        if feature.name in values:
            rows[:, column] = np.resize(values[feature.name], 1_600)
    assert set(cut_slices(rows)) == set(words.SLICE_NAMES)


def test_words_are_escaped_and_told_once_where_they_are_alike() -> None:
    assert span(Words("a<b", "a<b")) == "a&lt;b"
    assert tag("p", Words("x", "叉")) == '<p lang="en">x</p><p lang="zh-CN">叉</p>'
