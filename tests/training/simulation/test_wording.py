"""The truth names the template of every reason, and which of them training never met."""

from __future__ import annotations

from collections import Counter
from typing import Any

from training.simulation.config import US_PER_DAY
from training.simulation.text_bank import CHINESE, ENGLISH

Run = Any

_REQUESTS = {"return": "return_requested", "cancellation": "cancel_requested"}


def _find_template(name: str) -> str:
    language, code, bank, *row = name.split("/")
    wordings = {"zh": CHINESE, "en": ENGLISH}[language][code]
    if not row:
        return wordings.default
    return {"usual": wordings.usual, "later": wordings.later}[bank][int(row[0])]


def _is_made_from(text: str, template: str) -> bool:
    """Return whether a text holds a template's words in their order, slots left aside."""
    place = 0
    for part in template.replace("{n}", "{item}").split("{item}"):
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def test_each_reason_was_made_from_the_template_that_the_truth_names(default_run: Run) -> None:
    truths = {row.case_event_id: row for row in default_run.truths}
    n_banks: Counter[str] = Counter()
    for call, kind in _REQUESTS.items():
        for event in default_run.of_kind(kind):
            row, text = truths[event.event_id], getattr(event, kind).reason.text
            assert row.call == call
            assert bool(text) is bool(row.template)
            if text:
                assert _is_made_from(text, _find_template(row.template)), text
                n_banks[row.template.split("/")[2]] += 1
    assert min(n_banks[bank] for bank in ("default", "usual", "later")) > 50


def test_held_out_templates_are_met_late_only_and_by_honest_and_abusive(default_run: Run) -> None:
    truths = {row.case_event_id: row for row in default_run.truths}
    config = default_run.config
    from_us = config.start_us + config.new_template_from_day * US_PER_DAY
    seen: Counter[bool] = Counter()
    for kind in _REQUESTS.values():
        for event in default_run.of_kind(kind):
            row = truths[event.event_id]
            assert row.is_template_held_out is ("/later/" in row.template)
            if row.is_template_held_out:
                assert event.event_time >= from_us
                seen[row.is_abuse] += 1
    assert seen[True] >= 5
    assert seen[False] >= 50
