"""The built site as files: complete, typeset, clean, and asking no other host for anything."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = sorted([*DOCS.rglob("*.md"), *(DOCS / "experiments").glob("*.py")])

# What makes a browser fetch something. A link that a reader follows is not among it.
FETCHED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src",
    "object": "data", "use": "href", "image": "href",
}
FETCHED_LINKS = {"stylesheet", "icon", "preload", "prefetch", "modulepreload", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """What a page would fetch, the text a reader sees, and its formulas."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.comments, self.formulas, self.text, self._hidden = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in FETCHED:
            self.fetched.append(found.get(FETCHED[tag]) or found.get("xlink:href") or "")
        if tag == "link" and FETCHED_LINKS & set(found.get("rel", "").split()):
            self.fetched.append(found["href"])
        if "srcset" in found:
            self.fetched += [part.split()[0] for part in found["srcset"].split(",")]
        if "style" in found:
            self.fetched += re.findall(r"url\(['\"]?([^'\")]+)", found["style"])
        if tag == "mjx-container":
            self.formulas.append(found)
        if tag in ("script", "style", "mjx-container"):
            self._hidden.append(tag)

    def handle_endtag(self, tag):
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if not self._hidden:
            self.text.append(data)


def html_of(site, source):
    name = source.relative_to(DOCS).with_suffix("").as_posix()
    return site / ("index.html" if name == "index" else f"{name}/index.html")


