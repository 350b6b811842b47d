"""Bundles that a server would load, with figures that a test chooses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.serving.synthetic import HeadPlan, draw_rows, grow_trees, write_bundle
from features.model_bundle import (
    MANIFEST_FILE,
    HeadMetrics,
    Interval,
    Manifest,
    TrainingWindow,
    load_manifest,
)
from training import bundle_writing
from training.registry.lineage import (
    LINEAGE_FILE,
    HeadParity,
    Lineage,
    LogLineage,
    encode_lineage,
)

HEAD = "abuse__return"
METRICS = HeadMetrics(
    n=4_000,
    n_positive=400,
    n_customers=900,
    prevalence=0.1,
    pr_auc=Interval(value=0.6, low=0.55, high=0.65),
    roc_auc=Interval(value=0.9, low=0.88, high=0.92),
    brier=0.05,
    calibration_error=0.02,
    false_alarm_rate=0.008,
    recall=0.5,
)


def to_us(day: str) -> int:
    """Return a day's beginning, microseconds UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1_000_000


class ModelMaker:
    """Writes bundles of one head.

    Args:
        folder: Where the bundle that all are made from is put.
    """

    def __init__(self, folder: Path) -> None:
        trees = grow_trees(1, 2, 2, draw_rows(1, 50))
        write_bundle(folder, "shop", [HeadPlan("abuse", "return", trees, verify_threshold=0.5)])
        self._manifest = load_manifest(folder)
        self._files = {name: (folder / name).read_bytes() for name in self._manifest.files}
        self._n = 0

    def draft(self, *, cut: str = "2025-06-01", tenant: str = "shop", **metrics: Any) -> Manifest:
        """Return a manifest with chosen figures; `measured=False`: with none."""
        is_measured = metrics.pop("measured", True)
        cut_us = to_us(cut)
        head = msgspec.structs.replace(
            self._manifest.heads[0],
            metrics=msgspec.structs.replace(METRICS, **metrics) if is_measured else None,
            window=TrainingWindow(
                train_start_us=0, train_end_us=cut_us, test_start_us=cut_us, test_end_us=cut_us
            ),
        )
        self._n += 1
        return msgspec.structs.replace(self._manifest, heads=[head], tenant=tenant, seed=self._n)

    def __call__(self, out: Path, *, with_lineage: bool = True, **figures: Any) -> str:
        """Write a bundle with chosen figures and return its folder's name."""
        files = dict(self._files)
        if with_lineage:
            files[LINEAGE_FILE] = encode_lineage(make_small_lineage())
        return bundle_writing.write_bundle(out, self.draft(**figures), files)[0].name


def make_small_lineage(**parity: Any) -> Lineage:
    """Return a lineage whose parity a test chooses."""
    found = {"head": HEAD, "n_rows": 100, "max_difference": 2e-7, "n_changed_hints": 0, **parity}
    log = LogLineage(
        role="tenant",
        data_sha256="d" * 64,
        incarnation="i",
        created_by="a test",
        n_read=10,
        n_rejected=0,
        n_repeated=0,
        cut_us=0,
    )
    return Lineage(
        logs=(log,),
        lines_sha256="",
        code_version="0",
        code_sha256="c" * 64,
        seed=1,
        parameters={"max_trees": 2.0},
        parities=(HeadParity(**found),),
    )


def damage(bundle: Path) -> None:
    """Change a byte of the model's graph."""
    path = bundle / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert (bundle / MANIFEST_FILE).exists()
