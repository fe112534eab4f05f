"""Kullback–Leibler divergence, from log-probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._base import Elementwise, Parts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class KLDivLoss(Elementwise):
    r"""KL 散度的逐元素项。`x` 是模型的**对数概率** $\log q$，`y` 是目标概率 $p$（`log_target=True` 时是 $\log p$）。

    $$\ell(x, y) = p\,(\log p - x)$$

    对一个分布求和就是 $\mathrm{KL}(p \,\|\, q)$。梯度 $-p$，黑塞 0，都对 $x = \log q$ 求（不含 softmax）。
    约定 $0 \log 0 = 0$，$0 \cdot (-\infty) = 0$：目标为 0 的项即使 $x = -\infty$ 也是 0，
    而 `torch.nn.KLDivLoss` 给 NaN。单位是奈特。

    Args:
        reduction: `"batchmean"` 除以第一维的长度，对 `(N, C)` 是每个样本的 KL；`"mean"`（默认，同 torch）除以元素个数
            $N C$，**不是** KL 散度；`"sum"` 求和；`"none"` 不归约。
        log_target: `y` 是否已取对数。
        weight: 与 `x` 可广播的非负权重，逐元素相乘。
        denominator: `"mean"` 改除以 `"samples"`（同 `"batchmean"`）、`"weights"` 或 `"positives"`（目标之和）。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播）；`x` 大于 0（把概率当成了对数概率）；
            `y` 超出 [0, 1]（或对数大于 0）；`weight` 为负或不能广播；`reduction` 或 `denominator` 不认识。
        TypeError: 复数或非数值的输入。

    出处：S. Kullback, R. A. Leibler, *On Information and Sufficiency*, 1951。

    Examples:
        >>> import numpy as np, lossref
        >>> p, q = np.array([[0.5, 0.3, 0.2]]), np.array([[0.2, 0.5, 0.3]])
        >>> print(f"{lossref.KLDivLoss(reduction='batchmean')(np.log(q), p):.4f}")
        0.2238
        >>> print(lossref.KLDivLoss(reduction="sum")([-np.inf, 0.0], [0, 1]))
        0.0
    """

    input_range = (-math.inf, 0.0)
    target_range = property(lambda self: (-math.inf, 0.0) if self.log_target else (0.0, 1.0))
    reductions = ("none", "mean", "batchmean", "sum")

    def __init__(
        self, *, reduction: str = "mean", log_target: bool = False, weight: ArrayLike | None = None,
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction=reduction, denominator=denominator)
        self.log_target = bool(log_target)

    def arguments(self):
        return {"log_target": self.log_target}

    @staticmethod
    def formula(m, x, y, log_target):
        if log_target:
            # The difference is 0 only where both are -inf: elsewhere it has a derivative by y.
            root = m.exp(y / 2)  # √p: p itself may be subnormal where p (log p - log q) is not
            difference = m.where((y == x) & (x == -math.inf), 0 * root, y - x)
            return Parts(
                value=lambda: m.times(root, m.times(root, difference)),
                gradient=lambda: -root * root,
                hessian=lambda: 0 * root,
            )
        return Parts(
            value=lambda: m.times(y, m.finite_log(y) - x),
            gradient=lambda: -y,
            hessian=lambda: 0 * y,
        )
