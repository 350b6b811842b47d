"""What runs in a process of its own; arguments and figures are plain numbers and texts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.stream.world import FILL_DAYS, FILL_START

_REPEATS = 3
_NOW = FILL_START + timedelta(days=FILL_DAYS)

# Imports stand in the parts: each process loads what it measures and no more.


def run_flow(
    log: str, place: str, state: str, batch_size: int, *, is_durable: bool
) -> dict[str, float]:
    """Apply what a store has not applied yet."""
    from benchmarks.stream.flow import stream_log

    rate = stream_log(Path(log), place, Path(state), batch_size, is_durable=is_durable)
    return {"events_per_s": rate}


def run_bare(n_items: int, n_customers: int) -> dict[str, float]:
    """Run the bare keyed step."""
    from benchmarks.stream.bare_step import make_items, run_bare_step

    return {"items_per_s": run_bare_step(make_items(n_items, n_customers))}


def run_push(port: int, rows_per_push: int, seconds: float, n_customers: int) -> dict[str, float]:
    """Push with Feast, as many columns as the customer has features."""
    from benchmarks.stream.feast_push import measure_push

    rate = measure_push(port, rows_per_push, count_columns(), seconds, n_customers)
    return {"rows_per_s": rate}


def run_read_lmdb(place: str, n_customers: int, n: int) -> dict[str, float]:
    """Read on the embedded store."""
    from benchmarks.stream.reads import measure_lmdb

    return measure_lmdb(Path(place), n_customers, n, _NOW)


def run_read_redis(url: str, n_customers: int, n: int) -> dict[str, float]:
    """Read on Redis."""
    from benchmarks.stream.reads import measure_redis

    return measure_redis(url, n_customers, n, _NOW)


def run_growth(folder: str, filled: str, n_small: int, n_large: int, n: int) -> dict[str, float]:
    """Compare a small store with a large one."""
    from benchmarks.stream.reads import measure_growth

    return measure_growth(Path(folder), Path(filled), n_small, n_large, n, _NOW)


def run_visible(
    folder: str, rate_per_s: float, seconds: float, n_fill: int, n_customers: int
) -> dict[str, float]:
    """Measure event-to-visible."""
    from benchmarks.stream.visible import measure_visible

    Path(folder).mkdir()
    return measure_visible(Path(folder), rate_per_s, seconds, n_fill, n_customers)


def run_poison(folder: str, n_events: int, n_customers: int) -> dict[str, float]:
    """Stream a log with a hundredth of bad rows, and the same log without them."""
    from benchmarks.stream.events import iterate_lines
    from benchmarks.stream.poison import measure_poison_ratio

    Path(folder).mkdir()
    per_s = n_events / timedelta(days=FILL_DAYS).total_seconds()
    texts = iterate_lines(1, n_events, n_customers, 0, FILL_START, per_s)
    lines = [f"{text}\n".encode() for text in texts]
    return {"ratio_poison_to_clean": measure_poison_ratio(lines, Path(folder))}


def run_bulk(n_events: int, n_customers: int) -> dict[str, float]:
    """Fold, and make vectors, in bulk."""
    from benchmarks.stream.bulk import decode, measure_fold, measure_vectors
    from benchmarks.stream.events import iterate_lines

    per_s = n_events / timedelta(days=FILL_DAYS).total_seconds()
    lines = iterate_lines(1, n_events, n_customers, 0, FILL_START, per_s)
    history = decode("".join(f"{line}\n" for line in lines).encode())
    return measure_fold(history, _REPEATS) | measure_vectors(history, _REPEATS)


def run_training_rows(folder: str, n_events: int) -> dict[str, float]:
    """Make training rows in three ways."""
    from benchmarks.training_rows.timing import measure_training_rows

    Path(folder).mkdir()
    return measure_training_rows(Path(folder), n_events, count_columns(), _REPEATS)


def count_columns() -> int:
    """Return the number of features of the customer's view."""
    from hemostat.feast_store.views import find_view

    view = find_view("customer_features")
    assert view is not None
    return len(view.features)


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "flow": run_flow,
    "bare": run_bare,
    "push": run_push,
    "read_lmdb": run_read_lmdb,
    "read_redis": run_read_redis,
    "growth": run_growth,
    "visible": run_visible,
    "poison": run_poison,
    "bulk": run_bulk,
    "training_rows": run_training_rows,
}
