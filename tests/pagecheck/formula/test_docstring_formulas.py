"""The formulas of the losses' docstrings: each is read out of the docstring, tied to the code and differentiated.

A docstring is prose for programmers and declares nothing, so its symbols are declared here, and the condition that
its words put on the derivatives.  What it says in words alone ("截断到 [-1, 1]") is not read.
"""

from __future__ import annotations

import inspect
import re

import pytest

import lossref
from lossref.pagecheck.checks import formula_and_tie_checks
from lossref.pagecheck.source import PageError, read_text

REAL, PROBABILITY = "{in: real}", '{in: "(0, 1)"}'
NUMBERS = {"x": REAL, "y": REAL}
CLASSES = {"C": "{size: [2, 3]}", "c": "{index: C}"}
LOGITS, TARGET = "{in: real, shape: [C]}", "{in: simplex, shape: [C]}"

# loss -> symbols, arguments by symbol, condition of the derivatives, which derivatives stand there as formulas
CASES = {
    "BCELoss": ({"p": PROBABILITY, "y": PROBABILITY}, {}, "", "gh"),
    "BCEWithLogitsLoss": ({"z": REAL, "y": PROBABILITY, "c": "{in: positive}"}, {"pos_weight": "c"}, "", "gh"),
    "KLDivLoss": ({"x": '{in: "(-inf, 0)"}', "p": PROBABILITY}, {}, "", "g"),
    "MSELoss": (NUMBERS, {}, "", "gh"),
    "L1Loss": (NUMBERS, {}, "", "g"),
    "SmoothL1Loss": ({**NUMBERS, r"\beta": "{in: positive}"}, {"beta": r"\beta"}, "", ""),
    "HuberLoss": ({**NUMBERS, r"\delta": "{in: positive}"}, {"delta": r"\delta"}, "", ""),
    "SigmoidFocalLoss": (
        {"z": REAL, "y": '{in: "[0, 1]"}', r"\alpha": PROBABILITY, r"\gamma": "{in: positive}"},
        {"alpha": r"\alpha", "gamma": r"\gamma"},
        r"当 $y \in \{0, 1\}$ 时，",
        "gh",
    ),
    "CrossEntropyLoss": (
        {**CLASSES, "z": LOGITS, "y": TARGET, "w_c": "{in: positive}"}, {"weight": "w_c"}, "当 $w_c = 1$ 时，", "gh",
    ),
    "SoftmaxFocalLoss": (
        {**CLASSES, "z": LOGITS, "y": TARGET, r"\alpha_c": "{in: positive}", r"\gamma": "{in: positive}"},
        {"alpha": r"\alpha_c", "gamma": r"\gamma"},
        "",
        "",
    ),
    "DistillationLoss": ({**CLASSES, "x": LOGITS, "y": LOGITS, "T": "{in: positive}"}, {"temperature": "T"}, "", "gh"),
    "NLLLoss": (
        {"C": "{size: [2]}", "c": "{index: C}", "x": '{in: "(-inf, 0)", shape: [C]}', "y": "{in: integer 0..1}",
         "w_c": "{in: positive}"},
        {"weight": "w_c"}, "", "",
    ),
}  # fmt: skip


