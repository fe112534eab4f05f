"""A wrong digit anywhere is noticed, and the tool that says so would notice if it were not."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

from pathlib import Path

import pytest
from pages import failures

from lossref.pagecheck import mutate
from lossref.pagecheck.literals import find_numbers
from lossref.pagecheck.snippets import Memo
from lossref.pagecheck.source import CODE, PROSE, read_text

PAGE = """\
---
title: 样页
symbols:
  x: {in: real, meaning: 数}
  y: {in: real, meaning: 数}
---

<!--python
import math
names = ["a", "b", "c"]
-->

# 共 3<!--= len(names) --> 个概率

取 -0.8502<!--:= a -->、0.4511 与 1.8228<!--:= b, c -->，正例约占 33%<!--= 1 / len(names) -->。

```python
print(a, b, c)
#> -0.8502 0.4511 1.8228
p = [1 / (1 + math.exp(-z)) for z in (a, b, c)]
print([round(value, 4) for value in p], sum(p) > 1.7, -a)
#> [0.2994, 0.6109, 0.8609] True 0.8502
print(f"{-math.log(p[0]):.3e}", 10**12 + len(p), float("nan"))
#> 1.206e+00 1000000000003 nan
```

概率是 0.2994、0.6109 和 0.8609<!--= p -->，`0.61` 左右<!--= p[1] -->，即 $\\tfrac{2}{6}$<!--= 1 / len(p) --> 的 2.58<!--= 3 * p[2] --> 倍。

| 量 | 值 |
|---|---|
| 最小 | 2.994×10⁻¹<!--= p[0] --> |
| 大数 | 1,000,003<!--= 10**6 + len(p) --> |

