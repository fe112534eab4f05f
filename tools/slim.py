"""Makes a chart lighter for the page it is inlined in, without a change that could be seen.

A curve is drawn from evenly spaced points. Where it is nearly straight most of them can go: what is left stays within a
fifth of a pixel, and is told as steps from one point to the next. The lines of a grid become one.
"""

from __future__ import annotations

import re

CURVE = re.compile(r'<polyline( class="lr-(?:line|guide)(?P<live> lr-live)?"[^>]*) points="(?P<points>[^"]*)"/>')
RULE = re.compile(r'<line class="lr-(grid|zero)" x1="([^"]*)" y1="([^"]*)" x2="([^"]*)" y2="([^"]*)"/>')
TOLERANCE = 0.15
# What says nothing: round numbers' decimals, defaults, line ends between elements.
SILENT = re.compile(r'(?<=\d)\.0(?=[",\s])| text-anchor="start"| stroke-dasharray=""|(?<=>)\n+(?=<)')
STYLE = re.compile(r"(<style>)(.*?)(</style>)", re.DOTALL)


def slim(svg: str) -> str:
    """The same picture in fewer letters."""
    svg = _ruled(CURVE.sub(_curve, svg))
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


def _curve(match: re.Match[str]) -> str:
    points = simplify(_points(match["points"]))
    if match["live"]:  # A script sets its points.
        return f'<polyline{match[1]} points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'
    return f'<path{match[1]} d="{_steps(points)}"/>'


def _steps(points: list[tuple[float, float]]) -> str:
    """A path from point to point; a minus sign separates by itself, and zero stands before no decimal."""
    at, *ends = points
    text, letter = f"M{at[0]:g} {at[1]:g}", "l"
    for end in ends:
        step = " ".join(_short(b - a) for a, b in zip(at, end, strict=True)).replace(" -", "-")
        text += letter + step if letter or step.startswith("-") else " " + step
        at, letter = end, ""
    return text


def _short(number: float) -> str:
    return re.sub(r"^(-?)0\.", r"\1.", f"{round(number, 1) or 0:g}")


def _ruled(svg: str) -> str:
    """The rules of a kind as one path, where the first of them stood."""
    paths: dict[str, str] = {}
    for kind, *ends in RULE.findall(svg):
        left, top, right, bottom = (f"{float(end):g}" for end in ends)
        paths[kind] = paths.get(kind, "") + f"M{left} {top}" + (f"H{right}" if top == bottom else f"V{bottom}")
    return RULE.sub(lambda m: f'<path class="lr-{m[1]}" d="{paths.pop(m[1])}"/>' if m[1] in paths else "", svg)
