"""The manifest's JSON is exact, and its version is its content."""

from __future__ import annotations

import msgspec
import numpy as np

from features.model_bundle import (
    Manifest,
    TreeArrays,
    compute_version,
    decode_manifest,
    encode_manifest,
    encode_trees,
    to_rows,
)


def test_a_manifest_survives_its_json(draft: Manifest) -> None:
    assert decode_manifest(encode_manifest(draft)) == draft


def test_golden_rows_are_float32_to_the_last_bit(draft: Manifest) -> None:
    rows = to_rows(draft.golden)
    again = to_rows(decode_manifest(encode_manifest(draft)).golden)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, again)
    assert np.isnan(rows).any()


def test_the_version_is_the_content_and_not_the_time(draft: Manifest) -> None:
    later = msgspec.structs.replace(draft, created_at="2027-01-01T00:00:00+00:00", version="x")
    assert compute_version(later) == compute_version(draft)
    for change in ({"seed": 2}, {"files": {"model.onnx": "0"}}, {"tenant": "other"}):
        assert compute_version(msgspec.structs.replace(draft, **change)) != compute_version(draft)


def test_equal_trees_are_equal_bytes(trees: dict[str, TreeArrays]) -> None:
    assert encode_trees(trees) == encode_trees(dict(trees))
