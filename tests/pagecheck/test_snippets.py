"""Code on a page runs, and what it prints, raises and warns is what stands behind it."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

import os
import random
import re
import sys
import threading
import time

import numpy as np
import pytest
from pages import failures

from lossref.pagecheck.literals import same_line
from lossref.pagecheck.snippets import Memo, Session, apply_updates, snippet_checks
from lossref.pagecheck.source import read_text


def fence(code: str, prefix: str = "") -> str:
    return "".join(f"{prefix}{line}".rstrip() + "\n" for line in f"```python\n{code}\n```".split("\n"))


RIGHT = {
    "output": "print(1 / 3)\n#> 0.3333",
    "lines": "for i in range(2):\n    print(i, i / 3)\n#> 0 0.0\n#> 1 0.333",
    "empty line": "print('a\\n\\nb')\n#> a\n#>\n#> b",
    "silent": "x = 1\nx\n\n# a comment\n",
    "several on a line": "a = 1; print(a)\n#> 1",
    "blank before": "print(1)\n\n#> 1",
    "raises": "1 / 0\n#! ZeroDivisionError: division by zero",
    "prints and raises": "print(1); 1 / 0\n#> 1\n#! ZeroDivisionError: division",
    "raises without message": "raise KeyError\n#! KeyError",
    "goes on": "1 / 0\n#! ZeroDivisionError: division\nprint(2)\n#> 2",
    "warns": "import warnings\nwarnings.warn('old 3')\n#! UserWarning: old 3",
    "numpy warns": "import numpy as np\nprint(np.log(np.float64(0)))\n#> -inf\n#! RuntimeWarning: divide by zero",
    "unseen warning": "import warnings\nwarnings.warn('x', DeprecationWarning)",
    "decorated": "import functools\n@functools.cache\ndef f():\n    print('f')\nf()\n#> f",
    "future": "from __future__ import annotations\ndef f(x: unknown): pass\nprint(f.__annotations__)\n#> {'x': 'unknown'}",
    "in a string": "s = '''\n#> no claim\n'''",
    "exit": "import sys\nsys.exit(3)\n#! SystemExit: 3",
    "module name": "print(__name__)\n#> __main__",
}


@pytest.mark.parametrize("prefix", ["", "> ", "    "], ids=["plain", "quote", "list"])
@pytest.mark.parametrize("code", RIGHT.values(), ids=RIGHT)
def test_right(code, prefix):
    before = "- 项\n\n" if prefix == "    " else ""
    assert not failures(before + fence(code, prefix))


# code (its first line is line 2), line, part of the message
WRONG = {
    "digit": ("print(1 / 3)\n#> 0.3334", 3, "written: 0.3334\n  printed: 0.333333"),
    "text": ("print('ab')\n#> aB", 3, "written: aB\n  printed: ab"),
    "whole number": ("print(1.2)\n#> 1", 3, "printed: 1.2"),
    "missing line": ("print(1)\nprint(2)\n#> 2", 2, "printed, but not shown: 1"),
    "print without output": ("print(1)", 2, "printed, but not shown: 1"),
    "shown too little": ("print('a\\nb')\n#> a", 3, "printed, but not shown: b"),
    "shown too much": ("print('a')\n#> a\n#> b", 4, "the output ends before: 1 lines are printed, 2 written"),
    "silent": ("x = 1\n#> 1", 3, "written: 1\n  but the statement on line 2 prints nothing"),
    "bare expression": ("1 + 1\n#> 2", 3, "prints nothing (use print(…)"),
    "output of the statement above": ("print(1)\nx = 2\n#> 1", 2, "printed, but not shown: 1"),
    "nothing above": ("#> 1\nprint(1)", 2, "#> with no statement above it"),
    "indented": ("for i in [1]:\n    print(i)\n    #> 1", 4, "do not indent it"),
    "behind code": ("print(1)  #> 1", 2, "must stand on a line of its own"),
    "comment between": ("print(1)\n# so\n#> 1", 4, "must follow its statement directly (line 2)"),
    "raises": ("x = 1\n1 / 0", 3, "this code raises ZeroDivisionError: division by zero (if that is the point"),
    "raises inside": ("def f():\n    return {}['a']\nf()", 3, "this code raises KeyError: 'a'"),
    "does not raise": ("x = 1\n#! ValueError: no", 3, "declared: ValueError: no; it does neither raise nor warn"),
    "raises another": ("1 / 0\n#! ValueError: division", 3, "declared: ValueError: division\n  raised:   ZeroDivisionError"),
    "other message": ("1 / 0\n#! ZeroDivisionError: by one", 3, "raised:   ZeroDivisionError: division by zero"),
    "no message": ("1 / 0\n#! ZeroDivisionError", 3, "raised:   ZeroDivisionError: division by zero"),
    "bad declaration": ("1 / 0\n#! was: it", 3, "raised:   ZeroDivisionError"),
    "empty declaration": ("1 / 0\n#!", 3, "write #! ExceptionType: part of its message"),
    "output behind declaration": ("1 / 0\n#! ZeroDivisionError: by\n#> 1", 4, "nothing may follow #!"),
    "warns": ("import warnings\nwarnings.warn('old')", 3, "this code warns, and a reader who runs it will see it: UserWarning: old"),
    "warns another": ("import warnings\nwarnings.warn('old')\n#! UserWarning: new", 4, "it warns: UserWarning: old"),
    "no Python": ("x = = 1", 2, "this is not Python: invalid syntax"),
    "no Python either": ("x = 'a", 2, "this is not Python: unterminated string"),
    "exit": ("import sys\nsys.exit(3)", 3, "this code raises SystemExit: 3"),
    "nasty exception": ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", 4, "its message cannot be shown"),
    "nan": ("print(float('nan'))\n#> 0.0", 3, "printed: nan"),
    "minus zero": ("print(-0.0)\n#> 0.0", 3, "printed: -0.0"),
}  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "> "], ids=["plain", "quote"])
@pytest.mark.parametrize("code, line, message", WRONG.values(), ids=WRONG)
def test_wrong(code, line, message, prefix):
    (said,) = failures(fence(code, prefix))
    assert message in said
    assert said.startswith(f"page.md:{line}:")
    assert "Traceback" not in said


FENCES = {
    "no reason": ("```python {.no-run}\nx\n```", "page.md:1:1: code that is not run needs <!-- no-run: reason -->"),
    "reason far": ("<!-- no-run: r -->\n\n```python {.no-run}\nx\n```", "code that is not run needs"),
    "reason for run code": ("<!-- no-run: r -->\n```python\nx = 1\n```", "but this code is run"),
    "reason for nothing": ("<!-- no-run: r -->\n好", "no-run with no fence below it"),
    "number in text": ("```text\nloss 0.5\n```", "page.md:2:6: a number in text is checked by nothing"),
    "hidden prints": ("<!--python\nprint(1)\n-->", "page.md:2:1: hidden code must print nothing, but it prints '1'"),
    "hidden output": ("<!--python\nprint(1)\n#> 1\n-->", "page.md:3:1: hidden code prints nothing"),
    "hidden fails": ("<!--python\nx = 1\n1 / 0\n-->", "page.md:3:1: this code raises ZeroDivisionError"),
    "hidden behind text": ("好 <!--python\nx = 1\n-->", "must stand on a line of its own"),
    "below a failure": ("```python\n1 / 0\n```\n\n```python\nx = 1\n```", "page.md:6:1: not run, because the code at line 2 fails"),
}  # fmt: skip


@pytest.mark.parametrize("text, message", FENCES.values(), ids=FENCES)
def test_wrong_fences(text, message):
    assert message in "\n".join(failures(text))


def test_right_fences():
    assert not failures(
        "<!-- no-run: r -->\n```python {.no-run}\nx 1\n```\n\n- 项\n\n    <!-- no-run: r -->\n    ```text\n    1\n    ```\n\n"
        "    <!--python\n    x = 1\n    if x:\n        y = 2\n    -->\n\n"
        "    ```python\n    print(x, y)\n    #> 1 2\n    ```\n"
    )


def test_one_namespace_and_any_order():
    page = read_text(
        fence("a = 1") + "\n" + fence("a += 1\nprint(a)\n#> 2") + "\n" + fence("a += 1\nprint(a)\n#> 3")
    )
    for order in ([2, 1, 0], [2], [1, 2], [0, 0, 2]):
        checks = snippet_checks(page, Session(page))
        assert [checks[i].run() for i in order] == ["执行"] * len(order)


def test_time_limit():
    began = time.monotonic()
    (said,) = failures(fence("x = 1\nwhile True:\n    x += 1"), seconds=0.2)
    assert "still running after 0.2 s" in said
    assert said.startswith(("page.md:3:", "page.md:4:"))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "body", ["try:\n        pass\n    except BaseException:\n        pass", "import time; time.sleep(100)"]
)
def test_time_limit_on_stubborn_code(body):
    (said,) = failures(fence(f"while True:\n    {body}"), seconds=0.2)
    assert "still running after 0.2 s" in said


def test_time_limit_on_claims_and_after():
    text = "<!--python\ndef f():\n    while True: pass\n-->\n\n3<!--= f() -->\n\n" + fence("print(1)\n#> 1")
    before = set(threading.enumerate())
    (said,) = failures(text, seconds=0.2)
    assert "still running" in said
    assert set(threading.enumerate()) <= before


def test_every_page_starts_alike_and_leaves_nothing():
    page = fence(
        "import random\nimport numpy as np\nimport torch\n"
        "print(random.random(), np.random.rand(), torch.rand(1), torch.get_num_threads())\n"
        "#> 0.8444 0.5488 tensor([0.4963]) 1\n"
        "np.set_printoptions(precision=2)\ntorch.set_printoptions(precision=2)\ntorch.set_default_dtype(torch.float64)\n"
        "_ = torch.set_grad_enabled(False)\nnp.seterr(all='ignore')\nimport os; os.environ['X'] = '1'; os.chdir('/')\n"
        "print(np.float64(1) / 0, np.array([1 / 3]), torch.ones(1) / 3)\n#> inf [0.33] tensor([0.33])"
    ) + "\n" + fence("print(np.array([1 / 3]), torch.rand(1).dtype, os.environ['X'])\n#> [0.33] torch.float64 1")  # fmt: skip
    page = page.replace("np.seterr(all='ignore')", "_ = np.seterr(all='ignore')")
    import torch

    def state():
        return (
            random.getstate(), tuple(np.random.get_state()[1]), torch.get_rng_state().tolist(), torch.get_num_threads(),
            torch.get_default_dtype(), torch.is_grad_enabled(), str(np.get_printoptions()), str(np.geterr()), os.getcwd(),
            os.environ.get("X"), repr(torch.ones(1) / 3), torch.is_warn_always_enabled(),
        )  # fmt: skip

    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    before = state()
    assert not failures(page)
    assert not failures(page)
    assert state() == before


def test_a_warning_of_torch_comes_on_every_page():
    text = fence(
        "import torch\nimport torch.nn.functional as F\n_ = F.mse_loss(torch.zeros(2), torch.zeros(1, 2))\n#! UserWarning: target size"
    )
    assert not failures(text)
    assert not failures(text)


def test_memo_runs_nothing_twice(monkeypatch):
    memo, ran = Memo(), []
    monkeypatch.setattr(sys, "pagecheck_ran", ran, raising=False)
    text = (
        fence("import sys\nsys.pagecheck_ran.append(1)\nprint(2)\n#> 2")
        + "\n3<!--= len('ab') + len(sys.pagecheck_ran) -->\n"
    )
    assert not failures(text, memo=memo)
    assert len(failures(text.replace("#> 2", "#> 3").replace("\n3<", "\n4<"), memo=memo)) == 2
    assert ran == [1]
    assert failures(text.replace("print(2)", "print(4)"), memo=memo)
    assert ran == [1, 1]


UPDATE = """# 题

