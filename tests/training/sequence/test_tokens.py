"""Tokens are the history that the vector is computed from: nothing later, not the case itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from features.log.arrow_access import read_ints, read_kind_index
from features.log.schema import EVENT_KINDS
from features.request_rows import Call
from training.cases import build_learning_set
from training.facts import find_places, read_envelope
from training.head_definitions import FULL_HEADS
from training.log_reading import AcceptedEvents
from training.sequence.tokens import TokenSet, read_tokens
from training.sources import open_source

_LENGTH = 5


def _read(events: AcceptedEvents, call: Call = Call.ORDER) -> TokenSet:
    cases = build_learning_set(events, frozenset({call})).cases[call]
    return read_tokens(events, cases, _LENGTH)


def _name(tokens: TokenSet, case: int) -> list[str]:
    return [EVENT_KINDS[kind - 1] for kind in tokens.kind[case] if kind > 0]


def test_a_case_sees_its_customers_earlier_events_and_not_its_own(
    make: Any, read_events: Callable[[Any], AcceptedEvents]
) -> None:
    events = [
        make.order(1, "o1"),
        make.delivered(3, "o1"),
        make.order(5, "o2"),
        make.delivered(7, "o2"),
    ]
    tokens = _read(read_events(events))
    assert _name(tokens, 0) == []
    assert _name(tokens, 1) == ["order_placed", "order_delivered"]
    assert (tokens.kind[1, :3] == 0).all()


def test_what_became_known_later_is_not_seen(
    make: Any, read_events: Callable[[Any], AcceptedEvents]
) -> None:
    late = make.delivered(3, "o1")
    late.ingest_time = make.at(6)
    tokens = _read(read_events([make.order(1, "o1"), late, make.order(5, "o2")]))
    assert _name(tokens, 1) == ["order_placed"]


def test_tokens_equal_the_rule_spelt_out(simulated_log: Path) -> None:
    source = open_source(simulated_log, lambda *_: None, heads=FULL_HEADS)
    batch = source.events.batch
    group, kinds = read_envelope(batch).group, read_kind_index(batch)
    ingest_us, event_us = (read_ints(batch.column(n)) for n in ("ingest_time", "event_time"))
    for call in (Call.ORDER, Call.CANCELLATION):
        cases = source.cases.cases[call]
        tokens = read_tokens(source.events, cases, 8)
        own = find_places(cases.event_id, batch.column("event_id"))
        for case in np.random.default_rng(1).integers(0, len(cases), 60):
            is_seen = (group == cases.group[case]) & (ingest_us <= cases.time_us[case])
            is_seen[own[case]] = False
            rows = np.flatnonzero(is_seen)
            rows = rows[np.argsort(ingest_us[rows], kind="stable")][-8:]
            expected = np.zeros(8, np.int64)
            if len(rows) and not cases.is_guest[case]:
                expected[-len(rows) :] = kinds[rows] + 1
                until_s = np.maximum(cases.time_us[case] - event_us[rows], 0) / 1e6
                np.testing.assert_allclose(
                    tokens.scalars[case, -len(rows) :, 1], np.log1p(until_s) / 10, rtol=1e-5
                )
            assert tokens.kind[case].tolist() == expected.tolist()
