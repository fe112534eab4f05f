"""Every loss of the registry with its definition, the points where it is tried and what torch calls it.

A definition is the mathematics at its plainest, for mpmath: no stable forms, no derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from mpmath import exp, log, mpf


@dataclass(frozen=True, eq=False)  # hashed by identity: the references are kept
class Case:
    """One loss with one set of arguments."""

    loss: str
    definition: Callable  # (x, y) -> value, in mpmath
    points: Callable  # dtype -> (x, y): where exactness is asserted
    draw: Callable  # (rng, shape) -> (x, y): ordinary float64 data, away from kinks
    ulps: dict  # dtype -> bounds for (value, gradient, hessian)
    peer: Callable  # (x, y, weight, reduction) -> torch's own value
    kwargs: dict = field(default_factory=dict)
    gains: tuple = (1, 1, 1)  # how value, gradient and Hessian magnify what is rounded to a subnormal before
    # how many digits the definition loses at x: 1 - σ(z) needs |z|/ln 10 more than σ(z), its second difference as
    # many again
    digits: Callable = lambda x: 100
    soft: bool = False  # labels between 0 and 1
    smooth: bool = True  # has a second derivative that torch's autograd knows
    # Where a result is a difference of terms, its error is measured in ulps of the terms: (x, y) -> their size.
    value_terms: Callable = lambda x, y: 0
    gradient_terms: Callable = lambda x, y: 0
    hessian_terms: Callable = lambda x, y: 0

    @property
    def terms(self):
        return self.value_terms, self.gradient_terms, self.hessian_terms

    @property
    def id(self):
        return (
            self.loss + "".join(f"-{k}={v}" for k, v in self.kwargs.items()) + ("-soft" if self.soft else "")
        )


def reduced(terms, weight, reduction):
    terms = terms if weight is None else terms * weight
    return terms if reduction == "none" else terms.sum() if reduction == "sum" else terms.mean()


def sigmoid(z):
    return 1 / (1 + exp(-z))


def cross_entropy(y, p):
    """-y log p - (1-y) log(1-p), with 0 log 0 = 0."""
    return (-y * log(p) if y else mpf(0)) - ((1 - y) * log(1 - p) if y != 1 else mpf(0))


def grid(xs, ys, dtype):
    x, y = np.meshgrid(np.array(xs, dtype), np.array(ys, dtype))
    return x.ravel(), y.ravel()


MAGNITUDES = [1e-45, 1e-38, 1e-30, 1e-10, 1e-5, 1e-3, 0.1, 0.5, 1, 2, 5, 8, 10, 14.6, 15, 16.7, 17, 20, 27.7, 37, 50,
              80, 87.5, 89, 95, 103, 104.5, 200, 740, 746]  # fmt: skip
LOGITS = [0.0, *MAGNITUDES, *(-m for m in MAGNITUDES)]
HUGE = [700, -700, 1e3, -1e3, 1e4, -1e4]  # thousands of digits each: tried once for each family


def probabilities(dtype):
    info = np.finfo(dtype)
    return [info.smallest_subnormal, info.tiny, 1e-37, 1e-30, 1e-13, 1e-12, 1e-7, 1e-3, 0.1, 0.25, 0.5, 0.7, 0.9, 0.999,
            1 - 1e-6, 1 - info.epsneg * 2, 1 - info.epsneg]  # fmt: skip


def draw_logits(rng, shape):
    return rng.normal(0, 3, shape), (rng.random(shape) > 0.5).astype(float)


def draw_probabilities(rng, shape):
    return rng.uniform(0.2, 0.8, shape), (rng.random(shape) > 0.5).astype(float)


def soft(draw):
    def soft_draw(rng, shape):
        x, _ = draw(rng, shape)
        return x, rng.random(shape)

    return soft_draw


def logits_case(c, labels, logits=LOGITS, **kwargs):
    return Case(
        loss="BCEWithLogitsLoss",
        definition=lambda z, y: -c * y * log(sigmoid(z)) - (1 - y) * log(1 - sigmoid(z)),
        points=lambda dtype: grid(logits, labels, dtype),
        draw=draw_logits if set(labels) <= {0, 1} else soft(draw_logits),
        ulps={np.float32: (4, 4, 5), np.float64: (4, 4, 5)},
        peer=lambda x, y, weight, reduction: F.binary_cross_entropy_with_logits(
            x, y, weight, reduction=reduction, pos_weight=torch.tensor(c)
        ),
        kwargs=kwargs,
        soft=not set(labels) <= {0, 1},
        digits=lambda z: int(abs(z) / 1.15),
        gradient_terms=lambda z, y: max((1 - y) * sigmoid(z), c * y * sigmoid(-z)) if 0 < y < 1 else 0,
    )


RESIDUALS = [1e-45, 1e-38, 1e-20, 1e-7, 0.1, 0.49, 0.51, 0.9, 1.1, 1.9, 2.1, 30, 1e4, 1e18]


def residual_points(dtype):
    r = [s * m for m in RESIDUALS for s in (1, -1)]
    x, y = (
        np.array([*r, *r, 1e8, 3.3, -7.1], dtype),
        np.array([0] * len(r) + [0.7] * len(r) + [1, 3.4, 0.2], dtype),
    )
    return x, y


def draw_residuals(rng, shape):
    """At least 0.01 away from every kink at 0, ½, 1 and 2."""
    y = rng.normal(0, 1, shape)
    return y + rng.choice([-1, 1], shape) * rng.choice([0.2, 0.7, 1.4, 2.6], shape) * rng.uniform(
        0.9, 1.1, shape
    ), y


def regression_case(loss, definition, peer, smooth=True, **kwargs):
    return Case(
        loss=loss,
        definition=definition,
        points=residual_points,
        draw=draw_residuals,
        ulps={np.float32: (3, 2, 2), np.float64: (3, 2, 2)},
        peer=peer,
        kwargs=kwargs,
        smooth=smooth,
    )


def weighted_mse(x, y, weight, reduction):
    return F.mse_loss(x, y, reduction=reduction, weight=None if weight is None else weight.expand(x.shape))


def weighted_l1(x, y, weight, reduction):
    return F.l1_loss(x, y, reduction=reduction, weight=None if weight is None else weight.expand(x.shape))


def smooth_l1(beta):
    return regression_case(
        "SmoothL1Loss",
        lambda x, y: (x - y) ** 2 / (2 * mpf(beta)) if abs(x - y) < beta else abs(x - y) - mpf(beta) / 2,
        lambda x, y, weight, reduction: reduced(
            F.smooth_l1_loss(x, y, reduction="none", beta=beta), weight, reduction
        ),
        smooth=beta > 0,
        beta=beta,
    )


def huber(delta):
    return regression_case(
        "HuberLoss",
        lambda x, y: (x - y) ** 2 / 2 if abs(x - y) <= delta else delta * (abs(x - y) - mpf(delta) / 2),
        lambda x, y, weight, reduction: F.huber_loss(
            x, y, reduction=reduction, delta=delta, weight=None if weight is None else weight.expand(x.shape)
        ),
        delta=delta,
    )


def kl(log_target):
    def definition(x, y):
        p, log_p = (exp(y), y) if log_target else (y, log(y) if y else mpf(0))
        return p * (log_p - x)

    def points(dtype):
        logs = [-1e-30, -1e-5, -0.1, -0.7, -3, -20, -80, -1e4]
        return grid(
            logs,
            [-1e-20, -0.2, -0.9, -5, -30, -95] if log_target else [0, 1e-45, 1e-30, 1e-3, 0.3, 0.999, 1],
            dtype,
        )

    def draw(rng, shape):
        x, y = -rng.uniform(0.1, 4, shape), rng.uniform(0.1, 1, shape)
        return x, np.log(y) if log_target else y

    return Case(
        loss="KLDivLoss",
        definition=definition,
        points=points,
        draw=draw,
        ulps={np.float32: (4, 3, 0), np.float64: (4, 3, 0)},
        peer=lambda x, y, weight, reduction: reduced(
            F.kl_div(x, y, reduction="none", log_target=log_target), weight, reduction
        ),
        kwargs={"log_target": log_target},
        # log p - x is a difference of logarithms, and log p was rounded
        value_terms=lambda x, y: exp(y) * max(-y, -x) if log_target else y * max(-log(y), -x) if y else 0,
        smooth=False,
    )


def focal(alpha, gamma, labels):
    def parts(z, y):
        p = sigmoid(z)
        q = 1 - p
        wrong = (1 - y) * p + y * q
        a = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
        return a, p, q, wrong, cross_entropy(y, p)

    def definition(z, y):
        a, _, _, wrong, entropy = parts(z, y)
        return a * wrong ** mpf(gamma) * entropy

    def hessian_terms(z, y):
        """The Hessian changes sign: its error is measured against the sizes of its terms."""
        a, p, q, wrong, entropy = parts(z, y)
        return a * wrong ** mpf(gamma) * (p * q + gamma * wrong**-1 * p * q * (2 + (gamma + 1) * entropy))

    def gradient_terms(z, y):
        a, p, q, wrong, entropy = parts(z, y)
        return (
            a * wrong ** mpf(gamma) * (max((1 - y) * p, y * q) + gamma * p * q / wrong * entropy)
            if 0 < y < 1
            else 0
        )

    def peer(z, y, weight, reduction):
        """torchvision's sigmoid_focal_loss, from its documentation."""
        p = torch.sigmoid(z)
        terms = (
            F.binary_cross_entropy_with_logits(z, y, reduction="none")
            * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
        )
        return reduced(
            terms if alpha is None else terms * (alpha * y + (1 - alpha) * (1 - y)), weight, reduction
        )

    size = 3 + 2 * gamma  # every multiplication by 1 - p_t brings its rounding along
    return Case(
        loss="SigmoidFocalLoss",
        definition=definition,
        points=lambda dtype: grid(
            [*LOGITS[::2], -17, 16.7, -95] if gamma == 2 else LOGITS[1::5], labels, dtype
        ),
        draw=draw_logits if set(labels) <= {0, 1} else soft(draw_logits),
        ulps={np.float32: (size, size + 2, size + 3), np.float64: (size, size + 2, size + 3)},
        peer=peer,
        kwargs={"alpha": alpha, "gamma": gamma},
        soft=not set(labels) <= {0, 1},
        gains=(1, 1, 1 if set(labels) <= {0, 1} else 1 + gamma * 104),  # far on the wrong side it is -γ² p_t log p_t
        digits=lambda z: int(abs(z) / 2.3 * (2 + gamma)),
        gradient_terms=gradient_terms,
        hessian_terms=hessian_terms,
    )


