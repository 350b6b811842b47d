"""The core of the scorer, without transport: some cases in, one answer or error each out.

One store read, one vector call and one model run for all cases of a micro-batch;
then each case is decided by itself. Nothing here waits; nothing that is down
raises: it is a degradation of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES, SCHEMA_HASH
from features.errors import (
    HemostatError,
    RequestConflictError,
    SchemaMismatchError,
    StoreUnavailableError,
)
from features.store.port import FeatureReader
from features.vector import STATE_KNOWN, STATE_NEW
from hemostat.v1 import scoring_pb2 as pb
from scoring.answer import CaseFacts, compute_answer
from scoring.answer_messages import fill_answer
from scoring.audit_draw import draw_audit
from scoring.budget import compute_margin
from scoring.cases import Case, unpack_cases
from scoring.clock import Clock
from scoring.decision_log import DecisionLog
from scoring.decision_vectors import write_vectors
from scoring.entity_records import (
    CaseRecords,
    compute_case_vectors,
    make_unavailable,
    read_records,
)
from scoring.metrics import ScoringMetrics
from scoring.model import Faults, Model, Outputs
from scoring.rules import Rules

VERSION_LENGTH = 12
"""Characters of a bundle's content hash that answers show."""

_STATE_COLUMN = FEATURE_NAMES.index("customer_state")
_STATES: dict[int, pb.CustomerState] = {
    STATE_KNOWN: pb.CUSTOMER_STATE_KNOWN,
    STATE_NEW: pb.CUSTOMER_STATE_NEW,
}

Result = pb.ScoreResponse | HemostatError


@dataclass(frozen=True, slots=True, eq=False)
class _Evaluated:
    """The rows of a micro-batch.

    Attributes:
        now_us: T.
        records: One entry per case.
        last_event_us: When each case's customer did something last; 0: never.
        offsets: Case `i` has rows `offsets[i]` to `offsets[i + 1] - 1`.
        vectors: Shape `(n_rows, F)`.
    """

    now_us: int
    records: list[CaseRecords]
    last_event_us: list[int]
    offsets: list[int]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _Predicted:
    """What a model says of a case: its rows begin at `first_row` of `outputs`.

    Attributes:
        model: None: there is none for the tenant.
        outputs: Of all rows of the tenant.
        first_row: Where the case's begin.
        vectors: The case's rows as the model saw them, shape `(1 + n_lines, F)`.
    """

    model: Model | None
    outputs: Outputs
    first_row: int
    vectors: npt.NDArray[np.float32]


