"""Figure of the negative log-likelihood chapter."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart


def nll_coin() -> str:
    """Ten tosses, seven heads: the loss of every guess and its slope, least and zero at the share of heads."""
    theta = np.linspace(0.05, 0.95, 91)
    heads = np.array([0] * 7 + [1] * 3)  # class 0 is heads
    loss = lossref.NLLLoss(reduction="sum")
    rows = [np.tile(np.log([t, 1 - t]), (10, 1)) for t in theta]
    value = np.array([loss(row, heads) for row in rows])
    # The gradient is by the log-probabilities; the chain rule brings it to θ.
    slope = np.array([
        (loss.grad(row, heads) * [1 / t, -1 / (1 - t)]).sum() for row, t in zip(rows, theta, strict=True)
    ])  # fmt: skip
    inside = np.abs(slope) <= 60
    guide = np.array([0.7, 0.7])
    return chart(
        "nll-coin", "十次抛掷七次正面：负对数似然与它的斜率", "猜测的正面概率 θ", (0, 0.25, 0.5, 0.75, 1),
        [
            Panel("负对数似然 E（奈特）", (0, 5, 10, 15, 20, 25), [
                Line(theta, value, "E", (0.16, 16.5), "a"),
            ], guides=[(guide, np.array([0.0, 25.0]))]),
            Panel("斜率 ∂E/∂θ", (-60, -30, 0, 30, 60), [
                Line(theta[inside], slope[inside], "零点左边 E 下降，右边 E 上升", (0.2, -48), "b"),
            ], guides=[(guide, np.array([-60.0, 60.0]))]),
        ],
    )


FIGURES = {"nll-coin": nll_coin}
