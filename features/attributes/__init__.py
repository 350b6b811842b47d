"""Fields of the retailer's own: declared in a small file, columns of the vector ever after.

Orders, cancel clicks and returns carry them as JSON objects (`attributes`,
`customer_attributes`). `declaration` reads the file, `plan` fixes the columns when a
model is trained, `encoding` makes the columns, the same in training and serving.
"""

from features.attributes.declaration import (
    Attribute,
    AttributeKind,
    AttributePlace,
    Declaration,
    parse_declaration,
)
from features.attributes.encoding import AttributeFault, Encoder, encode_attributes
from features.attributes.parsing import AttributeValue, check_attributes, read_attributes
from features.attributes.plan import AttributeColumn, AttributePlan, build_plan

__all__ = [
    "Attribute",
    "AttributeColumn",
    "AttributeFault",
    "AttributeKind",
    "AttributePlace",
    "AttributePlan",
    "AttributeValue",
    "Declaration",
    "Encoder",
    "build_plan",
    "check_attributes",
    "encode_attributes",
    "parse_declaration",
    "read_attributes",
]
