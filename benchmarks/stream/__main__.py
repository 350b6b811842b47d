"""Events per second: through the dataflow and in bulk, each beside its limit.

The limit of the dataflow is a bare Bytewax keyed step: the same number of items
through `key_on` and a `stateful_map` that only counts, one item per event. The
limit of the bulk fold is one pass over the same rows that only reads them. Every
part runs in a fresh process, several times; medians are printed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Value, is_short, publish

_CUSTOMERS_FULL, _CUSTOMERS_SHORT = 12_000, 2_500
_REPEATS_FULL, _REPEATS_SHORT = 5, 3


def _simulate(path: Path, n_customers: int) -> None:
    words = ["simulate", str(path), "--seed", "11", "--customers", str(n_customers), "--json"]
    subprocess.run(
        [sys.executable, "-m", "hemostat.cli.main", *words], check=True, capture_output=True
    )


def _measure_median(repeats: int, run: Callable[[], float]) -> float:
    return statistics.median(run() for _ in range(repeats))


def _measure_flow(log: Path, repeats: int) -> dict[str, float]:
    """Return events per second from Parquet into a new LMDB store."""
    from stream.runner import stream_to_disk

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            summary = stream_to_disk(log, Path(folder) / "store")
            return float(summary.events_read) / (time.perf_counter() - start)

    run()  # Compiled kernels are loaded, files are in the page cache.
    return {"flow_events_per_s": _measure_median(repeats, run)}


def _measure_bare_keyed_step(log: Path, repeats: int) -> dict[str, float]:
    """Return items per second through Bytewax's own keyed step, one item per event."""
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, TestingSource, run_main

    from features.log.reader import EventLog

    opened = EventLog(log)
    customers = [
        customer
        for partition in opened.partitions
        for _, batch in opened.read_batches(partition, kinds=())
        for customer in batch.column("customer_id").to_pylist()
    ]

    def count(state: int | None, _item: str) -> tuple[int, int]:
        return (state or 0) + 1, 0

    def run() -> float:
        flow = Dataflow("bare")
        items = op.input("in", flow, TestingSource(customers, batch_size=10_000))
        keyed = op.key_on("key", items, lambda customer: customer)
        counted = op.stateful_map("count", keyed, count)
        op.output("out", op.filter("none", counted, lambda _: False), TestingSink([]))
        start = time.perf_counter()
        run_main(flow)  # type: ignore[no-untyped-call]
        return len(customers) / (time.perf_counter() - start)

    return {"bare_keyed_step_items_per_s": _measure_median(repeats, run)}


def _read_rows(log: Path) -> tuple[Any, Any, Any]:
    """Return the log's accepted fold columns, cases, and owner numbers of the fold rows."""
    import numpy as np

    from features.fold_rows import FOLDED_KINDS
    from features.log.columns import to_fold_rows, to_request_rows
    from features.log.reader import EventLog

    table = EventLog(log).read_table(list(FOLDED_KINDS))
    folded = to_fold_rows(table)
    keys = np.ascontiguousarray(folded.entity_keys).view("V16").ravel()
    owners = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return folded, to_request_rows(table), owners


def _measure_bulk(log: Path, repeats: int) -> dict[str, float]:
    """Return rows per second of the compiled fold, and of fold and vector over history."""
    import numpy as np

    from features.bulk import compute_vectors_at
    from features.fold import fold_rows
    from features.record import new_records

    folded, cases, owners = _read_rows(log)
    order = np.argsort(owners, kind="stable")
    rows, owners = np.ascontiguousarray(folded.rows[order]), owners[order]
    n_owners = int(owners.max()) + 1

    def run_fold() -> float:
        records = new_records(n_owners)
        records.view(np.int64)[:] = 0  # Touch the pages: that is not the fold's time.
        start = time.perf_counter()
        fold_rows(records, owners, rows)
        return len(rows) / (time.perf_counter() - start)

    def run_read() -> float:
        words = rows.view(np.int64)
        start = time.perf_counter()
        int(words.sum())
        return len(rows) / (time.perf_counter() - start)

    def run_vectors() -> float:
        start = time.perf_counter()
        compute_vectors_at(
            folded.rows, folded.entity_keys, cases.rows, cases.entity_keys, cases.is_guest
        )
        return len(cases.rows) / (time.perf_counter() - start)

    run_vectors()
    return {
        "bulk_fold_events_per_s": _measure_median(repeats, run_fold),
        "bulk_read_rows_per_s": _measure_median(repeats, run_read),
        "bulk_vectors_per_s": _measure_median(repeats, run_vectors),
    }


_PARTS = {"flow": _measure_flow, "bare": _measure_bare_keyed_step, "bulk": _measure_bulk}


def _run_part(name: str, log: Path, repeats: int) -> dict[str, float]:
    """Run one part in a fresh process."""
    words = [sys.executable, "-m", "benchmarks.stream", name, str(log), str(repeats)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(words: list[str]) -> None:
    """Run all parts, or (inside) the one that is named."""
    if words:
        figures = _PARTS[words[0]](Path(words[1]), int(words[2]))
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    repeats = _REPEATS_SHORT if is_short() else _REPEATS_FULL
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        _simulate(log, _CUSTOMERS_SHORT if is_short() else _CUSTOMERS_FULL)
        n_events = json.loads((log / "log.json").read_text())["n_events"]
        values: dict[str, Value] = {"n_events": n_events}
        for name in _PARTS:
            values.update(_run_part(name, log, repeats))
    flow, bare = float(values["flow_events_per_s"]), float(values["bare_keyed_step_items_per_s"])
    fold, read = float(values["bulk_fold_events_per_s"]), float(values["bulk_read_rows_per_s"])
    values["flow_ratio_to_bare_keyed_step"] = flow / bare
    values["bulk_fold_ratio_to_reading"] = fold / read
    for name, value in values.items():
        sys.stdout.write(f"{name:<36} {value:>16,.3f}\n")
    publish("stream", values)


if __name__ == "__main__":
    main(sys.argv[1:])
