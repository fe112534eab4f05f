"""Focal loss: cross-entropy in which the examples that are already right count for little."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from . import _validate as validate
from ._base import Elementwise, Parts
from ._classes import Classes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class SigmoidFocalLoss(Elementwise):
    r"""二元焦点损失，第一个参数是 logit $z$，$p = \sigma(z)$。

    记 $p_t = y p + (1-y)(1-p)$，$\alpha_t = \alpha y + (1-\alpha)(1-y)$：

    $$\ell(z, y) = -\alpha_t\,(1-p_t)^\gamma \left[y \log p + (1-y) \log(1-p)\right]$$

    硬标签、$s = 2y-1$ 时，梯度 $\alpha_t\, s\, (1-p_t)^\gamma (\gamma p_t \log p_t + p_t - 1)$；黑塞（对角）
    $\alpha_t\, p_t (1-p_t)^\gamma \left[(1+2\gamma)(1-p_t) + \gamma \log(p_t)\,(1-p_t-\gamma p_t)\right]$，
    难分样本上可以为负：焦点损失不是凸的。$\gamma = 0$ 时就是加权的二元交叉熵。单位是奈特。

    语义同 torchvision 的 `sigmoid_focal_loss`，但 $0 < \gamma < 1$、$p_t = 1$ 时梯度是 0 而不是 NaN。

    Args:
        alpha: 正类权重，在 [0, 1] 内，负类得 $1-\alpha$；`None` 表示都不加权。
        gamma: 聚焦指数，不小于 0。
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数；`"sum"` 求和；`"none"` 不归约。
        denominator: `"positives"` 让 `"mean"` 除以标签之和（至少为 1），是论文的做法；还有 `"samples"`、`"weights"`。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播）；`y` 或 `alpha` 超出 [0, 1]；`gamma` 为负；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入；不是实数的 `alpha`、`gamma`。

    出处：T.-Y. Lin 等, *Focal Loss for Dense Object Detection*, 2017, arXiv:1708.02002。

    Examples:
        >>> import lossref
        >>> loss = lossref.SigmoidFocalLoss(reduction="none")
        >>> z, y = [2, -1, 0, 0.5], [1, 0, 1, 0]
        >>> loss(z, y).round(4).tolist()
        [0.0005, 0.017, 0.0433, 0.2831]
        >>> loss.grad(z, y).round(4).tolist()
        [-0.0012, 0.0394, -0.0746, 0.3946]
    """

    target_range = (0.0, 1.0)
    knows_hard_labels = True

    def __init__(
        self, alpha: float | None = 0.25, gamma: float = 2.0, *, weight: ArrayLike | None = None,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.alpha = None if alpha is None else validate.number("alpha", alpha, 0, 1)
        self.gamma = validate.number("gamma", gamma, 0, finite=True)

    def arguments(self):
        return {"alpha": self.alpha, "gamma": self.gamma}

    @staticmethod
    def formula(m, z, y, alpha, gamma):
        if m.hard:
            t = 1 - 2 * y
            s = m.margin(t * z)  # how far z is on the wrong side
            times = m.times if alpha in (0, 1) else operator.mul  # weight 0 outweighs an infinite term

            def focus():
                return s.p**gamma if alpha is None else s.p**gamma * (alpha * y + (1 - alpha) * (1 - y))

            def bend():
                rest = s.p
                if gamma:  # softplus may be infinite
                    rest = s.p + gamma * (2 * s.p + (gamma * s.q_beside_p - s.p) * s.softplus)
                # σ(-z) comes last and in two factors: it may be subnormal where the Hessian is not
                return m.times(s.fade * focus(), rest) * s.q_beside_p

            return Parts(
                value=lambda: times(focus(), s.softplus),
                # (both stop at 60, where their product is nothing beside σ(z))
                gradient=lambda: t * focus() * (s.p + gamma * s.q_beside_p * s.softplus_to_60),
                hessian=bend,
            )
        s = m.logistic(z)
        n = 1 - y
        wrong = n * s.p + y * s.q  # 1 - p_t
        focus = m.power(wrong, gamma)
        if alpha is not None:
            focus = focus * (alpha * y + (1 - alpha) * n)
        entropy = m.times(n, s.softplus) + m.times(y, s.softplus_neg)
        # d log(1 - p_t)/dz, so that no power γ - 1 appears; where 1 - p_t is 0, so is the numerator
        rate = m.ratio((n - y) * (s.p * s.q), wrong)

        def hessian():
            slope = n * s.p - y * s.q
            return focus * (
                s.p * s.q
                + gamma * m.times(rate, 2 * slope + ((gamma - 1) * rate + (s.q - s.p)) * entropy)
            )

        return Parts(
            value=lambda: m.times(focus, entropy),
            gradient=lambda: focus * (n * s.p - y * s.q + gamma * m.times(rate, entropy)),
            hessian=hessian,
        )


class SoftmaxFocalLoss(Classes):
    r"""多类焦点损失，第一个参数是 logits $z$，$p = \operatorname{softmax}(z)$。

    $$\ell(z, y) = -\sum_{c=1}^C \alpha_c\, y_c\,(1-p_c)^\gamma \log p_c$$

    类别编号 $k$ 时，梯度 $\alpha_k (1-p_k)^{\gamma-1}\left[(1-p_k) - \gamma p_k \log p_k\right](p - e_k)$；黑塞
    $\varphi''(u)(e_k-p)(e_k-p)^\top - \varphi'(u)\,(\operatorname{diag} p - p p^\top)$，其中 $u = \log p_k$，
    $\varphi(u) = -\alpha_k(1-e^u)^\gamma u$。$\gamma = 0$ 时就是加权的交叉熵。
    它不等于 C 个二元焦点损失之和。单位是奈特。

    Args:
        alpha: 类别权重：`None`（默认，不加权）、一个非负数（所有类别相同）或形状 `(C,)` 的数组。
        gamma: 聚焦指数，不小于 0。
        ignore_index: 等于它的类别编号不计入损失和分母（只用于类别编号）。
        reduction: `"mean"`（默认）除以样本数（不含被忽略的），**不**除以 $\alpha$ 之和；`"sum"` 求和；
            `"none"` 每个样本一个数。
        denominator: `"mean"` 改除以 `"samples"`（样本数，含被忽略的）或 `"weights"`（$\sum_n \alpha_{y_n}$）。

    Raises:
        ValueError: 形状不符；概率超出 [0, 1]；`alpha` 不是 `(C,)` 或为负；`gamma` 为负；
            `reduction` 或 `denominator` 不认识。
        IndexError: 类别编号超出 0 到 C-1。
        TypeError: 浮点的类别编号、整数的 one-hot、复数或非数值的输入。

    出处：T.-Y. Lin 等, *Focal Loss for Dense Object Detection*, 2017, arXiv:1708.02002（二元）；
    这里把 sigmoid 换成 softmax。

    Examples:
        >>> import lossref
        >>> loss = lossref.SoftmaxFocalLoss(gamma=2, reduction="none")
        >>> z = [[2, 1, 0.1]] * 3
        >>> loss(z, [0, 1, 2]).round(4).tolist()
        [0.0485, 0.8132, 1.8828]
        >>> print(abs(loss.grad(z, [0, 1, 2]).sum(1)).max() < 1e-15)
        True
    """

    def __init__(
        self, alpha: ArrayLike | None = None, gamma: float = 2.0, *, ignore_index: int = -100,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(None, ignore_index=ignore_index, reduction=reduction, denominator=denominator)
        self.alpha = None if alpha is None else validate.weights("alpha", alpha)
        if self.alpha is not None and self.alpha.ndim > 1:
            raise ValueError(
                f"alpha must be a number or have shape (C,), one for each class; got shape {self.alpha.shape}"
            )
        self.gamma = validate.number("gamma", gamma, 0, finite=True)
        del self.weight, self.label_smoothing

    label_smoothing = 0.0
    weights_name = "alpha"
    mean_over = "kept"

    def arguments(self):
        return {"gamma": self.gamma}

    def _class_weights(self, c):
        if self.alpha is not None and self.alpha.shape not in ((), (c,)):
            raise ValueError(
                f"alpha must have shape ({c},), one for each class of {self.names[0]}; got {self.alpha.shape}"
            )
        return None if self.alpha is None else np.broadcast_to(self.alpha, (c,))

    @staticmethod
    def formula(m, p, q, nl, gamma):
        focus = m.power(q, gamma)
        rate = m.times(p, m.ratio(nl, q))  # -p log p / (1-p): 1 at p = 1, where no power γ - 1 is
        return Parts(
            value=lambda: focus * nl,
            gradient=lambda: -focus * (1 + gamma * rate),
            hessian=lambda: (
                m.minimum(m.ratio(gamma * focus, q), m.huge(q) / 4) * (m.times(p, 2 - nl) + (gamma - 1) * p * rate)
            ),
        )
