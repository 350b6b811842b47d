"""All metrics of the scorer, in one place. No customer and no id is ever a label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

# From ten microseconds to a second: stages take some, whole calls up to the deadline.
_SECONDS = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
)  # fmt: skip
_CASES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
_LAG_SECONDS = (0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600, 86400)

STAGES = ("find", "read", "vector", "model", "decide", "log")
"""What one micro-batch goes through, in this order."""


class ScoringMetrics:
    """The metrics of one server, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Cases by what was asked (`order`, ...), what was answered and the gRPC code.
        self.requests = self._count("requests", "Cases answered or refused", "call", "hint", "code")
        # Whole calls inside the server, from decoded request to answer.
        self.call_seconds = self._spread(
            "call_seconds", "Time from decoded request to answer", _SECONDS, "method"
        )
        # One micro-batch, by stage: earlier answers, store, features, ONNX, decisions, log.
        self.stage_seconds = self._spread(
            "stage_seconds", "Time of one micro-batch in a stage", _SECONDS, "stage"
        )
        # Answers that are less than full, by reason.
        self.degraded = self._count("degraded", "Answers that are less than full", "reason")
        # The retailer's own fields: values of another type than declared, and categories that
        # training had too few of. Columns are those of the bundles, so there are not many.
        self.attribute_faults = self._count(
            "attribute_faults", "Own fields not used as told", "column", "fault"
        )
        # What heads in shadow would have said.
        self.shadow_hints = self._count("shadow_hints", "Hints of heads in shadow", "call", "hint")
        # Approved cases drawn for a silent audit; their share is that of `requests` approved.
        self.audits = self._count("audits", "Approved cases drawn for a silent audit", "call")
        # Labels of outcomes by what became of them: `accepted`, `rejected` or `erased` by the event
        # log; `delayed`: tries that failed; `failed`: a bug. And how many are not told yet.
        self.labels = self._count("labels", "Labels of outcomes", "result")
        self.labels_waiting = Gauge(
            "hemostat_score_labels_waiting", "Labels not told yet", registry=self.registry
        )
        # How far the stream was behind for the customers asked about.
        self.shard_lag_seconds = self._spread(
            "shard_lag_seconds", "Now minus the ingest time applied to the shard", _LAG_SECONDS
        )
        # Reads of the feature store, and writes of the decision log, that failed.
        self.store_read_errors = self._count("store_read_errors", "Failed reads of the store")
        self.decision_log_errors = self._count("decision_log_errors", "Failed uses of the log")
        # Cases answered together: 1 at low load; and cases that wait now.
        self.batch_cases = self._spread("batch_cases", "Cases answered by one micro-batch", _CASES)
        self.waiting_cases = Gauge(
            "hemostat_score_waiting_cases", "Cases that wait now", registry=self.registry
        )
        # Calls that were not begun, by why: `overload` or `deadline`.
        self.rejected = self._count("rejected", "Calls that were turned away", "reason")
        # Published events by what became of them: `accepted`, `rejected` or `erased`.
        self.published_events = Counter(
            "hemostat_published_events", "Published events", ["status"], registry=self.registry
        )
        # One append to the event log with its sync; and those that failed.
        self.append_seconds = Histogram(
            "hemostat_append_seconds",
            "Time of one synced append",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.append_errors = Counter(
            "hemostat_append_errors", "Appends that failed", registry=self.registry
        )
        # Reloads of `bundle`, `policy` or `store`, by result: `loaded` or `refused`;
        # `all`, `failed`: a bug in reloading.
        self.reloads = self._count("reloads", "Reloads of bundle, policy, store", "what", "result")
        # Versions in force.
        self.model = Info("hemostat_score_model", "Model", ["tenant"], registry=self.registry)
        self.policy = Info("hemostat_score_policy", "Policy", registry=self.registry)
        # Looked up once: a label's look-up costs as much as counting it.
        self._stages = {stage: self.stage_seconds.labels(stage) for stage in STAGES}

    def _count(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hemostat_score_{name}", text, labels, registry=self.registry)

    def _spread(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        name = f"hemostat_score_{name}"
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    @contextmanager
    def time_stage(self, stage: str) -> Iterator[None]:
        """Measure one stage of a micro-batch."""
        start = perf_counter()
        try:
            yield
        finally:
            self._stages[stage].observe(perf_counter() - start)
