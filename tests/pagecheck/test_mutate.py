"""A wrong digit anywhere is noticed, and the tool that says so would notice if it were not."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pages import failures

from lossref.pagecheck.literals import find_numbers
from lossref.pagecheck.mutate import command, losses, score
from lossref.pagecheck.mutate.pages import Mutant, mutants
from lossref.pagecheck.mutate.score import Result
from lossref.pagecheck.mutate.trial import Trial
from lossref.pagecheck.source import CODE, PROSE, read_text

ROOT = Path(__file__).resolve().parents[2]

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
    page = read_text(PAGE)
    places, trial = digits(page), Trial(page, {})
    assert len(places) > 90 and not trial.baseline
    wrong = [
        Mutant("digit", at, at + 1, str((int(PAGE[at]) + step) % 10)) for at in places for step in (1, 9)
    ]
    assert [mutant.lines(PAGE)[1] for mutant in wrong if not trial.failure(mutant)] == []


def tried(trial: Trial, chosen: list[Mutant]) -> Result:
    result = Result("page.md")
    command.try_mutants(trial, chosen, result, lambda path: None)
    return result


def test_the_tool_notices_all_of_the_sample_page(monkeypatch):
    monkeypatch.setattr("lossref.pagecheck.mutate.trial.FORKS", False)  # many forks take long
    trial = Trial(read_text(PAGE), {})
    assert not trial.baseline
    found = mutants(trial.page, seed=1)
    kinds = "number", "number sign", "number unit", "output", "code"
    assert {m.kind for m in found} >= {*kinds, "formula digit", "sign", "relation", "symbol", "exponent", "term"}
    result = tried(trial, found)
    assert result.tried.total() == len(found)
    assert [alive.diff() for alive in result.survivors({}) if alive.kind != "code"] == []


def test_forked_or_not_is_the_same(monkeypatch):
    """What a fork goes on from, and what it leaves out, changes no verdict."""
    found = mutants(read_text(PAGE), seed=2)[::7]
    forked = tried(Trial(read_text(PAGE), {}), found)
    monkeypatch.setattr("lossref.pagecheck.mutate.trial.FORKS", False)
    assert vars(tried(Trial(read_text(PAGE), {}, trusted=True), found)) == vars(forked)


def test_the_tool_finds_a_sleeping_check(monkeypatch):
    """If numbers were not compared, the tool would say so."""
    monkeypatch.setattr("lossref.pagecheck.mutate.trial.FORKS", False)
    monkeypatch.setattr("lossref.pagecheck.numbers._differs", lambda number, value: None)
    trial = Trial(read_text(PAGE), {})
    result = tried(trial, [m for m in mutants(trial.page) if m.kind == "number"])
    assert len(result.survivors({})) > 20


KINDS = {
    "sign": ("$a - b$ $-c$", {"$a + b$ $-c$", "$a - b$ $c$"}),
    "relation": (r"$a \le b$", {r"$a \ge b$"}),
    "log base": (r"$\log a$", {r"$\log_{10} a$"}),
    "factor": (r"$\frac{1}{N} a$ $\frac12b$", {r"$ a$ $\frac12b$", r"$\frac{1}{N} a$ $b$", r"$\frac{1}{N}\frac{1}{N} a$ $\frac12b$", r"$\frac{1}{N} a$ $\frac12\frac12b$"}),
    "exchange": (r"$f(a,b) \in (0,1)$ $\operatorname{KL}(p\,\|\,q)$ $\frac{a}{b}$", {r"$f(b , a) \in (0,1)$ $\operatorname{KL}(p\,\|\,q)$ $\frac{a}{b}$", r"$f(a,b) \in (0,1)$ $\operatorname{KL}(q \| p)$ $\frac{a}{b}$", r"$f(a,b) \in (0,1)$ $\operatorname{KL}(p\,\|\,q)$ $\frac{b}{a}$"}),
    "exponent": (r"$a^2 + b^{n} + \sum_{i=1}^C c^\top$", {r"$a + b^{n} + \sum_{i=1}^C c^\top$", r"$a^2 + b + \sum_{i=1}^C c^\top$", r"$a^2 + b^{n} + \sum_{i=1}^C c$"}),
    "index": ("$a_i b_j$", {"$a_j b_j$", "$a_i b_i$"}),
    "symbol": (r"$\text{ab} \operatorname{xy} u v$", {r"$\text{ab} \operatorname{xy} v v$", r"$\text{ab} \operatorname{xy} u u$"}),
    "term": ("$a + (b - c) = d$", {"$a = d$", "$a + (b ) = d$"}),
}  # fmt: skip


@pytest.mark.parametrize("kind, text, wanted", [(k, *v) for k, v in KINDS.items()], ids=KINDS)
def test_kinds(kind, text, wanted):
    found = {m.of(text).replace("a= d", "a = d") for m in mutants(read_text(text)) if m.kind == kind}
    assert found == wanted


def test_the_seed_decides():
    page = read_text(PAGE)
    assert mutants(page, 3) == mutants(page, 3) != mutants(page, 4)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "docs/data").mkdir(parents=True)
    (tmp_path / "docs/a.md").write_text(
        "<!--python\nn = list('abc')\n-->\n\n取 2<!--:= k -->，`k * 0 + len(n)` 得 3<!--= k * 0 + len(n) -->\n", encoding="utf-8"
    )
    return tmp_path


def test_command(root, capsys):
    """The input does not matter for what follows, so its mutant survives, until it is accepted with a reason."""
    assert command.main(["--root", str(root)]) == 1
    said = capsys.readouterr().out
    assert "docs/a.md:5:3: survived (number)\n- 取 2<!--:= k -->" in said
    survivor = said.split("\n+ ")[1].split("\n")[0]
    (root / score.FILE).write_text(
        f"- page: docs/a.md\n  old: 取 2<!--:= k -->，`k * 0 + len(n)` 得 3<!--= k * 0 + len(n) -->\n  new: {survivor}\n  reason: k 乘零\n",
        encoding="utf-8",
    )
    assert command.main(["--root", str(root)]) == 0
    assert "accepted: 1 equivalent" in capsys.readouterr().out


def test_what_was_tried_is_not_tried_again(root, capsys, monkeypatch):
    command.main(["--root", str(root)])
    (first,) = score.load(root / score.SAVED).values()
    assert first.path == "docs/a.md" and first.tried.total() == first.killed.total() + len(first.alive) > 0
    before = capsys.readouterr().out
    monkeypatch.setattr(Trial, "failures", None)
    assert command.main(["--root", str(root)]) == 1
    assert capsys.readouterr().out == before
    for why in ("page", "data"):
        path = root / {"page": "docs/a.md", "data": "docs/data/more.csv"}[why]
        path.write_text(path.read_text("utf-8") + "\n" if path.exists() else "1\n", encoding="utf-8")
        with pytest.raises(TypeError):
            command.main(["--root", str(root)])
        assert [page["fresh"] for page in score.summary(root)] == [False]


def test_what_prose_only_mentions_counts_as_survived_in_a_whole_run():
    alive = score.Alive("a", "sign", "old", "new", score.WEAK)
    result = Result("a.md", alive=[alive, score.Alive("a", "symbol", "old", "new", "name")])
    assert result.survivors({}) == [alive] and result.survivors({}, whole=False) == []


def test_a_page_that_fails_already_is_no_place_for_mutants(root, capsys):
    (root / "docs/a.md").write_text("<!--python\nn = list('abc')\n-->\n\n得 4<!--= n -->\n", encoding="utf-8")
    assert command.main(["--root", str(root)]) == 2
    assert "fails before anything is changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "at", "excuse"),
    [
        ("$u$ 与 $u = u$", "u$ 与", "name"),
        ("$u+v$ 与 $u+v = v+u$", "u+v$ 与", "mention"),
        ("$-u$ 与 $-u = -u$", "-u$ 与", "mention"),
        ("$u = u$", "u =", ""),
        ("$u \\ne -u$", "u$", "refuted"),
        ("$u \\ne -u$", r"\ne", ""),
        ("$u = u \\ne -u$", "u \\ne", ""),
        ("$u = u \\ne -u$", "u$", "refuted"),
        ("$u = u,\\quad u \\ne -u$", "u,", ""),
        ("当 $u = v$ 时", "u =", ""),
    ],
)
def test_only_what_claims_nothing_is_excused(text, at, excuse):
    front = "---\nsymbols:\n  u: {in: real, meaning: 数}\n  v: {in: real, meaning: 数}\n---\n"
    page = read_text(f"{front}{text}\n")
    start = page.text.index(text) + text.index(at)
    kind = {"\\": "relation", "-": "sign"}.get(at[0], "symbol")
    assert Trial(page, {}, trusted=True).excuse(Mutant(kind, start, start + 1, "w")) == excuse


@pytest.mark.parametrize(
    ("text", "excuse"),
    [
        ("取 $u_n=(1, 2)$", "renamed"),
        ("$u_n = u_n^{1}$", ""),
        ("$u_n = x_i$", ""),
        ("$u_n = x_k$", "renamed"),
        ("$\\begin{aligned} u_n &= 1 \\\\ u_i &= 1 \\end{aligned}$", "renamed"),
        ("$\\begin{aligned} u_n &= 1 \\\\ &= u_i \\end{aligned}$", ""),
    ],
)
def test_another_letter_for_an_index_says_the_same(text, excuse):
    symbols = "  N: {size: [2], meaning: 数}\n  K: {size: [3], meaning: 数}\n"
    symbols += "  n: {index: N, meaning: 数}\n  i: {index: N, meaning: 数}\n  k: {index: K, meaning: 数}\n"
    page = read_text(f"---\nsymbols:\n{symbols}---\n{text}\n")
    start = page.text.index("u_n") + 2
    assert Trial(page, {}, trusted=True).excuse(Mutant("index", start, start + 1, "i")) == excuse
    assert Trial(page, {}, trusted=True).excuse(Mutant("index", start, start + 1, "k")) != "renamed"


def test_a_line_keeps_its_mutants_whatever_happens_elsewhere():
    page, line = read_text(PAGE), "所以 $(x + y)^2"
    other = read_text(PAGE.replace("取 -0.8502", "再取 -0.8502").replace(line, f"又 $x = x$。\n\n{line}"))
    of_line = [
        {(m.kind, *m.lines(p.text)) for m in mutants(p) if m.lines(p.text)[0].startswith(line)} for p in (page, other)
    ]
    assert of_line[0] == of_line[1] and len(of_line[0]) > 10


def test_no_check_sleeps_on_the_pages_of_this_project(capsys):
    """A sample of the whole: python -m lossref.pagecheck.mutate tries every mutant of every page."""
    status = command.main(["--root", str(ROOT), "--sample", "40", "--seed", "20"])
    assert status == 0, capsys.readouterr().out


# -- losses --------------------------------------------------------------------------------------------------

LOSS = """\
class Loss:
    scale = 2.0

    def formula(m, p, q, weight=1):
        if weight < 0:
            raise ValueError(f"weight must be at least {0 - 0}")
        return dict(value=lambda: p * (m.log(p) - q**2), gradient=lambda: -weight / m.clip(p, 0, q))
