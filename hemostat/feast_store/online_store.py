"""Feast's online store over hemostat's own records: the scorer's read and the scorer's vector.

Nothing is copied and nothing is materialised: a read takes the packed records of the
named entities from the live store and computes the columns with the code that the
scorer runs. Writing is the stream's business alone, so `push` and `materialize` are
refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
from feast import Entity as FeastEntity
from feast import FeatureView
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from features.definitions import FEATURE_NAMES
from features.entities import N_ENTITIES, Entity
from features.errors import ConfigError
from features.keys import compute_batch_key, compute_entity_key
from features.records.packing import PackedRecords
from features.request_rows import REQUEST_ROW_DTYPE, Call
from features.store.port import FeatureReader
from features.vector import STATE_OK, compute_vectors
from hemostat.feast_store.request_key import decode_request
from hemostat.feast_store.shared_readers import close_reader, get_reader
from hemostat.feast_store.views import ENTITY_KEYS, REQUEST_KEY, View, find_view
from scoring.cases import unpack_cases
from scoring.conversion import to_case
from scoring.entity_records import compute_case_vectors, read_records
from scoring.validation import validate_request

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = {name: place for place, name in enumerate(FEATURE_NAMES)}

Row = tuple[datetime | None, dict[str, Value] | None]


class HemostatOnlineStoreConfig(FeastConfigBaseModel):
    """Settings in `feature_store.yaml` under `online_store`.

    Attributes:
        type: Names this store.
        store: hemostat's online store: a folder or a Redis url.
        as_of_us: Time of the features, microseconds UTC. None: the moment of the read.
    """

    type: Literal["hemostat.feast_store.online_store.HemostatOnlineStore"] = (
        "hemostat.feast_store.online_store.HemostatOnlineStore"
    )
    store: str
    as_of_us: int | None = None


class HemostatOnlineStore(OnlineStore):
    """Answers Feast's online reads from the store that the scorer reads."""

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[Row]:
        """Return the features of each key as of the read's moment; NaN is absent.

        Raises:
            ConfigError: The view is none of hemostat's.
            InvalidRequestError: A `request` is none, or is not a valid score request.
            StoreUnavailableError: The store cannot be read.
        """
        view = find_view(table.name)
        if view is None:
            raise ConfigError(
                "this feature view is not hemostat's",
                field="feature view",
                value=table.name,
                expectation="a view of the generated repository",
                fix="run `hemostat feast init` and `feast apply` again",
            )
        settings = config.online_store
        reader = get_reader(settings.store)
        now_us = settings.as_of_us or time.time_ns() // 1_000
        names = requested_features or [feature.name for feature in view.features]
        keys = [_to_ids(key) for key in entity_keys]
        if view.subject:
            vectors = _compute_subjects(reader, view, keys, now_us)
        else:
            vectors = _compute_cases(reader, keys, now_us)
        moment = _EPOCH + timedelta(microseconds=now_us)
        return [(moment, _to_values(vector, names)) for vector in vectors]

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> NoReturn:
        """Refuse: only the stream writes.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            "Feast cannot write to hemostat's store",
            field="feature view",
            value=table.name,
            expectation="events, from which the stream makes the features",
            fix="publish the events (`hemostat stream`, PublishEvents) instead of pushing features",
        )

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[FeastEntity],
        entities_to_keep: Sequence[FeastEntity],
        partial: bool,
    ) -> None:
        """Do nothing: the records do not depend on which views Feast knows."""

    def teardown(
        self,
        config: RepoConfig,
        tables: Sequence[FeatureView],
        entities: Sequence[FeastEntity],
    ) -> None:
        """Close the store; its records are not Feast's to remove."""
        close_reader(config.online_store.store)


def _to_ids(key: EntityKey) -> dict[str, str]:
    """Return a key's ids by join key; Feast may give them in any order."""
    return {
        name: value.string_val for name, value in zip(key.join_keys, key.entity_values, strict=True)
    }


def _to_values(vector: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, Value]:
    values = {}
    for name in names:
        number = float(vector[_COLUMNS[name]])
        values[name] = Value() if np.isnan(number) else Value(float_val=number)
    return values


def _compute_cases(
    reader: FeatureReader, keys: Sequence[Mapping[str, str]], now_us: int
) -> npt.NDArray[np.float32]:
    """Return the vectors of whole cases, exactly as the scorer computes them."""
    cases = []
    for key in keys:
        request = decode_request(key[REQUEST_KEY])
        validate_request(request, [request.tenant], now_us)
        case = to_case(request, with_lines=False, received_s=time.perf_counter(), now_us=now_us)
        cases.append(case)
    rows, _ = unpack_cases(cases, now_us)
    return compute_case_vectors(cases, read_records(reader, cases), rows).vectors


def _compute_subjects(
    reader: FeatureReader, view: View, keys: Sequence[Mapping[str, str]], now_us: int
) -> npt.NDArray[np.float32]:
    """Return vectors in which only one subject is named and no case is asked about."""
    entities, _ = ENTITY_KEYS[view.subject]
    is_named = np.zeros((len(keys), N_ENTITIES), np.bool_)
    wanted: list[bytes] = []
    for place, key in enumerate(keys):
        for entity in entities:
            is_named[place, entity] = True
            wanted.append(_compute_key(view, entity, key))
    found = iter(reader.read_records(wanted))
    blobs = [
        next(found) if is_named[place, entity] else None
        for place in range(len(keys))
        for entity in Entity
    ]
    requests = np.zeros(len(keys), REQUEST_ROW_DTYPE)
    requests["time_us"], requests["call"] = now_us, int(Call.RETURN)
    states = np.full(len(keys), STATE_OK, np.int8)
    return compute_vectors(PackedRecords.from_blobs(blobs), is_named, states, requests)


def _compute_key(view: View, entity: Entity, key: Mapping[str, str]) -> bytes:
    if entity is Entity.BATCH:
        return compute_batch_key(key["tenant"], key["supplier"], key["batch"])
    return compute_entity_key(key["tenant"], entity, key[view.join_keys[-1]])