```python
print(0.123456)
#> 0.12
print(2)
#> 3
print("a b")
x = 1
#> 9
for i in range(3):
    print(i)
#> 0
#> 7
```

> ```python
> print(1)
> #> 2
>
> ```
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
def test_update(newline):
    page = read_text(UPDATE)
    updates: dict = {}
    for check in snippet_checks(page, Session(page), updates):
        check.run()
    data = UPDATE.replace("\n", newline).encode()
    wanted = (
        UPDATE.replace("#> 3", "#> 2").replace('print("a b")', 'print("a b")\n#> a b').replace("x = 1\n#> 9", "x = 1")
        .replace("#> 7", "#> 1\n#> 2").replace("> #> 2\n>\n", "> #> 1\n>\n")
    )  # fmt: skip
    assert apply_updates(data, updates) == wanted.replace("\n", newline).encode()
    assert not failures(wanted)
    assert same_line("0.12", "0.123456")  # what agrees is left as it is written


ENDLESS = "```python\nx = 1\nwhile True:\n    pass\n```\n\n1<!--= x -->，2<!--= x + 1 -->。\n\n```python\nx = 3\n```\n"


def test_all_that_is_wrong_in_a_snippet_is_said_at_once():
    (said,) = failures(fence("print(1)\n#> 2\nprint(3)\n\n1 / 0"))
    heads = [line for line in said.split("\n") if not line.startswith(" ")]
    assert [re.sub(r"^.*?:(\d+):\d+: ", r"\1 ", head) for head in heads] == [
        "3 written: 2",
        "4 printed, but not shown: 3",
        "6 this code raises ZeroDivisionError: division by zero "
        "(if that is the point, write below it: #! ZeroDivisionError: division by zero)",
    ]


def test_endless_code_costs_the_limit_once():
    begin = time.monotonic()
    found = failures(ENDLESS, seconds=1)
    assert time.monotonic() - begin < 3
    assert len(found) == 4 and "still running after 1 s" in found[0]
    assert all("because the code at line" in problem for problem in found[1:]), found


def test_what_is_no_python_is_said_once():
    found = failures("```python\nx = (\n```\n\n1<!--= x -->，2<!--= x + 1 -->。\n")
    assert len(found) == 3 and "this is not Python" in found[0]
    assert all("not checked, because the code at line" in problem for problem in found[1:]), found


def test_unknown_key_in_the_front_matter():
    assert "unknown key `symbol:`; did you mean `symbols:`?" in failures("---\nsymbol: {}\n---\n")[0]


def test_unquoted_set_in_the_front_matter():
    found = failures("---\nsymbols:\n  y: {in: {-1, 1}, meaning: 标签}\n---\n$y$\n", formulas=True)
    assert 'quote the set: in: "{-1, 1}"' in found[0]


@pytest.mark.parametrize("language", ["math", "latex", "tex"])
def test_formula_in_a_fence(language):
    assert "a formula belongs in $$…$$" in failures(f"```{language}\na = b\n```\n")[0]
