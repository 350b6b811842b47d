"""What customers write on the site about what they received: stars, and for some, words.

The goods and the service decide, and what the customer wants to be believed: whoever
claims an empty box is as cross in public as one who got an empty box.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from features.log import structs
from training.simulation.agent import Agent
from training.simulation.basket import STORE, Line
from training.simulation.config import US_PER_DAY, US_PER_HOUR
from training.simulation.ordering import Order
from training.simulation.population import Profile
from training.simulation.randomness import KeyedRandom
from training.simulation.return_causes import Cause
from training.simulation.returning import Return
from training.simulation.stage import Stage
from training.simulation.text_bank import CHINESE_PRAISE, ENGLISH_PRAISE
from training.simulation.wording import choose_wording

_REVIEW_SHARE: Final = 0.07
"""Lines of delivered orders that are reviewed."""
_CROSS_FACTOR: Final = 2.0
"""How much readier to write somebody is who found a fault."""
_STARS: Final = 4.9
"""Mean stars before cutting at 5, nothing wrong: most reviews have five (the J shape of Hu,
Zhang and Pavlou 2009, Communications of the ACM 52:10, 144)."""
_STARS_SPREAD: Final = 0.9
_LATE_STARS: Final = 0.8
"""Stars lost by a parcel that came after its promise."""
_FAULT_STARS: Final = {
    Cause.DEFECT: 2.6, Cause.DAMAGED: 2.4, Cause.MIXUP: 2.4, Cause.LISTING: 2.0, Cause.SIZE: 1.2,
    Cause.LATE: 1.2, Cause.EMPTY_BOX: 2.4, Cause.SWAP: 2.4,
}  # fmt: skip
"""Stars lost by what was found, or is said to have been found."""
_NEVER_CAME: Final = frozenset({Cause.STOLEN, Cause.NOT_RECEIVED_CLAIM})
"""Nobody reviews what did not come, or is said not to have."""
_AFTER_DAYS: Final = 5.0
_WORDS_SHARE: Final = 0.6


def tell_reviews(
    stage: Stage, agent: Agent, draws: KeyedRandom, order: Order, arrival: tuple[int, int],
    returns: list[tuple[KeyedRandom, Return]],
) -> None:  # fmt: skip
    """Tell the reviews of a delivered order; the channel of stores has none.

    Args:
        stage: Where they are told.
        agent: Whose order it was; only read.
        draws: The order's draws.
        order: The order.
        arrival: When it arrived and by how much after its promise, microseconds.
        returns: What of it comes back: why, decides how it is spoken of.
    """
    if order.channel == STORE:
        return
    plans = {plan.line.line_id: plan for _, plan in returns if plan.line is not None}
    for time_us, line_draws, review in _plan_reviews(agent.profile, draws, order, arrival, plans):
        stage.outbox.tell(
            line_draws, "review_posted", time_us, review, customer_id=order.customer_id,
            channel=order.channel,
        )  # fmt: skip


def _plan_reviews(
    profile: Profile, draws: KeyedRandom, order: Order, arrival: tuple[int, int],
    plans: dict[str, Return],
) -> Iterator[tuple[int, KeyedRandom, Any]]:  # fmt: skip
    delivered_us, late_us = arrival
    for line in order.lines:
        plan = plans.get(line.line_id)
        cause = plan.verdict.cause if plan else None
        lost = _FAULT_STARS.get(cause, 0.0) if cause else 0.0
        of_line = draws.narrow(f"l{line.line_id}").narrow("review")
        share = _REVIEW_SHARE * (_CROSS_FACTOR if lost else 1.0)
        if cause in _NEVER_CAME or not of_line.is_hit("reviews", share):
            continue
        lost += _LATE_STARS if late_us > 0 else 0.0
        mood = _STARS - lost + _STARS_SPREAD * of_line.normal("stars")
        rating = min(max(round(mood), 1), 5)
        after_us = int(of_line.lognormal("reviews-after", _AFTER_DAYS, 0.8) * US_PER_DAY)
        review = structs.ReviewPosted(
            sku=line.sku,
            rating=rating,
            review=_choose_words(of_line, profile, line, plan if lost else None, rating),
            style=line.style.style_id,
        )
        yield delivered_us + US_PER_HOUR + after_us, of_line, review


def _choose_words(
    draws: KeyedRandom, profile: Profile, line: Line, plan: Return | None, rating: int
) -> Any:
    """Return the words of a review, None for stars alone.

    Args:
        draws: The review's draws.
        profile: Who writes.
        line: What was bought.
        plan: The return of what was found wrong. None: nothing was, or it is kept.
        rating: Stars.
    """
    if not draws.is_hit("words", _WORDS_SHARE):
        return None
    category = line.style.category
    sentiment = min(max(round(40.0 * (rating - 3) + 20.0 * draws.normal("mood")), -100), 100)
    if rating >= 4:
        bank = CHINESE_PRAISE if profile.is_chinese else ENGLISH_PRAISE
        item = category.item_zh if profile.is_chinese else category.item_en
        text = bank[draws.integer("praise", len(bank))].format(item=item)
        return structs.Reason(text=text, sentiment=sentiment)
    code = plan.code if plan is not None else "REASON_CODE_NOT_AS_DESCRIBED"
    # Not the later wordings: those are kept for cases, where the truth marks them.
    wording = choose_wording(draws, profile, code, category, is_later=False)
    return structs.Reason(code=code, text=wording.text or None, sentiment=sentiment)
