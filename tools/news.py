"""MkDocs hook: for those who follow the site and those who cite it.

CHANGELOG.md is shown where a page says `<!-- changelog -->`, and becomes an Atom feed, `feed.xml`. Where a page says
`<!-- citation -->`, it shows the BibTeX entry made from CITATION.cff.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.sax.saxutils import escape

import yaml
from markdown import markdown as to_html
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parent.parent
PAGE = "changelog/"
RELEASE = re.compile(
    r"^## (?P<version>\S+?)（(?P<date>\d{4}-\d\d-\d\d)）\n(?P<text>.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE
)
LOCAL = re.compile(r"https?://(?:127\.|localhost|\[::1\])")


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def releases() -> list[dict[str, str]]:
    """The versions in the changelog, newest first: version, date and text."""
    found = [match.groupdict() for match in RELEASE.finditer(changelog())]
    if len(found) != changelog().count("\n## "):
        raise ValueError("CHANGELOG.md: a version is headed by: ## 1.2.3（2026-12-31）")
    return found


def bibtex(address: str = "") -> str:
    """CITATION.cff as a BibTeX entry; `address` is where the site can be read."""
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    fields = {
        "title": cff["title"],
        "author": " and ".join(f"{{{author['name']}}}" for author in cff["authors"]),
        "version": cff["version"],
        "year": cff["date-released"].year,
    }
    if address and not LOCAL.match(address):
        fields["url"] = address
    lines = [f"  {name:<7} = {{{value}}}," for name, value in fields.items()]
    return "\n".join(["@software{lossref,", *lines, "}"])


def feed(site: str) -> str:
    """The changelog as an Atom feed of the site at the address `site`."""
    entries = "".join(
        f"<entry><title>lossref {found['version']}</title><id>{site}{PAGE}#{found['version']}</id>"
        f'<link href="{site}{PAGE}"/><updated>{found["date"]}T00:00:00Z</updated>'
        f'<content type="html">{escape(to_html(found["text"]))}</content></entry>\n'
        for found in releases()
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh">\n'
        f"<title>lossref 更新</title><id>{site}</id><author><name>lossref</name></author>"
        f'<link href="{site}"/><link rel="self" href="{site}feed.xml"/>'
        f"<updated>{releases()[0]['date']}T00:00:00Z</updated>\n{entries}</feed>\n"
    )


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_) -> str:
    if "<!-- changelog -->" in markdown:
        text = changelog()
        if not config.plugins["material/offline"].config.enabled:
            # (not a Markdown link: MkDocs looks for those among the pages)
            text = text.replace("`feed.xml`", f'<a href="{get_relative_url("feed.xml", page.url)}">feed.xml</a>')
        markdown = markdown.replace("<!-- changelog -->", text)
    if "<!-- citation -->" in markdown:
        markdown = markdown.replace("<!-- citation -->", f"```bibtex\n{bibtex(config.site_url)}\n```")
    return markdown


def on_post_build(config: MkDocsConfig) -> None:
    Path(config.site_dir, "feed.xml").write_text(feed(config.site_url), encoding="utf-8")
