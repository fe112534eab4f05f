"""Formulas: what holds passes, what is wrong fails with a message an author can act on."""

from __future__ import annotations

import pytest
from symbols import FRONT

from lossref.pagecheck.formula import formula_checks
from lossref.pagecheck.source import PageError, read_text


def outcomes(body: str, front: str = FRONT) -> list[str]:
    """The label or the error of every check on a page, declarations that a small page leaves unused aside."""
    page = read_text(front + body, "docs/page.md")
    found = []
    for check in formula_checks(page):
        if check.name.startswith("unused ") and not check.name.startswith("unused !"):
            continue
        try:
            found.append(check.run())
        except PageError as error:
            found.append(str(error))
    return found


def holds(body: str, **kwargs) -> None:
    found = outcomes(body, **kwargs)
    assert found and all(label in ("数值核对", "提及") for label in found), "\n".join(found)


def refused(body: str, *fragments: str, **kwargs) -> str:
    errors = [o for o in outcomes(body, **kwargs) if o.startswith("docs/page.md:")]
    assert errors, f"nothing was refused in {body!r}"
    for fragment in fragments:
        assert any(fragment in e for e in errors), f"{fragment!r} is in none of:\n" + "\n".join(errors)
    return errors[0]


BCE = r"""
定义 $p_n := \sigma(z_n)$ 和 $L := -\frac1N\sum_{n=1}^N [y_n\log p_n+(1-y_n)\log(1-p_n)]$。
"""
SOFTMAX = r"""
定义 $s := \operatorname{softmax}(v)$，$H(t, s) := -\sum_{i=1}^C t_i\log s_i$。
"""

