"""A small real bundle, written as training writes one, and tools to break it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import xgboost as xgb

from features.definitions import FEATURE_NAMES, N_FEATURES, SCHEMA_HASH
from features.embedding import EMBEDDER
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
    load_manifest,
)
from training.booster_trees import compile_trees, from_booster
from training.bundle_writing import write_bundle
from training.onnx_export import build_model, open_session, run_model
from training.registry.layout import point_to

PLAIN = Calibration(method="platt", slope=1.0, intercept=0.0)
HEAD = "abuse__return"


@pytest.fixture(scope="session")
def trees() -> dict[str, TreeArrays]:
    """One small head."""
    rows = draw_rows(300)
    label = (np.nan_to_num(rows[:, 1]) > 0.3).astype(np.float64)
    booster = xgb.train(
        {"objective": "binary:logistic", "max_depth": 2, "nthread": 1},
        xgb.DMatrix(rows, label, nthread=1),
        3,
    )
    baseline = np.full(N_FEATURES, np.nan, np.float32)
    no_caps = np.full(N_FEATURES, np.inf, np.float32)
    return {HEAD: compile_trees(from_booster(booster, baseline), PLAIN, no_caps)}


def draw_rows(n: int) -> npt.NDArray[np.float32]:
    """Return rows with missing values."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(n, N_FEATURES)).astype(np.float32)
    rows[random.random(rows.shape) < 0.3] = np.nan
    return rows


@pytest.fixture(scope="session")
def draft(trees: dict[str, TreeArrays]) -> Manifest:
    """A manifest without version and checksums."""
    rows = draw_rows(32)
    model = build_model(trees, N_FEATURES)
    outputs = run_model(open_session(model), rows)
    head = HeadManifest(
        target="abuse",
        call="return",
        label_source="tenant",
        label="a test",
        horizon_days=120,
        verify_threshold=0.5,
        false_alarm_target=0.01,
        n_trees=3,
        n_train=300,
        n_train_positive=100,
        calibration=PLAIN,
        window=TrainingWindow(train_start_us=0, train_end_us=1, test_start_us=2, test_end_us=3),
        ranges=[],
        metrics=None,
    )
    return Manifest(
        version="",
        created_at="2026-01-01T00:00:00+00:00",
        tenant="shop",
        schema_hash=SCHEMA_HASH,
        schema=list(FEATURE_NAMES),
        embedder=EMBEDDER,
        heads=[head],
        golden=Golden(
            rows=[[None if np.isnan(v) else v for v in row] for row in rows.tolist()],
            outputs={name: values.tolist() for name, values in outputs.items()},
        ),
        files={},
        log_created_by="a test",
        log_incarnation="",
        simulated_log_incarnation="",
        seed=1,
        libraries={},
    )


@pytest.fixture(scope="session")
def files(trees: dict[str, TreeArrays]) -> dict[str, bytes]:
    """Its files but the manifest."""
    return {
        MODEL_FILE: build_model(trees, N_FEATURES),
        TREES_FILE: encode_trees(trees),
        "MODEL_CARD.md": b"# A test\n",
        "report/abuse__return.png": b"\x89PNG",
    }


@pytest.fixture
def bundle(tmp_path: Path, draft: Manifest, files: dict[str, bytes]) -> Path:
    """The folder of a whole bundle, which the link `current` names."""
    folder, _ = write_bundle(tmp_path / "bundles", draft, files)
    point_to(folder.parent, folder.name)
    return folder


@pytest.fixture
def reseal(bundle: Path) -> Callable[..., None]:
    """Change manifest fields or files and make checksums and version fit again.

    What is refused then is refused for what it holds, not for its checksum.
    """

    def seal(contents: dict[str, bytes] | None = None, **fields: object) -> None:
        manifest = load_manifest(bundle)
        for name, content in (contents or {}).items():
            (bundle / name).write_bytes(content)
        sums = {
            name: hashlib.sha256((bundle / name).read_bytes()).hexdigest()
            for name in manifest.files
            if (bundle / name).exists()
        }
        changed = msgspec.structs.replace(manifest, files=sums, **fields)
        whole = msgspec.structs.replace(changed, version=compute_version(changed))
        (bundle / MANIFEST_FILE).write_bytes(encode_manifest(whole))

    return seal
