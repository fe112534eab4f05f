"""Cross-entropy of softmax, and the negative log-likelihood of log-probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._base import Parts, RowParts
from ._classes import Classes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class CrossEntropyLoss(Classes):
    r"""Softmax 交叉熵，第一个参数是 logits $z$，$p = \operatorname{softmax}(z)$。

    $$\ell(z, y) = -\sum_{c=1}^C w_c\, y_c \log p_c$$

    类别编号 $y$ 就是 $y_c$ 为 1 或 0。
    $w = 1$、$\sum_c y_c = 1$ 时，梯度 $p - y$，黑塞 $\operatorname{diag}(p) - p p^\top$，都对 $z$ 求。
    标签平滑把 $y_c$ 换成 $(1-\varepsilon)\,y_c + \varepsilon / C$。单位是奈特。

    精确：真类远远领先时也不归零（10 类、领先 20 时 float32 的损失是 `1.86e-08`，而 torch 给 0）；
    概率为 0 的类别即使 logit 是 $-\infty$ 也只贡献 0（torch 对概率目标给 NaN）。

    Args:
        weight: 类别权重，形状 `(C,)`，非负。
        ignore_index: 等于它的类别编号不计入损失和分母（只用于类别编号）。
        reduction: `"mean"`（默认，同 torch）：类别编号除以 $\sum_n w_{y_n}$，概率目标除以样本数 $N d_1 \cdots$；
            `"sum"` 求和；`"none"` 每个样本一个数。
        label_smoothing: $\varepsilon$，在 [0, 1] 内。
        denominator: `"mean"` 改除以 `"samples"`（样本数，含被忽略的）或 `"weights"`（权重之和）。

    Raises:
        ValueError: 形状不符；概率超出 [0, 1]；`weight` 不是 `(C,)` 或为负；`label_smoothing` 超出 [0, 1]；
            `reduction` 或 `denominator` 不认识。
        IndexError: 类别编号超出 0 到 C-1。
        TypeError: 浮点的类别编号、整数的 one-hot、复数或非数值的输入。

    出处：softmax 见 J. S. Bridle, 1990；交叉熵见 C. E. Shannon, *A Mathematical Theory of Communication*, 1948。

    Examples:
        >>> import lossref
        >>> loss = lossref.CrossEntropyLoss()
        >>> print(f"{loss([[2, 1, 0.1]], [0]):.4f}")
        0.4170
        >>> loss.grad([[2, 1, 0.1]], [0]).round(4).tolist()
        [[-0.341, 0.2424, 0.0986]]
        >>> loss.hess([[2, 1, 0.1]], [0]).round(4).tolist()
        [[[0.2247, -0.1598, -0.065], [-0.1598, 0.1837, -0.0239], [-0.065, -0.0239, 0.0889]]]
    """

    @staticmethod
    def formula(m, p, q, nl):
        return Parts(value=lambda: nl, gradient=lambda: -1, hessian=lambda: 0)


class NLLLoss(Classes):
    r"""负对数似然，第一个参数已经是**对数概率** $x = \log p$，$y$ 是类别编号。

    $$\ell(x, y) = -w_y\, x_y$$

    梯度在 $y$ 处是 $-w_y$，别处 0；黑塞 0，都对 $x$ 求（不含 softmax）。单位是奈特。

    把概率或 logits 当成对数概率传进来，torch 会给出负的损失；这里大于 0 的输入被拒绝。

    Args:
        weight: 类别权重，形状 `(C,)`，非负。
        ignore_index: 等于它的类别编号不计入损失和分母。
        reduction: `"mean"`（默认）除以 $\sum_n w_{y_n}$；`"sum"` 求和；`"none"` 每个样本一个数。
        denominator: `"mean"` 改除以 `"samples"`（样本数，含被忽略的）。

    Raises:
        ValueError: 形状不符；`x` 大于 0；`weight` 不是 `(C,)` 或为负；`reduction` 或 `denominator` 不认识。
        IndexError: 类别编号超出 0 到 C-1。
        TypeError: 浮点的目标、复数或非数值的输入。

    出处：R. A. Fisher, *On the Mathematical Foundations of Theoretical Statistics*, 1922。

    Examples:
        >>> import numpy as np, lossref
        >>> loss = lossref.NLLLoss()
        >>> print(f"{loss(np.log([[0.659, 0.2424, 0.0986]]), [0]):.4f}")
        0.4170
        >>> loss.grad(np.log([[0.659, 0.2424, 0.0986]]), [0]).tolist()
        [[-1.0, 0.0, 0.0]]
    """

    input_range = (-math.inf, 0.0)

    def __init__(
        self, weight: ArrayLike | None = None, *, ignore_index: int = -100, reduction: str = "mean",
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, ignore_index=ignore_index, reduction=reduction, denominator=denominator)
        del self.label_smoothing

    label_smoothing = 0.0

    def _target(self, x, y):
        y, hard, kept = super()._target(x, y)
        if not hard:
            raise TypeError(
                f"{self.names[1]} must hold class indices (integers); got dtype {y.dtype} and shape {y.shape}"
            )
        return y, hard, kept

    @staticmethod
    def parts(m, formula, x, target, scale=1.0):
        zero = m.zeros_like(x)
        return RowParts(
            value=lambda: target.total(0 - target(x)),
            gradient=lambda: m.put(zero, target.y, -target.mass(scale)),
            hessian=lambda: m.outer(zero, zero),
            diagonal=lambda: zero,
            turned=lambda v: 0 * v,
            by_mass=lambda v: -scale * target(v),
        )
