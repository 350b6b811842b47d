"""The manifest: what a bundle is and what it was learned from, as strict structs."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np
import numpy.typing as npt

from features.attributes import AttributePlan
from features.errors import MissingModelError

MANIFEST_VERSION = 2
MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
TREES_FILE = "trees.npz"
CURRENT = "current"
"""Name of the symlink, beside the bundles, to the one in use."""

GOLDEN_TOLERANCE = 1e-6
"""Largest difference of a golden output: other processors round `exp` otherwise."""


class Interval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure with its 95 % bootstrap bounds, resampled by customer; None: not computed."""

    value: float
    low: float | None = None
    high: float | None = None


class HeadMetrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a head did on cases later than all it was learned from.

    Weighted like the head's labels, so that figures hold for all cases of the call
    and not only for those whose outcome is known.

    Attributes:
        n: Cases with a known outcome.
        n_positive: Positive ones among them.
        n_customers: Distinct customers among them.
        prevalence: Weighted share of positives; what PR-AUC is to be compared with.
        pr_auc: Average precision.
        roc_auc: Area under the ROC curve.
        brier: Mean squared error of the probability.
        calibration_error: Expected calibration error over 15 bins of equal weight.
        false_alarm_rate: Share of good customers' cases at or above `verify_threshold`,
            checked or not, each counted by how honest its customer most likely is.
        recall: Share of positives at or above it.
    """

    n: int
    n_positive: int
    n_customers: int
    prevalence: float
    pr_auc: Interval
    roc_auc: Interval
    brier: float
    calibration_error: float
    false_alarm_rate: float | None = None
    recall: float | None = None


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How scores became probabilities: `sigmoid(bend(slope * margin + intercept))`.

    Fitted on margins of trees that had not seen the cases. Slope and intercept (Platt) are
    folded into the trees' leaves, in the graph as in `trees.npz`; the bend stands behind
    the sum of the leaves in both.

    Attributes:
        method: `platt`, or `curve` where there is a bend.
        slope: Of the line.
        intercept: Of the line.
        knot_at: Places of the bend's knots, log-odds after the line, rising.
        knot_to: What stands for them; see `trees.bend`.
        n_cases: Cases that were calibrated on, those of unknown outcome included.
        is_latest: They were the latest of the training part, judged by trees of the older
            ones; else all of it, judged by trees blind to their customers.
    """

    method: str
    slope: float
    intercept: float
    knot_at: list[float] = []
    knot_to: list[float] = []
    n_cases: int = 0
    is_latest: bool = False


class CalibrationStanding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one way to calibrate did on cases of customers that it was not fitted on.

    Attributes:
        method: `platt`, `curve`, `isotonic` or `venn_abers`.
        log_loss: Mean, nats a case.
        brier: Mean squared error of the probability.
        calibration_error: Expected calibration error over 15 bins of equal weight.
        log_loss_over_platt: What its log loss is above that of `platt`, 95 % by customer.
    """

    method: str
    log_loss: float
    brier: float
    calibration_error: float
    log_loss_over_platt: Interval


class CheckQuality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How well a shop says that its checks see.

    Attributes:
        sensitivity: Share of checked abuse that is confirmed.
        specificity: Share of checked honest cases that is cleared, after appeals.
    """

    sensitivity: float
    specificity: float


class TrainingWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the cases happened; microseconds UTC, ends excluded.

    Attributes:
        train_start_us: The first case learned from.
        train_end_us: End of these; their outcomes had matured by `test_start_us`.
        test_start_us: The model's birth: it knows nothing that became known later.
            From here on cases are only measured.
        test_end_us: End of these; their outcomes have matured in the log.
    """

    train_start_us: int
    train_end_us: int
    test_start_us: int
    test_end_us: int


class FeatureRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What training saw of a feature.

    Attributes:
        name: The feature.
        low: Least value; None: always missing.
        high: Greatest value, after winsorising.
        cap: Values above it count as it (money, winsorised); None: no cap. The cap is
            compiled into the trees, callers pass raw values.
        missing_share: Share of missing values.
    """

    name: str
    low: float | None
    high: float | None
    cap: float | None
    missing_share: float


class HeadManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One head: one question at one call.

    Attributes:
        target: `abuse`, `cancel`, `return` or `return_or_cancel_30d`.
        call: `order`, `cancellation`, `return` or `order_line`.
        label_source: `tenant` (own outcomes) or `simulated` (shadow use only).
        label: What counts as positive, negative and unknown, for people.
        horizon_days: Time after the case within which the outcome counts.
        verify_threshold: At or above it the hint is `VERIFY`, where no stratum has a threshold of
            its own; None: the head gives no hint.
        false_alarm_target: Share of good customers' cases that the threshold was set for.
        n_trees: Trees kept (chosen by cross-validation).
        n_train: Cases learned from.
        n_train_positive: Positive ones among them.
        calibration: The map from margin to probability.
        window: The time split.
        ranges: What training saw of each feature, in order.
        metrics: On the test part; None: too few cases, see the model card.
        strata_thresholds: In place of `verify_threshold` for cases of some strata, by name
            (`model_bundle.strata`).
        calibration_contest: How ways to calibrate did, the least log loss first; empty: too few
            positive cases for a contest.
    """

    target: str
    call: str
    label_source: str
    label: str
    horizon_days: int
    verify_threshold: float | None
    false_alarm_target: float | None
    n_trees: int
    n_train: int
    n_train_positive: int
    calibration: Calibration
    window: TrainingWindow
    ranges: list[FeatureRange]
    metrics: HeadMetrics | None
    strata_thresholds: dict[str, float] = {}
    calibration_contest: list[CalibrationStanding] = []

    @property
    def name(self) -> str:
        """Name of the graph's output and of the head's trees."""
        return f"{self.target}__{self.call}"


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows and what the model must answer to them.

    Attributes:
        rows: Each of F values, null for missing; float32 values, exact.
        outputs: Per head one probability a row.
    """

    rows: list[list[float | None]]
    outputs: dict[str, list[float]]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a bundle says of itself.

    Attributes:
        version: Hash of the bundle's content (see `compute_version`).
        created_at: RFC 3339, UTC; not part of the version.
        tenant: Whose cases it is for.
        schema_hash: `definitions.SCHEMA_HASH` at training.
        schema: Column names in order: the features, then the retailer's own.
        embedder: Version of the reason embedder.
        heads: All heads.
        golden: Golden vectors.
        files: SHA-256 of every other file, by path inside the bundle.
        log_created_by: What wrote the event log, e.g. `simulate` or `import online-retail`.
        log_incarnation: Which log.
        simulated_log_incarnation: The log of the simulated heads; empty: none.
        seed: Seed of training.
        libraries: Versions that trained and exported.
        manifest_version: Version of this file's form.
        attributes: The retailer's own columns, the last ones of the schema; None: none.
        checks: What was stated of the checks that made labels; None: nothing.
    """

    version: str
    created_at: str
    tenant: str
    schema_hash: str
    schema: list[str]
    embedder: str
    heads: list[HeadManifest]
    golden: Golden
    files: dict[str, str]
    log_created_by: str
    log_incarnation: str
    simulated_log_incarnation: str
    seed: int
    libraries: dict[str, str]
    manifest_version: int = MANIFEST_VERSION
    attributes: AttributePlan | None = None
    checks: CheckQuality | None = None


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(blob: bytes) -> Manifest:
    """Return the manifest of its JSON.

    Raises:
        MissingModelError: It is not a manifest of this version.
    """
    try:
        manifest = msgspec.json.decode(blob, type=Manifest)
        if manifest.manifest_version != MANIFEST_VERSION:
            raise msgspec.ValidationError(f"version {manifest.manifest_version}")
    except msgspec.DecodeError as error:
        raise MissingModelError(
            "the bundle's manifest cannot be read",
            field=MANIFEST_FILE,
            value=str(error),
            expectation=f"a manifest of version {MANIFEST_VERSION}",
            fix="train again with this version of hemostat, or restore the file",
        ) from error
    return manifest


def compute_version(manifest: Manifest) -> str:
    """Return the content hash: of everything but `version` and `created_at`.

    The checksums of all files are inside, so the same log, seed and libraries
    give the same version, and any other model, card or plot another one.
    """
    bare = msgspec.structs.replace(manifest, version="", created_at="")
    return hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()


def to_rows(golden: Golden) -> npt.NDArray[np.float32]:
    """Return the golden rows, shape `(n, F)`, NaN for missing.

    >>> to_rows(Golden(rows=[[1.5, None]], outputs={}))
    array([[1.5, nan]], dtype=float32)
    """
    rows = [[np.nan if value is None else value for value in row] for row in golden.rows]
    return np.array(rows, np.float32)
