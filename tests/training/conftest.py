"""Hand-made logs, and one small simulated log, for all tests of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.definition import DAY_US
from features.log import structs
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import Call
from training.cases import LearningSet, build_learning_set
from training.growing import HeadParameters
from training.log_reading import AcceptedEvents, read_accepted_events
from training.pipeline import TrainingResult, train_bundle
from training.simulation import SimulationConfig, simulate
from training.simulation.config import LabelSettings
from training.simulation.truth import TRUTH_FILE, TruthWriter
from training.training_options import TrainingOptions

START_US = 20_000 * DAY_US
TENANT = "shop"

Events = Sequence[Any]


class EventMaker:
    """Makes events of one tenant; days count from `START_US`."""

    def __init__(self) -> None:
        self.start_us = START_US
        self._n = 0

    def make(
        self,
        day: float,
        *,
        customer: str = "c1",
        event_id: str = "",
        known_day: float | None = None,
        **kind: Any,
    ) -> Any:
        """Return an event that came in when it happened."""
        self._n += 1
        return structs.Event(
            event_id=event_id or f"e{self._n}",
            tenant=TENANT,
            event_time=self.at(day),
            ingest_time=self.at(day if known_day is None else known_day),
            customer_id=customer,
            channel="CHANNEL_WEB",
            **kind,
        )

    def at(self, day: float) -> int:
        """Return the time of a day, microseconds UTC."""
        return START_US + int(day * DAY_US)

    def order(
        self,
        day: float,
        order_id: str,
        *,
        price: int = 1_000,
        attributes: str = "",
        customer_attributes: str = "",
        **more: Any,
    ) -> Any:
        """Return an order with lines `<order_id>-1` and `-2`; its id is the event's."""
        lines = [
            structs.OrderLine(
                line_id=f"{order_id}-{n}", sku=f"s{n}", quantity=1, unit_price_minor=price
            )
            for n in (1, 2)
        ]
        placed = structs.OrderPlaced(
            order_id=order_id,
            lines=lines,
            return_window_days=30,
            attributes=attributes,
            customer_attributes=customer_attributes,
        )
        return self.make(day, event_id=order_id, order_placed=placed, **more)

    def delivered(self, day: float, order_id: str, **more: Any) -> Any:
        """Return a delivery."""
        return self.make(day, order_delivered=structs.OrderDelivered(order_id=order_id), **more)

    def cancelled(
        self,
        day: float,
        order_id: str,
        by: str = "CUSTOMER",
        *,
        cancel_id: str = "",
        line_id: str = "",
        offer_id: str = "",
        **more: Any,
    ) -> Any:
        """Return a cancellation."""
        fact = structs.OrderCancelled(
            order_id=order_id,
            cancel_id=cancel_id,
            line_id=line_id,
            offer_id=offer_id,
            initiator=f"CANCEL_INITIATOR_{by}",
            quantity=1,
            unit_price_minor=1_000,
        )
        return self.make(day, order_cancelled=fact, **more)

    def clicked(self, day: float, cancel_id: str, order_id: str, **more: Any) -> Any:
        """Return a cancel click; its id is the event's."""
        fact = structs.CancelRequested(
            cancel_id=cancel_id, order_id=order_id, quantity=1, unit_price_minor=1_000
        )
        return self.make(day, event_id=cancel_id, cancel_requested=fact, **more)

    def kept(self, day: float, cancel_id: str, order_id: str, **more: Any) -> Any:
        """Return the end of a click with the order kept."""
        return self.make(
            day, order_kept=structs.OrderKept(cancel_id=cancel_id, order_id=order_id), **more
        )

    def offered(self, day: float, case_event_id: str, **more: Any) -> Any:
        """Return an offer on a case."""
        fact = structs.OfferMade(
            offer_id=f"o-{case_event_id}",
            case_event_id=case_event_id,
            gesture="coupon",
            propensity=0.5,
        )
        return self.make(day, offer_made=fact, **more)

    def returned(
        self, day: float, return_id: str, order_id: str = "", line_id: str = "", **more: Any
    ) -> Any:
        """Return a return request; its id is the event's."""
        fact = structs.ReturnRequested(
            return_id=return_id,
            order_id=order_id,
            line_id=line_id,
            quantity=1,
            unit_price_minor=1_000,
        )
        return self.make(day, event_id=return_id, return_requested=fact, **more)

    def inspected(self, day: float, return_id: str, condition: str = "D", **more: Any) -> Any:
        """Return an inspection."""
        fact = structs.ReturnInspected(return_id=return_id, condition=f"CONDITION_{condition}")
        return self.make(day, return_inspected=fact, **more)

    def label(
        self, day: float, case: str, kind: str = "ABUSE_CONFIRMED", reversal: bool = False,
        **more: Any,
    ) -> Any:  # fmt: skip
        """Return a verdict on a case."""
        fact = structs.LabelSet(
            case_event_id=case, label=f"LABEL_KIND_{kind}", is_reversal=reversal
        )
        return self.make(day, label_set=fact, **more)


@pytest.fixture
def make() -> EventMaker:
    """Makes the events of a hand-made log."""
    return EventMaker()


@pytest.fixture
def read_events(tmp_path: Path) -> Callable[[Events], AcceptedEvents]:
    """Write events to a log and read back what is accepted."""
    n_logs = 0

    def read(events: Events) -> AcceptedEvents:
        nonlocal n_logs
        n_logs += 1
        path = tmp_path / f"log{n_logs}"
        with EventLogWriter(path, n_partitions=2, formats=("parquet",)) as writer:
            writer.append_structs(events)
        return read_accepted_events(EventLog(path), TENANT)

    return read


@pytest.fixture
def learn_from(
    read_events: Callable[[Events], AcceptedEvents],
) -> Callable[[Events], LearningSet]:
    """Write events to a log and return its cases of all calls, and its facts."""
    return lambda events: build_learning_set(read_events(events), frozenset(Call))


@pytest.fixture(scope="session")
def simulated_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated log of which most cases are checked, with its truth beside it."""
    path = tmp_path_factory.mktemp("simulated") / "log"
    config = SimulationConfig(
        n_customers=500, days=540, seed=11, labels=LabelSettings(audit_share=0.7), abuser_scale=3.0
    )
    writer = EventLogWriter(path, formats=("parquet",), created_by="hemostat simulate --seed 11")
    with writer, TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth:
        simulate(config, writer, truth)
    return path


def train_quickly(log: Path, out: Path, **more: Any) -> TrainingResult:
    """Return what training made of a log, with few trees."""
    options = TrainingOptions(log=log, out=out, parameters=HeadParameters(max_trees=30), **more)
    return train_bundle(options, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="session")
def trained(simulated_log: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """The bundle of the small simulated log."""
    return train_quickly(simulated_log, tmp_path_factory.mktemp("trained") / "bundles")


@pytest.fixture
def train() -> Callable[..., TrainingResult]:
    """Trains on a log with few trees: `train(log, out, **options)`."""
    return train_quickly
