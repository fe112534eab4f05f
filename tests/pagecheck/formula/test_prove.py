"""Proofs: what is proved is true, and what is false or outside the fragment is not called proved."""

from __future__ import annotations

import pytest
from symbols import FRONT

from lossref.pagecheck.formula.checks import _read_all, formula_scope
from lossref.pagecheck.formula.prove import proves
from lossref.pagecheck.source import read_text

DEFINITIONS = r"""
定义 $p := \sigma(z)$、$\ell := -[y\log p+(1-y)\log(1-p)]$、$p_n := \sigma(z_n)$、$f(x) := x^3$。
"""


def proved(tex: str) -> bool:
    page = read_text(FRONT + DEFINITIONS + f"\n${tex}$\n", "docs/page.md")
    scope = formula_scope(page)
    formulas = _read_all(list(page.maths), scope)
    assert formulas[-1].error is None, formulas[-1].error
    left, right = formulas[-1].reading.statements[-1].body.sides
    return proves(scope, left, right)


PROVED = [
    r"\frac{\partial \ell}{\partial p} = \frac{p-y}{p(1-p)}",
    r"\frac{\partial \ell}{\partial z} = p-y",
    r"\frac{\partial^2 \ell}{\partial z^2} = p(1-p)",
    r"p(1-p) = \frac14-\left(p-\frac12\right)^2",
    r"\ell = \operatorname{softplus}(z)-yz",
    r"-\log(1-p) = z+\log(1+e^{-z})",
    r"-\log\left(p^{y}(1-p)^{1-y}\right) = \ell",
    r"\log\frac{q}{1-q} = -\log\frac{1-q}{q}",
    r"\sigma''(z) = \sigma'(z)(1-2\sigma(z))",
    r"\frac1N\left[p_n(1-y_n)-(1-p_n)y_n\right] = \frac1N\left[p_n-y_n\right]",
    r"\frac{\partial}{\partial q}\left[-\eta\log q-(1-\eta)\log(1-q)\right] = \frac{q-\eta}{q(1-q)}",
    r"\log(4\beta^2) = 2\log 2+2\log\beta",
    r"f'(z) = 3z^2",
    r"\tanh(z) = 2\sigma(2z)-1",
]


@pytest.mark.parametrize("tex", PROVED)
def test_elementary_identities_are_proved(tex):
    assert proved(tex)


@pytest.mark.parametrize("tex", PROVED)
def test_the_same_identities_with_one_slip_are_not(tex):
    left, _, right = tex.partition(" = ")
    assert not proved(f"{left} = {right}+{10**-9:.9f}")
    assert not proved(f"{left} = -({right})")
    assert not proved(f"{left} = 2\\cdot({right})")


@pytest.mark.parametrize(
    "tex",
    [
        r"\log(z^2) = 2\log z",  # false for z < 0
        r"\sqrt{z^2} = z",
        r"|z| = z",
        r"(z^2)^{\frac12} = z",
        r"\sum_{n=1}^N z_n = \sum_{n=1}^N z_n+0",  # true, and outside the fragment
        r"\max(z, 0) = \frac{z+|z|}{2}",
    ],
)
def test_what_is_false_somewhere_or_not_decided_here_is_not_called_proved(tex):
    assert not proved(tex)
