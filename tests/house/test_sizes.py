"""A file says one thing in under 400 lines, a function does one thing in at most 60."""

from __future__ import annotations

import ast

from tests.house.sources import modules

MODULE_LIMIT = 400
FUNCTION_LIMIT = 60


def test_modules_stay_under_four_hundred_lines():
    long = {module.path: module.lines for module in modules() if module.lines >= MODULE_LIMIT}
    assert not long, f"split these by what they decide: {long}"


def test_functions_stay_within_sixty_lines_beside_their_docstring():
    long = {}
    for module in modules():
        for function in module.functions():
            lines = _length(function)
            if lines > FUNCTION_LIMIT:
                long[f"{module.path}:{function.lineno} {function.name}"] = lines
    assert not long, f"give the steps of these a name of their own: {long}"


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        assert docstring.end_lineno is not None
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines
