"""Six planted leaks are refused, each by its name, column, evidence and fix; honest tables pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from features.definition import DAY_US
from features.errors import ConfigError
from features.log.reader import EventLog
from features.request_rows import Call
from training.cases import build_learning_set
from training.labelling.origins import build_label_book
from training.labelling.verdicts import find_verdicts
from training.leaks.findings import FIXES, CaseTable, LeakKind
from training.leaks.gate import LeakError, find_leaks, require_known_columns, require_no_leak
from training.leaks.probes import BuiltTable, choose_end_us, probe_time
from training.log_reading import AcceptedEvents, read_accepted_events
from training.simulation import SimulationConfig

Floats = npt.NDArray[np.float64]
Column = Callable[[AcceptedEvents], Floats]
N = 4_000
HORIZON_US = 60 * DAY_US


def _make_table(seed: int = 3) -> CaseTable:
    """Return honest cases: customers and styles differ, columns know what came before."""
    random = np.random.default_rng(seed)
    group = random.integers(0, 600, N)
    style = random.integers(0, 120, N)
    time_us = np.sort(random.integers(0, 300 * DAY_US, N))
    risk = random.normal(size=600)[group] + 0.6 * random.normal(size=120)[style]
    label = (random.logistic(size=N) + risk > 1.8).astype(np.float64)
    rows = np.column_stack(
        [
            risk + random.normal(size=N),  # Tells much, not all.
            _count_before(group, label),
            _share_before(style, label),
            np.where(random.random(N) < 0.3, np.nan, style % 7),
            random.normal(size=N),
        ]
    ).astype(np.float32)
    names = ("risk", "confirmed_before", "style_share_before", "kind", "noise")
    return CaseTable(
        "abuse__return", names, rows, label, np.ones(N, np.bool_), time_us, group,
        HORIZON_US, 400 * DAY_US,
    )  # fmt: skip


def _count_before(group: np.ndarray, label: Floats) -> Floats:
    found, counts = np.zeros(len(label)), np.zeros(int(group.max()) + 1)
    for place, one in enumerate(group):
        found[place] = counts[one]
        counts[one] += label[place]
    return found


def _share_before(group: np.ndarray, label: Floats) -> Floats:
    before = _count_before(group, np.ones(len(label)))
    with np.errstate(invalid="ignore"):
        return _count_before(group, label) / before


def _plant(table: CaseTable, values: Floats) -> CaseTable:
    rows = np.column_stack([table.rows, values.astype(np.float32)])
    return replace(table, names=(*table.names, "planted"), rows=rows)


def _refuse(table: CaseTable) -> LeakError:
    with pytest.raises(LeakError) as refused:
        require_no_leak(table.head, find_leaks(table))
    return refused.value


def _check(error: LeakError, kind: LeakKind, column: str = "planted") -> None:
    assert [(one.kind, one.column) for one in error.findings] == [(kind, column)]
    assert error.field == column
    assert kind in error.message
    assert error.findings[0].evidence == error.value
    assert FIXES[kind] in error.fix


def test_an_honest_table_passes() -> None:
    for seed in range(5):
        assert find_leaks(_make_table(seed)) == []


@pytest.mark.parametrize("told_share", [1.0, 0.97])
def test_a_field_written_after_the_outcome_is_refused(told_share: float) -> None:
    table = _make_table()
    random = np.random.default_rng(1)
    is_told = random.random(N) < told_share
    status = np.where(is_told, table.label * 2.0 + random.integers(0, 2, N), np.nan)
    _check(_refuse(_plant(table, status)), LeakKind.POST_OUTCOME_FIELD)


def test_a_field_that_is_missing_until_the_outcome_is_refused() -> None:
    table = _make_table()
    days = np.random.default_rng(1).uniform(1.0, 40.0, N)
    _check(
        _refuse(_plant(table, np.where(table.label > 0.0, days, np.nan))),
        LeakKind.POST_OUTCOME_FIELD,
    )


@pytest.mark.parametrize("prior_weight", [0.0, 10.0])
def test_a_target_encoding_over_all_cases_is_refused(prior_weight: float) -> None:
    table = _make_table()
    style = np.random.default_rng(9).integers(0, 150, N)
    total = np.bincount(style, table.label) + prior_weight * table.label.mean()
    share = total / (np.bincount(style) + prior_weight)
    _check(_refuse(_plant(table, share[style])), LeakKind.GLOBAL_TARGET_ENCODING)
    # Of what was known before each case, the same encoding is honest.
    assert find_leaks(_plant(table, _share_before(style, table.label))) == []


def test_a_count_that_holds_the_cases_own_outcome_is_refused() -> None:
    table = _make_table()
    own = _count_before(table.group, table.label) + table.label
    _check(_refuse(_plant(table, own)), LeakKind.SELF_INCLUSION)


def test_a_label_whose_horizon_has_not_passed_is_refused_and_nobody_can_allow_it() -> None:
    table = replace(_make_table(), as_of_us=330 * DAY_US)
    error = _refuse(table)
    _check(error, LeakKind.IMMATURE_LABEL, "abuse__return")
    assert "up to 29.9 days" in error.value
    assert "--allow-column" not in error.fix
    with pytest.raises(LeakError):
        require_no_leak(table.head, error.findings, allowed=("abuse__return",))
    is_mature = table.time_us + HORIZON_US <= table.as_of_us
    assert find_leaks(replace(table, is_used=is_mature)) == []


def test_a_column_that_a_person_vouches_for_passes_and_no_other() -> None:
    table = _make_table()
    findings = find_leaks(_plant(table, table.label))
    require_no_leak(table.head, findings, allowed=("planted",))
    with pytest.raises(LeakError, match="--allow-column planted"):
        require_no_leak(table.head, findings, allowed=("noise",))
    require_known_columns(("noise",), table.names)
    with pytest.raises(ConfigError, match="did you mean noise"):
        require_known_columns(("noize",), table.names)


@pytest.fixture(scope="module")
def log_events(simulated_log: Path) -> AcceptedEvents:
    """Accepted events of the small simulated log."""
    return read_accepted_events(EventLog(simulated_log), SimulationConfig().tenant)


def _build_with(events: AcceptedEvents, planted: Column | None) -> Callable[..., BuiltTable]:
    def build(batch: pa.RecordBatch) -> BuiltTable:
        told = replace(events, batch=batch)
        cases = build_learning_set(told, frozenset({Call.RETURN})).cases[Call.RETURN]
        names = tuple(f"column{i}" for i in range(cases.rows.shape[1]))
        rows = cases.rows
        if planted is not None:
            names = (*names, "planted")
            rows = np.column_stack([rows, planted(told).astype(np.float32)])
        return BuiltTable(names, cases.event_id, cases.event_id, rows)

    return build


def _read(events: AcceptedEvents) -> Any:
    learned = build_learning_set(events, frozenset({Call.RETURN}))
    return learned.cases[Call.RETURN], learned.facts


def _find_confirmed(events: AcceptedEvents) -> tuple[Any, Floats]:
    cases, facts = _read(events)
    until = np.full(len(cases), np.iinfo(np.int64).max - 1)
    verdicts = find_verdicts(build_label_book(facts), cases.event_id, until)
    return cases, (verdicts.value == 1).astype(np.float64)


def _encode_style(events: AcceptedEvents) -> Floats:
    _, is_confirmed = _find_confirmed(events)
    _, facts = _read(events)
    styles = facts["return_requested"].get_texts("style").dictionary_encode()
    code = styles.indices.to_numpy(zero_copy_only=False)
    return np.asarray((np.bincount(code, is_confirmed) / np.bincount(code))[code])


def _share_of_own(events: AcceptedEvents) -> Floats:
    cases, is_confirmed = _find_confirmed(events)
    share = np.bincount(cases.group, is_confirmed) / np.maximum(np.bincount(cases.group), 1)
    return np.asarray(share[cases.group], np.float64)


def _count_ever(events: AcceptedEvents) -> Floats:
    cases, _ = _read(events)
    return np.asarray(np.bincount(cases.group)[cases.group], np.float64)


def _find_middle_us(batch: pa.RecordBatch) -> int:
    end_us = choose_end_us(batch)
    assert end_us is not None
    return end_us


def test_the_vectors_of_a_log_pass(log_events: AcceptedEvents) -> None:
    batch = log_events.batch
    assert probe_time(_build_with(log_events, None), batch, _find_middle_us(batch)) == []


@pytest.mark.parametrize(
    ("planted", "kind"),
    [
        (_encode_style, LeakKind.GLOBAL_TARGET_ENCODING),
        (_share_of_own, LeakKind.SELF_INCLUSION),
        (_count_ever, LeakKind.FUTURE_PEEK),
    ],
)
def test_a_column_that_knows_later_events_is_refused(
    log_events: AcceptedEvents, planted: Column, kind: LeakKind
) -> None:
    batch = log_events.batch
    found = probe_time(_build_with(log_events, planted), batch, _find_middle_us(batch))
    with pytest.raises(LeakError) as refused:
        require_no_leak("abuse__return", found)
    _check(refused.value, kind)


def test_an_event_counted_before_it_came_in_is_refused(
    make: Any, read_events: Callable[..., AcceptedEvents]
) -> None:
    days = range(0, 60, 2)
    events = read_events(
        [make.returned(day, f"r{day}", customer="c1") for day in days]
        # Happened on day 3, came in on day 25.
        + [make.inspected(3, "r0", known_day=25, customer="c1")]
        + [make.inspected(day + 1, f"r{day}", customer="c1") for day in days if day]
    )

    def count_inspections(told: AcceptedEvents, *, by_event_time: bool) -> Floats:
        cases, facts = _read(told)
        seen = facts["return_inspected"]
        moments = seen.event_us if by_event_time else seen.known_us
        return np.array([(moments <= one).sum() for one in cases.time_us], np.float64)

    middle_us = make.at(20)
    early = _build_with(events, lambda told: count_inspections(told, by_event_time=True))
    found = probe_time(early, events.batch, middle_us)
    with pytest.raises(LeakError) as refused:
        require_no_leak("abuse__return", found)
    _check(refused.value, LeakKind.LATE_ARRIVAL)
    honest = _build_with(events, lambda told: count_inspections(told, by_event_time=False))
    assert probe_time(honest, events.batch, middle_us) == []
