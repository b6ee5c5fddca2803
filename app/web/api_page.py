"""The OpenAPI page as plain HTML: no script, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app import templates

PAGE = Path(__file__).with_name("templates") / "docs.html"

Spec = Mapping[str, Any]


def render(spec: Spec) -> str:
    """The page of an OpenAPI document."""
    return templates.render(PAGE, **contents(spec))


def contents(spec: Spec) -> dict[str, Any]:
    """Contents of the page of an OpenAPI document: info, operations, and shapes with their fields."""
    shapes = [(name, list(_fields(shape))) for name, shape in sorted(spec["components"]["schemas"].items())]
    documented = [pair for pair in shapes if pair[1]]
    return {
        "info": spec["info"],
        "operations": list(_operations(spec)),
        "shapes": documented,
        "names": {name for name, _ in documented},
    }


def _operations(spec: Spec) -> Iterator[dict[str, Any]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield {
                "id": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "text": operation.get("description") or operation.get("summary", ""),
                "inputs": [*_parameters(operation), *_body(spec, operation)],
                "answers": [
                    {"status": status, "text": answer["description"], "type": _content(answer)}
                    for status, answer in operation["responses"].items()
                ],
            }


def _parameters(operation: Spec) -> Iterator[dict[str, Any]]:
    for parameter in operation.get("parameters", []):
        text, required = parameter.get("description", ""), parameter.get("required", False)
        yield {**_field(parameter["name"], parameter["schema"], required), "where": parameter["in"], "text": text}


def _body(spec: Spec, operation: Spec) -> Iterator[dict[str, Any]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        for row in _fields(spec["components"]["schemas"].get(name, content["schema"])):
            yield {**row, "where": kind}


def _fields(shape: Spec) -> Iterator[dict[str, Any]]:
    for name, field in shape.get("properties", {}).items():
        yield _field(name, field, name in shape.get("required", []))


def _field(name: str, schema: Spec, required: bool) -> dict[str, Any]:
    return {"name": name, "type": type_of(schema), "required": required, "text": schema.get("description", "")}


def _content(answer: Spec) -> str:
    kinds = answer.get("content", {})
    return ", ".join(type_of(c["schema"]) if c.get("schema") else kind for kind, c in kinds.items())


def type_of(schema: Spec) -> str:
    """A schema's type in a few words: ``list of PhotoRef``, ``string or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(type_of(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")
