"""Line charts as small, clean SVG files; numpy is all it needs.

A chart is a column of panels that share their horizontal axis. Colours are CSS variables, so a chart follows
the light and dark palette of the page it is inlined in, the palette of the reader's system where it is opened
as a file, and stays dark-on-light in print. Curves differ by dash as well as by colour, and are named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import numpy as np

WIDTH, LEFT, RIGHT, TOP, GAP, BOTTOM = 520, 58, 14, 34, 42, 50
DASHES = {"a": "", "b": "7 4", "c": "2 4"}

# One style sheet for every chart. `:root` matches an <svg> only when it is a document of its own.
# Ink and paper are the page's where there is a page, the pens' colours always the chart's own.
LIGHT = """
  --lr-ink: var(--lr-text, #1f2328); --lr-soft: var(--lr-quiet, #59636e); --lr-grid: var(--lr-line, #d8dee4);
  --lr-paper: var(--lr-page, #fff); --lr-a: #0b5cad; --lr-b: #b4470b; --lr-c: #217a3c;"""
DARK = """
  --lr-ink: var(--lr-text, #e6e9ef); --lr-soft: var(--lr-quiet, #aab2c0); --lr-grid: var(--lr-line, #434859);
  --lr-paper: var(--lr-page, #1e2129); --lr-a: #7cbcff; --lr-b: #ffab70; --lr-c: #7fdc9a;"""
STYLE = f"""
.lr-chart {{ {LIGHT} }}
@media screen {{ [data-md-color-scheme="slate"] .lr-chart {{ {DARK} }} }}
@media screen and (prefers-color-scheme: dark) {{
  .lr-chart:root {{ {DARK} background: var(--lr-paper); }} }}
""" + """
.lr-chart text { fill: var(--lr-ink);
  font: 15px system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
.lr-chart .lr-soft { fill: var(--lr-soft); font-size: 13px; }
.lr-chart .lr-title { font-weight: 600; }
.lr-chart .lr-name { paint-order: stroke; stroke: var(--lr-paper); stroke-width: 4px; stroke-linejoin: round }
.lr-chart .lr-grid { stroke: var(--lr-grid); stroke-width: 1; }
.lr-chart .lr-zero { stroke: var(--lr-soft); stroke-width: 1; }
.lr-chart .lr-line { fill: none; stroke-width: 2.4; stroke-linejoin: round; stroke-linecap: round; }
.lr-chart .lr-guide { fill: none; stroke: var(--lr-soft); stroke-width: 1.2; stroke-dasharray: 3 4; }
"""


@dataclass
class Line:
    """One curve: its points, its name, where the name stands (data coordinates) and which pen draws it.

    A line that an explorer moves may also be of the kind `guide` or `dot`, which is one point.
    """

    x: np.ndarray
    y: np.ndarray
    name: str = ""
    name_at: tuple[float, float] = (0, 0)
    pen: str = "a"
    anchor: str = "start"
    kind: str = "line"


@dataclass
class Panel:
    """One pair of axes. `ticks` are the numbers on the vertical axis, which spans exactly them.

    `live` is what tools/explorers lets a reader move; it is hidden until a page shows it.
    """

    title: str
    ticks: tuple[float, ...]
    lines: list[Line]
    guides: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    height: int = 190
    live: list[Line] = field(default_factory=list)


@dataclass
class Scale:
    """Where a panel stands on the chart, and where on it a pair of numbers is."""

    top: float
    bottom: float
    x_span: tuple[float, float]
    y_span: tuple[float, float]

    def across(self, x):
        low, high = self.x_span
        return LEFT + (np.asarray(x) - low) / (high - low) * (WIDTH - RIGHT - LEFT)

    def down(self, y):
        low, high = self.y_span
        return self.bottom - (np.asarray(y) - low) / (high - low) * (self.bottom - self.top)


def scales(panels: list[Panel], x_span: tuple[float, float]) -> list[Scale]:
    """The scale of each panel, from the top."""
    found, top = [], TOP
    for panel in panels:
        found.append(Scale(top, top + panel.height, x_span, (panel.ticks[0], panel.ticks[-1])))
        top += panel.height + GAP
    return found


def chart(
    name: str, title: str, x_title: str, x_ticks: tuple[float, ...], panels: list[Panel],
    x_span: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """The SVG text of one chart. `name` keeps its ids apart on a page, `title` is its accessible name.

    The horizontal axis spans its ticks, or `x_span`.
    """
    places = scales(panels, x_span or (x_ticks[0], x_ticks[-1]))
    height = places[-1].bottom + BOTTOM
    body = []
    for number, (panel, scale) in enumerate(zip(panels, places, strict=True)):
        body += _panel(f"lr-{name}-{number}", panel, scale, x_ticks, named=panel is panels[-1])
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, height - 8, x_title, anchor="middle"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lr-chart" viewBox="0 0 {WIDTH} {height}"',
        f' role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>", *body, "</svg>", "",
    ])


def _panel(ident: str, panel: Panel, scale: Scale, x_ticks: tuple[float, ...], named: bool) -> list[str]:
    right, top, bottom, across, down = WIDTH - RIGHT, scale.top, scale.bottom, scale.across, scale.down
    box = f'x="{LEFT}" y="{top - 2}" width="{right - LEFT}" height="{panel.height + 4}"'
    out = [
        f'<clipPath id="{ident}"><rect {box}/></clipPath>',
        _text(LEFT, top - 12, panel.title, "lr-title"),
    ]
    for y in panel.ticks:
        out.append(_rule("zero" if y == 0 else "grid", LEFT, down(y), right, down(y)))
        out.append(_text(LEFT - 8, down(y) + 5, _number(y), "lr-soft", "end"))
    for x in x_ticks:
        out.append(_rule("grid", across(x), top, across(x), bottom))
        if named:  # the axis is shared: its numbers stand once, under the last panel
            out.append(_text(across(x), bottom + 18, _number(x), "lr-soft", "middle"))
    out.append(f'<g clip-path="url(#{ident})">')
    out += [f'<polyline class="lr-guide" points="{_points(across(x), down(y))}"/>' for x, y in panel.guides]
    for line in panel.lines:
        out.append(f'<polyline class="lr-line" {_pen(line)} points="{_points(across(line.x), down(line.y))}"/>')
    for line in panel.live:
        css = f'class="lr-{line.kind} lr-live" display="none"'
        out.append(f'<polyline {css} {_pen(line)} points="{_points(across(line.x), down(line.y))}"/>')
    out.append("</g>")
    for line in panel.lines:
        x, y = across(line.name_at[0]), down(line.name_at[1])
        out.append(_text(x, y, line.name, "lr-name", line.anchor, f"fill: var(--lr-{line.pen})"))
    return out


def _pen(line: Line) -> str:
    if line.kind == "guide":
        return ""
    return f'style="stroke: var(--lr-{line.pen})" stroke-dasharray="{DASHES[line.pen]}"'


def _rule(kind, x1, y1, x2, y2) -> str:
    return f'<line class="lr-{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x, y, words, css="", anchor="start", style="") -> str:
    extra = (f' class="{css}"' if css else "") + (f' style="{style}"' if style else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def _points(x, y) -> str:
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a curve has a point that is not finite: draw only where the loss is finite")
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
