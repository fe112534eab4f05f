"""One registry: losses, their torch modules, chapters, ties, navigation, API reference and index are equal sets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import lossref
from lossref.pagecheck.source import read_page
from tools.api import MARKER as API_MARKER
from tools.api import Source

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "docs/losses").glob("*.md"))
TIED = {path.name: {tie["loss"] for tie in read_page(path, ROOT).front.get("ties", [])} for path in CHAPTERS}


class _Loader(yaml.SafeLoader):
    """mkdocs.yml names Python objects and environment variables; only its plain data is read here."""


_Loader.add_multi_constructor("", lambda loader, suffix, node: None)


def nav() -> list[str]:
    config = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)

    def files(entry):
        if isinstance(entry, str):
            yield entry
        for item in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else []:
            yield from files(item)

    return list(files(config["nav"]))


def test_every_loss_is_tied_on_some_page_and_every_tie_is_a_loss():
    assert set().union(*TIED.values()) == set(lossref.LOSSES)


@pytest.mark.parametrize("name", TIED)
def test_every_chapter_is_tied_and_can_be_found(name):
    assert TIED[name], f"docs/losses/{name} ties no loss"
    assert f"losses/{name}" in nav()
    assert f"losses/{name}" in (ROOT / "docs/index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs/topics").glob("*.md")))
def test_every_topic_can_be_found(name):
    assert f"topics/{name}" in (ROOT / "docs/index.md").read_text(encoding="utf-8")


def test_every_page_stands_in_the_navigation_once():
    listed = [entry for entry in nav() if not entry.startswith("http")]
    assert len(listed) == len(set(listed))
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert pages - set(listed) == set()


def test_every_loss_is_in_the_api_reference():
    assert Source().losses == list(lossref.LOSSES)
    assert "reference/api.md" in nav()
    assert API_MARKER in (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")


def test_torch_has_the_same_losses():
    torch_losses = pytest.importorskip("lossref.torch", reason="torch is not installed")
    assert {name for name in lossref.LOSSES if hasattr(torch_losses, name)} == set(lossref.LOSSES)


def test_every_loss_documents_itself_in_chinese():
    for name, loss in lossref.LOSSES.items():
        doc = loss.__doc__ or ""
        assert len(re.findall(r"[一-鿿]", doc)) > 50, name
        for part in ("Args:", "Raises:", "出处", "Examples:", "$$"):
            assert part in doc, f"{name}: {part} is missing from its docstring"
