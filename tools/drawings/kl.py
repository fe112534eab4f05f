"""Figures of the Kullback–Leibler chapter."""

from __future__ import annotations

import numpy as np

import lossref
from tools.charts import Line, Panel, chart
from tools.explorers.draw import Slider, digits, explorer

STUDENT, TEACHER = np.array([2.0, 1.0, 0.1]), np.array([3.0, 0.5, -1.0])


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p ‖ q) of two probability vectors; q may be 0 where p is."""
    with np.errstate(divide="ignore"):
        return float(lossref.KLDivLoss(reduction="sum")(np.log(q), p))


def bell(at: np.ndarray, mean: float, spread: float) -> np.ndarray:
    """A Gaussian as probabilities on a grid."""
    weight = np.exp(-((at - mean) ** 2) / (2 * spread**2))
    return weight / weight.sum()


def kl_binary() -> str:
    """Both directions and JS for two classes, against the predicted probability; the target is 0.3."""
    theta = np.linspace(0.005, 0.995, 199)
    p = np.array([0.3, 0.7])
    pairs = [np.array([t, 1 - t]) for t in theta]
    forward = np.array([divergence(p, q) for q in pairs])
    reverse = np.array([divergence(q, p) for q in pairs])
    js = np.array([(divergence(p, (p + q) / 2) + divergence(q, (p + q) / 2)) / 2 for q in pairs])
    return chart(
        "kl-binary", "两个类别：正向 KL、反向 KL 与 JS 散度", "预测的正类概率 θ", (0, 0.25, 0.5, 0.75, 1),
        [Panel("散度（奈特）", (0, 0.5, 1, 1.5, 2), [
            Line(theta, forward, "正向 KL(p ‖ q)", (0.955, 1.7), "a", "end"),
            Line(theta, reverse, "反向 KL(q ‖ p)", (0.72, 0.68), "b", "end"),
            Line(theta, js, "JS", (0.97, 0.08), "c", "end"),
        ], guides=[(np.array([0.3, 0.3]), np.array([0.0, 2.0]))], height=260)],
    )


def kl_fit() -> str:
    """One Gaussian fitted to two bumps: what each direction of the divergence prefers."""
    at = np.linspace(-8, 8, 161)
    target = (bell(at, -3, 0.8) + bell(at, 3, 0.8)) / 2
    means, spreads = np.linspace(0, 4, 41), np.linspace(0.5, 4, 71)

    def best(objective) -> np.ndarray:
        return min((bell(at, m, s) for m in means for s in spreads), key=objective)

    step = at[1] - at[0]
    forward = best(lambda q: divergence(target, q))
    reverse = best(lambda q: divergence(q, target))
    return chart(
        "kl-fit", "用一个高斯拟合两个峰：正向与反向 KL 的解", "x", (-8, -4, 0, 4, 8),
        [Panel("概率密度", (0, 0.1, 0.2, 0.3, 0.4, 0.5), [
            Line(at, target / step, "目标：两个峰", (-3, 0.275), "c", "middle"),
            Line(at, forward / step, "正向：摊开", (-0.2, 0.15), "a", "middle"),
            Line(at, reverse / step, "反向：守一个峰", (2.3, 0.42), "b", "end"),
        ], height=260)],
    )


def kl_temperature() -> str:
    """Length of the distillation gradient against the temperature, with and without the factor T²."""
    temperature = np.linspace(1, 10, 91)

    def gradient(T: float) -> np.ndarray:
        return (softmax(STUDENT / T) - softmax(TEACHER / T)) / T

    length = np.array([np.linalg.norm(gradient(T)) for T in temperature])
    return chart(
        "kl-temperature", "蒸馏：梯度的长度随温度的变化", "温度 T", (1, 4, 7, 10),
        [Panel("梯度的长度", (0, 0.2, 0.4, 0.6), [
            Line(temperature, temperature**2 * length, "乘 T²", (6, 0.47), "a"),
            Line(temperature, length, "不乘", (2.6, 0.12), "b"),
        ], height=200)],
    )


def kl_softened() -> str:
    """What a temperature makes of teacher and student, class by class, and the gradient between them."""
    loss = lossref.CrossEntropyLoss(reduction="sum")

    def probabilities(z: np.ndarray) -> np.ndarray:
        return loss.grad(z, np.array(0)) + (np.arange(3) == 0)  # the gradient is p less the target

    def gradient(T: float) -> np.ndarray:
        return loss.grad(STUDENT / T, probabilities(TEACHER / T)) / T

    def steps(heights: np.ndarray, name: str, name_at=(0, 0), pen="a", anchor="start") -> Line:
        """One step a class."""
        return Line(np.array([0.5, 1.5, 1.5, 2.5, 2.5, 3.5]), np.repeat(heights, 2), name, name_at, pen, anchor)

    def live(T: float) -> list[list[Line]]:
        return [
            [steps(probabilities(TEACHER / T), "教师"), steps(probabilities(STUDENT / T), "学生", pen="b")],
            [steps(T**2 * gradient(T), "梯度乘 T²"), steps(gradient(T), "梯度不乘", pen="b")],
        ]

    def read(T: float) -> tuple[str, ...]:
        apart = divergence(probabilities(TEACHER / T), probabilities(STUDENT / T))
        length = np.linalg.norm(gradient(T))
        sure = (probabilities(z / T).max() for z in (TEACHER, STUDENT))
        return tuple(digits(x) for x in (*sure, apart, T**2 * apart, length, T**2 * length))

    return explorer(
        "kl-softened", "温度把教师和学生的分布摊平", "类别", (1, 2, 3),
        [
            Panel("概率", (0, 0.25, 0.5, 0.75, 1), [
                steps(probabilities(TEACHER), "教师，T = 1", (1.55, 0.86), "a"),
                steps(probabilities(STUDENT), "学生，T = 1", (1.55, 0.6), "b"),
                steps(probabilities(TEACHER / 4), "教师，T = 4", (2.55, 0.31), "c"),
            ]),
            Panel("对学生 logit 的梯度", (-0.5, -0.25, 0, 0.25, 0.5), [
                steps(gradient(1), "T = 1", (1.45, -0.2), "a", "end"),
                steps(gradient(4), "T = 4，不乘", (1.55, -0.07), "b"),
                steps(16 * gradient(4), "T = 4，乘 T²", (2.45, 0.28), "c", "end"),
            ]),
        ],
        x_span=(0.5, 3.5),
        sliders=[Slider("温度 T", (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0), 2.0)],
        live=live,
        columns=("教师的最大概率", "学生的最大概率", "KL", "KL 乘 T²", "梯度的长度", "长度乘 T²"),
        read=read,
        says="T = {0}。最大的概率：教师 {1}，学生 {2}。KL 是 {3}，乘 T² 后 {4}；梯度的长度 {5}，乘 T² 后 {6}。",
    )


def softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(a - a.max())
    return e / e.sum()


FIGURES = {"kl-binary": kl_binary, "kl-fit": kl_fit, "kl-temperature": kl_temperature, "kl-softened": kl_softened}
