"""YAML in which no key may stand twice."""

from __future__ import annotations

from typing import Any

import yaml


class RepeatedKey(ValueError):
    """A mapping has a key twice; the message names the line."""


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml, nine times as fast
    """SafeLoader that refuses a key given twice; plain YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node)  # type: ignore[no-untyped-call]
            if key in keys:
                raise RepeatedKey(f"{key!r} is given twice (line {key_node.start_mark.line + 1}).")
            keys.add(key)
        return super().construct_mapping(node, deep)


def load_unique(text: str) -> Any:
    """The document as Python objects. RepeatedKey: a key is given twice; yaml.YAMLError: no valid YAML."""
    return yaml.load(text, _UniqueKeys)
