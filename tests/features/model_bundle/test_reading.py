"""A whole bundle is read; whatever was changed in it is refused, saying what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from features.definitions import FEATURE_NAMES
from features.errors import HemostatError, MissingModelError, SchemaMismatchError
from features.model_bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    TREES_FILE,
    Golden,
    TreeArrays,
    encode_manifest,
    encode_trees,
    load_manifest,
    read_bundle,
    resolve_bundle,
    to_rows,
    verify_golden_outputs,
)
from training.onnx_export import open_session, run_model

HEAD = "abuse__return"
Reseal = Callable[..., None]


def _read_and_run(bundle: Path) -> None:
    """Do all checks that a server does."""
    found = read_bundle(bundle)
    outputs = run_model(open_session(found.model), to_rows(found.manifest.golden))
    verify_golden_outputs(found.manifest, outputs)


def test_a_whole_bundle_passes_every_check(bundle: Path) -> None:
    _read_and_run(bundle)
    found = read_bundle(bundle.parent)
    assert found.folder == bundle.resolve()
    assert [head.name for head in found.manifest.heads] == [HEAD]
    assert found.trees[HEAD].n_trees == 3


def test_a_folder_of_bundles_leads_to_the_current_one(bundle: Path) -> None:
    assert resolve_bundle(bundle.parent) == bundle.resolve()
    assert load_manifest(bundle.parent).version.startswith(bundle.name)


def test_a_place_without_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingModelError, match="hemostat train"):
        resolve_bundle(tmp_path)


@pytest.mark.parametrize(
    "name", [MODEL_FILE, TREES_FILE, "MODEL_CARD.md", "report/abuse__return.png"]
)
def test_a_changed_file_is_refused_by_its_name(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(bytes(content))
    with pytest.raises(MissingModelError, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize("name", [MODEL_FILE, TREES_FILE, "MODEL_CARD.md"])
def test_an_absent_file_is_refused_by_its_name(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(MissingModelError, match=name):
        read_bundle(bundle)


def test_a_changed_manifest_is_refused(bundle: Path) -> None:
    manifest = load_manifest(bundle)
    head = msgspec.structs.replace(manifest.heads[0], verify_threshold=0.9)
    changed = msgspec.structs.replace(manifest, heads=[head])
    (bundle / MANIFEST_FILE).write_bytes(encode_manifest(changed))
    with pytest.raises(MissingModelError, match="version"):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 1}'])
def test_a_manifest_that_is_none_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(MissingModelError, match=r"manifest\.json"):
        read_bundle(bundle)


def test_a_manifest_with_unknown_fields_is_refused(bundle: Path) -> None:
    text = (bundle / MANIFEST_FILE).read_text().replace('"seed"', '"sede": 1, "seed"')
    (bundle / MANIFEST_FILE).write_text(text)
    with pytest.raises(MissingModelError, match="sede"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_hash", "0123456789abcdef"),
        ("embedder", "other-v1"),
        ("schema", [*FEATURE_NAMES[1:], FEATURE_NAMES[0]]),
    ],
)
def test_other_features_are_refused(
    bundle: Path, reseal: Reseal, field: str, value: object
) -> None:
    reseal(**{field: value})
    with pytest.raises(SchemaMismatchError, match=field):
        read_bundle(bundle)


def test_a_golden_vector_that_fails_is_refused(bundle: Path, reseal: Reseal) -> None:
    golden = load_manifest(bundle).golden
    outputs = {HEAD: [golden.outputs[HEAD][0] + 1e-4, *golden.outputs[HEAD][1:]]}
    reseal(golden=Golden(rows=golden.rows, outputs=outputs))
    with pytest.raises(MissingModelError, match="golden"):
        _read_and_run(bundle)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_an_output_that_is_no_probability_is_refused(bundle: Path, value: float) -> None:
    manifest = load_manifest(bundle)
    found = np.array(manifest.golden.outputs[HEAD], np.float32)
    found[3] = value
    with pytest.raises(MissingModelError, match="no probability"):
        verify_golden_outputs(manifest, {HEAD: found})


def test_an_absent_output_is_refused(bundle: Path) -> None:
    with pytest.raises(MissingModelError, match="no output"):
        verify_golden_outputs(load_manifest(bundle), {})


def test_too_few_golden_rows_or_none_with_missing_values_are_refused(
    bundle: Path, reseal: Reseal
) -> None:
    golden = load_manifest(bundle).golden
    reseal(golden=Golden(rows=golden.rows[:5], outputs={HEAD: golden.outputs[HEAD][:5]}))
    with pytest.raises(MissingModelError, match="5 rows"):
        read_bundle(bundle)
    filled: list[list[float | None]] = [[v or 0.0 for v in row] for row in golden.rows]
    reseal(golden=Golden(rows=filled, outputs=golden.outputs))
    with pytest.raises(MissingModelError, match="missing"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd"])
def test_a_file_outside_the_bundle_is_not_read(bundle: Path, reseal: Reseal, name: str) -> None:
    reseal()
    manifest = load_manifest(bundle)
    from features.model_bundle import compute_version

    listed = msgspec.structs.replace(manifest, files={**manifest.files, name: "0" * 64})
    whole = msgspec.structs.replace(listed, version=compute_version(listed))
    (bundle / MANIFEST_FILE).write_bytes(encode_manifest(whole))
    with pytest.raises(MissingModelError, match="inside the bundle"):
        read_bundle(bundle)


def _edit(model: bytes, edit: Callable[[onnx.ModelProto], None]) -> bytes:
    proto = onnx.load_from_string(model)
    edit(proto)
    return bytes(proto.SerializeToString())


def _add_operator(proto: onnx.ModelProto) -> None:
    proto.graph.node.append(helper.make_node("Identity", ["features"], ["copy"]))


def _add_external_tensor(proto: onnx.ModelProto) -> None:
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../weights.bin")
    proto.graph.initializer.append(tensor)


def _add_external_attribute(proto: onnx.ModelProto) -> None:
    tensor = TensorProto(name="outside", data_type=TensorProto.FLOAT, dims=[1])
    tensor.external_data.add(key="location", value="weights.bin")
    proto.graph.node[0].attribute.append(helper.make_attribute("base_values_as_tensor", tensor))


def _add_function(proto: onnx.ModelProto) -> None:
    proto.functions.append(
        helper.make_function("local", "f", ["x"], ["y"], [], [helper.make_opsetid("", 21)])
    )


def _rename_input(proto: onnx.ModelProto) -> None:
    proto.graph.input[0].name = "rows"


def _rename_output(proto: onnx.ModelProto) -> None:
    proto.graph.output[0].name = "abuse__order"


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (_add_operator, "Identity"),
        (_add_external_tensor, "outside the file"),
        (_add_external_attribute, "outside the file"),
        (_add_function, "functions"),
        (_rename_input, "inputs rows"),
        (_rename_output, "outputs abuse__order"),
    ],
)
def test_a_graph_that_export_never_writes_is_refused(
    bundle: Path, reseal: Reseal, edit: Callable[[onnx.ModelProto], None], fault: str
) -> None:
    reseal({MODEL_FILE: _edit((bundle / MODEL_FILE).read_bytes(), edit)})
    with pytest.raises(MissingModelError, match=fault):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x3a\xff\xff\xff\xff\xff\xff"])
def test_bytes_that_are_no_graph_are_refused(bundle: Path, reseal: Reseal, content: bytes) -> None:
    reseal({MODEL_FILE: content})
    with pytest.raises(MissingModelError, match="not an ONNX model"):
        read_bundle(bundle)


def test_a_graph_cut_anywhere_is_refused_or_whole(files: dict[str, bytes]) -> None:
    from features.model_bundle import verify_graph

    model = files[MODEL_FILE]
    verify_graph(model, [HEAD])
    for size in range(0, len(model), 97):
        with pytest.raises(MissingModelError):
            verify_graph(model[:size], [HEAD])


def _set(name: str, place: int, value: float) -> Callable[[TreeArrays], TreeArrays]:
    def change(trees: TreeArrays) -> TreeArrays:
        from dataclasses import replace

        array = getattr(trees, name).copy()
        array[place] = value
        return replace(trees, **{name: array})

    return change


def _bend(at: list[float], to: list[float]) -> Callable[[TreeArrays], TreeArrays]:
    def change(trees: TreeArrays) -> TreeArrays:
        from dataclasses import replace

        return replace(trees, knot_at=np.array(at, np.float32), knot_to=np.array(to, np.float32))

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_set("value", -1, np.nan), "not finite"),
        (_set("base", 0, np.inf), "not finite"),
        (_set("threshold", 0, np.nan), "threshold"),
        (_set("feature", 0, 10_000), "column"),
        (_set("feature", 0, -2), "column"),
        (_set("left", 0, 0), "before its parent"),
        (_set("right", 0, 10_000), "outside its tree"),
        (_set("tree_start", 1, 0), "tree_start"),
        (_bend([0.0, 1.0], [0.0]), "differ in number"),
        (_bend([0.0], [0.0]), "there is one"),
        (_bend([0.0, 0.0], [0.0, 1.0]), "do not rise"),
        (_bend([0.0, 1.0], [1.0, 0.5]), "do not rise"),
        (_bend([0.0, np.inf], [0.0, 1.0]), "do not rise"),
    ],
)
def test_trees_that_a_walk_could_leave_are_refused(
    bundle: Path,
    reseal: Reseal,
    trees: dict[str, TreeArrays],
    change: Callable[[TreeArrays], TreeArrays],
    fault: str,
) -> None:
    reseal({TREES_FILE: encode_trees({HEAD: change(trees[HEAD])})})
    with pytest.raises(MissingModelError, match=fault):
        read_bundle(bundle)


def test_trees_of_another_head_or_none_are_refused(
    bundle: Path, reseal: Reseal, trees: dict[str, TreeArrays]
) -> None:
    for content in (encode_trees({"other": trees[HEAD]}), b"PK", b""):
        reseal({TREES_FILE: content})
        with pytest.raises(MissingModelError, match="trees"):
            read_bundle(bundle)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_trees_cut_short_are_refused_and_no_fault_of_an_archive_escapes(
    bundle: Path, reseal: Reseal, share: float
) -> None:
    content = (bundle / TREES_FILE).read_bytes()
    reseal({TREES_FILE: content[: int(len(content) * share)]})
    with pytest.raises(MissingModelError):
        read_bundle(bundle)


def test_every_refusal_says_how_to_mend_it(bundle: Path) -> None:
    (bundle / MODEL_FILE).write_bytes(b"")
    with pytest.raises(HemostatError) as caught:
        read_bundle(bundle)
    assert caught.value.fix
    assert caught.value.expectation
