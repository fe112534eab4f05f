"""Hostile and broken input: a page is read or refused, soon, and never with the checker's own traceback."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import failures

from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.source import PageError, read_page, read_text

PIECES = [
    "$", "$$", "`", "```", "```python", "~~~", "<!--", "-->", "<!--=", "<!--:= x -->", "<!--python\n", "---", "\n", "\n\n", "    ", "> ",
    "- ", "1. ", "7", "0.5", "−", "×10", "^", "⁻³", "{", "}", "[", "](", ")", "![", "|", "|---|", "# ", "!!! note", '=== "a"', "\\", "*",
    "x", "当", "。", "：", "#>", "#!", "print(1)", "1 / 0", "%", "约", "<a ", "<svg>", "&lt;", "\r", "\ufeff", "\u2028", "½", "²", "1e999",
    "9" * 50, "[^1]:", ":   ", "{.a}", "exempt: r -->", "x = 1\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        page = read_text(text)
        checks = page_checks(page, {}, formulas=False)
    except PageError as problem:
        assert 1 <= problem.location.line <= text.count("\n") + 2
        return
    assert len(page.kinds) == len(page.text) == len(page.visible())
    for check in checks:
        with contextlib.suppress(PageError):
            assert check.run()


LONG = {
    "dollars": "$" * 20001,
    "dollars apart": "$ " * 5000,
    "backticks": "`" * 20001,
    "backticks apart": "` `` ``` " * 1500,
    "tags": "<a " * 5000,
    "open tags": "<svg>" * 2000,
    "links": "[](" * 5000,
    "brackets": "(" * 20000,
    "attributes": "{.a " * 5000,
    "quotes": "> " * 5000 + "x",
    "comments": "<!--" * 5000,
    "many comments": "1<!--= x -->" * 1000,
    "digits": "1" * 20000,
    "digits and dots": "1." * 10000,
    "digits and commas": "1,000" * 4000,
    "digits in words": "一百" * 10000 + "倍<!--= x -->",
    "triggers": "当 $x$、" * 1000,
    "spaces": " " * 3 + "x" + " " * 20000 + "y",
    "stars": "*" * 20000,
    "one line of math": "$$\n" + "x + " * 5000 + "x\n$$",
    "fence in fence": "````\n```\n" * 2000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_input_takes_no_time(text):
    began = time.process_time()
    try:
        checks = page_checks(read_text(text), {}, formulas=False)
        assert checks or "1" not in text
    except PageError as problem:
        assert len(str(problem)) < 30000
    assert time.process_time() - began < 2


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"a\x00b", b"\xe6\x8d", bytes(range(256))])
def test_binary_files(tmp_path, data):
    (tmp_path / "a.md").write_bytes(data)
    with pytest.raises(PageError, match=r"a\.md:\d+:\d+: (not UTF-8|a NUL character)"):
        read_page(tmp_path / "a.md", tmp_path)


@pytest.mark.parametrize(
    "code, message",
    [
        ("(" * 5000, "this is not Python"),
        ("x = " + "-" * 100000 + "1", "this is not Python"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise KeyboardInterrupt", "this code raises KeyboardInterrupt"),
        ("import signal\nsignal.raise_signal(signal.SIGINT)", None),
        ("raise GeneratorExit", "this code raises GeneratorExit"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("input()", "raises"),
    ],
)
def test_hostile_code(code, message):
    text = f"```python\n{code}\n```\n"
    if message is None:
        with pytest.raises(KeyboardInterrupt):  # someone really wants to stop
            failures(text)
    else:
        assert message in "\n".join(failures(text))


@pytest.mark.parametrize(
    "claim",
    [
        "(" * 300 + "x" + ")" * 300,
        "[" * 3000,
        "x" + ".x" * 5000,
        "'",
        "x\ny",
        "lambda: x",
        "10**10**3 * len(x)",
    ],
)
def test_hostile_claims(claim):
    (said,) = failures(f"<!--python\nx = 'a'\n-->\n\n7<!--= {claim} -->\n")
    assert said.startswith("page.md:5:")


@pytest.mark.parametrize(
    "code, message",
    [
        ("import os\nos._exit(0)", "raises SystemExit: 0"),
        ("from os import _exit\n_exit(0)", "raises SystemExit: 0"),
        ("import os\nos.system('echo 3')", "page.md:3:1: this code writes to the terminal itself"),
        ("import os\nos.write(1, b'3')", "page.md:3:1: this code writes to the terminal itself"),
        ("import sys\nsys.__stdout__.write('3')", "page.md:3:1: this code writes to the terminal itself"),
        ("import sys\nprint(3, file=sys.stderr)", "page.md:3:1: this code writes to stderr"),
        ("import threading\nthreading.Timer(1, print).start()", "page.md:3:1: this code leaves a thread running"),
        ("import lossref.pagecheck.snippets", "page.md:2:1: lossref.pagecheck.snippets: a page's code has nothing"),
        ("from lossref import pagecheck", "page.md:2:1: lossref.pagecheck: a page's code has nothing"),
        ("import lossref\nlossref.pagecheck.limits.SECONDS = 1", "page.md:3:1: lossref.pagecheck.limits"),
        ("import pytest", "page.md:2:1: pytest: a page's code has nothing"),
    ],
)
def test_code_cannot_pass_by(code, message):
    assert message in "\n".join(failures(f"```python\n{code}\n```\n"))


def test_builtins_are_given_back():
    failures("```python\nimport builtins\nbuiltins.print = builtins.extra = len\n```\n")
    assert failures("```python\nprint(3)\n#> 4\n```\n")
    with pytest.raises(NameError):
        extra  # noqa: B018, F821


FRONT = {
    "ties": ("ties: 3", "wants a list"),
    "tie": ("ties: [3]", "a tie is a mapping"),
    "conventions": ("conventions: 0 log 0 = 0", "wants a list"),
    "symbols": ("symbols: 3", "wants one line for each symbol"),
    "symbol": ("symbols: {x: 3}", "expected a mapping"),
    "name": ("symbols: {'': {in: real}}", "expected a symbol"),
    "size": ("symbols: {N: {size: 100000000}}", "at most 1000"),
    "integers": ("symbols: {x: {in: integer 0..1000000000}}", "more than ten thousand integers"),
    "empty": ("symbols: {x: {in: '(1, 0)'}}", "is empty"),
    "nan": ("symbols: {x: {in: '(nan, 1)'}}", "is empty"),
    "text": ("symbols: {x: {in: '{a}'}}", "could not convert"),
    "date": ("symbols: {x: {in: 2020-01-01}}", "unknown domain"),
    "alias": ("symbols: &s {x: {in: real, shape: *s}}", "is not a size"),
    "object": ("a: !!python/object/apply:os.system ['echo hi']", "front matter"),
}


@pytest.mark.parametrize("line, message", FRONT.values(), ids=FRONT)
def test_hostile_front_matter(line, message):
    (said, *_) = failures(f"---\n{line}\n---\n", formulas=True)
    assert said.startswith("page.md:2:") and message in said


SYMBOL = "---\nsymbols:\n  x: {in: real, meaning: 数}\n---\n"


@pytest.mark.parametrize(
    "tex",
    [
        "x^{10^{10^{10}}} = 1", r"10^{10^{10}} > x", "(10^7)! > x", r"\frac10 = x", "x/0 = x", r"\sum_{i=1}^{10^9} i = x",
        r"\sum_{i=1}^{9999}\sum_{j=1}^{9999} ijx = 1", "(" * 300 + "x" + ")" * 300 + "=2x", "{" * 3000 + "x" + "}" * 3000 + "=2x",
        r"\frac{1}{1+" * 80 + "x" + "}" * 80 + "=x", "a := a+x$，$a = x", "a := b$，$b := a$，$a+x = b+x", r"\int_0^1 \frac1x\,\mathrm d x = x",
        r"\lim_{x\to0}\frac1x = x", r"\arg\min_x x = 0", r"\def\a{x} \a = 2x", r"\text{x = 2x}", r"\boxed{x = 2x}", "x = 2x%", "x % = 2x",
    ],
)  # fmt: skip
def test_hostile_formulas(tex):
    began = time.process_time()
    said = failures(f"{SYMBOL}${tex}$\n", formulas=True, seconds=10)
    assert said and all(problem.startswith("page.md:") for problem in said)
    assert time.process_time() - began < 12
