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
SAME = mp.mpf(10) ** -25  # two places as good


def extremum(function: Callable, domain: Domain, precision: Callable = v.precision, alone: bool = False):
    """The place; with ``alone`` it is asked for itself, and there must not be another as good."""
    if isinstance(domain, Finite):
        found = sorted((v.real(function(mp.mpf(x))), mp.mpf(x)) for x in domain.items)
        if alone and len(found) > 1 and found[0][0] == found[1][0]:
            raise _not_alone(found[0][1], found[1][1])
        return found[0][1]
    place = _chart(domain)
    steps = [mp.mpf(2 * k - _SCAN) / _SCAN for k in range(1, _SCAN)]
    with precision(20):
        heights = [v.real(function(place(s))) for s in steps]
    best = min(range(len(steps)), key=heights.__getitem__)
    if best in (0, len(steps) - 1):
        raise Undefined("the optimum lies at the end of the domain, not inside it", ENDS)

    def slope(x):
        tag = v.new_tag()
        return v.real(v.part(function(v.seed(x, tag)), tag))

    found = []
    for i in range(1, len(steps) - 1):
        if i != best and not heights[i - 1] > heights[i] < heights[i + 1]:
            continue
        low, high = place(steps[i - 1]), place(steps[i + 1])
        if slope(low) < 0 < slope(high):
            with precision(DIGITS):
                at = _root(slope, low, high)
                found.append((v.real(function(at)), at))
        elif i == best:
            raise Undefined("the optimum is not unique or not inside the domain", ENDS)
    found.sort()
    value, at = found[0]
    if alone:
        if len(found) > 1 and abs(found[1][0] - value) <= SAME * max(1, abs(value)):
            raise _not_alone(at, found[1][1])
        beside = SAME * max(1, abs(at))
        if slope(at - beside) == slope(at + beside) == 0:
            raise _not_alone(at, at + beside)
    return at


def _not_alone(at, there) -> Undefined:
    apart = abs(at - there) > SAME * max(1, abs(at))
    where = f"{v.show(at)} and {v.show(there)}" if apart else f"all around {v.show(at)}"
    return Undefined(f"the optimum is not unique: {where} are equally good", "restrict the set that is looked in")


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
