"""A door parses, calls one use-case and renders; it decides nothing."""

from __future__ import annotations

import ast

from tests.house.sources import modules

ENDPOINT_LIMIT = 20
POLICY = "federation.policy"
VERBS = {"get", "post", "put", "delete", "patch", "head", "options", "api_route", "websocket"}


def test_endpoints_are_short():
    long = {}
    for module in modules("hub"):
        if not module.path.startswith("hub/api/"):
            continue
        for function in module.functions():
            if _is_endpoint(function):
                assert function.end_lineno is not None
                lines = function.end_lineno - function.body[0].lineno + 1
                if lines > ENDPOINT_LIMIT:
                    long[f"{module.path}:{function.lineno} {function.name}"] = lines
    assert not long, f"move what these decide into a use-case: {long}"


def test_the_api_knows_no_policy():
    bad = [
        f"{module.path}:{node.lineno}"
        for module in modules("hub")
        if module.path.startswith("hub/api/")
        for node in ast.walk(module.tree)
        if _imports_policy(node)
    ]
    assert not bad, f"policy is asked by use-cases, never by a door: {bad}"


def _is_endpoint(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for decorator in function.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (
            isinstance(call, ast.Attribute)
            and call.attr in VERBS
            and isinstance(call.value, ast.Name)
            and call.value.id.endswith("router")
        ):
            return True
    return False


def _imports_policy(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return module.startswith(POLICY) or (
            module == "federation" and any(alias.name == "policy" for alias in node.names)
        )
    if isinstance(node, ast.Import):
        return any(alias.name.startswith(POLICY) for alias in node.names)
    return False
