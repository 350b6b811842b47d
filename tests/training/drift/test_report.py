"""A look at drift: a bundle's reference against the cases of a feature log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.serving.synthetic import draw_rows
from features.definitions import FEATURE_NAMES, SCHEMA_HASH
from features.errors import ConfigError, MissingModelError, SchemaMismatchError
from features.log.feature_log import MANIFEST_NAME, FeatureLogManifest
from features.model_bundle import read_bundle
from hemostat.cli.drift_command import EXIT_DRIFTED
from hemostat.cli.main import EXIT_USER_ERROR, main
from tests.training.registry.small_models import HEAD, ModelMaker, make_small_lineage, to_us
from training.bundle_writing import write_bundle
from training.drift.reference import REFERENCE_FILE, CallCases, encode_reference, make_reference
from training.drift.report import DriftOptions, DriftReport, measure_drift, read_reference
from training.onnx_export import open_session, run_model
from training.registry.lineage import LINEAGE_FILE, encode_lineage

Rows = npt.NDArray[np.float32]
CUT = "2025-06-01"
DAY_US = 86_400_000_000
MOVED_COLUMN = 3
WriteLog = Callable[..., Path]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Cases of 1,500 customers, two each; the later half of them after the cut."""
    return draw_rows(5, 3_000)


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    return ModelMaker(tmp_path_factory.mktemp("template") / "bundle")


