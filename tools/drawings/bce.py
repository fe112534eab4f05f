"""Figures of the binary cross-entropy chapter."""

from __future__ import annotations

from functools import cache

import numpy as np

import lossref
from tools.charts import Line, Panel, chart
from tools.explorers.draw import Slider, digits, dot, explorer, guide, root


def bce_logit() -> str:
    """Loss and gradient of one sample against its logit, for both labels."""
    loss = lossref.BCEWithLogitsLoss(reduction="none")
    z = np.linspace(-6, 6, 121)
    positive, negative = np.ones_like(z), np.zeros_like(z)
    return chart(
        "bce-logit", "二元交叉熵的损失与梯度随 logit 的变化", "logit z", (-6, -4, -2, 0, 2, 4, 6),
        [
            Panel("损失 ℓ（奈特）", (0, 2, 4, 6), [
                Line(z, loss(z, positive), "正样本 y = 1", (-3.9, 4.3), "a"),
                Line(z, loss(z, negative), "负样本 y = 0", (3.9, 4.3), "b", "end"),
            ]),
            Panel("梯度 ∂ℓ/∂z = p − y", (-1, -0.5, 0, 0.5, 1), [
                Line(z, loss.grad(z, positive), "y = 1：总为负，把 z 往上推", (-0.5, -0.8), "a"),
                Line(z, loss.grad(z, negative), "y = 0：总为正，把 z 往下压", (0.5, 0.72), "b", "end"),
            ]),
        ],
    )


def bce_mse() -> str:
    """Gradient of a positive sample: cross-entropy keeps pushing where squared error has gone to sleep."""
    loss = lossref.BCEWithLogitsLoss(reduction="none")
    z = np.linspace(-8, 8, 161)
    ones = np.ones_like(z)
    p = loss.grad(z, np.zeros_like(z))  # the gradient at y = 0 is p itself
    chain = loss.hess(z, ones)  # p (1 - p), the derivative of the sigmoid
    return chart(
        "bce-mse", "正样本：BCE 与均方误差对 logit 的梯度",
        "logit z（正样本，越往左错得越离谱）", (-8, -4, 0, 4, 8),
        [Panel("梯度", (-1, -0.75, -0.5, -0.25, 0), [
            Line(z, loss.grad(z, ones), "BCE", (-7.6, -0.92), "a"),
            Line(z, 2 * (p - ones) * chain, "sigmoid + 均方误差", (-7.6, -0.2), "b"),
        ], height=220)],
    )


def bce_pos_weight() -> str:
    """Where the expected loss is smallest, against the true rate of positives, for three pos_weights."""
    # even in the logit: many points where the curves are steep
    grid, offered = np.concatenate([[0], 1 / (1 + np.exp(np.linspace(6, -6, 61))), [1]]), (0.01, 0.05, 0.1, 0.2, 0.5)
    rates = np.append(grid, offered)

    @cache
    def learnt(weight: float) -> tuple[np.ndarray, np.ndarray]:
        """The logit at which the expected loss is smallest, and its probability, for each of the rates."""
        loss = lossref.BCEWithLogitsLoss(reduction="none", pos_weight=weight)
        ones, zeros = np.ones_like(rates), np.zeros_like(rates)
        z = root(lambda z: rates * loss.grad(z, ones) + (1 - rates) * loss.grad(z, zeros), zeros - 20, zeros + 20)
        return z, lossref.BCEWithLogitsLoss(reduction="none").grad(z, zeros)  # at y = 0 the gradient is p

    def curve(weight: float, *how) -> Line:
        return Line(grid, learnt(weight)[1][: grid.size], *how)

    def here(weight: float, rate: float) -> tuple[float, float]:
        z, p = (of[grid.size + offered.index(rate)] for of in learnt(weight))
        return z, p

    def live(weight: float, rate: float) -> list[list[Line]]:
        _, p = here(weight, rate)
        return [[guide([rate, rate, 0], [0, p, p]), curve(weight, "模型的输出"), dot(rate, p, "a")]]

    def read(weight: float, rate: float) -> tuple[str, ...]:
        z, p = here(weight, rate)
        shift = round(z - np.log(rate / (1 - rate)), 9) + 0.0  # neither noise nor -0 where there is none
        return digits(p), digits(shift)

    lines = [
        curve(1.0, "pos_weight = 1", (0.62, 0.53), "a"),
        curve(9.0, "pos_weight = 9", (0.29, 0.69), "b"),
        curve(1 / 9, "pos_weight = 1/9", (0.6, 0.05), "c"),
    ]
    return explorer(
        "bce-pos-weight", "pos_weight 使模型输出偏离真实概率", "真实的正类比例 η", (0, 0.25, 0.5, 0.75, 1),
        [Panel("模型最终输出的 p", (0, 0.25, 0.5, 0.75, 1), lines,
               guides=[(np.array([0.1, 0.1]), np.array([0.0, 1.0]))], height=300)],
        sliders=[
            Slider("pos_weight", (1 / 99, 1 / 19, 1 / 9, 1 / 4, 1.0, 4.0, 9.0, 19.0, 99.0), 9.0,
                   lambda weight: f"{weight:g}" if weight >= 1 else f"1/{1 / weight:g}"),
            Slider("真实比例 η", offered, 0.1),
        ],
        live=live,
        columns=("模型的输出 p", "logit 的平移"),
        read=read,
        says="pos_weight = {0}，真实的正类比例 {1}：模型学到的输出是 {2}，logit 平移了 {3}。",
    )


FIGURES = {"bce-logit": bce_logit, "bce-mse": bce_mse, "bce-pos-weight": bce_pos_weight}