# What holds.  The first two are the derivations of a binary and a multi-class cross-entropy.
TRUE = {
    "bce gradient": BCE
    + r"""

$$
\begin{aligned}
\frac{\partial L}{\partial z_n} =& \quad \frac{\partial L}{\partial p_n}\cdot\frac{\partial p_n}{\partial z_n} \\
 =& -\frac{1}{N}[\frac{y_n}{p_n}-(1-y_n)\cdot \frac{1}{1-p_n}] \cdot(p_n(1-p_n)) \qquad (1) \\
 =&\quad \frac{1}{N}[p_n - y_n]
\end{aligned}
$$
""",
    "softmax gradient": SOFTMAX
    + r"""

$$
\begin{aligned}
\frac{\partial H}{\partial v_i} &= \sum_{k=1}^C \frac{\partial H}{\partial s_k}\cdot\frac{\partial s_k}{\partial v_i} \\
&= \sum_{k=1}^C \left(-\frac{t_k}{s_k}\right)\cdot s_k(\delta_{ki}-s_i) = s_i-t_i
\end{aligned}
$$
""",
    "softmax hessian": SOFTMAX
    + "\n"
    + r"$$\nabla_v^2 H(t, s) = \operatorname{diag}(s)-ss^\top,\qquad \nabla_v H(t, s) = s - t$$",
    "log-sum-exp": r"$$\max_j v_j < \log\sum_{j=1}^C e^{v_j} \le \max_j v_j+\log C$$",
    "primes": r"$\sigma'(z) = \sigma(z)(1-\sigma(z))$，$\sigma''(z) = \sigma'(z)(1-2\sigma(z))$",
    "cases": r"$$\max(z, 0) = \begin{cases} z & z > 0 \\ 0 & \text{否则} \end{cases}$$",
    "condition in prose": r"定义 $\ell := -[y\log q+(1-y)\log(1-q)]$。"
    + r"当 $y=1$ 时，$\ell=-\log q$；当 $y=0$ 时，$\ell=-\log(1-q)$。",
    "condition in display": r"$$y\log q+(1-y)\log(1-q) = \log q \quad\text{当 } y=1$$",
    "condition by set": r"设 $y_n\in\{0, 1\}$，有 $y_n^2 = y_n$。",
    "condition by rejection": r"当 $z>0$ 时，$|z| = z$。",
    "limit": r"$$\lim_{z\to\infty}\sigma(z) = 1,\qquad \lim_{z\to-\infty}\sigma(z) = 0$$",
    "limit in words": r"当 $z\to\infty$ 时，$\sigma(z)\to 1$。",
    "expectation and optimum": r"$$\arg\min_{q}\mathbb E_{y\sim\operatorname{Bernoulli}(\eta)}"
    + r"[-y\log q-(1-y)\log(1-q)] = \eta$$",
    "maximum": r"$$\max_{z} \sigma'(z) = \frac14,\qquad \min_{q} \left(q-\frac12\right)^2 = 0$$",
    "bounds": r"$q\in(0,1)$，$q(1-q)\le\frac14$，$0<\sigma(z)<1$，$z\in\mathbb R$，$v\in\mathbb R^C$",
    "example": BCE
    + r"取 $z_n=(-0.8502, 0.4511, 1.8228)$、$y_n=(1,0,0)$，"
    + r"有 $p_n\approx(0.2994, 0.6109, 0.8609)$、$L\approx 1.3742$。",
    "integral": r"$$\int_0^1 \sigma(x)\,\mathrm d x = \log\frac{1+\exp(1)}{2}$$",
    "gaussian": r"$$\mathbb E_{x\sim\operatorname{Normal}(0,1)}[x^2] = 1$$",
    "huber": r"定义 $g(r) := \begin{cases} \frac12r^2 & |r|\le\beta \\ \beta(|r|-\frac12\beta) & |r|>\beta"
    + r"\end{cases}$。"
    + r"有 $g'(r) = \operatorname{clip}(r, -\beta, \beta)$。",
    "one-hot": r"$$\sum_{i=1}^C h_i = 1,\qquad \sum_{i} h_i^2 = 1$$",
    "bounds that touch at 0": r"""定义 $a := 1+z^2$。
$\log a \le a-1$，而
$\sum_{i=1}^C t_i\log\frac{t_i}{1/C} \ge \frac12\left(\sum_{i=1}^C \left|t_i-\frac1C\right|\right)^2$。
""",
    "variance bound": r"""定义 $s := \operatorname{softmax}(z v)$。
$\sum_i s_iv_i^2-(s^\top v)^2 \le \frac12\lVert v\rVert^2$。""",
    "products and norms": r"$$\lVert v\rVert^2 = \langle v, v\rangle = v^\top v = \sum_{i=1}^C v_i^2$$",
    "builtin restated": r"$\sigma(z) := \frac{1}{1+e^{-z}}$，$\operatorname{softplus}(z) = \log(1+e^z)$",
    "log base": r"$\log_2 8 = 3$，$\frac{1}{\log 2}\approx 1.4427$",
    "enumeration": r"$v_1, \ldots, v_C$ 与 $\sum_{i=1}^C v_i = \sum_{j=1}^C v_j$",
    "mention": r"$\log\frac{q}{1-q} = -\log\frac{1-q}{q}$，其中 $\frac{q}{1-q}$ 是几率，$1-q$ 是另一半。",
    "use before definition": r"先说 $g(z) = z^2$ 的用处。定义 $g(x) := x^2$。",
    "zero": SOFTMAX + "\n" + r"$$\sum_{i=1}^C (s_i-t_i) = 0$$",
    "definitions that name each other's formulas": r"记 $f := g(z)$。$g(u) := u^2,\qquad f = z\cdot z$",
    "definition behind a word": r"令 $g := z^2$，有 $g \ge 0$。",
    "bound in a condition": r"当 $z \ge 0$ 时，$|z| = z$。",
    "not equal": SOFTMAX + "\n" + r"$$\frac{\partial H}{\partial v_i} \ne -t_i(1-s_i)$$",
    "limits from a side": r"$\lim_{z\to 0^+}\frac{|z|}{z} = 1$，$\lim_{z\to 0^{-}}\frac{|z|}{z} = -1$，"
    + r"$\lim_{\beta\to 0}\beta\log(1+e^{z/\beta}) = \max(z, 0)$",
    "limits near what is too large": r"$\lim_{z\to\infty}\left(1+\frac1z\right)^z = \mathrm e$，"
    + r"$\lim_{\beta\to\infty}\frac1\beta\log\sum_i e^{\beta v_i} = \max_i v_i$",
    "least in two places": r"$\min_{z} (z^2-1)^2 = 0$，$\min_{z} (|z-1|+|z-1.1|) = 0.1$",
    "tight within a condition": r"当 $0 < z < 1$ 时，$z^2 < z$；当 $r \in [2, \infty)$ 时，$r^2 \ge 2r$。",
    "case by case": r"$\mathbf 1[z > 0] = \max(\operatorname{sign}(z), 0)$",
    "mention of what is set apart": "## 一\n\n定义 $f := 1-q$。\n\n$$\n2-q = 1+f\n$$\n\n## 二\n\n说到 $1-q$ 与 $2-q$。",
    "equal at the end of a chain": r"定义 $f := 2z$。$z+z = 2z = f$",
    "primes of functions with a backslash": r"$\log'(q) = \frac1q$，$\tanh'(z) = 1-(\tanh z)^2$",
    "derivative between braces": r"${\partial \sigma(z)}/{\partial z} = \sigma'(z)$",
    "beyond double precision": r"$-\log(1-\sigma(z)) = \operatorname{softplus}(z)$，"
    + r"$\log(1-\sigma(z-300)) = -\operatorname{softplus}(z-300)$",
}


def test_what_is_unused_is_said_beside_other_mistakes():
    page = read_text(FRONT + "$z \\cdot -y = q$", "docs/page.md")
    said = []
    for check in formula_checks(page):
        with pytest.raises(PageError) as caught:
            check.run()
        said.append(str(caught.value))
    unused = {error.split("`")[1] for error in said if "is declared and never used" in error}
    assert {"r", "v", "\\beta"} <= unused and not unused & {"z", "y", "q", "N", "n"}


