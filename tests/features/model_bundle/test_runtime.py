"""ONNX Runtime is loaded without its telemetry, and through one module only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_loading_a_model_writes_no_trace_of_telemetry(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home")}
    for name in ("tmp", "home"):
        (tmp_path / name).mkdir()
    code = "import scoring.model, features.model_bundle.runtime as r; r.ort.get_all_providers()"
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=True)
    left = {path.name for path in tmp_path.rglob("*")} - {"tmp", "home"}
    assert not {name for name in left if name == ".ses" or "onnxruntime" in name}


def test_only_the_runtime_module_imports_the_library() -> None:
    imports = re.compile(r"^\s*(?:import|from) onnxruntime\b", re.MULTILINE)
    packages = ("hemostat", "features", "scoring", "stream", "training", "benchmarks")
    found = [
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if imports.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["features/model_bundle/runtime.py"]
