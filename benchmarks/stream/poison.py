"""Rows that no stream can apply, of every sort that retailers send, among good ones."""

from __future__ import annotations

import json
import random
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stream.runner import stream_to_disk

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PoisonSort:
    """A way in which a row can be bad.

    Attributes:
        reason: Of its dead letter.
        spoil: Returns the bad row from an event, without line end.
    """

    reason: str
    spoil: Callable[[Event], bytes]


def poison_lines(
    lines: Sequence[bytes], share: float, seed: int
) -> tuple[list[bytes], dict[int, str]]:
    """Return lines with poison between them, and the sort of each bad row by its offset.

    Args:
        lines: JSON lines of events that have an ingest time.
        share: Bad rows per row that comes out.
        seed: Decides places.
    """
    rng = random.Random(seed)
    n_bad = max(1, round(len(lines) * share / (1 - share)))
    places = sorted(rng.sample(range(1, len(lines)), n_bad))
    names = list(SORTS)
    mixed: list[bytes] = []
    sorts: dict[int, str] = {}
    begin = 0
    for number, place in enumerate(places):
        mixed += lines[begin:place]
        begin = place
        name = names[number % len(names)]
        event = json.loads(lines[place - 1])
        sorts[len(mixed)] = name
        if name != "conflict":  # A conflict is the one that tells an id again.
            event["event_id"] = f"poison{number}"
        mixed.append(SORTS[name].spoil(event) + b"\n")
    return mixed + list(lines[begin:]), sorts


def measure_poison_ratio(
    lines: Sequence[bytes], folder: Path, *, share: float = 0.01, repeats: int = 20
) -> float:
    """Return the rate of good and bad rows together over that of good rows alone.

    Rates are of all rows read, bad ones included. Each run fills a new embedded store,
    which is removed behind it: all pairs' stores would take gigabytes. A run of each sort
    makes a pair, in turns which of them is first; the median of the pairs' ratios counts.
    A pair before them is not counted: it loads what is loaded once in a process.

    Args:
        lines: JSON lines of events that have an ingest time.
        folder: For logs and stores.
        share: Bad rows per row.
        repeats: Pairs.
    """
    mixed, _ = poison_lines(lines, share, seed=1)
    for name, those in (("good", lines), ("mixed", mixed)):
        (folder / f"{name}.jsonl").write_bytes(b"".join(those))
    ratios = []
    for number in range(repeats + 1):
        rates = {}
        for name in ("good", "mixed") if number % 2 else ("mixed", "good"):
            summary = stream_to_disk(folder / f"{name}.jsonl", folder / "store")
            shutil.rmtree(folder / "store")
            rates[name] = summary.events_per_s
        ratios.append(rates["mixed"] / rates["good"])
    return statistics.median(ratios[1:])


def _encode(event: Event) -> bytes:
    return json.dumps(event).encode()


def _cut(event: Event) -> bytes:
    return _encode(event)[:-20]


def _with(name: str, value: Any) -> Callable[[Event], bytes]:
    return lambda event: _encode({**event, name: value})


def _without(name: str) -> Callable[[Event], bytes]:
    return lambda event: _encode({each: event[each] for each in event if each != name})


def _shift(field: str, days: int) -> Callable[[Event], bytes]:
    def spoil(event: Event) -> bytes:
        moved = datetime.fromisoformat(event["ingest_time"]) + timedelta(days=days)
        stamp = moved.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return _encode({**event, field: f"{stamp}Z"})

    return spoil


def _replace_body(**body: Any) -> Callable[[Event], bytes]:
    envelope = ("event_id", "tenant", "event_time", "ingest_time", "customer_id", "channel")
    return lambda event: _encode({n: event[n] for n in envelope if n in event} | body)


def _retell(event: Event) -> bytes:
    channel = "CHANNEL_WEB" if event.get("channel") != "CHANNEL_WEB" else "CHANNEL_STORE"
    return _encode({**event, "channel": channel})


_LINE = {"line_id": "1", "sku": "s", "unit_price_minor": "100"}

SORTS: dict[str, PoisonSort] = {
    "cut off": PoisonSort("malformed", _cut),
    "no JSON": PoisonSort("malformed", lambda _: b"<event>order</event>"),
    "not UTF-8": PoisonSort("malformed", lambda event: _encode(event)[:-1] + b',"x":"\xff\xfe"}'),
    "empty": PoisonSort("malformed", lambda _: b""),
    "a list": PoisonSort("malformed", lambda event: b"[" + _encode(event) + b"]"),
    "deeply nested": PoisonSort("malformed", lambda _: b'{"a":' * 3_000 + b"1" + b"}" * 3_000),
    "wrong type": PoisonSort("malformed", _with("customer_id", 7)),
    "unheard-of enum": PoisonSort("malformed", _with("channel", "CHANNEL_MOON")),
    "unheard-of kind": PoisonSort(
        "unknown_kind", _replace_body(rocket_launched={"order_id": "o1"})
    ),
    "no kind": PoisonSort("missing_field", _replace_body()),
    "no tenant": PoisonSort("missing_field", _without("tenant")),
    "no event time": PoisonSort("missing_field", _without("event_time")),
    "no quantity": PoisonSort(
        "bad_value", _replace_body(order_placed={"order_id": "o", "lines": [_LINE]})
    ),
    "negative price": PoisonSort(
        "bad_value",
        _replace_body(
            order_placed={
                "order_id": "o",
                "lines": [{**_LINE, "quantity": 1, "unit_price_minor": "-5"}],
            }
        ),
    ),
    "huge quantity": PoisonSort(
        "bad_value",
        _replace_body(order_placed={"order_id": "o", "lines": [{**_LINE, "quantity": 2_000_000}]}),
    ),
    "absurd time": PoisonSort("bad_value", _with("ingest_time", "9999-01-01T00:00:00Z")),
    "late": PoisonSort("late", _shift("event_time", -31)),
    "of the future": PoisonSort("future", _shift("event_time", 365)),
    "not yet known": PoisonSort("not_yet_known", _shift("known_at", 2)),
    "conflict": PoisonSort("conflict", _retell),
}
"""Every sort, by name."""
