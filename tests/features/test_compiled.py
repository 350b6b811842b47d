"""Compiling: slow once, and not in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KERNELS = """
from features.compiled import compiled, int64

@compiled(int64(int64))
def double(number):
    return 2 * number

@compiled(int64(int64))
def triple(number):
    return 3 * number

assert double(2) + triple(2) == 10
"""


def test_a_cold_cache_is_told_once_and_a_warm_one_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "HEMOSTAT_JIT": "on"}
    words = [sys.executable, str(tmp_path / "kernels.py")]
    told = [
        subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stderr
        for _ in range(2)
    ]
    assert told[0].count("compiling") == told[0].count("\n") == 1
    assert told[1] == ""
