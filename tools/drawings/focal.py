"""Figures of the focal-loss chapter."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart
from tools.explorers.draw import Slider, explorer, percent

# (gamma, pen): 0 is cross-entropy
CURVES = ((0.0, "a"), (2.0, "b"), (5.0, "c"))


def focal(gamma: float) -> lossref.SigmoidFocalLoss:
    return lossref.SigmoidFocalLoss(alpha=None, gamma=gamma, reduction="none")


def focal_loss() -> str:
    """Loss, and gradient relative to cross-entropy, against the probability of the right answer."""
    z = np.linspace(-6, 6, 49)  # even in the logit: many points where the curves are steep
    p, ones, zeros = 1 / (1 + np.exp(-z)), np.ones_like(z), np.zeros_like(z)
    entropy, easy_and_hard = focal(0.0), np.log([9.0, 1 / 9])
    value = {gamma: focal(gamma)(z, ones) for gamma, _ in CURVES}
    ratio = {gamma: focal(gamma).grad(z, ones) / entropy.grad(z, ones) for gamma, _ in CURVES}

    def live(gamma: float, alpha: float | None) -> list[list[Line]]:
        loss = lossref.SigmoidFocalLoss(alpha=alpha, gamma=gamma, reduction="none")
        return [
            [Line(p, loss(z, ones), "正样本", pen="a"), Line(p, loss(-z, zeros), "负样本", pen="b")],
            [Line(p, loss.grad(z, ones) / entropy.grad(z, ones), "正样本", pen="a"),
             Line(p, loss.grad(-z, zeros) / entropy.grad(-z, zeros), "负样本", pen="b")],
        ]

    def read(gamma: float, alpha: float | None) -> tuple[str, ...]:
        loss = lossref.SigmoidFocalLoss(alpha=alpha, gamma=gamma, reduction="none")
        return tuple(
            percent(loss(s * at, y) / entropy(s * at, y)) for at in easy_and_hard for s, y in ((1, 1.0), (-1, 0.0))
        )

    return explorer(
        "focal-loss", "焦点损失的损失与梯度随正确概率的变化", "正确答案的概率", (0, 0.25, 0.5, 0.75, 1),
        [
            Panel("损失（奈特）", (0, 1, 2, 3, 4), [
                Line(p, value[0.0], "γ = 0（交叉熵）", (0.3, 1.4), "a"),
                Line(p, value[2.0], "γ = 2", (0.5, 0.24), "b"),
                Line(p, value[5.0], "γ = 5", (0.05, 0.4), "c"),
            ]),
            Panel("梯度是交叉熵的几倍", (0, 0.5, 1, 1.5), [
                Line(p, ratio[0.0], "γ = 0", (0.8, 1.07), "a"),
                Line(p, ratio[2.0], "γ = 2", (0.5, 0.66), "b"),
                Line(p, ratio[5.0], "γ = 5", (0.12, 0.35), "c"),
            ]),
        ],
        sliders=[
            Slider("指数 γ", tuple(np.arange(0, 5.5, 0.5)), 2.0),
            Slider("正类权重 α", (None, 0.25, 0.5, 0.75), None, lambda a: "不用" if a is None else f"{a:g}"),
        ],
        live=live,
        columns=("易分的正样本", "易分的负样本", "难分的正样本", "难分的负样本"),
        read=read,
        says="γ = {0}，α：{1}。损失剩下交叉熵的多少：正确概率 0.9 的样本，正 {2}，负 {3}；"
             "正确概率 0.1 的样本，正 {4}，负 {5}。",
    )


def focal_curvature() -> str:
    """Second derivative of a positive sample against its logit."""
    z = np.linspace(-8, 6, 281)
    ones = np.ones_like(z)
    hess = {gamma: focal(gamma).hess(z, ones) for gamma, _ in CURVES}
    return chart(
        "focal-curvature", "正样本：焦点损失对 logit 的二阶导", "logit z（正样本，越往左错得越离谱）",
        (-8, -6, -4, -2, 0, 2, 4, 6),
        [Panel("二阶导 ∂²ℓ/∂z²", (-0.2, 0, 0.2, 0.4, 0.6, 0.8), [
            Line(z, hess[0.0], "γ = 0（交叉熵）", (1.4, 0.22), "a"),
            Line(z, hess[2.0], "γ = 2", (0.1, 0.45), "b"),
            Line(z, hess[5.0], "γ = 5", (-2.2, 0.6), "c", "end"),
        ], height=240)],
    )


def focal_calibration() -> str:
    """Where the expected loss is smallest, against the true rate of positives."""
    q = np.linspace(0.002, 0.998, 250)
    z = np.log(q / (1 - q))
    lines = []
    for (gamma, pen), name, at in zip(
        CURVES, ("γ = 0（交叉熵）", "γ = 2", "γ = 5"), ((0.6, 0.82), (0.78, 0.69), (0.72, 0.43)), strict=True
    ):
        up, down = focal(gamma).grad(z, np.zeros_like(z)), focal(gamma).grad(z, np.ones_like(z))
        rate = up / (up - down)  # the rate η at which η·down + (1 − η)·up = 0
        lines.append(Line(rate, q, name, at, pen, "end" if gamma == 0 else "start"))
    return chart(
        "focal-calibration", "焦点损失的最优输出偏离真实概率", "真实概率 η", (0, 0.25, 0.5, 0.75, 1),
        [Panel("最优输出 q", (0, 0.25, 0.5, 0.75, 1), lines,
               guides=[(np.array([0.9, 0.9]), np.array([0.0, 1.0]))], height=280)],
    )


FIGURES = {"focal-loss": focal_loss, "focal-curvature": focal_curvature, "focal-calibration": focal_calibration}
