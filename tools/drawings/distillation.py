"""Figures of the distillation chapter."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart

STUDENT, TEACHER = np.array([2.0, 1.0, 0.1]), np.array([3.0, 0.5, -1.0])


def distillation_limit() -> str:
    """Loss and gradient against the temperature, and what they tend to."""
    temperature = np.linspace(0.5, 20, 157)
    losses = [lossref.DistillationLoss(T) for T in temperature]
    value = np.array([loss(STUDENT, TEACHER) for loss in losses])
    gradient = np.array([loss.grad(STUDENT, TEACHER) for loss in losses])
    d = STUDENT - TEACHER - (STUDENT - TEACHER).mean()
    ends = np.array([0.0, 20.0])
    return chart(
        "distillation-limit", "蒸馏：损失与梯度随温度的变化，以及它们的极限", "温度 T", (0, 5, 10, 15, 20),
        [
            Panel("损失", (0, 0.1, 0.2, 0.3, 0.4, 0.5), [Line(temperature, value, "乘 T² 的 KL", (8, 0.43), "a")],
                  guides=[(ends, np.full(2, np.mean(d**2) / 2))]),
            Panel("梯度的三个分量", (-0.6, -0.4, -0.2, 0, 0.2, 0.4), [
                Line(temperature, gradient[:, 0], "第一类", (10, -0.53), "a"),
                Line(temperature, gradient[:, 1], "第二类", (10, 0.16), "b"),
                Line(temperature, gradient[:, 2], "第三类", (10, 0.34), "c"),
            ], guides=[(ends, np.full(2, g)) for g in d / 3]),
        ],
    )  # fmt: skip


def distillation_shape() -> str:
    """The loss while the student's first logit moves, for three temperatures: from a kink to a parabola."""
    moved = np.linspace(-8, 8, 161)
    x = np.stack([TEACHER[0] + moved, *(np.full(161, w) for w in TEACHER[1:])], axis=1)
    y = np.tile(TEACHER, (161, 1))

    def loss(T: float) -> np.ndarray:
        return lossref.DistillationLoss(T, reduction="none")(x, y)

    return chart(
        "distillation-shape", "学生的一个 logit 偏离教师时的损失：三个温度", "学生的第一个 logit 减教师的",
        (-8, -4, 0, 4, 8),
        [Panel("乘 T² 的 KL", (0, 2, 4, 6, 8), [
            Line(moved, loss(1), "T = 1", (7.7, 0.85), "a", "end"),
            Line(moved, loss(2), "T = 2", (7.7, 1.65), "b", "end"),
            Line(moved, loss(1e6), "T → ∞", (5.4, 5.2), "c", "end"),
        ], height=260)],
    )  # fmt: skip


FIGURES = {"distillation-limit": distillation_limit, "distillation-shape": distillation_shape}