所以 $(x + y)^2 = x^2 + 2xy + y^2$。
"""


def digits(page) -> list[int]:
    """The places of all digits of numbers and outputs."""
    places = [
        number.start + i
        for number in find_numbers(page.visible(PROSE, CODE))
        for i, char in enumerate(page.text[number.start : number.end])
        if char in "0123456789"
    ]
    for fence in page.fences:
        for start, end in fence.lines:
            if page.text.startswith("#>", start):
                places += [i for i in range(start, end) if page.text[i] in "0123456789"]
    return [*places, page.text.index("{2}{6}") + 1, page.text.index("{2}{6}") + 4]


def test_the_sample_page_is_right():
    assert not failures(PAGE, formulas=True)


def test_every_wrong_digit_is_noticed():
    """The two digits next to each digit of every number and output: the hardest to notice."""
    page, memo = read_text(PAGE), Memo()
    places = digits(page)
    assert len(places) > 90
    survived = []
    for place in places:
        for step in (1, 9):
            digit = (int(PAGE[place]) + step) % 10
            text = f"{PAGE[:place]}{digit}{PAGE[place + 1 :]}"
            if not failures(text, memo=memo):
                survived.append(text[page.line_start(page.at(place).line) :].split("\n")[0])
    assert not survived


def test_the_tool_notices_all_of_the_sample_page():
    trial = mutate.Trial(read_text(PAGE), {})
    assert not trial.baseline
    found = mutate.mutants(trial.page, seed=1)
    assert {m.kind for m in found} >= {
        "number",
        "number sign",
        "number unit",
        "output",
        "code",
        "formula digit",
        "sign",
        "relation",
        "symbol",
        "exponent",
        "term",
    }
    score = mutate.try_mutants([(trial, m) for m in found], {}, lambda count, score: None)
    assert [m.lines(PAGE) for _, m in score.survivors if m.kind != "code"] == []


def test_the_tool_finds_a_sleeping_check(monkeypatch):
    """If numbers were not compared, the tool would say so."""
    monkeypatch.setattr("lossref.pagecheck.numbers.disagreement", lambda number, value: None)
    trial = mutate.Trial(read_text(PAGE), {})
    found = [m for m in mutate.mutants(trial.page) if m.kind == "number"]
    score = mutate.try_mutants([(trial, m) for m in found], {}, lambda count, score: None)
    assert len(score.survivors) > 20


KINDS = {
    "sign": ("$a - b$", {"$a + b$"}),
    "relation": (r"$a \le b$", {r"$a \ge b$"}),
    "log base": (r"$\log a$", {r"$\log_{10} a$"}),
    "factor": (r"$\frac{1}{N} a$ $\frac12b$ $\tfrac1Nc$", {"$ a$ $\\frac12b$ $\\tfrac1Nc$", "$\\frac{1}{N} a$ $b$ $\\tfrac1Nc$", "$\\frac{1}{N} a$ $\\frac12b$ $c$"}),
    "exponent": ("$a^2 + b^{n}$", {"$a + b^{n}$", "$a^2 + b$"}),
    "index": ("$a_i b_j$", {"$a_j b_j$", "$a_i b_i$"}),
    "symbol": (r"$\text{ab} \operatorname{xy} u v$", {r"$\text{ab} \operatorname{xy} v v$", r"$\text{ab} \operatorname{xy} u u$"}),
    "term": ("$a + (b - c) = d$", {"$a = d$", "$a + (b ) = d$"}),
}  # fmt: skip


@pytest.mark.parametrize("kind, text, wanted", [(k, *v) for k, v in KINDS.items()], ids=KINDS)
def test_kinds(kind, text, wanted):
    found = {m.of(text).replace("a= d", "a = d") for m in mutate.mutants(read_text(text)) if m.kind == kind}
    assert found == wanted


def test_the_seed_decides():
    page = read_text(PAGE)
    assert mutate.mutants(page, 3) == mutate.mutants(page, 3) != mutate.mutants(page, 4)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "docs/data").mkdir(parents=True)
    (tmp_path / "docs/a.md").write_text(
        "<!--python\nn = 3\n-->\n\n取 2<!--:= k -->，`k * 0 + n` 得 3<!--= k * 0 + n -->\n", encoding="utf-8"
    )
    return tmp_path


def test_command(root, capsys):
    """The input does not matter for what follows, so its mutant survives, until it is accepted with a reason."""
    assert (
        mutate.main([str(root / "docs/a.md"), "--root", str(root), "--json", str(root / "score.json")]) == 1
    )
    said = capsys.readouterr().out
    assert "docs/a.md:5:3: survived (number)\n- 取 2<!--:= k -->" in said
    survivor = said.split("\n+ ")[1].split("\n")[0]
    (root / mutate.FILE).write_text(
        f"- page: docs/a.md\n  old: 取 2<!--:= k -->，`k * 0 + n` 得 3<!--= k * 0 + n -->\n  new: {survivor}\n  reason: k 乘零\n",
        encoding="utf-8",
    )
    assert mutate.main(["--root", str(root)]) == 0
    assert "survived" in capsys.readouterr().out.splitlines()[0]
    assert (root / "score.json").read_text(encoding="utf-8").count('"killed"') == 1


@pytest.mark.parametrize(
    ("text", "at", "excuse"),
    [
        ("$u$ 与 $u = u$", "u$ 与", "mention"),
        ("$u = u$", "u =", None),
        ("$u \\ne -u$", "u$", "refuted"),
        ("当 $u = v$ 时", "u =", None),
    ],
)
def test_only_what_claims_nothing_is_excused(text, at, excuse):
    page = read_text(f"{text}\n")
    start = page.text.index(at)
    mutant = mutate.Mutant("symbol", start, start + 1, "w")
    assert mutate._excuse(page, mutant) == excuse


def test_no_check_sleeps_on_the_pages_of_this_project(capsys):
    """A sample of the whole: python -m lossref.pagecheck.mutate tries every mutant of every page."""
    root = Path(__file__).resolve().parents[2]
    status = mutate.main(["--root", str(root), "--sample", "40", "--seed", "20"])
    assert status == 0, capsys.readouterr().out