@pytest.mark.parametrize("body", TRUE.values(), ids=TRUE)
def test_true_formulas_pass(body):
    holds(body)


# What is wrong, and what the message says.
FALSE = {
    "set with an element twice": (r"设 $y \in \{1, 1\}$，则 $y^2 = y$。", ["stands twice"]),
    "two values": (r"取 $z=2$、$z=3$，有 $z^2 = 9$。", ["gives it a value twice"]),
    "size in a set": (r"设 $C \in \{2, 3\}$，则 $\sum_{i=1}^C t_i = 1$。", ["which values `C` takes", "设 $C=2$"]),
    "definition with the wrong sign": (
        r"$f(z) = z^2$，有 $f(z) \ge 0$。",
        ["f(z) := …", "`symbols:`", "line 21 could not"],
    ),
    "consequence of a broken definition": (
        "\n\n$$\ng(z) := log(1+z^2)\n$$\n\n" + r"$g'(z) = \frac{2z}{1+z^2}$",
        ["`log` is a product of letters", "unknown symbol `g'`: its definition on line 24", "mend that one first"],
    ),
    "number behind a letter": (r"$z2 = 2z$", ["a number behind a factor", "z^2"]),
    "two numbers": (r"$2 3 = 6$", ["a number behind a factor"]),
    "mixed fraction": (r"$2\frac12 = 1$", ["as in 2½", "2\\cdot\\frac12"]),
    "divided behind a bare function": (r"$\log q/z = \frac{\log q}{z}$", ["could belong to its argument"]),
    "product behind a bare derivative": (r"$\frac{\partial}{\partial z} z^2 z = 2z^2$", ["could belong to its"]),
    "product behind a bare gradient": (r"$\nabla_v v^\top t = t$", ["could belong to its argument"]),
    "no left side": (r"$\approx 12.5$", ["`\\approx` has no left side"]),
    "two equal signs": (r"$z == y$", ["equality is written with one ="]),
    "exponent without braces": (r"$e^-z > 0$", ["stands in braces: e^{-m}"]),
    "function without backslash": (r"$log(1) = 0$", ["write \\log"]),
    "condition on a definition": (r"定义 $m := zy$。当 $m = 1$ 时，$zy = 1$。", ["is defined", "declared symbols"]),
    "false where the condition is an equality": (
        r"当 $z \ge 0$ 时，$\operatorname{sign}(z) = 1$。",
        ["`=` does not hold", "at    z = 0"],
    ),
    "relation in words": (r"$q$ 就等于 $z$，$q+z = z+q$。", ["checked by nothing"]),
    "clamp": (r"$\max(\log q,-100) = \log q$", ["`=` does not hold"]),
    "clamp of a logit": (r"$\max(z-50,0) = 0$", ["`=` does not hold"]),
    "strict and equal at 1": (r"$(z-1)^2 > 0$", ["`>` does not hold", "z = 1"]),
    "strict and equal for equals": (r"$\frac{\beta+q}{2} > \sqrt{\beta q}$", ["`>` does not hold"]),
    "strict and equal at a corner": (r"$\sum_{i=1}^C t_i^2 < 1$", ["`<` does not hold"]),
    "strict and equal inside a condition": (r"当 $r>-1$ 时，$(1+r)^2 > 1+2r$", ["`>` does not hold"]),
    "bound with its equality": (r"$q(1-q) \ge \frac14$，当且仅当 $q=\frac12$ 时取等号。", ["`≥` does", "仅当"]),
    "condition far behind": (r"一般 $|z| = z$，特别地当 $z>0$ 时更明显。", ["`=` does not hold"]),
    "condition in brackets": (r"（当 $z>0$ 时 $|z| = z$）一般 $|z| = z$。", ["does not hold"]),
    "condition of another sentence": (r"当 $z>0$ 时 $|z| = z$. 总之 $|z| = z$.", ["`=` does not hold"]),
    "condition before another": (
        r"当 $q>\frac12$ 时 $|2q-1| = 2q-1$，而当 $r>0$ 时 $|r(2q-1)| = r(2q-1)$。", ["`=` does not hold"]),
    "derivative by an entry of what is given": (
        r"定义 $w := \operatorname{softmax}(v)$，$f := -\sum_{i=1}^C t_i\log w_i$。"
        r"设 $C=2$ 且 $w=(0.2,0.8)$，有 $\frac{\partial f}{\partial w_1} = 0$。", ["`=` does not hold"]),
    "a limit is not unequal to what it is": (r"$\lim_{q\to 0}q\log q \ne 0$", ["`≠` does not hold"]),
    "not equal and both zero": (r"$\log 1 \ne 0$", ["`≠` does not hold"]),
    "not equal and both zero everywhere": (SOFTMAX + r"$\sum_{i=1}^C (s_i-t_i) \ne 0$", ["`≠` does not hold"]),
    "not equal and a derivative that cancels": (
        SOFTMAX + r"$\sum_{i=1}^C \frac{\partial H}{\partial v_i} \ne 0$",
        ["`≠` does not hold"],
    ),
    "not equal but where they meet": (r"$z \ne y$", ["`≠` does not hold"]),
    "not equal but somewhere": (r"$\sigma(z) \ne \frac12$", ["`≠` does not hold", "at    z = 0"]),
    "limit from one side": (r"$\lim_{z\to 0}\operatorname{sign}(z) = 1$", ["from the left and from the right differ"]),
    "limit that does not settle": (r"$\lim_{z\to\infty}e^{e^z} = 1$", ["does not settle", "exp of a number beyond"]),
    "sum over nothing": (r"$\sum_{i=8}^C v_i = 0$", ["`i` runs from 8 to 2, over nothing"]),
    "product with zero in a bound": (r"$\frac02z^2 \le r^2$", ["a product with 0"]),
    "spread below zero": (r"$\mathbb E_{x\sim\operatorname{Normal}(0,z)}[x] = 0$", ["a spread of -", "second"]),
    "probability beyond one": (
        r"$\mathbb E_{x\sim\operatorname{Bernoulli}(1+\beta)}[x] = 1+\beta$", ["a probability of -"]),
    "probabilities of another sum": (
        r"$\mathbb E_{x\sim\operatorname{Categorical}(\frac12t)}[1] = \frac12$", ["probabilities whose sum is 0.5"]),
    "equal but at zero": (r"$\operatorname{sign}(z)^2 = 1$", ["`=` does not hold", "at    z = 0"]),
    "equal but at a closed end": (r"$\operatorname{sign}(y_n) = 1$", ["`=` does not hold", "y_n = (0)"]),
    "equal but at zero, by a definition": (
        r"定义 $f := \operatorname{sign}(z)^2$。$f = 1$", ["`=` does not hold", "at    z = 0"]),
    "two places as good": (r"$\arg\min_{z} (z^2-1)^2 = 1$", ["not unique: -1 and 1 are"]),
    "a flat bottom": (r"$\arg\min_{z} (|z-1|+|z-1.1|) = 1.05$", ["not unique: all around"]),
    "two members as good": (r"$\arg\min_{y} (y-\frac12)^2 = 0$", ["not unique: 0 and 1"]),
    "bound that fails beside zero": (r"$(r-z)\eta q \le r^2+z^2$<!-- loose: 试 -->", ["`≤` does not hold"]),
    "prime at a vector": (r"定义 $g(x) := x^2$。$g'(v) = 2z$", ["not by a vector"]),
    "product with zero": (r"$0\cdot z = 0$", ["a product with 0"]),
    "repeated definition": (r"定义 $f := 17z$。$f = 17z$", ["only repeats the definition"]),
    "repeated definition of a function": (r"定义 $f(z) := 17z$。$f(z) = 17z$", ["only repeats the definition"]),
    "repeated definition of a family": (r"定义 $f_n := 17z_n$。$17z_n = f_n$", ["only repeats the definition"]),
    "sign of something else": (
        r"定义 $f(u) := |\sigma(u)-q|$。$f'(z) = \operatorname{sign}(n-q)\sigma'(z)$", ["`=` does not hold"]),
    "border of a case": (
        r"$\mathbf 1[z\ge 0] = \frac{1+\operatorname{sign}(z)}{2}$", ["`=` does not hold", "at    z = 0"]),
    "only at the sizes declared": (r"$C^2 = 5C-6$", ["`=` does not hold", "C = 4"]),
    "size by another": (r"取 $C=N$，有 $\sum_i 1 = C$。", ["the size `N` is not known here"]),
    "list of a vector": (r"取 $v=(z, v)$，有 $\sum_i v_i = z$。", ["a list holds numbers"]),
    "definitions in a circle": (r"定义 $g_n := z_n$，$g := 2f$，$f := g-1$。$f = g_n$", ["leads back to itself"]),
    "derivative by an index": (r"$\frac{\partial}{\partial n}[z] = 0$", ["`n` counts"]),
    "mention of a part of a sum": (r"$z^2-z+q = q-z+z^2$，其中 $z^2+q$。", ["in no checked formula"]),
    "mention of another section": ("# 一\n\n$1-q = -q+1$\n\n## 二\n\n说到 $1-q$。", ["checked formula of its section"]),
    "parameter twice": (r"定义 $D(a, a) := a$。$D(z, z) = z$", ["already bound"]),
    "mention with its arguments exchanged": (
        r"定义 $D(a, b) := a-b$。$D(z, r) = -D(z, r)+2D(z, r)$，其中 $D(r, z)$。", ["in no checked formula"]),
    "sign": (r"$\sigma'(z) = -\sigma(z)(1-\sigma(z))$", ["`=` does not hold", "differ in sign", "docs/page.md:"]),
    "factor": (r"$\sigma'(z) = 2\sigma(z)(1-\sigma(z))$", ["1/2 times", "left", "right", "z ="]),
    "1/N": (BCE + "\n" + r"$$\frac{\partial L}{\partial z_n} = p_n-y_n$$", ["1/N"]),
    "y for p": (BCE + "\n" + r"$$\frac{\partial^2 L}{\partial z_n^2} = \frac1N y_n(1-y_n)$$", ["`=` does not hold"]),
    "log base": (r"$\frac{\log q}{\log 10} = \log q$", ["ln 10"]),
    "digit": (r"$\frac{1}{\log 2}\approx 1.4426$", ["`≈` does not hold", "1.4426", "written it is 1.4427"]),
    "hundreds": (r"$10^5\log 2\approx 6.94\cdot 10^4$", ["written it is 69300.0"]),
    "condition as a claim": (r"而 $z > 1$ 就成立。", ["`>` does not hold", "当 $z > 1$ 时，…"]),
    "not tight": (r"$q(1-q) < \frac12$", ["not tight", "where left is 0.25 and right 0.5"]),
    "step of two lines": (
        "\n\n$$\n\\begin{aligned}\n\\sigma'(z) &= \\sigma(z)(1-\\sigma(z)) \\\\\n&= \\sigma(z)\n\\end{aligned}\n$$",
        ["    &= \\sigma(z)\n    ^^^^^^^^^^^^", "step 2 of 2"],
    ),
    "vector digit": (BCE + r"取 $z_n=(0.5, 1)$、$y_n=(1,0)$，有 $p_n\approx(0.6225, 0.7312)$。", ["`≈` does not hold"]),
    "given digit": (
        BCE
        + r"取 $z_n=(-0.8502, 0.4511, 1.8227)$、$y_n=(1,0,0)$，"
        + r"有 $\frac{\partial L}{\partial z_n}\approx(-0.2335, 0.2036, 0.2871)$。",
        ["`≈`"],
    ),
    "le for lt": (r"$0\le\sigma(z)$", ["equality is reached at no point tried"]),
    "lt for le": (r"$q(1-q)<\frac14$", [r"write \le"]),
    "loose bound": (r"$q(1-q)\le\frac13$", ["equality is reached at no point tried"]),
    "wrong way": (r"$q(1-q)\ge\frac14$", ["does not hold"]),
    "domain": (r"$q\in(0,2)$", ["declared `in: (0, 1)`"]),
    "range": (r"$q(1-q)\in(0,1)$", ["tight"]),
    "bound attained at 0 only": (r"定义 $s := \operatorname{softmax}(r v)$。$(v^\top s)^2 \le 4\lVert v\rVert^2$",
                                 ["equal only where both are 0"]),
    "variance bound without its half": (
        r"定义 $s := \operatorname{softmax}(z v)$。$\sum_i s_iv_i^2-(s^\top v)^2 \le \lVert v\rVert^2$",
        ["equal only where both are 0"]),
    "swapped index": (
        SOFTMAX + "\n" + r"$$\frac{\partial s_k}{\partial v_i} = s_k(\delta_{ki}-s_k)$$",
        ["does not hold", "slip? it holds with `s_i` in place of `s_k`"],
    ),
    "dropped cross terms": (
        SOFTMAX
        + "\n"
        + r"$$\frac{\partial H}{\partial v_i} ="
        + r" \frac{\partial H}{\partial s_i}\cdot\frac{\partial s_i}{\partial v_i}$$",
        ["`=` does not hold"],
    ),
    "swapped arguments": (
        r"定义 $D(a, b) := \sum_i a_i\log\frac{a_i}{b_i}$，$s := \operatorname{softmax}(v)$。"
        + r"有 $\sum_i t_i\log\frac{t_i}{s_i} = D(s, t)$。",
        ["does not hold", "slip? it holds with the arguments of `D(s, t)` exchanged"],
    ),
    "sign of a term": (r"$(z-r)^2 = z^2-2zr-r^2$", ["slip? it holds with the sign of `r^2` turned"]),
    "constant": (r"$(z-1)^2 = z^2-2z$", ["left − right is always 1.0: a constant term?"]),
    "end of a set": (r"$\sigma(z)\in(0,1]$", ["the end 1: equality is reached at no point tried", "are open"]),
    "vacuous": (r"当 $z=0$ 时，$2z = 3z$。", ["0 at every point"]),
    "exponent": (r"$\frac{\partial}{\partial z}\left[z^3\right] = 3z^3$", ["does not hold"]),
    "removed term": (r"$-\log(q(1-q)) = -\log q$", ["does not hold"]),
    "limit": (r"$\lim_{z\to\infty}\sigma(z) = 0.99$", ["does not hold"]),
    "case": (r"$$|z| = \begin{cases} z & z > 0 \\ z & z \le 0\end{cases}$$", ["does not hold"]),
    "builtin misquoted": (r"$\sigma(z) := \frac{1}{1+e^{z}}$", ["does not hold"]),
    "mention": (r"$q = 1-(1-q)$，其中 $2-q$ 不在别处。", ["in no checked formula"]),
    "enumeration": (r"$v_2, \ldots, v_C$ 与 $\sum_i v_i = \sum_j v_j$", ["enumeration"]),
    "shape": (r"$v = 1+z$", ["differ in shape"]),
    "undefined": (r"$\log z = \log(z)$", ["has no value", "log of"]),
    "condition outside": (r"当 $q=2$ 时，$q+q=4$。", ["outside the domain"]),
    "tautology": (r"$z+r = z+r$", ["the same expression"]),
    "tautology in a chain": (r"$2z = z+z \le z+z$", ["the same expression"]),
    "repeated condition": (r"当 $q=0.5$ 时，$q=0.5$。", ["only repeats the condition"]),
    "a tiny term": (r"$z = z+10^{-60}$", ["does not hold"]),
    "idle condition": (r"当 $q=0.5$ 时，$z+z=2z$。", ["depends on this condition"]),
    "independent": (r"定义 $f := z^2$。$\frac{\partial f}{\partial q} = 0$", ["does not depend on `q`"]),
    "idle parameter": (r"定义 $g(a, b) := a q$。$g(z, z) = z q$", ["does not use its parameter `b`"]),
    "open index": (r"定义 $f := \frac1C v_i$。$f = f$", ["leaves the index `i` open"]),
    "sum ends early": (r"定义 $f := \sum_i v_i + v_i$。$f = f$", ["leaves the index `i` open"]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "fragments"), FALSE.values(), ids=FALSE)
