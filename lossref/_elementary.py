"""Elementary functions that stay exact where the textbook forms round to 0, to 1 or overflow.

Each is written once over a namespace ``m`` (``_numpy.py``, ``torch/_namespace.py``) that supplies ``exp``, ``log`` and
so on.
"""

from __future__ import annotations


def positive(number: float, like) -> float:
    """The number, or the smallest one above 0 where it is 0 in the precision of ``like``."""
    return max(number, 2.0**-149 if like.dtype.itemsize == 4 else 2.0**-1074)


def divided(m, x, number):
    """x / number, also where the number or its inverse, which CUDA multiplies by, is beyond the precision of x."""
    while m.huge(x) < number < float("inf"):
        x, number = x * 2.0**-64, number * 2.0**-64
    if 1 / number > m.huge(x):
        x, number = x * 2.0**64, number * 2.0**64
    return x / number


def multiplied(m, x, number):
    """x · number, also where the number is too small for the precision of x."""
    while number < 4 / m.huge(x):
        x, number = x * 2.0**-64, number * 2.0**64
    return x * number


class lazy:
    """An attribute computed when first asked for. functools has one whose lock torch's compiler cannot trace."""

    def __init__(self, compute):
        self.compute = compute

    def __get__(self, owner, cls):
        value = self.compute(owner)
        setattr(owner, self.compute.__name__, value)
        return value


class Logistic:
    """softplus and σ of +z and of -z, all four from one exponential that cannot overflow.

    Both signs are needed: 1 - σ(z) is 0 in float32 from z = 17 on, where σ(-z) still has all its digits.
    """

    def __init__(self, m, z):
        self.m, self.z = m, z
        self.e = m.exp(-m.abs(z))  # in (0, 1]
        self.u = 1 + self.e
        self.s = 1 / self.u

    @lazy
    def _log1p(self):
        return log1p(self.m, self.e, self.u)

    @lazy
    def _relu(self):
        return self.m.relu(self.z)

    @lazy
    def softplus(self):
        """softplus(z) = log(1 + exp(z)) = -log σ(-z)"""
        return self._relu + self._log1p

    @lazy
    def softplus_neg(self):
        """softplus(-z) = -log σ(z)"""
        return self._log1p - self.m.minimum(self.z, 0)

    @lazy
    def p(self):
        """σ(z): 1/(1+e) above 0, e/(1+e) below."""
        return self.m.or_one(self.e, self.z >= 0) * self.s

    @lazy
    def q(self):
        """σ(-z) = 1 - σ(z), without the subtraction."""
        return self.m.or_one(self.e, self.z < 0) * self.s  # at 0, e is 1


class Margin:
    """softplus(z), σ(z) and σ(-z), with fewer operations than Logistic: where softplus(-z) is not asked for."""

    def __init__(self, m, z):
        self.m, self.z = m, z
        self.e = m.exp(m.minimum(z, 60))  # from there on softplus(z) is z and σ(z) is 1, to all digits of float64
        self.u = 1 + self.e

    @lazy
    def softplus_to_60(self):
        return log1p(self.m, self.e, self.u)

    @lazy
    def softplus(self):
        return self.m.maximum(self.z, self.softplus_to_60)

    @lazy
    def p(self):
        """σ(z)"""
        return self.e / self.u

    @lazy
    def q_beside_p(self):
        """σ(-z), but no less than σ(-60): exact enough for what is added to σ(z)."""
        return 1 / self.u

    @lazy
    def fade(self):
        """What σ(-z) is of that."""
        return self.m.exp(self.m.minimum(60 - self.z, 0))

    @lazy
    def q(self):
        """σ(-z)"""
        return self.q_beside_p * self.fade


def log1p(m, e, u):
    """log(1 + e): the logarithm of the rounded u = 1 + e, corrected for the rounding."""
    return m.log(u) + (e - (u - 1)) / u


class Softmax:
    """softmax along the last axis, with -log p and 1 - p exact where p is next to 1.

    Everything is told relative to the largest exponential: the sum of the *others*, as a multiple of it, keeps what
    1 + … would swallow, and -log p = log1p(others) + (top - x) adds no terms of different sign. Where all exponentials
    are tame and only the class ``y`` of each row is asked for, it is that of y: no largest need be looked for.
    """

    def __init__(self, m, x, y=None):
        self.m, self.x, self.y = m, x, y
        tame = m.tame(x, y)
        self.k = m.argmax(x) if y is None or not tame else y
        self.e = m.exp(x) if tame else _exponentials(m, x, self.top)
        own, rest = m.apart(self.e, self.k)
        self.others = rest / own
        self.u = 1 + self.others
        self.inverse = 1 / self.u
        self.scale = self.inverse / own
        self._q = None  # the last answer of q, which a gradient asks for twice

    @lazy
    def top(self):
        return self.m.pick(self.x, self.k)

    @lazy
    def from_top(self):
        """The same, certainly told from the largest: so the other classes too have an exact 1 - p."""
        return Softmax(self.m, self.x) if self.k is self.y else self

    @lazy
    def log_sum(self):
        return log1p(self.m, self.others, self.u)

    def p(self, at):
        return self.inverse if at.y is self.k else at(self.e) * self.scale

    def surprisal(self, at):
        """-log p"""
        return self.log_sum if at.y is self.k else self.log_sum + (self.top - at(self.x))

    def along(self, v):
        """∂(log p)/∂x · v, which is v - Σ p v: told from the largest class, whose own part would cancel."""
        w = v - self.m.pick(v, self.k)
        return w - self.m.sum(self.e * self.scale * w)

    def q(self, at):
        """1 - p: no class but the largest has p > ½, so only there the subtraction loses anything."""
        if self._q is None or self._q[0] is not at:
            rest = self.others * self.inverse
            self._q = at, rest if at.y is self.k else self.m.where(at.is_class(self.k), rest, 1 - self.p(at))
        return self._q[1]


