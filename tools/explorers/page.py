"""The controls below an explorer, made from what its SVG carries when the site is built.

All of it is HTML before any script runs: sliders, legend, the sentence for the first setting and the table of all
settings. The style sheet shows the controls where there are scripts, so nothing moves when they arrive.
"""

from __future__ import annotations

import json
import re
from html import escape, unescape
from itertools import product

METADATA = re.compile(r"<metadata>(.*?)</metadata>\n?", re.DOTALL)


def separate(svg: str) -> tuple[str, str]:
    """The picture alone, and the HTML of its controls; a figure without sliders has none."""
    found = METADATA.search(svg)
    if found is None:
        return svg, ""
    data = json.loads(unescape(found[1]))
    stops = product(*(slider["stops"] for slider in data["sliders"]))
    rows = [[*setting, *cells] for setting, cells in zip(stops, data["rows"], strict=True)]
    moving = json.dumps({"pool": data["pool"], "lines": data["lines"]}, separators=(",", ":"))
    controls = _controls(data, rows) + _table(data, rows)
    # Not a script of a data type: Material's instant navigation would run it.
    return METADATA.sub("", svg), f"{controls}<template>{moving}</template>"


def _controls(data: dict, rows: list[list[str]]) -> str:
    start = 0
    for slider in data["sliders"]:
        start = start * len(slider["stops"]) + slider["start"]
    sentences = [data["says"].format(*row) for row in rows]
    # It holds the place of every other one, so that the page keeps still.
    longest = max(sentences, key=lambda text: sum(1 + (letter > "\u2e80") for letter in text))
    return (
        f'<div class="explorer-controls" role="group" aria-label="滑块：{escape(data["title"])}">'
        f"{_legend(data['legend'])}"
        + "".join(_slider(f"explorer-{data['name']}-{i}", slider) for i, slider in enumerate(data["sliders"]))
        + f'<p class="explorer-says" data-longest="{escape(longest)}">'
        f'<span role="status" data-says="{escape(data["says"])}">{escape(sentences[start])}</span></p></div>'
    )


def _slider(ident: str, slider: dict) -> str:
    now = escape(slider["stops"][slider["start"]])
    # A browser would put a reloaded page's sliders back, and not its curves. The slider tells its value itself.
    return (
        f'<p class="explorer-slider"><label for="{ident}">{escape(slider["name"])}</label>'
        f'<input type="range" id="{ident}" max="{len(slider["stops"]) - 1}" value="{slider["start"]}"'
        f' aria-valuetext="{now}" autocomplete="off">'
        f'<output for="{ident}" aria-live="off">{now}</output></p>'
    )


def _legend(entries: list[list[str]]) -> str:
    if not entries:
        return ""
    return '<p class="explorer-legend">' + "".join(
        '<span><svg class="lr-chart" viewBox="0 0 28 8" aria-hidden="true">'
        f'<path class="lr-line" style="stroke: var(--lr-{pen})"'
        f' stroke-dasharray="{dash}" d="M2 4h24"/></svg>{escape(name)}</span>'
        for pen, dash, name in entries
    ) + "</p>"


def _table(data: dict, rows: list[list[str]]) -> str:
    names = [slider["name"] for slider in data["sliders"]]

    def cells(row: list[str]) -> str:
        settings, numbers = row[: len(names)], row[len(names) :]
        return "".join(f'<th scope="row">{escape(cell)}</th>' for cell in settings) + "".join(
            f"<td>{escape(cell)}</td>" for cell in numbers
        )

    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (*names, *data["columns"]))
    body = "".join(f"<tr>{cells(row)}</tr>" for row in rows)
    return (
        '<details class="explorer-data"><summary>数据表</summary>'
        f'<div class="explorer-table" tabindex="0" role="region" aria-label="数据表：{escape(data["title"])}">'
        f'<table class="explorer-rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>'
    )
