"""The project's own files and syntax trees, for the house tests to look at."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "federation", "hub")
_NOT_OURS = {".git", ".venv", "build", "dist", "__pycache__"}


@dataclass(frozen=True)
class Module:
    """A Python file of the project with its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def project_files() -> tuple[str, ...]:
    """Every file that is or would be committed, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [name for name in listed.stdout.split("\0") if name]
    else:  # an unpacked release has no history
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [
            name
            for name in names
            if not _NOT_OURS.intersection(Path(name).parts)
            and not any(part.endswith(("_cache", ".hypothesis")) for part in Path(name).parts)
        ]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


@cache
def modules(*tops: str) -> tuple[Module, ...]:
    """The Python files below the given top directories (by default the three packages)."""
    wanted = tops or PACKAGES
    found = []
    for name in project_files():
        if name.endswith(".py") and name.split("/", 1)[0] in wanted:
            text = (ROOT / name).read_text(encoding="utf-8")
            found.append(Module(name, text, ast.parse(text, name)))
    return tuple(found)


def documents() -> tuple[str, ...]:
    """Every Markdown file of the project, relative to the root."""
    return tuple(name for name in project_files() if name.endswith(".md"))


def read_text(name: str) -> str:
    """The text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")
