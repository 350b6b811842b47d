"""Training on one page: read, label, fit, export, check, write. All effects are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.definitions import SCHEMA_HASH
from features.embedding import EMBEDDER
from features.errors import ConfigError, HemostatError
from features.model_bundle import (
    MODEL_FILE,
    TREES_FILE,
    Golden,
    HeadManifest,
    Manifest,
    encode_trees,
)
from features.model_bundle.runtime import ort
from features.model_bundle.signing import SigningKey
from training.attributes import find_declaration
from training.bundle_writing import (
    N_GOLDEN_ROWS,
    check_key,
    check_place,
    clear_litter,
    make_golden_rows,
    write_bundle,
)
from training.drift.reference import REFERENCE_FILE, describe_cases
from training.evaluation.money import CostMatrix
from training.head_definitions import ABUSE_HEADS
from training.heads import HeadParameters, predict_probability
from training.leaks.guarding import require_honest_head, require_honest_sources
from training.learning import LearnedHead, divide_cases, learn_head
from training.model_card import SkippedHead, write_cards
from training.onnx_export import (
    Parity,
    build_model,
    compare,
    open_session,
    require_parity,
    run_model,
)
from training.registry.lineage import (
    LINEAGE_FILE,
    HeadParity,
    LogLineage,
    compute_data_hash,
    encode_lineage,
    make_lineage,
)
from training.registry.promotion import Change, check_registry, register, sign
from training.report.writing import REPORT_FILE, write_report
from training.side_table import LINE_TABLE_FILE, read_line_table
from training.sources import (
    AttributeUse,
    LearningSource,
    Progress,
    keep_product_lines,
    open_source,
)

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "xgboost-cpu")


@dataclass(frozen=True)
class TrainingOptions:
    """What to train on and where to put the bundle.

    Attributes:
        log: The tenant's event log.
        out: Folder of bundles.
        tenant: Whose events; None: the log's only tenant.
        abuse_from: A simulated log for abuse heads that the tenant's own cannot teach.
        lines: Side table of an import; None: the one in the log's folder, if it is there.
        attributes: Declaration of the retailer's own fields; None: the one in the log's folder,
            if it is there.
        cut_us: When the model is born; None: after 70 % of the log.
        seed: Seed of everything random.
        parameters: How heads are fitted.
        costs: What outcomes cost, for the report's money.
        wants_promotion: Ask the gates whether it may serve; else it waits as challenger,
            unless nobody serves.
        by: Who trains, for the registry's journal.
        allowed_columns: Columns that a person vouches for where the leak gate would refuse.
        key: Signs the bundle; None: it is not signed.
    """

    log: Path
    out: Path
    tenant: str | None = None
    abuse_from: Path | None = None
    lines: Path | None = None
    attributes: Path | None = None
    cut_us: int | None = None
    seed: int = 7
    parameters: HeadParameters = field(default_factory=HeadParameters)
    costs: CostMatrix = field(default_factory=CostMatrix)
    wants_promotion: bool = False
    by: str = ""
    allowed_columns: tuple[str, ...] = ()
    key: SigningKey | None = None


@dataclass(frozen=True)
class TrainingResult:
    """What came of it.

    Attributes:
        folder: The bundle.
        manifest: What it says of itself.
        parities: The graph against XGBoost, per head.
        skipped: Heads that could not be learned, and why.
        n_read: Rows of the tenant's log.
        n_rejected: Rows that the acceptance rules refused.
        n_repeated: Rows that told an event again.
        change: Whether it serves now, and what the gates said if they were asked.
        attributes: What became of the retailer's own fields; None: none are declared.
    """

    folder: Path
    manifest: Manifest
    parities: list[Parity]
    skipped: list[SkippedHead]
    n_read: int
    n_rejected: int
    n_repeated: int
    change: Change
    attributes: AttributeUse | None = None


@dataclass(frozen=True, eq=False)
class _Learned:
    """A head and where its labels come from."""

    head: LearnedHead
    label_source: str

    @property
    def name(self) -> str:
        return self.head.definition.name


def train_bundle(
    options: TrainingOptions,
    *,
    now: Callable[[], datetime],
    progress: Progress = lambda _step, _done, _total: None,
) -> TrainingResult:
    """Train all heads that the logs can teach, write one bundle, and register it.

    Args:
        options: What and where.
        now: The clock; stamps `created_at`, which is not part of the version.
        progress: Told how far it is.

    Raises:
        HemostatError: A log cannot be read, no head can be learned, or the graph does
            not equal XGBoost; then nothing was written.
    """
    check_place(options.out)
    check_registry(options.out)
    check_key(options.key)
    clear_litter(options.out, now())
    sources = _open_sources(options, progress)
    own = sources[0]
    require_honest_sources(sources, options.allowed_columns)
    learned, skipped = _learn_all(sources, options, progress)
    progress("export", 0, 1)
    model = build_model({one.name: one.head.trees for one in learned}, len(own.columns))
    session = open_session(model)
    parities = []
    for one in learned:
        rows = _choose_parity_rows(one.head)
        found = run_model(session, rows)[one.name]
        expected = predict_probability(one.head.fitted, rows)
        parities.append(compare(one.name, found, expected, one.head.fitted.find_thresholds(rows)))
        require_parity(parities[-1])
    golden = _make_golden(learned, options.seed)
    draft = Manifest(
        version="",
        created_at=now().astimezone(UTC).isoformat(timespec="seconds"),
        tenant=own.events.tenant,
        schema_hash=SCHEMA_HASH,
        schema=[column.name for column in own.columns],
        attributes=None if own.encoded is None else own.encoded.plan,
        embedder=EMBEDDER,
        heads=[_describe(one, options.parameters) for one in learned],
        golden=_to_golden(golden, run_model(session, golden)),
        files={},
        log_created_by=own.log.created_by,
        log_incarnation=own.log.incarnation,
        simulated_log_incarnation=sources[1].log.incarnation if len(sources) > 1 else "",
        seed=options.seed,
        libraries={name: metadata.version(name) for name in _LIBRARIES},
    )
    files = _encode_files(draft, model, session, sources, learned, skipped, parities, options)
    folder, manifest = write_bundle(options.out, draft, files, options.key)
    change = register(
        options.out,
        folder.name,
        sign(options.by, now()),
        wants_promotion=options.wants_promotion,
    )
    progress("export", 1, 1)
    return TrainingResult(
        folder=folder,
        manifest=manifest,
        parities=parities,
        skipped=skipped,
        n_read=own.events.n_read,
        n_rejected=own.events.n_rejected,
        n_repeated=own.events.n_repeated,
        change=change,
        attributes=own.encoded,
    )


def _encode_files(
    draft: Manifest,
    model: bytes,
    session: ort.InferenceSession,
    sources: Sequence[LearningSource],
    learned: Sequence[_Learned],
    skipped: Sequence[SkippedHead],
    parities: Sequence[Parity],
    options: TrainingOptions,
) -> dict[str, bytes]:
    """Return what stands in the bundle beside its manifest, by name of the file."""
    own, heads = sources[0], [one.head for one in learned]
    run = partial(run_model, session)
    return {
        MODEL_FILE: model,
        TREES_FILE: encode_trees({one.name: one.head.trees for one in learned}),
        LINEAGE_FILE: _describe_lineage(sources, options, parities),
        REFERENCE_FILE: describe_cases(own.cases.cases, own.cut_us, draft.schema, draft.heads, run),
        REPORT_FILE: write_report(draft, skipped, heads, options.costs, options.seed),
        **write_cards(draft, skipped),
    }


def _open_sources(options: TrainingOptions, progress: Progress) -> list[LearningSource]:
    """Return the tenant's source and, if it lacks verdicts, the simulated one."""
    own = open_source(
        options.log,
        progress,
        tenant=options.tenant,
        cut_us=options.cut_us,
        attributes=find_declaration(options.log, options.attributes),
    )
    lines = _find_lines(options)
    if lines is not None:
        own = keep_product_lines(own, read_line_table(lines))
    if options.abuse_from is None:
        return [own]
    if any(head.target == "abuse" for head in own.heads):
        raise ConfigError(
            "the tenant's log has verdicts of its own",
            field="--abuse-from",
            value=str(options.abuse_from),
            expectation="a log without `label_set` events beside it",
            fix="leave the option out: the abuse heads are learned from the log itself",
        )
    simulated = open_source(
        options.abuse_from,
        progress,
        heads=ABUSE_HEADS,
        label_source="simulated",
        # Of the same width; what its events do not carry is missing.
        attributes=None if own.encoded is None else own.encoded.plan,
    )
    return [own, simulated]


