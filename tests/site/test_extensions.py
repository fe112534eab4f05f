"""The Markdown extensions in tools/, one at a time and in MkDocs' strict build."""

import logging
import re
import textwrap

import pytest
from markdown import Markdown
from pymdownx.slugs import slugify

from tests.site.conftest import ROOT
from tools.inline_svg import accessible
from tools.page import line_of
from tools.slim import slim
from tools.typesetter import Typesetter

STYLES = (ROOT / "docs/assets/stylesheets/lossref.css").read_text(encoding="utf-8")
MATHS = ["pymdownx.arithmatex", "tables", "toc", "tools.comments", "tools.maths"]


def render(text, extensions, **configs):
    settings = {"pymdownx.arithmatex": {"generic": True}, **configs}
    used = {name: settings[name] for name in extensions if name in settings}
    return Markdown(extensions=extensions, extension_configs=used).convert(textwrap.dedent(text))


@pytest.fixture
def build(tmp_path):
    """Build a page with MkDocs in strict mode; return what was logged if that failed."""
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    def run(text, extensions, caplog):
        (tmp_path / "docs").mkdir()
        (tmp_path / "docs/index.md").write_text(text, encoding="utf-8")
        config = tmp_path / "mkdocs.yml"
        config.write_text("site_name: x\n", encoding="utf-8")
        configured = [{name: {"generic": True}} if "arithmatex" in name else name for name in extensions]
        settings = load_config(
            str(config), strict=True, markdown_extensions=configured, site_dir=str(tmp_path / "site"), plugins=[]
        )
        with caplog.at_level(logging.WARNING, logger="mkdocs"):
            try:
                mkdocs_build(settings)
            except Abort:
                return [record.getMessage() for record in caplog.records]
        return None

    return run


# Formulas


def test_formula_becomes_svg_with_mathml_and_tex():
    html = render(r"前 $\sigma(z) < 1$ 后", MATHS)
    assert 'data-tex="\\sigma(z) &lt; 1"' in html
    assert '<svg aria-hidden="true"' in html
    assert "<mi>σ</mi>" in html or "<mi>&#x3C3;</mi>" in html
    assert html.count("<mjx-container") == 1
    assert "data-search-exclude" in html


def test_glyphs_of_a_page_stand_in_it_once():
    html = render("$z$ 与 $z$\n\n$$\nz\n$$", MATHS)
    assert html.count('<path id="I-1D467"') == 1
    assert html.count('xlink:href="#I-1D467"') == 1
    assert html.count('xlink:href="#m1"') == html.count("<mjx-container") == 3


def test_drawings_of_a_page_do_not_reach_the_next():
    converter = Markdown(extensions=MATHS, extension_configs={"pymdownx.arithmatex": {"generic": True}})
    first = converter.convert("$z$")
    assert '<g id="m1"' in first
    assert "math-glyphs" not in converter.reset().convert("文字")
    assert converter.reset().convert("$z$") == first


def test_drawings_that_the_opening_needs_come_first_and_all_others_last():
    html = render("$z$ 与 $p+z$\n\n## 一\n\n$z$、$q+z$\n\n## 二\n\n$r$", MATHS)
    opening, first, sections = html.partition("</defs></svg>")
    sections, _, last = sections.partition('<svg class="math-glyphs"')
    assert re.findall('<g id="(m\\d)"', opening + first) == ["m1", "m2"]
    assert re.findall('<g id="(m\\d)"', last) == ["m3", "m4"]
    assert last.endswith("</defs></svg>") and sections.count("<mjx-container") == 5
    glyphs = re.findall('<path id="([^"]+)"', html)
    assert len(glyphs) == len(set(glyphs))
    assert set(re.findall('href="#([^"m]+)"', html)) == set(glyphs)


def test_page_without_formulas_has_no_glyphs():
    html = render("# 标题\n\n文字", MATHS)
    assert "math-glyphs" not in html


def test_formula_in_a_heading_keeps_a_readable_anchor():
    html = render("## 梯度是 $p-y$", MATHS, toc={"slugify": slugify(case="lower"), "permalink": "#"})
    assert '<h2 id="梯度是-py">' in html
    assert html.count("<mjx-container") == 1


def test_short_formula_stays_in_one_piece_and_a_long_one_may_break():
    assert "<mjx-break>" not in render("$a+b=c$", MATHS)
    assert render("$a+b+c+d+e+f+g+h+i+j+k=0$", MATHS).count("<mjx-break> </mjx-break><svg") > 5


def boxes(html):
    """Height, depth and width of each piece, in em. Where the page is silent the stylesheet sets the first two."""
    usual = re.search(r"mjx-container > svg {[^}]*height: (\S+)em;\s+vertical-align: (\S+)em;", STYLES).groups()
    found = []
    for svg in re.findall('<svg aria-hidden="true" (?!width="0")[^>]*>', html.partition("</defs>")[2]):
        said = re.search(r"height:(\S+?)em;vertical-align:(\S+?)em", svg)
        height, low = map(float, said.groups() if said else usual)
        found.append((height + low, -low, float(re.search(r' width="(\S+?)em"', svg)[1])))
    return found


