"""Examples in docstrings: a docstring with `>>>` is a page of its own, of the same lines as its file.

    Examples:
        >>> 1 / 3
        0.3333

What stands behind `>>>` is a snippet, what stands below it are its `#>` lines; a bare expression shows itself, as
at the prompt.  The docstring's examples share a namespace, from top to bottom; its text is not read.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from lossref.pagecheck.source import Location, Page, PageError, decode

_PROMPT = re.compile(r"(\s*)(>>>|\.\.\.)(?: (.*)|)$")


class Docstring(Page):
    """The examples of one docstring."""

    interactive = True


def read_docstrings(path: Path, root: Path) -> list[Docstring]:
    """The docstrings of a module that have examples."""
    shown = path.relative_to(root).as_posix()
    source = decode(path.read_bytes(), shown)
    if ">>>" not in source:
        return []
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        line, column = getattr(problem, "lineno", None) or 1, getattr(problem, "offset", None) or 1
        raise PageError(Location(shown, line, column), f"this is not Python: {problem}") from None
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            said = ast.get_docstring(node, clean=False)
            if said is not None and re.search(r"^\s*>>>", said, re.M):
                text = node.body[0].value
                found.append(Docstring(shown, _page(shown, source.split("\n"), text.lineno, text.end_lineno)))
    return sorted(found, key=lambda page: page.fences[0].start)


def _page(shown: str, source: list[str], first: int, last: int) -> str:
    """Everything but the examples of lines `first` to `last` made empty."""
    page = [""] * len(source)
    indent: int | None = None  # of the block of examples that is open

    def error(number: int, message: str) -> PageError:
        column = len(source[number - 1]) - len(source[number - 1].lstrip()) + 1
        return PageError(Location(shown, number, column), message)

    for number in range(first, last + 1):
        line = source[number - 1]
        prompt = _PROMPT.match(line)
        starts = prompt is not None and prompt[2] == ">>>"
        wanted = starts and number != first and indent in (None, len(prompt[1]))
        if re.match(r"\s*[rRuU]*[\"']*>>>", line) and not wanted:
            raise error(number, "an example is written `>>> code`, below the first line, as far in as the one above it")
        if starts and indent is None:
            page[number - 2], indent = "```python", len(prompt[1])
        if indent is None:
            continue
        if not line.strip() and re.match(r"\s*>>>", next((x for x in source[number:last] if x.strip()), "")):
            continue  # between two examples
        if not line.strip() or number == last:
            page[number - 1], indent = "```", None
            if line.strip(" \"'"):
                raise error(number, "the closing quotes stand on a line of their own")
        elif prompt and len(prompt[1]) == indent:
            page[number - 1] = prompt[3] or ""
        elif line[indent:].startswith("Traceback (most recent call last)"):
            raise error(number, "a traceback in an example: say in words what is raised")
        else:
            page[number - 1] = f"#> {'' if line.strip() == '<BLANKLINE>' else line[indent:]}".rstrip()
    return "\n".join(page)
