"""Reads a bundle and refuses one that is not whole, not ours or not for this code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.definitions import FEATURE_NAMES, SCHEMA_HASH
from features.embedding import EMBEDDER
from features.errors import MissingModelError, SchemaMismatchError
from features.model_bundle.manifest import (
    CURRENT,
    GOLDEN_TOLERANCE,
    MANIFEST_FILE,
    MODEL_FILE,
    TREES_FILE,
    Manifest,
    compute_version,
    decode_manifest,
    to_rows,
)
from features.model_bundle.onnx_graph import verify_graph
from features.model_bundle.signing import (
    Trust,
    TrustedKeys,
    read_trusted_keys,
    verify_signature,
)
from features.model_bundle.trees import TreeArrays, decode_trees

MIN_GOLDEN_ROWS = 32
_TRAIN_AGAIN = "run `hemostat train` with this version of hemostat"
_RESTORE = "restore the bundle from a copy, or run `hemostat train` again"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle that passed every check that needs no ONNX runtime.

    Attributes:
        folder: Where it stands, symlinks resolved.
        manifest: What it says of itself.
        model: Content of `model.onnx`: hand these bytes to the runtime, not the path,
            so that what runs is what was checked.
        trees: Per head, for attributions.
        trust: What is known of who made it.
    """

    folder: Path
    manifest: Manifest
    model: bytes
    trees: dict[str, TreeArrays]
    trust: Trust


def resolve_bundle(path: Path) -> Path:
    """Return the folder of the bundle in use: `path` itself, or what its `current` names.

    The symlink is resolved once, here: whoever reads files one after the other
    must not follow a swap in between.

    Raises:
        MissingModelError: There is no bundle.
    """
    for folder in (path, path / CURRENT):
        if (folder / MANIFEST_FILE).is_file():
            return folder.resolve()
    raise MissingModelError(
        "there is no model bundle",
        field="bundle",
        value=str(path),
        expectation=f"a folder with {MANIFEST_FILE}, or with a link `{CURRENT}` to one",
        fix="run `hemostat train LOG --out BUNDLES` first, then name that folder",
    )


def load_manifest(path: Path, trusted: TrustedKeys | None = None) -> Manifest:
    """Return the manifest of a bundle, or of the current one in a folder of bundles.

    Args:
        path: The bundle, or a folder of bundles.
        trusted: Whose signatures count; None: as `HEMOSTAT_TRUSTED_KEYS` says now.

    Raises:
        MissingModelError: There is none, or it cannot be read.
        UntrustedModelError: Keys are configured, and none of them signed it.
        ConfigError: A key that is configured cannot be used.
    """
    return _read_manifest(resolve_bundle(path), trusted)[0]


def read_trust(path: Path, trusted: TrustedKeys | None = None) -> Trust:
    """Return who signed a bundle; its files are not looked at.

    Raises:
        MissingModelError: Its manifest cannot be read.
        UntrustedModelError: Keys are configured, and none of them signed it.
    """
    return _read_manifest(resolve_bundle(path), trusted)[1]


def read_bundle(path: Path, trusted: TrustedKeys | None = None) -> Bundle:
    """Return a bundle whose signature, files, schema, graph and trees were checked.

    Nothing is decoded that was not signed, where keys are configured.

    Args:
        path: The bundle, or a folder of bundles.
        trusted: Whose signatures count; None: as `HEMOSTAT_TRUSTED_KEYS` says now. It is
            the default so that no caller forgets to ask.

    Raises:
        MissingModelError: It is absent, damaged, changed, or holds what export never writes.
        UntrustedModelError: Keys are configured, and none of them signed it as it stands.
        SchemaMismatchError: It was trained with other features or another embedder.
        ConfigError: A key that is configured cannot be used.
    """
    folder = resolve_bundle(path)
    manifest, trust = _read_manifest(folder, trusted)
    _verify_schema(manifest)
    _verify_version(manifest)
    contents = _read_files(folder, manifest)
    heads = [head.name for head in manifest.heads]
    if not heads or len(set(heads)) != len(heads):
        raise _refuse("heads", ", ".join(heads) or "none", "at least one head, each once")
    verify_graph(contents[MODEL_FILE], heads)
    trees = decode_trees(contents[TREES_FILE], heads, len(manifest.schema))
    _verify_golden_form(manifest)
    return Bundle(folder, manifest, contents[MODEL_FILE], trees, trust)


