"""Worlds for judging: drawn from a seed, simulated once, kept as arrays.

A world is a shop whose parameters are drawn within the ranges of the named presets. Its
oracle needs ten times the customers: nine *sibling* shops of the same parameters and other
seeds, up to the cut only (a shorter horizon is a prefix of a longer one). One shop of ten
times the size would show other counts per article, store and region, so other observables.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.definition import DAY_US
from features.log.reader import EventLog
from features.log.writer import EventLogWriter
from features.request_rows import Call
from training.cases import CaseSet, build_learning_set
from training.log_reading import read_accepted_events
from training.simulation import SimulationConfig, simulate
from training.simulation.config import LabelSettings
from training.simulation.truth import NO_GESTURE, OFFERS_FILE, TRUTH_FILE, TruthWriter

EVALUATION_SEEDS = (9_001, 9_002, 9_003, 9_004, 9_005)
"""Never used while anything was developed."""
SPARE_SEEDS = tuple(range(9_006, 9_016))
"""Drawn in this order where a world does not count."""
DEVELOPMENT_SEEDS = tuple(range(7_001, 7_011))
DAYS = 912
CUT_DAY = 547
"""A year follows the cut: who is ever flagged is asked over twelve months."""
N_SIBLINGS = 9

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shop:
    """One shop to simulate.

    Attributes:
        world: Seed of the world's parameters.
        number: 0: the shop that is judged; others: siblings of the oracle.
        n_customers: Customers of each.
        days: Length of its horizon.
    """

    world: int
    number: int
    n_customers: int
    days: int

    def to_config(self) -> SimulationConfig:
        """Return its configuration."""
        return draw_config(self.world, self.number, self.n_customers, self.days)


@dataclass(frozen=True, eq=False)
class TrueCases:
    """Cases of one call with their truth; arrays of `n` entries.

    Attributes:
        rows: Shape `(n, F)`: the vectors.
        time_us: When each was asked.
        is_abuse: What it was.
        is_good: Its customer never abuses, in any call.
        person: Number of who acts, the same under all accounts.
        kind: Pattern of abuse, or kind of honest case.
        ring: Ring of who acts; -1: none.
    """

    rows: Rows
    time_us: Ints
    is_abuse: Flags
    is_good: Flags
    person: Ints
    kind: npt.NDArray[np.str_]
    ring: Ints


@dataclass(frozen=True, eq=False)
class TrueClicks:
    """Cancel clicks with their truth; arrays of `n` entries.

    Attributes:
        event_id: The click.
        p_leaves: Probability that the customer leaves if nothing is offered.
    """

    event_id: npt.NDArray[np.str_]
    p_leaves: Floats


def draw_config(world: int, number: int, n_customers: int, days: int) -> SimulationConfig:
    """Return the configuration of a shop of a world.

    Every parameter lies between the least and the greatest of the named presets, or, where
    these agree, up to a third around them.
    """
    random = np.random.default_rng(world)

    def draw(low: float, high: float) -> float:
        return float(np.exp(random.uniform(np.log(low), np.log(high))))

    return SimulationConfig(
        seed=world * 100 + number,
        n_customers=n_customers,
        days=days,
        ring_scale=draw(0.7, 6.0),
        abuser_scale=draw(0.7, 1.2),
        promotion_scale=draw(0.8, 1.8),
        dissatisfaction_scale=draw(0.8, 2.4),
        fashion_scale=draw(0.7, 4.0),
        chinese_share=float(random.uniform(0.0, 1.0)),
        labels=LabelSettings(
            audit_share=draw(0.04, 0.08),
            referral_scale=draw(0.75, 1.33),
            delay_median_days=draw(6.0, 13.5),
        ),
    )


def list_shops(world: int, n_customers: int, n_siblings: int = N_SIBLINGS) -> list[Shop]:
    """Return the shops of a world, the judged one first."""
    siblings = [Shop(world, number, n_customers, CUT_DAY) for number in range(1, n_siblings + 1)]
    return [Shop(world, 0, n_customers, DAYS), *siblings]


def prepare_log(shop: Shop) -> Path:
    """Return a shop's log with its truth, simulated if it is not there.

    Its folder is named by what makes it: the configuration, and the code of the simulator
    and of logs.
    """

    def make(folder: Path) -> None:
        writer = EventLogWriter(
            folder / "log", n_partitions=2, formats=("parquet",), created_by="bench-quality"
        )
        with writer, TruthWriter(writer.place_side_file(TRUTH_FILE)) as truth:
            simulate(shop.to_config(), writer, truth)

    return _make_once(f"{shop.to_config().model_dump_json()} {_hash_code(_LOG_CODE)}", make) / "log"


def prepare_shop(shop: Shop) -> Path:
    """Return a shop's folder, made if it is not there: its cases and, of the judged one, its log.

    No truth stands beside that log: what is judged would find none, even if it looked.
    """
    log = prepare_log(shop)

    def make(folder: Path) -> None:
        calls = frozenset({Call.RETURN} if shop.number else {Call.RETURN, Call.ORDER})
        for call, cases in read_true_cases(log, calls).items():
            kept = cases if call is Call.RETURN else strip_rows(cases)
            np.savez(folder / f"{call.name.lower()}.npz", **vars(kept))
        if shop.number == 0:
            np.savez(folder / "clicks.npz", **vars(_read_true_clicks(log)))
            truth = Path(TRUTH_FILE).parts[0]
            shutil.copytree(log, folder / "log", ignore=shutil.ignore_patterns(truth))

    return _make_once(f"{log.parent.name} {_hash_code(_CASE_CODE)}", make)


def _make_once(key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of a key in the cache; `make` fills it if it is not there."""
    folder = find_cache() / hashlib.sha256(key.encode()).hexdigest()[:20]
    if folder.is_dir():
        return folder
    # Made under a name of its own: another run may be making the same.
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=find_cache()))
    make(draft)
    try:
        draft.rename(folder)
    except OSError:  # Not empty: it was finished elsewhere in the meantime.
        shutil.rmtree(draft)
    return folder


