"""The twin's SQL against loops over the events: who checks the checker of many customers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.twin.cases import read_cases
from benchmarks.twin.random_log import RandomLog
from benchmarks.twin.sampling import draw_queries
from benchmarks.twin.twin import compute_twin
from features.entities import Entity
from features.keys import compute_entity_key, compute_event_key, compute_member
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import Call

N_QUESTIONS = 300
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NAN = float("nan")
WINDOWS = {"24h": (24, 1), "30d": (720, 24), "90d": (2_160, 168), "365d": (8_760, 168)}


class Model:
    """Answers one question by looking at every event of the log."""

    def __init__(self, log: Path, question: Mapping[str, Any], case: Mapping[str, Any]) -> None:
        self.question = question
        self.t = question["time_us"]
        self.tenant, self.customer = question["tenant"], question["customer_id"]
        self.known = [
            event
            for event in read_accepted(log)
            if event["ingest_time"] <= self.t and event["tenant"] == self.tenant
        ]
        self.closed = [e for e in self.known if e["event_time"] < self.t // HOUR_US * HOUR_US]
        self.own = [
            event
            for event in self.known
            if self.customer
            and event["customer_id"] == self.customer
            and event["event_id"] != question["own_event_id"]
        ]
        self.case = case[case["kind"]]
        self.product = self._find_product()

    def _find_product(self) -> Any:
        if self.question["call"] == Call.ORDER_LINE:
            return self.case["lines"][self.question["line"]]
        if self.question["call"] == Call.ORDER:
            return max(self.case["lines"], key=lambda o: o["quantity"] * o["unit_price_minor"])
        return self.case

    def is_in(self, event: Mapping[str, Any], window: str) -> bool:
        length, hop = (n * HOUR_US for n in WINDOWS[window])
        return bool(event["event_time"] >= (self.t - length) // hop * hop)

    def iterate_products(self, window: str, **like: str) -> Any:
        """Yield kind and payload of what happened in closed hours to a product."""
        for event in self.closed:
            if self.is_in(event, window):
                payload = event[event["kind"]]
                for said in payload["lines"] if event["kind"] == "order_placed" else [payload]:
                    if all(said.get(name) == value for name, value in like.items()):
                        yield event["kind"], said

    def answer(self) -> dict[str, float]:
        return {
            **self.answer_products(),
            **self.answer_device(),
            **self.answer_activity(),
            **self.answer_lines(),
        }

    def answer_products(self) -> dict[str, float]:
        style, batch = self.product["style"], self.product["batch"]
        of_style = list(self.iterate_products("90d", style=style)) if style else []
        of_batch = []
        if batch:
            like = {"batch": batch, "supplier": self.product["supplier"]}
            of_batch = list(self.iterate_products("90d", **like))
        lines = sum(kind == "order_placed" for kind, _ in of_style)
        returns = [said for kind, said in of_style if kind == "return_requested"]
        defects = ("REASON_CODE_QUALITY_DEFECT", "REASON_CODE_DAMAGED_IN_TRANSIT")
        n_defect = sum((said["reason"] or {}).get("code") in defects for said in returns)
        batch_lines = sum(kind == "order_placed" for kind, _ in of_batch)
        return {
            "style_order_line_count_90d": lines if style else NAN,
            "style_return_rate_90d": len(returns) / lines if lines else NAN,
            "style_defect_share_90d": n_defect / len(returns) if returns else NAN,
            "batch_return_rate_90d": sum(kind == "return_requested" for kind, _ in of_batch)
            / batch_lines if batch_lines else NAN,
        }  # fmt: skip

    def answer_device(self) -> dict[str, float]:
        device = self.case["device_hash"]
        names = ("other_customer_count", "other_order_count", "other_abuse_count")
        if not device:
            return {f"device_{name}_lifetime": NAN for name in names} | {"device_is_saturated": NAN}
        seen: dict[int, list[Any]] = {}
        for event in self.known:
            payload = event[event["kind"]]
            kinds = ("order_placed", "return_requested", "label_set")
            if event["kind"] in kinds and event["customer_id"] and payload["device_hash"] == device:
                key = compute_entity_key(self.tenant, Entity.CUSTOMER, event["customer_id"])
                seen.setdefault(compute_member(key), []).append(event)
        others = [
            event
            for member in sorted(seen)[:16]
            for event in seen[member]
            if event["customer_id"] != self.customer
        ]
        return {
            "device_other_customer_count_lifetime": len({e["customer_id"] for e in others}),
            "device_other_order_count_lifetime": sum(e["kind"] == "order_placed" for e in others),
            "device_other_abuse_count_lifetime": sum(map(count_abuse, others)),
            "device_is_saturated": len(seen) > 16,
        }

    def answer_activity(self) -> dict[str, float]:
        views = [e for e in self.own if e["kind"] == "product_viewed"]
        moods = []
        for event in self.own:
            said = (event["service_message"] or {}).get("message")
            said = said or (event["review_posted"] or {}).get("review") or {}
            if said.get("sentiment") is not None:
                key = compute_event_key(self.tenant, event["event_id"])
                moods.append((event["event_time"], key, said["sentiment"]))
        newest = [mood for _, _, mood in sorted(moods)[-8:]]
        return {
            "view_count_24h": sum(self.is_in(e, "24h") for e in views) if self.customer else NAN,
            "view_count_30d": sum(self.is_in(e, "30d") for e in views) if self.customer else NAN,
            "sentiment_last": newest[-1] if newest else NAN,
            "sentiment_mean_last8": float(np.mean(newest)) if newest else NAN,
        }

    def answer_lines(self) -> dict[str, float]:
        lines = []
        for event in self.own:
            if event["kind"] == "order_placed":
                key = compute_event_key(self.tenant, event["event_id"])
                for number, line in enumerate(event["order_placed"]["lines"][:8]):
                    lines.append((event["event_time"], key, number, line["style"]))
        newest = [style for *_, style in sorted(lines)[-24:]]
        style = self.product["style"]
        is_known = bool(set(map(get_kind, self.own)) & CUSTOMER_KINDS)
        count = newest.count(style) if style and is_known else NAN
        return {"request_style_order_count_last24": count}


CUSTOMER_KINDS = {
    "order_placed", "cancel_requested", "order_cancelled", "order_kept", "return_requested",
    "return_received", "return_inspected", "refund_issued", "item_exchanged", "label_set",
}  # fmt: skip


def get_kind(event: Mapping[str, Any]) -> str:
    kind: str = event["kind"]
    return kind


def count_abuse(event: Mapping[str, Any]) -> int:
    label = event["label_set"] or {}
    if label.get("label") not in ("LABEL_KIND_ABUSE_CONFIRMED", "LABEL_KIND_CHARGEBACK"):
        return 0
    return -1 if label["is_reversal"] else 1


_READ: dict[Path, list[dict[str, Any]]] = {}


def read_accepted(log: Path) -> list[dict[str, Any]]:
    if log not in _READ:
        events = read_as_dicts(EventLog(log).read_table())
        by_id: dict[tuple[str, str], dict[str, Any]] = {}
        for event in sorted(events, key=lambda e: e["ingest_time"]):
            late_us = event["ingest_time"] - event["event_time"]
            known_us = event["known_at"] or event["ingest_time"]
            is_known = known_us <= event["ingest_time"] + 300_000_000
            if -300_000_000 <= late_us <= 30 * DAY_US and is_known:
                by_id.setdefault((event["tenant"], event["event_id"]), event)
        _READ[log] = list(by_id.values())
    return _READ[log]


def read_as_dicts(table: Any) -> list[dict[str, Any]]:
    for number, name in enumerate(table.column_names):
        if name in ("event_time", "ingest_time", "known_at"):
            table = table.set_column(number, name, table[name].cast("int64"))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("brute") / "log"
    drawn = RandomLog(np.random.default_rng(5), n_customers=30, span_days=200)
    with EventLogWriter(folder, n_partitions=2, formats=("parquet",)) as writer:
        writer.append_structs(drawn.draw_events(3_000))
    return folder


def test_the_sql_counts_what_loops_over_the_events_count(log: Path) -> None:
    events, cases = read_cases(log)
    questions = draw_queries(events, cases, N_QUESTIONS, np.random.default_rng(6))
    twin = compute_twin(log, cases, questions)
    told = read_as_dicts(cases)
    found: dict[str, set[float]] = {}
    for row, question in enumerate(questions.to_pylist()):
        expected = Model(log, question, told[question["case_row"]]).answer()
        for name, value in expected.items():
            computed = twin.values[row, twin.names.index(name)]
            assert computed == pytest.approx(float(value), nan_ok=True), (name, question)
            if not np.isnan(computed):
                found.setdefault(name, set()).add(computed)
    assert {name: len(values) for name, values in found.items() if len(values) < 2} == {}
