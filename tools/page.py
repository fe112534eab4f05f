"""What a Markdown extension can know about the page it works on: its file, its text, where something stands in it."""

from __future__ import annotations

import re
from pathlib import Path

from markdown import Markdown


def current_path(md: Markdown) -> Path | None:
    """Return the source file of the page, or None outside MkDocs."""
    # MkDocs registers its link rewriter, which knows the file, with each page's Markdown object.
    if "relpath" not in md.treeprocessors:
        return None
    return Path(md.treeprocessors["relpath"].file.abs_src_path)


def current_source(md: Markdown) -> tuple[str, str]:
    """Return the page's name as shown in messages, and its text."""
    path = current_path(md)
    if path is None:
        return "page", "\n".join(md.lines)
    return "docs/" + md.treeprocessors["relpath"].file.src_uri, path.read_text(encoding="utf-8")


def line_of(fragment: str, text: str) -> int | str:
    """Return the line on which `fragment` starts, whatever the indentation of its lines; `?` if it is not there."""
    words = [re.escape(word) for word in fragment.split()]
    found = re.search(r"\s+".join(words), text)
    return "?" if found is None else text.count("\n", 0, found.start()) + 1
