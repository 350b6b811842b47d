"""Who is let in, and who is answered together.

Whatever waits when the scorer is free is answered together, up to a bound: an
idle server answers each call at once, a busy one shares store read and model run,
and no timer ever holds a call back. A call that cannot be answered inside its
deadline is turned away when it comes, which costs nobody time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from features.errors import DeadlineError, HemostatError, OverloadedError
from hemostat.v1 import scoring_pb2 as pb
from scoring.cases import Case
from scoring.metrics import ScoringMetrics
from scoring.scorer import Result

# A guess until the first calls were measured; then their running mean.
_FIRST_COST_S = 0.0003
_COST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A case that waits.

    Attributes:
        case: What to score.
        answer: Where its caller waits; done if the caller has gone.
        deadline_s: By the loop's clock.
    """

    case: Case
    answer: asyncio.Future[Result]
    deadline_s: float


class Admission:
    """The queue in front of the scorer. All on one event loop.

    Args:
        score: Answers some cases together; does not wait.
        metrics: Where waiting and rejected cases are counted.
        max_waiting_rows: Rows of the model that may wait; more are turned away.
        max_batch_rows: Rows that are answered together. A single call behind a large
            batch waits for so many at most.
    """

    def __init__(
        self,
        score: Callable[[Sequence[Case]], list[Result]],
        metrics: ScoringMetrics,
        *,
        max_waiting_rows: int,
        max_batch_rows: int,
    ) -> None:
        self._score = score
        self._metrics = metrics
        self._max_waiting_rows = max_waiting_rows
        self._max_batch_rows = max_batch_rows
        self._calls: deque[_Waiting] = deque()  # `Score`: go first
        self._batches: deque[_Waiting] = deque()  # `ScoreBatch`
        self._call_rows = 0
        self._batch_rows = 0
        self._cost_s = _FIRST_COST_S
        self._is_drain_planned = False

    async def submit(self, case: Case, deadline_s: float) -> Result:
        """Return the answer to a single call; see `submit_batch`."""
        self._check_admitted(self._call_rows, case.n_rows, deadline_s)
        waiting = self._enqueue(self._calls, case, deadline_s)
        self._call_rows += case.n_rows
        return await waiting.answer

    async def submit_batch(
        self, cases: Sequence[Case], deadline_s: float
    ) -> list[Result | Exception]:
        """Return the answers to some cases, in their order; a bug that one met is its own.

        Args:
            cases: At least one.
            deadline_s: When the caller stops waiting, by the loop's clock.

        Raises:
            OverloadedError: It cannot be answered in time, or is larger than what may
                wait at all; nothing was begun.
            DeadlineError: The time ran out while it waited.
        """
        n_rows = sum(case.n_rows for case in cases)
        self.check_batch_rows(n_rows)
        self._check_admitted(self._call_rows + self._batch_rows, n_rows, deadline_s)
        waiting = [self._enqueue(self._batches, case, deadline_s) for case in cases]
        self._batch_rows += n_rows
        answers = await asyncio.gather(*(one.answer for one in waiting), return_exceptions=True)
        results: list[Result | Exception] = []
        for answer in answers:
            if isinstance(answer, DeadlineError) or not isinstance(answer, Result | Exception):
                raise answer
            results.append(answer)
        return results

    def check_batch_rows(self, n_rows: int) -> None:
        """Refuse a batch that would keep the server from all others, however idle it is.

        Raises:
            OverloadedError: It has more rows than may wait.
        """
        if n_rows > self._max_waiting_rows:
            self._metrics.rejected.labels("batch_rows").inc()
            raise OverloadedError(
                "the batch is too large for this server; nothing was done",
                field="requests",
                value=f"{n_rows} rows: one per case, and one per order line that is scored",
                expectation=f"at most {self._max_waiting_rows} rows (max_waiting_rows)",
                fix="split the batch",
            )

    def _check_admitted(self, rows_before: int, n_rows: int, deadline_s: float) -> None:
        left_s = deadline_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            self._metrics.rejected.labels("deadline").inc()
            raise _describe_deadline()
        needed_s = (rows_before + n_rows) * self._cost_s
        is_full = self._call_rows + self._batch_rows + n_rows > self._max_waiting_rows
        # An empty queue always takes one more: the estimate may be wrong.
        if rows_before and (is_full or needed_s > left_s):
            self._metrics.rejected.labels("overload").inc()
            raise OverloadedError(
                "the server is busy and would answer too late; nothing was done",
                field="deadline",
                value=f"{left_s * 1e3:.0f} ms left",
                expectation=f"about {needed_s * 1e3:.0f} ms",
                fix="try again with a longer deadline or a little later, or add a server",
            )

    def _enqueue(self, queue: deque[_Waiting], case: Case, deadline_s: float) -> _Waiting:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(case, loop.create_future(), deadline_s)
        queue.append(waiting)
        self._plan_drain(loop)
        return waiting

    def _plan_drain(self, loop: asyncio.AbstractEventLoop) -> None:
        # Runs after everything that is ready now, so calls that came together go together.
        if not self._is_drain_planned:
            self._is_drain_planned = True
            loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Answer what waits, up to the bound; leave the rest for the next turn of the loop."""
        self._is_drain_planned = False
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        batch = self._take(now_s)
        if batch:
            results = self._score_each([waiting.case for waiting in batch])
            for waiting, result in zip(batch, results, strict=True):
                _settle(waiting.answer, result)
            n_rows = sum(waiting.case.n_rows for waiting in batch)
            self._cost_s += _COST_WEIGHT * ((loop.time() - now_s) / n_rows - self._cost_s)
            self._metrics.batch_cases.observe(len(batch))
        self._metrics.waiting_cases.set(len(self._calls) + len(self._batches))
        if self._calls or self._batches:
            self._plan_drain(loop)

    def _score_each(self, cases: Sequence[Case]) -> Sequence[Result | Exception]:
        """Return what becomes of each case: the fault of one does not take the others."""
        try:
            return self._score(cases)
        except Exception as error:  # noqa: BLE001  # Handed to its caller, who logs it.
            if len(cases) == 1:
                return [error]
            # Nothing was answered, and what was logged is found again by its request id.
            return [self._score_each([case])[0] for case in cases]

    def _take(self, now_s: float) -> list[_Waiting]:
        """Take what is answered next: single calls first, at least one case."""
        taken: list[_Waiting] = []
        n_rows = 0
        for queue in (self._calls, self._batches):
            while queue and (not taken or n_rows + queue[0].case.n_rows <= self._max_batch_rows):
                waiting = queue.popleft()
                if queue is self._calls:
                    self._call_rows -= waiting.case.n_rows
                else:
                    self._batch_rows -= waiting.case.n_rows
                if waiting.answer.done():  # Its caller has gone.
                    continue
                if waiting.deadline_s <= now_s:
                    self._metrics.rejected.labels("deadline").inc()
                    waiting.answer.set_exception(_describe_deadline())
                    continue
                taken.append(waiting)
                n_rows += waiting.case.n_rows
        return taken


def _settle(answer: asyncio.Future[Result], result: Result | Exception) -> None:
    """Hand over a result; errors that the caller can mend are results, too."""
    if answer.done():
        return
    if isinstance(result, pb.ScoreResponse | HemostatError):
        answer.set_result(result)
    else:
        answer.set_exception(result)


def _describe_deadline() -> HemostatError:
    return DeadlineError(
        "the call's time ran out before it was scored; nothing was done",
        field="deadline",
        expectation="a deadline of some milliseconds at least",
        fix="set a longer deadline, or add a server",
    )
