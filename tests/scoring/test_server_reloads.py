"""Bundles, policy and store that change while the server runs."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from benchmarks.serving.synthetic import write_bundle
from benchmarks.serving.world import RETURNER, SHOP, World, build_world, plan_shop
from features.errors import UntrustedModelError
from features.model_bundle.signing import read_signing_key, write_key_pair
from hemostat.client import CallError, Client
from hemostat.v1 import scoring_pb2 as pb
from scoring.policy import DEFAULT_POLICY
from training.bundle_writing import sign_bundle

RequestOf = Callable[..., pb.ScoreRequest]
RunServer = Callable[..., Any]
Status = grpc.StatusCode


def _read_metrics(server: Any) -> str:
    with urllib.request.urlopen(server.server.address.metrics) as page:
        return str(page.read().decode())


def test_bundle_and_policy_are_replaced_without_a_failed_call(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_bytes(DEFAULT_POLICY.read_bytes())
    second = write_bundle(own_world.shop_bundles / "v2", SHOP, plan_shop(verify_threshold=0.95))
    seen: list[tuple[str, str]] = []
    failures: list[CallError] = []
    stopping = threading.Event()

    def call_on(address: str) -> None:
        with Client(address) as client:
            while not stopping.is_set():
                try:
                    answer = client.score(request_of())
                except CallError as error:
                    failures.append(error)
                else:
                    seen.append((answer.model_version, answer.policy_version))

    with run_server(
        store=own_world.store,
        bundle=(str(own_world.shop_bundles),),
        policy=policy,
        reload_interval_s=3600,  # The test says when.
    ) as server:
        caller = threading.Thread(target=call_on, args=(server.address,))
        caller.start()
        (own_world.shop_bundles / "next").symlink_to("v2")
        (own_world.shop_bundles / "next").replace(own_world.shop_bundles / "current")
        server.run(server.server.refresh())
        policy.write_text(
            DEFAULT_POLICY.read_text(encoding="utf-8").replace("default-1", "mine-2"),
            encoding="utf-8",
        )
        server.run(server.server.refresh())
        policy.write_text("version: [", encoding="utf-8")
        server.run(server.server.refresh())
        with Client(server.address) as client:
            last = client.score(request_of(customer_id=RETURNER))
        stopping.set()
        caller.join()
        page = _read_metrics(server)
    assert failures == []
    assert second.startswith(last.model_version)
    assert last.hint == pb.HINT_APPROVE  # 0.9 is below the new threshold.
    assert last.policy_version.startswith("mine-2+")
    assert len(set(seen)) >= 1
    assert 'hemostat_score_reloads_total{result="loaded",what="bundle"} 1.0' in page
    assert 'hemostat_score_reloads_total{result="refused",what="policy"} 1.0' in page


def test_a_bundle_that_nobody_trusted_signed_is_not_taken_over_until_it_is_signed(
    own_world: World,
    run_server: RunServer,
    tmp_path: Path,
    request_of: RequestOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, public, _ = write_key_pair(tmp_path / "keys", "trainer")
    key = read_signing_key(private)
    sign_bundle(own_world.shop_bundles, key)
    second = write_bundle(own_world.shop_bundles / "v2", SHOP, plan_shop(verify_threshold=0.95))
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", str(public))
    with (
        run_server(
            store=own_world.store,
            bundle=(str(own_world.shop_bundles),),
            reload_interval_s=3600,
        ) as server,
        Client(server.address) as client,
    ):
        first = client.score(request_of(request_id="before")).model_version
        (own_world.shop_bundles / "next").symlink_to("v2")
        (own_world.shop_bundles / "next").replace(own_world.shop_bundles / "current")
        server.run(server.server.refresh())
        kept = client.score(request_of(request_id="unsigned")).model_version
        page = _read_metrics(server)
        sign_bundle(own_world.shop_bundles / "v2", key)
        server.run(server.server.refresh())
        last = client.score(request_of(request_id="signed")).model_version
    assert kept == first
    assert 'hemostat_score_reloads_total{result="refused",what="bundle"} 1.0' in page
    assert second.startswith(last)


def test_a_server_does_not_start_on_a_bundle_that_nobody_trusted_signed(
    own_world: World, run_server: RunServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, public, _ = write_key_pair(tmp_path / "keys", "trainer")
    monkeypatch.setenv("HEMOSTAT_TRUSTED_KEYS", str(public))
    with (
        pytest.raises(UntrustedModelError, match="no signature"),
        run_server(store=own_world.store, bundle=(str(own_world.shop_bundles),)),
    ):
        pass


@pytest.mark.parametrize("typo", ["2026-99-99: x", "[" * 100_000])
def test_a_typing_error_in_the_policy_is_refused_and_the_mended_file_is_taken_over(
    typo: str, own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    policy = tmp_path / "policy.yaml"
    good = DEFAULT_POLICY.read_text(encoding="utf-8")
    policy.write_text(good, encoding="utf-8")
    with run_server(
        store=own_world.store,
        bundle=(str(own_world.shop_bundles),),
        policy=policy,
        reload_interval_s=3600,
    ) as server:
        policy.write_text(typo, encoding="utf-8")
        server.run(server.server.refresh())
        policy.write_text(good.replace("default-1", "mended-2"), encoding="utf-8")
        server.run(server.server.refresh())
        with Client(server.address) as client:
            answer = client.score(request_of())
        page = _read_metrics(server)
    assert answer.policy_version.startswith("mended-2+")
    assert 'hemostat_score_reloads_total{result="refused",what="policy"} 1.0' in page


def test_a_reload_that_fails_is_tried_again_and_stopping_still_closes_everything(
    own_world: World, run_server: RunServer, request_of: RequestOf
) -> None:
    tried = threading.Semaphore(0)

    async def fail() -> None:
        tried.release()
        raise KeyError("a bug")

    with run_server(
        store=own_world.store, bundle=(str(own_world.shop_bundles),), reload_interval_s=0.01
    ) as server:
        server.server.refresh = fail
        assert tried.acquire(timeout=30)
        assert tried.acquire(timeout=30)
        with Client(server.address) as client:
            kept = client.score(request_of(request_id="kept"))
    # LMDB refuses to open files twice in a process: the first server has closed them.
    with (
        run_server(store=own_world.store, bundle=(str(own_world.shop_bundles),)) as server,
        Client(server.address) as client,
    ):
        assert client.score(request_of(request_id="kept")) == kept


def test_a_store_that_was_removed_degrades_answers_and_the_next_one_is_taken_over(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    later = build_world(tmp_path / "later", own_world.applied_us + 1)
    with (
        run_server(
            store=own_world.store,
            bundle=(str(own_world.shop_bundles),),
            decisions=tmp_path / "decisions",
            reload_interval_s=3600,
        ) as server,
        Client(server.address) as client,
    ):
        first = client.score(request_of())
        own_world.store.rename(tmp_path / "gone")
        server.run(server.server.refresh())
        server.run(server.server.refresh())  # Told and counted once.
        without = client.score(request_of())
        page = _read_metrics(server)
        later.store.rename(own_world.store)
        server.run(server.server.refresh())
        again = client.score(request_of())
    assert (list(first.degradations), first.hint) == ([], pb.HINT_VERIFY)
    assert list(without.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
    assert 'hemostat_score_reloads_total{result="refused",what="store"} 1.0' in page
    assert (list(again.degradations), again.hint) == ([], pb.HINT_VERIFY)


def test_a_store_that_was_replaced_is_read_from_then_on(
    own_world: World, run_server: RunServer, tmp_path: Path, request_of: RequestOf
) -> None:
    later = build_world(tmp_path / "later", own_world.applied_us - 3_600_000_000)
    with (
        run_server(
            store=own_world.store,
            bundle=(str(own_world.shop_bundles),),
            decisions=tmp_path / "decisions",
            reload_interval_s=3600,
        ) as server,
        Client(server.address) as client,
    ):
        first = client.score(request_of())
        own_world.store.rename(tmp_path / "old")
        later.store.rename(own_world.store)
        server.run(server.server.refresh())
        second = client.score(request_of())
        page = _read_metrics(server)
    assert second.freshness.shard_lag_s - first.freshness.shard_lag_s > 3500
    assert 'hemostat_score_reloads_total{result="loaded",what="store"} 1.0' in page