def test_false_formulas_fail_and_say_why(body, fragments):
    refused(body, *fragments)


# What is refused because a reader could take it in two ways, or not at all; each message says what to write.
REFUSED = {
    "log of what": (r"$\log q r = 1$", r"write \log(q)"[:9]),
    "log then bracket power": (r"$\log(q)^2 = 1$", "(\\log x)^2"),
    "log of a power": (r"$\log q^2 = 1$", "two ways"),
    "a/bc": (r"$z/qr = 1$", "a/bc"),
    "a/b/c": (r"$z/q/r = 1$", "a/b/c"),
    "two signs": (r"$z - -q = 1$", "brackets"),
    "sign behind cdot": (r"$z\cdot -q = 1$", r"\cdot (-b)"),
    "unknown symbol": (r"$x = 1$", "symbols:"),
    "near miss": (r"$z_{n} = z_m$", "unknown symbol `m`"),
    "twice defined": (r"定义 $f := z$，$f := q$。$f=f$", "second time"),
    "condition on a row of a chain": (
        "\n\n$$\n\\begin{aligned}\n|z| &= z && \\text{当 } z>0 \\\\\n&= q\n\\end{aligned}\n$$",
        "for which of its rows",
    ),
    "parameter that is a symbol beside": (r"定义 $f := q^2$，$g(q) := f+q$。$g(2) = 6$", "take another letter"),
    "unused definition": (r"定义 $f := z$。$z=z$", "`f` is defined and never used"),
    "definition used to deny": (r"定义 $f := z$。$f \ne 2z$", "`f` is only said to be unequal"),
    "shadowed index": (r"$\sum_i v_i\sum_i v_i = 1$", "already bound"),
    "open range": (r"$\sum_m 1 = 1$", "range of `m`"),
    "nabla of what": (r"$\nabla z = 1$", "variable"),
    "orders": (r"$\frac{\partial^2 z}{\partial z} = 0$", "order 2"),
    "unknown command": (r"$\foo z = 1$", "not part of the notation"),
    "unknown relation": (r"$z \propto r$", "`\\propto` is not part of the notation"),
    "implication": (r"$z = r \Rightarrow z = r$", "当 $…$ 时"),
    "percent": (r"$\frac14 = 25\%$", "0.25"),
    "italic derivative": (r"$\frac{d}{dz}\sigma(z) = 1$", r"\frac{\mathrm d f}{\mathrm d z}"),
    "dots": (r"$v_1+\ldots+v_C = 1$", r"\sum_{i=1}^{C} v_i"),
    "index of another size": (r"$v_9 = 1$", "another size"),
    "shape": (r"$v+z = v$", "an index or a ^\\top missing"),
    "contradiction": (r"当 $z>1$ 且 $z<0$ 时，$z = 2$。", "do they contradict each other"),
    "sin of what": (r"$\sin z r = 1$", r"\sin(x)\,y"),
    "words": (r"$loss = 1$", "unknown symbol"),
    "chinese": (r"$损失 = 1$", r"\text{"),
    "bracket": (r"$(z + q = 1$", "expected `)`"),
    "sized bracket": (r"$\left(z + q) = 1$", r"\right"),
    "brace": (r"$\frac{z}{q = 1$", "expected `}` to close"),
    "approx without decimal": (r"$z\approx q$", "decimal"),
    "double exponent": (r"$z^2^3 = 1$", "double exponent"),
    "exponent digits": (r"$z^12 = 1$", "^{12}"),
    "to without limit": (r"$\sigma(z)\to 1$", r"\lim"),
    "too many arguments": (r"$\sigma(z, q) = 1$", "takes 1 argument"),
    "declared as": (r"$\arg\min_{f} f = 1$", "must be one number"),
    "unknown law": (r"$\mathbb E_{x\sim\operatorname{Foo}(1)}[x] = 1$", "unknown distribution"),
    "long sum": (r"$\sum_{m=1}^{100000} m = 1$", "too long"),
    "huge power": (r"$10^{10^{10}} = 1$", "beyond"),
    "deep nest": ("$" + "(" * 3000 + "z" + ")" * 3000 + " = 1$", "nested too deeply"),
    "endless": (r"$\sum_{a=1}^{900}\sum_{b=1}^{900} ab = 1$", "too long"),
    "self reference": (r"定义 $f := g$，$g := f$。$f = g$", "unknown symbol"),
}


