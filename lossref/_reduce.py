"""What a mean divides by. torch's own choice is the default of each loss; any other can be asked for by name."""

from __future__ import annotations

import math

DENOMINATORS = ("elements", "samples", "weights", "positives")


def denominator(m, kind: str, shape, weight, y):
    """The number that the sum of all terms is divided by, in the namespace ``m``."""
    if kind == "elements":
        return math.prod(shape)
    if kind == "samples":
        return shape[0] if shape else 1
    if kind == "positives":
        return m.total(y).clip(1)  # a batch without positives must not divide by 0
    if weight is None:
        return math.prod(shape)
    return m.total(weight) * (
        math.prod(shape) / max(1, math.prod(weight.shape))
    )  # as often as it is broadcast
