"""The stream's speed: `make bench-stream`, or BENCH=short for a form of three minutes.

Each measurement runs in a fresh process; those of the dataflow take turns with the
bare keyed step, so that a machine that is slow for a while is slow for both. Ends
with one line of JSON. A part that cannot run says so and leaves its keys out.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Value, is_short, publish
from benchmarks.stream.bars import draw_table
from benchmarks.stream.parts import PARTS
from benchmarks.stream.world import FULL, SHORT, GrowingLog, Sizes

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer

Figures = dict[str, float]

_PUSHES = (100, 1_000)


def run_part(name: str, **arguments: object) -> Figures:
    """Run a part in a fresh process and return its figures.

    Raises:
        RuntimeError: It failed; what it wrote to stderr is part of the message.
    """
    words = [sys.executable, "-m", "benchmarks.stream", name, json.dumps(arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"part {name} failed:\n{done.stderr[-4_000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def tell(line: str) -> None:
    """Write a line for people to stderr."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


@contextmanager
def find_redis(folder: Path) -> Iterator[RedisServer | None]:
    """Yield a running server; None, and say so, if this machine has none."""
    if find_spec("redis") is None:
        tell("left out: Redis (the client is not installed)")
        yield None
        return
    from tests.redis_servers import ENABLE, find_redis_server, run_server

    if find_redis_server() is None:
        tell(f"left out: Redis (no server: {ENABLE})")
        yield None
        return
    with run_server(folder) as server:
        yield server


def measure_flow(folder: Path, redis_url: str | None, sizes: Sizes) -> Figures:
    """Return medians of the dataflow's forms and of the bare step, which take turns."""
    tell(f"filling stores with {sizes.n_fill:,} events of {sizes.n_customers:,} customers")
    log = GrowingLog(folder / "events.jsonl", sizes)
    # The durable form has a store of its own: each page that it synced has to be faulted in
    # again by the next writer.
    lmdb, durable, redis_state = folder / "store", folder / "durable", folder / "redis-state"

    def stream(place: str | Path, batch_size: int, *, is_durable: bool = False) -> float:
        state = place if isinstance(place, Path) else redis_state
        return run_part(
            "flow",
            log=str(log.path),
            place=str(place),
            state=str(state),
            batch_size=batch_size,
            is_durable=is_durable,
        )["events_per_s"]

    n_items = sizes.n_measured
    works: dict[str, Callable[[], float]] = {
        "events_per_s_lmdb": lambda: stream(lmdb, 10_000),
        "bytewax_keyed_step_per_s": lambda: run_part(
            "bare", n_items=n_items, n_customers=sizes.n_customers
        )["items_per_s"],
        "events_per_s_lmdb_2k": lambda: stream(lmdb, 2_000),
        "events_per_s_lmdb_durable": lambda: stream(durable, 10_000, is_durable=True),
    }
    stream(lmdb, 10_000)
    stream(durable, 10_000)
    if redis_url:
        works["events_per_s_redis"] = lambda: stream(redis_url, 10_000)
        stream(redis_url, 10_000)
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(sizes.repeats):
        for name, work in works.items():
            # The other stores apply what the log has grown by for both forms on this one.
            if name in ("events_per_s_lmdb", "events_per_s_lmdb_2k"):
                log.grow()
            found[name].append(work())
        tell(f"turn {turn + 1}: " + ", ".join(f"{n} {v[-1]:,.0f}" for n, v in found.items()))
    return {name: statistics.median(rates) for name, rates in found.items()}


def compute_ratios(figures: Mapping[str, float]) -> Figures:
    """Return the ratios to the bare step and to Feast, of the figures that are there.

    >>> compute_ratios({"bytewax_keyed_step_per_s": 200.0, "events_per_s_lmdb": 50.0})
    {'ratio_to_keyed_step': 0.25}
    """
    pairs = {
        "ratio_to_keyed_step": ("events_per_s_lmdb", "bytewax_keyed_step_per_s"),
        "ratio_to_keyed_step_2k": ("events_per_s_lmdb_2k", "bytewax_keyed_step_per_s"),
        "ratio_redis_to_keyed_step": ("events_per_s_redis", "bytewax_keyed_step_per_s"),
        "ratio_durable_to_keyed_step": ("events_per_s_lmdb_durable", "bytewax_keyed_step_per_s"),
        "ratio_to_feast_push": ("events_per_s_redis", "feast_push_events_per_s"),
    }
    return {
        name: figures[ours] / figures[other]
        for name, (ours, other) in pairs.items()
        if ours in figures and other in figures
    }


