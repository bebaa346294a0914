"""Draw the replay's plot as SVG text: no library, and the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

_WIDTH, _HEIGHT = 760, 460
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 56, 30, 60
_LOWEST = 0.78
"""Where the precision axis begins; what lies lower is drawn on it."""
_TITLE = "Verdicts and simpler rules on real names: precision over recall"
_ACROSS = "recall: share of the true names that anybody claimed"
_UP = "precision: share of the listed names that is true"
_COLOURS = {
    "verdict": "#0b5394",
    "verdict that may block": "#0b5394",
    "trust everything": "#7f6000",
    "majority of all origins": "#38761d",
    "at least two origins": "#6aa84f",
    "last writer wins": "#a61c00",
    "plain noisy-OR": "#741b47",
}


@dataclass(frozen=True, slots=True)
class Point:
    """One rule at one threshold."""

    rule: str
    threshold: float | None
    recall: float
    precision: float


@dataclass(slots=True)
class _Label:
    x: float
    y: float
    height: float
    text: str
    colour: str


def draw(curve: Sequence[tuple[float, float]], points: Sequence[Point]) -> str:
    """Draw precision over recall.

    Args:
        curve: recall and precision of verdicts from threshold to threshold.
        points: each rule at its thresholds.
    """
    parts = [*_frame()]
    path = " ".join(f"{_x(recall):.1f},{_y(precision):.1f}" for recall, precision in curve)
    parts.append(
        f'<polyline points="{path}" fill="none" stroke="{_COLOURS["verdict"]}" stroke-width="2"/>'
    )
    labels: list[_Label] = []
    seen: set[tuple[str, int, int]] = set()
    for point in points:
        x, y = _x(point.recall), _y(point.precision)
        colour = _COLOURS[point.rule]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>')
        here = (point.rule, round(x / 4), round(y / 4))
        if here in seen:
            continue  # the same rule gives the same names at two thresholds
        seen.add(here)
        least = "" if point.threshold is None else f", {point.threshold:.2f}"
        # The curve runs through the verdicts' points, so their words stand below it.
        below = 14 if point.rule.startswith("verdict") else 0
        labels.append(_Label(x, y, y + below, f"{point.rule}{least}", colour))
    parts += _labels(labels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="Precision over recall of verdicts and five simpler rules">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _frame() -> list[str]:
    right, floor = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="28" font-size="15" font-weight="bold">{_TITLE}</text>',
    ]
    for step in range(11):
        x = _x(step / 10)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{floor}" stroke="#e5e5e5"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{floor + 18}" text-anchor="middle">{step / 10:.1f}</text>'
        )
    for hundredths in range(80, 101, 5):
        y = _y(hundredths / 100)
        parts.append(
            f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#e5e5e5"/>'
        )
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{hundredths / 100:.2f}</text>'
        )
    middle = (_TOP + floor) / 2
    turned = f'transform="rotate(-90 20 {middle})"'
    parts += [
        f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 14}" text-anchor="middle">{_ACROSS}</text>',
        f'<text x="20" y="{middle}" text-anchor="middle" {turned}>{_UP}</text>',
    ]
    return parts


def _labels(labels: Sequence[_Label]) -> list[str]:
    """Write each label beside its point, and push apart those that would overlap."""
    ordered = sorted(labels, key=lambda each: each.height)
    for _ in ordered:
        for upper, lower in pairwise(ordered):
            if abs(upper.x - lower.x) < 190 and lower.height - upper.height < 14:
                lower.height = upper.height + 14
    parts = []
    for label in ordered:
        at, anchor = (label.x - 9, "end") if label.x > _WIDTH * 0.62 else (label.x + 9, "start")
        if label.height - label.y > 8:
            parts.append(
                f'<line x1="{label.x:.1f}" y1="{label.y:.1f}" x2="{at:.1f}" '
                f'y2="{label.height:.1f}" stroke="{label.colour}" stroke-width="0.7"/>'
            )
        parts.append(
            f'<text x="{at:.1f}" y="{label.height + 4:.1f}" text-anchor="{anchor}" '
            f'fill="{label.colour}">{escape(label.text)}</text>'
        )
    return parts


def _x(recall: float) -> float:
    return _LEFT + recall * (_WIDTH - _LEFT - _RIGHT)


def _y(precision: float) -> float:
    share = (max(precision, _LOWEST) - _LOWEST) / (1 - _LOWEST)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
