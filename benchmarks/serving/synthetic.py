"""Bundles and stores made in a second, for benchmarks and tests of serving.

The trees are random (or one chosen split), so answers mean nothing; sizes and
shapes are those of trained bundles.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES, N_FEATURES, SCHEMA_HASH
from features.embedding import DIM, EMBEDDER
from features.entities import Entity
from features.fold_rows import FOLD_ROW_DTYPE, FoldFlag, FoldKind
from features.keys import (
    N_SHARDS,
    compute_entity_key,
    compute_event_key,
    compute_member,
    compute_shard,
)
from features.model_bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    TREES_FILE,
    Calibration,
    Golden,
    HeadManifest,
    Manifest,
    TrainingWindow,
    TreeArrays,
    compute_version,
    encode_manifest,
    encode_trees,
)
from features.records.packing import PackedRecords
from features.refold import refold
from features.store.lmdb_writer import LmdbFeatureStore
from features.store.port import RecordCommit, ShardProgress
from training.onnx_export import build_model, open_session, run_model

_N_GOLDEN = 32
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """A head to be made.

    Attributes:
        target: As in the manifest.
        call: As in the manifest.
        trees: Its trees.
        source: `tenant` or `simulated`.
        verify_threshold: None: it gives no hint.
    """

    target: str
    call: str
    trees: TreeArrays
    source: str = "tenant"
    verify_threshold: float | None = None

    @property
    def name(self) -> str:
        """Name of the output."""
        return f"{self.target}__{self.call}"


def make_stump(feature: str, threshold: float, p_below: float, p_above: float) -> TreeArrays:
    """Return one split: `p_below` if `feature < threshold` or missing, else `p_above`."""
    log_odds = [math.log(p / (1 - p)) for p in (p_below, p_above)]
    baseline = np.zeros(N_FEATURES, np.float32)
    baseline[FEATURE_NAMES.index(feature)] = threshold - 1
    return TreeArrays(
        tree_start=np.array([0, 3], np.int32),
        feature=np.array([FEATURE_NAMES.index(feature), -1, -1], np.int32),
        threshold=np.array([threshold, 0, 0], np.float32),
        left=np.array([1, -1, -1], np.int32),
        right=np.array([2, -1, -1], np.int32),
        is_default_left=np.array([1, 0, 0], np.uint8),
        value=np.array([0, *log_odds], np.float32),
        base=np.zeros(1, np.float32),
        baseline=baseline,
    )


def grow_trees(seed: int, n_trees: int, depth: int, rows: npt.NDArray[np.float32]) -> TreeArrays:
    """Return full random trees that split where `rows`, shape `(n, F)`, have values."""
    rng = np.random.default_rng(seed)
    n_inner, n_nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    usable = np.flatnonzero((~np.isnan(rows)).any(axis=0))
    feature = np.full((n_trees, n_nodes), -1, np.int32)
    feature[:, :n_inner] = rng.choice(usable, (n_trees, n_inner))
    drawn = rows[rng.integers(len(rows), size=feature.shape), np.maximum(feature, 0)]
    place = np.arange(n_nodes)
    shift = n_nodes * np.arange(n_trees)[:, None]
    is_inner = place < n_inner
    value = rng.normal(0, 1 / math.sqrt(n_trees), feature.shape)
    return TreeArrays(
        tree_start=(n_nodes * np.arange(n_trees + 1)).astype(np.int32),
        feature=feature.ravel(),
        threshold=np.where(is_inner, np.nan_to_num(drawn), 0).ravel().astype(np.float32),
        left=np.where(is_inner, 2 * place + 1 + shift, -1).ravel().astype(np.int32),
        right=np.where(is_inner, 2 * place + 2 + shift, -1).ravel().astype(np.int32),
        is_default_left=np.where(is_inner, rng.integers(2, size=feature.shape), 0)
        .ravel()
        .astype(np.uint8),
        value=np.where(is_inner, 0, value).ravel().astype(np.float32),
        base=np.array([-2], np.float32),
        baseline=rows[0].copy(),
    )


def draw_rows(seed: int, n: int) -> npt.NDArray[np.float32]:
    """Return rows with plausible magnitudes and a fifth of the values missing, shape `(n, F)`."""
    rng = np.random.default_rng(seed)
    scale = np.array([5000.0 if name.endswith("_minor") else 3.0 for name in FEATURE_NAMES])
    rows = rng.exponential(scale, (n, N_FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    return rows


def write_bundle(folder: Path, tenant: str, heads: Sequence[HeadPlan]) -> str:
    """Write a bundle that passes every check of loading; return its version."""
    folder.mkdir(parents=True)
    by_name = {head.name: head.trees for head in heads}
    model = build_model(by_name, N_FEATURES)
    contents = {MODEL_FILE: model, TREES_FILE: encode_trees(by_name)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    rows = draw_rows(1, _N_GOLDEN)
    outputs = run_model(open_session(model), rows)
    draft = Manifest(
        version="",
        created_at="2026-01-01T00:00:00Z",
        tenant=tenant,
        schema_hash=SCHEMA_HASH,
        schema=list(FEATURE_NAMES),
        embedder=EMBEDDER,
        heads=[_describe_head(head) for head in heads],
        golden=Golden(
            rows=[[None if math.isnan(v) else v for v in row] for row in rows.tolist()],
            outputs={name: values.tolist() for name, values in outputs.items()},
        ),
        files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        log_created_by="synthetic",
        log_incarnation="",
        simulated_log_incarnation="",
        seed=1,
        libraries={},
    )
    manifest = msgspec.structs.replace(draft, version=compute_version(draft))
    (folder / MANIFEST_FILE).write_bytes(encode_manifest(manifest))
    return manifest.version


def _describe_head(head: HeadPlan) -> HeadManifest:
    return HeadManifest(
        target=head.target,
        call=head.call,
        label_source=head.source,
        label="none: synthetic",
        horizon_days=30,
        verify_threshold=head.verify_threshold,
        false_alarm_target=None,
        n_trees=head.trees.n_trees,
        n_train=0,
        n_train_positive=0,
        calibration=Calibration(method="platt", slope=1.0, intercept=0.0),
        window=TrainingWindow(train_start_us=0, train_end_us=0, test_start_us=0, test_end_us=0),
        ranges=[],
        metrics=None,
    )


def make_history(
    tenant: str, customer: str, *, n_orders: int, n_returns: int, end_us: int
) -> npt.NDArray[Any]:
    """Return a customer's fold rows: orders day by day up to `end_us`, then returns."""
    rows = np.zeros(n_orders + n_returns, FOLD_ROW_DTYPE)
    names = [f"{customer}/{number}" for number in range(len(rows))]
    rows["event_key"] = [compute_event_key(tenant, name) for name in names]
    rows["event_time_us"] = end_us - _DAY_US * np.arange(len(rows), 0, -1)
    rows["ingest_time_us"] = rows["event_time_us"]
    rows["member"] = compute_member(compute_entity_key(tenant, Entity.CUSTOMER, customer))
    rows["embedding"] = -1
    rows["entity"] = Entity.CUSTOMER
    rows["channel"] = 1
    rows["kind"] = [FoldKind.ORDER_PLACED] * n_orders + [FoldKind.RETURN_REQUESTED] * n_returns
    rows["value_minor"] = 10_000
    rows["line_count"][:n_orders] = 1
    returns = rows[n_orders:]
    returns["amount"] = 10 * 86_400
    returns["flags"] = FoldFlag.HAS_HOLD
    return rows


