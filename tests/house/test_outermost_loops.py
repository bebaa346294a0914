"""``except Exception`` stands at outermost loops alone, where one failure must not end the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.sources import Module, modules

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

OUTERMOST: dict[str, str] = {
    "hub/workers/jobs.py:run_job": "one job's defect must not end the worker and the other jobs",
    "federation/transport/pinned_network.py:ask": "carries it to the thread that waits",
}
"""``path:function``: why nothing outside it may see the exception."""


def test_broad_handlers_stand_only_at_outermost_loops():
    bad = [place for module in modules() for place in _broad_handlers(module)]
    unexplained = sorted(set(bad) - set(OUTERMOST))
    assert not unexplained, f"name the exception, or let it rise: {unexplained}"


def test_no_allowance_outlives_its_loop():
    found = {place for module in modules() for place in _broad_handlers(module)}
    assert set(OUTERMOST) <= found, f"no longer there: {sorted(set(OUTERMOST) - found)}"


def _broad_handlers(module: Module) -> Iterator[str]:
    yield from (f"{module.path}:{name}" for name in _names_of_broad(module.tree, "<module>"))


def _names_of_broad(node: ast.AST, function: str) -> Iterator[str]:
    """The innermost function around each broad handler."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ExceptHandler) and _is_broad(child) and not _reraises(child):
            yield function
        inner = child.name if isinstance(child, FUNCTIONS) else function
        yield from _names_of_broad(child, inner)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in names
    )


def _reraises(handler: ast.ExceptHandler) -> bool:
    """Cleaning up and passing the exception on hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
