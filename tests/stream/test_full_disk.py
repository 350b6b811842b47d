"""A store without room: a clear message, and nothing lost once there is some."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from features.errors import StoreFullError
from features.store.opening import StoreOptions, open_store
from stream.options import StreamOptions
from stream.runner import run_stream, stream_to_disk

_Dump = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def large_log(
    tmp_path_factory: pytest.TempPathFactory,
    make_events: Callable[..., list[Any]],
    write_log: Callable[..., Path],
) -> Path:
    """A log whose records outgrow the room that a new store has."""
    events = make_events(24_000, n_customers=20_000)
    return write_log(tmp_path_factory.mktemp("logs") / "log", events)


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory: pytest.TempPathFactory, large_log: Path) -> Path:
    """The store of a run that had room."""
    place = tmp_path_factory.mktemp("stores") / "whole"
    stream_to_disk(large_log, place)
    return place


@pytest.mark.parametrize("is_durable", [False, True])
@pytest.mark.parametrize("is_following", [False, True])
def test_a_full_map_ends_the_run_at_once_and_a_larger_one_goes_on_without_loss(
    tmp_path: Path,
    large_log: Path,
    whole_store: Path,
    is_durable: bool,
    is_following: bool,
    dump_store: _Dump,
) -> None:
    place, small = tmp_path / "store", StoreOptions(is_durable, 4 << 20)
    # It would wait for ever for whatever mends itself.
    options = StreamOptions(
        tmp_path / "state", batch_size=1_000, is_following=is_following, wait_s=None
    )
    done: list[int] = []
    with (
        open_store(place, "write", small) as store,
        pytest.raises(StoreFullError, match=r"maximum size.*--map-size-gib"),
    ):
        run_stream(str(large_log), store, options, lambda at: done.append(at.rows_done))
    assert 0 < max(done) < 24_000
    assert stream_to_disk(large_log, place).rows_behind == 0
    assert dump_store(place) == dump_store(whole_store)


def _run_limited(log: Path, place: Path, limit_kib: int) -> subprocess.CompletedProcess[str]:
    """Stream in a process whose files may not grow beyond a limit, as on a full disk."""
    words = [sys.executable, "-m", "hemostat.cli.main", "stream", str(log), "--store", str(place)]
    words += ["--store-wait", "0", "--batch-size", "2000", "--json"]
    shell = f'ulimit -f {limit_kib} && exec "$@"'
    command = ["bash", "-c", shell, "bash", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("limit_kib", [1_024, 5_000])  # At once, and in the middle.
def test_files_that_may_not_grow_end_the_run_clearly_and_the_next_one_loses_nothing(
    tmp_path: Path, large_log: Path, whole_store: Path, limit_kib: int, dump_store: _Dump
) -> None:
    place = tmp_path / "store"
    ended = _run_limited(large_log, place, limit_kib)
    assert ended.returncode == 2, ended.stderr
    told = json.loads(ended.stderr.splitlines()[-1])["error"]
    assert "full" in told["message"]
    assert "ulimit" in told["fix"]
    assert stream_to_disk(large_log, place).rows_behind == 0
    assert dump_store(place) == dump_store(whole_store)
