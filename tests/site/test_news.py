"""For those who follow the site and those who cite it: changelog, feed, citation."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from html import unescape

import pytest
import yaml

import lossref
from tests.site.conftest import ROOT
from tools import news

ATOM = "{http://www.w3.org/2005/Atom}"
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def text(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = news.releases()[0]
    assert newest["version"] == CFF["version"] == project["version"] == lossref.__version__
    assert newest["date"] == CFF["date-released"].isoformat()
    assert CFF["license"] == project["license"]


def test_readme_and_site_give_the_citation_of_the_cff_file(site):
    [readme] = re.findall(r"```bibtex\n(.*?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert readme == news.bibtex()
    for value in (CFF["title"], CFF["version"], CFF["authors"][0]["name"], str(CFF["date-released"].year)):
        assert f"{{{value}}}" in readme
    assert readme in text((site / "index.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("address", "named"), [("https://a.example/b/", True), ("http://127.0.0.1:8000/", False), ("", False)]
)
def test_citation_names_the_address_of_a_published_site(address, named):
    assert (f"url     = {{{address}}}" in news.bibtex(address)) is named


def test_page_shows_the_changelog(site):
    html = (site / "changelog/index.html").read_text(encoding="utf-8")
    for release in news.releases():
        assert f"{release['version']}（{release['date']}）" in text(html)
    assert html.count("<h1") == 1
    assert re.search('<a href="?../feed.xml"?>', html)


def test_feed_holds_every_version_and_pages_lead_to_it(site, port):
    root = ElementTree.parse(site / "feed.xml").getroot()
    assert root.tag == f"{ATOM}feed"
    for needed in ("title", "id", "updated", "author"):
        assert root.find(ATOM + needed) is not None
    address = f"http://127.0.0.1:{port}/"
    assert root.find(f"{ATOM}link[@rel='self']").get("href") == address + "feed.xml"
    entries = root.findall(f"{ATOM}entry")
    assert [entry.find(f"{ATOM}updated").text[:10] for entry in entries] == [r["date"] for r in news.releases()]
    assert all("<li>" in entry.find(f"{ATOM}content").text for entry in entries)
    assert len({entry.find(f"{ATOM}id").text for entry in entries}) == len(entries)
    for page, target in (("index.html", "feed.xml"), ("losses/bce/index.html", "../../feed.xml")):
        html = (site / page).read_text(encoding="utf-8")
        assert re.search(rf'<link rel="alternate" type="application/atom\+xml"[^>]* href="{target}">', html), page


def test_a_version_without_a_date_is_refused(monkeypatch):
    monkeypatch.setattr(news, "changelog", lambda: "# 更新\n\n## 0.2.0\n\n- 甲\n\n## 0.1.0（2026-01-01）\n\n- 乙\n")
    with pytest.raises(ValueError, match="a version is headed by"):
        news.releases()
