"""The truth beside the log: what each case was, what an offer would have changed, who was checked.

For evaluation only. Nothing that trains or computes features may read it: in a
shop it does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

TRUTH_SCHEMA: Final = pa.schema(
    [
        pa.field("case_event_id", pa.string(), nullable=False),
        pa.field("person", pa.string(), nullable=False),
        pa.field("call", pa.string(), nullable=False),
        pa.field("pattern", pa.string(), nullable=False),
        pa.field("is_abuse", pa.bool_(), nullable=False),
        pa.field("would_leave_without_offer", pa.bool_()),
        pa.field("driver", pa.string(), nullable=False),
        pa.field("kept_by", pa.list_(pa.string())),
        pa.field("is_checked", pa.bool_(), nullable=False),
        pa.field("cause_nodes", pa.list_(pa.string()), nullable=False),
        pa.field("template", pa.string(), nullable=False),
        pa.field("is_template_held_out", pa.bool_(), nullable=False),
        pa.field("ring", pa.string(), nullable=False),
    ]
)
"""Columns of the truth of cases.

`person`: who acts, the same under all accounts and as a guest. `call`: `order`,
`cancellation` or `return`. `pattern`: a value of `Pattern` or `LookAlike`.
`would_leave_without_offer`: clicks only, else null. `driver`: cause of the click or
of the return, empty for orders. `kept_by`: gestures that, at some level, would keep
a customer who leaves without one. `is_checked`: somebody checks it; the label may
still lie beyond the log's end. `cause_nodes`: clicks
only, the risk node or the pair of nodes (`drivers.Node`) that caused it. `template`:
which template of the bank the reason's words were made from, empty without words.
`is_template_held_out`: that template comes into use late, so that a text model can be
judged on words it never saw. `ring`: the ring of accounts that the customer belongs to,
empty for all others.
"""

OFFER_SCHEMA: Final = pa.schema(
    [
        pa.field("case_event_id", pa.string(), nullable=False),
        pa.field("call", pa.string(), nullable=False),
        pa.field("gesture", pa.string(), nullable=False),
        pa.field("level", pa.int8(), nullable=False),
        pa.field("p_keeps", pa.float64(), nullable=False),
        pa.field("keeps", pa.bool_(), nullable=False),
        pa.field("p_takes", pa.float64(), nullable=False),
        pa.field("takes", pa.bool_(), nullable=False),
        pa.field("returned_60d", pa.bool_(), nullable=False),
        pa.field("repurchase_90d", pa.bool_(), nullable=False),
        pa.field("cost_minor", pa.int64(), nullable=False),
        pa.field("net_value_minor", pa.int64(), nullable=False),
        pa.field("expected_value_minor", pa.float64(), nullable=False),
        pa.field("is_factual", pa.bool_(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)
"""Columns of the potential outcomes: one row per case and offer, `none` among them.

`p_keeps`, `p_takes`: probabilities over the customer's own chance, given what
carriers, prices and the shop will do. `keeps`: what would happen. `takes`: the
offer is taken, and costs. `returned_60d`: kept, and something of it comes back
within 60 days of the delivery (orders, clicks). `repurchase_90d`: another order
within 90 days, inside the horizon. `cost_minor`: what the offer costs if taken.
`net_value_minor`: what the case is worth to the shop then, the cost taken off;
`expected_value_minor`: its expectation. `is_factual`: what did happen.
`weight`: cases that this one stands for (orders that are not at risk are
sampled). How a case ends is told under each offer by the same draws.
"""

DECISION_SCHEMA: Final = pa.schema(
    [
        pa.field("case_event_id", pa.string(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("ask_verify", pa.bool_(), nullable=False),
        pa.field("check", pa.string(), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("is_randomised", pa.bool_(), nullable=False),
        pa.field("seen_by_customer_us", pa.int64(), nullable=False),
    ]
)
"""Columns of the decisions on returns.

`ask_verify`: the return was to be verified. `check`: the one check asked for.
`propensity`: probability of what was decided. `is_randomised`: verified by lot,
whatever the case looked like. `seen_by_customer_us`: when the customer learned
of it; 0: nothing to learn.
"""

TRUTH_FILE: Final = "truth/cases.parquet"
"""Where the truth of cases stands in a log's directory."""
OFFERS_FILE: Final = "truth/offers.parquet"
"""Where the potential outcomes stand."""
DECISIONS_FILE: Final = "truth/decisions.parquet"
"""Where the decisions stand."""

NO_GESTURE: Final = "none"
"""Gesture of the row that tells what happens if nothing is offered."""

_FLUSH_ROWS: Final = 20_000


class Truth(NamedTuple):
    """One case; see `TRUTH_SCHEMA`."""

    case_event_id: str
    person: str
    call: str
    pattern: str
    is_abuse: bool
    would_leave_without_offer: bool | None
    driver: str
    kept_by: tuple[str, ...]
    is_checked: bool
    cause_nodes: tuple[str, ...] = ()
    template: str = ""
    is_template_held_out: bool = False
    ring: str = ""


class OfferTruth(NamedTuple):
    """One potential outcome; see `OFFER_SCHEMA`."""

    case_event_id: str
    call: str
    gesture: str
    level: int
    p_keeps: float
    keeps: bool
    p_takes: float
    takes: bool
    returned_60d: bool
    repurchase_90d: bool
    cost_minor: int
    net_value_minor: int
    expected_value_minor: float
    is_factual: bool
    weight: float


class DecisionTruth(NamedTuple):
    """One decision on a return; see `DECISION_SCHEMA`."""

    case_event_id: str
    time_us: int
    ask_verify: bool
    check: str
    propensity: float
    is_randomised: bool
    seen_by_customer_us: int


class TruthSink(Protocol):
    """What takes the truth of a simulation; `TruthWriter` is one.

    Called in the order in which cases are planned.
    """

    def add(self, row: Truth) -> None:
        """Take one case."""
        ...

    def add_offers(self, rows: Sequence[OfferTruth]) -> None:
        """Take all potential outcomes of one case."""
        ...

    def add_decision(self, row: DecisionTruth) -> None:
        """Take one decision."""
        ...


class _RowWriter:
    """Writes rows of one table, a bounded number in memory."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[tuple[Any, ...]] = []
        self._writer = pq.ParquetWriter(path, schema)

    def extend(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= _FLUSH_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.table(arrays, schema=self._schema))
        self._rows.clear()


class TruthWriter:
    """Writes the truth of a log, a bounded number of rows in memory; a context manager.

    Args:
        path: File of the cases, in a folder that exists; the potential outcomes and the
            decisions are written beside it.
    """

    def __init__(self, path: Path) -> None:
        self._cases = _RowWriter(path, TRUTH_SCHEMA)
        self._offers = _RowWriter(path.with_name(Path(OFFERS_FILE).name), OFFER_SCHEMA)
        self._decisions = _RowWriter(path.with_name(Path(DECISIONS_FILE).name), DECISION_SCHEMA)

    def add(self, row: Truth) -> None:
        """Add one case."""
        self._cases.extend((row,))

    def add_offers(self, rows: Sequence[OfferTruth]) -> None:
        """Add all potential outcomes of one case."""
        self._offers.extend(rows)

    def add_decision(self, row: DecisionTruth) -> None:
        """Add one decision."""
        self._decisions.extend((row,))

    def close(self) -> None:
        """Write what is left and complete the files."""
        for table in (self._cases, self._offers, self._decisions):
            table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