@pytest.fixture(scope="module")
def bundle(make_model: ModelMaker, rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a reference of these cases."""
    out = tmp_path_factory.mktemp("bundles")
    plain = read_bundle(out / make_model(out))
    session = open_session(plain.model)
    n = len(rows)
    time_us = to_us(CUT) + (np.arange(n) - n // 2) * 1_000
    reference = make_reference(
        CallCases(rows, time_us, np.arange(n) // 2),
        to_us(CUT),
        FEATURE_NAMES,
        [HEAD],
        lambda some: run_model(session, some),
    )
    assert reference is not None
    files = {name: (plain.folder / name).read_bytes() for name in plain.manifest.files}
    files[LINEAGE_FILE] = encode_lineage(make_small_lineage())
    files[REFERENCE_FILE] = encode_reference({"return": reference})
    return write_bundle(out, make_model.draft(cut=CUT), files)[0]


@pytest.fixture
def write_log(tmp_path: Path) -> WriteLog:
    """Writes a feature log of rows, one day after the cut, a customer for every two of them."""

    def write(rows: Rows, *, schema: str = SCHEMA_HASH, **columns: list[object]) -> Path:
        n = len(rows)
        known = pa.array([to_us(CUT) + DAY_US] * n, pa.int64()).cast(pa.timestamp("us", "UTC"))
        envelope = {
            "tenant": ["shop"] * n,
            "call": ["return"] * n,
            "moment": ["case"] * n,
            "customer_key": [(place // 2).to_bytes(16, "little") for place in range(n)],
            **columns,
        }
        table = {name: pa.array(values) for name, values in envelope.items()}
        table["known_time"] = known
        table.update({name: pa.array(rows[:, k]) for k, name in enumerate(FEATURE_NAMES)})
        log = tmp_path / "features"
        (log / "day=2025-06-02").mkdir(parents=True)
        pq.write_table(pa.table(table), log / "day=2025-06-02" / "part-000000.parquet")
        manifest = FeatureLogManifest("i", schema, FEATURE_NAMES, n)
        (log / MANIFEST_NAME).write_bytes(msgspec.json.encode(manifest))
        return log

    return write


def _move(rows: Rows) -> Rows:
    moved = rows.copy()
    moved[:, MOVED_COLUMN] = np.nanmax(rows[:, MOVED_COLUMN]) + 1.0
    return moved


def _measure(
    bundle: Path, log: Path, from_us: int | None = None, until_us: int | None = None
) -> DriftReport:
    return measure_drift(DriftOptions(bundle, log, from_us=from_us, until_us=until_us))


def test_the_same_kind_of_cases_is_stable(bundle: Path, write_log: WriteLog) -> None:
    report = _measure(bundle, write_log(draw_rows(6, 3_000)))
    (call,) = report.calls
    assert (call.call, call.n_cases, call.n_customers) == ("return", 3_000, 1_500)
    assert {one.state for one in (*call.columns, *call.scores)} == {"stable"}
    assert {one.name for one in call.columns} == set(FEATURE_NAMES)
    assert [one.name for one in call.scores] == [HEAD]
    assert not report.has_drifted
    assert report.from_day == CUT


def test_a_column_that_moved_stands_first_and_is_told(
    bundle: Path, write_log: WriteLog, rows: Rows
) -> None:
    report = _measure(bundle, write_log(_move(rows)))
    (call,) = report.calls
    assert call.columns[0].name == FEATURE_NAMES[MOVED_COLUMN]
    assert call.columns[0].state == "drifted"
    assert call.columns[0].missing_before > call.columns[0].missing_now == 0.0
    assert [one.state for one in call.columns[1:]].count("drifted") == 0
    assert report.has_drifted


def test_few_customers_raise_no_alarm(bundle: Path, write_log: WriteLog) -> None:
    report = _measure(bundle, write_log(draw_rows(6, 20)))
    assert not report.has_drifted
    assert any(one.state == "too few" for one in report.calls[0].columns)


def test_moments_of_labels_and_other_tenants_are_left_out(
    bundle: Path, write_log: WriteLog, rows: Rows
) -> None:
    n = len(rows)
    moments = ["case", "label"] * (n // 2)
    tenants = ["shop"] * (n // 2) + ["bazaar"] * (n // 2)
    report = _measure(bundle, write_log(_move(rows), moment=moments, tenant=tenants))
    assert report.calls[0].n_cases == n // 4


def test_each_case_of_a_guest_is_a_customer(bundle: Path, write_log: WriteLog, rows: Rows) -> None:
    report = _measure(bundle, write_log(rows, customer_key=[b""] * len(rows)))
    assert report.calls[0].n_customers == len(rows)


def test_a_time_without_cases_is_told(bundle: Path, write_log: WriteLog, rows: Rows) -> None:
    log = write_log(rows[:10])
    for options in ({"from_us": to_us("2025-07-01")}, {"until_us": to_us("2025-06-02")}):
        with pytest.raises(ConfigError, match="no case to look at"):
            _measure(bundle, log, **options)


def test_other_features_are_refused(bundle: Path, write_log: WriteLog, rows: Rows) -> None:
    with pytest.raises(SchemaMismatchError, match="other features"):
        _measure(bundle, write_log(rows[:10], schema="another"))


def test_a_bundle_without_a_reference_says_to_train_again(
    make_model: ModelMaker, tmp_path: Path
) -> None:
    with pytest.raises(MissingModelError, match="train again"):
        read_reference(read_bundle(tmp_path / make_model(tmp_path)))


def test_the_command_ends_with_code_6_only_if_something_drifted(
    bundle: Path,
    write_log: WriteLog,
    rows: Rows,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # Narrow tables cut names.
    log = write_log(_move(rows))
    assert main(["drift", str(bundle), str(log), "--json"]) == EXIT_DRIFTED
    found = msgspec.json.decode(capsys.readouterr().out)
    assert found["calls"][0]["columns"][0]["state"] == "drifted"
    assert len(found["calls"][0]["columns"]) == len(FEATURE_NAMES)
    lenient = ["drift", str(bundle), str(log), "--drifted", "100", "--moved", "50"]
    assert main([*lenient, "--top", "3"]) == 0
    text = capsys.readouterr().out
    assert FEATURE_NAMES[MOVED_COLUMN] in text
    assert main(["drift", str(bundle), str(log), "--from", "2026-01-01"]) == EXIT_USER_ERROR