def test_boxes_are_those_of_the_font():
    """TeX's own numbers for Computer Modern, whose successor MathJax's font is: z is 0.465 em wide, p 0.503."""
    assert boxes(render("$z$", MATHS)) == [(0.75, 0.25, pytest.approx(0.465, abs=0.01))]
    assert boxes(render("$p$", MATHS)) == [(0.75, 0.25, pytest.approx(0.503, abs=0.01))]
    [(above, below, _)] = boxes(render("$$\n\\frac{a}{b}\n$$", MATHS))
    assert above > 1
    assert below > 0.6


@pytest.mark.parametrize(
    ("tex", "drawn"),
    [
        # A letter and its index at seven tenths of the size, lowered.
        (
            "z_n",
            r'<use xlink:href="#I-1D467"/>'
            r'<use xlink:href="#I-1D45B" transform="translate\(\d+ -150\)scale\(0.707\)"/>',
        ),
        # A symbol on the line stands a step behind the one before it.
        (
            r"\log p",
            r'<use xlink:href="#N-6C"/><g transform="translate\(278\)"><use xlink:href="#N-6F"/>'
            r'<g transform="translate\(500\)"><use xlink:href="#N-67"/><g transform="translate\(667\)">',
        ),
        (r"\text{若}", r'<text [^>]*transform="scale\(1,-1\)">若</text>'),
        (r"\sqrt{x}", r'<rect [^>]*height="60"/>'),
        (r"\color{red}{x}", r'<g fill="red" stroke="red"><use xlink:href="#I-1D465"/></g>'),
        (r"a\tag{1}", r'<svg [^>]*preserveAspectRatio="xMaxYMid"><g transform="matrix'),
    ],
)
def test_drawing_keeps_what_mathjax_drew(tex, drawn):
    assert re.search(drawn, render(f"$${tex}$$", MATHS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a$，后", "[F，]|后"),
        ("前（$a$）。后", "前[（F）。]|后"),
        ("前 $a$ 后", "前 [F]| 后"),
        ("$a$、$b$", "[F、]|[F]|"),
    ],
)
def test_punctuation_stays_with_its_formula(text, expected):
    html = re.search("<p>(.*)</p>", render(text, MATHS))[1]
    html = re.sub("<mjx-container.*?</mjx-container>", "F", html)
    assert html.replace('<span class="math-unit">', "[").replace("</span>", "]").replace("<wbr>", "|") == expected


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        (r"$\bm x$", r"Undefined control sequence \bm"),
        (r"$\frac{a}{b$", "Missing close brace"),
        (
            "$$\n\\begin{aligned} a &= b \\\\\n\\nosuchmacro\n\\end{aligned}\n$$",
            r"Undefined control sequence \nosuchmacro",
        ),
    ],
)
def test_formula_mathjax_cannot_set_fails_the_build_with_file_and_line(build, caplog, formula, complaint):
    messages = build("---\ntitle: 页\n---\n\n# 页\n\n好的 $a$。\n\n" + formula + "\n", MATHS, caplog)
    assert messages is not None, "the build passed"
    line = 10 if formula.startswith("$$") else 9
    assert any(m.startswith(f"docs/index.md:{line}: ") and complaint in m for m in messages), messages


def test_good_page_passes_the_same_build(build, caplog):
    assert build("# 页\n\n好的 $a$。\n", MATHS, caplog) is None


def test_typeset_results_are_kept_between_builds(tmp_path, monkeypatch):
    cache = tmp_path / "maths.json"
    first = Typesetter(cache)
    before = first.typeset([("a_1", False)])
    first.close()
    second = Typesetter(cache)
    monkeypatch.setattr(second, "_start", lambda: pytest.fail("node was started for a known formula"))
    assert second.typeset([("a_1", False)]) == before
    assert second.glyphs == first.glyphs


def test_cache_of_another_mathjax_is_not_used(tmp_path):
    cache = tmp_path / "maths.json"
    first = Typesetter(cache)
    first.typeset([("a_1", False)])
    first.close()
    cache.write_text(cache.read_text(encoding="utf-8").replace('"version": "', '"version": "x'), encoding="utf-8")
    assert Typesetter(cache).glyphs == {}


def test_same_letter_inline_and_display_are_two_formulas():
    typesetter = Typesetter(None)
    inline, display = typesetter.typeset([(r"\sum_n a", False), (r"\sum_n a", True)])
    typesetter.close()
    assert inline.pieces != display.pieces


# Comments


