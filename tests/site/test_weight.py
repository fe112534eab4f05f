"""What a page weighs and when it is there, in a real browser that fetches from a compressing server."""

import pytest

from benchmarks.site import Meter, Served
from tests.site.conftest import pages_of
from tools.light import without_comments, without_foreign

pytestmark = pytest.mark.browser

# Bytes received, headers included, fonts apart (there are none): by the first page with all that pages share, and
# by any other. The last is for the report, which lists two thousand checks where there is one.
FIRST, NEXT, NEXT_REPORT = 140_000, 40_000, 43_500


@pytest.fixture(scope="module")
def compressed(site):
    with Served(site) as address:
        yield address


def weighed(page, address, meter):
    """Go to a page; return what it made the browser fetch."""
    meter.restart()
    # The list of addresses is the last thing that is asked for, when the scripts have time.
    with page.expect_event("requestfinished", lambda request: request.url.endswith("/sitemap.xml")):
        page.goto(address)
    # The browser fetches the little picture for its tab when it likes.
    return {name: size for name, size in meter.received.items() if size and not name.endswith("/favicon.svg")}


def test_every_page_keeps_to_its_budget(site, browser, compressed):
    def size(path):
        return (site / path / "index.html").stat().st_size

    # The heaviest page first, with an empty cache; all others after it.
    pages = sorted([path for path in pages_of(site) if not path.endswith(".html")], key=size, reverse=True)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    meter = Meter(page)
    first = weighed(page, compressed + pages[0], meter)
    shared = sum(first.values()) - first[compressed + pages[0]]
    for path in pages:
        received = first if path == pages[0] else weighed(page, compressed + path, meter)
        following = received.pop(compressed + path)
        assert shared + following <= FIRST, (path, shared, following)
        most = NEXT_REPORT if path == "reference/verification/" else NEXT
        assert following <= most, (path, following)
        # What pages share, they share all.
        assert path == pages[0] or received == {}, path
        assert meter.fonts == 0
    context.close()


def test_the_front_page_fetches_the_glyphs_that_chapters_need(browser, compressed):
    context = browser.new_context()
    page = context.new_page()
    with page.expect_request_finished(lambda request: "/assets/glyphs." in request.url):
        page.goto(compressed)
    context.close()


def test_the_search_index_comes_when_it_is_wanted(browser, compressed):
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    with page.expect_request_finished(lambda request: request.url.endswith("/sitemap.xml")):
        page.goto(compressed + "losses/bce/")
    assert not [address for address in fetched if "search_index" in address or "workers/" in address]
    page.locator(".md-search__input").click()
    page.keyboard.type("huber")
    page.wait_for_selector(".md-search-result__link")
    assert [address for address in fetched if "search_index" in address]
    assert [address for address in fetched if "workers/" in address]
    context.close()


def test_words_found_are_marked_on_the_page_that_a_result_leads_to(browser, compressed):
    context = browser.new_context()
    page = context.new_page()
    page.goto(compressed + "losses/l1-huber/?h=huber")
    page.wait_for_selector("article mark")
    context.close()


@pytest.mark.parametrize(
    ("suffix", "code", "left"),
    [
        (".css", "/* a\n * b */\na {\n  b: c; /* d */\n}\n\n", "a {\nb: c;\n}\n"),
        (".js", "// a\nf('//b');\n  // c\ng(1); // d\nh('http://x');\n", "f('//b');\ng(1);\nh('http://x');\n"),
    ],
)
def test_comments_stay_at_home(suffix, code, left):
    assert without_comments(code, suffix) == left


def test_styles_for_others_stay_at_home():
    css = (
        "a{b:c}[dir=ltr] a,[dir=rtl] a{d:e}@media print{[dir=rtl] a{f:g}}"
        "@media (x){[data-md-color-primary=red] a{h:i}j:is(k,l),m{n:o}}"
    )
    assert without_foreign(css) == "a{b:c}[dir=ltr] a{d:e}@media (x){j:is(k,l),m{n:o}}"