class Scorer:
    """Answers cases.

    Args:
        store: Read once per micro-batch.
        get_models: Returns the models in force, by tenant; asked once per micro-batch,
            so that a reload never mixes two.
        get_rules: The same for the policy.
        log: Where decisions go.
        clock: The time of the features.
        metrics: Where stages are counted.
    """

    def __init__(
        self,
        *,
        store: FeatureReader,
        get_models: Callable[[], Mapping[str, Model]],
        get_rules: Callable[[], Rules],
        log: DecisionLog,
        clock: Clock,
        metrics: ScoringMetrics,
    ) -> None:
        self._store = store
        self._get_models = get_models
        self._get_rules = get_rules
        self._log = log
        self._clock = clock
        self._metrics = metrics

    def score(self, cases: Sequence[Case]) -> list[Result]:
        """Return an answer or a `RequestConflictError` per case, in their order."""
        results: dict[int, Result] = {}
        ids = [self._log.make_decision_id(case.tenant, case.request_id) for case in cases]
        with self._metrics.time_stage("find"):
            is_log_up = self._find_earlier(cases, ids, results)
        fresh = [number for number in range(len(cases)) if number not in results]
        if fresh:
            new = [cases[number] for number in fresh]
            records = self._decide(new, [ids[number] for number in fresh])
            with self._metrics.time_stage("log"):
                answers = self._append(records, [case.names for case in new], is_log_up)
            results.update(zip(fresh, answers, strict=True))
        return [results[number] for number in range(len(cases))]

    def _find_earlier(
        self, cases: Sequence[Case], ids: Sequence[str], results: dict[int, Result]
    ) -> bool:
        """Fill in what was answered before; return whether the log could be read."""
        try:
            for number, case in enumerate(cases):
                if not case.request_id:
                    continue
                try:
                    earlier = self._log.find(case.tenant, ids[number], case.request_hash)
                except RequestConflictError as error:
                    results[number] = error
                    continue
                if earlier is not None:
                    results[number] = earlier
        except StoreUnavailableError:
            self._metrics.decision_log_errors.inc()
            return False
        return True

    def _append(
        self, records: Sequence[pb.DecisionRecord], names: Sequence[bytes], is_log_up: bool
    ) -> Sequence[Result]:
        if is_log_up:
            try:
                return self._log.append(records, names)
            except StoreUnavailableError:
                self._metrics.decision_log_errors.inc()
        for record in records:
            record.response.is_audit = False  # What is found could not be recorded.
            record.response.degradations.append(pb.DEGRADATION_DECISION_LOG_UNAVAILABLE)
        return [record.response for record in records]

    def _decide(self, cases: Sequence[Case], ids: Sequence[str]) -> list[pb.DecisionRecord]:
        """Return the decisions on cases that were not answered before."""
        models, rules = self._get_models(), self._get_rules()
        evaluated = self._evaluate(cases)
        faults: Faults = {}
        with self._metrics.time_stage("model"):
            predicted = _predict(cases, evaluated, models, faults)
        for (column, fault), count in faults.items():
            self._metrics.attribute_faults.labels(column, fault.value).inc(count)
        with self._metrics.time_stage("decide"):
            return [
                self._decide_one(case, ids[number], number, evaluated, predicted[number], rules)
                for number, case in enumerate(cases)
            ]

    def _evaluate(self, cases: Sequence[Case]) -> _Evaluated:
        """Return the vectors of all rows as of now."""
        now_us = self._clock.read_us()
        with self._metrics.time_stage("read"):
            records = read_records(self._store, cases)
        if not all(one.is_available for one in records):
            self._metrics.store_read_errors.inc()
        with self._metrics.time_stage("vector"):
            rows, offsets = unpack_cases(cases, now_us)
            try:
                found = compute_case_vectors(cases, records, rows)
            except SchemaMismatchError:
                # One damaged record must not blind the cases that do not need it.
                records = [self._check_records(*case) for case in zip(cases, records, strict=True)]
                found = compute_case_vectors(cases, records, rows)
        last_event_us: list[int] = found.last_event_us.tolist()
        return _Evaluated(now_us, records, last_event_us, offsets, found.vectors)

    def _check_records(self, case: Case, records: CaseRecords) -> CaseRecords:
        """Return a case's records; as not available if one of them is damaged."""
        try:
            compute_case_vectors([case], [records], unpack_cases([case], 0)[0])
        except SchemaMismatchError:
            self._metrics.store_read_errors.inc()
            return make_unavailable(case)
        return records

    def _decide_one(
        self,
        case: Case,
        decision_id: str,
        number: int,
        evaluated: _Evaluated,
        predicted: _Predicted,
        rules: Rules,
    ) -> pb.DecisionRecord:
        """Return the decision on one case."""
        vectors = predicted.vectors
        state = _find_state(case, evaluated.records[number], vectors)
        margin = compute_margin(case.value_minor, case.cost_minor, rules.policy)
        facts = CaseFacts(case.call, state, margin)
        answer = compute_answer(
            facts, vectors, predicted.outputs, predicted.first_row, predicted.model, rules
        )
        record = _start_record(case, decision_id, predicted.model, rules)
        record.subject = self._log.compute_subject(case.customer_key)
        record.evaluated_time.FromMicroseconds(evaluated.now_us)
        write_vectors(record, vectors)
        response = record.response
        response.evaluated_time.CopyFrom(record.evaluated_time)
        response.is_replay_clock = self._clock.is_replay
        response.freshness.customer_state = state
        is_stale = self._fill_freshness(response.freshness, number, evaluated, rules)
        degradations = (
            (not evaluated.records[number].is_available, pb.DEGRADATION_STORE_UNAVAILABLE),
            (is_stale, pb.DEGRADATION_STALE),
            (not answer.results, pb.DEGRADATION_MODEL_UNAVAILABLE),
        )
        response.degradations.extend(reason for is_so, reason in degradations if is_so)
        fill_answer(response, answer, case.line_ids)
        self._fill_audit(record, case, rules)
        response.server_latency_us = round((perf_counter() - case.received_s) * 1e6)
        return record

    def _fill_audit(self, record: pb.DecisionRecord, case: Case, rules: Rules) -> None:
        """Write whether the case is audited, and the chance it had."""
        hint = record.response.hint
        key = self._log.audit_key
        audit = draw_audit(key, case.tenant, case.event_id, case.call, hint, rules.policy)
        record.event_id = case.event_id
        record.response.is_audit = audit.is_drawn
        if audit.propensity is not None:
            record.audit_propensity = audit.propensity

    def _fill_freshness(
        self, freshness: pb.Freshness, number: int, evaluated: _Evaluated, rules: Rules
    ) -> bool:
        """Write how fresh the features are; return whether they are too old."""
        last_event_us = evaluated.last_event_us[number]
        if last_event_us:
            freshness.record_age_s = max(0, evaluated.now_us - last_event_us) / 1e6
        applied_us = evaluated.records[number].applied_us
        if applied_us is None:
            return False
        lag_s = max(0, evaluated.now_us - applied_us) / 1e6
        freshness.shard_lag_s = lag_s
        self._metrics.shard_lag_seconds.observe(lag_s)
        return lag_s > rules.policy.rules.staleness_limit_s