def verify_golden_outputs(
    manifest: Manifest, outputs: Mapping[str, npt.NDArray[np.float32]]
) -> None:
    """Check what the runtime answered to `to_rows(manifest.golden)`.

    Args:
        manifest: The bundle's.
        outputs: Per head, shape `(n_golden,)`.

    Raises:
        MissingModelError: An output is absent, not a probability, or differs by more
            than `GOLDEN_TOLERANCE` from what the trainer saw.
    """
    for head in manifest.heads:
        expected = np.array(manifest.golden.outputs[head.name], np.float64)
        found = outputs.get(head.name)
        if found is None or found.shape != expected.shape:
            shape = "no output" if found is None else f"shape {found.shape}"
            raise _refuse(head.name, shape, f"shape {expected.shape}")
        if not np.isfinite(found).all() or found.min() < 0.0 or found.max() > 1.0:
            raise _refuse(head.name, "an output that is no probability", "values in [0, 1]")
        difference = float(np.abs(found - expected).max())
        if difference > GOLDEN_TOLERANCE:
            raise _refuse(
                head.name,
                f"a golden vector's output differs by {difference:.2e}",
                f"at most {GOLDEN_TOLERANCE:.0e}",
            )


def _read_manifest(folder: Path, trusted: TrustedKeys | None) -> tuple[Manifest, Trust]:
    """Return a manifest and who signed it: of the same bytes, read once."""
    content = (folder / MANIFEST_FILE).read_bytes()
    keys = read_trusted_keys() if trusted is None else trusted
    trust = verify_signature(folder, content, keys)
    return decode_manifest(content), trust


def _verify_schema(manifest: Manifest) -> None:
    own = () if manifest.attributes is None else manifest.attributes.columns
    expected = (*FEATURE_NAMES, *(column.column for column in own))
    parts = (
        ("schema_hash", manifest.schema_hash, SCHEMA_HASH),
        ("embedder", manifest.embedder, EMBEDDER),
        ("schema", f"{len(manifest.schema)} names", f"{len(expected)} names"),
    )
    for field, value, expectation in parts:
        is_other_order = field == "schema" and tuple(manifest.schema) != expected
        if value != expectation or is_other_order:
            raise SchemaMismatchError(
                "the bundle was trained with other features",
                field=field,
                value=value,
                expectation=f"{expectation}, in the order of `hemostat features --list`"
                if is_other_order
                else expectation,
                fix=_TRAIN_AGAIN,
            )


def _verify_version(manifest: Manifest) -> None:
    version = compute_version(manifest)
    if manifest.version != version:
        raise _refuse("version", manifest.version, f"{version}, the hash of its content")


def _read_files(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the content of every listed file, each equal to its checksum."""
    if not {MODEL_FILE, TREES_FILE} <= set(manifest.files):
        raise _refuse("files", "no model or no trees", f"{MODEL_FILE} and {TREES_FILE}")
    contents = {}
    for name, checksum in sorted(manifest.files.items()):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise _refuse("files", name, "a path inside the bundle")
        try:
            contents[name] = (folder / name).read_bytes()
        except OSError as error:
            raise _refuse(name, error.strerror or "unreadable", "a readable file") from error
        found = hashlib.sha256(contents[name]).hexdigest()
        if found != checksum:
            raise _refuse(name, f"sha256 {found[:12]}...", f"sha256 {checksum[:12]}...")
    return contents


def _verify_golden_form(manifest: Manifest) -> None:
    golden = manifest.golden
    n, width = len(golden.rows), len(manifest.schema)
    if n < MIN_GOLDEN_ROWS or any(len(row) != width for row in golden.rows):
        raise _refuse("golden.rows", f"{n} rows", f">= {MIN_GOLDEN_ROWS} of {width} values")
    if not np.isnan(to_rows(golden)).any():
        raise _refuse("golden.rows", "no missing value", "rows with missing values")
    for head in manifest.heads:
        if len(golden.outputs.get(head.name, [])) != n:
            raise _refuse(f"golden.outputs.{head.name}", "other length", f"{n} values")


def _refuse(field: str, value: str, expectation: str) -> MissingModelError:
    return MissingModelError(
        "the model bundle is refused",
        field=field,
        value=value,
        expectation=expectation,
        fix=_RESTORE,
    )
