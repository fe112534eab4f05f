"""Every loss of the registry with its definition, the points where it is tried and what torch calls it.

A definition is the mathematics at its plainest, for mpmath: no stable forms, no derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from mpmath import exp, log, mpf


@dataclass(frozen=True, eq=False)  # hashed by identity: the references are kept
class Case:
    """One loss with one set of arguments."""

    loss: str
    definition: Callable  # (x, y) -> value, in mpmath
    points: Callable  # dtype -> (x, y): where exactness is asserted
    draw: Callable  # (rng, shape) -> (x, y): ordinary float64 data, away from kinks
    ulps: dict  # dtype -> bounds for (value, gradient, hessian)
    torch_name: str | None = None
    kwargs: dict = field(default_factory=dict)
    # Where a derivative is a difference of terms, its error is measured in ulps of the terms: (x, y) -> their size.
    gradient_terms: Callable = lambda x, y: 0
    hessian_terms: Callable = lambda x, y: 0

    @property
    def id(self):
        return self.loss + "".join(f"-{k}={v}" for k, v in self.kwargs.items())

    def peer(self, **more):
        return getattr(torch.nn, self.torch_name)(
            **{k: torch.as_tensor(v) if k in ("pos_weight", "weight") else v for k, v in (self.kwargs | more).items()}
        )


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
        torch_name="BCEWithLogitsLoss",
        kwargs=kwargs,
        gradient_terms=lambda z, y: max((1 - y) * sigmoid(z), c * y * sigmoid(-z)) if 0 < y < 1 else 0,
    )


CASES = [
    Case(
        loss="BCELoss",
        definition=lambda p, y: cross_entropy(y, p),
        points=lambda dtype: grid(probabilities(dtype), [0, 1, 0.35, 0.6, 1e-31], dtype),
        draw=draw_probabilities,
        ulps={np.float32: (4, 4, 5), np.float64: (4, 4, 5)},
        torch_name="BCELoss",
    ),
    logits_case(1, [0, 1], LOGITS + HUGE),
    logits_case(1, [0.3, 0.999, 1e-30]),
    logits_case(2.5, [0, 1, 0.3], MAGNITUDES[::3] + [-17, -95], pos_weight=2.5),
]
