"""Makes a chart lighter for the page it is inlined in, without a change that could be seen.

A curve is drawn from evenly spaced points. Where it is nearly straight most of them can go: what is left stays within a
fifth of a pixel.
"""

from __future__ import annotations

import re

CURVE = re.compile(r'(<polyline class="lr-(?:line|guide)(?: lr-live)?"[^>]* points=")([^"]*)"')
TOLERANCE = 0.15
# What says nothing: round numbers' decimals, defaults, line ends between elements.
SILENT = re.compile(r'(?<=\d)\.0(?=[",\s])| text-anchor="start"| stroke-dasharray=""|(?<=>)\n(?=<)')
STYLE = re.compile(r"(<style>)(.*?)(</style>)", re.DOTALL)


def slim(svg: str) -> str:
    """The same picture in fewer letters."""
    svg = CURVE.sub(lambda m: m[1] + _written(simplify(_points(m[2]))) + '"', svg)
    svg = STYLE.sub(lambda m: m[1] + " ".join(m[2].split()) + m[3], svg)
    return SILENT.sub("", svg)


def simplify(points: list[tuple[float, float]], tolerance: float = TOLERANCE) -> list[tuple[float, float]]:
    """Drop points as long as no dropped one is farther than `tolerance` from the line (Douglas and Peucker)."""
    kept = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        distances = [(_distance(points[i], points[first], points[last]), i) for i in range(first + 1, last)]
        farthest, at = max(distances, default=(0, first))
        if farthest > tolerance:
            kept.add(at)
            spans += [(first, at), (at, last)]
    return [points[i] for i in sorted(kept)]


def _distance(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    (x, y), (x0, y0), (x1, y1) = point, start, end
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2
    along = 0 if length == 0 else min(1, max(0, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length))
    return ((x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2) ** 0.5


def _points(text: str) -> list[tuple[float, float]]:
    return [tuple(map(float, point.split(","))) for point in text.split()]


def _written(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)
