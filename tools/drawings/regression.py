"""Figures of the regression chapters: squared error, and absolute, smooth and Huber errors."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart


def at(height: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """A guide that marks one place on the horizontal axis."""
    return np.array([height, height]), np.array([low, high])


def mse_residual() -> str:
    """Squared and absolute error of one sample, and their gradients."""
    r = np.linspace(-3, 3, 241)
    zero = np.zeros_like(r)
    squared, absolute = lossref.MSELoss(reduction="none"), lossref.L1Loss(reduction="none")
    sides = [r[r < 0], r[r > 0]]  # the gradient of |r| jumps: two pieces, not a ramp
    steps = [Line(side, absolute.grad(side, np.zeros_like(side)), "", (0, 0), "b") for side in sides]
    return chart(
        "mse-residual", "平方误差与绝对误差的损失和梯度", "残差 r（预测 − 目标）", (-3, -2, -1, 0, 1, 2, 3),
        [
            Panel("损失", (0, 2, 4, 6, 8), [
                Line(r, squared(r, zero), "平方误差 r²", (-2.3, 6.6), "a"),
                Line(r, absolute(r, zero), "绝对误差 |r|", (1.5, 0.7), "b"),
            ]),
            Panel("梯度", (-6, -3, 0, 3, 6), [
                Line(r, squared.grad(r, zero), "2r：越远越大", (0.3, 4.4), "a"),
                *steps,
                Line(r[:1], absolute.grad(r[:1], zero[:1]), "只有正负一", (-2.9, -2.4), "b"),
            ]),
        ],
    )


def mse_constant() -> str:
    """The squared error of one constant, against that constant: a parabola over the mean, as high as the variance."""
    targets = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    q = np.linspace(0, 11, 221)
    loss = lossref.MSELoss()
    curve = np.array([loss(np.full(5, value), targets) for value in q])
    mean, median = targets.mean(), np.median(targets)
    return chart(
        "mse-constant", "常数预测的均方误差：最低点在均值，高度是方差", "常数预测 q（横轴上的五个目标：1、2、3、4、10）",
        (0, 1, 2, 3, 4, 10, 11),
        [Panel("均方误差", (0, 10, 20, 30, 40, 50, 60), [
            Line(q, curve, "最低点：均值，高 = 方差", (4.3, 6.0), "a"),
        ], guides=[at(mean, 0, 60), at(median, 0, 60), (q[[0, -1]], np.full(2, loss(np.full(5, mean), targets)))],
            height=240)],
    )


def mse_sigmoid() -> str:
    """A positive sample under sigmoid + squared error: value, gradient and curvature against the logit."""
    z = np.linspace(-8, 6, 281)
    ones = np.ones_like(z)
    bce = lossref.BCEWithLogitsLoss(reduction="none")
    p, slope = bce.grad(z, np.zeros_like(z)), bce.hess(z, ones)  # at y = 0 the gradient is p; the curvature is p'
    squared = lossref.MSELoss(reduction="none")
    edge = -np.log(2)
    return chart(
        "mse-sigmoid", "正样本：sigmoid 加平方误差与二元交叉熵", "logit z（正样本，越往左错得越离谱）",
        (-8, -6, -4, -2, 0, 2, 4, 6),
        [
            Panel("损失", (0, 1, 2, 3, 4), [
                Line(z, bce(z, ones), "交叉熵：直线上升", (-2.7, 3.2), "b"),
                Line(z, squared(p, ones), "平方误差：趋平于 1", (-7.8, 0.55), "a"),
            ], guides=[at(edge, 0, 4)], height=150),
            Panel("梯度", (-1, -0.5, 0), [
                Line(z, bce.grad(z, ones), "交叉熵", (-7.8, -0.86), "b"),
                Line(z, squared.grad(p, ones) * slope, "平方误差：越错越轻", (-7.8, -0.2), "a"),
            ], guides=[at(edge, -1, 0)], height=150),
            Panel("曲率", (-0.2, -0.1, 0, 0.1, 0.2, 0.3), [
                Line(z, bce.hess(z, ones), "交叉熵：处处为正", (-7.8, 0.08), "b"),
                # the product rule on 2 (p - 1) p (1 - p)
                Line(z, 2 * slope**2 + squared.grad(p, ones) * slope * (1 - 2 * p), "平方误差：左侧为负", (-7.8, -0.13), "a"),
            ], guides=[at(edge, -0.2, 0.3)], height=190),
        ],
    )


FIGURES = {"mse-residual": mse_residual, "mse-constant": mse_constant, "mse-sigmoid": mse_sigmoid}
