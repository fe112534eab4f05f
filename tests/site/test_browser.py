"""The site in a browser, every other host blocked: whole at any width, light and dark, with scripts and without."""

import pytest

from tests.site.conftest import ROOT, pages_of

pytestmark = pytest.mark.browser

AXE = ROOT / "tools/mathjax/node_modules/axe-core/axe.min.js"

# Phone, tablet, desktop; at others, among them the edges of Material's layouts, the page must at least fit.
WIDTHS = [360, 768, 1440]
MORE_WIDTHS = [320, 500, 961]

# Formulas that are incomplete: a drawing or a glyph that is not there, no MathML, nothing to see though nothing hides
# it, or a drawing that does not fill its box. Outlines may come from a file, so what counts is what is drawn.
BROKEN_FORMULAS = """() => {
  // What is off the screen has no size until it is asked for.
  const style = document.createElement("style");
  style.textContent = "mjx-container > svg { content-visibility: visible }";
  document.body.append(style);
  const broken = [...document.querySelectorAll("mjx-container")].filter((formula) => {
  const target = (use) => document.getElementById(use.getAttribute("xlink:href").split("#")[1]);
  const drawings = [...formula.querySelectorAll("use")].map(target);
  const missing = drawings.some(
    (drawing) => !drawing || [...drawing.querySelectorAll("use")].some((use) => !target(use)));
  const silent = !formula.querySelector("mjx-assistive-mml > math");
  const folded = formula.closest("details:not([open])") || formula.closest(".tabbed-block:not(:first-child)");
  const images = [...formula.querySelectorAll(":scope > svg")];
  const unseen = !folded && (!images.length || images.some((image) => {
    const box = image.getBoundingClientRect(), ink = image.querySelector("use").getBoundingClientRect();
    const em = parseFloat(getComputedStyle(image).fontSize);
    return box.width < 1 || box.height < 1 || ink.height < 0.5
      || ink.width < 0.6 * box.width - 0.4 * em || ink.width > box.width + 0.4 * em
      || ink.left < box.left - 0.25 * em || ink.top < box.top - 0.4 * em || ink.bottom > box.bottom + 0.4 * em;
  }));
  return missing || silent || unseen;
  }).map((formula) => formula.dataset.tex);
  style.remove();
  return broken;
}"""

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

# Boxes that stick out of the column without scrolling inside themselves.
STICKING_OUT = """() =>
[...document.querySelectorAll("article :not(svg, svg *, math, math *, pre *)")].filter((element) => {
  const box = element.getBoundingClientRect();
  if (!box.width || box.right <= document.documentElement.clientWidth + 1) return false;
  for (let around = element; around.tagName !== "ARTICLE"; around = around.parentElement)
    if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(around).overflowX)) return false;
  return getComputedStyle(element).position !== "absolute";
}).map((element) => element.outerHTML.slice(0, 120))"""


def test_a_broken_formula_would_be_noticed(visit):
    page = visit().go("losses/bce/")
    assert page.evaluate(BROKEN_FORMULAS) == []
    page.evaluate("document.querySelector('.math-glyphs use').remove()")
    assert page.evaluate(BROKEN_FORMULAS) != []


def test_a_missing_file_of_glyphs_would_be_noticed(visit):
    window = visit()
    window.page.route("**/assets/glyphs.*.svg", lambda route: route.abort())
    page = window.go("losses/bce/")
    assert len(page.evaluate(BROKEN_FORMULAS)) > 100


# Serious complaints of axe, with their elements.
AXE_SAYS = """async ([where, impacts]) => {
  // The drawings inside formulas are hidden from screen readers, and of MathML only the words count for axe: without
  // them it is done in a third of the time.
  for (const part of document.querySelectorAll("mjx-container > svg, .math-glyphs")) part.remove();
  for (const math of document.querySelectorAll("math")) math.replaceWith(math.textContent);
  const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
  const result = await axe.run(where, { resultTypes: ["violations"], runOnly });
  return result.violations.filter((v) => !impacts || impacts.includes(v.impact))
    .map((v) => [v.id, v.nodes.map((node) => node.html.slice(0, 120))]);
}"""


def axe(page, where="html", impacts=None):
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(AXE_SAYS, [where, impacts])


def assert_fits(page, path, width, scheme="light"):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate(OVERFLOW) <= 0, (path, width, scheme)


def assert_whole(page, path):
    for width in WIDTHS:
        assert_fits(page, path, width)
        assert page.evaluate(STICKING_OUT) == [], (path, width)
        assert page.evaluate(BROKEN_FORMULAS) == [], (path, width)


