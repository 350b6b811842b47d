"""`hemostat serve` and `hemostat score` as processes: starting, ending, being killed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from google.protobuf import json_format

from benchmarks.serving.world import HONEST, RETURNER, SHOP, World, build_world
from features.log.reader import EventLog
from hemostat.client import CallError, Client
from hemostat.v1 import event_pb2
from hemostat.v1 import scoring_pb2 as pb
from scoring.clock import read_wall_us
from tests.redis_servers import ENABLE, find_redis_server, run_server

HEMOSTAT = [sys.executable, "-m", "hemostat.cli.main"]
RETURN: dict[str, Any] = {
    "tenant": SHOP,
    "customer_id": RETURNER,
    "channel": "CHANNEL_STORE",
    "return_request": {"quantity": 1, "unit_price_minor": 4000, "has_receipt": True},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("world"), read_wall_us())


def _make_request(**more: Any) -> pb.ScoreRequest:
    return json_format.ParseDict({**RETURN, **more}, pb.ScoreRequest())


def _run(words: Sequence[str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*HEMOSTAT, *words], capture_output=True, text=True, check=False, **more)


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.address = str(ready["address"])

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and return exit code and log."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, log


@contextmanager
def _serve(
    world: World, *more: str, port: int = 0, store: str = "", folder: Path | None = None
) -> Iterator[Served]:
    words = [
        "serve", "--json", "--store", store or str(world.store),
        "--bundle", str(world.shop_bundles), "--bundle", str(world.bazaar_bundle),
        "--port", str(port), "--metrics-port", "0", *more,
    ]  # fmt: skip
    process = subprocess.Popen(
        [*HEMOSTAT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 120)
        assert readable, "the server did not become ready"
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Served(process, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def served(world: World) -> Iterator[Served]:
    with _serve(world) as served:
        yield served


def test_the_ready_line_tells_all_that_a_script_needs(served: Served) -> None:
    assert served.ready["tenants"] == ["bazaar", "shop"]
    assert set(served.ready["models"]) == {"bazaar", "shop"}
    assert served.ready["metrics"].startswith("http://127.0.0.1:")
    assert served.ready["pid"] == served.process.pid


def test_a_case_is_shown_as_a_table_in_either_language(served: Served, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text(json.dumps(RETURN), encoding="utf-8")
    words = ["score", str(tmp_path / "case.json"), "--address", served.address]
    english, chinese = _run(words), _run([*words, "--lang", "zh"])
    assert (english.returncode, chinese.returncode) == (0, 0), english.stderr
    assert "VERIFY" in english.stdout
    assert "RETURN_RATE_HIGH" in english.stdout
    assert "Returns a large share of what was ordered" in english.stdout
    assert "退货占比偏高" in chinese.stdout
    for word in ("核实", "老顾客", "首要原因", "核实方法"):
        assert word in chinese.stdout
    for word in ("VERIFY", "strongest reason", "check:"):
        assert word not in chinese.stdout


@pytest.mark.parametrize("form", ["list", "lines"])
def test_several_cases_from_standard_input_give_one_json_document(
    form: str, served: Served
) -> None:
    cases = [RETURN, {**RETURN, "customer_id": HONEST}, {**RETURN, "tenant": "nobody"}]
    text = json.dumps(cases) if form == "list" else "\n".join(json.dumps(c) for c in cases)
    done = _run(["score", "-", "--json", "--address", served.address], input=text)
    assert done.returncode == 0, done.stderr
    flagged, honest, refused = json.loads(done.stdout)["results"]
    assert (flagged["hint"], honest["hint"]) == ("HINT_VERIFY", "HINT_APPROVE")
    assert refused["field"] == "tenant"


@pytest.mark.parametrize(
    ("text", "field", "told"),
    [
        ('{"tenant": "shop",', "line 1", "JSON"),
        ("[]", "CASES", "put a score request"),
        ("[1]", "case 1", "not a JSON object"),
        ('{"tenant": "shop", "chanel": "CHANNEL_WEB"}', "chanel", "did you mean `channel`?"),
        ('{"return_request": {"quantty": 1}}', "return_request.quantty", "`quantity`?"),
        ('{"return_request": {"quantity": "x"}}', "quantity", "wrong type"),
        ('{"return_request": {"quantity": NaN}}', "quantity", "wrong type"),
        ('{"channel": "CHANNEL_SHOP"}', "case 1", "CHANNEL_SHOP"),
        ('{"tenant": "shop"}', "case", "INVALID_ARGUMENT: the request has no case\n"),
        ('{"tenant": "shop"}', "  fix:      set the case to be scored", "value:    none"),
        ("[" * 100_000, "line 1", "nested too deeply"),
        ("1" * 5000, "line 1", "digits"),
    ],
)
def test_a_bad_case_exits_2_and_says_why(text: str, field: str, told: str, served: Served) -> None:
    done = _run(["score", "-", "--address", served.address], input=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert field in done.stderr
    assert told in done.stderr


def test_a_byte_order_mark_before_the_cases_is_no_fault(served: Served, tmp_path: Path) -> None:
    text = "\ufeff" + json.dumps(RETURN)
    (tmp_path / "case.json").write_text(text, encoding="utf-8")
    for path in (str(tmp_path / "case.json"), "-"):
        done = _run(["score", path, "--json", "--address", served.address], input=text)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["hint"] == "HINT_VERIFY"


def test_without_a_server_score_exits_2_and_says_how_to_start_one() -> None:
    words = ["score", "-", "--address", "127.0.0.1:1", "--timeout", "1"]
    done = _run(words, input=json.dumps(RETURN))
    assert done.returncode == 2
    assert "hemostat serve" in done.stderr


def test_a_server_that_cannot_start_exits_2_with_one_json_error(
    served: Served, world: World, tmp_path: Path
) -> None:
    port = served.address.rpartition(":")[2]
    words = ["serve", "--json", "--store", str(world.store), "--metrics-port", "0"]
    words += ["--decisions", str(tmp_path), "--bundle", str(world.shop_bundles)]
    for more, field in (
        (["--port", port], "--port"),
        (["--port", "0", "--clock", "tomorrow"], "clock"),
        (["--port", "0", "--bundle", str(tmp_path)], "bundle"),
    ):
        done = _run([*words, *more])
        assert (done.returncode, done.stdout) == (2, "")
        # Before it there may be a warning that signatures are not asked for.
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert error["field"] == field
        assert error["fix"]


def test_sigterm_ends_calls_in_progress_and_exits_0(world: World) -> None:
    answered: list[pb.ScoreResponse] = []
    failures: list[CallError] = []
    under_way = threading.Event()

    def call_on(address: str) -> None:
        with Client(address, timeout_s=0.2) as client:
            while True:
                try:
                    answered.append(client.score(_make_request()))
                except CallError as error:
                    failures.append(error)
                    return
                if len(answered) == 50:
                    under_way.set()

    with _serve(world) as served:
        caller = threading.Thread(target=call_on, args=(served.address,))
        caller.start()
        assert under_way.wait(60)
        code, log = served.end(signal.SIGTERM)
        caller.join()
    assert code == 0
    # Refused from one moment on, and nothing else: no call was dropped half way.
    assert [error.code.name for error in failures] in (["UNAVAILABLE"], ["DEADLINE_EXCEEDED"])
    events = [json.loads(line)["event"] for line in log.splitlines()]
    unsigned = [event for event in events if "HEMOSTAT_TRUSTED_KEYS" in event]
    assert events == [*unsigned, "stopping"]
    assert not any(RETURNER in line for line in log.splitlines())


def test_a_killed_servers_decisions_and_outcomes_are_there_for_the_next(world: World) -> None:
    outcome = pb.RecordOutcomeRequest(
        tenant=SHOP, outcome_id="o", outcome=pb.OUTCOME_VERIFIED_PASSED
    )
    with _serve(world) as served:
        with Client(served.address) as client:
            first = client.score(_make_request(request_id="kill-me"))
            outcome.decision_id = first.decision_id
            assert not client.record_outcome(outcome)
            last = client.score(_make_request(request_id="just before"))
            os.kill(served.process.pid, signal.SIGKILL)
        served.process.communicate()
    with _serve(world) as served, Client(served.address) as client:
        assert client.record_outcome(outcome)  # Known already.
        assert client.score(_make_request(request_id="kill-me")) == first
        assert client.score(_make_request(request_id="just before")) == last


def _copy_to_redis(world: World, address: str, folder: Path) -> None:
    for words in (
        ["backup", "--store", str(world.store), "--to", str(folder)],
        ["restore", str(folder), "--store", address],
    ):
        done = _run(["store", *words])
        assert done.returncode == 0, done.stderr


def test_a_store_in_redis_is_served_and_answers_go_on_while_it_is_away(
    world: World, tmp_path: Path, skip_optional: Callable[[str, str], NoReturn]
) -> None:
    if find_redis_server() is None:
        skip_optional("a Redis server", ENABLE)
    event = {
        "event_id": "v1", "tenant": SHOP, "customer_id": HONEST, "channel": "CHANNEL_WEB",
        "product_viewed": {"sku": "a"},
    }  # fmt: skip
    viewed = json_format.ParseDict(event, event_pb2.Event())
    viewed.event_time.FromMicroseconds(read_wall_us())
    with run_server(tmp_path / "redis", is_durable=True) as redis:
        address = f"{redis.url}/0?prefix=shop"
        _copy_to_redis(world, address, tmp_path / "backup")
        with (
            _serve(world, store=address, folder=tmp_path) as served,
            Client(served.address) as client,
        ):
            first = client.score(_make_request(request_id="once"))
            assert first.hint == pb.HINT_VERIFY
            (published,) = client.publish_events([viewed])
            assert published.status == pb.PUBLISH_STATUS_ACCEPTED
            redis.kill()
            blind = client.score(_make_request())
            assert list(blind.degradations) == [pb.DEGRADATION_STORE_UNAVAILABLE]
            redis.start()
            while client.score(_make_request()).hint != pb.HINT_VERIFY:
                pass  # The test's own time limit ends this.
            assert served.end(signal.SIGTERM)[0] == 0
        assert len(EventLog(tmp_path / "hemostat-events").read_table()) == 1
        with (
            _serve(world, store=address, folder=tmp_path) as served,
            Client(served.address) as client,
        ):
            assert client.score(_make_request(request_id="once")) == first
    assert (tmp_path / "hemostat-serving").is_dir()


def test_servers_that_share_a_port_share_decisions(world: World) -> None:
    with _serve(world, "--reuse-port") as first:
        port = int(first.address.rpartition(":")[2])
        with _serve(world, "--reuse-port", port=port) as second:
            assert first.address == second.address
            answers = set()
            for _ in range(20):  # A new connection each: the kernel chooses the server.
                with Client(first.address) as client:
                    answer = client.score(_make_request(request_id="shared"))
                    answers.add(answer.SerializeToString(deterministic=True))
            assert len(answers) == 1
            assert second.end(signal.SIGINT)[0] == 0
        with Client(first.address) as client:
            assert client.score(_make_request()).hint == pb.HINT_VERIFY