def measure_push(server: RedisServer, sizes: Sizes) -> Figures:
    """Return what Feast pushes into the same kind of server."""
    if find_spec("feast") is None:
        tell("left out: Feast (not installed)")
        return {}
    rates = [
        run_part(
            "push",
            port=server.port,
            rows_per_push=rows,
            seconds=sizes.push_s,
            n_customers=sizes.n_customers,
        )["rows_per_s"]
        for rows in _PUSHES
    ]
    return {"feast_push_events_per_s": max(rates)}


def measure_reads(folder: Path, redis_url: str | None, sizes: Sizes) -> Figures:
    """Return the costs of a request on both stores, and how they grow."""
    store = str(folder / "store")
    asked = {"n_customers": sizes.n_customers, "n": sizes.n_reads}
    figures = run_part("read_lmdb", place=store, **asked)
    if redis_url:
        figures |= run_part("read_redis", url=redis_url, **asked)
    tell(f"stores of {sizes.n_small:,} and {sizes.n_large:,} customers")
    grown = run_part(
        "growth",
        folder=str(folder),
        filled=store,
        n_small=sizes.n_small,
        n_large=sizes.n_large,
        n=sizes.n_reads,
    )
    span = f"_{_shorten(sizes.n_small)}_to_{_shorten(sizes.n_large)}"
    for name in ("read_growth", "memory_growth"):
        grown[name + span] = grown.pop(name)
    return figures | grown


def _shorten(count: int) -> str:
    """Return a count in words of a key.

    >>> _shorten(10_000), _shorten(1_000_000)
    ('10k', '1m')
    """
    return f"{count // 1_000_000}m" if count >= 1_000_000 else f"{count // 1_000}k"


def measure(folder: Path, sizes: Sizes) -> Figures:
    """Return all figures that can be measured here."""
    with ExitStack() as running:
        server = running.enter_context(find_redis(folder / "redis"))
        url = None if server is None else f"{server.url}/?prefix=bench"
        figures = measure_flow(folder, url, sizes)
        if server is not None:
            tell("pushing with Feast")
            figures |= measure_push(server, sizes)
        figures = figures | compute_ratios(figures)
        tell("reading")
        figures |= measure_reads(folder, url, sizes)
    tell("visibility at a third of the maximum rate")
    figures |= run_part(
        "visible",
        folder=str(folder / "visible"),
        rate_per_s=figures["events_per_s_lmdb"] / 3,
        seconds=sizes.visible_s,
        n_fill=sizes.n_fill // 5,
        n_customers=sizes.n_customers,
    )
    tell("poison")
    figures |= run_part(
        "poison",
        folder=str(folder / "poison"),
        n_events=sizes.n_measured,
        n_customers=sizes.n_customers,
    )
    tell("bulk")
    figures |= run_part("bulk", n_events=sizes.n_bulk, n_customers=sizes.n_customers)
    tell("training rows")
    return figures | run_part(
        "training_rows", folder=str(folder / "training"), n_events=sizes.n_baseline
    )


def main(words: list[str]) -> None:
    """Run all parts, or (inside) the one that is named."""
    if words:
        figures = PARTS[words[0]](**json.loads(words[1]))
        sys.stdout.write("\n" + json.dumps(figures) + "\n")
        return
    sizes = SHORT if is_short() else FULL
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), sizes)
    values: dict[str, Value] = {"n_customers": sizes.n_customers, "n_fill": sizes.n_fill}
    values |= figures
    sys.stdout.write(draw_table(values))
    publish("stream", values)


if __name__ == "__main__":
    main(sys.argv[1:])
