"""Markdown extension: a table stands in the boxes that let it scroll from the start.

Material's script puts every table into two boxes when the page is already on the screen, and what stands below moves.
Here they are part of the page, which also lets wide tables scroll where there are no scripts. The script adds its boxes
all the same; the style sheet makes the inner pair take no room.
"""

from __future__ import annotations

import xml.etree.ElementTree as etree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor


class _Wrap(Treeprocessor):
    def run(self, root: etree.Element) -> None:
        for parent in list(root.iter()):
            for position, table in enumerate(list(parent)):
                if table.tag == "table" and not table.get("class"):
                    outer = etree.Element("div", {"class": "md-typeset__scrollwrap"})
                    outer.tail, table.tail = table.tail, None
                    etree.SubElement(outer, "div", {"class": "md-typeset__table"}).append(table)
                    parent[position] = outer


class TablesExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # When the tree is otherwise complete.
        md.treeprocessors.register(_Wrap(md), "tables-wrap", -5)


def makeExtension(**options) -> Extension:
    return TablesExtension(**options)
