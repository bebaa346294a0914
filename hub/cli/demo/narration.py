"""Tell the story: headings, sentences, and the list of what was expected and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must have happened, or must not."""

    what: str
    met: bool


@dataclass(slots=True)
class Narration:
    """What the demo says; ``quiet`` says nothing and only remembers."""

    quiet: bool = False
    expectations: list[Expectation] = field(default_factory=list)
    console: Console = field(default_factory=lambda: Console(highlight=False))

    def act(self, title: str) -> None:
        """Begin an act."""
        if not self.quiet:
            self.console.print()
            self.console.rule(f"[bold]{escape(title)}[/bold]", align="left")

    def say(self, sentence: str) -> None:
        """Say a sentence."""
        if not self.quiet:
            self.console.print(escape(sentence), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows."""
        if self.quiet:
            return
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print(table)

    def expect(self, what: str, *, met: bool) -> None:
        """Check an expectation and tell how it came out."""
        self.expectations.append(Expectation(what, met))
        if not self.quiet:
            mark = "[green]as expected[/green]" if met else "[red bold]NOT as expected[/red bold]"
            self.console.print(f"  {mark}: {escape(what)}")

    @property
    def all_met(self) -> bool:
        """Whether every expectation was met."""
        return all(expectation.met for expectation in self.expectations)
