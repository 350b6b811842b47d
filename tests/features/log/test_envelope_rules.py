"""A single event's envelope is judged as columns of events are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from features.log import structs
from features.log.assemble import build_batch, stamp_ingest_time
from features.log.envelope_rules import END_US, MAX_ID_LENGTH, find_envelope_fault
from features.log.validation import validate_batch

_NOW_US = 1_772_366_400_000_000
_GOOD = {
    "event_id": "e1",
    "tenant": "demo",
    "event_time": _NOW_US,
    "ingest_time": _NOW_US,
    "customer_id": "c1",
    "channel": "CHANNEL_WEB",
}
_BODY = structs.STRUCTS["ProductViewed"](sku="s1") if "ProductViewed" in structs.STRUCTS else None
_FAULTS: dict[str, dict[str, Any]] = {
    "no tenant": {"tenant": None},
    "an empty tenant": {"tenant": ""},
    "no event id": {"event_id": None},
    "neither event id nor time": {"event_id": "", "event_time": None, "ingest_time": None},
    "no event time": {"event_time": None},
    "no time at all": {"event_time": None, "ingest_time": None},
    "a time before 1970": {"event_time": -1},
    "a time after 2099": {"event_time": END_US},
    "taken in before 1970": {"ingest_time": 0},
    "taken in after 2099": {"ingest_time": END_US},
    "a separator": {"tenant": "a\x1fb"},
    "two faults": {"tenant": "", "event_time": None},
    "no channel and no kind": {"channel": None, "product_viewed": None},
    "no kind": {"product_viewed": None},
}
_UNDECIDED: dict[str, dict[str, Any]] = {
    "nothing wrong": {},
    "no ingest time": {"ingest_time": None},
    "no customer": {"customer_id": None},
    "an id as long as any": {"event_id": "e" * MAX_ID_LENGTH},
    "an id too long": {"event_id": "e" * (MAX_ID_LENGTH + 1)},
    "an id too long and no time": {"customer_id": "c" * 300, "event_time": None},
    "late": {"event_time": _NOW_US - 40 * 86_400_000_000},
}


def _make(changes: dict[str, Any]) -> Any:
    return structs.STRUCTS["Event"](**{**_GOOD, "product_viewed": _BODY, **changes})


@pytest.mark.parametrize("changes", _FAULTS.values(), ids=_FAULTS)
def test_a_plain_fault_is_told_as_the_columns_tell_it(changes: dict[str, Any]) -> None:
    event = _make(changes)
    (told,) = validate_batch(stamp_ingest_time(build_batch([event]))).rejected
    found = find_envelope_fault(event)
    assert found is not None
    assert msgspec.structs.replace(found, offset=told.offset) == told


@pytest.mark.parametrize("changes", _UNDECIDED.values(), ids=_UNDECIDED)
def test_what_is_not_plainly_wrong_is_left_to_the_columns(changes: dict[str, Any]) -> None:
    assert find_envelope_fault(_make(changes)) is None


def test_an_erased_event_has_no_fault() -> None:
    event = structs.STRUCTS["Event"]()
    assert find_envelope_fault(event) is None
    validated = validate_batch(stamp_ingest_time(build_batch([event])))
    assert (validated.rejected, len(validated.valid_index)) == ((), 0)
