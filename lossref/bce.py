"""Binary cross-entropy, on probabilities and on logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _validate as validate
from ._base import Elementwise, Parts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class BCELoss(Elementwise):
    r"""二元交叉熵，第一个参数是**概率** $p$。

    $$\ell(p, y) = -\left[y \log p + (1-y) \log(1-p)\right]$$

    梯度 $\dfrac{p-y}{p(1-p)}$，黑塞（对角）$\dfrac{y}{p^2} + \dfrac{1-y}{(1-p)^2}$，都对 $p$ 求。
    约定 $0 \log 0 = 0$；对数是自然对数，单位是奈特。

    不截断：$p=0$、$y=1$ 的损失是 `inf`、梯度是 `-inf`，而 `torch.nn.BCELoss` 给 100 和 $-10^{12}$。

    Args:
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数，不除以权重之和；`"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"samples"`（第一维的长度）、`"weights"`（权重之和）
            或 `"positives"`（标签之和，至少为 1）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播）；`x` 或 `y` 超出 [0, 1]；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入。

    出处：D. R. Cox, *The Regression Analysis of Binary Sequences*, 1958。

    Examples:
        >>> import lossref
        >>> loss = lossref.BCELoss()
        >>> p, y = [0.9, 0.2, 0.6], [1, 0, 1]
        >>> print(f"{loss(p, y):.4f}")
        0.2798
        >>> loss.grad(p, y).round(4).tolist()
        [-0.3704, 0.4167, -0.5556]
        >>> float(loss([0.0], [1]))
        inf
    """

    input_range = (0.0, 1.0)
    target_range = (0.0, 1.0)
    knows_hard_labels = True

    @staticmethod
    def formula(m, p, y):
        if m.hard:
            n = 1 - y
            s, right = y - n, m.abs(n - p)  # the probability of what is true: p or 1 - p
            lost = (n + s * right) - p  # what rounding took from 1 - p
            return Parts(
                value=lambda: 0 - (m.log(right) + m.ratio(lost, right)),
                gradient=lambda: -s / right,
                hessian=lambda: 1 / right / right,
            )
        return Parts(
            value=lambda: (
                0 - (m.xlogy(y, p) + m.xlog1my(1 - y, p))
            ),  # 0 - …: a perfect prediction costs 0, not -0
            # one difference of the inputs: y/p and (1-y)/(1-p) would cancel where p is near y
            gradient=lambda: m.where((p == y) & (p * (1 - p) == 0), 1 - 2 * y, (p - y) / (p * (1 - p))),
            hessian=lambda: m.ratio(m.ratio(1 - y, 1 - p), 1 - p) + m.ratio(m.ratio(y, p), p),
        )


class BCEWithLogitsLoss(Elementwise):
    r"""二元交叉熵，第一个参数是 **logit** $z$，其中 $p = \sigma(z)$；$c$ 是正类权重 `pos_weight`（默认 1）。

    $$\ell(z, y) = -\left[c\,y \log \sigma(z) + (1-y) \log \sigma(-z)\right]$$

    梯度 $(1-y)\,\sigma(z) - c\,y\,\sigma(-z)$，$c=1$ 时就是 $\sigma(z) - y$；
    黑塞（对角）$(1-y+c\,y)\,\sigma(z)\,\sigma(-z)$，都对 $z$ 求。单位是奈特。

    两端都精确：float32 下 $z=-20$、$y=0$ 的损失是 `2.06e-09`，而 `torch.nn.BCEWithLogitsLoss` 给 0。

    Args:
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数，不除以权重之和；`"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"samples"`（第一维的长度）、`"weights"`（权重之和）
            或 `"positives"`（标签之和，至少为 1）。
        pos_weight: 与 `x` 可广播的非负权重，只乘在正类一项上；形状 `(C,)` 就是每个类别一个。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播）；`y` 超出 [0, 1]；权重为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入。

    出处：D. R. Cox, *The Regression Analysis of Binary Sequences*, 1958。

    Examples:
        >>> import lossref
        >>> loss = lossref.BCEWithLogitsLoss()
        >>> z, y = [-0.8502, 0.4511, 1.8228], [1, 0, 0]
        >>> print(f"{loss(z, y):.4f}")
        1.3742
        >>> loss.grad(z, y).round(4).tolist()
        [-0.2335, 0.2036, 0.287]
        >>> loss.hess(z, y).round(4).tolist()
        [0.0699, 0.0792, 0.0399]
    """

    target_range = (0.0, 1.0)
    knows_hard_labels = True

    def __init__(
        self, weight: ArrayLike | None = None, *, reduction: str = "mean", pos_weight: ArrayLike | None = None,
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.pos_weight = None if pos_weight is None else validate.weights("pos_weight", pos_weight)

    def arguments(self):
        return {"pos_weight": self.pos_weight}

    @staticmethod
    def formula(m, z, y, pos_weight):
        if m.hard:
            t = 1 - 2 * y
            s = m.margin(t * z)  # how far z is on the wrong side
            if pos_weight is None:
                return Parts(value=lambda: s.softplus, gradient=lambda: t * s.p, hessian=lambda: s.p * s.q)
            c = pos_weight * y + (1 - y)
            return Parts(
                value=lambda: m.times(c, s.softplus),
                gradient=lambda: c * t * s.p,
                hessian=lambda: c * s.p * s.q,
            )
        s = m.logistic(z)
        a, b = (y if pos_weight is None else pos_weight * y), 1 - y  # the weights of the two classes
        return Parts(
            value=lambda: m.times(a, s.softplus_neg) + m.times(b, s.softplus),
            gradient=lambda: b * s.p - a * s.q,
            hessian=lambda: (a + b) * s.p * s.q,
        )
