"""YAML in which a key may stand only once: a second cap must not replace the first in silence."""

from __future__ import annotations

from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """The safe loader, but a repeated key is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node.

        Raises:
            yaml.constructor.ConstructorError: A key stands twice.
        """
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key `{key}` stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def parse_yaml(content: bytes) -> Any:
    """Return the content of a YAML document.

    >>> parse_yaml(b"cap: 1")
    {'cap': 1}

    Raises:
        yaml.YAMLError: It is no YAML, a key stands twice or is no plain value, a date is
            not in the calendar, or it is nested too deeply.
    """
    try:
        return yaml.load(content, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets these through: of a date such as 2026-99-99, a key that is a list,
        # `!!bool maybe`, `!!timestamp soon`, thousands of brackets.
        raise yaml.YAMLError(str(error)) from error