@pytest.mark.parametrize(("body", "fragment"), REFUSED.values(), ids=REFUSED)
def test_what_is_ambiguous_or_unknown_is_refused_with_the_fix(body, fragment):
    if fragment.startswith("`f` is"):
        page = read_text(FRONT + body, "docs/page.md")
        errors = []
        for check in formula_checks(page):
            try:
                check.run()
            except PageError as error:
                errors.append(str(error))
        assert any(fragment in e for e in errors)
        return
    message = refused(body)
    assert fragment in message, message


def test_a_failure_names_line_column_and_shows_a_caret():
    message = refused("\n第一行\n\n$$\n\\begin{aligned}\nz &= z+0 \\\\\n&= 2z\n\\end{aligned}\n$$\n")
    head, shown, caret, *rest = message.split("\n")
    line = FRONT.count("\n") + 6
    assert head == f"docs/page.md:{line}:6: `=` does not hold, step 2 of 2", message
    assert shown.strip() == r"z &= z+0 \\" and caret.strip().startswith("^")
    assert any(text.startswith("  at    z = ") and "(seed 1)" in text for text in rest)


def test_a_number_and_a_family_of_one_name_are_two_quantities():
    holds(r"$$\frac{\partial}{\partial z}\left[z + \sum_{n=1}^N z_n\right] = 1$$")


