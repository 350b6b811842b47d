"""`hemostat features`: one customer's features as of a time, and what they mean."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from features.errors import ConfigError, UnknownCustomerError
from hemostat.cli.output import Column, JsonOption, Output, Table
from hemostat.cli.times import parse_time

if TYPE_CHECKING:
    from features.definition import FeatureDefinition

app = typer.Typer(name=None)


class Language(StrEnum):
    """Language of the descriptions."""

    EN = "en"
    ZH = "zh"


class FeatureValue(msgspec.Struct, frozen=True):
    """One feature as shown.

    Attributes:
        value: None where it is missing.
        age_s: Time since the newest event that moves it, seconds; None where there
            was none, or where the record keeps no time of such events.
    """

    name: str
    value: float | None
    age_s: float | None
    unit: str
    window: str
    hop_s: int | None
    events: tuple[str, ...]
    default: str
    description: str


class CustomerFeatures(msgspec.Struct, frozen=True):
    """A customer's features as of a time.

    Attributes:
        source: `log` (refolded) or `store` (the live records).
        at: The time of the vector.
        event_count: Orders, cancellations, returns and labels of the customer known by
            then, and what became of them; browsing and service are not counted.
        record_age_s: Time since the customer's latest event, seconds.
        shard_lag_s: Time since the latest event that the customer's shard has
            applied, seconds; only of the live records.
        rfm_score: 0 to 100, by the policy's fixed table.
        tier: `high`, `ordinary`, or `new` without a history, by that score.
        policy_version: Whose table it is.
        schema_hash: Which features these are.
        features: In the table's order; those that need a case are left out.
    """

    source: str
    at: datetime
    event_count: int
    record_age_s: float
    shard_lag_s: float | None
    rfm_score: float | None
    tier: str
    policy_version: str
    schema_hash: str
    features: tuple[FeatureValue, ...]


@app.command("features")
def show_features(
    customer: Annotated[str, typer.Argument(help="The customer, as in the events.")],
    tenant: Annotated[str, typer.Option(help="Whose customer.")],
    at: Annotated[
        str, typer.Option(help="Time, RFC 3339, e.g. 2011-06-01T00:00:00Z. Empty: now.")
    ] = "",
    log: Annotated[Path | None, typer.Option(help="The event log; needed for a past time.")] = None,
    store: Annotated[
        str | None, typer.Option(help="The live store, a folder or redis://...; only for now.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Policy with the RFM table; default: the shipped one.")
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language of the descriptions.")] = Language.EN,
    as_json: JsonOption = False,
) -> None:
    """Show a customer's features: value, unit, window, freshness and meaning.

    A past time is refolded from the log, exactly as serving would have seen it;
    the live record answers only for now.
    """
    output = Output(as_json)
    now_us = time.time_ns() // 1000
    at_us = parse_time(at, "--at") if at else now_us
    shard_lag_s = None
    if log is not None:
        records = _read_from_log(log, tenant, customer, at_us)
    elif store is not None and not at:
        records, shard_lag_s = _read_from_store(store, tenant, customer, now_us)
    else:
        raise ConfigError(
            "no source that can answer for this time",
            field="--log" if at else "--store, --log",
            value="absent",
            expectation="the event log for a past time; the store or the log for now",
            fix=f"add --log LOG{'' if at else ' or --store STORE'}",
        )
    if not any(records):
        raise UnknownCustomerError(
            "no event of this customer is known by that time",
            field="CUSTOMER",
            value=customer,
            expectation=f"a customer of tenant {tenant!r} with an event by the time asked for",
            fix="check --tenant and the id, or ask for a later --at",
        )
    history, activity = _unpack(records)
    vector = _compute_vector(records, at_us)
    rfm_score, tier, policy_version = _compute_tier(vector, policy)
    shown = CustomerFeatures(
        source="store" if log is None else "log",
        at=datetime.fromtimestamp(at_us / 1e6, UTC),
        event_count=int(history["event_count"]),
        record_age_s=max(
            0, at_us - max(int(history["last_event_us"]), int(activity["last_event_us"]))
        )
        / 1e6,
        shard_lag_s=shard_lag_s,
        rfm_score=rfm_score,
        tier=tier,
        policy_version=policy_version,
        schema_hash=_schema_hash(),
        features=_describe_values(history, vector, at_us, lang),
    )
    output.show(shown, [_draw(shown)], text=_describe_freshness(shown))


def _schema_hash() -> str:
    from features.definitions import SCHEMA_HASH

    return SCHEMA_HASH


def _read_from_log(path: Path, tenant: str, customer: str, at_us: int) -> Sequence[bytes | None]:
    from features.log.customer import read_records_at
    from features.log.reader import EventLog

    log = EventLog(path)
    if log.manifest.tenants and tenant not in log.manifest.tenants:
        raise ConfigError(
            "the event log has no such tenant",
            field="--tenant",
            value=tenant,
            expectation=f"one of {', '.join(log.manifest.tenants)}",
            fix="name one of them",
        )
    return read_records_at(log, tenant, customer, at_us)


def _read_from_store(
    place: str, tenant: str, customer: str, now_us: int
) -> tuple[Sequence[bytes | None], float]:
    from features.keys import compute_entity_key, compute_shard
    from features.log.customer import CUSTOMER_ENTITIES
    from features.store.opening import open_store

    keys = [compute_entity_key(tenant, entity, customer) for entity in CUSTOMER_ENTITIES]
    store = open_store(place, "read")
    try:
        applied_us = store.read_shard_state(compute_shard(keys[0])).applied_ingest_us
        return store.read_records(keys), (now_us - applied_us) / 1e6
    finally:
        store.close()


def _unpack(records: Sequence[bytes | None]) -> tuple[Any, Any]:
    """Return history and activity; empty ones where there is none."""
    from features.entities import Layout
    from features.records.activity import ACTIVITY_DTYPE
    from features.records.history import HISTORY_DTYPE
    from features.records.packing import PackedRecords, unpack_records

    history, activity = (PackedRecords.from_blobs([blob]) for blob in records)
    return (
        unpack_records(Layout.HISTORY, history, HISTORY_DTYPE)[0],
        unpack_records(Layout.ACTIVITY, activity, ACTIVITY_DTYPE)[0],
    )


def _compute_vector(records: Sequence[bytes | None], at_us: int) -> Any:
    """Return the vector of a case that says nothing, shape `(N_FEATURES,)`."""
    import numpy as np

    from features.entities import N_ENTITIES
    from features.log.customer import CUSTOMER_ENTITIES
    from features.records.packing import PackedRecords
    from features.request_rows import REQUEST_ROW_DTYPE, Call
    from features.vector import STATE_OK, compute_vectors

    request = np.zeros(1, REQUEST_ROW_DTYPE)
    request["time_us"], request["call"] = at_us, Call.RETURN
    blobs: list[bytes | None] = [None] * N_ENTITIES
    is_named = np.zeros((1, N_ENTITIES), np.bool_)
    for entity, blob in zip(CUSTOMER_ENTITIES, records, strict=True):
        blobs[entity], is_named[0, entity] = blob, True
    states = np.full(1, STATE_OK, np.int8)
    return compute_vectors(PackedRecords.from_blobs(blobs), is_named, states, request)[0]


def _compute_tier(vector: Any, path: Path | None) -> tuple[float | None, str, str]:
    """Return the RFM score, the tier and the version of the policy that says so."""
    from features.definitions import FEATURE_NAMES
    from features.vector import STATE_KNOWN
    from hemostat.v1 import scoring_pb2
    from scoring.budget import compute_tier
    from scoring.policy import DEFAULT_POLICY, load_policy

    policy = load_policy(path or DEFAULT_POLICY)
    is_known = vector[FEATURE_NAMES.index("customer_state")] == STATE_KNOWN
    state = scoring_pb2.CUSTOMER_STATE_KNOWN if is_known else scoring_pb2.CUSTOMER_STATE_NEW
    tier = compute_tier(state, vector, policy)
    return tier.rfm_score, tier.name, policy.version


def _describe_values(
    history: Any, vector: Any, at_us: int, lang: Language
) -> tuple[FeatureValue, ...]:
    """Return the features that stand without a case."""
    from features.definitions import FEATURES

    return tuple(
        FeatureValue(
            name=feature.name,
            value=None if math.isnan(value) else float(value),
            age_s=_compute_age(history, feature.events, at_us),
            unit=feature.unit,
            window=feature.window.name if feature.window else "",
            hop_s=feature.window.hop_us // 1_000_000 if feature.window else None,
            events=feature.events,
            default=feature.default,
            description=feature.description if lang is Language.EN else feature.description_zh,
        )
        for feature, value in zip(FEATURES, vector, strict=True)
        if _stands_alone(feature)
    )


_NEWEST_FIELDS = {
    "order_placed": "order_us",
    "return_requested": "return_us",
    "cancel_requested": "cancel_request_us",
}


def _compute_age(history: Any, events: tuple[str, ...], at_us: int) -> float | None:
    fields = [_NEWEST_FIELDS[event] for event in events if event in _NEWEST_FIELDS]
    newest_us = max((int(history[field][0]) for field in fields), default=0)
    return max(0, at_us - newest_us) / 1e6 if newest_us else None


def _stands_alone(feature: FeatureDefinition) -> bool:
    """Return whether a feature is the customer's own and needs no case."""
    return feature.entity in {"customer", "activity"} and not feature.name.startswith("request_")


