"""What every event's envelope must say, for columns of events and for a single one."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from features.log.arrow_access import find_envelope_enum
from features.log.rejections import Expectation, Rejection, RejectionReason
from features.log.schema import EVENT_KINDS, KIND_COLUMN

MAX_ID_LENGTH = 256
"""Characters of a tenant, an event id or a customer id; score requests allow as many."""

# Later is no shop's time, and a log that says so would carry its shard's clock there:
# every remembered id would be forgotten, and no answer be stale again.
END_US = 4_102_444_800_000_000
"""2100-01-01: an event that says it came in then or later is refused."""

SEPARATOR = "\x1f"
"""Of keys: with it in a name, two tenants' keys could meet."""

NAMES = tuple(
    Expectation(RejectionReason.MISSING_FIELD, name, "a non-empty string", "every event names it")
    for name in ("tenant", "event_id")
)
SIZES = tuple(
    Expectation(
        RejectionReason.BAD_VALUE,
        name,
        f"at most {MAX_ID_LENGTH} characters, as in a score request",
        "use shorter identifiers, e.g. a hash",
    )
    for name in ("tenant", "event_id", "customer_id")
)


class TimeRules:
    """What is asked of one of the envelope's times.

    Args:
        name: Its field.
    """

    def __init__(self, name: str) -> None:
        bad, fix = RejectionReason.BAD_VALUE, "check the source's clock"
        self.field = name
        self.present = Expectation(
            RejectionReason.MISSING_FIELD, name, "a time", "give the event its event_time"
        )
        self.start = Expectation(bad, name, "after 1970-01-01", fix)
        self.end = Expectation(bad, name, "before 2100-01-01", fix)


TIMES = (TimeRules("event_time"), TimeRules("ingest_time"))
NO_SEPARATOR = Expectation(
    RejectionReason.BAD_VALUE, "tenant", "no control characters", "rename the tenant"
)
ONE_KIND = Expectation(
    RejectionReason.MISSING_FIELD, KIND_COLUMN, "exactly one kind", "say what happened"
)

EMPTY, ABSENT, NONE = "empty", "absent", "none"
BEFORE_1970, AFTER_2099 = "a time before 1970", "a time after 2099"

_get_kinds = attrgetter(*EVENT_KINDS)
_CHANNELS = frozenset(find_envelope_enum("channel"))


def find_envelope_fault(event: Any) -> Rejection | None:
    """Return what is plainly wrong with an event's envelope, its offset 0.

    As `validation.validate_batch` would say it, for a hundredth of the cost: columns of
    a few odd events are made for nothing. None: nothing, or it is for the columns to say.

    Args:
        event: A `structs.Event`, its times in microseconds.
    """
    if not (event.tenant or event.event_id):
        return None  # Perhaps an erased event, with which nothing is wrong.
    for rule in NAMES:
        if not getattr(event, rule.field):
            return reject(rule, EMPTY)
    if max(map(len, (event.tenant, event.event_id, event.customer_id or ""))) > MAX_ID_LENGTH:
        return None
    for rules in TIMES:
        # What carries no ingest time was known when it happened.
        time_us = getattr(event, rules.field)
        time_us = event.event_time if time_us is None else time_us
        if time_us is None:
            return reject(rules.present, ABSENT)
        if time_us < 1:
            return reject(rules.start, BEFORE_1970)
        if time_us >= END_US:
            return reject(rules.end, AFTER_2099)
    if SEPARATOR in event.tenant:
        return reject(NO_SEPARATOR, "a name with a separator")
    kinds = _get_kinds(event)
    is_channel_known = event.channel is None or event.channel in _CHANNELS
    if is_channel_known and kinds.count(None) == len(kinds):
        return reject(ONE_KIND, NONE)
    return None


def reject(expected: Expectation, shown: str) -> Rejection:
    """Return the rejection of one row, its offset 0."""
    return Rejection(
        offset=0,
        reason_code=expected.reason,
        field=expected.field,
        value_shown=shown,
        expectation=expected.expectation,
        fix=expected.fix,
    )
