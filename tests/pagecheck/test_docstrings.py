"""Docstring examples: run as a page's snippets are, each at its line; what is wrong or unsaid is an error."""

from __future__ import annotations

import textwrap

import pytest

from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.docstrings import read_docstrings
from lossref.pagecheck.limits import run_check
from lossref.pagecheck.source import PageError

pytest_plugins = ["pytester"]

GOOD = '''\
class Thing:
    r"""一个东西。

    $3 = 4$ 和 5 不看。

    Examples:
        >>> import math
        >>> for i in range(2):
        ...     print(i / 3)
        0.0
        0.333
        >>> math.pi
        3.1416

        >>> [round(math.e, 4), math.pi, None]
        [2.7183, 3.14, None]
        >>> None
        >>> x = 3
    """
'''


def failures(source, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    wrong = []
    try:
        for page in read_docstrings(path, tmp_path):
            for check in page_checks(page, {}, formulas=False):
                try:
                    assert run_check(check, 1 if "while True" in source else 5) == "执行"
                except PageError as problem:
                    wrong.append(str(problem))
    except PageError as problem:
        wrong.append(str(problem))
    return wrong


def test_examples_that_hold(tmp_path):
    assert failures(GOOD, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("0.333", "0.334", "module.py:11:", "printed: 0.3333"),
        ("3.1416", "3.1415", "module.py:13:", "printed: 3.14159"),
        ("        3.1416\n", "", "module.py:12:", "printed, but not shown"),
        (">>> None", ">>> None\n        None", "module.py:18:", "prints nothing"),
        (">>> x = 3", ">>> x = 3\n        3", "module.py:19:", "prints nothing"),
        ("None]", "nope]", "module.py:15", "NameError"),
        (">>> x = 3", ">>> while True: pass", "module.py:18", "still running"),
        (">>> x = 3", ">>> x = ", "module.py:18", "not Python"),
        (">>> x = 3", '>>> import sys\n        >>> sys.exit()', "module.py:19", "SystemExit"),
        ("一个东西。", ">>> 1", "module.py:2", "below the first line"),
        (">>> math.pi", ">>>math.pi", "module.py:12:9", "an example is written"),
        (">>> math.pi", " >>> math.pi", "module.py:12:10", "as far in as"),
        ("x = 3\n    ", "x = 3", "module.py:18:9", "closing quotes"),
        (">>> x = 3", ">>> 1 / 0\n        Traceback (most recent call last)", "module.py:19", "say in words"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_line(old, new, at, said, tmp_path):
    assert old in GOOD
    (problem, *_) = failures(GOOD.replace(old, new, 1), tmp_path)
    assert problem.startswith(at) and said in problem, problem


def test_each_docstring_has_its_own_names(tmp_path):
    source = 'def f():\n    """\n    一\n    >>> x = 3\n    """\ndef g():\n    """\n    二\n    >>> x\n    3\n    """\n'
    (problem,) = failures(source, tmp_path)
    assert problem.startswith("module.py:9:") and "NameError" in problem


def test_the_plugin_collects_them(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    module = pytester.path / "lossref" / "thing.py"
    module.parent.mkdir()
    module.write_text(GOOD.replace("0.333", "0.334"), encoding="utf-8")
    result = pytester.runpytest("-p", "lossref.pagecheck.plugin", "lossref")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*lossref/thing.py:11:1: written: 0.334"])
