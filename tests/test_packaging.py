"""What is installed: the lock fits pyproject.toml, the floors fit the generated code, the wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE)
}


def _read_requirements(extra: str = "") -> list[Requirement]:
    """Return the base dependencies, or those of an extra with the extras it names."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    found = []
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            found += [inner for name in requirement.extras for inner in _read_requirements(name)]
        else:
            found.append(requirement)
    return found


def test_the_lock_holds_every_dependency_at_a_version_that_fits() -> None:
    wrong = {
        str(requirement): str(LOCKED.get(canonicalize_name(requirement.name), "absent"))
        for requirement in _read_requirements() + _read_requirements("dev")
        if str(LOCKED.get(canonicalize_name(requirement.name), 0)) not in requirement.specifier
    }
    assert wrong == {}, "requirements.lock is out of date: run `make lock`"


def test_every_locked_package_has_one_version_and_hashes() -> None:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)
    assert len(names) == len(set(names)), "a fork per Python: pin it in [tool.uv]"
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\w)", LOCK) if "==" in entry)


@pytest.mark.parametrize(
    ("package", "file", "pattern"),
    [
        ("grpcio", "scoring_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'"),
        ("protobuf", "scoring_pb2.py", r"# Protobuf Python Version: ([\d.]+)"),
    ],
)
def test_the_oldest_allowed_runtime_accepts_the_generated_code(
    package: str, file: str, pattern: str
) -> None:
    match = re.search(pattern, (ROOT / "hemostat" / "v1" / file).read_text(encoding="utf-8"))
    assert match, f"{file} does not say which {package} it needs"
    requirement = next(each for each in _read_requirements() if each.name == package)
    floor = next(Version(each.version) for each in requirement.specifier if each.operator == ">=")
    assert floor >= Version(match[1])


@pytest.mark.slow
def test_the_wheel_carries_the_packages_and_no_tests_or_benchmarks(tmp_path: Path) -> None:
    source = tmp_path / "source"
    keep_out = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__", "out", "results")
    shutil.copytree(ROOT, source, ignore=keep_out)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    wheel = source / done.stdout.splitlines()[-1]
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"hemostat", "features", "scoring", "stream", "training"}
    assert {"hemostat/py.typed", "hemostat/v1/event_pb2.pyi"} <= set(names)
    policies = {f"scoring/{file.name}" for file in (ROOT / "scoring" / "policies").glob("*.yaml")}
    assert {name.replace("policies/", "") for name in names if "policies/" in name} == policies
