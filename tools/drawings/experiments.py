"""Figures of the experiments, drawn from what their notebooks compute."""

from __future__ import annotations

import contextlib
import functools
import io
import runpy
from pathlib import Path

import numpy as np

from tools.charts import Line, Panel, chart

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "experiments"


@functools.cache
def notebook(name: str) -> dict:
    """Run a notebook; return its names."""
    with contextlib.redirect_stdout(io.StringIO()):
        return runpy.run_path(str(FOLDER / f"{name}.py"))


def imbalance() -> str:
    """Reliability: how often positives really are, where a model says p."""
    names = notebook("imbalance")
    lines = []
    for name, label, label_at, pen in [
        ("BCE", "BCE", (0.4, 0.55), "a"),
        ("pos_weight", "pos_weight", (0.6, 0.15), "b"),
        ("focal", "焦点损失", (0.4, 0.82), "c"),
    ]:
        p = np.concatenate([names["sigmoid"](z) for z, *_ in names["runs"][name]])
        y = np.concatenate([target for _, target, *_ in names["runs"][name]])
        box = np.minimum((10 * p).astype(int), 9)
        full = [k for k in range(10) if (box == k).sum() >= 50]
        x = np.array([p[box == k].mean() for k in full])
        lines.append(Line(x, np.array([y[box == k].mean() for k in full]), label, label_at, pen))
    ends = np.array([0.0, 1.0])
    return chart(
        "exp-imbalance", "三种损失的可靠性曲线", "模型说的概率", (0, 0.25, 0.5, 0.75, 1),
        [Panel("实际的正样本比例", (0, 0.25, 0.5, 0.75, 1), lines, guides=[(ends, ends)], height=300)],
    )


def outliers() -> str:
    """Test error against the share of targets that are ten times too large."""
    names = notebook("outliers")
    share = 100 * np.array(names["rates"])
    lines = [
        Line(share, np.array([r[:, 0].mean() for r in names["results"][name]]), label, label_at, pen)
        for name, label, label_at, pen in [
            ("MSE", "均方误差", (4.1, 108.0), "a"),
            ("Huber", "Huber", (5.2, 57.0), "b"),
            ("L1", "绝对误差（重叠）", (6.4, 57.0), "c"),
        ]
    ]
    return chart(
        "exp-outliers", "测试误差随脏数据比例的变化", "被放大十倍的训练目标（%）", (0, 2, 4, 6, 8, 10),
        [Panel("测试集的平均绝对误差", (0, 50, 100, 150, 200), lines, height=240)],
    )


def saturation() -> str:
    """Training accuracy against steps, from a start at zero and from a wild one."""
    names = notebook("saturation")
    steps = np.arange(101)

    def median(name, size):
        return np.median(names["curves"][name, size, 1], axis=1)[: len(steps)]

    def panel(title, size, at):
        pens = [("BCE", "BCE", "a"), ("MSE", "均方误差", "b")]
        lines = [Line(steps, median(name, size), label, at[name], pen) for name, label, pen in pens]
        return Panel(title, (0.25, 0.5, 0.75, 1), lines, height=150)

    return chart(
        "exp-saturation", "训练准确率随步数的变化", "步数", (0, 20, 40, 60, 80, 100),
        [
            panel("训练准确率：从零开始", 0, {"BCE": (8, 0.83), "MSE": (20, 0.83)}),
            panel("训练准确率：从很差的起点开始（size = 5）", 5, {"BCE": (22, 0.82), "MSE": (62, 0.56)}),
        ],
    )


def double_softmax() -> str:
    """Training loss with one softmax and with two, which cannot fall below its floor."""
    names = notebook("double_softmax")

    def mean(name, rate):
        return np.mean([curve for curve, *_ in names["runs"][name, rate]], axis=0)

    steps = np.arange(100)
    floor = np.full(2, names["floor"])
    return chart(
        "exp-double-softmax", "做一次与做两次 softmax 的训练损失", "步数", (0, 20, 40, 60, 80, 100),
        [Panel("训练损失（奈特）", (0, 0.5, 1, 1.5, 2, 2.5), [
            Line(steps, mean("once", 1), "做一次，学习率 1", (30, 0.62), "a"),
            Line(steps, mean("twice", 1), "做两次，学习率 1", (52, 2.1), "b"),
            Line(steps, mean("twice", 10), "做两次，学习率 10", (22, 1.27), "c"),
        ], guides=[(np.array([0.0, 100.0]), floor)], height=240)],
    )


FIGURES = {
    "exp-imbalance": imbalance,
    "exp-outliers": outliers,
    "exp-saturation": saturation,
    "exp-double-softmax": double_softmax,
}
