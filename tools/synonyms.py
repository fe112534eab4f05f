"""MkDocs hook: a page is also found by words that it does not say, or says in passing.

They stand in its front matter, `search: {also: [...]}`, one term each. Material's search knows them as tags and would
show them with every result; the style sheet hides them.
"""

from __future__ import annotations

from mkdocs.structure.pages import Page


def on_page_markdown(markdown: str, page: Page, **_) -> None:
    also = page.meta.get("search", {}).get("also")
    if also:
        page.meta["tags"] = also
