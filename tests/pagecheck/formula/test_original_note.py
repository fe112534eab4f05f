"""The derivations of the note that the site grew from, as printed in it: the true ones hold, equation (1) does not."""

from __future__ import annotations

from test_formulas import holds, refused

BCE = r"""---
symbols:
  N: {size: [1, 2, 4], meaning: 样本数}
  i: {index: N, meaning: 样本编号}
  x_i: {in: real, meaning: 样本 i 的 logit}
  y_i: {in: "{0, 1}", meaning: 样本 i 的标签}
---
"""
CE = r"""---
symbols:
  C: {size: [2, 3], meaning: 类别数}
  i: {index: C, meaning: 类别编号}
  z: {in: real, shape: [C], meaning: logit}
  y: {in: onehot, shape: [C], meaning: 标签}
---
"""
KL = r"""---
symbols:
  n: {size: [2, 3], meaning: 类别数}
  i: {index: n, meaning: 类别编号}
  z_i: {in: "(0, 1)", meaning: 预测的概率}
  y_i: {in: "(0, 1)", meaning: 真实的概率}
---
"""


def test_the_gradient_of_the_binary_cross_entropy():
    holds(
        r"""
定义 $x'_i := \sigma(x_i)$，$L := -\frac{1}{N}\sum_i[y_i \cdot \log(x'_i)+(1-y_i)\cdot \log(1-x'_i)]$。

$$
\begin{aligned}
\frac{\partial L}{\partial x_i}=& \quad \frac{\partial L}{\partial x'_i}\cdot\frac{\partial x'_i}{\partial x_i} \\
 =& -\frac{1}{N}[\frac{y_i}{x'_i}-(1-y_i)\cdot \frac{1}{1-x'_i}] \cdot(x'_i(1-x'_i)) \\
 =&\quad \frac{1}{N}[x'_i(1-y_i) - (1-x'_i)y_i] \\
 =&\quad \frac{1}{N}[x'_i - y_i]
 \end{aligned}
$$

式中 ${\partial x'_i}/{\partial x_i}=(x'_i(1-x'_i))$。
""",
        front=BCE,
    )


def test_equation_1_drops_the_cross_terms():
    said = refused(
        r"""
定义 $z' := \operatorname{softmax}(z)$，$L := -\sum_{i=1}^Cy_i\cdot \log(z'_i)$。

$$
\begin{aligned}
\frac{\partial L}{\partial z_i}=& \quad \frac{\partial L}{\partial z'_i}\cdot\frac{\partial z'_i}{\partial z_i} \\
 =& -y_i \frac{1}{z'_i} \cdot \frac{\partial z'_i}{\partial z_i}   \qquad  \qquad \qquad (1)
 \end{aligned}
$$
""",
        front=CE,
    )
    head, _, _, left, right, at, *_ = said.split("\n")
    assert head == "docs/page.md:13:1: `=` does not hold, step 1 of 2"
    assert left.startswith(r"  left  \frac{\partial L}{\partial z_i} = ")
    assert right.startswith(r"  right \frac{\partial L}{\partial z'_i}\cdot\frac{\partial z'_i}{\partial z_i} = ")
    assert at.startswith("  at    i = ") and " z = (" in at


def test_the_gradient_of_the_kl_divergence_by_the_probability():
    holds(
        r"""
定义 $L_{KL} := \sum_i^n y_i  \cdot \log(\frac{y_i}{z_i})$，$L := L_{KL}$。

$$
\begin{aligned}
\frac{\partial L}{\partial z_i} =& y_i \cdot (\frac{z_i}{y_i}) \cdot(-\frac{y_i}{z_i^2}) \\
=& -\frac{y_i}{z_i}
 \end{aligned}
$$
""",
        front=KL,
    )
