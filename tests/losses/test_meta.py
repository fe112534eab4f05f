"""The battery can fail: every wrong loss here must be refused by it, and by the check that is meant to catch it."""

import battery
import numpy as np
import pytest
from cases import CASES

import lossref
from lossref._base import Parts

CHECKS = {
    "exact": lambda case, make: battery.check_exact(case, make, np.float64),
    "differences": lambda case, make: battery.check_differences(case, make, "mean"),
    "torch": lambda case, make: battery.check_torch(case, make, "mean", None),
}


def mutant(cls, change):
    """The loss with ``change(parts, m, x, y)`` instead of its formula's parts."""
    original = cls.formula

    class Mutant(cls):
        @staticmethod
        def formula(m, x, y, **parameters):
            return change(original(m, x, y, **parameters), m, x, y)

    return Mutant


def replace(part, new):
    """Exchange one part for a function of (its value, x, y)."""
    return lambda parts, m, x, y: parts._replace(**{part: lambda: new(getattr(parts, part)(), x, y)})


ALWAYS = {
    "zero gradient": (replace("gradient", lambda g, x, y: 0 * g), {"exact", "differences", "torch"}),
    "flipped sign": (replace("gradient", lambda g, x, y: -g), {"exact", "differences", "torch"}),
    "flipped value": (replace("value", lambda v, x, y: -v), {"exact", "differences", "torch"}),
    "lost half": (replace("value", lambda v, x, y: 2 * v), {"exact", "differences", "torch"}),
    "log10 for ln": (
        lambda parts, m, x, y: Parts(*(lambda part=part: part() / np.log(10) for part in parts)),
        {"exact", "torch"},  # a consistent change of units is invisible to differences
    ),
    "zero hessian": (replace("hessian", lambda h, x, y: 0 * h), {"exact", "differences", "torch"}),
    "one digit": (replace("value", lambda v, x, y: v * (1 + 1e-12)), {"exact", "torch"}),
    "gradient of the next element": (
        replace("gradient", lambda g, x, y: np.roll(g, 1)),
        {"exact", "differences", "torch"},
    ),
    "clamped at 100": (replace("value", lambda v, x, y: np.minimum(v, 100)), {"exact"}),
}
OF_ONE = {
    "y(1-y) for p(1-p)": ("BCEWithLogitsLoss", replace("hessian", lambda h, z, y: y * (1 - y) + 0 * h)),
    "residual reversed": ("BCELoss", replace("gradient", lambda g, p, y: (y - p) / (p * (1 - p)))),
    "p for 1-p": ("BCELoss", replace("gradient", lambda g, p, y: (p - y) / (p * p))),
    "textbook gradient": ("BCEWithLogitsLoss", replace("gradient", lambda g, z, y: 1 / (1 + np.exp(-z)) - y)),
    "textbook value": (
        "BCEWithLogitsLoss",
        replace("value", lambda v, z, y: np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z)))),
    ),
    "Huber without its half": (
        "HuberLoss",
        replace("value", lambda v, x, y: np.where(abs(x - y) <= 1, (x - y) ** 2, v)),
    ),
    "KL the wrong way round": (
        "KLDivLoss",
        replace("value", lambda v, x, y: np.exp(x) * (x - np.log(y + (y == 0)))),
    ),
    "focal gradient of a course note": (
        "SigmoidFocalLoss",
        replace("gradient", lambda g, z, y: g * 1 / (1 + np.exp((1 - 2 * y) * z))),
    ),
    "alpha for the wrong class": (
        "SigmoidFocalLoss",
        lambda parts, m, z, y: lossref.SigmoidFocalLoss.formula(m, z, y, 0.75, 2.0),
    ),
    "labels swapped": (
        "BCEWithLogitsLoss",
        lambda parts, m, z, y: lossref.BCEWithLogitsLoss.formula(m, z, 1 - y, None),
    ),
}


def refusals(case, make):
    refused = set()
    for name, check in CHECKS.items():
        try:
            with np.errstate(all="ignore"):
                check(case, make)
        except AssertionError:
            refused.add(name)
    return refused


def first_case(name):
    return next(case for case in CASES if case.loss == name)


NAMES = sorted({case.loss for case in CASES})
FLAT = {"L1Loss", "KLDivLoss"}  # their Hessian is 0: there is nothing to lose
WRONG = {
    f"{name}-{label}": (name, change, by)
    for name in NAMES
    for label, (change, by) in ALWAYS.items()
    if not (label == "zero hessian" and name in FLAT)
}


@pytest.mark.parametrize("name", sorted(FLAT))
def test_flat(name):
    x, y = first_case(name).draw(np.random.default_rng(1), (3, 4))
    assert not np.any(lossref.LOSSES[name]().hess(x, y))


@pytest.mark.parametrize("name, change, by", list(WRONG.values()), ids=list(WRONG))
def test_wrong_loss_is_refused(name, change, by):
    refused = refusals(first_case(name), mutant(lossref.LOSSES[name], change))
    assert refused >= by, f"not refused by {by - refused}"


@pytest.mark.parametrize("name, change", list(OF_ONE.values()), ids=list(OF_ONE))
def test_wrong_formula_is_refused(name, change):
    assert "exact" in refusals(first_case(name), mutant(lossref.LOSSES[name], change))


@pytest.mark.parametrize("name", NAMES)
def test_lost_denominator_is_refused(name):
    class Mutant(lossref.LOSSES[name]):
        def _evaluate(self, x, y, **asked):
            value, derivative = super()._evaluate(x, y, **asked)
            return value, None if derivative is None else derivative * np.size(
                x
            )  # 1/N forgotten in the gradient

    assert refusals(first_case(name), Mutant) >= {"differences", "torch"}


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_itself_is_not_refused(name):
    assert refusals(first_case(name), lossref.LOSSES[name]) == set()
