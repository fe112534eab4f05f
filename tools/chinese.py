"""Markdown extension: a line end inside Chinese text is not a space.

Browsers show a line end as a space, which is right between Latin words and wrong between Chinese characters. It is
dropped between two of them, and after full-width punctuation whatever follows.
"""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
PUNCTUATION = r"\u3001-\u3011\uff01-\uff0f\uff1a-\uff1f“”‘’…—"
INLINE_TAGS = r"(?:</?(?:strong|em|a|code|mark|abbr|span)\b[^>]*>)*"

PREFORMATTED_OR_BREAK = re.compile(
    rf"(?P<kept><(?P<tag>pre|script|style)\b.*?</(?P=tag)>)"
    rf"|(?P<punctuation>[{PUNCTUATION}]{INLINE_TAGS})\n[ \t]*(?=\S)"
    rf"|(?P<han>[{HAN}]{INLINE_TAGS})\n[ \t]*(?={INLINE_TAGS}[{HAN}{PUNCTUATION}])",
    re.DOTALL,
)


class _Join(Postprocessor):
    def run(self, text: str) -> str:
        return PREFORMATTED_OR_BREAK.sub(lambda m: m["kept"] or m["punctuation"] or m["han"], text)


class ChineseExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Raw HTML must be back in place (30), formulas must still be short (-10).
        md.postprocessors.register(_Join(md), "chinese-line-ends", 5)


def makeExtension(**options) -> Extension:
    return ChineseExtension(**options)
