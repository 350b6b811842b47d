"""What the stream tells Prometheus; every metric in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from features.errors import PortInUseError
from stream.summary import StreamTally
from stream.visibility import BOUNDS_S


class StreamCollector:
    """Reads a run's counters when Prometheus asks.

    Args:
        tally: Counted by the flow.
        read_us: Returns the wall clock in microseconds.
    """

    def __init__(self, tally: StreamTally, read_us: Callable[[], int]) -> None:
        self._tally = tally
        self._read_us = read_us

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        tally = self._tally
        yield self._collect_events()
        letters = CounterMetricFamily(
            "hemostat_stream_dead_letters", "Rows that were not applied.", labels=["reason"]
        )
        for reason, count in tally.dead_letters.items():
            letters.add_metric([reason], count)
        yield letters
        yield CounterMetricFamily(
            "hemostat_stream_commits", "Batches committed to the records.", value=tally.commits
        )
        yield CounterMetricFamily(
            "hemostat_stream_rows_folded", "Changes of records.", value=tally.rows_folded
        )
        yield CounterMetricFamily(
            "hemostat_stream_restarts",
            "Times that the run began anew from the store.",
            value=tally.restarts,
        )
        yield GaugeMetricFamily(
            "hemostat_stream_events_per_second",
            "Rows read per second in the last ten seconds.",
            value=tally.compute_recent_rate(),
        )
        yield from self._collect_positions()
        yield self._collect_visibility()

    def _collect_events(self) -> Metric:
        tally = self._tally
        events = CounterMetricFamily(
            "hemostat_stream_events", "What became of the rows read.", labels=["outcome"]
        )
        for outcome, count in (
            ("folded", tally.totals.folded),
            ("not_folded", tally.totals.not_folded),
            ("duplicate", tally.totals.duplicates),
            ("conflict", tally.totals.conflicts),
            ("rejected", sum(tally.rejected.values())),
            ("erased", tally.erased),
            ("already_applied", tally.already_applied),
        ):
            events.add_metric([outcome], count)
        return events

    def _collect_positions(self) -> Iterator[Metric]:
        position = GaugeMetricFamily(
            "hemostat_stream_position", "Offset of the next row to be read.", labels=["partition"]
        )
        lag_rows = GaugeMetricFamily(
            "hemostat_stream_lag_rows", "Rows that are there and not read.", labels=["partition"]
        )
        for each in self._tally.list_partitions():
            position.add_metric([str(each.partition)], each.next_offset)
            if each.rows_behind is not None:
                lag_rows.add_metric([str(each.partition)], each.rows_behind)
        yield position
        yield lag_rows
        if self._tally.applied_us:
            lag_s = max(0, self._read_us() - self._tally.applied_us) / 1e6
            yield GaugeMetricFamily(
                "hemostat_stream_lag_seconds",
                "Age of the ingest time up to which all is applied.",
                value=lag_s,
            )

    def _collect_visibility(self) -> Metric:
        histogram = self._tally.visibility
        total, buckets = 0, []
        for bound, count in zip(BOUNDS_S, histogram.counts, strict=False):
            total += int(count)
            buckets.append((f"{bound:g}", total))
        buckets.append(("+Inf", total + int(histogram.counts[-1])))
        return HistogramMetricFamily(
            "hemostat_stream_visible_seconds",
            "From ingest to the commit that makes an event visible, every event.",
            buckets=buckets,
            sum_value=histogram.sum_s,
        )


def serve_metrics(tally: StreamTally, port: int, read_us: Callable[[], int]) -> Callable[[], None]:
    """Serve a run's metrics on 127.0.0.1 and return what stops it.

    Raises:
        PortInUseError: The port is taken.
    """
    registry = CollectorRegistry()
    registry.register(StreamCollector(tally, read_us))
    try:
        server, thread = start_http_server(port, "127.0.0.1", registry)
    except OSError as error:
        raise PortInUseError(
            "the metrics cannot be served",
            field="--metrics-port",
            value=f"{port}: {error.strerror}",
            expectation="a free port",
            fix="name another one",
        ) from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