def load_cases(folder: Path, call: Call) -> TrueCases:
    """Return a prepared shop's cases of a call."""
    with np.load(folder / f"{call.name.lower()}.npz") as arrays:
        return TrueCases(**arrays)


def load_clicks(folder: Path) -> TrueClicks:
    """Return the true probabilities of a prepared, judged shop's cancel clicks."""
    with np.load(folder / "clicks.npz") as arrays:
        return TrueClicks(**arrays)


def _read_true_clicks(log: Path) -> TrueClicks:
    offers = pq.read_table(
        log / OFFERS_FILE, columns=["case_event_id", "call", "gesture", "p_keeps"]
    )
    is_wanted = pc.and_(
        pc.equal(offers.column("call"), "cancellation"),
        pc.equal(offers.column("gesture"), NO_GESTURE),
    )
    found = offers.filter(is_wanted)
    return TrueClicks(
        event_id=np.array(found.column("case_event_id").to_pylist()),
        p_leaves=1.0 - found.column("p_keeps").to_numpy(),
    )


def read_true_cases(log: Path, calls: frozenset[Call]) -> dict[Call, TrueCases]:
    """Return a simulated log's cases with vectors and truth."""
    events = read_accepted_events(EventLog(log), "demo")
    found = build_learning_set(events, calls)
    truth = pq.read_table(log / TRUTH_FILE)
    abusers = pc.unique(truth.filter(truth.column("is_abuse")).column("person"))
    persons = pc.unique(truth.column("person"))
    rings = pc.unique(truth.column("ring"))

    def join(cases: CaseSet) -> TrueCases:
        place = pc.index_in(cases.event_id, truth.column("case_event_id"))
        told = truth.take(place)
        is_outside = pc.equal(told.column("ring"), "").to_numpy()
        ring = pc.index_in(told.column("ring"), rings).to_numpy()
        return TrueCases(
            rows=cases.rows,
            time_us=cases.time_us,
            is_abuse=told.column("is_abuse").to_numpy(),
            is_good=~pc.is_in(told.column("person"), abusers).to_numpy(),
            person=pc.index_in(told.column("person"), persons).to_numpy().astype(np.int64),
            kind=np.array(told.column("pattern").to_pylist()),
            ring=np.where(is_outside, -1, ring).astype(np.int64),
        )

    return {call: join(cases) for call, cases in found.cases.items()}


def strip_rows(cases: TrueCases) -> TrueCases:
    """Return the cases without their vectors: judging does not need them."""
    return replace(cases, rows=np.zeros((len(cases.time_us), 0), np.float32))


def find_cut_us(config: SimulationConfig) -> int:
    """Return the midnight UTC at which models are born."""
    epoch = config.start.toordinal() - 719_163
    return (epoch + CUT_DAY) * DAY_US


def find_cache() -> Path:
    """Return where prepared shops are kept, in the system's temporary folder."""
    folder = Path(tempfile.gettempdir()) / "hemostat-bench-quality"
    folder.mkdir(exist_ok=True)
    return folder


_LOG_CODE = (
    "training/simulation",
    "features/log",
    *(f"features/{name}.py" for name in ("embedding", "hashing", "text_grams", "text_hash")),
)
_CASE_CODE = (
    "features",
    "training/cases.py",
    "training/log_reading.py",
    "benchmarks/quality/worlds.py",
)


_NOT_OF_SHOPS = (
    "features/model_bundle",
    "features/attributes",
    "training/simulation/realism",
    "training/simulation/gallery",
    "training/simulation/oracle.py",
)
"""Say nothing of these logs and vectors: a change there makes no shop anew."""


def _hash_code(parts: Sequence[str]) -> str:
    """Return the hash of files and of all modules of folders, named from the root."""
    root = Path(__file__).resolve().parent.parent.parent
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted((root / part).rglob("*.py")) or [root / part]:
            if not any(path.is_relative_to(root / other) for other in _NOT_OF_SHOPS):
                digest.update(path.read_bytes())
    return digest.hexdigest()
