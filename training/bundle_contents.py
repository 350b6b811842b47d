"""What stands in a bundle: its description, golden rows, lineage, cards and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.model_bundle import (
    MODEL_FILE,
    TREES_FILE,
    Golden,
    HeadManifest,
    Manifest,
    encode_trees,
)
from features.model_bundle.runtime import ort
from training.bundle_writing import N_GOLDEN_ROWS, make_golden_rows
from training.drift.reference import REFERENCE_FILE, describe_cases
from training.growing import HeadParameters
from training.learning import LearnedHead
from training.model_card import SkippedHead, write_cards
from training.onnx_export import Parity, run_model
from training.registry.lineage import (
    LINEAGE_FILE,
    HeadParity,
    LogLineage,
    compute_data_hash,
    encode_lineage,
    make_lineage,
)
from training.report.writing import REPORT_FILE, write_report
from training.side_table import LINE_TABLE_FILE
from training.sources import LearningSource
from training.training_options import TrainingOptions


@dataclass(frozen=True, eq=False)
class Learned:
    """A head and where its labels come from."""

    head: LearnedHead
    label_source: str

    @property
    def name(self) -> str:
        """The head's name."""
        return self.head.definition.name


def encode_files(
    draft: Manifest,
    model: bytes,
    session: ort.InferenceSession,
    sources: Sequence[LearningSource],
    learned: Sequence[Learned],
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


def make_golden(learned: Sequence[Learned], seed: int) -> npt.NDArray[np.float32]:
    """Return golden rows of all heads' training cases, shape `(n, F)`."""
    n_each = -(-N_GOLDEN_ROWS // len(learned))
    return np.concatenate(
        [
            make_golden_rows(one.head.parts.train.rows, n_each, seed + place)
            for place, one in enumerate(learned)
        ]
    )


def to_golden(rows: npt.NDArray[np.float32], outputs: dict[str, npt.NDArray[np.float32]]) -> Golden:
    """Return golden rows and what the graph says of them, as the manifest keeps them."""
    return Golden(
        rows=[[None if np.isnan(value) else value for value in row] for row in rows.tolist()],
        outputs={name: values.tolist() for name, values in outputs.items()},
    )


def describe_head(one: Learned, parameters: HeadParameters) -> HeadManifest:
    """Return what the manifest says of a head."""
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
        calibration_contest=list(fitted.standings),
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
        lines=find_lines(options),
        code_version=metadata.version("hemostat"),
        seed=options.seed,
        parameters={name: float(value) for name, value in asdict(options.parameters).items()},
        parities=[HeadParity(**asdict(one)) for one in parities],
        allowed_columns=options.allowed_columns,
    )
    return encode_lineage(lineage)


def find_lines(options: TrainingOptions) -> Path | None:
    """Return the side table named, or the one that stands in the log."""
    if options.lines is None and (options.log / LINE_TABLE_FILE).is_file():
        return options.log / LINE_TABLE_FILE
    return options.lines
