"""Where a model comes from: `lineage.json` in the bundle, under the manifest's checksums.

Logs by the hash of what their manifests say, code by the hash of its sources, and the
parameters. Which model was champion when this one was trained, its parent, stands in
the journal: the same log, options and code give the same bundle whoever served then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from features.errors import MissingModelError
from features.log.manifest import LogManifest

LINEAGE_FILE = "lineage.json"
LINEAGE_VERSION = 1
_PACKAGES = ("features", "training")


class LogLineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A log that taught the model.

    Attributes:
        role: `tenant`, or `simulated` for heads that the tenant's log cannot teach.
        data_sha256: See `compute_data_hash`.
        incarnation: Which log.
        created_by: What wrote it.
        n_read: Rows read of it.
        n_rejected: Rows that the acceptance rules refused.
        n_repeated: Rows that told an event again.
        cut_us: When the model was born; microseconds UTC.
    """

    role: str
    data_sha256: str
    incarnation: str
    created_by: str
    n_read: int
    n_rejected: int
    n_repeated: int
    cut_us: int


class HeadParity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a head's graph compared with XGBoost on the test split."""

    head: str
    n_rows: int
    max_difference: float
    n_changed_hints: int


class Lineage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decided the model.

    Attributes:
        logs: The tenant's log, then the simulated one, if any.
        lines_sha256: Of the side table of order lines; empty: none.
        code_version: Of hemostat.
        code_sha256: See `compute_code_hash`.
        seed: Of training.
        parameters: By their names in `training.heads.HeadParameters`.
        parities: Per head.
        lineage_version: Version of this file's form.
        allowed_columns: Columns that the leak gate was told to let pass.
    """

    logs: tuple[LogLineage, ...]
    lines_sha256: str
    code_version: str
    code_sha256: str
    seed: int
    parameters: dict[str, float]
    parities: tuple[HeadParity, ...]
    lineage_version: int = LINEAGE_VERSION
    allowed_columns: tuple[str, ...] = ()


def compute_data_hash(manifest: LogManifest, n_read: int) -> str:
    """Return the hash of what a log's manifest says of its rows, and how many were read.

    The incarnation is a name of the content; a log that grows keeps it, so the rows read
    count, too. The formats and the program that wrote it do not.

    Args:
        manifest: The log's.
        n_read: Rows that training read.
    """
    bare = msgspec.structs.replace(manifest, formats=(), created_by="")
    content = msgspec.json.encode((bare, n_read), order="deterministic")
    return hashlib.sha256(content).hexdigest()


def compute_code_hash(root: Path) -> str:
    """Return the hash of the sources that vectors, labels and trees come from.

    Args:
        root: The folder that holds the packages `features` and `training`.
    """
    found = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            found.update(path.relative_to(root).as_posix().encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def compute_file_hash(path: Path | None) -> str:
    """Return a file's SHA-256; without a file, nothing."""
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()


def make_lineage(
    logs: Sequence[LogLineage],
    *,
    lines: Path | None,
    code_version: str,
    seed: int,
    parameters: dict[str, float],
    parities: Sequence[HeadParity],
    allowed_columns: Sequence[str] = (),
) -> Lineage:
    """Return the lineage of a model made by the code that runs.

    Args:
        logs: What taught it.
        lines: Side table of order lines.
        code_version: Of hemostat.
        seed: Of training.
        parameters: How heads were fitted.
        parities: Per head.
        allowed_columns: Columns that the leak gate was told to let pass.
    """
    return Lineage(
        logs=tuple(logs),
        lines_sha256=compute_file_hash(lines),
        code_version=code_version,
        code_sha256=compute_code_hash(Path(__file__).parent.parent.parent),
        seed=seed,
        parameters=parameters,
        parities=tuple(parities),
        allowed_columns=tuple(sorted(allowed_columns)),
    )


def encode_lineage(lineage: Lineage) -> bytes:
    """Return the lineage as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(lineage), indent=1) + b"\n"


def read_lineage(bundle: Path) -> Lineage | None:
    """Return a bundle's lineage; None: it was made before there was any.

    Raises:
        MissingModelError: It cannot be read.
    """
    path = bundle / LINEAGE_FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lineage)
    except msgspec.DecodeError as error:
        raise MissingModelError(
            "the model's lineage cannot be read",
            field=str(path),
            value=str(error),
            expectation=f"a lineage of version {LINEAGE_VERSION}",
            fix="restore the bundle from a copy, or train again",
        ) from error