def _find_lines(options: TrainingOptions) -> Path | None:
    """Return the side table named, or the one that stands in the log."""
    if options.lines is None and (options.log / LINE_TABLE_FILE).is_file():
        return options.log / LINE_TABLE_FILE
    return options.lines


def _learn_all(
    sources: Sequence[LearningSource], options: TrainingOptions, progress: Progress
) -> tuple[list[_Learned], list[SkippedHead]]:
    """Return the heads that could be learned, and those that could not."""
    tasks = [(source, definition) for source in sources for definition in source.heads]
    learned: list[_Learned] = []
    skipped: list[SkippedHead] = []
    for n_done, (source, definition) in enumerate(tasks):
        progress(f"fit {definition.name}", n_done, len(tasks))
        cases = source.cases.cases[definition.call]
        parts = divide_cases(
            definition,
            cases,
            source.cases.facts,
            source.cut_us,
            source.cases.end_us,
            options.seed,
        )
        require_honest_head(definition, source, parts, options.allowed_columns)
        try:
            head = learn_head(definition, parts, options.parameters, options.seed, source.columns)
        except HemostatError as error:
            skipped.append(SkippedHead(definition.name, f"{error.message} ({error.value})"))
            continue
        learned.append(_Learned(head, source.label_source))
    progress("fit", len(tasks), len(tasks))
    if not learned:
        raise HemostatError(
            "no head can be learned from this log",
            field="LOG",
            value="; ".join(f"{one.name}: {one.reason}" for one in skipped),
            expectation="enough cases with an outcome before the cut",
            fix="use a longer log, or a later --cut",
        )
    return learned, skipped


