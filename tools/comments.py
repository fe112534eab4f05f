"""Markdown extension: HTML comments do not reach the reader.

The pages carry their checks in comments (`lossref/pagecheck` reads them). They are taken out before anything else
looks at the text, because a `|` or a blank line inside one would break a table or a paragraph. Code is left alone.
"""

from __future__ import annotations

import re

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

# Code spans come first, so that a comment shown in one stays.
CODE_OR_COMMENT = re.compile(r"(?P<code>(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))|<!--.*?-->", re.DOTALL)
COMMENT_LINES = re.compile(r"^[ \t]*<!--(?:(?!-->).)*-->[ \t]*\n", re.DOTALL | re.MULTILINE)


class _Strip(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines) + "\n"
        # A comment with lines of its own goes with its line ends, so that it does not split a paragraph.
        text = COMMENT_LINES.sub("", text)
        return CODE_OR_COMMENT.sub(lambda m: m["code"] or "", text).split("\n")


class CommentsExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Fenced code is put away at 25; raw HTML is looked for at 20.
        md.preprocessors.register(_Strip(md), "strip-comments", 24)


def makeExtension(**options) -> Extension:
    return CommentsExtension(**options)