def test_families_over_two_indices():
    front = FRONT.replace("  v:", "  w_{ni}: {in: real, meaning: 权重}\n  v:")
    holds(
        r"定义 $S := \sum_{n=1}^N\sum_{i=1}^C w_{ni}^2$。$\frac{\partial S}{\partial w_{ni}} = 2w_{ni}$",
        front=front,
    )
    refused(
        r"定义 $S := \sum_{n=1}^N\sum_{i=1}^C w_{ni}^2$。$\frac{\partial S}{\partial w_{ni}} = 2w_{in}$",
        front=front,
    )


def test_zero_log_zero_is_zero_only_where_the_page_says_so():
    body = r"定义 $G := \sum_i h_i\log h_i$。有 $G + 1 = 1$。"
    refused(body, "log of 0")
    holds(body, front=FRONT.replace("symbols:", 'conventions: ["0 log 0 = 0"]\nsymbols:', 1))


def test_declarations_are_checked():
    for entry, fragment in (
        ("{in: nowhere, meaning: x}", "accepted: real"),
        ("{meaning: x}", "exactly one of"),
        ("{in: real, colour: x}", "unknown key 'colour'"),
        ("{in: simplex, meaning: x}", "needs a shape"),
        ("{in: real, shape: [M], meaning: x}", "is not a size"),
        ("{size: [0], meaning: x}", "positive integers"),
        ("real", "expected a mapping"),
        ('{in: "(1, 0)", meaning: x}', "is empty"),
    ):
        page = read_text(FRONT.replace("  q:", f"  x: {entry}\n  q:") + "$z=z$", "docs/page.md")
        with pytest.raises(PageError) as error:
            formula_checks(page)
        assert fragment in str(error.value), error.value
        line = 2 + FRONT.split("  q:")[0].count("\n") - 1
        assert str(error.value).startswith(f"docs/page.md:{line}:"), error.value


