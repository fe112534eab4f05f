"""MkDocs hook: the curves of an explorer come when a reader reaches for its sliders.

`page.py` puts them into the page, which is complete by itself and stays so in the copy that is read from disk, where a
page can fetch nothing. On a server they would be up to a tenth of a page; there they become files, whose names say what
is in them, so that no browser takes an old one for it.
"""

from __future__ import annotations

import hashlib
import re

from jinja2 import Environment
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

CURVES = re.compile(r"<template>([^<]*)</template>")


def on_env(env: Environment, config: MkDocsConfig, files: Files) -> Environment:
    """Called when all pages are converted and none is written."""
    if config.plugins["material/offline"].config.enabled:
        return env
    for page in [file.page for file in files.documentation_pages()]:

        def moved(curves: re.Match, page=page) -> str:
            name = f"assets/curves/{hashlib.sha256(curves[1].encode()).hexdigest()[:8]}.json"
            files.append(File.generated(config, name, content=curves[1]))
            return f'<template data-from="{get_relative_url(name, page.url)}"></template>'

        page.content = CURVES.sub(moved, page.content)
    return env
