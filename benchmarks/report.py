"""The one line of JSON in which every bench ends, and where it was measured."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("bytewax", "duckdb", "grpcio", "lmdb", "numba", "numpy", "onnxruntime", "xgboost-cpu")

Value = float | int | str


def is_short() -> bool:
    """Return whether the short form for CI is asked for (`BENCH=short`)."""
    return os.environ.get("BENCH", "").lower() == "short"


def describe_machine() -> dict[str, Value]:
    """Return processor, cores, Python, package versions and git revision."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [ln for ln in cpuinfo.read_text().splitlines() if ln.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "git_revision": revision or "unknown",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "is_short": is_short(),
        **{f"version_{name}": metadata.version(name) for name in _PACKAGES},
    }


def publish(bench: str, values: dict[str, Value]) -> None:
    """Write the figures with the machine to `results/<bench>.json` and print them as one line.

    Args:
        bench: Name of the bench, e.g. `stream`.
        values: Flat figures, units last in the names. A part that could not run is
            left out, never invented.

    Raises:
        ValueError: A figure is not finite.
    """
    bad = [k for k, v in values.items() if isinstance(v, float) and not math.isfinite(v)]
    if bad:
        raise ValueError(f"figures that are not finite: {', '.join(bad)}")
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items()}
    RESULTS.mkdir(exist_ok=True)
    document = {"bench": bench, **rounded, **describe_machine()}
    (RESULTS / f"{bench}.json").write_text(json.dumps(document, indent=2) + "\n")
    sys.stdout.write(json.dumps({"bench": bench, **rounded}) + "\n")
    sys.stdout.flush()
