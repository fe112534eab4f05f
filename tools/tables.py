"""Markdown extension: a table stands in the boxes that let it scroll from the start.

Material's script puts every table into two boxes when the page is already on the screen, and what stands below moves.
Here they are part of the page, which also lets wide tables scroll where there are no scripts. The script adds its boxes
all the same; the style sheet makes the inner pair take no room.

A long table arrives piece by piece, and a browser would set its columns anew for each. It gets the widths of its
columns beforehand, from how much stands in them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as etree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE as STASHED

# A table of this many rows is long.
LONG = 8


# The room that a cell has around its words, in letters.
PADDING = 4


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
                        lengths = [[*map(self._length, row)] for row in [*table.findall("thead/tr"), *rows]]
                        table.insert(0, _columns(lengths))

    def _length(self, cell: etree.Element) -> int:
        """How much room a cell would like: letters, Chinese ones counted twice, up to about two lines of a column."""
        text = STASHED.sub(lambda m: self._stashed(int(m[1])), "".join(cell.itertext()))
        return min(60, sum(1 + (letter > "\u2e80") for letter in text))

    def _stashed(self, number: int) -> str:
        """The words of what Markdown keeps aside for later: HTML and highlighted code."""
        kept = self.md.htmlStash.rawHtmlBlocks[number]
        return re.sub("<[^>]*>", "", "".join(kept.itertext()) if isinstance(kept, etree.Element) else kept)


def _columns(rows: list[list[int]]) -> etree.Element:
    group = etree.Element("colgroup")
    wishes = [max(sum(column) / len(column), max(column) / 2, 6) + PADDING for column in zip(*rows, strict=True)]
    for wish in wishes:
        etree.SubElement(group, "col", {"style": f"width:{100 * wish / sum(wishes):.0f}%"})
    return group


class TablesExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # When the tree is otherwise complete.
        md.treeprocessors.register(_Wrap(md), "tables-wrap", -5)


def makeExtension(**options) -> Extension:
    return TablesExtension(**options)
