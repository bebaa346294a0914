"""Names say what a thing is: no junk drawers, no verbs that mean nothing."""

from __future__ import annotations

from pathlib import PurePath

from tests.house.sources import modules

JUNK_DRAWERS = {
    "utils", "util", "helpers", "common", "misc", "core", "base", "manager", "handler", "lib",
    "tools",
}  # fmt: skip
EMPTY_VERBS = ("handle_", "process_", "do_", "manage_", "perform_")
NAMED_BY_OTHERS = {
    "process_bind_param": "SQLAlchemy's TypeDecorator calls it so",
    "process_result_value": "SQLAlchemy's TypeDecorator calls it so",
}
HUB_ROOT = {"__init__", "__main__", "settings", "node", "bootstrap", "app", "errors"}


def test_no_module_or_package_is_a_junk_drawer():
    bad = [
        module.path
        for module in modules("schemas", "federation", "hub", "tests", "migrations")
        if JUNK_DRAWERS.intersection(PurePath(module.path).with_suffix("").parts)
    ]
    assert not bad, f"name these by the one thing that they are about: {bad}"


def test_no_function_begins_with_an_empty_verb():
    bad = [
        f"{module.path}:{function.lineno} {function.name}"
        for module in modules()
        for function in module.functions()
        if function.name.lstrip("_").startswith(EMPTY_VERBS)
        and function.name not in NAMED_BY_OTHERS
    ]
    assert not bad, f"say what these do (read_, seal, open_, decide_, publish, admit …): {bad}"


def test_the_root_of_hub_holds_only_the_files_of_the_plan():
    found = {PurePath(module.path).stem for module in modules("hub") if module.path.count("/") == 1}
    assert found <= HUB_ROOT, f"these belong into a room of hub: {sorted(found - HUB_ROOT)}"


def test_every_module_opens_with_what_it_is_about():
    bare = [
        module.path
        for module in modules()
        if module.text.strip() and not (module.tree.body and _opens_with_prose(module.text))
    ]
    assert not bare, f"open these with a docstring: {bare}"


def _opens_with_prose(text: str) -> bool:
    return text.lstrip().startswith(('"""', 'r"""'))
