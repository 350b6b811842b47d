"""What stands in an ONNX file, read without any ONNX library.

Serving has ONNX Runtime, which runs a graph but does not show it. A bundle must
hold only the operators that export writes, no subgraphs or functions and no
tensor kept in another file; this module walks the protobuf wire format for just
that. Field numbers: onnx.proto of ONNX IR version 10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from features.errors import MissingModelError

ALLOWED_OPERATORS = frozenset(
    {"ai.onnx.ml.TreeEnsembleRegressor", "Reshape", "Sigmoid", "Sub", "Relu", "MatMul", "Add"}
)

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 11, 12, 15
_NODE_ATTRIBUTE, _NODE_OPERATOR, _NODE_DOMAIN = 5, 4, 7
_ATTRIBUTE_TENSORS = frozenset({5, 10})
_ATTRIBUTE_SUBGRAPHS = frozenset({6, 11})
_ATTRIBUTE_SPARSE = frozenset({22, 23})
_TENSOR_EXTERNAL = frozenset({13, 14})
_VALUE_NAME = 1


@dataclass(frozen=True, slots=True)
class GraphSummary:
    """What a graph consists of.

    Attributes:
        operators: `domain.operator` (no domain: standard) of all nodes, each once.
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        has_external_tensor: Some tensor's values may stand in another file.
        has_nested_code: There are functions or subgraphs.
    """

    operators: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    has_external_tensor: bool
    has_nested_code: bool


def summarize_graph(model: bytes) -> GraphSummary:
    """Return what stands in an ONNX model.

    Raises:
        MissingModelError: The bytes are not one well-formed model.
    """
    try:
        return _summarize(model)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise _refuse(f"not an ONNX model: {error}") from error


def verify_graph(model: bytes, outputs: Sequence[str]) -> None:
    """Check that a model is one that export writes, with just these outputs.

    Raises:
        MissingModelError: Unknown operators, external tensors, functions, subgraphs,
            other inputs than `features`, or other outputs than the manifest's heads.
    """
    summary = summarize_graph(model)
    unknown = summary.operators - ALLOWED_OPERATORS
    if unknown:
        raise _refuse(f"unknown operators {', '.join(sorted(unknown))}")
    if summary.has_external_tensor:
        raise _refuse("a tensor outside the file")
    if summary.has_nested_code:
        raise _refuse("functions or subgraphs")
    if summary.inputs != ("features",):
        raise _refuse(f"inputs {', '.join(summary.inputs)}")
    if sorted(summary.outputs) != sorted(outputs):
        raise _refuse(f"outputs {', '.join(summary.outputs)}")


def _summarize(model: bytes) -> GraphSummary:
    fields = list(_iterate_fields(model))
    graphs = [value for number, value in fields if number == _MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs")
    graph = list(_iterate_fields(graphs[0]))
    nodes = [list(_iterate_fields(value)) for number, value in graph if number == _GRAPH_NODE]
    attributes = [
        list(_iterate_fields(value))
        for node in nodes
        for number, value in node
        if number == _NODE_ATTRIBUTE
    ]
    parts = [part for attribute in attributes for part in attribute]
    tensors = [value for number, value in graph if number == _GRAPH_INITIALIZER]
    tensors += [value for number, value in parts if number in _ATTRIBUTE_TENSORS]
    return GraphSummary(
        operators=frozenset(_read_operator(node) for node in nodes),
        inputs=_read_names(graph, _GRAPH_INPUT),
        outputs=_read_names(graph, _GRAPH_OUTPUT),
        has_external_tensor=any(_is_external(tensor) for tensor in tensors)
        or any(number == _GRAPH_SPARSE for number, _ in graph)
        or any(number in _ATTRIBUTE_SPARSE for number, _ in parts),
        has_nested_code=any(number == _MODEL_FUNCTIONS for number, _ in fields)
        or any(number in _ATTRIBUTE_SUBGRAPHS for number, _ in parts),
    )


def _read_operator(node: list[tuple[int, bytes | None]]) -> str:
    parts = {n: v.decode() for n, v in node if v and n in {_NODE_OPERATOR, _NODE_DOMAIN}}
    domain, operator = parts.get(_NODE_DOMAIN, ""), parts.get(_NODE_OPERATOR, "")
    return f"{domain}.{operator}" if domain not in {"", "ai.onnx"} else operator


def _read_names(graph: list[tuple[int, bytes | None]], wanted: int) -> tuple[str, ...]:
    return tuple(
        name.decode()
        for number, value in graph
        if number == wanted
        for field, name in _iterate_fields(value)
        if field == _VALUE_NAME and name is not None
    )


def _is_external(tensor: bytes | None) -> bool:
    # `data_location` is refused whatever it says: export never writes it.
    return any(number in _TENSOR_EXTERNAL for number, _ in _iterate_fields(tensor))


def _iterate_fields(message: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """Yield (field number, content) of a protobuf message; content is None for numbers.

    Raises:
        ValueError: The message is cut or has a wire type that proto3 does not write.
    """
    if message is None:
        raise ValueError("a number where a message belongs")
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        content: bytes | None = None
        match tag & 7:
            case 0:
                _, place = _read_varint(message, place)
            case 1:
                place += 8
            case 2:
                size, place = _read_varint(message, place)
                content = message[place : place + size]
                place += size
            case 5:
                place += 4
            case other:
                raise ValueError(f"wire type {other}")
        if place > len(message):
            raise ValueError("the file is cut")
        yield tag >> 3, content


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("the file is cut")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
    raise ValueError("a number without an end")


def _refuse(reason: str) -> MissingModelError:
    return MissingModelError(
        "the bundle's graph is not one that hemostat exports",
        field="model.onnx",
        value=reason,
        expectation=f"`features` to the manifest's heads by {', '.join(sorted(ALLOWED_OPERATORS))}",
        fix="train again, or restore the bundle from a copy",
    )
