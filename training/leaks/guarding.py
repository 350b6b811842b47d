"""The gate where `hemostat train` meets it: the log's own table, built twice and looked through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.definitions import FEATURE_NAMES, N_FEATURES
from training.cases import CaseSet, LearningSet, build_learning_set
from training.labels import HeadDefinition, label_cases
from training.leaks.findings import CaseTable
from training.leaks.gate import find_leaks, require_known_columns, require_no_leak
from training.leaks.probes import BuiltTable, choose_end_us, probe_time
from training.learning import HeadParts
from training.sources import LearningSource


def require_honest_sources(sources: Sequence[LearningSource], allowed: Sequence[str]) -> None:
    """Refuse logs whose vectors hold more than had come in, and allowances for no column.

    Raises:
        ConfigError: An allowed column is none of the first log's.
        LeakError: A column leaks that nobody vouches for.
    """
    require_known_columns(allowed, [column.name for column in sources[0].columns])
    for source in sources:
        require_honest_source(source, allowed)


def require_honest_source(source: LearningSource, allowed: Collection[str] = ()) -> None:
    """Refuse a log whose vectors hold more than had come in; see `leaks.probes`.

    Raises:
        LeakError: A column does that nobody vouches for.
    """
    calls = frozenset(source.cases.cases)

    def build(batch: pa.RecordBatch) -> BuiltTable:
        return tabulate(build_learning_set(replace(source.events, batch=batch), calls))

    end_us = choose_end_us(source.events.batch)
    if end_us is not None:
        found = probe_time(build, source.events.batch, end_us, tabulate(source.cases))
        require_no_leak("every head", found, allowed)


def require_honest_head(
    definition: HeadDefinition,
    source: LearningSource,
    parts: HeadParts,
    allowed: Collection[str] = (),
) -> None:
    """Refuse a head whose training table tells outcomes; see `leaks.checks`.

    Raises:
        LeakError: A column does that nobody vouches for, or labels are immature.
    """
    cases = source.cases.cases[definition.call]
    labels = label_cases(definition, cases, source.cases.facts, source.cut_us)
    table = CaseTable(
        head=definition.name,
        names=[column.name for column in source.columns],
        rows=cases.rows,
        label=labels.value,
        is_used=parts.split.is_train & labels.is_observed,
        time_us=cases.time_us,
        group=cases.group,
        horizon_us=definition.horizon_us,
        as_of_us=source.cut_us,
    )
    require_no_leak(definition.name, find_leaks(table), allowed)


def tabulate(learned: LearningSet) -> BuiltTable:
    """Return the vectors of all calls as one table.

    A retailer's own fields are left out: they come with the case's own event.
    """
    cases: Sequence[CaseSet] = list(learned.cases.values())
    return BuiltTable(
        names=FEATURE_NAMES,
        case_id=pa.concat_arrays([_name_cases(one) for one in cases]),
        event_id=pa.concat_arrays([one.event_id for one in cases]),
        rows=np.concatenate([one.rows[:, :N_FEATURES] for one in cases]),
    )


def _name_cases(cases: CaseSet) -> pa.Array:
    call = pa.scalar(cases.call.name)
    return pc.binary_join_element_wise(call, cases.event_id, cases.item_id, "\x1f")
