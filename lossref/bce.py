"""Binary cross-entropy, on probabilities and on logits."""

from __future__ import annotations

from . import _validate as validate
from ._base import Elementwise, Parts


class BCELoss(Elementwise):
    r"""二元交叉熵，输入是概率。"""

    input_range = (0.0, 1.0)
    target_range = (0.0, 1.0)

    @staticmethod
    def formula(m, p, y):
        return Parts(
            value=lambda: 0 - (m.xlogy(y, p) + m.xlog1my(1 - y, p)),  # 0 - …: a perfect prediction costs 0, not -0
            # one difference of the inputs: y/p and (1-y)/(1-p) would cancel where p is near y
            gradient=lambda: m.where((p == y) & (p * (1 - p) == 0), 1 - 2 * y, (p - y) / (p * (1 - p))),
            hessian=lambda: m.ratio(m.ratio(1 - y, 1 - p), 1 - p) + m.ratio(m.ratio(y, p), p),
        )


class BCEWithLogitsLoss(Elementwise):
    r"""二元交叉熵，输入是 logit。"""

    target_range = (0.0, 1.0)

    def __init__(self, weight=None, *, reduction: str = "mean", pos_weight=None):
        super().__init__(weight, reduction=reduction)
        self.pos_weight = None if pos_weight is None else validate.weights("pos_weight", pos_weight)

    def parameters(self):
        return {"c": self.pos_weight}

    @staticmethod
    def formula(m, z, y, c):
        s = m.logistic(z)
        a, b = (y if c is None else c * y), 1 - y  # the weights of the two classes
        return Parts(
            value=lambda: a * s.softplus_neg + b * s.softplus,
            gradient=lambda: b * s.p - a * s.q,
            hessian=lambda: (a + b) * s.p * s.q,
        )
