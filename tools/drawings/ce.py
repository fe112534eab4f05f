"""Figures of the cross-entropy chapter."""

from __future__ import annotations

from functools import cache
from xml.sax.saxutils import escape

import numpy as np

import lossref
from tools.charts import STYLE, Line, Panel, chart
from tools.explorers.draw import Slider, digits, dot, explorer, guide, root

CELL, SPACE, MARGIN = 50, 14, 8


def ce_jacobian() -> str:
    """The Jacobian of softmax for a model that hesitates, one that leans and one that is sure."""
    loss = lossref.CrossEntropyLoss(reduction="sum")  # its Hessian is the Jacobian, whatever the target
    cases = [("犹豫", (0.0, 0.0, 0.0)), ("有些把握", (2.0, 1.0, 0.1)), ("非常有把握", (4.0, 0.0, 0.0))]
    width, top = 520, 58
    step = (width - 2 * MARGIN - 3 * 3 * CELL) / 2 + 3 * CELL
    body = []
    for number, (name, z) in enumerate(cases):
        left = MARGIN + number * step
        matrix = loss.hess(np.array([z]), np.array([0]))[0]
        p = np.exp(z) / np.exp(z).sum()
        body.append(_text(left + 1.5 * CELL, 20, name, "lr-title"))
        body.append(_text(left + 1.5 * CELL, 42, "p = (" + ", ".join(f"{x:.2f}" for x in p) + ")", "lr-soft"))
        for i, row in enumerate(matrix):
            for j, entry in enumerate(row):
                x, y = left + j * CELL, top + i * CELL
                pen, shade = ("a" if entry > 0 else "b"), abs(entry) / 0.25 * 0.75
                body.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{CELL}" height="{CELL}"'
                    f' style="fill: var(--lr-{pen}); fill-opacity: {shade:.2f}; stroke: var(--lr-grid)"/>')  # fmt: skip
                body.append(_text(x + CELL / 2, y + CELL / 2 + 5, _entry(entry), "lr-cell"))
    height = top + 3 * CELL + SPACE
    own = ".lr-chart .lr-cell { font-size: 13px; paint-order: stroke; stroke: var(--lr-paper); stroke-width: 3px; }"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lr-chart" viewBox="0 0 {width} {height}"',
        f' role="img" aria-label="{escape("softmax 的雅可比矩阵，三种把握程度")}">',
        f"<style>{STYLE}{own}</style>", *body, "</svg>", "",
    ])


def _entry(value: float) -> str:
    """Two decimals with a true minus sign; what rounds to 0 carries no sign."""
    shown = f"{value:+.2f}"
    return "0.00" if float(shown) == 0 else shown.replace("-", "−")


def _text(x: float, y: float, words: str, css: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" class="{css}">{escape(words)}</text>'


def ce_margin() -> str:
    """Loss and gradient against the lead of the true class over the others, which are all equal."""
    loss = lossref.CrossEntropyLoss(reduction="none")
    lead = np.linspace(-6, 14, 161)
    values, slopes = [], []
    for classes, pen, value_at, slope_at in (
        (2, "a", (-5.6, 3.0), (-5.7, -0.12)), (10, "b", (-1.6, 4.7), (1.1, -0.87)),
        (1000, "c", (4.2, 5.9), (8.2, -0.87)),
    ):  # fmt: skip
        z = np.zeros((lead.size, classes))
        z[:, 0] = lead
        first = np.zeros(lead.size, dtype=int)
        name = f"C = {classes}"
        values.append(Line(lead, loss(z, first), name, value_at, pen))
        slopes.append(Line(lead, loss.grad(z, first)[:, 0], name, slope_at, pen))
    return chart(
        "ce-margin", "交叉熵随正确类领先量的变化", "正确的类领先其余各类多少（d）", (-6, -2, 2, 6, 10, 14),
        [
            Panel("损失（奈特）", (0, 2, 4, 6, 8), values),
            Panel("对正确类的梯度 p − 1", (-1, -0.75, -0.5, -0.25, 0), slopes),
        ],
    )


def ce_smoothing() -> str:
    """Loss against the lead, with and without label smoothing: smoothing puts the minimum at a finite lead."""
    lead = np.linspace(-2, 12, 57)

    def smoothed(epsilon: float, classes: int, lead: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The loss where the true class has this lead over the others, and its slope."""
        loss = lossref.CrossEntropyLoss(reduction="none", label_smoothing=epsilon)
        z, first = np.zeros((lead.size, classes)), np.zeros(lead.size, dtype=int)
        z[:, 0] = lead
        return loss(z, first), loss.grad(z, first)[:, 0]

    @cache
    def lowest(epsilon: float, classes: int) -> tuple[float, float]:
        """The lead at which the loss is smallest, and the loss there; without smoothing it falls for ever."""
        if epsilon == 0:
            return np.inf, 0.0
        best = root(lambda d: smoothed(epsilon, classes, d)[1], np.zeros(1), np.full(1, 40.0))
        return best.item(), smoothed(epsilon, classes, best)[0].item()

    def live(epsilon: float, classes: int) -> list[list[Line]]:
        best, value = lowest(epsilon, classes)
        best = min(best, 99)  # what is outside the panel is not seen
        curve = Line(lead, smoothed(epsilon, classes, lead)[0], "平滑后的损失")
        return [[guide([best, best], [0, value]), curve, dot(best, value, "a")]]

    def read(epsilon: float, classes: int) -> tuple[str, ...]:
        best, value = lowest(epsilon, classes)
        return "无穷" if np.isinf(best) else digits(best), digits(value), digits(1 - epsilon + epsilon / classes)

    best, value = lowest(0.1, 10)
    return explorer(
        "ce-smoothing", "标签平滑使最低点落在有限的领先量", "正确的类领先其余各类多少（d）",
        (-2, 0, 2, 4, 6, 8, 10, 12),
        [Panel("损失（奈特）", (0, 1, 2, 3, 4), [
            Line(lead, smoothed(0.0, 10, lead)[0], "ε = 0：一路下降", (6.3, 0.17), "a"),
            Line(lead, smoothed(0.1, 10, lead)[0], "ε = 0.1：过了最低点又上升", (5.6, 1.15), "b"),
        ], guides=[(np.array([best, best]), np.array([0.0, value]))], height=240)],
        sliders=[
            Slider("平滑强度 ε", (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3), 0.1),
            Slider("类别数 C", (2, 3, 10, 100, 1000), 10),
        ],
        live=live,
        columns=("最优的领先量", "损失的底线", "正确类的目标"),
        read=read,
        says="ε = {0}，{1} 个类别：领先 {2} 时损失最小，是 {3}；正确的类的目标是 {4}。",
    )


FIGURES = {"ce-jacobian": ce_jacobian, "ce-margin": ce_margin, "ce-smoothing": ce_smoothing}