def _find_state(
    case: Case, records: CaseRecords, vectors: npt.NDArray[np.float32]
) -> pb.CustomerState:
    """Return how the customer was found."""
    if case.customer_key is None:
        return pb.CUSTOMER_STATE_GUEST
    if not records.is_available:
        return pb.CUSTOMER_STATE_UNAVAILABLE
    # The vector knows best: a record that holds nothing but the case itself is new.
    return _STATES[int(vectors[0, _STATE_COLUMN])]


def _start_record(
    case: Case, decision_id: str, model: Model | None, rules: Rules
) -> pb.DecisionRecord:
    """Return a record with all that says which decision it is and what it was made with."""
    version = model.version if model else ""
    return pb.DecisionRecord(
        decision_id=decision_id,
        request_id=case.request_id,
        tenant=case.tenant,
        call=case.call.name.lower(),
        schema_hash=SCHEMA_HASH,
        bundle_hash=version,
        policy_version=rules.policy.version,
        request_hash=case.request_hash,
        response=pb.ScoreResponse(
            decision_id=decision_id,
            request_id=case.request_id,
            model_version=version[:VERSION_LENGTH],
            policy_version=rules.policy.version,
        ),
    )


def _predict(
    cases: Sequence[Case], evaluated: _Evaluated, models: Mapping[str, Model], faults: Faults
) -> list[_Predicted]:
    """Return what each case's model says of its rows: one run per model; count faults."""
    offsets = evaluated.offsets
    predicted = [
        _Predicted(None, [], 0, evaluated.vectors[offsets[n] : offsets[n + 1]])
        for n in range(len(cases))
    ]
    by_tenant: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        by_tenant.setdefault(case.tenant, []).append(number)
    for tenant, numbers in by_tenant.items():
        model = models.get(tenant)
        if model is None:
            continue
        parts = [model.widen(predicted[n].vectors, cases[n], faults) for n in numbers]
        is_all = model.encoder is None and len(numbers) == len(cases)
        outputs = model.predict(evaluated.vectors if is_all else np.concatenate(parts))
        first_row = 0
        for n, vectors in zip(numbers, parts, strict=True):
            predicted[n] = _Predicted(model, outputs, first_row, vectors)
            first_row += cases[n].n_rows
    return predicted
