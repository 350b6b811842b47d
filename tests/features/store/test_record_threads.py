"""Threads that read through the writer itself, while its heap grows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np


def test_threads_read_through_the_writer_while_its_memory_moves(tmp_path: Path) -> None:
    # In a process of its own: what goes wrong here ends the process.
    code = (
        "import sys, threading\n"
        "import numpy as np\n"
        "from features.records.packing import PackedRecords\n"
        "from features.store.record_writer import RecordTableWriter\n"
        "from pathlib import Path\n"
        "sys.setswitchinterval(1e-6)\n"
        "keys = np.load(sys.argv[2])\n"
        "table = RecordTableWriter(Path(sys.argv[1]), 0, 1 << 40, is_synced=False)\n"
        "blobs = PackedRecords.from_blobs([bytes([65 + n % 20]) * 800 for n in range(len(keys))])\n"
        "def commit(number):\n"
        "    table.append(number, keys, blobs, 0)\n"
        "    table.publish(number, 0)\n"
        "    table.finish()\n"
        "commit(1)\n"
        "expected, wrong, done = table.read(keys[:8], 1).to_blobs(), [], threading.Event()\n"
        "def read():\n"
        "    while not done.is_set():\n"
        "        try:\n"
        "            if table.read(keys[:8], 1).to_blobs() != expected:\n"
        "                wrong.append('other records')\n"
        "        except Exception as error:\n"
        "            wrong.append(repr(error))\n"
        "threads = [threading.Thread(target=read) for _ in range(3)]\n"
        "[thread.start() for thread in threads]\n"
        "for number in range(2, 60):\n"
        "    commit(number)\n"
        "done.set()\n"
        "[thread.join() for thread in threads]\n"
        "assert not wrong, wrong[:3]\n"
        "print(table.n_segments)\n"
    )
    np.save(tmp_path / "keys.npy", np.random.default_rng(1).integers(0, 256, (2_000, 16), np.uint8))
    words = [sys.executable, "-c", code, str(tmp_path), str(tmp_path / "keys.npy")]
    ended = subprocess.run(words, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()[-2_000:]
    assert int(ended.stdout) > 60, "the heap grew again and again"