"""
SLIPS = {
    "sign": ["m.log(p) + q ** 2", "lambda: weight / m.clip"],
    "relation": ["weight <= 0", "weight > 0"],
    "factor": ["lambda: p,", "p / (m.log(p) - q ** 2)", "-weight * m.clip(p, 0, q)"],
    "term": ["p * m.log(p)"],
    "exponent": ["m.log(p) - q)"],
    "exchange": ["q ** 2 - m.log(p)", "m.clip(0, p, q)", "m.clip(p, q, 0)"],
    "constant": ["weight=", "scale = "],
    "symbol": ["m.log("],
}


@pytest.mark.parametrize("kind", SLIPS)
def test_slips_in_a_loss(kind):
    texts = [m.of(LOSS) for m in losses.mutants(LOSS) if m.kind == kind]
    found = [ast.unparse(ast.parse(text)) for text in texts]
    for slip in SLIPS[kind]:
        assert any(slip in text for text in found), found
    assert all("{0 - 0}" in text for text in found), "what only explains a refusal was changed"


def test_every_loss_file_has_mutants():
    names = {path.stem for path in losses.loss_files(ROOT)}
    assert {"bce", "ce", "kl", "focal", "regression", "_elementary"} <= names
    for path in losses.loss_files(ROOT):
        assert len(losses.mutants(path.read_text(encoding="utf-8"))) > 20


def test_a_loss_that_was_used_before_is_changed_too():
    """What the package remembers of a formula does not outlive it."""
    import lossref
    from lossref import regression

    path = ROOT / "lossref/regression.py"
    text = path.read_text(encoding="utf-8")
    before = lossref.MSELoss()([1.0], [4.0]), lossref.MSELoss().grad([1.0], [4.0]).tolist()
    try:
        losses.transplant(regression, text.replace("r = x - y", "r = x + y"))
        assert (lossref.MSELoss()([1.0], [4.0]), lossref.MSELoss().grad([1.0], [4.0]).tolist()) == (25, [10])
    finally:
        losses.transplant(regression, text)
    assert (lossref.MSELoss()([1.0], [4.0]), lossref.MSELoss().grad([1.0], [4.0]).tolist()) == before == (9, [-6])


def test_a_transplant_reaches_what_holds_the_old(tmp_path, monkeypatch):
    path = tmp_path / "organ.py"
    text = "class A:\n    k = 2\n    @staticmethod\n    def f(x, n=3):\n        return x + n\n    g = property(lambda self: 5)\n"
    path.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import organ

    held, instance = organ.A.f, organ.A()
    for old, new, look in (("x + n", "x - n", lambda: held(1) == -2), ("n=3", "n=4", lambda: held(1) == 5),
                           ("k = 2", "k = 7", lambda: instance.k == 7), ("5", "6", lambda: instance.g == 6)):  # fmt: skip
        assert not look()
        losses.transplant(organ, text.replace(old, new))
        assert look()
        losses.transplant(organ, text)
