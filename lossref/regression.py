"""Squared, absolute and Huber errors: functions of the residual r = x - y."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import _validate as validate
from ._base import Elementwise, Parts
from ._elementary import divided, multiplied, positive

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class MSELoss(Elementwise):
    r"""均方误差，$r = x - y$，没有 ½：

    $$\ell(x, y) = (x - y)^2$$

    梯度 $2r$，黑塞（对角）$2$，都对 $x$ 求。单位是 $x$ 的单位的平方。

    Args:
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数，给了 `weight` 就除以权重之和（同 `torch.nn.functional.mse_loss`）；
            `"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"elements"`、`"samples"`（第一维的长度）、`"weights"`
            或 `"positives"`（标签之和，至少为 1）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播，而 torch 只是警告）；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入。

    出处：A. M. Legendre, *Nouvelles méthodes pour la détermination des orbites des comètes*, 1805。

    Examples:
        >>> import lossref
        >>> loss = lossref.MSELoss()
        >>> x, y = [0, 0.5, 1, 2, -3], [0, 0, 0, 0, 0]
        >>> print(loss(x, y))
        2.85
        >>> loss.grad(x, y).tolist()
        [0.0, 0.2, 0.4, 0.8, -1.2000000000000002]
    """

    mean_over = "weights"

    @staticmethod
    def formula(m, x, y):
        r = x - y
        return Parts(
            value=lambda: r * r,
            gradient=lambda: 2 * r,
            hessian=lambda: m.constant(2, r),
        )


class L1Loss(Elementwise):
    r"""平均绝对误差，$r = x - y$：

    $$\ell(x, y) = |x - y|$$

    （次）梯度 $\operatorname{sign}(r)$，在 $r=0$ 处取 0；黑塞处处取 0（$r=0$ 处并不存在）。单位同 $x$。

    Args:
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数，给了 `weight` 就除以权重之和（同 `torch.nn.functional.l1_loss`）；
            `"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"elements"`、`"samples"`（第一维的长度）、`"weights"`
            或 `"positives"`（标签之和，至少为 1）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播，而 torch 只是警告）；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入。

    出处：P.-S. Laplace, *Mémoire sur la probabilité des causes par les évènements*, 1774。

    Examples:
        >>> import lossref
        >>> loss = lossref.L1Loss()
        >>> x, y = [0, 0.5, 1, 2, -3], [0, 0, 0, 0, 0]
        >>> print(loss(x, y))
        1.3
        >>> loss.grad(x, y).tolist()
        [0.0, 0.2, 0.2, 0.2, -0.2]
    """

    mean_over = "weights"

    @staticmethod
    def formula(m, x, y):
        r = x - y
        return Parts(
            value=lambda: m.size(r),
            gradient=lambda: m.sign(r),
            hessian=lambda: m.constant(0, r),
        )


class SmoothL1Loss(Elementwise):
    r"""平滑 L1，$r = x - y$：在 $|r| < \beta$ 内是抛物线，在外是斜率为 1 的直线。

    $$\ell(x, y) = \begin{cases} r^2 / (2\beta) & |r| < \beta \\ |r| - \beta/2 & \text{否则} \end{cases}$$

    梯度是 $r/\beta$ 截断到 $[-1, 1]$；黑塞（对角）在 $|r| < \beta$ 内是 $1/\beta$，否则 0
    （分界点处取 0，与 torch 相同）。
    $\beta = 0$ 就是 L1。单位同 $x$。

    Args:
        beta: 抛物线的半宽，不小于 0，与残差同单位。
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数；`"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"samples"`（第一维的长度）、`"weights"`（权重之和）
            或 `"positives"`（标签之和，至少为 1）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播，而 torch 只是警告）；`beta` 为负；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入；不是实数的 `beta`。

    出处：R. Girshick, *Fast R-CNN*, 2015, arXiv:1504.08083。

    Examples:
        >>> import lossref
        >>> loss = lossref.SmoothL1Loss(beta=0.5, reduction="none")
        >>> x, y = [0, 0.5, 1, 2, -3], [0, 0, 0, 0, 0]
        >>> loss(x, y).tolist()
        [0.0, 0.25, 0.75, 1.75, 2.75]
        >>> loss.grad(x, y).tolist()
        [0.0, 1.0, 1.0, 1.0, -1.0]
    """

    def __init__(
        self, beta: float = 1.0, *, weight: ArrayLike | None = None, reduction: str = "mean",
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.beta = validate.number("beta", beta, 0)

    def arguments(self):
        return {"beta": self.beta}

    @staticmethod
    def formula(m, x, y, beta):
        if beta == 0:
            return L1Loss.formula(m, x, y)
        r = x - y
        b = positive(beta, r)  # of a half-width that rounds to 0, it is the smallest number there is
        q = m.minimum(m.abs(r), min(b, m.huge(r)))

        def value():
            if m.huge(r) < b < math.inf:  # r/b may underflow where its product with r does not
                s = divided(m, r, math.sqrt(2) * math.sqrt(b))  # (2 b may overflow)
                return s * s
            # q/b first: q*q may underflow; and not of the q that b was rounded to
            return m.minimum(divided(m, m.abs(r), b), 1) * (m.abs(r) - 0.5 * q)

        def hessian():
            flat = m.constant(0, r)
            bend = 1 / b if 1 / b <= m.huge(r) else math.inf
            return m.where(m.abs(r) < (b if b <= m.huge(r) else math.inf), bend, flat)

        return Parts(
            value=value,
            gradient=lambda: m.clip(divided(m, r, b), -1, 1),
            hessian=hessian,
        )


class HuberLoss(Elementwise):
    r"""Huber 损失，$r = x - y$：在 $|r| \le \delta$ 内是 $\tfrac12 r^2$，在外是斜率为 $\delta$ 的直线。

    $$\ell(x, y) = \begin{cases}
        \tfrac12 r^2 & |r| \le \delta \\
        \delta\,(|r| - \tfrac12\delta) & \text{否则}
    \end{cases}$$

    梯度是 $r$ 截断到 $[-\delta, \delta]$；黑塞（对角）在 $|r| \le \delta$ 内是 1，否则 0
    （分界点处取 1，与 torch 相同）。它等于 $\delta$ 倍的 `SmoothL1Loss(beta=δ)`；
    $\delta \to \infty$ 时是 **½** 倍的 `MSELoss`。单位是 $x$ 的单位的平方。

    Args:
        delta: 抛物线的半宽，大于 0（可以是 `inf`），与残差同单位。
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        reduction: `"mean"`（默认）除以元素个数，给了 `weight` 也一样（同 `torch.nn.functional.huber_loss`）；
            `"sum"` 求和；`"none"` 不归约。
        denominator: `"mean"` 改除以 `"samples"`（第一维的长度）、`"weights"`（权重之和）
            或 `"positives"`（标签之和，至少为 1）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播，而 torch 只是警告）；`delta` 不大于 0；`weight` 为负或不能广播；
            `reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入；不是实数的 `delta`。

    出处：P. J. Huber, *Robust Estimation of a Location Parameter*, 1964。

    Examples:
        >>> import lossref
        >>> loss = lossref.HuberLoss(delta=2, reduction="none")
        >>> x, y = [0, 0.5, 1, 2, -3], [0, 0, 0, 0, 0]
        >>> loss(x, y).tolist()
        [0.0, 0.125, 0.5, 2.0, 4.0]
        >>> loss.grad(x, y).tolist()
        [0.0, 0.5, 1.0, 2.0, -2.0]
    """

    def __init__(
        self, delta: float = 1.0, *, weight: ArrayLike | None = None, reduction: str = "mean",
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.delta = validate.number("delta", delta, 0, above=True)

    def arguments(self):
        return {"delta": self.delta}

    @staticmethod
    def formula(m, x, y, delta):
        r = x - y
        d = positive(delta, r) if delta <= m.huge(r) else math.inf
        g = m.clip(r, -d, d)

        def value():
            if d == math.inf:
                return 0.5 * r * r
            if delta < 4 / m.huge(r):  # nothing is left of the parabola
                return multiplied(m, m.abs(r), delta)
            return g * (r - 0.5 * g)

        return Parts(
            value=value,
            gradient=lambda: g,
            hessian=lambda: m.where(m.abs(r) <= d, m.constant(1, r), m.constant(0, r)),
        )
