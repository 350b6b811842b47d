"""Which words a customer gives for a reason.

Honest and abusive customers use the same function and the same bank. Most take
the drop-down's default; who writes may repeat the own earlier wording.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from training.simulation.catalogue import Category
from training.simulation.population import Profile
from training.simulation.randomness import KeyedRandom
from training.simulation.text_bank import (
    CHINESE,
    CHINESE_CLOSINGS,
    CHINESE_OPENINGS,
    ENGLISH,
    ENGLISH_CLOSINGS,
    ENGLISH_OPENINGS,
)

_SILENT_SHARE = 0.15
"""Reasons without any text: the channel transmits the code only."""

_LATER_SHARE = 0.4
"""Written reasons that use a later wording once these are in use."""

_HABITS = 2
"""Wordings a customer falls back on, per reason."""


class Wording(NamedTuple):
    """What a customer gives for a reason.

    Attributes:
        text: The words. Empty: the code alone.
        template: Name of the template, e.g. `en/REASON_CODE_OTHER/usual/3`. Empty: no words.
        is_held_out: The template is of those that come into use late: kept for testing.
    """

    text: str
    template: str
    is_held_out: bool


SILENCE: Final = Wording("", "", False)
"""A reason without words."""


def choose_wording(
    draws: KeyedRandom, profile: Profile, code: str, category: Category | None, *, is_later: bool
) -> Wording:
    """Return the words that come with a reason, and the template they were made from.

    Args:
        draws: The case's draws.
        profile: Who writes.
        code: Reason code, e.g. `REASON_CODE_CHANGED_MIND`.
        category: Category of the article. None: the whole order.
        is_later: Whether the later wordings are in use.
    """
    if draws.is_hit("silent", _SILENT_SHARE):
        return SILENCE
    language = "zh" if profile.is_chinese else "en"
    wordings = (CHINESE if profile.is_chinese else ENGLISH)[code]
    if not draws.is_hit("writes", profile.writes):
        return Wording(wordings.default, f"{language}/{code}/default", False)
    # A habit is keyed by the customer, not by the case: it comes again word for word.
    if draws.is_hit("repeats", profile.repeats_words):
        habit = draws.integer("habit", _HABITS)
        draws = KeyedRandom(draws.seed, f"c{profile.index}/habit{habit}/{code}")
    is_held_out = is_later and draws.is_hit("later", _LATER_SHARE)
    bank = wordings.later if is_held_out else wordings.usual
    row = draws.integer("wording", len(bank))
    openings = CHINESE_OPENINGS if profile.is_chinese else ENGLISH_OPENINGS
    closings = CHINESE_CLOSINGS if profile.is_chinese else ENGLISH_CLOSINGS
    item = _name_item(profile, category)
    opening = openings[draws.integer("opening", len(openings))]
    closing = closings[draws.integer("closing", len(closings))]
    body = bank[row].format(item=item, n=2 + draws.integer("number", 8))
    template = f"{language}/{code}/{'later' if is_held_out else 'usual'}/{row}"
    return Wording(f"{opening}{body}{closing}", template, is_held_out)


def _name_item(profile: Profile, category: Category | None) -> str:
    if category is None:
        return "商品" if profile.is_chinese else "order"
    return category.item_zh if profile.is_chinese else category.item_en
