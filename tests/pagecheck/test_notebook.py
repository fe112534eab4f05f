"""Percent notebooks: read line for line as pages, and held to every claim like one."""

from __future__ import annotations

import re

import pytest

from lossref.pagecheck.notebook import NotebookError, page_text
from lossref.pagecheck.plugin import all_pages, is_page
from lossref.pagecheck.source import PageError, read_page

pytest_plugins = ["pytester"]

NOTEBOOK = """\
# ---
# title: 题
# symbols:
#   x: {in: real, meaning: 数}
# ---

# %% [markdown]
# # 题
#
# 取 16<!--:= n -->，有 $x + x = 2x$。

# %%
n = 16
print(n / 3)
#> 5.33

# %%
double = 2 * n

# %% [markdown]
# | 数 | 倍 |
# |---|---|
# | 甲 | 得 32<!--= double --> |
"""
PAGE = """\
---
title: 题
symbols:
  x: {in: real, meaning: 数}
---


# 题

取 16<!--:= n -->，有 $x + x = 2x$。

```python
n = 16
print(n / 3)
#> 5.33
```
```python
double = 2 * n
```

| 数 | 倍 |
|---|---|
| 甲 | 得 32<!--= double --> |
"""


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\naddopts = -p lossref.pagecheck.plugin -p no:cacheprovider\n")
    folder = pytester.mkdir("docs") / "experiments"
    folder.mkdir()
    (folder / "a.py").write_text(NOTEBOOK, encoding="utf-8")
    return pytester


def change(project, *changes):
    path, text = project.path / "docs/experiments/a.py", NOTEBOOK
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_notebook_is_the_page_of_the_same_lines():
    assert page_text(NOTEBOOK)[0] == PAGE
    assert PAGE.count("\n") == NOTEBOOK.count("\n")


def test_a_code_cell_may_end_the_file():
    for ending in ("", "\n", "\n\n"):
        text, _ = page_text("# %%\nx = 1" + ending)
        assert text == "```python\nx = 1\n" + ending[1:] + "```\n"


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\n", 1, "each line of front matter is written behind `# `"),
        ("# 题\n", 1, "no cell"),
        ("# %% [markdown]\n# 甲\nx = 1\n", 3, "is written behind `# `, got `x = 1`"),
        ("# %% [markdown]\n#甲\n", 2, "each line of markdown matter"),
        ('# %% [markdown]\n"""\n甲\n"""\n', 2, "each line of markdown matter"),
        ("# %% 名字\nx = 1\n", 1, "a cell begins with `# %% [markdown]` or `# %%`, got `# %% 名字`"),
        ("#%%\nx = 1\n", 1, "a cell begins with"),
        ("# %%\nx = 1\n# %%\n", 3, "put an empty line between"),
        ("# %%\nx = 1\n# %% [markdown]\n", 3, "put an empty line between"),
        ('# %%\nx = """\n```\n"""\n\n', 3, "a fence inside a code cell"),
    ],
)
def test_what_is_no_notebook_is_refused_by_line(source, line, message):
    with pytest.raises(NotebookError, match=re.escape(message)) as caught:
        page_text(source)
    assert caught.value.line == line


def test_right(project):
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["pagecheck: 1 formula, 2 numbers, 2 snippets on 1 page"])


def test_named_on_the_command_line_it_is_collected_once_and_as_a_page(project):
    project.runpytest_inprocess("docs/experiments/a.py").assert_outcomes(passed=5)


def test_wrong_claims_fail_at_their_place_in_the_file(project):
    change(project, ("32", "33"), ("#> 5.33", "#> 5.35"), ("2x$", "3x$"))
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        [
            "docs/experiments/a.py:10:*",
            "docs/experiments/a.py:15:1: written: 5.35",
            "  printed: 5.333333333333333",
            "docs/experiments/a.py:23:11: written: 33",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_number_without_a_claim_fails(project):
    change(project, ("| 甲 |", "| 甲 9 |"))
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=4, failed=1)


def test_code_that_raises_is_found_by_its_line(project):
    change(project, ("double = 2 * n", "double = 2 * m"))
    result = project.runpytest_inprocess()
    result.stdout.fnmatch_lines(["docs/experiments/a.py:18:1: this code raises NameError*"])


def test_outputs_are_rewritten_in_the_file(project):
    path = change(project, ("#> 5.33", "#> 5.35"))
    project.runpytest_inprocess("--update-docs").assert_outcomes(passed=5)
    assert path.read_text(encoding="utf-8") == NOTEBOOK.replace("#> 5.33", "#> 5.333333333333333")


def test_what_is_no_notebook_is_one_failure(project):
    change(project, ("n = 16\n", "n = 16\n# %%\n"))
    result = project.runpytest_inprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["docs/experiments/a.py:14:1: put an empty line between*"])


def test_hidden_code_is_refused(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("# %% [markdown]\n# <!--python\n# x = 1\n# -->\n", encoding="utf-8")
    with pytest.raises(PageError, match=r"a\.py:2:3: hidden code is not run"):
        read_page(path, tmp_path)


def test_windows_line_ends(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(NOTEBOOK.replace("\n", "\r\n").encode())
    assert read_page(path, tmp_path).text == PAGE


def test_only_what_lies_in_the_folder_is_a_notebook(tmp_path):
    inside = tmp_path / "docs/experiments/a.py"
    for path in (inside, tmp_path / "docs/a.py", tmp_path / "a.py", inside.parent / ".checkpoints/a.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert is_page(path, tmp_path) == (path == inside)
    assert all_pages(tmp_path) == [inside]
