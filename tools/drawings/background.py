"""Figures of the background pages."""

from __future__ import annotations

import numpy as np

from tools.charts import Line, Panel, chart


def sigmoid() -> str:
    """The sigmoid and tanh, and their slopes."""
    x = np.linspace(-6, 6, 241)
    s, t = 1 / (1 + np.exp(-x)), np.tanh(x)
    return chart(
        "bg-sigmoid", "sigmoid 与 tanh，以及它们的导数", "输入 x", (-6, -4, -2, 0, 2, 4, 6),
        [
            Panel("函数值", (-1, -0.5, 0, 0.5, 1), [
                Line(x, s, "sigmoid", (-5.6, 0.12), "a"),
                Line(x, t, "tanh", (-5.6, -0.88), "b"),
            ]),
            Panel("导数", (0, 0.25, 0.5, 0.75, 1), [
                Line(x, s * (1 - s), "σ(1 − σ)：最大四分之一", (-5.9, 0.32), "a"),
                Line(x, 1 - t * t, "1 − tanh²：最大为一", (0.9, 0.75), "b"),
            ]),
        ],
    )


def entropy() -> str:
    """The entropy of a coin in nats, and the three costs of a fixed guess."""
    eps = 1e-9
    p = np.linspace(eps, 1 - eps, 201)
    h = -p * np.log(p) - (1 - p) * np.log1p(-p)
    guess = 0.7
    cross = -p * np.log(guess) - (1 - p) * np.log1p(-guess)
    return chart(
        "bg-entropy", "硬币的熵，与按七成下注的交叉熵", "正面的真实概率 p", (0, 0.25, 0.5, 0.75, 1),
        [Panel("奈特", (0, 0.25, 0.5, 0.75, 1, 1.25), [
            Line(p, h, "熵：最少要付的", (0.5, 0.55), "a", "middle"),
            Line(p, cross, "交叉熵：按七成下注要付的", (0.28, 1.02), "b"),
        ], guides=[(np.array([0.1, 0.1]), np.array([h[20], cross[20]]))], height=260)],
    )


FIGURES = {"bg-sigmoid": sigmoid, "bg-entropy": entropy}
