"""Markdown extension: formulas are typeset when the site is built.

It takes what `pymdownx.arithmatex` (generic mode) leaves behind and puts MathJax's SVG in its place, together with
MathML for screen readers and the TeX for copying. A formula that MathJax cannot set is logged as an error with file
and line; the build is strict, so it fails.
"""

from __future__ import annotations

import html
import logging
import re
import xml.etree.ElementTree as etree

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.treeprocessors import Treeprocessor

from tools.page import current_source, line_of
from tools.typesetter import Typesetter

# Loggers below `mkdocs` count towards strict mode; the root logger does not.
log = logging.getLogger("mkdocs.maths")

FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
GLYPH = re.compile(r'href="#((?:\w+-)*[0-9A-F]+)"')
WIDTH = re.compile(r'<svg aria-hidden="true"[^>]*? width="([\d.]+)em"')
# An inline formula up to this width (em) stays in one piece; a longer one may break where MathJax allows it.
UNBROKEN = 12
# An inline formula with a piece wider than this (em) must scroll on a phone.
WIDE = 14
# A browser would let punctuation next to an image start or end a line: they are held together. Behind them, where it
# would no longer break on its own, it may.
INLINE = re.compile(
    r'[（「『《(]*<mjx-container class="math"(?! display).*?</mjx-container>[，。、；：！？）」』》…,.;:!?)]*'
)
# A place at the top of the page for the outlines of the glyphs the page uses.
GLYPHS_HERE = '<div class="math-glyphs"></div>'

_typesetter: Typesetter | None = None


def typesetter() -> Typesetter:
    """The one typesetter of this process."""
    global _typesetter
    if _typesetter is None:
        _typesetter = Typesetter()
    return _typesetter


class _Mark(Treeprocessor):
    def run(self, root: etree.Element) -> None:
        root.insert(0, etree.fromstring(GLYPHS_HERE))


class _Typeset(Postprocessor):
    def __init__(self, md: Markdown) -> None:
        super().__init__(md)
        self.used: dict[str, None] = {}

    def run(self, text: str) -> str:
        # The table of contents also runs this over each heading, before the whole page comes.
        found = [(html.unescape(m["tex"]).strip(), m["open"] == "[") for m in FORMULA.finditer(text)]
        if found:
            results = iter(zip(found, typesetter().typeset(found), strict=True))
            text = FORMULA.sub(lambda _: self._element(*next(results)), text)
            text = INLINE.sub(r'<span class="math-unit">\g<0></span><wbr>', text)
        return text.replace(GLYPHS_HERE, self._glyphs(), 1)

    def _element(self, source: tuple[str, bool], formula) -> str:
        tex, display = source
        if formula.error:
            file, content = current_source(self.md)
            log.error("%s:%s: MathJax cannot set this formula: %s: %s", file, line_of(tex, content), formula.error, tex)
            return f"<code>{html.escape(tex)}</code>"
        self.used.update(dict.fromkeys(GLYPH.findall(formula.svg)))
        pieces = [float(piece) for piece in WIDTH.findall(formula.svg)]
        kind = " display" if display else " wide" if max(pieces, default=0) > WIDE else ""
        svg = formula.svg.replace("<mjx-break> </mjx-break>", "") if sum(pieces) <= UNBROKEN else formula.svg
        return (
            f'<mjx-container class="math"{kind} data-tex="{html.escape(tex)}" '
            f"data-search-exclude>{svg}"
            f"<mjx-assistive-mml>{formula.mathml}</mjx-assistive-mml></mjx-container>"
        )

    def _glyphs(self) -> str:
        if not self.used:
            return ""
        outlines = typesetter().glyphs
        paths = "".join(f'<path id="{name}" d="{outlines[name]}"/>' for name in self.used)
        self.used = {}
        return f'<svg class="math-glyphs" aria-hidden="true" width="0" height="0"><defs>{paths}</defs></svg>'


class MathsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Last of all: the table of contents must not see the mark, and raw HTML must be back in place.
        md.treeprocessors.register(_Mark(md), "math-mark", -10)
        md.postprocessors.register(_Typeset(md), "math", -10)


def makeExtension(**options) -> Extension:
    return MathsExtension(**options)
