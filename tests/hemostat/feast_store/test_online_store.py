"""Feast's online reads are the scorer's vectors, bit for bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.definitions import FEATURE_NAMES
from features.errors import ConfigError, InvalidRequestError, StoreUnavailableError
from features.store.opening import begin_generation, open_store, swap_generation
from hemostat.feast_store.request_key import encode_request
from hemostat.feast_store.shared_readers import get_reader
from hemostat.feast_store.views import View, list_views
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import unpack_cases
from scoring.conversion import to_case
from scoring.entity_records import compute_case_vectors, read_records
from stream.options import StreamOptions
from stream.runner import run_stream

if TYPE_CHECKING:
    from tests.redis_servers import RedisServer

Shop = Any
ToArray = Callable[[dict[str, Sequence[float | None]]], npt.NDArray[np.float32]]


def _to_us(moment: pd.Timestamp) -> int:
    return int(moment.value // 1_000)


def _make_row(request: pb.ScoreRequest) -> dict[str, str]:
    return {
        "tenant": request.tenant,
        "case_event_id": request.event_id,
        "request": encode_request(request),
    }


def _score(store: str, request: pb.ScoreRequest, now_us: int) -> npt.NDArray[np.float32]:
    """Return the vector of a case as the scorer computes it."""
    case = to_case(request, with_lines=False, received_s=0.0, now_us=now_us)
    rows, _ = unpack_cases([case], now_us)
    records = read_records(get_reader(store), [case])  # LMDB: one reader per process.
    vector: npt.NDArray[np.float32] = compute_case_vectors([case], records, rows).vectors[0]
    return vector


def _read_cases(
    shop: Shop, to_array: ToArray, store: str, requests: Sequence[pb.ScoreRequest], now_us: int
) -> npt.NDArray[np.float32]:
    feast = shop.open_feast(store, now_us)
    service = feast.get_feature_service("scoring")
    rows = [_make_row(request) for request in requests]
    return to_array(feast.get_online_features(service, rows).to_dict())


@pytest.mark.parametrize("call", ["order", "cancellation", "return"])
def test_a_case_has_the_vector_of_the_scorer_and_of_the_feature_log(
    call: str, shop: Shop, to_array: ToArray
) -> None:
    cases = shop.rows[(shop.rows["call"] == call) & (shop.rows["moment"] == "case")]
    last = cases.iloc[-1]
    now_us = _to_us(last["known_time"])
    store = str(shop.stream(f"store-{call}", now_us))
    request = shop.requests[last["case_event_id"]]
    (vector,) = _read_cases(shop, to_array, store, [request], now_us)
    np.testing.assert_array_equal(vector, _score(store, request, now_us))
    np.testing.assert_array_equal(vector, last[list(FEATURE_NAMES)].to_numpy(np.float32))
    assert 0 < np.isnan(vector).sum() < len(FEATURE_NAMES)


def test_many_cases_in_one_read_are_the_single_ones(shop: Shop, to_array: ToArray) -> None:
    now_us = _to_us(shop.rows["known_time"].iloc[-1])
    store = str(shop.stream("store"))
    requests = [shop.requests[event_id] for event_id in sorted(shop.requests)[::5]]
    found = _read_cases(shop, to_array, store, requests, now_us)
    for request, vector in zip(requests, found, strict=True):
        np.testing.assert_array_equal(vector, _score(store, request, now_us))


def test_redis_answers_as_the_folder_does(
    shop: Shop, to_array: ToArray, redis_server: RedisServer, tmp_path: Path
) -> None:
    now_us = _to_us(shop.rows["known_time"].iloc[-1])
    folder, url = str(shop.stream("store")), f"{redis_server.url}/?prefix=feast"
    with open_store(url, "write") as store:
        run_stream(str(shop.log), store, StreamOptions(tmp_path))
    requests = [shop.requests[event_id] for event_id in sorted(shop.requests)[::20]]
    in_redis = _read_cases(shop, to_array, url, requests, now_us)
    np.testing.assert_array_equal(in_redis, _read_cases(shop, to_array, folder, requests, now_us))


# --- views of one subject --------------------------------------------------------------------


def _ask_about(shop: Shop, view: View) -> Iterator[tuple[dict[str, str], pb.ScoreRequest]]:
    """Yield ids of the view, and a case that names them and takes nothing out of the records."""
    cases = shop.rows[shop.rows["call"] == ("order" if view.subject == "region" else "return")]
    for _, row in cases.iterrows():
        ids = {name: row[name] for name in view.join_keys}
        if not all(ids.values()):
            continue
        request = pb.ScoreRequest()
        request.CopyFrom(shop.requests[row["case_event_id"]])
        request.event_id = ""  # Its own event stays in the history.
        if view.subject != "customer":
            request.customer_id = ""  # A guest: no member is left out of what is shared.
        yield ids, request


@pytest.mark.parametrize("view", list_views()[1:], ids=lambda view: view.name)
def test_a_view_of_one_subject_has_the_vectors_columns(
    view: View, shop: Shop, to_array: ToArray
) -> None:
    now_us = _to_us(shop.rows["known_time"].iloc[-1])
    store = str(shop.stream("store"))
    asked = list(_ask_about(shop, view))[:5]
    assert asked
    feast = shop.open_feast(store, now_us)
    names = [f"{view.name}:{feature.name}" for feature in view.features]
    found = to_array(feast.get_online_features(names, [ids for ids, _ in asked]).to_dict())
    columns = [FEATURE_NAMES.index(feature.name) for feature in view.features]
    for (_, request), values in zip(asked, found, strict=True):
        np.testing.assert_array_equal(values, _score(store, request, now_us)[columns])


# --- what is refused ---------------------------------------------------------------------------


def _make_frame(shop: Shop) -> pd.DataFrame:
    return shop.rows.head(2).assign(request="")


def test_pushing_is_refused_and_names_the_way_for_events(shop: Shop) -> None:
    feast = shop.open_feast(str(shop.stream("store")))
    with pytest.raises(ConfigError, match="publish the events"):
        feast.push("case_vectors_push", _make_frame(shop))


def test_materializing_is_refused(shop: Shop) -> None:
    feast = shop.open_feast(str(shop.stream("store")))
    times = shop.rows["known_time"]
    with pytest.raises(ConfigError, match="Feast cannot write"):
        feast.materialize(times.iloc[0], times.iloc[-1], ["customer_features"])


def test_a_view_that_is_not_hemostats_is_refused(shop: Shop) -> None:
    feast = shop.open_feast(str(shop.stream("store")))
    view = feast.get_feature_view("sku_features")
    view.name = "somebody_elses"
    with pytest.raises(ConfigError, match="not hemostat's"):
        feast._get_provider().online_read(feast.config, view, [], [])


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "eyJhIjoxfQ=="])
def test_a_join_key_that_holds_no_request_is_refused(text: str, shop: Shop) -> None:
    feast = shop.open_feast(str(shop.stream("store")))
    row = {"tenant": "demo", "case_event_id": "e", "request": text}
    with pytest.raises(InvalidRequestError):
        feast.get_online_features(feast.get_feature_service("scoring"), [row])


def test_a_store_that_is_not_there_is_an_error_and_not_an_empty_answer(shop: Shop) -> None:
    feast = shop.open_feast(str(shop.folder / "no-store"))
    with pytest.raises(StoreUnavailableError):
        feast.get_online_features(
            ["sku_features:sku_return_rate_30d"], [{"tenant": "t", "sku": "s"}]
        )


def test_a_store_that_was_rebuilt_is_taken_over(shop: Shop) -> None:
    place = shop.folder / "rebuilt"
    shutil.copytree(shop.stream("store"), place)
    first = get_reader(str(place))
    assert get_reader(str(place)) is first
    number = begin_generation(place)
    open_store(place, "write", generation=number).close()
    swap_generation(place, number)
    second = get_reader(str(place))
    assert second is not first
    assert second.read_shard_state(0).next_offsets == {}
