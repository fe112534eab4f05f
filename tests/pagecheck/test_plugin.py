"""The plugin in pytest: what is collected, how it is named, what is printed, what the flags do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

import lossref.pagecheck.formula
import lossref.pagecheck.ties  # noqa: F401  (imported here once, and not again by every run below)
from lossref.pagecheck.quoted import read_quoted
from lossref.pagecheck.source import PageError

pytest_plugins = ["pytester"]

PAGE = """\
# 题

取 16<!--:= n -->，当 $x > 0$ 时 $x + x = 2x$。

```python
print(n / 3)
#> 5.33
```

得 5.33<!--= n / 3 -->，见 Cox (1958)<!--= quoted.cox -->，老数 7<!-- exempt: 旧 -->。
"""
PAGE = "---\nsymbols:\n  x: {in: real, meaning: 数}\n---\n" + PAGE
QUOTED = "cox:\n  cite: Cox (1958)\n  source: seen\n  obtained: read\n"


@pytest.fixture
def project(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they would be imported anew for every run
    pytester.makeini("[pytest]\naddopts = -p lossref.pagecheck.plugin -p no:cacheprovider\n")
    docs = pytester.mkdir("docs")
    (docs / "data").mkdir()
    (docs / "data" / "quoted.yml").write_text(QUOTED, encoding="utf-8")
    (docs / "a.md").write_text(PAGE, encoding="utf-8")
    (pytester.path / "README.md").write_text("# 好\n", encoding="utf-8")
    (pytester.path / "CHANGELOG.md").write_text("7\n", encoding="utf-8")
    return pytester


def page(project, old, new):
    path = project.path / "docs" / "a.md"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_items(project):
    result = project.runpytest_inprocess("--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "docs/a.md::L7 number",
            "docs/a.md::L7 formula",
            "docs/a.md::L9 snippet",
            "docs/a.md::L14 number",
            "docs/a.md::L14 number #2",
            "docs/a.md::L14 number #3",
            "*every record is quoted*",
        ]
    )
    result.stdout.no_fnmatch_line("*CHANGELOG*")


def test_right(project):
    result = project.runpytest_inprocess("--pagecheck-report=out/report.json")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["pagecheck: 1 formula, 4 numbers, 1 snippet on 1 page; 1 exempt"])
    report = json.loads((project.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["pages"]["docs/a.md"]["counts"]["number"] == {"输入": 1, "计算": 1, "引用": 1, "豁免": 1}
    assert set(report["versions"]) >= {"python", "numpy"}
    assert report["quoted"]["cox"]["source"] == "seen"
    checks = report["pages"]["docs/a.md"]["checks"]
    (exempt,) = [check for check in checks if check["label"] == "豁免：旧"]
    assert (exempt["line"], exempt["column"], exempt["kind"]) == (14, 59, "number")
    (formula,) = [check for check in checks if check["kind"] == "formula"]
    assert formula["tex"] and formula["label"] in ("数值核对", "符号证明")


def test_processes_side_by_side_report_as_one(project):
    (project.path / "docs" / "b.md").write_text("\n二加一得 3<!--= 2 + 2 -->。\n", encoding="utf-8")
    side_by_side = ["-p", "xdist.plugin", "-n", "2", "--dist", "loadfile"]
    result = project.runpytest_inprocess(*side_by_side, "--pagecheck-report=out/report.json")
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["pagecheck: 1 formula, 5 numbers, 1 snippet on 2 pages; 1 exempt; 1 failed"])
    report = json.loads((project.path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["pages"]["docs/b.md"]["counts"] == {"number": {"failed": 1}}
    assert [check["line"] for check in report["pages"]["docs/a.md"]["checks"]] == [7, 7, 9, 14, 14, 14]
    assert report["quoted"]["cox"]["source"] == "seen"


def test_one_item(project):
    project.runpytest_inprocess("docs/a.md::L14 number").assert_outcomes(passed=1)


def test_failures_say_where_and_what(project):
    page(project, "得 5.33", "得 5.34")
    page(project, "#> 5.33", "#> 5.35")
    result = project.runpytest_inprocess("docs/a.md")
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "docs/a.md:11:1: written: 5.35",
            "  printed: 5.333333333333333",
            "docs/a.md:14:3: written: 5.34",
            "  the value is 5.333333333333333, by <!--= n / 3 -->",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pagecheck/*.py*")


def test_an_unreadable_page_is_one_failure(project):
    page(project, "得 5.33", "得 $x")
    result = project.runpytest_inprocess("docs/a.md")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["docs/a.md:14:3: this $ is never closed in its paragraph*"])


def test_unused_records(project):
    page(project, "，见 Cox (1958)<!--= quoted.cox -->", "")
    project.runpytest_inprocess("docs/a.md").assert_outcomes(passed=5)  # one page cannot tell
    result = project.runpytest_inprocess()
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["docs/data/quoted.yml:1:1: no page quotes cox: remove it, or quote it"])


def test_bad_records_fail_the_page(project):
    (project.path / "docs/data/quoted.yml").write_text(
        "cox:\n  cite: 1958\n  source: a\n  obtained: b\n", encoding="utf-8"
    )
    result = project.runpytest_inprocess("docs/a.md")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["docs/data/quoted.yml:1:1: cox: cite must be a text, got 1958 (write it in quotes)"]
    )


def test_update_docs(project):
    path = page(project, "#> 5.33", "#> 5.35")
    before = path.read_bytes()
    result = project.runpytest_inprocess("--update-docs", "docs/a.md")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["pagecheck: 1 output rewritten in docs/a.md"])
    assert path.read_bytes() == before.replace(b"#> 5.35", b"#> 5.333333333333333")
    project.runpytest_inprocess("docs/a.md").assert_outcomes(passed=6)


def test_update_docs_leaves_a_right_page_alone(project):
    path = project.path / "docs" / "a.md"
    before = path.stat().st_mtime_ns
    project.runpytest_inprocess("--update-docs").assert_outcomes(passed=7)
    assert path.stat().st_mtime_ns == before


def test_time_limit_on_reading(project, monkeypatch):
    monkeypatch.setattr("lossref.pagecheck.plugin.page_checks", lambda *_, **__: time.sleep(100))
    result = project.runpytest_inprocess("--pagecheck-timeout=0.2", "docs/a.md")
    result.stdout.fnmatch_lines(["docs/a.md:1:1: reading this page takes more than 0.6 s"])


def test_time_limit(project):
    page(project, "print(n / 3)\n#> 5.33", "while True: pass")
    result = project.runpytest_inprocess("--pagecheck-timeout=0.2", "docs/a.md")
    result.stdout.fnmatch_lines(["docs/a.md:10:1: still running after 0.2 s: does this end?"])


def test_what_cannot_be_interrupted_ends_the_run_with_a_word(project):
    page(project, "print(n / 3)\n#> 5.33", "x = 10**10**9")
    result = project.runpytest_subprocess("--pagecheck-timeout=0.5", "docs/a.md", timeout=60)
    assert result.ret != 0
    result.stderr.fnmatch_lines(["Timeout (*)!", '*File "docs/a.md", line 10 in <module>*'])


RECORDS = {
    "not a mapping": ("- a\n", "1:1: wanted records by key, got list"),
    "fields": ("a:\n  cite: x\n", "1:1: a: wanted the fields cite, source, obtained; got cite"),
    "key": ("a-b: {cite: x, source: y, obtained: z}\n", "the key 'a-b' must be a name"),
    "twice": ("a: {cite: x, source: y, obtained: z}\na: {}\n", "2:1: the key 'a' stands twice"),
    "no yaml": ("a: [\n", "2:1: "),
}


@pytest.mark.parametrize("text, message", RECORDS.values(), ids=RECORDS)
def test_bad_records(tmp_path, text, message):
    (tmp_path / "docs/data").mkdir(parents=True)
    (tmp_path / "docs/data/quoted.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PageError) as caught:
        read_quoted(tmp_path)
    assert message in str(caught.value)


def test_the_checker_needs_no_torch():
    code = textwrap.dedent(
        """
        import sys
        sys.modules["torch"] = None
        import lossref.pagecheck.plugin, lossref.pagecheck.mutate
        from lossref.pagecheck.checks import page_checks
        from lossref.pagecheck.source import read_text
        print([c.run() for c in page_checks(read_text("3<!--:= n -->\\n\\n6<!--= n + n -->\\n"), {})])
        """
    )
    environment = {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", env=environment
    )
    assert done.stdout == "['输入', '计算']\n", done.stderr
