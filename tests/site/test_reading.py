"""What helps a reader along, in a real browser: tabs, copying, neighbours, focus, motion, print, wrong addresses."""

import re

import pytest

from tests.site.test_browser import BROKEN_FORMULAS

pytestmark = pytest.mark.browser

CHECKED_TAB = """() => [...document.querySelectorAll(".tabbed-set")].map((set) =>
  set.querySelectorAll(".tabbed-labels label")[
    [...set.querySelectorAll(":scope > input")].findIndex((i) => i.checked)
  ].textContent.trim())"""


def test_tabs_change_together_and_the_choice_stays(visit):
    page = visit().go("")
    assert set(page.evaluate(CHECKED_TAB)) == {"NumPy"}
    page.locator(".tabbed-labels label", has_text="PyTorch").first.click()
    page.wait_for_function(f"({CHECKED_TAB})().every((name) => name === 'PyTorch')")
    page.goto(page.url + "reference/api/", wait_until="load")
    page.wait_for_function(f"({CHECKED_TAB})()[0] === 'PyTorch'")


def test_a_click_copies_a_snippet(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"]).go("losses/bce/")
    block = page.locator("article div.highlight", has=page.locator("code")).first
    block.scroll_into_view_if_needed()
    block.hover()
    block.locator("button[data-clipboard-target], button.md-code__button").first.click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).trim()")
    assert page.evaluate("navigator.clipboard.readText()").strip() == block.locator("code").inner_text().strip()


def test_each_page_leads_to_its_neighbours(site):
    """From the front page, 下一页 leads through all pages of the navigation, and 上一页 back."""
    seen, at = [], site / "index.html"
    while True:
        seen.append(at)
        html = at.read_text(encoding="utf-8")
        following = re.search(r'<a href="([^"]+)" class="md-footer__link md-footer__link--next"', html)
        if len(seen) > 1:
            before = re.search(r'<a href="([^"]+)" class="md-footer__link md-footer__link--prev"', html)[1]
            assert ((at.parent / before).resolve() / "index.html") == seen[-2]
        if following is None:
            break
        at = (at.parent / following[1]).resolve() / "index.html"
    assert set(seen) == {path for path in site.rglob("index.html")}


def test_anchors_are_readable(site):
    for path in site.rglob("index.html"):
        html = path.read_text(encoding="utf-8")
        for level, anchor in re.findall(r'<h([1-3]) id="([^"]+)"', html):
            assert re.search(r"[\u4e00-\u9fff]|[A-Za-z]{2}|^\d+", anchor), (path, anchor)
            assert not re.fullmatch(r"_\d+|[a-z]?\d{0,2}|.*%.*", anchor), (path, level, anchor)


def test_table_of_contents_shows_no_tex(site):
    for path in site.rglob("*.html"):
        for contents in re.findall(r'data-md-component="toc".*?</nav>', path.read_text(encoding="utf-8"), re.DOTALL):
            assert not re.search(r"[\\$]", re.sub(r"<[^>]+>", "", contents)), path


def test_focus_goes_in_the_order_of_the_page(visit):
    window = visit()
    page = window.go("losses/bce/")
    window.settle()
    assert page.locator("[tabindex]:not([tabindex='0'], [tabindex='-1'], [tabindex=''])").count() == 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.md-skip')")
    page.evaluate("document.querySelector('article').querySelector('a, [tabindex]').focus()")
    tops = []
    for _ in range(12):
        tops.append(page.evaluate("document.activeElement.getBoundingClientRect().top + scrollY"))
        page.keyboard.press("Tab")
    assert tops == sorted(tops)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_nothing_glides_for_those_who_do_not_want_it(visit, wish):
    window = visit()
    window.page.emulate_media(reduced_motion=wish)
    page = window.go("losses/nll/")
    longest = page.evaluate("""() => Math.max(...[...document.querySelectorAll("*")].flatMap((element) =>
      getComputedStyle(element).transitionDuration.split(",").map(parseFloat)))""")
    assert (longest < 0.001) is (wish == "reduce")


def test_print_leaves_the_frame_out_and_everything_else_in_on_white(visit):
    page = visit(dark=True).go("losses/bce/")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for part in (".md-header", ".md-sidebar--primary", ".md-sidebar--secondary", ".md-footer", ".headerlink"):
        assert not page.locator(part).first.is_visible(), part
    assert page.evaluate(BROKEN_FORMULAS) == []
    charts = "[...document.querySelectorAll('article figure .chart-image > svg')]"
    assert page.evaluate(charts + ".every((f) => f.getBoundingClientRect().height > 50)")


def test_formulas_off_the_screen_are_printed(visit):
    page = visit().go("losses/nll/")
    with_formulas = page.pdf(format="A4")
    assert with_formulas[:5] == b"%PDF-"
    page.evaluate("document.querySelectorAll('mjx-container > svg').forEach((image) => image.replaceChildren())")
    assert len(page.pdf(format="A4")) < 0.9 * len(with_formulas)


def test_a_wrong_address_leads_back(site, visit):
    html = (site / "404.html").read_text(encoding="utf-8")
    assert "没有这一页" in html
    page = visit().go("404.html")
    page.locator("article a").first.click()
    page.wait_for_selector("h1:has-text('损失函数')")
