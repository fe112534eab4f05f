"""An explorer: a chart whose curves a reader moves between settings that lossref has computed.

Without scripts and in print it is the chart alone. The SVG carries the rest in its `<metadata>`: the sliders, a row of
numbers for each setting, and the coordinates of the moving lines. Sequences of coordinates are stored once, in tenths
of a pixel, as second differences: those of a smooth curve are tiny, and compress to half a byte a point.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from html import unescape
from itertools import product
from xml.sax.saxutils import escape

import numpy as np

from tools.charts import DASHES, Line, Panel, chart, scales

METADATA = re.compile(r"<metadata>(.*?)</metadata>\n?", re.DOTALL)


@dataclass
class Slider:
    """One control: what it sets, where it can stand, where it stands at first, and how a stop is written."""

    name: str
    stops: Sequence
    start: object
    written: Callable[[object], str] = "{:g}".format


def explorer(
    name: str, title: str, x_title: str, x_ticks: tuple[float, ...], panels: list[Panel],
    *,
    sliders: list[Slider],
    live: Callable[..., list[list[Line]]],
    columns: tuple[str, ...],
    read: Callable[..., tuple[str, ...]],
    says: str,
    x_span: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """The SVG text of a chart that can move.

    `live(*setting)` gives the moving lines of each panel, `read(*setting)` the numbers that the table shows in
    `columns`. `says` is what a reader is told, with {0}, {1}, … for the cells of the setting's row, sliders first.
    """
    settings = list(product(*(slider.stops for slider in sliders)))
    start = settings.index(tuple(slider.start for slider in sliders))
    places = scales(panels, x_span or (x_ticks[0], x_ticks[-1]))
    pool: dict[str, int] = {}

    def stored(pixels: np.ndarray) -> int:
        return pool.setdefault(encode(np.rint(10 * pixels).astype(int)), len(pool))

    drawn = [live(*setting) for setting in settings]
    lines = [
        [
            [stored(scale.across(line.x)), stored(scale.down(line.y))]
            for scale, moving in zip(places, of_setting, strict=True)
            for line in moving
        ]
        for of_setting in drawn
    ]
    first = [line for moving in drawn[start] for line in moving]
    data = {
        "name": name,
        "title": title,
        "sliders": [
            {"name": s.name, "stops": [minus(s.written(stop)) for stop in s.stops], "start": s.stops.index(s.start)}
            for s in sliders
        ],
        "legend": list({line.name: [line.pen, DASHES[line.pen], line.name] for line in first if line.name}.values()),
        "columns": list(columns),
        "rows": [[minus(cell) for cell in read(*setting)] for setting in settings],
        "says": says,
        "pool": list(pool),
        "lines": lines,
    }
    shown = [replace(panel, live=moving) for panel, moving in zip(panels, drawn[start], strict=True)]
    svg = chart(name, title, x_title, x_ticks, shown, x_span)
    carried = escape(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return svg.replace("</svg>", f"<metadata>{carried}</metadata>\n</svg>")


def encode(values: np.ndarray) -> str:
    """Whole numbers as their second differences; two zeros stand before the first."""
    return " ".join(map(str, np.diff(values, n=2, prepend=[0, 0])))


def decode(text: str) -> np.ndarray:
    return np.cumsum(np.cumsum(np.array(text.split(), dtype=int)))


def spelled_out(svg: str) -> str:
    """The SVG with its stored coordinates in pixels, so that two can be compared as drawings are."""
    found = METADATA.search(svg)
    if found is None:
        return svg
    data = json.loads(unescape(found[1]))
    pool = [" ".join(f"{value / 10:.1f}" for value in decode(text)) for text in data.pop("pool")]
    lines = [[[pool[i] for i in line] for line in setting] for setting in data.pop("lines")]
    # What a reader reads must be the same to the letter: no number there is to be taken for a coordinate.
    read = json.dumps(data, ensure_ascii=False, indent=0).replace(".", "·")
    return METADATA.sub(lambda _: read + json.dumps(lines, indent=0), svg)


# ---- what drawings need ------------------------------------------------------------------------


def digits(value: float, count: int = 3) -> str:
    """Significant digits without an exponent; 0 is 0. The noise in a number does not decide which way a half goes."""
    return format(Context(prec=count, rounding=ROUND_HALF_UP).plus(Decimal(f"{value:.11e}")), "f") if value else "0"


def percent(value: float) -> str:
    return digits(100 * value) + "%"


def minus(text: str) -> str:
    return text.replace("-", "−")


def dot(x: float, y: float, pen: str) -> Line:
    """A line without length: its round ends make it a dot."""
    return Line(np.array([x, x]), np.array([y, y]), pen=pen, kind="dot")


def guide(x: Sequence[float], y: Sequence[float]) -> Line:
    return Line(np.array(x), np.array(y), kind="guide")


def root(slope: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where a slope that rises turns positive, between two bounds, for many at once."""
    for _ in range(60):
        middle = (low + high) / 2
        left = slope(middle) < 0
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2