@pytest.mark.parametrize(
    "comment",
    ["<!--= loss.item() -->", "<!--:= x, y -->", "<!-- exempt: 理由 -->", "<!--= [a | b for a in c if a > b] -->"],
)
def test_comments_go_and_the_text_stays(comment):
    assert render(f"损失为 1.3742{comment}，如此。", MATHS) == "<p>损失为 1.3742，如此。</p>"


def test_comment_in_a_table_does_not_split_cells():
    html = render("| a | b |\n|---|---|\n| 1<!--= x | y --> | 2 |", MATHS)
    assert html.count("<td>") == 2


def test_comment_on_its_own_line_does_not_split_a_paragraph():
    assert render("上文\n<!-- exempt: 理由 -->\n下文", MATHS) == "<p>上文\n下文</p>"


def test_hidden_code_with_blank_lines_and_dollars_goes():
    html = render("上文\n\n<!--python\nx = '$a$'\n\n\ny = 2\n-->\n\n下文", MATHS)
    assert html == "<p>上文</p>\n<p>下文</p>"


def test_comments_shown_as_code_stay():
    html = render("写 `<!--= x -->` 或\n\n```html\n<!--= y -->\n```\n", ["pymdownx.superfences", "tools.comments"])
    assert "&lt;!--= x --&gt;" in html
    assert "y" in html.split("<pre>")[1]


# Chinese line ends


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你\n好", "你好"),
        ("你。\n好", "你。好"),
        ("你，\nlogit", "你，logit"),
        ("logit\nloss", "logit\nloss"),
        ("用\nlogit", "用\nlogit"),
        ("**你**\n好", "<strong>你</strong>好"),
        ("你\n**好**", "你<strong>好</strong>"),
    ],
)
def test_line_end_between_chinese_is_not_a_space(text, expected):
    assert render(text, ["tools.chinese"]) == f"<p>{expected}</p>"


def test_lines_of_code_stay_apart():
    html = render("```\n你\n好\n```", ["pymdownx.superfences", "tools.chinese"])
    assert "你\n好" in html


# Tables


def test_a_long_table_gives_its_columns_room_for_what_they_show():
    rows = "\n".join(f'| <a id="a-very-long-name-of-a-row-{i}"></a>{i} | `{"x" * 40}` |' for i in range(9))
    html = render(f"| 行 | 内容 |\n|---|---|\n{rows}", ["tables", "pymdownx.inlinehilite", "tools.tables"])
    narrow, wide = map(int, re.findall(r'<col style="width:(\d+)%"', html))
    assert narrow < 25 < 75 < wide


# Figures and snippets

SVG = (
    '<?xml version="1.0"?>'
    '<svg xmlns="http://www.w3.org/2000/svg" aria-label="old" viewBox="0 0 1 1"><path d="M0 0"/></svg>\n'
)


def test_figure_is_named_by_its_alternative_text():
    assert accessible(SVG, '梯度 "p"') == (
        '<svg role="img" aria-label="梯度 &quot;p&quot;" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    )


def test_what_is_not_svg_is_refused():
    with pytest.raises(ValueError, match="no <svg> element"):
        accessible("<html></html>", "x")


def test_missing_figure_fails_the_build_with_file_and_line(build, caplog):
    messages = build("# 页\n\n![图](missing.svg)\n", ["tools.inline_svg"], caplog)
    assert messages is not None
    assert any(m.startswith("docs/index.md:3: no such figure") for m in messages), messages


def test_output_lines_are_marked():
    html = render("```python\nprint(1)  # note\n#> 1\n#! Error: x\n```", ["pymdownx.superfences", "tools.snippets"])
    assert '<span class="c1 output">#&gt; 1</span>' in html
    assert '<span class="c1 raises">#! Error: x</span>' in html
    assert '<span class="c1"># note</span>' in html
    # What has the colour of the text has no tags.
    assert '<span class="nb">print</span>(<span class="mi">1</span>)' in html


def test_a_curve_is_told_in_steps_and_a_grid_in_one():
    curve = '<polyline class="lr-{}" points="0.0,10.0 0.5,9.7 10.0,4.0 10.0,-4.0"/>'
    grid = '<line class="lr-grid" x1="{}" y1="{}" x2="{}" y2="{}"/>'
    rules = [grid.format("58.0", y, "506.0", y) for y in ("34.5", "60.0")] + [grid.format(58, 34, 58, 200)]
    drawn = slim("\n".join(["<svg>", *rules, curve.format("line"), curve.format("line lr-live"), "</svg>"]))
    assert drawn == (
        '<svg><path class="lr-grid" d="M58 34.5H506M58 60H506M58 34V200"/>'
        '<path class="lr-line" d="M0 10l10-6 0-8"/>'
        '<polyline class="lr-line lr-live" points="0,10 10,4 10,-4"/></svg>'
    )


def test_line_of_finds_indented_formulas():
    assert line_of("a\n= b", "x\n\n    a\n    = b\n") == 3
    assert line_of("c", "x") == "?"