def test_every_page_is_whole_and_accessible(site, visit):
    window = visit(width=WIDTHS[0])
    window.page.add_init_script("""
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
    """)
    for path in pages_of(site):
        page = window.go(path)
        window.settle()
        assert page.evaluate("window.shift") == 0, f"{path} moves while it loads"
        assert_whole(page, path)
        for width in MORE_WIDTHS:
            assert_fits(page, path, width)
        window.wear("dark")
        for width in WIDTHS[::-1]:
            assert_fits(page, path, width, "dark")
        window.wear("light")
        # The frame is the same on all pages.
        assert axe(page, "article" if path else "html", ["serious", "critical"]) == [], path
    assert window.elsewhere == []
    assert window.complaints == []


def test_every_page_is_whole_without_scripts(site, visit):
    window = visit(scripts=False)
    for path in pages_of(site):
        assert_whole(window.go(path), path)
    assert window.elsewhere == []
    assert window.complaints == []


def test_dark_is_dark_and_charts_follow(visit):
    window = visit()
    page = window.go("losses/nll/")

    def look(scheme):
        window.wear(scheme)
        return page.evaluate("""() => {
          const light = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 3;
          const chart = document.querySelector("article figure svg text");
          return {
            paper: light(getComputedStyle(document.body).backgroundColor),
            ink: light(getComputedStyle(document.querySelector("article p")).color),
            formula: light(getComputedStyle(document.querySelector("mjx-container svg")).fill),
            chart: light(getComputedStyle(chart).fill),
          };
        }""")

    light, dark = look("light"), look("dark")
    assert light["paper"] > 230
    assert dark["paper"] < 60
    for part in ("ink", "formula", "chart"):
        assert light[part] < 110, part
        assert dark[part] > 150, part


def test_axe_finds_nothing_serious_in_the_dark(visit):
    window = visit(dark=True, width=WIDTHS[0])
    for path in ("", "losses/nll/"):  # Only the colours differ.
        assert axe(window.go(path), impacts=["serious", "critical"]) == [], path


def test_axe_would_notice(visit):
    page = visit().go("404.html")
    page.evaluate("document.querySelector('article p').style.color = '#bbb'")
    assert [name for name, _ in axe(page, "article", ["serious"])] == ["color-contrast"]


def test_formulas_are_there_at_the_first_paint(visit):
    """They are part of the HTML: nothing is added to them afterwards."""
    window = visit(scripts=False)
    plain = len(window.go("losses/bce/").query_selector_all("mjx-container > svg"))
    window = visit()
    page = window.go("losses/bce/")
    window.settle()
    assert plain == len(page.query_selector_all("mjx-container > svg")) > 100


def test_wide_formula_scrolls_inside_itself_also_from_the_keyboard(visit):
    page = visit(width=360).go("losses/bce/")
    wide = page.evaluate_handle("""() => [...document.querySelectorAll("mjx-container[display]")].find(
      (formula) => formula.scrollWidth > formula.clientWidth + 20)""").as_element()
    assert wide is not None, "the page has no formula wider than a phone"
    assert wide.get_attribute("tabindex") == "0"
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(formula) => formula.scrollLeft > 0", arg=wide)


def test_click_copies_the_tex(visit, address):
    window = visit(permissions=["clipboard-read", "clipboard-write"])
    page = window.go("losses/bce/")
    formula = page.locator("mjx-container[display]").first
    formula.scroll_into_view_if_needed()
    formula.click()
    assert page.evaluate("navigator.clipboard.readText()") == formula.get_attribute("data-tex")
    assert formula.get_attribute("data-copied") == ""


def test_copied_text_has_tex_where_the_page_has_formulas(visit):
    window = visit(permissions=["clipboard-read", "clipboard-write"])
    page = window.go("losses/bce/")
    page.evaluate("""() => {
      const paragraph = [...document.querySelectorAll("article p")].find((p) => p.querySelector("mjx-container"));
      getSelection().selectAllChildren(paragraph);
      window.expected = paragraph.querySelector("mjx-container").dataset.tex;
    }""")
    page.keyboard.press("ControlOrMeta+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"${page.evaluate('window.expected')}$" in copied


def test_instant_navigation_keeps_formulas_and_their_copying(visit):
    window = visit(permissions=["clipboard-read", "clipboard-write"])
    page = window.go("")
    page.evaluate("window.sameDocument = true")
    page.locator("article a[href*='losses/bce']").first.click()
    page.wait_for_selector("mjx-container[display]")
    assert page.evaluate("window.sameDocument"), "the page was loaded anew"
    formula = page.locator("mjx-container[display]").first
    formula.click()
    assert page.evaluate("navigator.clipboard.readText()") == formula.get_attribute("data-tex")
    assert page.evaluate(BROKEN_FORMULAS) == []
    assert window.complaints == []
    assert window.elsewhere == []