def page(name: str, text: str) -> str:
    """The docstring's formulas as a page."""
    symbols, args, condition, derivatives = CASES[name]
    head = text[: text.index("Args:")]
    (display,) = re.findall(r"\$\$(.*?)\$\$", head, re.S)
    loss = re.search(r"\\ell\((\w), (\w)\) = ", display)
    by, target = loss[1], "p" if name == "KLDivLoss" else loss[2]
    body = display.replace(loss[0], r"\ell := ")
    body, *where = re.split(r",\s*\\q?quad\s*", body)  # the loss, and what its letters stand for
    body = ",\\quad ".join([*(part.replace(" = ", " := ", 1) for part in where), body])
    if "integer" in symbols[target]:
        body = body.replace("_y", "_{y+1}")  # code counts classes from 0
    words = {"r", "p", "s", "p_t", r"\alpha_t"} - set(symbols)
    inline = [match for match in re.findall(r"(?<!\$)\$([^$]+)\$(?!\$)", head) if " = " in match]
    meant: dict[str, str] = {}
    for tex in inline:
        symbol, _, value = tex.partition(" = ")
        if symbol in words:
            meant.setdefault(symbol, f"${symbol} := {value}$")
    first, second = rf"\frac{{\partial \ell}}{{\partial {by}}}", rf"\frac{{\partial^2 \ell}}{{\partial {by}^2}}"
    if "shape" in symbols[by]:
        first, second = rf"\nabla_{by} \ell", rf"\nabla_{by}^2 \ell"
    claims = []
    for letter, word, left in (("g", "梯度", first), ("h", "黑塞(?:（对角）)?", second)):
        if letter in derivatives:
            tex = re.search(rf"{word}\s*\$([^$]+)\$", head)[1]
            claims.append(f"{condition}${left} = {tex}$。")
    tied = ", ".join(f"{key}: '{value}'" for key, value in args.items())
    tie = rf"{{loss: {name}, value: '\ell', input: {by}, target: {target}, args: {{{tied}}}, reduction: sum}}"
    declared = "\n".join(f"  '{symbol}': {said}" for symbol, said in symbols.items())
    said = "\n\n".join(["。".join(meant.values()), f"$$\n{' '.join(body.split())}\n$$", *claims])
    return f"---\nsymbols:\n{declared}\nties:\n  - {tie}\n---\n\n{said}\n"


def failures(text: str) -> list[str]:
    found = []
    for check in formula_and_tie_checks(read_text(text, "docstring")):
        if check.name.startswith("unused "):
            continue  # named for the reader
        try:
            check.run()
        except PageError as problem:
            found.append(str(problem))
    return found


@pytest.mark.parametrize("name", [*CASES])
def test_formulas_are_those_of_the_code(name):
    said = page(name, inspect.getdoc(lossref.LOSSES[name]))
    assert failures(said) == [], said


def test_every_loss_is_read():
    assert set(CASES) == set(lossref.LOSSES)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("BCELoss", r"(1-y) \log(1-p)", r"(2-y) \log(1-p)"),
        ("BCELoss", r"\dfrac{p-y}", r"\dfrac{y-p}"),
        ("BCELoss", r"\dfrac{y}{p^2}", r"\dfrac{y}{p}"),
        ("BCEWithLogitsLoss", r"c\,y \log", r"y \log"),
        ("CrossEntropyLoss", "梯度 $p - y$", "梯度 $y - p$"),
        ("CrossEntropyLoss", r"- p p^\top$，都", r"+ p p^\top$，都"),
        ("DistillationLoss", "T^2 \\sum", "T \\sum"),
        ("HuberLoss", r"\tfrac12\delta)", r"\delta)"),
        ("SmoothL1Loss", r"\beta/2", r"\beta"),
        ("SigmoidFocalLoss", r"(1-p_t)^\gamma (", r"(1-p_t)^2 ("),
        ("SigmoidFocalLoss", r"(1+2\gamma)", r"(1+\gamma)"),
        ("SoftmaxFocalLoss", r"(1-p_c)^\gamma", r"p_c^\gamma"),
        ("KLDivLoss", r"\log p - x", r"x - \log p"),
        ("NLLLoss", r"-w_y\, x_y", r"w_y\, x_y"),
        ("L1Loss", "|x - y|", "|x + y|"),
        ("MSELoss", "梯度 $2r$", "梯度 $r$"),
    ],
)
def test_a_slip_in_a_docstring_shows(name, old, new):
    text = inspect.getdoc(lossref.LOSSES[name])
    assert old in text
    assert failures(page(name, text.replace(old, new, 1)))
