"""`hemostat demo`: events in, scores out, with the same commands a user would type."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.errors import ConfigError, HemostatError
from hemostat.cli.output import Column, JsonOption, Output, Table

if TYPE_CHECKING:
    from hemostat.cli.demo_cases import DemoCase
    from hemostat.client import Client
    from hemostat.v1 import scoring_pb2

app = typer.Typer(name=None)

_READY_TIMEOUT_S = 120
_STOP_TIMEOUT_S = 30
_N_WARM_UP = 5
_SHORT_TARGETS = {"return_or_cancel_30d": "back in 30 d"}
_SHORT_CALLS = {"cancellation": "cancel"}
_N_SHOWN = {"order": 4, "cancellation": 4, "return": 8}


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """One case with its answer; a target without a head for the call is not named."""

    call: str
    case: str
    truth: str
    probabilities: dict[str, float]
    hint: str
    shadow_hint: str
    reasons: tuple[str, ...]
    budget_minor: int
    budget_limit: str
    abuse_source: str
    margin_source: str
    latency_ms: float


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo did."""

    workspace: str
    data: str
    tenant: str
    cut: datetime
    seconds: float
    cases: tuple[ScoredCase, ...]


@app.command("demo")
def run_demo(
    data: Annotated[
        Path | None,
        typer.Option(help="UCI Online Retail (file or folder); without it, events are simulated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to keep everything in; without it, a temporary one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the simulation and the training.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Simulate or import events, stream them, train, serve, and score live cases over gRPC."""
    output = Output(as_json)
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit_in_order)
    with _open_workspace(out) as workspace:
        demo = _Demo(workspace, output, seed)
        log = demo.make_log(data)
        cut = demo.find_cut(log)
        demo.run("stream", str(log), "--store", str(workspace / "store"), "--until", _format(cut))
        demo.train(log, data)
        cases = demo.serve_and_score(log, cut)
        result = DemoResult(
            workspace=str(workspace) if out else "(temporary)",
            data=str(data) if data else "simulated",
            tenant=demo.tenant,
            cut=cut,
            seconds=time.monotonic() - started,
            cases=tuple(cases),
        )
    output.show(result, [_draw(result)], text=_tell_next(result, out))


def _exit_in_order(number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C does: the server stopped, the temporary folder removed."""
    sys.exit(128 + number)


@contextmanager
def _open_workspace(out: Path | None) -> Iterator[Path]:
    """Yield an empty folder; a temporary one is removed at the end."""
    if out is not None:
        if out.exists() and any(out.iterdir()):
            raise ConfigError(
                "the folder is not empty",
                field="--out",
                value=str(out),
                expectation="a new or empty folder",
                fix="name another one, or remove it first",
            )
        out.mkdir(parents=True, exist_ok=True)
        yield out
        return
    folder = Path(tempfile.mkdtemp(prefix="hemostat-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Demo:
    """The demo's steps, each one a command that a user could type."""

    def __init__(self, workspace: Path, output: Output, seed: int) -> None:
        self.workspace = workspace
        self.output = output
        self.seed = seed
        self.tenant = "demo"

    def run(self, *words: str) -> None:
        """Run one command of hemostat and show it with its output."""
        shown = " ".join(words).replace(str(self.workspace), "DEMO")
        self.output.note(f"\n$ hemostat {shown}")
        # With --json, stdout is the result's alone: a step's own tables go to nobody.
        quiet = subprocess.DEVNULL if self.output.as_json else None
        done = subprocess.run(_command(words), stdout=quiet, check=False)  # noqa: S603 - our own
        if done.returncode:
            raise HemostatError(
                "a step of the demo failed; its message stands above",
                field="step",
                value=words[0],
                expectation="exit code 0",
                fix=f"run `hemostat {' '.join(words)}` alone",
            )

    def make_log(self, data: Path | None) -> Path:
        """Simulate events; with data, import them, too (the simulated abuse labels are needed)."""
        simulated = self.workspace / "simulated"
        self.run("simulate", str(simulated), "--seed", str(self.seed), "--tenant", "demo")
        if data is None:
            return simulated
        imported = self.workspace / "log"
        self.tenant = "online_retail"
        self.run("import", "online-retail", str(data), str(imported), "--tenant", self.tenant)
        return imported

    def find_cut(self, log: Path) -> datetime:
        """Return the time up to which the demo has lived: later events are live cases."""
        from features.log.reader import EventLog
        from hemostat.cli.demo_cases import choose_cut

        return choose_cut(EventLog(log))

    def train(self, log: Path, data: Path | None) -> None:
        """Train the tenant's bundle; where it knows no abuse, that head comes from simulation."""
        more = ["--abuse-from", str(self.workspace / "simulated")] if data else []
        bundles = str(self.workspace / "bundles")
        words = ["train", str(log), "--out", bundles, "--tenant", self.tenant]
        self.run(*words, "--seed", str(self.seed), *more)

    def serve_and_score(self, log: Path, cut: datetime) -> list[ScoredCase]:
        """Start the scorer, score the cases that came after the cut, stop it cleanly."""
        from features.log.reader import EventLog
        from hemostat.cli.demo_cases import choose_cases

        cases = choose_cases(EventLog(log), log, cut)
        from hemostat.client import Client

        with self._serve(cut) as address, Client(address) as client:
            for case in cases[:_N_WARM_UP]:  # Connecting is not part of a call's latency.
                _score(client, case)
            return [_score(client, case) for case in cases]

    @contextmanager
    def _serve(self, cut: datetime) -> Iterator[str]:
        ready = self.workspace / "ready.json"
        words = [
            "serve", "--store", str(self.workspace / "store"),
            "--bundle", str(self.workspace / "bundles"),
            "--decisions", str(self.workspace / "serving"),
            "--port", "0", "--metrics-port", "0",
            "--clock", f"replay:{_format(cut)}", "--ready-file", str(ready),
        ]  # fmt: skip
        shown = " ".join(words).replace(str(self.workspace), "DEMO")
        self.output.note(f"\n$ hemostat {shown} &")
        with (self.workspace / "serve.log").open("wb") as log:
            server = subprocess.Popen(_command(words), stdout=log, stderr=log)  # noqa: S603 - ours
        try:
            yield _wait_until_ready(server, ready, self.workspace / "serve.log")
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            self.output.note(f"server stopped, exit code {server.returncode}")


def _command(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "hemostat.cli.main", *words]


def _format(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _wait_until_ready(server: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    """Return the server's address once it has written its ready file."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while server.poll() is None and time.monotonic() < deadline:
        if ready.exists():
            return str(json.loads(ready.read_text())["address"])
        time.sleep(0.05)
    raise HemostatError(
        "the server did not become ready",
        field="serve",
        value=log.read_text(errors="replace")[-2_000:],
        expectation=f"ready within {_READY_TIMEOUT_S} s",
        fix="see the message above",
    )


def _score(client: Client, case: DemoCase) -> ScoredCase:
    from hemostat.v1 import scoring_pb2

    start = time.perf_counter()
    answer = client.score(case.request)
    latency_ms = (time.perf_counter() - start) * 1e3
    return ScoredCase(
        call=case.call,
        case=case.summary,
        truth=case.truth,
        probabilities=_collect_probabilities(answer),
        hint=_name(scoring_pb2.Hint, answer.hint, "HINT_"),
        shadow_hint=_name(scoring_pb2.Hint, answer.shadow_hint, "HINT_"),
        reasons=tuple(reason.code for reason in answer.reasons),
        budget_minor=answer.budget.amount_minor,
        budget_limit=_name(scoring_pb2.BudgetLimit, answer.budget.limit, "BUDGET_LIMIT_"),
        abuse_source=_name(scoring_pb2.LabelSource, answer.abuse_source, "LABEL_SOURCE_"),
        margin_source=_name(
            scoring_pb2.MarginSource, answer.budget.margin_source, "MARGIN_SOURCE_"
        ),
        latency_ms=latency_ms,
    )


def _name(enum: Any, number: int, prefix: str) -> str:
    return str(enum.Name(number)).removeprefix(prefix)


def _collect_probabilities(answer: scoring_pb2.ScoreResponse) -> dict[str, float]:
    """Return the probability per target; of a head per line, the greatest."""
    from hemostat.v1 import scoring_pb2

    found: dict[str, float] = {}
    for head in answer.heads:
        name = scoring_pb2.Target.Name(head.target).removeprefix("TARGET_").lower()
        found[name] = max(found.get(name, 0.0), head.probability)
    return found


def _pick_shown(cases: Sequence[ScoredCase]) -> list[ScoredCase]:
    """Return, per call, the cases of greatest risk and as many of the first others."""
    shown: list[ScoredCase] = []
    for call, n_shown in _N_SHOWN.items():
        of_call = [case for case in cases if case.call == call]
        by_risk = sorted(of_call, key=_risk, reverse=True)[: n_shown // 2]
        others = [case for case in of_call if case not in by_risk][: n_shown - len(by_risk)]
        shown += [*by_risk, *others]
    return shown


def _risk(case: ScoredCase) -> float:
    """Return P(abuse) where that is asked, else the greatest probability."""
    greatest = max(case.probabilities.values(), default=0.0)
    return case.probabilities.get("abuse", greatest) if case.call == "return" else greatest


def _draw(result: DemoResult) -> Table:
    cases = _pick_shown(result.cases)
    targets = sorted({name for case in cases for name in case.probabilities})
    has_truth = any(case.truth for case in cases)
    has_shadow = any(case.shadow_hint != "UNSPECIFIED" for case in cases)
    columns = [Column("call"), Column("case"), *([Column("truth")] if has_truth else [])]
    columns += [Column(f"P({_SHORT_TARGETS.get(n, n)})", justify="right") for n in targets]
    columns += [Column("hint"), *([Column("shadow")] if has_shadow else []), Column("why")]
    columns += [Column("budget", justify="right"), Column("ms", justify="right")]
    rows = []
    for case in cases:
        cells = [_SHORT_CALLS.get(case.call, case.call), case.case]
        cells += [case.truth] if has_truth else []
        cells += [_format_probability(case.probabilities.get(name)) for name in targets]
        cells += [case.hint, *([case.shadow_hint] if has_shadow else [])]
        cells += [_shorten_reason(case.reasons[0]) if case.reasons else ""]
        cells += [f"{case.budget_minor / 100:,.0f}", f"{case.latency_ms:.1f}"]
        rows.append(tuple(cells))
    return Table(
        title=f"Live cases of {result.tenant} as of {result.cut:%Y-%m-%d %H:%M} UTC",
        columns=tuple(columns),
        rows=tuple(rows),
        caption="Per call: the greatest risks, then the first others. -: no such head.",
    )


def _summarise_scores(result: DemoResult) -> list[str]:
    """Return what all the scored cases came to, shown or not."""
    latencies = sorted(case.latency_ms for case in result.cases)
    p50, p99 = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)]
    flagged = [case for case in result.cases if "VERIFY" in (case.hint, case.shadow_hint)]
    speed = f"{len(result.cases)} cases scored over gRPC, one at a time"
    verify = f"VERIFY: {len(flagged)} of them"
    if any(case.truth for case in result.cases):
        n_abuse = sum(case.truth != "honest" for case in flagged)
        n_all = sum(case.truth != "honest" for case in result.cases)
        verify += f", {n_abuse} abusive in truth, of {n_all} abusive ones in all"
    lines = [f"{speed}: p50 {p50:.1f} ms, p99 {p99:.1f} ms.", f"{verify}."]
    if any(case.abuse_source == "SIMULATED" for case in result.cases):
        lines.append(
            "P(abuse): abuse_source=simulated, this tenant has no verdicts. It runs in shadow: the "
            "hint stays APPROVE, the budget untouched."
        )
    if any(case.margin_source == "POLICY_DEFAULT" for case in result.cases):
        lines.append("Budgets: the cases have no unit cost, so the policy's default margin holds.")
    return lines


def _shorten_reason(code: str) -> str:
    """Return a reason code for a narrow column: `return rate ↑` for RETURN_RATE_HIGH."""
    arrows = code.replace("_HIGH", " ↑").replace("_LOW", " ↓")
    return arrows.replace("_", " ").lower()


def _format_probability(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _tell_next(result: DemoResult, out: Path | None) -> str:
    """Return what to try next."""
    lines = [*_summarise_scores(result), f"Done in {result.seconds:.0f} s."]
    if out is None:
        lines.append("Everything was removed again. To keep it: hemostat demo --out DEMO")
        return "\n".join(lines)
    bundle, store = out / "bundles", out / "store"
    log = out / ("simulated" if result.data == "simulated" else "log")
    lines += [
        f"Serve it:            hemostat serve --store {store} --bundle {bundle} --clock log-end",
        f"See one customer:    hemostat features CUSTOMER --tenant {result.tenant} --log {log} \\",
        f"                       --at {_format(result.cut)}",
        f"Read the model card: {bundle}/current/MODEL_CARD.md",
    ]
    return "\n".join(lines)
