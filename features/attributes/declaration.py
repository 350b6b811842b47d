"""The file that declares a retailer's own fields: `attributes.yaml`, strict.

```yaml
version: 1
attributes:
  - {name: lead_time, of: order, type: number, unit: days}
  - {name: deposit, of: order, type: category, max_categories: 8, min_count: 50}
  - {name: is_member, of: customer, type: flag, en: member, zh_cn: 会员}
```
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import ConfigError
from features.spelling import suggest
from features.strict_yaml import parse_yaml

DECLARATION_FILE = "attributes.yaml"
"""Its name beside a log or in a bundle."""
MAX_ATTRIBUTES = 200

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


class AttributeKind(StrEnum):
    """What values an attribute has."""

    NUMBER = "number"
    CATEGORY = "category"
    FLAG = "flag"


class AttributePlace(StrEnum):
    """Which field of which event holds an attribute."""

    ORDER = "order"
    CANCELLATION = "cancellation"
    RETURN = "return"
    CUSTOMER = "customer"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Attribute(_Strict):
    """One field of the retailer's own.

    Attributes:
        name: Its key in the JSON object, and `attr_<name>` as a column.
        place: Where it is told; `customer`: in `customer_attributes` of any case.
        kind: What values it has.
        unit: Of a number, for people. `minor`: money, its highest values are winsorised.
        max_categories: So many of the most frequent ones get codes of their own, others share
            one.
        min_count: Rarer ones share it, too.
        en: What it is called in reasons; empty: the name.
        zh_cn: The same in Simplified Chinese.
    """

    name: _Name
    place: AttributePlace = Field(alias="of")
    kind: AttributeKind = Field(alias="type")
    unit: Annotated[str, Field(max_length=24)] = ""
    max_categories: Annotated[int, Field(ge=1, le=5_000)] = 64
    min_count: Annotated[int, Field(ge=1)] = 20
    en: Annotated[str, Field(max_length=60)] = ""
    zh_cn: Annotated[str, Field(max_length=60)] = ""


class Declaration(_Strict):
    """All of a retailer's own fields that models may use.

    Attributes:
        version: Of the form of the file.
        attributes: In the order of their columns.
    """

    version: Literal[1]
    attributes: Annotated[tuple[Attribute, ...], Field(min_length=1, max_length=MAX_ATTRIBUTES)]


def parse_declaration(content: bytes, source: str = DECLARATION_FILE) -> Declaration:
    """Return what a file declares.

    Args:
        content: YAML, UTF-8.
        source: Name of the file, for errors.

    Raises:
        ConfigError: It is no YAML, a key is unknown or stands twice, a value is out of range,
            or two attributes share a name. The field names the line.
    """
    try:
        found = parse_yaml(content)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise _refuse(
            f"{source}{line}", str(getattr(error, "problem", error))[:80], "YAML", "correct it"
        ) from error
    try:
        declaration = Declaration.model_validate(found)
    except ValidationError as error:
        raise _explain(error, content, source) from error
    counts = Counter(attribute.name for attribute in declaration.attributes)
    for number, attribute in enumerate(declaration.attributes):
        if counts[attribute.name] > 1:
            line = _find_line(content, ("attributes", number, "name"))
            raise _refuse(
                f"{source}{line}", attribute.name, "each name once", "rename or remove one"
            )
    return declaration


def _explain(error: ValidationError, content: bytes, source: str) -> ConfigError:
    first = error.errors(include_url=False)[0]
    path = first["loc"]
    where = ".".join(str(part) for part in path)
    fix = first["msg"]
    if first["type"] == "extra_forbidden":
        known = {"version", "attributes"} if len(path) == 1 else _list_keys()
        fix = suggest(str(path[-1]), known)
    value = first["input"]
    return _refuse(
        f"{source}{_find_line(content, path)}, {where or 'the whole'}",
        str(value)[:40] if isinstance(value, str | int | float | bool) else type(value).__name__,
        first["msg"],
        fix,
    )


def _list_keys() -> set[str]:
    return {field.alias or name for name, field in Attribute.model_fields.items()}


def _find_line(content: bytes, path: tuple[Any, ...]) -> str:
    """Return `, line n` of the deepest part of a path that the document has."""
    node = yaml.compose(content, yaml.SafeLoader)
    for part in path:
        inner = None
        if isinstance(node, yaml.MappingNode):
            inner = next((v for k, v in node.value if k.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            inner = node.value[part] if part < len(node.value) else None
        if inner is None:
            break
        node = inner
    return "" if node is None else f", line {node.start_mark.line + 1}"


def _refuse(field: str, value: str, expectation: str, fix: str) -> ConfigError:
    return ConfigError(
        "the declaration of attributes cannot be used",
        field=field,
        value=value,
        expectation=expectation,
        fix=fix,
    )
