"""All metrics of the scorer, in one place. No tenant's customer and no id is ever a label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

# From ten microseconds to a second: stages take some, whole calls up to the deadline.
_LATENCY_BUCKETS_S = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
)  # fmt: skip
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
_LAG_BUCKETS_S = (0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600, 86400)

STAGES = ("find", "read", "vector", "model", "decide", "log")
"""What one micro-batch goes through, in this order."""


class ScoringMetrics:
    """The metrics of one server, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Calls answered, by what was asked (`order`, ...), what was answered and the gRPC code.
        self.requests = Counter(
            "hemostat_score_requests",
            "Cases answered or refused",
            ["call", "hint", "code"],
            registry=self.registry,
        )
        # Whole call inside the server, from decoded request to answer.
        self.call_seconds = Histogram(
            "hemostat_score_call_seconds",
            "Time from decoded request to answer",
            ["method"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        # One micro-batch, by stage: earlier answers, store, features, ONNX, decisions, log.
        self.stage_seconds = Histogram(
            "hemostat_score_stage_seconds",
            "Time of one micro-batch in a stage",
            ["stage"],
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        # Answers that are less than full, by reason.
        self.degraded = Counter(
            "hemostat_score_degraded",
            "Answers that are less than full",
            ["reason"],
            registry=self.registry,
        )
        # What heads in shadow would have said.
        self.shadow_hints = Counter(
            "hemostat_score_shadow_hints",
            "Hints of heads that run in shadow",
            ["call", "hint"],
            registry=self.registry,
        )
        # How far the stream was behind for the customers asked about.
        self.shard_lag_seconds = Histogram(
            "hemostat_score_shard_lag_seconds",
            "Now minus the ingest time applied to the customer's shard",
            buckets=_LAG_BUCKETS_S,
            registry=self.registry,
        )
        # Reads of the feature store that failed.
        self.store_read_errors = Counter(
            "hemostat_score_store_read_errors",
            "Reads of the feature store that failed",
            registry=self.registry,
        )
        # Writes of the decision log that failed.
        self.decision_log_errors = Counter(
            "hemostat_score_decision_log_errors",
            "Writes of the decision log that failed",
            registry=self.registry,
        )
        # Cases per micro-batch: 1 at low load.
        self.batch_cases = Histogram(
            "hemostat_score_batch_cases",
            "Cases answered by one micro-batch",
            buckets=_BATCH_BUCKETS,
            registry=self.registry,
        )
        # Cases that wait now.
        self.waiting_cases = Gauge(
            "hemostat_score_waiting_cases", "Cases that wait now", registry=self.registry
        )
        # Calls that were not begun, by why: overload or deadline.
        self.rejected = Counter(
            "hemostat_score_rejected",
            "Calls that were turned away",
            ["reason"],
            registry=self.registry,
        )
        # Reloads of bundle and policy, by result: loaded or refused.
        self.reloads = Counter(
            "hemostat_score_reloads",
            "Reloads of a bundle or the policy",
            ["what", "result"],
            registry=self.registry,
        )
        # Version in force, per tenant.
        self.model = Info(
            "hemostat_score_model", "Model in force", ["tenant"], registry=self.registry
        )
        self.policy = Info("hemostat_score_policy", "Policy in force", registry=self.registry)

        # Looked up once: a label's look-up costs as much as counting it.
        self._stages = {stage: self.stage_seconds.labels(stage) for stage in STAGES}

    @contextmanager
    def time_stage(self, stage: str) -> Iterator[None]:
        """Measure one stage of a micro-batch."""
        start = perf_counter()
        try:
            yield
        finally:
            self._stages[stage].observe(perf_counter() - start)