def test_an_unused_declaration_is_an_error_at_its_line():
    page = read_text(
        "---\nsymbols:\n  z: {in: real, meaning: x}\n  q: {in: real, meaning: x}\n---\n$z = z$\n",
        "docs/page.md",
    )
    (check,) = [c for c in formula_checks(page) if c.name == "unused q"]
    with pytest.raises(PageError, match=r"docs/page.md:4:3: `q` is declared and never used"):
        check.run()


def test_exemptions_need_a_reason_and_a_need():
    assert outcomes(r"$\Re z = 2z$<!-- exempt: 反例 -->") == ["豁免：反例"]
    refused(r"$z = 2z$<!-- exempt: 反例 -->", "this is false, which an exemption cannot hide: `=` does not hold")
    refused(r"$z = z+0$<!-- exempt: 反例 -->", "not needed")
    refused(r"$\sigma(z) < 1$<!-- loose: 无 -->", "not needed")
    refused(r"$z = z+0$<!-- loose: 无 -->", "without an inequality")
    holds(r"$\sigma'(z) < \frac12$<!-- loose: 粗略的界 -->")


def test_the_same_points_are_tried_every_time():
    body = r"$\sigma'(z) = 2\sigma(z)$"
    assert refused(body) == refused(body)


def test_rounded_numbers_that_a_computation_starts_from_are_held():
    sum_ = r"$\frac{0.2231+0.3567}{2}\approx 0.290$"
    refused(sum_, "the last digit of 0.", "held by nothing")
    holds(r"$-\log 0.8\approx 0.2231$、$-\log 0.7\approx 0.3567$，" + sum_)
    refused(
        r"$-\log 0.8\approx 0.2231$、$-\log 0.7\approx 0.3567$，" + sum_.replace("0.2231", "0.2232"), "0.2232"
    )
    holds(r"$-\log 0.8\approx 0.2231$、$1-0.2231\approx 0.7769$")


