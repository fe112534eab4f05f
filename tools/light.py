"""MkDocs hook: pages weigh less on their way to the reader.

Formulas: the Markdown extension (`tools/maths.py`) puts the outlines of a page's glyphs into the page, which is complete
by itself, and stays so in the copy that is read from disk, where browsers let no drawing refer to another file. On a
server the outlines would be a quarter of the page; there they are replaced by references to one file for the whole
site, whose name says what is in it, so that no browser takes an old one for it.

Charts on one page share the style sheet of the first. White space between the elements of the frame goes.
"""

from __future__ import annotations

import hashlib
import re

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

OUTLINES = re.compile(r'(?<=<svg class="math-glyphs" aria-hidden="true" width="0" height="0"><defs>)(?:<path [^>]*/>)+')
OUTLINE = re.compile(r'<path id="([^"]+)" d="[^"]*"/>')
STYLE = re.compile(r"<style>\.lr-chart .*?</style>", re.DOTALL)
# What keeps its white space, and indentation, which says nothing elsewhere.
INDENTATION = re.compile(r"(<(pre|textarea|script)\b.*?</\2>)|\s*\n\s*", re.DOTALL)


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> Environment:
    """Called when all pages are converted and none is written."""
    pages = [file.page for file in files.documentation_pages()]
    for page in pages:
        page.content = _first_only(STYLE, page.content)
    if not config.plugins["material/offline"].config.enabled:
        _share_outlines([page for page in pages if OUTLINES.search(page.content)], config, files)
    return env


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    return INDENTATION.sub(lambda m: m[1] or "\n", output)


def _share_outlines(pages: list[Page], config: MkDocsConfig, files: Files) -> None:
    found = {match[1]: match[0] for page in pages for match in OUTLINE.finditer(_outlines(page))}
    if not found:
        return
    drawing = '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(found[name] for name in sorted(found)) + "</svg>\n"
    name = f"assets/glyphs.{hashlib.sha256(drawing.encode()).hexdigest()[:8]}.svg"
    files.append(File.generated(config, name, content=drawing))
    for page in pages:
        address = get_relative_url(name, page.url)
        uses = OUTLINE.sub(rf'<use id="\1" xlink:href="{address}#\1"/>', _outlines(page))
        page.content = OUTLINES.sub(uses, page.content, count=1)


def _outlines(page: Page) -> str:
    return OUTLINES.search(page.content)[0]


def _first_only(pattern: re.Pattern[str], text: str) -> str:
    first = pattern.search(text)
    return text if first is None else text[: first.end()] + pattern.sub("", text[first.end() :])
