"""What Prometheus is told is what the run counted."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from features.errors import PortInUseError
from features.store.memory_store import MemoryFeatureStore
from stream.cluster import find_free_ports
from stream.metrics import serve_metrics
from stream.options import StreamOptions
from stream.runner import StreamRun

_PREFIX = "hemostat_stream_"
_Values = dict[tuple[str, str], float]


def _scrape(port: int) -> _Values:
    """Return what stands there, by name and first label."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20.0) as answer:
        text = answer.read().decode()
    return {
        (sample.name.removeprefix(_PREFIX), next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_port_serves_the_values_of_the_summary(tmp_path: Path, troubled_log: Path) -> None:
    (port,) = find_free_ports(1)
    scraped: list[_Values] = []

    def note(_: object) -> None:
        if len(scraped) < 2:
            scraped.append(_scrape(port))

    options = StreamOptions(tmp_path, batch_size=500, metrics_port=port)
    run = StreamRun(str(troubled_log), MemoryFeatureStore(), options, note)
    summary = run.run()
    stop = serve_metrics(run.tally, port, lambda: run.tally.applied_us + 2_500_000)
    last = _scrape(port)
    stop()

    conflicts = summary.dead_letters["conflict"]
    outcomes = {
        "folded": summary.folded,
        "not_folded": summary.not_folded,
        "duplicate": summary.duplicates,
        "conflict": conflicts,
        "rejected": sum(summary.dead_letters.values()) - conflicts,
        "erased": 0,
        "already_applied": 0,
    }
    assert {label: last["events_total", label] for label in outcomes} == outcomes
    reasons = {reason: last["dead_letters_total", reason] for reason in summary.dead_letters}
    assert reasons == summary.dead_letters
    for each in summary.partitions:
        assert last["position", str(each.partition)] == each.next_offset
        assert last["lag_rows", str(each.partition)] == 0
    assert last["rows_folded_total", ""] == summary.rows_folded
    assert last["visible_seconds_count", ""] == summary.folded
    assert last["visible_seconds_bucket", "+Inf"] == summary.folded
    assert last["lag_seconds", ""] == 2.5
    assert last["restarts_total", ""] == 0
    assert last["commits_total", ""] == run.tally.commits
    first, second = (values["events_total", "folded"] for values in scraped)
    assert 0 < first < second < summary.folded


def test_a_port_that_is_taken_is_refused(tmp_path: Path, troubled_log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = StreamOptions(tmp_path, metrics_port=taken.getsockname()[1])
        with pytest.raises(PortInUseError, match="--metrics-port"):
            StreamRun(str(troubled_log), MemoryFeatureStore(), options).run()
