"""One function reads JSON that somebody else wrote: ``schemas.strict_json.strict_loads``.

Every other parser silently takes the last duplicate key, so two nodes could read two different
things out of the same signed bytes.
"""

from __future__ import annotations

import ast

from tests.house.sources import modules

PARSERS = {
    ("json", "loads"),
    ("json", "load"),
    ("json", "JSONDecoder"),
    ("orjson", "loads"),
    ("pydantic_core", "from_json"),
}
METHODS = {"model_validate_json", "validate_json"}

EXPLAINED: dict[str, str] = {
    "schemas/strict_json.py": "the one strict reader itself",
    "federation/feeds/carried_objects.py": "finds an object's bytes in what strict_loads took",
    "hub/storage/dialects.py": "columns with our own words from our own database",
    "schemas/stix/validation.py": "the vendored schemas in our own package",
}
"""Path of a module: why it may parse JSON by another way."""


def test_json_is_read_by_strict_loads_alone():
    bad = [
        f"{module.path}:{node.lineno}"
        for module in modules()
        if module.path not in EXPLAINED
        for node in ast.walk(module.tree)
        if _parses_json(node)
    ]
    assert not bad, f"read these with strict_loads, or explain them here: {bad}"


def test_no_explanation_outlives_its_reason():
    by_path = {module.path: module for module in modules()}
    stale = [
        path
        for path in EXPLAINED
        if path in by_path and not any(_parses_json(node) for node in ast.walk(by_path[path].tree))
    ]
    assert not stale, f"these parse no JSON any more: {stale}"


def _parses_json(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        if node.attr in METHODS:
            return True
        return isinstance(node.value, ast.Name) and (node.value.id, node.attr) in PARSERS
    if isinstance(node, ast.ImportFrom):
        return any((node.module, alias.name) in PARSERS for alias in node.names)
    # `await request.json()` is Starlette's parser, `response.json()` the HTTP client's.
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "json"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"request", "response", "answer", "reply"}
    )
