"""Percent notebooks: a Python file that Jupyter opens, read as the page that it is.

    # ---
    # title: 标题
    # ---

    # %% [markdown]
    # 均值是 3<!--= x.mean() -->。

    # %%
    print(x.mean())
    #> 3.0

Markdown cells become Markdown and code cells fences, line for line: line i of the page is line i of the file,
so what is checked, shown and rewritten on a page needs to know nothing of notebooks.  For that a code cell
needs an empty line behind it, where its fence ends.

This file imports nothing of the package: the site, which is built without NumPy, reads it by its path
(tools/notebooks.py).
"""

from __future__ import annotations

MARKDOWN, CODE = "# %% [markdown]", "# %%"
INDENT = 2  # the characters that a line of a markdown cell has in the file and not on the page


class NotebookError(ValueError):
    """A file that is no percent notebook: what is wrong, and on which line."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line = line


def page_text(source: str) -> tuple[str, frozenset[int]]:
    r"""The page that a percent notebook is, and those of its lines that stand behind `# ` in the file.

    Line ends are \n.
    """
    lines = source.split("\n")
    page, commented = [], set()
    cell = "front"
    for number, line in enumerate(lines, start=1):
        if line.startswith("# %%") or line.startswith("#%%"):
            if line.rstrip() not in (MARKDOWN, CODE):
                raise NotebookError(
                    number, f"a cell begins with `{MARKDOWN}` or `{CODE}`, got `{line.rstrip()}`"
                )
            _end(cell, page, number)
            cell = "markdown" if line.rstrip() == MARKDOWN else "code"
            page.append("```python" if cell == "code" else "")
        elif cell == "code":
            if line.startswith(("```", "~~~")):
                raise NotebookError(number, "a fence inside a code cell")
            page.append(line)
        else:
            if not (line == "#" or line.startswith("# ") or not line.strip()):
                raise NotebookError(
                    number, f"each line of {cell} matter is written behind `# `, got `{line.strip()[:40]}`"
                )
            page.append(line[INDENT:])
            if len(line) > INDENT:
                commented.add(number)
    if cell == "front":
        raise NotebookError(1, f"no cell: a notebook's cells begin with `{MARKDOWN}` or `{CODE}`")
    if page[-1]:
        page.append("")  # a last line without its end
    _end(cell, page, len(page) + 1)
    return "\n".join(page) + ("\n" if page[-1] else ""), frozenset(commented)


def _end(cell: str, page: list[str], number: int) -> None:
    """A code cell is over: its fence ends on the empty line that the file has there."""
    if cell == "code":
        if page[-1].strip():
            raise NotebookError(number, "put an empty line between a code cell and the next cell")
        page[-1] = "```"
