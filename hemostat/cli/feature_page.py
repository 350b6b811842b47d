"""The page of all features, written from the table of definitions: `make docs`.

A test compares the page with what this writes, so the page cannot grow old.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from features.definition import ALL_CALLS, HOUR_US, WINDOWS, FeatureDefinition, Window
from features.definitions import FEATURES, N_FEATURES, SCHEMA_HASH
from features.request_rows import Call

_HEADINGS = {
    "customer": "Customer: history of orders, cancellations, returns and verdicts",
    "activity": "Customer: activity between orders, and what was done for them",
    "sku": "SKU",
    "style": "Style",
    "supplier": "Supplier",
    "batch": "Batch",
    "region": "Delivery region",
    "store": "Store",
    "device": "Shared device",
    "address": "Shared address",
    "payment_token": "Shared payment token",
    "request": "The case itself",
}
_CALL_NAMES = {
    Call.ORDER: "order",
    Call.CANCELLATION: "cancellation",
    Call.RETURN: "return",
    Call.ORDER_LINE: "order line",
}

_HEAD = """\
# Features

Written by `make docs` from `features/definitions`; do not edit.
{count} columns, table `{schema}`.

* A column is float32. *Missing* is NaN and never 0: the history of a new customer or of a guest, an
  entity that the case does not name, a store that is down. *Empty* says what a column is if nothing
  of it ever happened.
* Money is in minor units, as in the events.
* A window W at time T counts events with `event_time >= floor(T - W, hop)`. Hops:
  {hops}.
* Products, regions and stores count closed hours only (`event_time < floor(T, 1 h)`), shared
  identities leave the asking customer out, a customer's history leaves the case's own event out: a
  case never counts itself.
"""


def _describe_calls(calls: tuple[Call, ...]) -> str:
    return "all" if set(calls) == set(ALL_CALLS) else ", ".join(_CALL_NAMES[call] for call in calls)


def _describe_hop(window: Window) -> str:
    hours = window.hop_us // HOUR_US
    hop = f"{hours} h" if hours < 24 else f"{hours // 24} d"
    return f"`{window.name}` {hop}"


def _draw_row(feature: FeatureDefinition) -> str:
    cells = (
        f"`{feature.name}`",
        feature.unit,
        _describe_calls(feature.calls),
        feature.default,
        feature.description,
        feature.description_zh,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def render_page() -> Iterator[str]:
    """Yield the lines of the page."""
    hops = ", ".join(_describe_hop(window) for window in WINDOWS)
    yield from _HEAD.format(count=N_FEATURES, schema=SCHEMA_HASH, hops=hops).splitlines()
    for entity, group in groupby(FEATURES, key=lambda feature: feature.entity):
        features = list(group)
        yield ""
        yield f"## {_HEADINGS[entity]} ({len(features)})"
        yield ""
        yield "| feature | unit | calls | empty | what it is | 说明 |"
        yield "|---|---|---|---|---|---|"
        yield from (_draw_row(feature) for feature in features)


if __name__ == "__main__":
    sys.stdout.write("\n".join(render_page()) + "\n")