def above_abyss(m, x, top):
    """x, and -inf as something finite so far below the top that exp(x - top) is 0: inf - inf would be NaN."""
    return m.maximum(x, m.maximum(top - m.huge(x) / 2, -m.huge(x)))


def _exponentials(m, x, top):
    """exp(x - top), for any x: no overflow, and as exact as exp itself."""
    finite = above_abyss(m, x, top)
    d = finite - top
    # what rounding took from d: the exponential would magnify it to |d| units of the last place
    b = d - finite
    lost = (finite - (d - b)) - (top + b)
    e = m.exp(d)
    return e + e * lost


class Index:
    """A target that is one class: ``y``, shape (rows, 1), as is ``a``, the weights of the samples; None: all are 1."""

    def __init__(self, m, y, a=None):
        self.m, self.y, self.a = m, y, a

    def __call__(self, array):
        return self.m.pick(array, self.y)

    def is_class(self, k):
        return self.y == k

    def total(self, terms):
        return terms if self.a is None else self.m.times(self.a, terms)

    def pull(self, s, slope):
        """Σ_c a_c slope_c ∂(log p_c)/∂x, from ∂(log p_c)/∂x_j = δ_cj - p_j."""
        b = self.mass(slope)
        return self.m.put((-b * s.scale) * s.e, self.y, b * s.q(self))

    def bend(self, s, slope, curvature):
        """Σ_c a_c (curvature_c g gᵀ + slope_c ∂²(log p_c)), g the gradient of log p_c; the second is ppᵀ - diag p."""
        p = s.e * s.scale
        g = self.m.put(-p, self.y, s.q(self))
        return self.m.outer(self.mass(curvature) * g, g) - _spread(self.m, s.from_top, self.mass(slope), p)

    def bend_diagonal(self, s, slope, curvature):
        """The diagonal of ``bend``, without the rest."""
        p = s.e * s.scale
        g = self.m.put(-p, self.y, s.q(self))
        return self.mass(curvature) * g * g - _spread_diagonal(self.m, s.from_top, self.mass(slope), p)

    def mass(self, slope):
        return slope if self.a is None else self.a * slope


class Distribution:
    """A target that is a mass for each class: ``a``, shape (rows, C)."""

    y = None

    def __init__(self, m, a):
        self.m, self.a = m, a

    def __call__(self, array):
        return array

    def is_class(self, k):
        return self.m.classes(self.a) == k

    def total(self, terms):
        return self.m.sum(self.m.times(self.a, terms))

    def pull(self, s, slope):
        b = self.m.times(self.a, slope)
        return b * s.q(self) - s.p(self) * _others(self.m, b)

    def bend(self, s, slope, curvature):
        m, p, q, b = self.m, s.p(self), s.q(self), self.m.times(self.a, curvature)
        # row c of g is the gradient of log p_c
        g = m.set_diagonal(-m.outer(m.constant(1, p), p), q)
        both = m.matmul(b[..., None, :] * m.transpose(g), g)
        return both - _spread(m, s, self.mass(slope), p)

    def bend_diagonal(self, s, slope, curvature):
        """The diagonal of ``bend``, without the rest."""
        m, p, q, b = self.m, s.p(self), s.q(self), self.m.times(self.a, curvature)
        return p * (p * _others(m, b)) + b * q * q - _spread_diagonal(m, s, self.mass(slope), p)

    def mass(self, slope):
        return self.m.sum(self.m.times(self.a, slope))


def _others(m, b):
    """For each place the sum of b over the others, also beside a large one: sum(b) - b would leave nothing of them."""
    k = m.argmax(m.abs(b))
    large, small = m.apart(b, k)
    return m.put(small + (large - b), k, small)


def turn(target, s, slope, curvature, v):
    """``target.bend(s, slope, curvature)`` times v."""
    d = s.along(v)
    return target.pull(s, curvature * target(d)) - target.mass(slope) * (s.e * s.scale) * d


def _spread(m, s, b, p):
    """b (diag p - ppᵀ)"""
    return m.set_diagonal(-m.outer(b * p, p), _spread_diagonal(m, s, b, p))


def _spread_diagonal(m, s, b, p):
    """b p (1 - p), without the subtraction."""
    q = m.where(m.classes(p) == s.k, s.others * s.inverse, 1 - p)
    return b * p * q
