"""MkDocs hook: the percent notebooks in docs/experiments/ become pages like any other.

Their cells turn into the Markdown that `lossref/pagecheck/notebook.py` defines and pytest checks, outputs
included; nothing is run here. mkdocs-jupyter would run them, but make half a megabyte of HTML of each, leave
formulas as text and headings without anchors, and show what nothing has checked. Jupyter opens the same files.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

FOLDER = "experiments/"
# By its path: importing the package needs NumPy, which building the site does not.
READER = runpy.run_path(str(Path(__file__).parent.parent / "lossref" / "pagecheck" / "notebook.py"))


class Notebook(File):
    """A Python file that is a page."""

    def is_documentation_page(self) -> bool:
        return True

    @property
    def content_string(self) -> str:
        source = Path(self.abs_src_path).read_text(encoding="utf-8-sig")
        try:
            return READER["page_text"](source)[0]
        except READER["NotebookError"] as problem:
            raise PluginError(f"docs/{self.src_uri}:{problem.line}: {problem}") from None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for file in list(files):
        if file.src_uri.startswith(FOLDER) and file.src_uri.endswith(".py"):
            files.remove(file)
            files.append(Notebook(file.src_uri, config.docs_dir, config.site_dir, config.use_directory_urls))
    return files
