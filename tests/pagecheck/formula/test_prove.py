"""Proofs: what is proved is true, and what is false or outside the fragment is not called proved."""

from __future__ import annotations

import pytest
from symbols import FRONT

from lossref.pagecheck.formula.checks import _attach_conditions, _read_all, formula_scope
from lossref.pagecheck.formula.prove import proves
from lossref.pagecheck.source import read_text

DEFINITIONS = r"""
定义 $p := \sigma(z)$、$\ell := -[y\log p+(1-y)\log(1-p)]$、$p_n := \sigma(z_n)$、$f(x) := x^3$。
定义 $L := -\frac1N\sum_{n=1}^N[y_n\log p_n+(1-y_n)\log(1-p_n)]$、
$S := \sum_{j=1}^C e^{v_j}$、$s := \operatorname{softmax}(v)$、$E := -\sum_{i=1}^C t_i\log s_i$、$a_i := e^{v_i}$。
"""


def proved(tex: str, condition: str = "") -> bool:
    page = read_text(FRONT + DEFINITIONS + f"\n{condition}${tex}$\n", "docs/page.md")
    scope = formula_scope(page)
    formulas = _read_all(list(page.maths), scope)
    _attach_conditions(page, formulas)
    assert formulas[-1].error is None, formulas[-1].error
    left, right = formulas[-1].reading.statements[-1].body.sides
    return proves(scope, left, right, formulas[-1].conditions)


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
    # sums over an index of any size
    r"\frac{\partial L}{\partial z_n} = \frac1N(p_n-y_n)",
    r"\frac{\partial L}{\partial p_n} = \frac1N\cdot\frac{p_n-y_n}{p_n(1-p_n)}",
    r"\sum_{n=1}^N (2z_n+y_n)+N = \sum_{k=1}^N y_k+2\sum_{n=1}^N z_n+\sum_{n=1}^N 1",
    r"\frac{\partial s_i}{\partial v_j} = s_i(\delta_{ij}-s_j)",
    r"\frac{\partial E}{\partial v_j} = s_j-t_j",
    r"\frac{\partial^2 E}{\partial v_i\,\partial v_j} = s_i(\delta_{ij}-s_j)",
    r"\log s_i = v_i-\log S",
    r"\sum_{i=1}^C s_i = 1+0\cdot z",
    r"\sum_{i=1}^C\sum_{j=1}^C \delta_{ij}v_j = \sum_{k=1}^C v_k",
    r"\sum_{i=1}^C\sum_{j=1}^C t_i v_j = \sum_{j=1}^C v_j",
    r"\sum_{i=1}^C \frac{\partial S}{\partial v_i} = S",
    r"\sum_{i=1}^C \frac{\partial^2 S}{\partial v_i\,\partial v_i} = S",
    r"\sum_{i=1}^C \frac{\partial}{\partial v_i}\sum_{j=1}^C v_j^2v_i = \sum_{i=1}^C(\sum_{j=1}^C v_j^2+2v_i^2)",
    # cases by the values of a symbol
    r"\ell = \begin{cases} -\log p & y = 1 \\ -\log(1-p) & y = 0 \end{cases}",
]
GIVEN = [
    ("当 $y = 1$ 时，", r"\frac{\partial \ell}{\partial z} = p-1"),
    ("当 $z = \\log 3$ 时，", r"p = \frac34"),
    ("当 $z = \\log 3$、$y = 1$ 时，", r"\frac{\partial \ell}{\partial z} = -\frac14"),
    ("当 $r > 0$ 时，", r"r\cdot r = r^2"),
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


@pytest.mark.parametrize(("condition", "tex"), GIVEN)
def test_what_conditions_give_is_put_in(condition, tex):
    assert proved(tex, condition)
    assert condition.count("r") or not proved(tex)
    assert not proved(tex + f"+{10**-9:.9f}", condition)


@pytest.mark.parametrize(
    "tex",
    [
        r"\log(z^2) = 2\log z",  # false for z < 0
        r"\sqrt{z^2} = z",
        r"|z| = z",
        r"(z^2)^{\frac12} = z",
        r"\frac{\partial s_i}{\partial v_j} = s_i(1-s_j)",  # the diagonal alone
        r"\frac{\partial s_i}{\partial v_j} = -s_is_j",  # all but the diagonal
        r"\sum_{i=1}^C\sum_{j=1}^C \delta_{ij}v_j = 0",
        r"\sum_{i=1}^C \frac{\partial S}{\partial v_i} = 0",
        r"\sum_{i=1}^C\sum_{j=1}^C \frac{\partial^2 S}{\partial v_i\,\partial v_j} = C\cdot S",
        r"\sum_{i=1}^C v_i^2 = (\sum_{i=1}^C v_i)^2",
        r"\sum_{i=1}^C v_i = 1",
        r"\sum_{n=1}^N y_n = 1",
        r"\sum_{i=1}^C\sum_{j=1}^C v_iv_j = \sum_{i=1}^C v_i^2",
        r"\sum_{i=1}^C v_it_j = v_i",
        r"\sum_{i=1}^C t_i^2 = 1",
        r"\log\sum_{i=1}^C v_i = \sum_{i=1}^C\log v_i",
        r"\sum_{n=1}^N z_n = \sum_{i=1}^C v_i",
        r"\ell = \begin{cases} -\log p & y = 0 \\ -\log(1-p) & y = 1 \end{cases}",
        r"\max(z, 0) = \frac{z+|z|}{2}",
    ],
)
def test_what_is_false_somewhere_or_not_decided_here_is_not_called_proved(tex):
    assert not proved(tex)
