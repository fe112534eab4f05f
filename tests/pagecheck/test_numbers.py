"""Every number in the text is a claim: right ones pass, wrong, missing and empty claims are refused."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

import re

import pytest
from pages import failures, outcome

from lossref.pagecheck.quoted import Record
from lossref.pagecheck.source import Location

SETUP = """<!--python
import math
x = [k / 4 for k in (1, 2, 5)]
n = len(x) + 13
big = math.fsum([12345, 0.678])
version = ".".join(map(str, [2, 13, 0]))
-->

"""

COX = {
    "cox": Record(
        "cox", "Cox (1958), JRSS 20(2), 215–242", "seen", "read", Location("docs/data/quoted.yml", 1, 1)
    )
}

RIGHT = {
    "scalar": "值 0.25<!--= x[0] -->。",
    "sequence": "0.25、0.50 和 1.25<!--= x -->",
    "nested sequence": "0.25, 0.5<!--= [[x[0]], [x[1]]] -->",
    "two claims": "0.25<!--= x[0] --> 与 0.5<!--= x[1] -->",
    "table": "| a | b |\n|---|---|\n| 0.25 | 0.5<!--= x[:2] --> |\n| 16<!--= n --> | 1.25<!--= x[2] --> |",
    "heading": "## 共 16<!--= n --> 个",
    "list": "1. 值 0.25<!--= x[0] -->\n2. 值 16<!--= n -->",
    "bold, comma": "**0.25**<!--= x[0] -->，`0.5`<!--= x[1] -->",
    "percent": "25%<!--= x[0] -->，减少 75%<!--= 1 - x[0] -->",
    "about": "约 12000<!--= big -->，约 12300<!--= big -->",
    "thousands": "12,345.7<!--= big -->",
    "scientific": "1.23×10⁴<!--= big -->、1.2e4<!--= big -->、1.235×10^{4}<!--= big -->",
    "minus": "−0.25<!--= -x[0] -->",
    "range": "0.25–0.5<!--= x[:2] -->",
    "fraction": "1/4<!--= x[0] -->",
    "in a formula": "$0.25$<!--= x[0] -->、$\\tfrac14$<!--= x[0] -->、$-\\frac{1}{4}$<!--= -x[0] -->、$10^{-2}$<!--= 1/(n*6.25) -->、$4/16$<!--= x[0] -->",
    "formulas, one claim": "| $0.25$ | $0.5$<!--= x[:2] --> |",
    "alt text": "![图中 16 个点](a.svg)<!--= n -->",
    "input": "取 3<!--:= k -->，得 0.75<!--= k * x[0] -->",
    "two inputs": "取 3 与 4.5<!--:= k, m -->，得 13.5<!--= k * m -->",
    "rebound input": "| 2<!--:= q --> | 4<!--= q * q --> |\n|---|---|\n| 3<!--:= q --> | 9<!--= q * q --> |",
    "input in code": "`n=3`<!--:= k --> 得 0.75<!--= k * x[0] -->",
    "input used by code": "取 3<!--:= k -->\n\n```python\nprint(k + 1)\n#> 4\n```",
    "text": "版本 2.13.0<!--= version -->，即 2.13<!--= version -->",
    "quotation": "Cox (1958)，20(2)，215–242<!--= quoted.cox -->",
    "exemption": "老图 42<!-- exempt: 作废的旧数据 -->",
    "executed code": "看 `x[0]`。\n\n```python\nprint(x[0])\n#> 0.25\n```",
    "words": "`float32` 与 L2 与 0-1 损失",
    "word from elsewhere": "`opt.l2_loss`<!-- exempt: 另一个库的名字 -->",
    "numpy": "<!--python\nimport numpy as np\n-->\n\n0.25<!--= np.float32(x[0]) -->、0.25、0.75、2.0<!--= np.cumsum(x) -->",
    "links and attributes": '[文](http://a.b/12) <img width="12" src="a">\n{: .a12 }',
    "marked up": "[文][a1]，见注[^2]。\n\n[a1]: http://a.b/12\n[^2]: 注\n\n## 标题 {#a12}\n\n| 甲 {.b1} | 乙 |\n|---|---|\n| **丙**{.c1} | 丁 |",
    "in words": "降到四分之一<!--= x[0] -->，减少百分之七十五<!--= 1 - x[0] -->，是五倍<!--= x[2] / x[0] -->，约**一半**<!--= x[1] + 0.001 -->",
    "input that code says again": "取 3<!--:= k -->\n\n```python\nk = 3\nprint(k + 1)\n#> 4\n```",
    "input beside another of its name": "取 3<!--:= k -->\n\n```python\nprint([k + j for j in x][0])\n#> 3.25\n```",
    "range over claims": "0.25<!--= x[0] -->–0.5<!--= x[1] -->",
    "directions": "超过 0.24<!--= x[0] - 0.009 + 0.0001 -->、不到 0.3<!--= x[0] + 0.049 -->、至少 0.25<!--= x[0] -->、不超过 0.25<!--= x[0] -->",
    "small constants": "2<!--= len(x) - 1 -->、1.00<!--= round(x[2] - x[0], 2) -->",
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_right(text):
    wrong, labels = outcome(SETUP + text, COX)
    assert not wrong
    assert labels


# text, part of the message; the line is always 9
WRONG = {
    "digit": ("值 0.26<!--= x[0] -->", "9:3: written: 0.26\n  the value is 0.25, by <!--= x[0] -->"),
    "sign": ("值 -0.25<!--= x[0] -->", "written: -0.25"),
    "second of a sequence": ("0.25、0.51、1.25<!--= x -->", "9:6: written: 0.51\n  the value is 0.5"),
    "percent": ("26%<!--= x[0] -->", "written: 26%"),
    "whole number": ("12346<!--= big -->", "write 约 12346, or more digits"),
    "about": ("约 11000<!--= big -->", "written: 11000"),
    "tie": ("0.3<!--= x[0] -->", "lies exactly between two such literals"),
    "formula": ("$\\tfrac13$<!--= x[0] -->", "written: $\\tfrac13$\n  the value is 0.25"),
    "unclaimed": ("共 7 个", "9:3: 7: no claim stands behind this number"),
    "unclaimed behind": ("0.25<!--= x[0] --> 与 7", "7: no claim stands behind this number"),
    "unclaimed in a formula": ("$0.25$", "$0.25$: no claim stands behind this number"),
    "unclaimed in code": ("`f(7)`", "7: no claim stands behind this number"),
    "unclaimed in a heading": ("## 第 7 节", "7: no claim stands behind this number"),
    "unclaimed in a title": ('!!! note "7 点"', "7: no claim stands behind this number"),
    "unclaimed in alt": ("![7 点](a.svg)", "7: no claim stands behind this number"),
    "unclaimed emphasis": ("_7_ 点", "7: no claim stands behind this number"),
    "unclaimed full width": ("７ 点", "７: no claim stands behind this number"),
    "too few values": ("7、0.25<!--= x[0] -->", "2 numbers before this claim, but <!--= x[0] --> gives one value, 0.25"),
    "too many values": ("0.25、0.5<!--= x -->", "gives 3 values, [0.25, 0.5, 1.25]"),
    "claim in another paragraph": ("7\n\n<!--= n -->", "has no number before it"),
    "claim without number": ("好<!--= n -->", "has no number before it"),
    "claim behind a formula": ("7 $x=1$<!--= n -->", "a claim behind a formula that is more than a number"),
    "input that code replaces": ("取 3<!--:= k -->\n\n```python\nk = 4\nprint(k + 1)\n#> 5\n```", "binds k, which nothing below uses"),
    "input that a loop hides": ("取 3<!--:= k -->\n\n```python\nprint([k for k in x][0])\n#> 0.25\n```", "binds k, which nothing below uses"),
    "unit behind the claim": ("占 0.25<!--= x[0] -->%", "9:21: % stands apart from 0.25"),
    "unit behind a formula": ("$0.25$%<!--= x[0] -->", "% stands apart"),
    "unit not known": ("16 百万<!--= n -->", "百万 stands apart"),
    "sign of another kind": ("值 –0.25<!--= x[0] -->", "– before 0.25 is not read"),
    "sign before markup": ("值 -**0.25**<!--= x[0] -->", "- before 0.25 is not read"),
    "sign in words": ("值负 0.25<!--= x[0] -->", "负 before 0.25 is not read"),
    "direction up": ("超过 0.3<!--= x[0] + 0.04 -->", "is not above that"),
    "direction down": ("不到 0.2<!--= x[0] - 0.04 -->", "is not below that"),
    "direction at least": ("至少 0.3<!--= x[0] + 0.04 -->", "is not at least that"),
    "literal": ("0.25<!--= 0.25 -->", "uses nothing of the page"),
    "literal through builtins": ("3<!--= len('abc') -->", "uses nothing of the page"),
    "literal folded": ("7<!--= 3 + 4 + 0 * n -->", "contains 7 itself"),
    "literal rounded": ("7.3<!--= 7.32 + 0 * n -->", "contains 7.32 itself"),
    "literal counted": ("7<!--= len('abcdefg') + 0 * n -->", "contains 7 itself"),
    "literal chosen by a name": ("0.7<!--= 7 / 10 if n else 0 -->", "contains 0.7 itself"),
    "idle": ("7<!--= round(7.2 + 0 * n) -->", "gives the same whatever n may be"),
    "idle quotient": ("1<!--= n / n -->", "gives the same whatever n may be"),
    "literal carried": ("0.25<!--= 0.25 + 0 * n -->", "contains 0.25 itself"),
    "literal chosen": ("7<!--= max(x[0], 7) -->", "contains 7 itself"),
    "literal in a list": ("7、8<!--= [7, 8][:n] -->", "contains 7 itself"),
    "literal as text": ("7.5<!--= float('7.5') * n / n -->", "contains '7.5' itself"),
    "no Python": ("7<!--= n + -->", "this is no Python expression"),
    "walrus": ("7<!--= (m := n) -->", "a claim only looks"),
    "unknown name": ("7<!--= m -->", "NameError: name 'm' is not defined (is it defined above this place?)"),
    "exception": ("7<!--= n / 0 -->", "<!--= n / 0 -->: ZeroDivisionError: division by zero"),
    "bool": ("1<!--= n > 3 -->", "the value is True, which is no number"),
    "None": ("1<!--= x.sort() -->", "the value is None, which is no number"),
    "object": ("1<!--= math -->", "which is no number"),
    "nan": ("1<!--= n * float('nan') -->", "the value is nan"),
    "text": ("2.12<!--= version -->", "the value is the text '2.13.0'"),
    "text, no component": ("2.1<!--= version -->", "the value is the text '2.13.0'"),
    "version by a number": ("2.13.0<!--= big -->", "compared as text"),
    "unused input": ("取 3<!--:= k -->", "binds k, which nothing below uses"),
    "input used before": ("3<!--= k --> 取 3<!--:= k -->", "binds k, which nothing below uses"),
    "rebound unused": ("取 3<!--:= k -->、4<!--:= k -->、8<!--= 2 * k -->", "9:4: <!--:= k --> binds k, which nothing"),
    "input names": ("取 3<!--:= 2k -->", "'2k' is no name"),
    "input count": ("取 3、4<!--:= k -->、5<!--= k + 2 -->", "binds 1, but 2 numbers stand before it: 3、4"),
    "bound version": ("取 2.1.3<!--:= k -->", "a version or a date"),
    "quotation": ("Cox (1959)，20(2)，215–242<!--= quoted.cox -->", "9:6: written: 1959、20、2、215、242\n  quoted:  1958、20、2、215、242"),
    "quotation incomplete": ("Cox (1958)<!--= quoted.cox -->", "quoted:  1958、20、2、215、242, the numbers of cox at docs/data"),
    "unknown quotation": ("Cox (1958)<!--= quoted.coy -->", "there is no record 'coy' in docs/data/quoted.yml"),
    "exemption of two": ("7 和 8<!-- exempt: 好 -->", "the exemption behind covers only the number before it"),
    "exemption of none": ("好<!-- exempt: 好 -->", "has no number before it"),
    "word": ("`float33`", "float33: a name with a digit that is in none of the page's code"),
    "superscript": ("x² 项", "²: write it as a formula"),
    "vulgar fraction": ("½ 个", "½: write it as a formula"),
    "in words": ("是四倍<!--= x[2] / x[0] -->", "written: 四倍\n  the value is 5.0"),
    "percent in words": ("减少百分之七十四<!--= 1 - x[0] -->", "written: 百分之七十四\n  the value is 0.75"),
    "circled": ("① 项", "①: write it as a formula"),
    "roman": ("Ⅲ 型", "Ⅲ: write it as a formula"),
    "attribute": ('<img alt="有 3 个" src="a.png">', '9:11: "有 3 个": a number inside a tag'),
    "attribute with a factor": ('<b title="快 3x">好</b>', '"快 3x": a number inside a tag'),
    "attribute with a formula": ('<b title="$z = y$">好</b>', '"$z = y$": a number inside a tag'),
    "tag of an equation": ("\n$$\nn = n \\tag{7 倍}\n$$", "7 倍: a number in a formula's words"),
    "docstring of shown code": ('```python\ndef g():\n    """Gives 7."""\n```', "7: a number in a code comment"),
    "attribute list": ('好{ title="3 个" }', "3: no claim stands behind this number"),
    "entity": ("&#51; 个", "9:1: 3: a number inside a tag or entity"),
    "entity of a fraction": ("&frac12; 个", "9:1: ½: a number inside a tag or entity"),
    "drawing": ("<svg><text>3</text></svg>", "9:12: 3: a number inside a tag"),
    "formula's words": ("$n = 3 \\text{，共 3 次}$", "共 3 次: a number in a formula's words"),
    "hidden constant": ("<!--python\nk = 7.5\n-->\n\n7.5<!--= k -->", None),
    "hidden constant in disguise": ("<!--python\nk = float(7.5)\n-->\n\n7.5<!--= k + 0 -->", None),
    "hidden constant as text": ("<!--python\nk = float('7.5')\n-->\n\n7.5<!--= k -->", None),
    "hidden quotient": ("<!--python\nk = 75 / 10\n-->\n\n7.5<!--= k -->", None),
    "hidden version": ("<!--python\nv = '1.2.3'\n-->\n\n1.2.3<!--= v -->", None),
    "beginning of code": ("取 `n=7`。\n\n```python\nm = dict(n=7 + n)\n```", "7: no claim stands behind this number"),
    "end of code": ("取 `n + 7`。\n\n```python\nm = 2 * n + 7\n```", "7: no claim stands behind this number"),
    "braces in prose": ("学习率 {lr=0.5} 时", "0.5: no claim stands behind this number"),
    "braces in a paragraph": ("学习率 {lr=0.5}", "0.5: no claim stands behind this number"),
    "no reference": ("区间 [a][0.9]", "0.9: no claim stands behind this number"),
    "no footnote": ("见[^2]", "2: no claim stands behind this number"),
    "no definition of a link": ("[损失]: 0.5 以下", "0.5: no claim stands behind this number"),
    "not about": ("预约 7<!--= len(x) + 4.02 -->、邻近 7<!--= len(x) + 4.02 -->", "written: 7"),
    "hundreds in words": ("两百五十倍<!--= 250 + 0 * len(x) -->、两百五倍<!--= 205 + len(x) - 3 -->", "written: 两百五倍"),
    "hidden constant of a function": ("<!--python\ndef k():\n    return 7.5\n-->\n\n7.5<!--= k() -->", None),
    "hidden constant of a class": ("<!--python\nclass K:\n    a = dict(b=[2, 7.5])\n-->\n\n7.5<!--= K.a['b'][1] -->", None),
    "hidden list": ("<!--python\nk, m = [7, 8], 2\n-->\n\n7、8<!--= k -->", None),
    "unshowable": ("7<!--= 10 ** 50000 * n -->", "the value is a int that cannot be shown"),
    "checker": ("7<!--= n and __import__('x').y or lossref.pagecheck.z -->", "nothing to do with what checks it"),
    "code comment": ("```python\ny = n  # 7 个\n```", "7: a number in a code comment is checked by nothing"),
    "fence title": ('```python title="7 个"\ny = n\n```', "a number in a fence's title"),
    "huge": ("1e999999999<!--= n -->", "beyond any floating-point number"),
    "huge in a formula": ("$10^{999999999}$<!--= n -->", "beyond any floating-point number"),
}  # fmt: skip


@pytest.mark.parametrize("text, message", WRONG.values(), ids=WRONG)
def test_wrong(text, message):
    said = "\n".join(failures(SETUP + text, COX))
    if message is None:
        assert re.match(r"page\.md:1[34]:", said) and "of hidden code, so it only repeats" in said
        return
    assert message in said
    assert "page.md:9:" in said or "page.md:10:" in said or "page.md:11:" in said
    assert "Traceback" not in said


def test_front_matter():
    said = failures("---\ntitle: 7 种损失\n---\n\n好\n")
    assert said == ["page.md:2:1: 7: a number in the title cannot carry a claim: say it without digits"]


def test_claims_see_the_page_at_their_place():
    assert not failures("<!--python\na = sum([2, 3])\n-->\n\n5<!--= a -->\n\n<!--python\na += 1\n-->\n\n6<!--= a -->\n")


def test_failing_code_above_is_named():
    said = failures("```python\nraise ValueError('x')\n```\n\n5<!--= a -->\n")
    assert said[1] == "page.md:5:2: not checked, because the code at line 2 fails"


def test_a_claim_changes_nothing():
    text = "<!--python\nimport random\nrandom.seed(1)\na = random.Random(1).random()\n-->\n\n0.13<!--= random.random() -->、0.13<!--= a -->、0.13<!--= random.random() -->\n"
    assert not failures(text)