def test_brackets_settle_what_an_exponent_belongs_to():
    holds(
        r"$(\log q)^2 = \log(q)\log(q)$，$1-\left(\tanh(z)\right)^2 = \frac{\partial}{\partial z}[\tanh z]$"
    )


def test_an_element_of_a_defined_matrix():
    holds(SOFTMAX + r"定义 $J := \operatorname{diag}(s)-ss^\top$。$J_{12} = -s_1s_2$，$J_{1,2} = J_{21}$")


def test_special_points_outside_the_conditions_are_passed_over():
    holds(r"当 $q=0.5$ 且 $z < 0$ 时，$z < q-0.5$。")


def test_an_unused_family_is_named_as_it_is_written():
    front = FRONT.replace("  v:", "  w_{ni}: {in: real, meaning: 权重}\n  v:")
    page = read_text(front + "$z = z$\n", "docs/page.md")
    (check,) = [c for c in formula_checks(page) if c.name == "unused w"]
    line = front[: front.index("  w_{ni}")].count("\n") + 1
    with pytest.raises(PageError, match=rf"page.md:{line}:3: `w_\{{ni\}}` is declared and never used"):
        check.run()


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (r"$z_q$", "no index that runs over `N`"),
        (r"$z_i$", "no index that runs over `N`"),
        (r"$v_n$", "no index that runs over `C`"),
        (r"定义 $s := z^2$，$s = z^2$。提到 $s_i$。", "is one number and has no elements"),
        (r"$+z$", "a leading + says nothing"),
        (r"$y\log q-1 = -1+y\log q$，其中 $-y\log q$。", "in no checked formula"),
    ],
)
def test_a_mention_names_something_that_is_there(body, fragment):
    refused(body, fragment)


def test_mentions_of_elements_and_of_parts_with_their_sign():
    holds(
        r"$z_n$、$z_N$、$z_1$、$v_i$、$\operatorname{softmax}(v)_i$，$-zy\log q-1 = -1-zy\log q$，其中 $-y\log q$。"
    )


def test_a_defined_symbol_chosen_from_a_set_is_held_there():
    holds(r"定义 $m := 2y-1$。设 $m\in\{-1, 1\}$，有 $m^2 = 1$。")


def test_a_name_with_a_subscript_may_be_mentioned_before_it_is_defined():
    front = FRONT.replace("  v:", "  p: {in: real, meaning: 数}\n  t_1: {in: real, meaning: 数}\n  v:")
    holds(r"先说 $q_t$。定义 $q_t := qy+(1-q)(1-y)$。当 $y=1$ 时，$q_t = q$。")
    refused(r"定义 $f := f+1$。$f = f$", "unknown symbol `f`", front=front)


def test_a_bare_number_in_a_remark_is_refused():
    refused("\n\n$$\n\\begin{aligned}\nz &= z && \\text{除以 } 1\n\\end{aligned}\n$$\n", "a bare number")


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (r"$\operatorname{softmax}(z)_i$", "softmax acts on a vector"),
        (r"$\delta_{iq}$", "`q` is no index"),
        (r"定义 $w_{ij} := v_iv_j$，$w_i = 1$", "takes 2 index(es), got 1"),
    ],
)
def test_a_mention_makes_sense(body, fragment):
    refused(body, fragment)


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (r"$\max(v, 0) = 1$", "vectors cannot"),
        (r"$|v| = 1$", "vectors cannot"),
        (r"$\delta_i = 1$", "δ takes two indices"),
        (r"取 $z_q=(1, 2)$，有 $z_n = z_n$。", "no index that runs over `N`"),
    ],
)
def test_slips_of_shape_are_told_from_crashes(body, fragment):
    refused(body, fragment)


def test_a_law_of_numbers_refuses_a_vector():
    refused(r"$\mathbb E_{x\sim\operatorname{Normal}(v, 1)}[x] = 1$", "a number is wanted here")
    refused(r"$\mathbb E_{i\sim\operatorname{Categorical}(q)}[i] = 1$", "wants a vector of probabilities")
