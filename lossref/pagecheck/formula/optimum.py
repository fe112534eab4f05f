"""Where a function of one variable is smallest, to many digits.

A coarse scan of the domain finds the valley; the root of the derivative (from a
dual number, so exact) is then enclosed ever closer.  A kink is found as well as
a smooth minimum.
"""

from __future__ import annotations

from collections.abc import Callable

from . import values as v
from .domains import Between, Domain, Finite, Reals
from .values import Undefined, mp

_SCAN = 64
_STEPS = 400
ENDS = "is it \\min or \\max? name the set to look in, as in _{p\\in(0,1)}"
DIGITS = 45  # of the place found


def extremum(function: Callable, domain: Domain, precision: Callable = v.precision):
    if isinstance(domain, Finite):
        return min((mp.mpf(x) for x in domain.items), key=lambda x: v.real(function(x)))
    place = _chart(domain)
    steps = [mp.mpf(2 * k - _SCAN) / _SCAN for k in range(1, _SCAN)]
    with precision(20):
        heights = [v.real(function(place(s))) for s in steps]
    best = min(range(len(steps)), key=heights.__getitem__)
    if best in (0, len(steps) - 1):
        raise Undefined("the optimum lies at the end of the domain, not inside it", ENDS)
    low, high = place(steps[best - 1]), place(steps[best + 1])

    def slope(x):
        tag = v.new_tag()
        return v.real(v.part(function(v.seed(x, tag)), tag))

    if not (slope(low) < 0 < slope(high)):
        raise Undefined("the optimum is not unique or not inside the domain", ENDS)
    with precision(DIGITS):
        return _root(slope, low, high)


def _root(function: Callable, a, b):
    """Where a function changes its sign between two points, by Chandrupatla's method.

    Quadratic where the function is smooth, halving where it jumps.
    """
    value_a, value_b = function(a), function(b)
    part = mp.mpf(1) / 2
    for _ in range(_STEPS):
        x = a + part * (b - a)
        value = function(x)
        if (value < 0) == (value_a < 0):
            c, value_c = a, value_a
        else:
            c, value_c, b, value_b = b, value_b, a, value_a
        a, value_a = x, value
        best = a if abs(value_a) < abs(value_b) else b
        near = mp.mpf(10) ** (5 - DIGITS) * max(abs(best), mp.mpf(10) ** -30)
        if value == 0 or abs(b - a) <= near:
            break
        place, height = (a - b) / (c - b), (value_a - value_b) / (value_c - value_b)
        part = mp.mpf(1) / 2
        if height**2 < place and (1 - height) ** 2 < 1 - place:
            part = value_a / (value_b - value_a) * value_c / (value_b - value_c)
            part += (c - a) / (b - a) * value_a / (value_c - value_a) * value_b / (value_c - value_b)
        part = min(max(part, near / abs(b - a) / 2), 1 - near / abs(b - a) / 2)
    return a if value == 0 else best


def _chart(domain: Domain) -> Callable:
    """A map from (-1, 1) onto the domain that is fine in the middle and reaches far out."""
    if isinstance(domain, Reals):
        return lambda s: mp.sinh(8 * s)
    assert isinstance(domain, Between)
    low, high = mp.mpf(domain.low), mp.mpf(domain.high)
    if mp.isinf(high):
        return lambda s: low + mp.exp(16 * s)
    if mp.isinf(low):
        return lambda s: high - mp.exp(-16 * s)
    return lambda s: low + (high - low) * v.sigmoid(30 * s)