def formulas_in(source):
    """Count the formulas of a page's source, by rules of its own."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".py":
        cells = [cell for cell in re.split(r"^# %%", text, flags=re.MULTILINE) if cell.startswith(" [markdown]")]
        text = re.sub(r"^# ?", "", "\n".join(cell.partition("\n")[2] for cell in cells), flags=re.MULTILINE)
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^( *)(`{3,}).*?^\1\2", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]+`", "", text)
    displays = len(re.findall(r"\$\$.+?\$\$", text, re.DOTALL))
    inline = len(re.findall(r"\$[^$]+\$", re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL)))
    return displays, inline


def without_code(html):
    return re.sub(r"<(pre|code)\b.*?</\1>", "", html, flags=re.DOTALL)


def outside(address):
    return re.match(r"(?:[a-z]+:)?//", address) and not re.match(r"http://127\.0\.0\.1:\d+/", address)


def test_build_is_strict_and_quiet(build_log):
    _, said = build_log
    assert "WARNING" not in said
    assert "ERROR" not in said
    assert re.search(r"^strict: true$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)


# The API reference is made from docstrings (test_api.py).
@pytest.mark.parametrize(
    "source", [s for s in SOURCES if s.name != "api.md"], ids=lambda path: path.relative_to(DOCS).as_posix()
)
def test_every_formula_is_typeset(site, source):
    page = Page(html_of(site, source).read_text(encoding="utf-8"))
    displays = [f for f in page.formulas if "display" in f]
    # Formulas in headings stand in the table of contents as text, so each is counted once.
    assert (len(displays), len(page.formulas) - len(displays)) == formulas_in(source)
    assert all(formula["data-tex"] for formula in page.formulas)
    visible = "".join(page.text)
    assert "\\(" not in visible
    assert "\\[" not in visible


def test_every_drawing_is_on_its_page_and_every_glyph_in_the_shared_file(site):
    [shared] = site.glob("assets/glyphs.*.svg")
    outlines = re.findall(r'<path id="([^"]+)" d="[^"]+"/>', shared.read_text(encoding="utf-8"))
    assert len(outlines) == len(set(outlines)) > 100
    seen = set()
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        used = re.findall(r'<use (?:id="([^"]+)" )?xlink:href="([^"#]*)#([^"]+)"', text)
        here = re.findall(r'<g id="([^"]+)"', text) + [own for own, _, _ in used if own]
        assert len(here) == len(set(here)), path
        assert {name for own, _, name in used if not own} == set(here), path
        assert all(own == name and (path.parent / file).resolve() == shared for own, file, name in used if own), path
        seen |= {own for own, _, _ in used if own}
    assert seen == set(outlines)


def test_glyphs_are_asked_for_before_styles_hold_scripts_up(site):
    for path in site.rglob("index.html"):
        text = path.read_text(encoding="utf-8")
        before = text.partition('<link rel="stylesheet"')[0]
        assert bool(re.search(r'fetch\("[^"]*assets/glyphs\.\w+\.svg"', before)) is ("math-glyphs" in text), path


def test_what_pages_share_is_in_the_style_sheet(site):
    sheet = (site / "assets/stylesheets/lossref.css").read_text(encoding="utf-8")
    assert ".lr-chart .lr-line {" in sheet
    for path in site.rglob("index.html"):
        text = path.read_text(encoding="utf-8")
        assert "<style>" not in text, path
        assert ("var tabs=" in text) is ('<div class="tabbed-set' in text), path
        icons = re.findall(r'<svg viewBox="0 0 24 24" class="i (\w+)"></svg>', text)
        assert len(set(icons)) >= 7
        for icon in icons:
            assert f'.{icon}{{--icon:url("data:image/svg+xml,' in sheet, (path, icon)


def test_no_comment_reaches_the_reader(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        article = re.search(r"<article.*?</article>", text, re.DOTALL)
        assert article, path
        assert Page(article.group()).comments == [], path
        assert "<!--" not in article.group(), path
        # The authors' guide shows comments, as code.
        assert "&lt;!--" not in without_code(article.group()), path


def test_pages_fetch_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        fetched = Page(path.read_text(encoding="utf-8")).fetched
        assert fetched
        assert not [address for address in fetched if outside(address)], path


def test_stylesheets_fetch_nothing_from_elsewhere(site):
    sheets = list(site.rglob("*.css"))
    assert sheets
    for path in sheets:
        text = path.read_text(encoding="utf-8")
        addresses = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", text)
        assert not [a or b for a, b in addresses if outside(a or b)], path


def test_our_scripts_name_no_other_host():
    scripts = list((DOCS / "assets").rglob("*.js"))
    assert scripts
    for path in scripts:
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path


def test_search_index_is_segmented_and_free_of_formulas(site):
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    text = "".join(entry["title"] + entry["text"] for entry in index["docs"])
    assert "\u200b" in text, "jieba did not run: Chinese words are not separated"
    assert index["config"]["pipeline"] == []
    assert not re.search(r"\\(?:frac|log|sigma|operatorname|begin)\b", without_code(text))
    assert "mjx" not in text
    assert "<math" not in text


def test_headings_have_readable_anchors(site):
    text = html_of(site, DOCS / "losses/bce.md").read_text(encoding="utf-8")
    anchors = re.findall(r'<h[23] id="([^"]+)"', text)
    assert anchors
    assert not [anchor for anchor in anchors if re.fullmatch(r"_?\d*", anchor)]


def test_link_targets_and_pages_are_in_the_sitemap(site, port):
    sitemap = (site / "sitemap.xml").read_text(encoding="utf-8")
    for source in SOURCES:
        page = html_of(site, source).relative_to(site).as_posix().removesuffix("index.html")
        assert f"<loc>http://127.0.0.1:{port}/{page}</loc>" in sitemap
        text = html_of(site, source).read_text(encoding="utf-8")
        assert f'<link rel="canonical" href="http://127.0.0.1:{port}/{page}"' in text


def test_pages_describe_themselves(site):
    seen = {}
    for source in SOURCES:
        text = html_of(site, source).read_text(encoding="utf-8")
        for key in ("og:title", "og:description"):
            assert re.search(rf'<meta property="{key}" content="[^"]+"', text), (source, key)
        description = re.search(r'<meta name="description" content="([^"]+)"', text)[1]
        assert seen.setdefault(description, source) == source, "two pages have one description"
