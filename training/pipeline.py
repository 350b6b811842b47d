"""Training on one page: read, label, fit, export, check, write. All effects are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.definitions import SCHEMA_HASH
from features.embedding import EMBEDDER
from features.errors import ConfigError, HemostatError
from features.model_bundle import (
    Manifest,
)
from training.attributes import find_declaration
from training.bundle_contents import (
    Learned,
    describe_head,
    encode_files,
    find_lines,
    make_golden,
    to_golden,
)
from training.bundle_writing import (
    check_key,
    check_place,
    clear_litter,
    write_bundle,
)
from training.head_definitions import ABUSE_HEADS
from training.heads import predict_probability
from training.labelling.noise import to_check_quality
from training.leaks.guarding import require_honest_head, require_honest_sources
from training.learning import LearnedHead, divide_cases, learn_head
from training.model_card import SkippedHead
from training.onnx_export import (
    Parity,
    build_model,
    compare,
    open_session,
    require_parity,
    run_model,
)
from training.registry.promotion import Change, check_registry, register, sign
from training.side_table import read_line_table
from training.sources import (
    AttributeUse,
    LearningSource,
    Progress,
    keep_product_lines,
    open_source,
)
from training.training_options import TrainingOptions

_LIBRARIES = ("numpy", "onnx", "onnxruntime", "xgboost-cpu")


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
    golden = make_golden(learned, options.seed)
    draft = Manifest(
        version="",
        created_at=now().astimezone(UTC).isoformat(timespec="seconds"),
        tenant=own.events.tenant,
        schema_hash=SCHEMA_HASH,
        schema=[column.name for column in own.columns],
        attributes=None if own.encoded is None else own.encoded.plan,
        embedder=EMBEDDER,
        heads=[describe_head(one, options.parameters) for one in learned],
        golden=to_golden(golden, run_model(session, golden)),
        files={},
        log_created_by=own.log.created_by,
        log_incarnation=own.log.incarnation,
        simulated_log_incarnation=sources[1].log.incarnation if len(sources) > 1 else "",
        seed=options.seed,
        checks=None if options.checks is None else to_check_quality(options.checks),
        libraries={name: metadata.version(name) for name in _LIBRARIES},
    )
    files = encode_files(draft, model, session, sources, learned, skipped, parities, options)
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


def _open_sources(options: TrainingOptions, progress: Progress) -> list[LearningSource]:
    """Return the tenant's source and, if it lacks verdicts, the simulated one."""
    own = open_source(
        options.log,
        progress,
        tenant=options.tenant,
        cut_us=options.cut_us,
        attributes=find_declaration(options.log, options.attributes),
    )
    lines = find_lines(options)
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


def _learn_all(
    sources: Sequence[LearningSource], options: TrainingOptions, progress: Progress
) -> tuple[list[Learned], list[SkippedHead]]:
    """Return the heads that could be learned, and those that could not."""
    tasks = [(source, definition) for source in sources for definition in source.heads]
    learned: list[Learned] = []
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
            options.checks,
        )
        require_honest_head(definition, source, parts, options.allowed_columns)
        try:
            head = learn_head(definition, parts, options.parameters, options.seed, source.columns)
        except HemostatError as error:
            skipped.append(SkippedHead(definition.name, f"{error.message} ({error.value})"))
            continue
        learned.append(Learned(head, source.label_source))
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
