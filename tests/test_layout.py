"""The style rules that a machine can check: sizes, names, what may be imported or named where."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hemostat", "features", "scoring", "stream", "training", "benchmarks", "tests")
MAX_MODULE_LINES = 400  # exclusive
MAX_FUNCTION_LINES = 70  # without the docstring
# Words that say nothing about what a thing is.
EMPTY_WORDS = frozenset(
    """base bases common data engine engines handler handlers helper helpers info manager managers
    process processes util utils""".split()  # noqa: SIM905 -- a list of words reads best as words
)
# Loading these runs whatever code the file holds.
PICKLES = frozenset({"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"})
# An install must take the user's own index.
INDEX_HOST = re.compile(
    r"""--(?:extra-)?index-url[= ]\S|--find-links[= ]\S|^\s*-[if]\s+\S+://"""
    r"""|registry\s*=\s*["']?https?://|"resolved":\s*"https?://""",
    re.MULTILINE,
)

NO_TEXT = frozenset({".pyc", ".png", ".nbi", ".nbc", ".parquet", ".onnx", ".npz", ".mdb"})


def _find_modules(*packages: str) -> list[Path]:
    """Return the Python files of the packages, generated code left out."""
    files = (file for name in packages for file in (ROOT / name).rglob("*.py"))
    return sorted(file for file in files if "_pb2" not in file.name)


def _show(file: Path, line: int = 0) -> str:
    return f"{file.relative_to(ROOT)}" + (f":{line}" if line else "")


def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _count_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function from its `def` on, docstring left out."""
    n_lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        docstring = function.body[0]
        n_lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return n_lines


def _split_words(name: str) -> set[str]:
    """Return the words of a snake_case or CamelCase name, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def _find_imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the top-level package of every import and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0], node.lineno


def test_modules_stay_short() -> None:
    long = {
        _show(file): n_lines
        for file in _find_modules(*PACKAGES)
        if (n_lines := len(file.read_text(encoding="utf-8").splitlines())) >= MAX_MODULE_LINES
    }
    assert long == {}


def test_functions_stay_short() -> None:
    long = {
        f"{_show(file, node.lineno)} {node.name}": n_lines
        for file in _find_modules(*PACKAGES)
        for node in ast.walk(_parse(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (n_lines := _count_lines(node)) > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_names_of_modules_and_classes_say_what_they_are() -> None:
    empty = [
        f"{_show(file)}: {', '.join(words)}"
        for file in _find_modules(*PACKAGES)
        if (words := _split_words(file.stem) & EMPTY_WORDS)
    ]
    empty += [
        f"{_show(file, node.lineno)} {node.name}: {', '.join(words)}"
        for file in _find_modules(*PACKAGES)
        for node in ast.walk(_parse(file))
        if isinstance(node, ast.ClassDef) and (words := _split_words(node.name) & EMPTY_WORDS)
    ]
    assert empty == []


def test_serving_loads_no_pickle() -> None:
    found = [
        f"{_show(file, line)} imports {package}"
        for file in _find_modules("hemostat", "features", "scoring")
        for package, line in _find_imports(_parse(file))
        if package in PICKLES
    ]
    assert found == []


def test_test_folders_are_no_packages() -> None:
    # With importmode=importlib two test files may share a name only if their folders are none.
    assert [_show(file) for file in (ROOT / "tests").rglob("__init__.py")] == []


def test_no_committed_file_names_a_package_index() -> None:
    files = [file for file in ROOT.iterdir() if file.is_file()]
    for folder in ("docs", "deploy", ".ci", *PACKAGES):
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file()]
    found = []
    for file in files:
        if file.suffix in NO_TEXT or file == Path(__file__):  # This file holds samples.
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if match := INDEX_HOST.search(text):
            found.append(f"{_show(file)}: {match[0].strip()}")
    assert found == []
    assert not (ROOT / "uv.lock").exists(), "uv.lock records index hosts; use requirements.lock"


@pytest.mark.parametrize(
    "line", ["--index-url https://x/simple", "pip install --find-links=/x", "-i https://x/simple"]
)
def test_an_index_host_would_be_found(line: str) -> None:
    assert INDEX_HOST.search(f"numpy==1\n{line}\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("DataSource", {"data", "source"}),
        ("lmdb_store", {"lmdb", "store"}),
        ("HTTPHandler", {"http", "handler"}),
        ("Dataset", {"dataset"}),
    ],
)
def test_words_of_a_name(name: str, words: set[str]) -> None:
    assert _split_words(name) == words
