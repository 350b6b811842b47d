"""The queue in front of the scorer: shared runs, deadlines, overload, callers that go away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from features.errors import DeadlineError, OverloadedError
from features.request_rows import Call
from hemostat.v1 import scoring_pb2 as pb
from scoring.admission import Admission
from scoring.cases import Case
from scoring.metrics import ScoringMetrics
from scoring.scorer import Result


def _make_case(name: str, n_rows: int = 1) -> Case:
    return Case("shop", name, b"", Call.RETURN, (), b"", ("l",) * (n_rows - 1), 0, None, 0.0)


class Recorder:
    """Answers each case with its own request id and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, cases: Sequence[Case]) -> list[Result]:
        self.batches.append([case.request_id for case in cases])
        if "bug" in self.batches[-1]:
            raise KeyError("bug")
        return [pb.ScoreResponse(request_id=case.request_id) for case in cases]


def _run(
    use: Callable[[Admission, float], Awaitable[None]], recorder: Recorder, **limits: int
) -> ScoringMetrics:
    metrics = ScoringMetrics()

    async def run() -> None:
        admission = Admission(
            recorder, metrics, **{"max_waiting_rows": 100, "max_batch_rows": 8, **limits}
        )
        await use(admission, asyncio.get_running_loop().time() + 10)

    asyncio.run(run())
    return metrics


def test_a_call_alone_is_answered_alone_and_calls_that_came_together_go_together() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        await admission.submit(_make_case("a"), later)
        answers = await asyncio.gather(
            *(admission.submit(_make_case(name), later) for name in "bcd")
        )
        assert [a.request_id for a in answers if isinstance(a, pb.ScoreResponse)] == [*"bcd"]

    _run(use, recorder)
    assert recorder.batches == [["a"], ["b", "c", "d"]]


def test_a_run_is_bounded_by_rows_but_takes_at_least_one_case() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        cases = [_make_case("a", 3), _make_case("b", 4), _make_case("c", 2), _make_case("d", 20)]
        await asyncio.gather(*(admission.submit(case, later) for case in cases))

    _run(use, recorder)
    assert recorder.batches == [["a", "b"], ["c"], ["d"]]


def test_single_calls_go_before_a_large_batch() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        batch = asyncio.create_task(
            admission.submit_batch([_make_case(f"b{n}") for n in range(20)], later)
        )
        await asyncio.sleep(0)
        await admission.submit(_make_case("call"), later)
        answers = await batch
        names = [a.request_id for a in answers if isinstance(a, pb.ScoreResponse)]
        assert names == [f"b{n}" for n in range(20)]

    _run(use, recorder)
    assert len(recorder.batches[0]) <= 8
    assert any("call" in batch for batch in recorder.batches[:2])


def test_a_caller_that_went_away_disturbs_nobody() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        tasks = [asyncio.create_task(admission.submit(_make_case(n), later)) for n in "abc"]
        await asyncio.sleep(0)  # All wait now; nothing has run yet.
        tasks[1].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[1], asyncio.CancelledError)
        assert [r.request_id for r in results if isinstance(r, pb.ScoreResponse)] == ["a", "c"]

    _run(use, recorder)
    assert recorder.batches == [["a", "c"]]


def test_a_call_whose_time_is_up_is_refused_when_it_comes() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        with pytest.raises(DeadlineError):
            await admission.submit(_make_case("a"), later - 10)
        with pytest.raises(DeadlineError):
            await admission.submit_batch([_make_case("b")], later - 10)

    metrics = _run(use, recorder)
    assert recorder.batches == []
    assert (
        metrics.registry.get_sample_value("hemostat_score_rejected_total", {"reason": "deadline"})
        == 2.0
    )


def test_a_call_that_would_be_answered_too_late_is_turned_away_at_once() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        now = later - 10
        waiting = asyncio.create_task(admission.submit(_make_case("first", 90), later))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as caught:
            await admission.submit(_make_case("hasty"), now + 0.01)
        assert "ms" in caught.value.expectation
        await waiting

    _run(use, recorder)
    assert recorder.batches == [["first"]]


def test_a_full_queue_turns_calls_away_but_an_empty_one_takes_any_order() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        huge = asyncio.create_task(admission.submit(_make_case("huge", 150), later))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await admission.submit(_make_case("more"), later)
        await huge

    _run(use, recorder)
    assert recorder.batches == [["huge"]]


def test_a_batch_larger_than_the_queue_is_refused_however_idle_the_server_is() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        with pytest.raises(OverloadedError) as caught:
            await admission.submit_batch([_make_case("a", 60), _make_case("b", 41)], later)
        assert "101 rows" in caught.value.value
        assert "max_waiting_rows" in caught.value.expectation
        assert caught.value.fix == "split the batch"
        assert len(await admission.submit_batch([_make_case("c", 60)], later)) == 1

    _run(use, recorder)
    assert recorder.batches == [["c"]]


def test_a_bug_fails_its_own_case_and_neither_those_beside_it_nor_its_batch() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        batch = [_make_case(name) for name in ("a", "bug", "b")]
        results, call = await asyncio.gather(
            admission.submit_batch(batch, later), admission.submit(_make_case("call"), later)
        )
        assert [type(result) for result in results] == [
            pb.ScoreResponse, KeyError, pb.ScoreResponse,
        ]  # fmt: skip
        assert isinstance(call, pb.ScoreResponse)

    _run(use, recorder)


def test_a_bug_for_a_caller_that_went_away_disturbs_nobody() -> None:
    class Leaver(Recorder):
        """Its caller goes away while it works."""

        def __call__(self, cases: Sequence[Case]) -> list[Result]:
            tasks[0].cancel()
            return super().__call__(cases)

    tasks: list[asyncio.Task[Result]] = []

    async def use(admission: Admission, later: float) -> None:
        tasks[:] = [
            asyncio.create_task(admission.submit(_make_case(n), later)) for n in ("bug", "a")
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert isinstance(results[1], pb.ScoreResponse)

    _run(use, Leaver())


def test_a_bug_fails_the_calls_of_its_run_and_the_next_are_answered() -> None:
    recorder = Recorder()

    async def use(admission: Admission, later: float) -> None:
        with pytest.raises(KeyError):
            await admission.submit(_make_case("bug"), later)
        await admission.submit(_make_case("fine"), later)

    _run(use, recorder)
    assert recorder.batches == [["bug"], ["fine"]]
