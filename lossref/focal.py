"""Focal loss: cross-entropy in which the examples that are already right count for little."""

from __future__ import annotations

from . import _validate as validate
from ._base import Elementwise, Parts
from ._elementary import positive


class SigmoidFocalLoss(Elementwise):
    r"""二元焦点损失，第一个参数是 logit $z$；$p = \sigma(z)$，$p_t = y p + (1-y)(1-p)$，$\alpha_t = \alpha y + (1-\alpha)(1-y)$。

    $$\ell(z, y) = -\alpha_t\,(1-p_t)^\gamma \left[y \log p + (1-y) \log(1-p)\right]$$

    硬标签、$s = 2y-1$ 时，梯度 $\alpha_t\, s\, (1-p_t)^\gamma (\gamma p_t \log p_t + p_t - 1)$；黑塞（对角）
    $\alpha_t\, p_t (1-p_t)^\gamma \left[(1+2\gamma)(1-p_t) + \gamma \log p_t\,(1-p_t-\gamma p_t)\right]$，
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
            `reduction` 不认识。
        TypeError: 复数或非数值的输入。

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

    def __init__(self, alpha=0.25, gamma=2.0, *, weight=None, reduction: str = "mean", denominator: str | None = None):
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.alpha = None if alpha is None else validate.number("alpha", alpha, 0, 1)
        self.gamma = validate.number("gamma", gamma, 0)

    def arguments(self):
        return {"alpha": self.alpha, "gamma": self.gamma}

    @staticmethod
    def formula(m, z, y, alpha, gamma):
        s = m.logistic(z)
        n = 1 - y
        wrong = n * s.p + y * s.q  # 1 - p_t
        focus = wrong**gamma if alpha is None else wrong**gamma * (alpha * y + (1 - alpha) * n)
        entropy = n * s.softplus + y * s.softplus_neg
        # d log(1 - p_t)/dz, so that no power γ - 1 appears; where 1 - p_t is 0, so is the numerator
        rate = (n - y) * (s.p * s.q) / m.maximum(wrong, positive(0, z))

        def hessian():
            slope = n * s.p - y * s.q
            return focus * (s.p * s.q + gamma * rate * (2 * slope + ((gamma - 1) * rate + (s.q - s.p)) * entropy))

        return Parts(
            value=lambda: focus * entropy,
            gradient=lambda: focus * (n * s.p - y * s.q + gamma * rate * entropy),
            hessian=hessian,
        )
