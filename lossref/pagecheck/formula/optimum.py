"""Where a function of one variable is smallest, to many digits.

A coarse scan of the domain finds the valley; the root of the derivative (from a
dual number, so exact) is then bracketed ever closer.  A kink is found as well as
a smooth minimum.
"""

from __future__ import annotations

from collections.abc import Callable

from . import values as v
from .domains import Between, Domain, Finite, Reals
from .values import Undefined, mp

_SCAN = 64
_STEPS = 400


def extremum(function: Callable, domain: Domain):
    if isinstance(domain, Finite):
        return min((mp.mpf(x) for x in domain.items), key=lambda x: v.real(function(x)))
    place = _chart(domain)
    steps = [mp.mpf(2 * k - _SCAN) / _SCAN for k in range(1, _SCAN)]
    with v.precision(20):
        heights = [v.real(function(place(s))) for s in steps]
    best = min(range(len(steps)), key=heights.__getitem__)
    if best in (0, len(steps) - 1):
        raise Undefined("the optimum lies at the end of the domain, not inside it")
    low, high = place(steps[best - 1]), place(steps[best + 1])

    def slope(x):
        tag = v.new_tag()
        return v.real(v.part(function(v.seed(x, tag)), tag))

    if not (slope(low) < 0 < slope(high)):
        raise Undefined("the optimum is not unique or not inside the domain")
    # Ridder's method: quadratic where the slope is smooth, halving where it jumps.
    return mp.findroot(slope, (low, high), solver="ridder", tol=mp.eps, maxsteps=_STEPS, verify=False)


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
