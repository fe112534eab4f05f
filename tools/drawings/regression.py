"""Figures of the regression chapters: squared error, and absolute, smooth and Huber errors."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart
from tools.explorers.draw import Slider, digits, dot, explorer, guide


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
        "mse-constant", "常数预测的均方误差：最低点在均值，高度是方差",
        "常数预测 q（横轴上的五个目标：1、2、3、4、10）", (0, 1, 2, 3, 4, 10, 11),
        [Panel("均方误差", (0, 10, 20, 30, 40, 50, 60), [
            Line(q, curve, "最低点：均值，高 = 方差", (4.3, 6.0), "a"),
        ], guides=[at(mean, 0, 60), at(median, 0, 60), (q[[0, -1]], np.full(2, loss(np.full(5, mean), targets)))],
            height=240)],
    )


def mse_sigmoid() -> str:
    """A positive sample under sigmoid + squared error: value, gradient and curvature against the logit."""
    z, edge = np.linspace(-8, 6, 71), -np.log(2)
    bce, squared = lossref.BCEWithLogitsLoss(reduction="none"), lossref.MSELoss(reduction="none")

    def both(at, y):
        """Value, gradient and curvature of each, at logits and a label."""
        at, y = np.asarray(at, dtype=float), np.full(np.shape(at), y)
        p, slope = bce.grad(at, np.zeros_like(at)), bce.hess(at, y)  # at y = 0 the gradient is p; the curvature is p'
        pull = squared.grad(p, y)
        entropy = bce(at, y), bce.grad(at, y), slope
        # the chain rule, and the product rule on 2 (p - y) p (1 - p)
        return entropy, (squared(p, y), pull * slope, 2 * slope**2 + pull * slope * (1 - 2 * p))

    def live(place: float, y: float) -> list[list[Line]]:
        curves, here = zip(*both(z, y), strict=True), zip(*both(place, y), strict=True)
        spans = ((0, 4), (-1, 1), (-0.2, 0.3))
        return [
            [guide([place, place], span), Line(z, entropy, "交叉熵", pen="b"), Line(z, square, "平方误差", pen="a"),
             dot(place, at_entropy, "b"), dot(place, at_square, "a")]
            for span, (entropy, square), (at_entropy, at_square) in zip(spans, curves, here, strict=True)
        ]  # fmt: skip

    def read(place: float, y: float) -> tuple[str, ...]:
        return tuple(digits(float(number), 4) for of in both(place, y) for number in of)

    entropy, square = both(z, 1.0)
    return explorer(
        "mse-sigmoid", "正样本：sigmoid 加平方误差与二元交叉熵", "logit z（图中文字说的是正样本，越往左错得越离谱）",
        (-8, -6, -4, -2, 0, 2, 4, 6),
        [
            Panel("损失", (0, 1, 2, 3, 4), [
                Line(z, entropy[0], "交叉熵：直线上升", (-2.7, 3.2), "b"),
                Line(z, square[0], "平方误差：趋平于 1", (-7.8, 0.55), "a"),
            ], guides=[at(edge, 0, 4)], height=150),
            Panel("梯度", (-1, -0.5, 0, 0.5, 1), [
                Line(z, entropy[1], "交叉熵", (-7.8, -0.8), "b"),
                Line(z, square[1], "平方误差：越错越轻", (-7.8, -0.24), "a"),
            ], guides=[at(edge, -1, 1)]),
            Panel("曲率", (-0.2, -0.1, 0, 0.1, 0.2, 0.3), [
                Line(z, entropy[2], "交叉熵：处处为正", (-7.8, 0.08), "b"),
                Line(z, square[2], "平方误差：左侧为负", (-7.8, -0.13), "a"),
            ], guides=[at(edge, -0.2, 0.3)], height=190),
        ],
        sliders=[
            Slider("logit z", tuple(np.arange(-8, 6.5, 0.5)), -4.0),
            Slider("标签 y", (0.0, 1.0), 1.0),
        ],
        live=live,
        columns=tuple(f"{of}的{what}" for of in ("交叉熵", "平方误差") for what in ("损失", "梯度", "曲率")),
        read=read,
        says="z = {0}，y = {1}。交叉熵：损失 {2}，梯度 {3}，曲率 {4}；平方误差：损失 {5}，梯度 {6}，曲率 {7}。",
    )


def huber_family() -> str:
    """Half the square, the absolute value and Huber with threshold one: values and gradients."""
    r = np.linspace(-3, 3, 49)  # the corners of every threshold on offer are among its points
    zero = np.zeros_like(r)
    huber, absolute, squared = (
        cls(reduction="none") for cls in (lossref.HuberLoss, lossref.L1Loss, lossref.MSELoss)
    )
    left, right = np.minimum(r[r <= 0], -1e-9), np.maximum(r[r >= 0], 1e-9)  # the gradient of |r| jumps at 0

    def live(delta: float) -> list[list[Line]]:
        loss = lossref.HuberLoss(delta=delta, reduction="none")
        return [[Line(r, loss(r, zero), "Huber")], [Line(r, loss.grad(r, zero), "Huber")]]

    def read(delta: float) -> tuple[str, ...]:
        loss = lossref.HuberLoss(delta=delta)
        return tuple(f"{of(far, 0.0):.5g}" for far in (1.0, 3.0) for of in (loss, loss.grad))

    return explorer(
        "huber-family", "二分之一平方、绝对值与 Huber 的损失和梯度", "残差 r（预测 − 目标）", (-3, -2, -1, 0, 1, 2, 3),
        [
            Panel("损失", (0, 1, 2, 3, 4), [
                Line(r, squared(r, zero) / 2, "½r²", (2.05, 3.1), "c", "end"),
                Line(r, absolute(r, zero), "|r|", (-1.45, 1.75), "b"),
                Line(r, huber(r, zero), "Huber，δ = 1", (1.45, 0.5), "a"),
            ]),
            Panel("梯度", (-3, -2, -1, 0, 1, 2, 3), [
                Line(r, squared.grad(r, zero) / 2, "½r²：没有上限", (1.9, 2.5), "c", "end"),
                Line(left, absolute.grad(left, zero[: left.size]), "", (0, 0), "b"),
                Line(right, absolute.grad(right, zero[: right.size]), "|r|：只有正负一", (-2.9, -0.6), "b"),
                Line(r, huber.grad(r, zero), "Huber：截平的斜线", (1.1, 0.45), "a"),
            ], height=210),
        ],
        sliders=[Slider("Huber 的阈值 δ", tuple(np.arange(0.25, 3.25, 0.25)), 1.0)],
        live=live,
        columns=("残差 1 的损失", "残差 1 的梯度", "残差 3 的损失", "残差 3 的梯度"),
        read=read,
        says="δ = {0}。残差是 1 时，Huber 的损失 {1}，梯度 {2}；残差是 3 时，损失 {3}，梯度 {4}。",
    )


def huber_outlier() -> str:
    """The best constant for 1, 2, 3, 4 and one more target, as that one moves away."""
    place = np.linspace(5, 60, 111)

    def best(loss, last: float) -> float:
        targets = np.array([1.0, 2.0, 3.0, 4.0, last])
        low, high = 1.0, last
        for _ in range(60):  # the gradient changes sign at the minimum
            middle = (low + high) / 2
            low, high = (middle, high) if loss.grad(np.full(5, middle), targets).sum() < 0 else (low, middle)
        return high

    curves = [
        (lossref.MSELoss(), "L2：均值", (36, 11.2), "c", "end"),
        (lossref.HuberLoss(delta=10.0), "Huber，δ = 10", (59, 5.5), "a", "end"),
        (lossref.L1Loss(), "L1：中位数", (59, 1.9), "b", "end"),
    ]
    return chart(
        "huber-outlier", "离群点移远时最优常数的变化", "第五个目标的位置（其余四个是 1、2、3、4）",
        (5, 10, 20, 30, 40, 50, 60),
        [Panel("最优的常数", (0, 2, 4, 6, 8, 10, 12, 14), [
            Line(place, np.array([best(loss, last) for last in place]), name, name_at, pen, anchor)
            for loss, name, name_at, pen, anchor in curves
        ], height=260)],
    )


def huber_beta() -> str:
    """Three thresholds: smooth L1 keeps the slope outside, Huber keeps the curvature inside."""
    r = np.linspace(-3, 3, 49)  # the corners of every threshold on offer are among its points
    zero = np.zeros_like(r)
    rows = [(0.5, "a"), (1.0, "b"), (2.0, "c")]

    def curve(loss, name, pen) -> Line:
        y = loss(r, zero)
        return Line(r, y, name, (3.08, y[-1] - 0.07), pen)  # named at its end

    def pair(t: float):
        return lossref.SmoothL1Loss(beta=t, reduction="none"), lossref.HuberLoss(delta=t, reduction="none")

    def live(t: float) -> list[list[Line]]:
        smooth, huber = pair(t)
        return [[Line(r, smooth(r, zero), "平滑 L1", pen="a")], [Line(r, huber(r, zero), "Huber", pen="b")]]

    def read(t: float) -> tuple[str, ...]:
        return tuple(
            f"{number:.5g}"
            for loss in pair(t) for number in (loss(3.0, 0.0), loss.grad(3.0, 0.0), loss.hess(0.0, 0.0))
        )

    return explorer(
        "huber-beta", "平滑 L1 与 Huber 在三个阈值下的形状", "残差 r（预测 − 目标）", (-3, -2, -1, 0, 1, 2, 3, 4),
        [
            Panel("平滑 L1", (0, 1, 2, 3), [
                curve(lossref.SmoothL1Loss(beta=t, reduction="none"), f"β = {t:g}", pen) for t, pen in rows
            ], height=210),
            Panel("Huber", (0, 1, 2, 3, 4), [
                curve(lossref.HuberLoss(delta=t, reduction="none"), f"δ = {t:g}", pen) for t, pen in rows
            ], height=210),
        ],
        sliders=[Slider("阈值 β = δ", tuple(np.arange(0.25, 2.75, 0.25)), 1.0)],
        live=live,
        columns=tuple(f"{of}{what}" for of in ("平滑 L1 ", "Huber ") for what in ("在 3 处", "外侧斜率", "中间曲率")),
        read=read,
        says="阈值 {0}。平滑 L1：残差 3 的损失 {1}，外侧的斜率 {2}，中间的曲率 {3}；"
             "Huber：损失 {4}，斜率 {5}，曲率 {6}。",
    )


def huber_smooth() -> str:
    """Gradient and curvature of Huber, pseudo-Huber and log-cosh: a corner against two bends."""
    r = np.linspace(-4, 4, 321)
    zero = np.zeros_like(r)
    huber = lossref.HuberLoss(reduction="none")
    inside, outside = np.abs(r) < 1, [r <= -1, r >= 1]
    flat = [Line(r[side], huber.hess(r[side], zero[side]) * 0, "", (0, 0), "a") for side in outside]
    return chart(
        "huber-smooth", "Huber、伪 Huber 与对数双曲余弦的梯度和曲率", "残差 r（预测 − 目标）",
        (-4, -3, -2, -1, 0, 1, 2, 3, 4),
        [
            Panel("梯度", (-1, -0.5, 0, 0.5, 1), [
                Line(r, huber.grad(r, zero), "Huber", (-3.9, -0.86), "a"),
                Line(r, r / np.sqrt(1 + r**2), "伪 Huber", (2.1, 0.68), "b"),
                Line(r, np.tanh(r), "log-cosh", (0.05, 0.78), "c", "end"),
            ]),
            Panel("曲率", (0, 0.5, 1), [
                Line(r[inside], huber.hess(r[inside], zero[inside]), "Huber：在分界点跳变", (1.1, 0.86), "a"), *flat,
                Line(r, (1 + r**2) ** -1.5, "伪 Huber", (-2.9, 0.32), "b"),
                Line(r, 1 - np.tanh(r) ** 2, "log-cosh", (1.25, 0.4), "c"),
            ], height=160),
        ],
    )


FIGURES = {
    "mse-residual": mse_residual, "mse-constant": mse_constant, "mse-sigmoid": mse_sigmoid,
    "huber-family": huber_family, "huber-outlier": huber_outlier, "huber-beta": huber_beta,
    "huber-smooth": huber_smooth,
}