def bce(labels):
    """Labels of which one is soft take another way through the loss than those that are all 0 or 1."""
    return Case(
        loss="BCELoss",
        definition=lambda p, y: cross_entropy(y, p),
        points=lambda dtype: grid(probabilities(dtype), labels, dtype),
        draw=draw_probabilities if set(labels) <= {0, 1} else soft(draw_probabilities),
        ulps={np.float32: (4, 4, 5), np.float64: (4, 4, 5)},
        peer=lambda x, y, weight, reduction: F.binary_cross_entropy(x, y, weight, reduction=reduction),
        soft=not set(labels) <= {0, 1},
    )


CASES = [
    bce([0, 1]),
    bce([0, 1, 0.35, 0.6, 1e-31]),
    logits_case(1, [0, 1], LOGITS + HUGE),
    logits_case(1, [0.3, 0.999, 1e-30]),
    logits_case(2.5, [0, 1, 0.3], [*MAGNITUDES[::3], -17, -95], pos_weight=2.5),
    regression_case("MSELoss", lambda x, y: (x - y) ** 2, weighted_mse),
    regression_case("L1Loss", lambda x, y: abs(x - y), weighted_l1, smooth=False),
    *map(smooth_l1, [1.0, 0.5, 2.0, 0.0, 1e-300]),
    *map(huber, [1.0, 0.5, 2.0, 1e-30]),
    kl(False),
    kl(True),
    focal(0.25, 2.0, [0, 1]),
    focal(None, 0.5, [0, 1]),
    focal(0.25, 0.0, [0, 1]),
    focal(0.7, 1.0, [0, 1]),
    focal(None, 5.0, [0, 1]),
    focal(0.25, 2.0, [0.3, 1e-6]),
    focal(None, 0.5, [0.3, 1e-6]),
]

FIRST = list({case.loss: case for case in reversed(CASES)}.values())  # one case for each loss over elements
