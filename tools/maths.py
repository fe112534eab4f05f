"""Markdown extension: formulas are typeset when the site is built.

It takes what `pymdownx.arithmatex` (generic mode) leaves behind and puts MathJax's SVG in its place, together with
MathML for screen readers and the TeX for copying. The drawings themselves stand side by side, each once, which halves
what they weigh compressed; a formula refers to its own. Those that the opening of the page needs come first, the others
last, so that a browser has text to show early and the formulas in it at once. A formula that MathJax cannot set is
logged as an error with file and line; the build is strict, so it fails.
"""

from __future__ import annotations

import html
import logging
import re
import xml.etree.ElementTree as etree
from collections.abc import Iterable

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.treeprocessors import Treeprocessor

from tools.page import current_source, line_of
from tools.typesetter import Formula, Piece, Typesetter

# Loggers below `mkdocs` count towards strict mode; the root logger does not.
log = logging.getLogger("mkdocs.maths")

FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
REFERENCE = re.compile(r'href="#([^"]+)"')
# How far most formulas in running text reach above and below the line; the stylesheet knows.
USUAL = (750, 250)
# An inline formula with a piece wider than this (thousandths of an em) must scroll on a phone.
WIDE = 14_000
# A browser would let punctuation next to an image start or end a line: they are held together. Behind them, where it
# would no longer break on its own, it may.
INLINE = re.compile(
    r'[（「『《(]*<mjx-container class="math"(?! display).*?</mjx-container>[，。、；：！？）」』》…,.;:!?)]*'
)
# A place at the top of the page for the drawings of its opening, and the outlines of their glyphs.
GLYPHS_HERE = '<div class="math-glyphs"></div>'
SECTION = re.compile("(?=<h2)")

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
        self.drawings: dict[str, str] = {}

    def run(self, text: str) -> str:
        # The table of contents also runs this over each heading, before the whole page comes.
        found = [(html.unescape(m["tex"]).strip(), m["open"] == "[") for m in FORMULA.finditer(text)]
        if found:
            results = iter(zip(found, typesetter().typeset(found), strict=True))
            text = FORMULA.sub(lambda _: self._element(*next(results)), text)
            text = INLINE.sub(r'<span class="math-unit">\g<0></span><wbr>', text)
        if GLYPHS_HERE not in text or not self.drawings:
            return text.replace(GLYPHS_HERE, "", 1)
        opening, *sections = SECTION.split(text, maxsplit=1)
        used = set(REFERENCE.findall(opening))
        first = {drawing: name for drawing, name in self.drawings.items() if name in used}
        rest = {drawing: name for drawing, name in self.drawings.items() if name not in used}
        self.drawings = {}
        outlines = dict.fromkeys(REFERENCE.findall("".join(first)))
        others = dict.fromkeys(glyph for glyph in REFERENCE.findall("".join(rest)) if glyph not in outlines)
        return opening.replace(GLYPHS_HERE, _drawn(first, outlines), 1) + "".join(sections) + _drawn(rest, others)

    def _element(self, source: tuple[str, bool], formula: Formula) -> str:
        tex, display = source
        if formula.error:
            file, content = current_source(self.md)
            log.error("%s:%s: MathJax cannot set this formula: %s: %s", file, line_of(tex, content), formula.error, tex)
            return f"<code>{html.escape(tex)}</code>"
        widest = max((piece.width or 0 for piece in formula.pieces), default=0)
        kind = " display" if display else " wide" if widest > WIDE else ""
        return (
            f'<mjx-container class="math"{kind} data-tex="{html.escape(tex)}" data-search-exclude>'
            + "<mjx-break> </mjx-break>".join(map(self._svg, formula.pieces))
            + f"<mjx-assistive-mml>{formula.mathml}</mjx-assistive-mml></mjx-container>"
        )

    def _svg(self, piece: Piece) -> str:
        # Where MathJax allows a line break in running text it puts a space of the right width, in a font of its own.
        # Here the space has no width (see the stylesheet), and the width becomes a margin.
        style = f"margin-left:{_em(piece.gap)}" if piece.gap else ""
        above, below = _up(piece.above), _up(piece.below)
        if (above, below) != USUAL:
            # A style: Material's style sheet would overrule an attribute.
            style = f"height:{_em(above + below)};vertical-align:{_em(-below)}" + (style and ";") + style
        # The scale follows from the height; a width of one thousandth leaves it at that.
        box = "" if piece.width is None else f' preserveAspectRatio="xMinYMid" viewBox="0 -{above} 1 {above + below}"'
        name = self.drawings.setdefault(piece.drawing, f"m{len(self.drawings) + 1}")
        return (
            '<svg aria-hidden="true"' + (style and f' style="{style}"') + f'{box} width="{_em(_up(piece.width, 10))}">'
            f'<use xlink:href="#{name}"/></svg>'
        )


def _drawn(drawings: dict[str, str], glyphs: Iterable[str]) -> str:
    """Drawings, and the outlines of glyphs before them, for formulas to refer to."""
    if not drawings:
        return ""
    outlines = typesetter().glyphs
    defined = "".join(f'<path id="{name}" d="{outlines[name]}"/>' for name in glyphs)
    # MathJax draws with y upwards.
    defined += "".join(f'<g id="{n}" transform="scale(1 -1)">{d}</g>' for d, n in drawings.items())
    return f'<svg class="math-glyphs" aria-hidden="true" width="0" height="0"><defs>{defined}</defs></svg>'


def _up(thousandths: int | None, step: int = 50) -> int | None:
    """Rounded up: boxes of few sizes weigh less, and nobody sees it."""
    return thousandths and -(-thousandths // step) * step


def _em(thousandths: int | None) -> str:
    return "100%" if thousandths is None else f"{thousandths / 1000:g}em"


class MathsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Last of all: the table of contents must not see the mark, and raw HTML must be back in place.
        md.treeprocessors.register(_Mark(md), "math-mark", -10)
        md.postprocessors.register(_Typeset(md), "math", -10)


def makeExtension(**options) -> Extension:
    return MathsExtension(**options)
