"""A bundle appears whole, and leaves the earlier ones and the one in use alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.definitions import N_FEATURES
from features.errors import ConfigError
from features.model_bundle import MANIFEST_FILE
from training.bundle_writing import make_golden_rows, write_bundle
from training.pipeline import TrainingResult, train_bundle
from training.training_options import TrainingOptions


def test_golden_rows_are_nobodys_case() -> None:
    rows = np.random.default_rng(0).normal(size=(200, N_FEATURES)).astype(np.float32)
    rows[::2, 5] = np.nan
    golden = make_golden_rows(rows, 40, 1)
    np.testing.assert_array_equal(golden, make_golden_rows(rows, 40, 1))
    assert np.isnan(golden[0]).all()
    for column in range(N_FEATURES):
        assert np.isin(golden[1:, column], rows[:, column]).all() or column == 5
    whole = {row.tobytes() for row in rows}
    assert not any(row.tobytes() in whole for row in golden)


def test_a_new_bundle_stands_beside_the_others_and_moves_no_link(
    trained: TrainingResult, tmp_path: Path, simulated_log: Path
) -> None:
    files = {
        path.relative_to(trained.folder).as_posix(): path.read_bytes()
        for path in trained.folder.rglob("*")
        if path.is_file() and path.name != MANIFEST_FILE
    }
    out = tmp_path / "bundles"
    first, manifest = write_bundle(out, trained.manifest, files)
    assert manifest.version == trained.manifest.version
    second, _ = write_bundle(out, trained.manifest, {**files, "MODEL_CARD.md": b"another"})
    assert second != first
    again, _ = write_bundle(out, trained.manifest, files)
    assert again == first
    assert sorted(path.name for path in out.iterdir()) == sorted([first.name, second.name])


def test_nothing_stays_behind_when_the_bundle_fails_its_own_checks(
    trained: TrainingResult, tmp_path: Path
) -> None:
    from features.errors import MissingModelError

    out = tmp_path / "bundles"
    with pytest.raises(MissingModelError):
        write_bundle(out, trained.manifest, {"model.onnx": b"x", "trees.npz": b"y"})
    assert list(out.iterdir()) == []


def test_a_bundle_is_not_written_into_a_bundle_or_a_file(
    trained: TrainingResult, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    for place in (trained.folder, file):
        with pytest.raises(ConfigError, match="--out"):
            write_bundle(place, trained.manifest, {})


def test_training_fails_early_where_the_place_is_taken(simulated_log: Path, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    file = tmp_path / "file"
    file.touch()
    steps: list[str] = []
    with pytest.raises(ConfigError, match="--out"):
        train_bundle(
            TrainingOptions(log=simulated_log, out=file),
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            progress=lambda step, _done, _total: steps.append(step),
        )
    assert not steps