def _draw(shown: CustomerFeatures) -> Table:
    rows = tuple(
        (
            feature.name,
            _format_value(feature.value, feature.unit),
            feature.unit,
            "" if feature.age_s is None else f"{feature.age_s / 86_400:.1f}",
            feature.description,
        )
        for feature in shown.features
    )
    return Table(
        title=f"Features as of {shown.at.isoformat(timespec='seconds')}, from the {shown.source}",
        columns=(
            Column("feature"),
            Column("value", justify="right"),
            Column("unit"),
            Column("age [d]", justify="right"),
            Column("meaning"),
        ),
        rows=rows,
        caption="age: days since the newest event that moves the feature",
    )


def _format_value(value: float | None, unit: str) -> str:
    if value is None:
        return "missing"
    return f"{value:,.0f}" if unit in {"1", "minor", "code", "flag"} else f"{value:,.4f}"


def _describe_freshness(shown: CustomerFeatures) -> str:
    age = f"latest event {shown.record_age_s / 86_400:.1f} days before"
    if shown.shard_lag_s is not None:
        age += f"; store applied up to {shown.shard_lag_s:,.1f} s ago"
    score = "none" if shown.rfm_score is None else f"{shown.rfm_score:.0f}"
    rfm = f"RFM score {score}: tier {shown.tier} (policy {shown.policy_version})"
    return f"{shown.event_count} events known; {age}; schema {shown.schema_hash}\n{rfm}"
