"""The statements that the suite tests, read from the tests themselves."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TEST = re.compile(r"test_s(\d+(?:_\d+)*)_([a-z].*)")
SENTENCE = re.compile(r"(MUST NOT|MUST|SHOULD|MAY): .+\.", re.DOTALL)


@dataclass(frozen=True, order=True)
class Statement:
    """One statement of the standard, in our words."""

    section: tuple[int, ...]
    test: str
    sentence: str

    @property
    def section_text(self) -> str:
        """The section as the standard numbers it."""
        return ".".join(map(str, self.section))


def read_statements() -> list[Statement]:
    """Read every test of the suite, by section and then as they stand."""
    found = []
    for file in sorted(HERE.glob("test_s[0-9]*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = TEST.fullmatch(node.name)
                assert name, f"{node.name} names no section"
                sentence = " ".join((ast.get_docstring(node) or "").split())
                assert SENTENCE.fullmatch(sentence), f"{node.name} says no MUST, SHOULD or MAY"
                section = tuple(int(part) for part in name[1].split("_"))
                found.append(Statement(section, node.name, sentence))
    return sorted(found, key=lambda statement: statement.section)
