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
        ("raise KeyboardInterrupt", None),
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
