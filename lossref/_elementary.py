"""Elementary functions that stay exact where the textbook forms round to 0, to 1 or overflow.

Each is written once over a namespace ``m`` (``_numpy.py``, ``torch.py``) that supplies ``exp``, ``log`` and so on.
"""

from __future__ import annotations


def positive(number: float, like) -> float:
    """The number, or the smallest one above 0 where it is 0 in the precision of ``like``."""
    return max(number, 2.0**-149 if like.dtype.itemsize == 4 else 2.0**-1074)


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
        """log(1 + e): the logarithm of the rounded u, corrected for the rounding."""
        return self.m.log(self.u) + (self.e - (self.u - 1)) * self.s

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
        return (self._relu - self.z) + self._log1p

    @lazy
    def p(self):
        """σ(z): 1/(1+e) above 0, e/(1+e) below."""
        return self.m.or_one(self.e, self.z >= 0) * self.s

    @lazy
    def q(self):
        """σ(-z) = 1 - σ(z), without the subtraction."""
        return self.m.or_one(self.e, self.z <= 0) * self.s
