from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from features.log import schema
from hemostat.v1 import event_pb2


def _walk_names(spec: schema.MessageSpec) -> Iterator[str]:
    for field in spec.fields:
        yield f"{spec.name}.{field.name}"
        if field.message is not None:
            yield from _walk_names(field.message)


def _walk_columns(name: str, column: pa.DataType) -> Iterator[str]:
    if pa.types.is_list(column):
        yield from _walk_columns(name, column.value_type)
    elif pa.types.is_struct(column):
        for field in column:
            yield field.name
            yield from _walk_columns(field.name, field.type)


def test_every_kind_of_the_proto_has_a_struct_column() -> None:
    oneof = event_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"]
    kinds = [field.name for field in oneof.fields]
    assert list(schema.EVENT_KINDS) == kinds
    assert [n for n in schema.EVENT_SCHEMA.names if n in kinds] == kinds


def test_no_column_of_the_log_can_hold_a_raw_text() -> None:
    columns = {
        name
        for field in schema.EVENT_SCHEMA
        for name in [field.name, *_walk_columns(field.name, field.type)]
    }
    assert "embedding" in columns
    assert "text" not in columns
    assert "Reason.text" in set(_walk_names(schema.EVENT_SPEC))


def test_optional_scalars_can_be_absent_and_plain_ones_cannot() -> None:
    line = next(
        field.message for field in schema.KIND_SPECS["order_placed"].fields if field.name == "lines"
    )
    assert line is not None
    is_nullable = {field.name: field.is_nullable for field in line.fields}
    assert is_nullable["unit_cost_minor"]
    assert not is_nullable["unit_price_minor"]


def _make_message(field_type: FieldDescriptorProto.Type.ValueType, *, repeated: bool) -> Descriptor:
    file = FileDescriptorProto(name="probe.proto", syntax="proto3")
    field = file.message_type.add(name="Probe").field.add(name="odd", number=1, type=field_type)
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    pool = DescriptorPool()
    pool.Add(file)
    found: FileDescriptor = pool.FindFileByName("probe.proto")
    return found.message_types_by_name["Probe"]


@pytest.mark.parametrize(
    ("field_type", "repeated"),
    [(FieldDescriptorProto.TYPE_FLOAT, False), (FieldDescriptorProto.TYPE_STRING, True)],
)
def test_a_proto_field_that_no_column_exists_for_is_refused_by_name(
    field_type: FieldDescriptorProto.Type.ValueType, repeated: bool
) -> None:
    with pytest.raises(TypeError, match="odd"):
        schema._build_message(_make_message(field_type, repeated=repeated))
