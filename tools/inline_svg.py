"""Markdown extension: SVG images of the site become part of the page, so that they follow its light and dark palette.

`![alt](figure.svg)` keeps its alternative text as the picture's accessible name. A picture in a paragraph of its own
becomes a figure; a title (`![alt](figure.svg "caption")`) becomes its caption. One with sliders (tools/explorers) gets
them here.
"""

from __future__ import annotations

import html
import logging
import re
import xml.etree.ElementTree as etree
from pathlib import Path

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from tools.explorers.page import separate
from tools.page import current_path, current_source, line_of
from tools.slim import slim

log = logging.getLogger("mkdocs.inline_svg")

ROOT_TAG = re.compile(r"<svg\b[^>]*>")
ATTRIBUTE = re.compile(r'\s(?:role|aria-label|aria-labelledby|xmlns)="[^"]*"')


class _Inline(Treeprocessor):
    def run(self, root: etree.Element) -> None:
        page = current_path(self.md)
        if page is None:
            return
        for parent in list(root.iter()):
            for position, image in enumerate(list(parent)):
                source = image.get("src", "")
                if image.tag == "img" and source.endswith(".svg") and ":" not in source:
                    self._replace(parent, position, image, page.parent / source)

    def _replace(self, parent: etree.Element, position: int, image: etree.Element, path: Path) -> None:
        if not path.is_file():
            file, text = current_source(self.md)
            log.error("%s:%s: no such figure: %s", file, line_of(image.get("src"), text), path)
            return
        picture, controls = separate(path.read_text(encoding="utf-8"))
        svg = accessible(slim(picture), html.unescape(image.get("alt", "")))
        words = (parent.text or "") + (image.tail or "")
        alone = parent.tag == "p" and len(parent) == 1 and not words.strip()
        if not alone:
            parent[position] = self._stash("span", svg, image.tail)
            return
        caption = image.get("title")
        parent.remove(image)
        parent.tag = "figure"
        parent.set("class", "chart")
        parent.text = None
        parent.append(self._stash("div", svg))
        if controls:
            parent.set("class", "chart explorer")
            parent.append(self._stash("div", controls, css="explorer-parts"))
        if caption:
            etree.SubElement(parent, "figcaption").text = caption

    def _stash(self, tag: str, html: str, tail: str | None = None, css: str = "chart-image") -> etree.Element:
        element = etree.Element(tag, {"class": css, "data-search-exclude": ""})
        element.text = self.md.htmlStash.store(html)
        element.tail = tail
        return element


def accessible(svg: str, alt: str) -> str:
    """Return the `<svg>` element of a file as one image whose name is `alt`."""
    tag = ROOT_TAG.search(svg)
    if tag is None:
        raise ValueError("not an SVG file: it has no <svg> element")
    opening = ATTRIBUTE.sub("", tag.group())
    named = opening.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)
    return named + svg[tag.end() :].strip()


class InlineSvgExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # After the inline patterns (20) have made the images, before MkDocs (0) rewrites their addresses.
        md.treeprocessors.register(_Inline(md), "inline-svg", 5)


def makeExtension(**options) -> Extension:
    return InlineSvgExtension(**options)
