"""MkDocs hook: pages weigh less on their way to the reader.

Formulas: the Markdown extension (`tools/maths.py`) puts the outlines of a page's glyphs into the page, which is whole
by itself, and stays so in the copy that is read from disk, where browsers let no drawing refer to another file. On a
server the outlines would be a quarter of the page; there they are replaced by references to one file for the whole
site, whose name says what is in it, so that no browser takes an old one for it.

The style of charts and the icons of the frame, the same on every page, move into the style sheet, which a browser
keeps. Scripts for tabs stay on pages with tabs. White space between the elements of the frame goes, marks for the
search index that is already made, comments in our own styles and scripts, and what Material says of other palettes
and of text from right to left.

Formulas and charts are set aside until a page is written: the search index, which leaves them out, would spend half of
the time of a build on reading them.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

OUTLINES = re.compile(r'(?<=<svg class="math-glyphs" aria-hidden="true" width="0" height="0"><defs>)(?:<path [^>]*/>)+')
OUTLINE = re.compile(r'<path id="([^"]+)" d="[^"]*"/>')
STYLE = re.compile(r"<style>(\.lr-chart .*?)</style>", re.DOTALL)
ICON = re.compile(r'<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="0 0 24 24"><path d="([^"]+)"/></svg>')
# Material's scripts for tabs.
TABS = re.compile(r"<script>var (?:tabs=__md_get|target=document).*?</script>")
# What takes the styles that pages had.
SHEET = "assets/stylesheets/lossref.css"
# What the search index need not read, and what stands in its place meanwhile.
UNREAD = re.compile(
    r'<mjx-container class="math".*?</mjx-container>|<svg class="math-glyphs".*?</defs></svg>|<svg role="img".*?</svg>',
    re.DOTALL,
)
ASIDE = re.compile(r"<!--aside (\d+)-->")
# What keeps its white space, and indentation, which says nothing elsewhere.
INDENTATION = re.compile(r"(<(pre|textarea|script)\b.*?</\2>)|\s*\n\s*", re.DOTALL)
# Comments; in scripts only those that are lines of their own or follow the end of a statement.
SPOKEN = {
    ".css": re.compile(r"/\*.*?\*/", re.DOTALL),
    ".js": re.compile(r"^[ \t]*//.*$|(?<=;) // .*$", re.MULTILINE),
}

RULE = re.compile(r"([^{}]+)(\{[^{}]*\})")
# Selectors that fit nothing here.
FOREIGN = re.compile(r"\[dir=rtl\]|\[data-md-color-(?:accent|primary)=")


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> Environment:
    """Called when all pages are converted and none is written."""
    pages = [file.page for file in files.documentation_pages()]
    _moved.clear()
    for page in pages:
        page.content = STYLE.sub(_to_sheet, page.content)
    if not config.plugins["material/offline"].config.enabled:
        _share_outlines([page for page in pages if OUTLINES.search(page.content)], config, files)
    _aside.clear()
    for page in pages:
        page.content = UNREAD.sub(_set_aside, page.content)
    return env


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    output = ASIDE.sub(lambda m: _aside[int(m[1])], output)
    output = ICON.sub(_icon, output)
    if '<div class="tabbed-set' not in output:
        output = TABS.sub("", output)
    output = re.sub(r' data-search-exclude(?:="")?(?=[ >])', "", output)
    return INDENTATION.sub(lambda m: m[1] or "\n", output)


def on_post_build(config: MkDocsConfig) -> None:
    docs, site = Path(config.docs_dir), Path(config.site_dir)
    for source in (docs / "assets").rglob("*"):
        if source.suffix in SPOKEN:
            target = site / source.relative_to(docs)
            target.write_text(without_comments(source.read_text(encoding="utf-8"), source.suffix), encoding="utf-8")
    for sheet in site.glob("assets/stylesheets/*.min.css"):
        sheet.write_text(without_foreign(sheet.read_text(encoding="utf-8")), encoding="utf-8")
    with (site / SHEET).open("a", encoding="utf-8") as sheet:
        sheet.write("".join(rule + "\n" for rule in _moved))


def without_comments(code: str, suffix: str) -> str:
    """A style sheet or script without comments, indentation and blank lines."""
    return re.sub(r"\s*\n\s*", "\n", SPOKEN[suffix].sub("", code)).strip() + "\n"


def without_foreign(css: str) -> str:
    """A style sheet without the selectors that fit nothing here, and what is empty then."""

    def needed(rule: re.Match[str]) -> str:
        selectors = re.split(r",(?![^(]*\))", rule[1])
        kept = ",".join(selector for selector in selectors if not FOREIGN.search(selector))
        return kept and kept + rule[2]

    return re.sub(r"@media[^{}]+\{\s*\}", "", RULE.sub(needed, css))


_aside: list[str] = []
# Rules for the style sheet, in the order in which they were met.
_moved: dict[str, None] = {}


def _to_sheet(style: re.Match[str]) -> str:
    _moved[style[1]] = None
    return ""


def _icon(icon: re.Match[str]) -> str:
    """An icon as a stencil; its name says what it shows, so that no page takes an old one for it."""
    name = "i" + hashlib.sha256(icon[1].encode()).hexdigest()[:4]
    drawing = icon[0].replace("<", "%3C").replace(">", "%3E").replace('"', "'")
    _moved[f'.{name}{{--icon:url("data:image/svg+xml,{drawing}")}}'] = None
    return f'<svg viewBox="0 0 24 24" class="i {name}"></svg>'


def _set_aside(match: re.Match[str]) -> str:
    _aside.append(match[0])
    return f"<!--aside {len(_aside) - 1}-->"


def _share_outlines(pages: list[Page], config: MkDocsConfig, files: Files) -> None:
    found = {
        match[1]: match[0]
        for page in pages
        for outlines in OUTLINES.findall(page.content)
        for match in OUTLINE.finditer(outlines)
    }
    if not found:
        return
    drawing = '<svg xmlns="http://www.w3.org/2000/svg">' + "".join(found[name] for name in sorted(found)) + "</svg>\n"
    name = f"assets/glyphs.{hashlib.sha256(drawing.encode()).hexdigest()[:8]}.svg"
    files.append(File.generated(config, name, content=drawing))
    config.extra["glyphs"] = name  # The theme lets pages without formulas fetch it beforehand.
    for page in pages:
        page.meta["formulas"] = True
        address = get_relative_url(name, page.url)
        use = rf'<use id="\1" xlink:href="{address}#\1"/>'
        page.content = OUTLINES.sub(lambda m, use=use: OUTLINE.sub(use, m[0]), page.content)