def _choose_parity_rows(head: LearnedHead) -> npt.NDArray[np.float32]:
    """Return the whole test split; a log without one is checked on its training cases."""
    return head.parts.test_rows if len(head.parts.test_rows) else head.parts.train.rows


def _make_golden(learned: Sequence[_Learned], seed: int) -> npt.NDArray[np.float32]:
    n_each = -(-N_GOLDEN_ROWS // len(learned))
    return np.concatenate(
        [
            make_golden_rows(one.head.parts.train.rows, n_each, seed + place)
            for place, one in enumerate(learned)
        ]
    )


def _to_golden(
    rows: npt.NDArray[np.float32], outputs: dict[str, npt.NDArray[np.float32]]
) -> Golden:
    return Golden(
        rows=[[None if np.isnan(value) else value for value in row] for row in rows.tolist()],
        outputs={name: values.tolist() for name, values in outputs.items()},
    )


def _describe(one: _Learned, parameters: HeadParameters) -> HeadManifest:
    head = one.head
    definition, fitted, train = head.definition, head.fitted, head.parts.train
    return HeadManifest(
        target=definition.target,
        call=definition.call.name.lower(),
        label_source=one.label_source,
        label=definition.label,
        horizon_days=definition.horizon_days,
        verify_threshold=None if fitted.thresholds is None else fitted.thresholds.value,
        strata_thresholds={} if fitted.thresholds is None else dict(fitted.thresholds.by_stratum),
        false_alarm_target=parameters.false_alarm_target if definition.gives_hint else None,
        n_trees=head.trees.n_trees,
        n_train=sum(train.count_classes()),
        n_train_positive=train.count_classes()[1],
        calibration=fitted.calibration,
        window=head.parts.split.window,
        ranges=head.ranges,
        metrics=head.metrics,
    )


def _describe_lineage(
    sources: Sequence[LearningSource], options: TrainingOptions, parities: Sequence[Parity]
) -> bytes:
    logs = [
        LogLineage(
            role=source.label_source,
            data_sha256=compute_data_hash(source.log, source.events.n_read),
            incarnation=source.log.incarnation,
            created_by=source.log.created_by,
            n_read=source.events.n_read,
            n_rejected=source.events.n_rejected,
            n_repeated=source.events.n_repeated,
            cut_us=source.cut_us,
        )
        for source in sources
    ]
    lineage = make_lineage(
        logs,
        lines=_find_lines(options),
        code_version=metadata.version("hemostat"),
        seed=options.seed,
        parameters={name: float(value) for name, value in asdict(options.parameters).items()},
        parities=[HeadParity(**asdict(one)) for one in parities],
        allowed_columns=options.allowed_columns,
    )
    return encode_lineage(lineage)
