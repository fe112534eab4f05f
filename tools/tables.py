"""Markdown extension: a table stands in the boxes that let it scroll from the start.

Material's script puts every table into two boxes when the page is already on the screen, and what stands below moves.
Here they are part of the page, which also lets wide tables scroll where there are no scripts. The script adds its boxes
all the same; the style sheet makes the inner pair take no room.

A long table arrives piece by piece, and a browser would set its columns anew for each. It gets the widths of its
columns beforehand, from how much stands in them.
"""

from __future__ import annotations

import xml.etree.ElementTree as etree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

# A table of this many rows is long.
LONG = 8


class _Wrap(Treeprocessor):
    def run(self, root: etree.Element) -> None:
        for parent in list(root.iter()):
            for position, table in enumerate(list(parent)):
                if table.tag == "table" and not table.get("class"):
                    outer = etree.Element("div", {"class": "md-typeset__scrollwrap"})
                    outer.tail, table.tail = table.tail, None
                    inner = etree.SubElement(outer, "div", {"class": "md-typeset__table"})
                    inner.append(table)
                    parent[position] = outer
                    rows = table.findall("tbody/tr")
                    if len(rows) >= LONG:
                        inner.set("class", "md-typeset__table long-table")
                        table.insert(0, _columns([[*map(_length, row)] for row in [*table.findall("thead/tr"), *rows]]))


def _length(cell: etree.Element) -> int:
    """How much room a cell would like: letters, Chinese ones counted twice, up to about two lines of a column."""
    return min(60, sum(1 + (letter > "\u2e80") for letter in "".join(cell.itertext())))


def _columns(rows: list[list[int]]) -> etree.Element:
    group = etree.Element("colgroup")
    wishes = [max(sum(column) / len(column), max(column) / 2, 6) for column in zip(*rows, strict=True)]
    for wish in wishes:
        etree.SubElement(group, "col", {"style": f"width:{100 * wish / sum(wishes):.0f}%"})
    return group


class TablesExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # When the tree is otherwise complete.
        md.treeprocessors.register(_Wrap(md), "tables-wrap", -5)


def makeExtension(**options) -> Extension:
    return TablesExtension(**options)
