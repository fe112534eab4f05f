"""Ties: a page and the package that disagree fail, whichever of them is wrong."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import lossref
from lossref.pagecheck.formula import values as v
from lossref.pagecheck.formula.evaluate import Evaluator
from lossref.pagecheck.source import PageError, read_text
from lossref.pagecheck.ties import tie_checks

PAGE = r"""---
symbols:
  N: {size: [1, 3], meaning: 样本数}
  n: {index: N, meaning: 样本编号}
  z_n: {in: real, meaning: logit}
  y_n: {in: "[0, 1]", meaning: 目标}
  \beta: {in: positive, meaning: 正类权重}
ties:
  - TIE
---

定义 $L := -\frac1N\sum_{n=1}^N [y_n\log\sigma(z_n)+(1-y_n)\log(1-\sigma(z_n))]$，$p_n := \sigma(z_n)$，
$W := -\sum_{n=1}^N [\beta y_n\log\sigma(z_n)+(1-y_n)\log(1-\sigma(z_n))]$。
"""
LOGITS = "{loss: BCEWithLogitsLoss, value: L, input: z_n, target: y_n}"


def run(tie: str = LOGITS, page: str = PAGE) -> str:
    (check,) = tie_checks(read_text(page.replace("TIE", tie), "docs/page.md"))
    try:
        return check.run()
    except PageError as error:
        return str(error)


@pytest.mark.parametrize(
    "tie",
    [
        LOGITS,
        "{loss: BCELoss, value: L, input: p_n, target: y_n}",
        r"{loss: BCEWithLogitsLoss, value: W, input: z_n, target: y_n, args: {pos_weight: \beta}, reduction: sum}",
    ],
)
def test_a_page_that_says_what_the_package_does_passes(tie):
    # L is written through σ(z), so by p it has no derivative: it is defined again through p.
    page = PAGE
    if "input: p_n" in tie:
        page = PAGE.replace(r"\log\sigma(z_n)", r"\log p_n", 1).replace(
            r"\log(1-\sigma(z_n))", r"\log(1-p_n)", 1
        )
    assert run(tie, page) == "核对一致"


@pytest.mark.parametrize(
    ("right", "wrong", "fragment"),
    [
        (r"L := -\frac1N", r"L := -\frac2N", "value: the page says"),
        (r"L := -\frac1N", r"L := \frac1N", "value: the page says"),
        (r"[y_n\log\sigma(z_n)", r"[y_n\log\sigma(-z_n)", "value: the page says"),
    ],
)
def test_a_wrong_definition_on_the_page_fails_at_the_tie(right, wrong, fragment):
    message = run(page=PAGE.replace(right, wrong, 1))
    assert (
        message.startswith("docs/page.md:9:")
        and fragment in message
        and "lossref.BCEWithLogitsLoss" in message
    )


@pytest.mark.parametrize("method", ["grad", "hess", "__call__"])
@pytest.mark.parametrize(
    "change", [lambda a: -a, lambda a: 0 * a, lambda a: a * (1 + 1e-9)], ids=["sign", "zero", "ulps"]
)
def test_a_wrong_loss_fails(monkeypatch, method, change):
    loss = lossref.BCEWithLogitsLoss
    original = getattr(loss, method)
    monkeypatch.setattr(loss, method, lambda self, x, y: change(np.asarray(original(self, x, y))))
    message = run()
    what = {"grad": "gradient", "hess": "Hessian", "__call__": "value"}[method]
    assert f"{what}: the page says" in message, message


@pytest.mark.parametrize(
    ("tie", "fragment"),
    [
        ("{loss: NoSuchLoss, value: L, input: z_n, target: y_n}", "lossref has no 'NoSuchLoss'"),
        ("{loss: BCEWithLogitsLoss, value: L, input: z_n}", "needs `target:`"),
        ("{loss: BCEWithLogitsLoss, value: L, input: z_n, target: y_n, colour: 1}", "unknown key 'colour'"),
        ("{loss: BCEWithLogitsLoss, value: M, input: z_n, target: y_n}", "unknown symbol `M`"),
        ("{loss: BCEWithLogitsLoss, value: L, input: 2z_n, target: y_n}", "`input:` is a symbol"),
        ("BCEWithLogitsLoss", "a tie is a mapping"),
        ("{loss: [a], value: L, input: z_n, target: y_n}", "lossref has no ['a']"),
        ("{loss: BCEWithLogitsLoss, value: L, input: z_n, target: y_n, args: 3}", "`args:` wants a mapping"),
        ("{loss: BCEWithLogitsLoss, value: L, input: z_n, target: y_n, gradient: 3}", "unknown key 'gradient'"),
        ("{loss: BCEWithLogitsLoss, value: L, input: z_n, target: y_n, args: {a: 3}}", "the code refuses"),
    ],
)
def test_a_malformed_tie_says_what_is_wanted(tie, fragment):
    assert fragment in run(tie)


@pytest.mark.parametrize("name", ["slope", "bend"])
def test_derivatives_are_held_to_differences(monkeypatch, name):
    """A slip in the checker's own derivatives shows before anything is compared with them."""
    right = Evaluator.varied

    @contextlib.contextmanager
    def wrong(self, variable, env):
        with right(self, variable, env) as (key, tag):
            x = self.overrides[key]
            deep = isinstance(x.re, v.Dual)
            if deep == (name == "bend"):
                self.overrides[key] = v.Dual(x.re, x.du * (1 + v.mp.mpf(10) ** -15), tag)
            yield key, tag

    monkeypatch.setattr(Evaluator, "varied", wrong)
    message = run()
    assert "the derivative" in message if name == "slope" else "the second derivative" in message, message
