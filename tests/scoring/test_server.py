"""The server over a real gRPC connection: every status, health, metrics, reload."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from benchmarks.serving.world import BAZAAR, SHOP, World
from features.errors import (
    ConfigError,
    HemostatError,
    MissingModelError,
    PortInUseError,
    StoreUnavailableError,
)
from features.store.backup import restore_backup, write_backup
from features.store.opening import open_store
from hemostat.client import CallError, Client
from hemostat.v1 import scoring_pb2 as pb
from hemostat.v1 import scoring_pb2_grpc
from scoring.clock import read_wall_us
from tests.redis_servers import RedisServer

RequestOf = Callable[..., pb.ScoreRequest]
RunServer = Callable[..., Any]
Status = grpc.StatusCode


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def _read_metrics(server: Any) -> str:
    with urllib.request.urlopen(server.server.address.metrics) as page:
        return str(page.read().decode())


def test_a_case_is_answered_over_the_wire(client: Client, request_of: RequestOf) -> None:
    answer = client.score(request_of(request_id="wire"))
    assert answer.request_id == "wire"
    assert answer.hint == pb.HINT_VERIFY
    assert answer.model_version
    assert answer.policy_version.startswith("default-1+")
    assert answer.server_latency_us > 0
    assert not answer.is_replay_clock


def test_a_store_in_redis_is_served(
    run_server: RunServer,
    request_of: RequestOf,
    own_world: World,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    url = f"{redis_server.url}/?prefix=served"
    backup = tmp_path / "backup"
    with open_store(own_world.store, "read") as reader:
        write_backup(reader, backup, now_us=read_wall_us)
    restore_backup(backup, url)
    places = {
        "store": url,
        "bundle": (str(own_world.shop_bundles),),
        "decisions": tmp_path / "serving",
    }
    with run_server(**places) as server, Client(server.address) as client:
        answer = client.score(request_of())
    assert answer.hint == pb.HINT_VERIFY
    assert not answer.degradations


def test_health_is_serving_for_the_server_and_the_service(client: Client) -> None:
    assert client.is_ready()


def test_a_server_that_is_not_there_is_not_ready() -> None:
    with Client("127.0.0.1:1", timeout_s=1) as nobody:
        assert not nobody.is_ready()


def test_reflection_names_the_service(server: Any) -> None:
    with grpc.insecure_channel(server.address) as channel:
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "hemostat.v1.ScoringService" in services
    assert "grpc.health.v1.Health" in services


def test_metrics_count_calls_and_name_nobody(
    server: Any, client: Client, request_of: RequestOf
) -> None:
    client.score(request_of(customer_id="a-person", request_id="a-request", event_id="an-event"))
    page = _read_metrics(server)
    assert 'hemostat_score_requests_total{call="return",code="OK",hint="APPROVE"}' in page
    assert 'hemostat_score_model_info{tenant="shop",version=' in page
    assert "hemostat_score_stage_seconds_bucket" in page
    assert not any(name in page for name in ("a-person", "a-request", "an-event"))
    families = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
    assert all(family.startswith("hemostat_") for family in families)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"tenant": "nobody"}, "tenant"),
        ({"quantity": 0}, "return_request.quantity"),
        ({"unit_price_minor": -4}, "return_request.unit_price_minor"),
        ({"order_time": "9999-01-01T00:00:00Z"}, "return_request.order_time"),
    ],
)
def test_a_bad_request_is_invalid_argument_and_names_its_field(
    more: dict[str, Any], field: str, client: Client, request_of: RequestOf
) -> None:
    with pytest.raises(CallError) as caught:
        client.score(request_of(**more))
    assert (caught.value.code, caught.value.field) == (Status.INVALID_ARGUMENT, field)
    assert "expected: " in caught.value.message
    assert "fix: " in caught.value.message


def test_a_request_without_case_is_invalid_argument(client: Client) -> None:
    with pytest.raises(CallError) as caught:
        client.score(pb.ScoreRequest(tenant=SHOP))
    assert (caught.value.code, caught.value.field) == (Status.INVALID_ARGUMENT, "case")


def test_a_request_id_used_for_another_case_already_exists(
    client: Client, request_of: RequestOf
) -> None:
    first = client.score(request_of(request_id="same"))
    assert client.score(request_of(request_id="same")) == first
    with pytest.raises(CallError) as caught:
        client.score(request_of(request_id="same", quantity=2))
    assert (caught.value.code, caught.value.field) == (Status.ALREADY_EXISTS, "request_id")


def test_an_outcome_is_recorded_once_for_its_own_tenant(
    client: Client, request_of: RequestOf
) -> None:
    answer = client.score(request_of())
    outcome = pb.RecordOutcomeRequest(
        tenant=SHOP,
        decision_id=answer.decision_id,
        outcome_id="o",
        outcome=pb.OUTCOME_VERIFIED_FAILED,
    )
    assert not client.record_outcome(outcome)
    assert client.record_outcome(outcome)
    outcome.tenant = BAZAAR
    with pytest.raises(CallError) as caught:
        client.record_outcome(outcome)
    assert caught.value.code is Status.NOT_FOUND


def test_a_call_that_is_too_late_ends_at_its_deadline_and_the_next_is_answered(
    server: Any, request_of: RequestOf
) -> None:
    busy = threading.Event()
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        stub.Score(request_of())
        server.loop.call_soon_threadsafe(busy.wait)  # The server can do nothing meanwhile.
        with pytest.raises(grpc.RpcError) as caught:
            stub.Score(request_of(), timeout=0.05)
        busy.set()
        assert stub.Score(request_of(request_id="next")).request_id == "next"
    assert caught.value.code() is Status.DEADLINE_EXCEEDED


def test_cancelled_calls_do_not_disturb_the_others(server: Any, request_of: RequestOf) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = scoring_pb2_grpc.ScoringServiceStub(channel)
        calls = [
            stub.Score.future(request_of(request_id=f"n{n}", customer_id=f"c{n}"))
            for n in range(200)
        ]
        for call in calls[::2]:
            call.cancel()
        for n, call in enumerate(calls):
            if n % 2:
                assert call.result().request_id == f"n{n}"
        assert stub.Score(request_of(request_id="after")).request_id == "after"


def test_a_store_that_fails_degrades_answers_and_shows_in_the_metrics(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    with run_server(
        store=own_world.store, bundle=(str(own_world.shop_bundles),), decisions=tmp_path
    ) as server:
        with Client(server.address) as client:
            assert not client.score(request_of()).degradations
            server.loop.call_soon_threadsafe(server.server.scorer._store.close)
            answer = client.score(request_of())
        page = _read_metrics(server)
    assert list(answer.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert "hemostat_score_store_read_errors_total 1.0" in page
    assert 'hemostat_score_degraded_total{reason="STORE_UNAVAILABLE"} 1.0' in page


def test_a_bug_is_internal_tells_nothing_and_the_next_call_is_answered(
    own_world: World, run_server: RunServer, request_of: RequestOf
) -> None:
    def fail() -> Any:
        raise KeyError("secret")

    with run_server(store=own_world.store, bundle=(str(own_world.shop_bundles),)) as server:
        scorer = server.server.scorer
        get_rules, scorer._get_rules = scorer._get_rules, fail
        with Client(server.address) as client:
            with pytest.raises(CallError) as caught:
                client.score(request_of())
            scorer._get_rules = get_rules
            assert client.score(request_of()).hint == pb.HINT_VERIFY
    assert caught.value.code is Status.INTERNAL
    assert "secret" not in caught.value.message


def _fail_to_start(run_server: RunServer, **settings: Any) -> HemostatError:
    with pytest.raises(HemostatError) as caught, run_server(**settings):
        pass
    return caught.value


@pytest.mark.parametrize("option", ["port", "metrics_port"])
def test_a_port_in_use_is_told_with_its_option(
    option: str, own_world: World, run_server: RunServer, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = _fail_to_start(
            run_server,
            store=own_world.store,
            bundle=(str(own_world.shop_bundles),),
            decisions=tmp_path,
            **{option: port},
        )
    assert isinstance(error, PortInUseError)
    assert error.field == f"--{option.replace('_', '-')}"
    assert str(port) in error.value


def test_an_ipv6_address_can_be_served(
    own_world: World, run_server: RunServer, request_of: RequestOf
) -> None:
    with (
        run_server(
            store=own_world.store, bundle=(str(own_world.shop_bundles),), host="::1"
        ) as server,
        Client(server.address) as client,
    ):
        assert server.address.startswith("[::1]:")
        assert client.score(request_of()).hint == pb.HINT_VERIFY
        assert "hemostat_score_" in _read_metrics(server)


def test_a_host_without_an_address_is_no_taken_port(
    own_world: World, run_server: RunServer
) -> None:
    error = _fail_to_start(
        run_server,
        store=own_world.store,
        bundle=(str(own_world.shop_bundles),),
        host="no-such-host.invalid",
    )
    assert isinstance(error, ConfigError)
    assert error.field == "--host"


def test_what_is_missing_is_told_and_nothing_is_left_open(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    bundle = (str(own_world.shop_bundles),)
    given: dict[str, Any] = {"store": own_world.store, "bundle": bundle, "decisions": tmp_path}
    for change, kind in (
        ({"bundle": (str(tmp_path / "none"),)}, MissingModelError),
        ({"store": tmp_path / "none"}, StoreUnavailableError),
        ({"policy": tmp_path / "none.yaml"}, ConfigError),
        ({"clock": "tomorrow"}, ConfigError),
        ({"prt": 1}, ConfigError),
    ):
        assert isinstance(_fail_to_start(run_server, **{**given, **change}), kind)
    # LMDB refuses to open files twice in a process: all of them were closed.
    with run_server(**given) as server, Client(server.address) as client:
        assert client.score(request_of()).hint == pb.HINT_VERIFY


def test_a_replay_clock_is_told_and_dates_the_features(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    with (
        run_server(
            store=own_world.store,
            bundle=(str(own_world.shop_bundles),),
            decisions=tmp_path,
            clock="log-end",
        ) as server,
        Client(server.address) as client,
    ):
        answer = client.score(request_of())
    assert answer.is_replay_clock
    assert 0 <= answer.evaluated_time.ToMicroseconds() - own_world.applied_us < 60_000_000
    assert answer.freshness.shard_lag_s < 60
