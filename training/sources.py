"""Opens a log to learn from: accepted events, cases with vectors, facts, the heads it teaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc

from features.attributes import AttributeFault, AttributePlan, Declaration
from features.definition import FeatureDefinition
from features.definitions import FEATURES
from features.errors import ConfigError
from features.log.manifest import LogManifest
from features.log.reader import EventLog
from features.request_rows import Call
from training.attributes import append_attributes, learn_plan
from training.cases import LearningSet, build_learning_set
from training.facts import from_events
from training.head_definitions import choose_heads
from training.labels import HeadDefinition
from training.log_reading import AcceptedEvents, choose_tenant, read_accepted_events
from training.side_table import LineTable
from training.split import compute_default_cut_us

Progress = Callable[[str, int, int], None]
"""Called with the step, units done and in all (0: unknown)."""


@dataclass(frozen=True, eq=False)
class LearningSource:
    """A log, ready to learn from.

    Attributes:
        events: The accepted events.
        cases: Cases and facts.
        heads: What is learned from it.
        label_source: `tenant` or `simulated`, as the answer will say.
        cut_us: When the model is born.
        log: What the log says of itself.
        encoded: The retailer's own columns behind the features; None: none are declared.
    """

    events: AcceptedEvents
    cases: LearningSet
    heads: tuple[HeadDefinition, ...]
    label_source: str
    cut_us: int
    log: LogManifest
    encoded: AttributeUse | None = None

    @property
    def columns(self) -> tuple[FeatureDefinition, ...]:
        """What the columns of the cases' rows are."""
        own = () if self.encoded is None else self.encoded.plan.to_definitions()
        return (*FEATURES, *own)


@dataclass(frozen=True, eq=False)
class AttributeUse:
    """The retailer's own columns, and what was wrong with values.

    Attributes:
        plan: The columns.
        faults: Values that were not used as they are, by column and fault.
        undeclared: Names that events carry and nobody declared, with their counts.
        n_unreadable: Texts that are no flat JSON object; they count as none.
    """

    plan: AttributePlan
    faults: Mapping[tuple[str, AttributeFault], int]
    undeclared: Mapping[str, int]
    n_unreadable: int


def open_source(
    path: Path,
    progress: Progress,
    *,
    tenant: str | None = None,
    cut_us: int | None = None,
    heads: Sequence[HeadDefinition] | None = None,
    label_source: str = "tenant",
    attributes: Declaration | AttributePlan | None = None,
) -> LearningSource:
    """Return a log's cases with their vectors.

    Args:
        path: The log.
        progress: Told how far it is.
        tenant: Whose events; None: the only tenant's.
        cut_us: When the model is born; None: after 70 % of the log.
        heads: What to learn; None: all that the log can teach.
        label_source: `tenant` or `simulated`.
        attributes: The retailer's own fields: as declared, to fix their columns by the cases
            before the cut; or the columns of a model that was trained.

    Raises:
        HemostatError: The log cannot be read, has no such tenant, or no time before
            and after the cut.
    """
    log = EventLog(path)
    n_rows = log.manifest.n_events or 0
    n_done = 0

    def tell(n: int) -> None:
        nonlocal n_done
        n_done += n
        progress(f"read {path.name}", n_done, n_rows)

    events = read_accepted_events(log, choose_tenant(log.manifest.tenants, tenant), tell)
    chosen = tuple(choose_heads(from_events(events.batch)) if heads is None else heads)
    progress("vectors", 0, 1)
    cases = build_learning_set(events, frozenset(head.call for head in chosen))
    progress("vectors", 1, 1)
    source = LearningSource(
        events=events,
        cases=cases,
        heads=chosen,
        label_source=label_source,
        cut_us=_choose_cut_us(cases, cut_us),
        log=log.manifest,
    )
    return source if attributes is None else add_attributes(source, attributes)


def add_attributes(
    source: LearningSource, attributes: Declaration | AttributePlan
) -> LearningSource:
    """Return the source with the retailer's own fields as further columns of its cases."""
    cases = source.cases.cases
    plan = attributes
    if isinstance(plan, Declaration):
        plan = learn_plan(plan, cases, source.cut_us)
    encoded = append_attributes(cases, plan)
    return replace(
        source,
        cases=replace(source.cases, cases=encoded.cases),
        encoded=AttributeUse(plan, encoded.faults, encoded.undeclared, encoded.n_unreadable),
    )


def keep_product_lines(source: LearningSource, table: LineTable) -> LearningSource:
    """Return the source with order lines of products only; other calls are not touched."""
    lines = source.cases.cases.get(Call.ORDER_LINE)
    if lines is None:
        return source
    is_product = pc.is_in(lines.item_id, table.product_line_ids).to_numpy(zero_copy_only=False)
    cases = {**source.cases.cases, Call.ORDER_LINE: lines.select(is_product)}
    return replace(source, cases=replace(source.cases, cases=cases))


def _choose_cut_us(cases: LearningSet, wanted_us: int | None) -> int:
    cut_us = wanted_us
    if cut_us is None:
        cut_us = compute_default_cut_us(cases.start_us, cases.end_us)
    if cases.start_us < cut_us < cases.end_us:
        return cut_us
    first, last = (_show_day(time_us) for time_us in (cases.start_us, cases.end_us))
    raise ConfigError(
        "the cut leaves nothing to learn from or to test on",
        field="--cut",
        value=_show_day(cut_us),
        expectation=f"a day between {first} and {last}",
        fix="leave it out, or name a day inside the log",
    )


def _show_day(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).date().isoformat()
