"""The offline copy: unpacked, opened from disk, whole: formulas, figures, sliders, links and search."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from tests.site.conftest import ROOT
from tests.site.test_browser import BROKEN_FORMULAS
from tests.site.test_explorers import EXPLORERS, SWEEP, assert_shows
from tools.offline import NAME, main, pack


@pytest.fixture(scope="module")
def copy(report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("offline")
    environment = {**os.environ, "LOSSREF_REPORT": str(report)}
    command = [sys.executable, "-m", "tools.offline", folder]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    with zipfile.ZipFile(folder / f"{NAME}.zip") as packed:
        packed.extractall(folder)
    return folder / NAME


@pytest.fixture
def window(browser, copy):
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    local = ("file:", "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(local) or complaints.append(request.url))
    yield page
    context.close()
    assert complaints == []


def test_links_name_files(copy):
    pages = list(copy.rglob("*.html"))
    assert len(pages) >= 2
    for page in pages:
        for link in re.findall(r'<a\b[^>]*\shref="((?!https?:|mailto:)[^"#?]+)', page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            assert target.is_file(), f"{page.relative_to(copy)} links to {link}"
    assert "reference/verification.html#losses-nll-" in (copy / "losses/nll.html").read_text(encoding="utf-8")


@pytest.mark.browser
def test_chapter_is_whole(window, copy):
    window.goto((copy / "losses/bce.html").as_uri())
    assert window.evaluate(BROKEN_FORMULAS) == []
    assert window.locator("mjx-container").count() > 100
    assert window.locator("figure svg").first.bounding_box()["height"] > 100


@pytest.mark.browser
def test_sliders_move_their_curves(window, copy):
    window.goto((copy / "losses/focal.html").as_uri())
    shown = window.locator("figure.explorer").evaluate(SWEEP)
    assert len({str(setting["panels"]) for setting in shown}) == len(shown)
    for setting in shown:
        assert_shows(setting, EXPLORERS["focal-loss"])


@pytest.mark.browser
def test_search_finds_and_leads_there(window, copy):
    window.goto((copy / "index.html").as_uri())
    field = window.locator(".md-search__input")
    field.click()
    window.wait_for_function("() => document.querySelector('.md-search-result__meta').textContent.includes('键入')")
    field.fill("KL散度")
    field.press("End")
    window.locator(".md-search-result__link").first.click()
    window.wait_for_url("**/losses/kl.html*")
    assert "KL" in window.locator("article h1").inner_text()


def test_same_files_give_the_same_archive(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.html").write_text("a", encoding="utf-8")
    pack(folder, tmp_path / "one.zip")
    (folder / "a.html").write_text("a", encoding="utf-8")
    pack(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_folder_that_is_not_there_is_refused(capsys, tmp_path):
    assert main([str(tmp_path / "none")]) == 2
    assert "usage" in capsys.readouterr().err
