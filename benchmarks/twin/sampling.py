"""Draws questions whose times lie where mistakes hide, not only at events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.twin.schema import QUERY_SCHEMA
from features.request_rows import Call

_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
# Length 0 is the open hour, which products and regions do not count.
_LENGTHS_US = _HOUR_US * np.array([0, 1, 24, 7 * 24, 30 * 24, 90 * 24, 365 * 24])
_HOPS_US = _HOUR_US * np.array([1, 1, 1, 24, 24, 7 * 24, 7 * 24])
_CALLS = {
    "order_placed": Call.ORDER,
    "cancel_requested": Call.CANCELLATION,
    "return_requested": Call.RETURN,
}
_NO_CUSTOMER = "nobody-has-this-id"


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of each event of the log that has a customer: whose it is and when."""

    tenant: npt.NDArray[np.object_]
    customer_id: npt.NDArray[np.object_]
    event_us: npt.NDArray[np.int64]
    ingest_us: npt.NDArray[np.int64]


def _to_us(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    times_us: npt.NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return times_us


def _read_moments(events: pa.Table) -> _Moments:
    events = events.filter(pc.not_equal(events["customer_id"], ""))
    return _Moments(
        tenant=events["tenant"].to_numpy(),
        customer_id=events["customer_id"].to_numpy(),
        event_us=_to_us(events["event_time"]),
        ingest_us=_to_us(events["ingest_time"]),
    )


def _pick_rows(moments: _Moments, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return event rows: half drawn by event, half by customer, then one of theirs."""
    by_event = rng.integers(0, len(moments.event_us), n // 2)
    names = np.array([f"{t}\x1f{c}" for t, c in zip(moments.tenant, moments.customer_id)])  # noqa: B905
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.r_[True, names[order][1:] != names[order][:-1]])
    sizes = np.diff(np.r_[starts, len(order)])
    customer = rng.integers(0, len(starts), n - n // 2)
    place = starts[customer] + (rng.random(len(customer)) * sizes[customer]).astype(np.int64)
    return np.concatenate([by_event, order[place]])


def draw_times(
    event_us: npt.NDArray[np.int64], ingest_us: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return one time per event, most of them not at it.

    At the event and at its arrival; a microsecond off; where it enters or leaves a
    window; at the hop edges of a window's start; anywhere in two years; long after.

    Args:
        event_us: Shape `(n,)`, microseconds UTC.
        ingest_us: Shape `(n,)`.
        rng: Source of the draws.
    """
    n = len(event_us)
    window = rng.integers(0, len(_LENGTHS_US), n)
    length, hop = _LENGTHS_US[window], _HOPS_US[window]
    off = rng.integers(-1, 2, n)
    anywhere = event_us + rng.integers(-60 * _DAY_US, 600 * _DAY_US, n)
    choices = np.stack(
        [
            ingest_us + off,
            event_us + off,
            anywhere,
            anywhere,
            # The start of the window stands on the grid, near the event's own bucket.
            event_us - event_us % hop + length + hop * rng.integers(0, 3, n) + off,
            # The unrounded start falls on the event itself.
            event_us + length + off,
            # Any edge of the grid.
            anywhere - anywhere % hop + length + off,
            event_us + rng.integers(2 * 365, 6 * 365, n) * _DAY_US + rng.integers(0, _DAY_US, n),
        ]
    )
    times: npt.NDArray[np.int64] = choices[rng.integers(0, len(choices), n), np.arange(n)]
    return np.maximum(times, 1)  # No clock tells a time before 1970.


def _draw_lines(
    cases: pa.Table, case_row: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Return each question's call and line: half of the order cases ask about a line."""
    kinds = cases["kind"].cast(pa.string()).to_pylist()
    calls = np.array([_CALLS[kind] for kind in kinds], np.int8)[case_row]
    lines = pc.struct_field(cases["order_placed"].combine_chunks(), "lines")
    n_lines = pc.fill_null(pc.list_value_length(lines), 0).to_numpy(zero_copy_only=False)[case_row]
    is_line = (calls == Call.ORDER) & (rng.random(len(calls)) < 0.5)
    line = np.where(is_line, (rng.random(len(calls)) * n_lines).astype(np.int64), -1)
    return np.where(is_line, np.int8(Call.ORDER_LINE), calls), line


def _draw_cases(
    cases: pa.Table, tenant: npt.NDArray[np.object_], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return a case row of each question's tenant: a request names things of one shop."""
    case_tenant = cases["tenant"].to_numpy()
    rows = np.zeros(len(tenant), np.int64)
    for name in np.unique(tenant):
        asked = np.flatnonzero(tenant == name)
        rows[asked] = rng.choice(np.flatnonzero(case_tenant == name), len(asked))
    return rows


def build_queries(
    cases: pa.Table,
    tenant: npt.NDArray[np.object_],
    customer_id: npt.NDArray[np.object_],
    time_us: npt.NDArray[np.int64],
    case_row: npt.NDArray[np.int64],
    own_event_id: npt.NDArray[np.object_],
    rng: np.random.Generator,
) -> pa.Table:
    """Return the questions of `QUERY_SCHEMA`; call and line are drawn from the case."""
    call, line = _draw_lines(cases, case_row, rng)
    columns = (tenant, customer_id, time_us, call, case_row, line, own_event_id)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, QUERY_SCHEMA, strict=True)],
        schema=QUERY_SCHEMA,
    )


def draw_queries(events: pa.Table, cases: pa.Table, n: int, rng: np.random.Generator) -> pa.Table:
    """Return `n` questions about the customers of a log; columns of `QUERY_SCHEMA`.

    One third asks about any customer at any time with any case, one in twenty of
    them about a guest or a customer nobody knows. One third asks about a case at its
    own time, just before and just after it is in the log. In the last third the time is
    near the case, too, but the customer is another one or a guest: it finds the windows'
    edges of products, regions, stores and shared identities.

    Args:
        events: Rows of the log: what customers there are and when things happened.
        cases: Case events; those of the log with a customer are asked about as own cases.
        n: How many.
        rng: Source of all draws.
    """
    moments = _read_moments(events)
    n_own = n // 3
    own = _draw_own(cases, n_own, rng)
    by_case = _draw_by_case(cases, moments, n_own, rng)
    rows = _pick_rows(moments, n - 2 * n_own, rng)
    customer_id = moments.customer_id[rows]
    dice = rng.random(len(rows))
    customer_id = np.where(dice < 0.025, "", customer_id)
    customer_id = np.where((dice >= 0.025) & (dice < 0.05), _NO_CUSTOMER, customer_id)
    other = build_queries(
        cases,
        moments.tenant[rows],
        customer_id,
        draw_times(moments.event_us[rows], moments.ingest_us[rows], rng),
        _draw_cases(cases, moments.tenant[rows], rng),
        np.full(len(rows), "", object),
        rng,
    )
    return pa.concat_tables([own, by_case, other])


def _draw_by_case(cases: pa.Table, moments: _Moments, n: int, rng: np.random.Generator) -> pa.Table:
    """Return questions at times near a case, by its tenant's customers and guests."""
    rows = rng.integers(0, cases.num_rows, n)
    tenant = cases["tenant"].to_numpy()[rows]
    customer_id = np.full(n, "", object)
    for name in np.unique(tenant):
        asked, known = np.flatnonzero(tenant == name), np.flatnonzero(moments.tenant == name)
        if known.size:
            customer_id[asked] = moments.customer_id[rng.choice(known, asked.size)]
    customer_id[rng.random(n) < 0.2] = ""
    return build_queries(
        cases,
        tenant,
        customer_id,
        draw_times(_to_us(cases["event_time"])[rows], _to_us(cases["ingest_time"])[rows], rng),
        rows,
        np.full(n, "", object),
        rng,
    )


def _draw_own(cases: pa.Table, n: int, rng: np.random.Generator) -> pa.Table:
    """Return questions about cases that are (or will be) events of the log themselves."""
    has_customer = np.flatnonzero(pc.not_equal(cases["customer_id"], "").to_numpy())
    rows = has_customer[rng.integers(0, len(has_customer), n)]
    ingest_us = _to_us(cases["ingest_time"])[rows]
    event_us = _to_us(cases["event_time"])[rows]
    later = np.maximum(ingest_us, event_us)
    choices = np.stack(
        [
            ingest_us - 1,
            ingest_us,
            event_us,
            later + rng.integers(0, 3_600_000_000, n),
            draw_times(event_us, ingest_us, rng),
        ]
    )
    return build_queries(
        cases,
        cases["tenant"].to_numpy()[rows],
        cases["customer_id"].to_numpy()[rows],
        choices[rng.integers(0, len(choices), n), np.arange(n)],
        rows,
        cases["event_id"].to_numpy()[rows],
        rng,
    )


def draw_cut_queries(
    events: pa.Table, cases: pa.Table, n_cuts: int, n_per_cut: int, rng: np.random.Generator
) -> pa.Table:
    """Return questions that share few times, at which a stream can be stopped.

    The times are drawn as `draw_times` draws them, but within the log's span, and the
    last one lies behind it. A third of the questions are about cases near the time, told
    or not yet told, as own cases.

    Args:
        events: Rows of the log.
        cases: Case events.
        n_cuts: Number of times.
        n_per_cut: Questions per time.
        rng: Source of all draws.
    """
    moments = _read_moments(events)
    rows = rng.integers(0, len(moments.event_us), 20 * n_cuts)
    times = draw_times(moments.event_us[rows], moments.ingest_us[rows], rng)
    times = np.unique(times[(times > moments.ingest_us.min()) & (times < moments.ingest_us.max())])
    cuts = np.append(rng.choice(times, n_cuts - 1, replace=False), moments.ingest_us.max() + 1)
    ingest_us = _to_us(cases["ingest_time"])
    has_customer = pc.not_equal(cases["customer_id"], "").to_numpy()
    by_ingest = np.flatnonzero(has_customer)[np.argsort(ingest_us[has_customer], kind="stable")]
    parts = []
    for cut_us in np.sort(cuts):
        n_own = n_per_cut // 3
        place = int(np.searchsorted(ingest_us[by_ingest], cut_us))
        near = by_ingest[max(0, place - n_per_cut) : place + n_per_cut // 3]
        own = rng.choice(near, n_own)
        who = _pick_rows(moments, n_per_cut - n_own, rng)
        dice = rng.random(len(who))
        customer_id = np.where(dice < 0.03, "", moments.customer_id[who])
        parts.append(
            build_queries(
                cases,
                np.append(cases["tenant"].to_numpy()[own], moments.tenant[who]),
                np.append(cases["customer_id"].to_numpy()[own], customer_id),
                np.full(n_per_cut, cut_us, np.int64),
                np.append(own, _draw_cases(cases, moments.tenant[who], rng)),
                np.append(cases["event_id"].to_numpy()[own], np.full(len(who), "", object)),
                rng,
            )
        )
    return pa.concat_tables(parts)
