"""What is true, from three sources that share no formula with lossref: see DESIGN, rule 1.

mpmath evaluates the definition, digits to spare, and differentiates it by differences of steps of 1e-30; fourth-order
differences look at lossref's own value; torch's autograd (in battery.py) looks at torch's own implementation.
"""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager

import mpmath
import numpy as np
from mpmath import mp, mpf

# at |z| = 1e4 mpmath needs 9000 digits, and Python refuses to write integers that long
sys.set_int_max_str_digits(20_000)


@contextmanager
def digits_to_spare(x: float, digits: int):
    """Precision for a definition that loses ``digits`` at ``x``: the square of the step must stay visible beside 1."""
    with mp.workdps(150 + digits + (2 * int(-math.log10(abs(x))) if 0 < abs(x) < 1 else 0)):
        yield


def exact(definition, x: float):
    """(f, f', f'') of ``definition`` at ``x``; call it with digits to spare."""
    x = mpf(x)
    h = (abs(x) or mpf(1)) * mpf(10) ** -30
    below, at, above = definition(x - h), definition(x), definition(x + h)
    bend = above - 2 * at + below
    if abs(bend) < abs(at) * mpf(10) ** (20 - mp.dps):
        bend = mpf(0)  # a straight line, to the last digit
    return at, (above - below) / (2 * h), bend / h**2


def ulps(got, wanted, dtype, scale=0, gain=1):
    """|got - wanted| in units of the last place of max(|wanted|, scale) in ``dtype``.

    ``gain`` is by how much the result multiplies what was rounded to a subnormal on the way to it.
    """
    info = np.finfo(dtype)
    if mpmath.isnan(wanted):
        return 0.0 if np.isnan(got) else np.inf
    # what a correctly rounded result may become beyond the range: inf, or the largest number
    if abs(wanted) > mpf(float(info.max)):
        return 0.0 if np.isinf(got) and (got > 0) == (wanted > 0) else np.inf
    if not np.isfinite(got):
        return np.inf
    size = max(abs(wanted), mpf(scale))
    # the spacing of numbers in dtype at `size`, never below that of the subnormals
    exponent = mpmath.frexp(size)[1] if size else -(10**6)
    unit = max(mpf(2) ** (exponent - 1 - info.nmant), gain * mpf(float(info.smallest_subnormal)))
    return float(abs(mpf(float(got)) - wanted) / unit)


def differences(f, x, step):
    """f'(x) element by element, to fourth order in ``step``."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)
