"""Silent audits: a lot nobody can foresee, the right share of cases, and nothing else changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.serving.world import SHOP
from features.errors import StoreUnavailableError
from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.audit_draw import Audit, draw_audit
from scoring.policy import Policy, load_policy
from scoring.replay import replay
from scoring.rules import Rules
from tests.scoring.scorer_bench import Bench

RequestOf = Callable[..., pb.ScoreRequest]
KEY = bytes(range(32))


def _policy(share_bp: int) -> Policy:
    return replace(load_policy(), audit_share_bp=share_bp)


def _draw(
    name: str,
    policy: Policy,
    key: bytes = KEY,
    call: Call = Call.RETURN,
    hint: pb.Hint = pb.HINT_APPROVE,
) -> Audit:
    return draw_audit(key, SHOP, name, call, hint, policy)


@pytest.mark.parametrize("share_bp", [100, 2000])
def test_the_share_of_cases_is_the_policys(share_bp: int) -> None:
    policy = _policy(share_bp)
    n_drawn = sum(_draw(f"e{number}", policy).is_drawn for number in range(20_000))
    share = share_bp / 10_000
    # Four standard errors of a lot: the ids are fixed, so this holds or does not, always.
    assert abs(n_drawn / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5
    assert _draw("e1", policy).propensity == share


def test_another_secret_and_another_tenant_draw_others() -> None:
    policy, names = _policy(1000), [f"e{number}" for number in range(2_000)]
    mine = {name for name in names if _draw(name, policy).is_drawn}
    others = {name for name in names if _draw(name, policy, bytes(32)).is_drawn}
    theirs = {
        name
        for name in names
        if draw_audit(KEY, "bazaar", name, Call.RETURN, pb.HINT_APPROVE, policy).is_drawn
    }
    for drawn in (others, theirs):  # Of 200 each, 20 are the same by chance.
        assert 2 < len(mine & drawn) < 60


def test_a_greater_share_draws_the_same_cases_and_more() -> None:
    few, many = _policy(500), _policy(2000)
    names = [name for name in map(str, range(2_000)) if _draw(name, few).is_drawn]
    assert names
    assert all(_draw(name, many).is_drawn for name in names)


def test_who_takes_no_part_has_no_chance() -> None:
    policy = _policy(2000)
    name = next(name for name in map(str, range(99)) if _draw(name, policy).is_drawn)
    nothing = Audit(is_drawn=False, propensity=None)
    assert _draw(name, policy, call=Call.CANCELLATION).propensity == 0.2
    assert _draw(name, policy, call=Call.ORDER) == nothing
    assert _draw("", policy) == nothing
    assert _draw(name, _policy(0)) == nothing
    assert _draw(name, policy, hint=pb.HINT_VERIFY) == Audit(is_drawn=False, propensity=0.0)


def _with_share(rules: Rules, share_bp: int) -> Rules:
    return replace(rules, policy=replace(rules.policy, audit_share_bp=share_bp))


def test_an_audit_changes_nothing_that_anybody_is_shown(
    bench: Bench, request_of: RequestOf, rules: Rules
) -> None:
    answers = {}
    for share_bp in (0, 10_000):
        bench.rules = _with_share(rules, share_bp)
        request = request_of(customer_id="honest", event_id="e1", request_id=f"r{share_bp}")
        answers[share_bp] = bench.score(request)
    plain, audited = answers[0], answers[10_000]
    assert audited.hint == pb.HINT_APPROVE
    assert (plain.is_audit, audited.is_audit) == (False, True)
    for answer in (plain, audited):
        for name in ("decision_id", "request_id", "is_audit", "server_latency_us"):
            answer.ClearField(name)
    assert audited == plain
    assert "audit" not in str(audited).lower()


def test_a_verified_case_is_never_audited_and_an_audit_replays(
    bench: Bench, request_of: RequestOf, rules: Rules
) -> None:
    bench.rules = _with_share(rules, 2000)
    n_audits = 0
    for number in range(40):
        for customer in ({}, {"customer_id": "honest"}):
            request = request_of(event_id=f"e{number}", quantity=1 + number % 3, **customer)
            answer = bench.score(request)
            record = bench.log.read(SHOP, answer.decision_id)
            assert record is not None
            assert record.event_id == f"e{number}"
            is_verified = answer.hint == pb.HINT_VERIFY
            assert record.audit_propensity == (0.0 if is_verified else 0.2)
            assert not record.HasField("verify_propensity")
            assert not (is_verified and answer.is_audit)
            again = replay(record, bench.models[SHOP], bench.rules, bench.log.audit_key)
            assert again.SerializeToString() == answer.SerializeToString()
            n_audits += answer.is_audit
    assert 1 <= n_audits <= 20


def test_asking_again_about_a_case_does_not_draw_again(
    bench: Bench, request_of: RequestOf, rules: Rules
) -> None:
    bench.rules = _with_share(rules, 2000)
    for number in range(12):
        answers = [
            bench.score(request_of(customer_id="honest", event_id=f"e{number}", request_id=name))
            for name in (f"a{number}", f"b{number}")
        ]
        assert answers[0].decision_id != answers[1].decision_id
        assert answers[0].is_audit == answers[1].is_audit


def test_without_a_log_nothing_is_audited(
    bench: Bench, request_of: RequestOf, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_items: object) -> None:
        raise StoreUnavailableError("the disk is full")

    bench.rules = _with_share(rules, 10_000)
    monkeypatch.setattr(bench.serving, "put_new", fail)
    answer = bench.score(request_of(customer_id="honest", event_id="e1"))
    assert pb.DEGRADATION_DECISION_LOG_UNAVAILABLE in answer.degradations
    assert not answer.is_audit