def write_store(
    path: Path, histories: Mapping[tuple[str, str], npt.NDArray[Any]], applied_us: int
) -> None:
    """Write a store with a record per customer, every shard applied up to `applied_us`.

    Args:
        path: A new folder.
        histories: Tenant and customer id to fold rows.
        applied_us: Freshness, microseconds UTC.
    """
    counts = [len(rows) for rows in histories.values()]
    packed = refold(
        PackedRecords.from_blobs([None] * len(histories)),
        np.full(len(histories), Entity.CUSTOMER, np.uint8),
        np.concatenate(list(histories.values())),
        np.repeat(np.arange(len(histories)), counts),
        np.zeros((0, DIM), np.int8),
    )
    names = [compute_entity_key(tenant, Entity.CUSTOMER, name) for tenant, name in histories]
    progress = ShardProgress(applied_ingest_us=applied_us)
    commits = []
    for shard in range(N_SHARDS):
        own = sorted((key, n) for n, key in enumerate(names) if compute_shard(key) == shard)
        keys = np.frombuffer(b"".join(key for key, _ in own), np.uint8).reshape(-1, 16)
        records = packed.take(np.array([n for _, n in own], np.int64))
        commits.append(RecordCommit(shard, 0, keys, records, progress))
    store = LmdbFeatureStore.open_writer(path)
    store.commit_records(commits)
    store.close()
