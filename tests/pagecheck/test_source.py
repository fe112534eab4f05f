"""Reading a page: what each character is, which formulas stand where, and what is refused."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

import pytest

from lossref.pagecheck import source
from lossref.pagecheck.source import PageError, read_page, read_text


def test_kinds():
    page = read_text(
        "---\ntitle: 题\n---\n"
        "# 题 {#top}\n\n"
        '正文 `代码 $a` 与 $x$ [链接](http://a.b/12 "提示")<br> &lt; :material-numeric-1: https://c.d/3 。<!-- 注 -->\n'
    )
    of = {
        kind: "".join(c for c, k in zip(page.text, page.kinds, strict=True) if k == kind).strip()
        for kind in set(page.kinds)
    }
    assert of[source.FRONT] == "---\ntitle: 题\n---"
    assert of[source.ATTR] == "{#top}"
    assert of[source.CODE] == "`代码 $a`"
    assert of[source.MATH] == "$x$"
    assert of[source.LINK] == "(http://a.b/12https://c.d/3"
    assert of[source.HTML] == "<br>&lt;"
    assert of[source.COMMENT] == "<!-- 注 -->"
    assert not any(c.isdigit() for c in page.visible(source.PROSE))
    assert len(page.visible(source.PROSE)) == len(page.text)


def test_formulas_keep_their_offsets_in_containers():
    page = read_text("> 令 $a\n> + b$ 为\n>\n> $$\n> c\n> $$\n\n- 项 $d$\n\n    $$\n    e\n    $$\n")
    assert [math.tex.split() for math in page.maths] == [["a", "+", "b"], ["c"], ["d"], ["e"]]
    for math in page.maths:
        raw = page.text[math.start : math.end]
        assert len(raw) == len(math.tex)
        assert raw.replace(">", " ") == math.tex
    assert str(page.at(page.maths[0].start)) == "page.md:1:6"
    assert [math.display for math in page.maths] == [False, True, False, True]


CONDITIONS = {
    "当 $y=1$ 时，$p=1$": ["当", None],
    "当 $y=1$、$z>0$ 且 $a<1$ 时 $p=1$": ["当", "、", "且", None],
    "**若** $y=1$ 与 $z=1$，则 $p=1$": ["若", "与", None],
    "相当 $y=1$，应当 $y=1$，获取 $y=1$": [None, None, None],
    "$p=1$、$y=1$": [None, None],
    "取 $y=1$，有 $p=1$。且 $q=1$": ["取", None, None],
    "当 $y=1$<!-- loose: r -->、$z=1$": ["当", "、"],
}


@pytest.mark.parametrize("text, wanted", CONDITIONS.items(), ids=CONDITIONS)
def test_conditions(text, wanted):
    assert [math.condition for math in read_text(text).maths] == wanted


SENTENCES = {
    "$a$，$b$。$c$；$d$": [0, 0, 1, 2],
    "$a$ 时：\n\n$$\nb\n$$\n\n$c$": [0, 0, 1],
    "$a$，有\n\n$$\nb\n$$\n\n$$\nc\n$$": [0, 0, 1],
    "$a$。\n\n$$\nb\n$$": [0, 1],
    "$a$：\n\n$b$": [0, 1],
    "$a$. $b$; $c$…… $d$": [0, 1, 2, 3],
    "当 $a<b$ 时 $c$（$d$），$e$": [0, 0, 0, 0],
    "$c$（当 $a<b$ 时 $d$），$e$": [0, 0, 0, 1],
    "$a$，**得** \n\n$$\nb\n$$ <!-- loose: r -->": [0, 0],
    "- $a$\n- $b$": [0, 1],
    "| $a$ | $b$。$c$ |\n|---|---|\n| $d$ | $e$ |": [0, 0, 1, 2, 2],
    "# $a$\n$b$\n$c$": [0, 1, 1],
    "> $a$：\n>\n> $$\n> b\n> $$": [0, 0],
}


@pytest.mark.parametrize("text, wanted", SENTENCES.items(), ids=SENTENCES)
def test_sentences(text, wanted):
    sentences = [math.sentence for math in read_text(text).maths]
    distinct = sorted(set(sentences))
    assert [distinct.index(sentence) for sentence in sentences] == wanted


def test_comments():
    page = read_text(
        "$a$<!--= x -->、**3** <!--:= n -->\n\n$b$ <!-- exempt: 因为\n两行 --> <!-- loose: 所以 -->\n\n<!--python\nx = 1\n-->\n\n<!-- 随便 -->\n"
    )
    assert [(c.kind, c.value) for c in page.comments] == [
        ("=", "x"), (":=", "n"), ("exempt", "因为\n两行"), ("loose", "所以"), ("python", "x = 1"), ("note", "随便"),
    ]  # fmt: skip
    a, b = page.maths
    assert page.comment_behind(a.outer_end).value == "x"
    assert [c.kind for c in page.comments_behind(b.outer_end)] == ["exempt", "loose"]
    assert page.comment_behind(b.outer_end, "=") is None
    for comment in page.comments:
        assert page.text[comment.value_start :].startswith(comment.value)


def test_front_matter_places():
    page = read_text("---\na: 1\nsymbols:\n  z_n: {in: real}\nties:\n  - {loss: X}\n---\n")
    assert page.front_at("symbols", "z_n").line == 4
    assert page.front_at("ties", 0).line == 6
    assert page.front_at("nothing").line == 1


def test_windows_line_ends(tmp_path):
    path = tmp_path / "a.md"
    path.write_bytes("\ufeff题 $x$\r\n\r\n$y$".encode())
    page = read_page(path, tmp_path)
    assert page.path == "a.md"
    assert [str(page.at(math.start)) for math in page.maths] == ["a.md:1:4", "a.md:3:2"]


def test_not_utf8(tmp_path):
    path = tmp_path / "a.md"
    path.write_bytes(b"abc\nde\xff\n")
    with pytest.raises(PageError) as caught:
        read_page(path, tmp_path)
    assert str(caught.value) == "a.md:2:3: not UTF-8: byte 0xff; save the page as UTF-8"


# text, where, part of the message
REFUSED = {
    "unclosed dollar": ("好 $x\n\n$", (1, 3), "this $ is never closed in its paragraph"),
    "unclosed display": ("$$\nx\n\ny\n$$", (1, 1), "this $$ is never closed in its paragraph"),
    "space in dollars": ("$ x$", (1, 1), "no space directly inside the dollar signs"),
    "empty formula": ("$$\n$$", (1, 1), "an empty formula"),
    "display in a line": ("于是 $$x$$", (1, 4), "put a blank line before $$"),
    "text behind display": ("$$\nx\n$$ 好", (3, 3), "put a blank line behind $$"),
    "display and dollar": ("$$\nx $ y\n$$", (2, 3), "a single $ inside $$…$$"),
    "other delimiters": ("好 \\(x\\)", (1, 3), "write $…$ or $$…$$"),
    "comment in formula": ("$x <!--= y --> $", (1, 1), "a comment inside a formula"),
    "bar in a table": ("| a |\n|---|\n| $|x|$ |", (3, 3), "a | inside a table cell"),
    "formula in alt": ("![图 $x$](a.svg)", (1, 5), "a formula in an alt text"),
    "unclosed comment": ("a\n<!--= x", (2, 1), "this comment is never closed"),
    "empty claim": ("3<!--= -->", (1, 2), "needs an expression"),
    "empty reason": ("3<!-- exempt: -->", (1, 2), "needs a reason"),
    "misspelt comment": ("$x<1$<!-- lose: 好 -->", (1, 6), "write <!-- loose: reason -->"),
    "misspelt python": ("<!--pyton\nx\n-->", (1, 1), "write <!--python"),
    "unclosed code": ("a `b\n\nc`", (1, 3), "this ` is never closed"),
    "unclosed front matter": ("---\na: 1\n", (1, 1), "the front matter is never closed"),
    "bad front matter": ("---\na: 1\nb: [\n---\n", (4, 1), "front matter: "),
    "double key": ("---\na: 1\na: 2\n---\n", (3, 1), "the key 'a' stands twice"),
    "front matter no mapping": ("---\n- a\n---\n", (1, 1), "wanted `key: value` lines, got list"),
    "list numbers": ("1. 甲\n2. 乙\n4. 丙\n", (3, 1), "wanted 3. (or 1. for a new list), got 4."),
    "list start": ("甲\n\n2. 乙\n", (3, 1), "wanted 1."),
    "indented code": ("段落\n\n    x = 1\n", (3, 1), "a renderer shows this as code"),
}


@pytest.mark.parametrize("text, place, message", REFUSED.values(), ids=REFUSED)
def test_refused(text, place, message):
    with pytest.raises(PageError) as caught:
        read_text(text)
    assert message in caught.value.message
    assert (caught.value.location.line, caught.value.location.column) == place


def test_long_pages_are_read_in_linear_time():
    """Hostile: many openings that never close must not make the reader quadratic."""
    text = "文 $x$ `y` [a](b) 3<!--= z -->。\n\n" * 3000
    assert len(read_text(text).maths) == 3000
