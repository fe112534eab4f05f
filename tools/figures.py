"""Every figure of the site, drawn from lossref: `python -m tools.figures` writes docs/figures/*.svg.

`--check` writes nothing and fails where a committed figure is not what lossref draws today.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np

import lossref
from tools.charts import Line, Panel, chart

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "figures"


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
    z = np.linspace(-9, 9, 181)
    p = lossref.BCEWithLogitsLoss(reduction="none").grad(z, np.zeros_like(z))
    lines = []
    curves = [(1.0, "1", (0.62, 0.53), "a"), (9.0, "9", (0.29, 0.69), "b"), (1 / 9, "1/9", (0.6, 0.05), "c")]
    for weight, name, name_at, pen in curves:
        loss = lossref.BCEWithLogitsLoss(reduction="none", pos_weight=weight)
        up, down = loss.grad(z, np.zeros_like(z)), loss.grad(z, np.ones_like(z))
        rate = up / (up - down)  # the rate η at which η·down + (1 − η)·up = 0
        lines.append(Line(rate, p, f"pos_weight = {name}", name_at, pen))
    return chart(
        "bce-pos-weight", "pos_weight 使模型输出偏离真实概率", "真实的正类比例 η", (0, 0.25, 0.5, 0.75, 1),
        [Panel("模型最终输出的 p", (0, 0.25, 0.5, 0.75, 1), lines,
               guides=[(np.array([0.1, 0.1]), np.array([0.0, 1.0]))], height=300)],
    )


FIGURES = {"bce-logit": bce_logit, "bce-mse": bce_mse, "bce-pos-weight": bce_pos_weight}


def differs(one: str, other: str) -> bool:
    """Compare two drawings: text exactly, coordinates to the tenth of a pixel they are rounded to.

    The last bit of exp differs between processors, so a point may round either way.
    """
    number = re.compile(r"-?\d+\.\d+")
    if number.sub("#", one) != number.sub("#", other):
        return True
    pairs = zip(number.findall(one), number.findall(other), strict=True)
    return any(abs(float(a) - float(b)) > 0.11 for a, b in pairs)


def stale(folder: Path = FOLDER) -> list[str]:
    """What is wrong with the committed figures, one line each."""
    present = sorted(folder.glob("*.svg"))
    wrong = [f"{path.name}: no function draws it" for path in present if path.stem not in FIGURES]
    for name, draw in FIGURES.items():
        path = folder / f"{name}.svg"
        if not path.exists():
            wrong.append(f"{path.name}: not drawn yet")
        elif differs(path.read_text(encoding="utf-8"), draw()):
            wrong.append(f"{path.name}: not what lossref draws today")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__.partition(":")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a figure is out of date")
    if parser.parse_args(arguments).check:
        for line in (wrong := stale()):
            print(f"docs/figures/{line} (run: python -m tools.figures)", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
        print(f"docs/figures/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
