"""Runs benches, each in a fresh process: `python -m benchmarks.run [NAME ...]`."""

from __future__ import annotations

import subprocess
import sys

BENCHES = ("stream", "serving", "quality", "upkeep", "simulation")


def main(names: list[str]) -> int:
    """Run the named benches (all without a name); return 1 if one failed."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.stderr.write(f"error: no bench {unknown[0]!r}; there are {', '.join(BENCHES)}\n")
        return 2
    failed = []
    for name in names or BENCHES:
        sys.stdout.write(f"== bench {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.stderr.write(f"error: failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
