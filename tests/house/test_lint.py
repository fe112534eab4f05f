"""Ruff and mypy find nothing in this repository, and would: each is shown something that it must refuse."""

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lossref

ROOT = Path(__file__).parents[2]


def tool(*command, **kwargs):
    """What a tool printed, and whether it was content."""
    environment = os.environ | {"MYPYPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", **kwargs,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return done.stdout, done.returncode == 0


# -- ruff ------------------------------------------------------------------------------------------------------------


def test_ruff_finds_nothing():
    found, content = tool("ruff", "check", "--output-format", "concise", ".")
    assert content, found


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("def test_it():\n    x = 1\n    x == 1\n", "B015"),  # a comparison that nobody looks at
        ("def test_it():\n    x = 1\n    -x\n", "B018"),
        ("def test_it():\n    x = 1\n    assert (x == 2, 'no')\n", "F631"),  # a pair is always true
        ("for i in range(3):\n    print(lambda: i)\n", "B023"),
        ("import os\n", "F401"),
        (f'x = "{"字" * 60}"\n', "E501"),
    ],
)
def test_ruff_refuses(code, rule):
    found, content = tool("ruff", "check", "--stdin-filename", "tests/x.py", "-", input=code)
    assert not content
    assert rule in found


# What a test may call only to look at the answer.
ANSWERS = {
    "all", "any", "allclose", "array_equal", "array_equiv", "equal", "isclose", "isdisjoint", "isfinite", "isinf",
    "isinstance", "isnan", "issubclass", "issubset", "issuperset", "startswith", "endswith", "hasattr", "fullmatch",
}  # fmt: skip


def unheard(source):
    """The lines of a test where a question is asked and the answer dropped."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Expr):
            continue
        parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for part in parts:
            call = part.func if isinstance(part, ast.Call) else None
            name = getattr(call, "attr", getattr(call, "id", None))
            if isinstance(part, (ast.Compare, ast.UnaryOp)) or name in ANSWERS:
                yield node.lineno


def test_no_test_drops_an_answer():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(ROOT.glob("tests/**/*.py"))
        for line in unheard(path.read_text(encoding="utf-8"))
    ]
    assert not found, found


def test_a_dropped_answer_is_heard():
    dropped = ["x == 1", "np.array_equal(x, y)", "x.all()", "not x", "f(x), x < 1", "isinstance(x, int)"]
    assert [list(unheard(line)) for line in dropped] == [[1]] * len(dropped)
    assert not list(unheard("assert x == 1\nf(x)\nassert np.array_equal(x, y)\npage.evaluate(x)\n"))


# -- mypy ------------------------------------------------------------------------------------------------------------


def annotated(function):
    parameters = list(inspect.signature(function).parameters.values())[1:]  # without self
    return all(p.annotation is not p.empty for p in parameters) and "return" in function.__annotations__


@pytest.mark.parametrize("name", list(lossref.LOSSES))
def test_public_methods_are_annotated(name):
    torch_losses = pytest.importorskip("lossref.torch", reason="torch is not installed")
    loss, module = lossref.LOSSES[name], getattr(torch_losses, name)
    for method in ("__init__", "__call__", "grad", "hess", "hess_diag", "value_and_grad"):
        assert annotated(getattr(loss, method)), method
    assert annotated(module.__init__) and annotated(module.forward)


# Checked as in a strict user's project. A line must have exactly the errors named behind it.
USE = """\
# mypy: disallow-untyped-calls, disallow-any-generics, warn-return-any
import numpy as np
import torch

import lossref
import lossref.torch
from lossref import BCELoss, CrossEntropyLoss, HuberLoss, KLDivLoss, SigmoidFocalLoss

x, y = np.zeros((1, 3), np.float32), np.array([0])
loss = CrossEntropyLoss(np.ones(3), reduction="sum", label_smoothing=0.1)
total: float = float(loss([[1.0, 2.0, 3.0]], [0]))
if loss(x, y) < 0.3:
    print(f"{loss(x, y):.4f}", loss(x, y).item())
value, gradient = loss.value_and_grad(x, [[0.5, 0.5, 0.0]], out=np.empty_like(x))
print(gradient[0, 1], gradient.round(4).tolist(), loss.hess(x, y).shape)
print([cls(reduction="none").grad([0.5], [1]) for cls in lossref.LOSSES.values()])
CrossEntropyLoss(reduction=3)  # arg-type
CrossEntropyLoss(reductoin="sum")  # call-arg
CrossEntropyLoss(ignore_index="no")  # arg-type
HuberLoss(delta="1")  # arg-type
KLDivLoss("batchmean")  # call-arg
SigmoidFocalLoss(None, gamma=None)  # arg-type
BCELoss()([0.5])  # call-arg
BCELoss().grad([0.5], [1], out=[0.0])  # arg-type
BCELoss()([0.5], [1]).backward()  # union-attr
lossref.MAELoss  # attr-defined

module = lossref.torch.BCEWithLogitsLoss(pos_weight=torch.ones(3))
answer: torch.Tensor = module(torch.zeros(3), torch.ones(3))
wrong: str = module(torch.zeros(3), torch.ones(3))  # assignment
module(torch.zeros(3))  # call-arg
module(torch.zeros(3), 1.0)  # arg-type
lossref.torch.CrossEntropyLoss(label_smoothing="0.1")  # arg-type
lossref.torch.HuberLoss(weight=[1.0])  # arg-type
"""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """What mypy says of the package and of a user's file: in one run, most of which it spends on reading torch."""
    path = tmp_path_factory.mktemp("mypy") / "use.py"
    path.write_text(USE, encoding="utf-8")
    found, content = tool("mypy", "lossref", path)
    assert not content
    return [line for line in found.splitlines() if ": error: " in line]


def test_mypy_finds_nothing_in_the_package(complaints):
    assert not [line for line in complaints if "use.py:" not in line]


def test_wrong_use_is_a_type_error_and_right_use_is_not(complaints):
    found = [re.search(r"use\.py:(\d+): error: .*\[([\w-]+)\]$", line) for line in complaints]
    got = sorted((int(match[1]), match[2]) for match in found if match)
    lines = enumerate(USE.splitlines(), 1)
    wanted = [(n, error[1]) for n, line in lines if (error := re.search(r"  # ([\w-]+)$", line))]
    assert got == wanted, "\n".join(complaints)
