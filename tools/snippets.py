"""Markdown extension: what a snippet prints looks different from what it says.

In the pages' Python, lines that start with `#> ` are output and lines with `#! ` the error a statement raises
(`lossref/pagecheck` holds both against what really happens). To the highlighter they are comments like any other.

Names, operators and punctuation have the colour of the text; the tags around each of them would be three quarters of
what highlighting weighs.
"""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

COMMENT = re.compile(r'<span class="c1">#(?P<mark>&gt;|!)')
PLAIN = re.compile(r'<span class="[nopw]">([^<]*)</span>|<span></span>')
KIND = {"&gt;": "output", "!": "raises"}


class _Style(Postprocessor):
    def run(self, text: str) -> str:
        text = PLAIN.sub(lambda m: m[1] or "", text)
        return COMMENT.sub(lambda m: f'<span class="c1 {KIND[m["mark"]]}">#{m["mark"]}', text)


class SnippetsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Below 30, where the highlighted code comes back into the text.
        md.postprocessors.register(_Style(md), "snippet-output", 15)


def makeExtension(**options) -> Extension:
    return SnippetsExtension(**options)
