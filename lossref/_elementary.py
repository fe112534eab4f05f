"""Elementary functions that stay exact where the textbook forms round to 0, to 1 or overflow.

Each is written once over a namespace ``m`` (``_numpy.py``, ``torch.py``) that supplies ``exp``, ``log`` and so on.
"""

from __future__ import annotations

from functools import cached_property


class Logistic:
    """softplus and σ of +z and of -z, all four from one exponential that cannot overflow.

    Both signs are needed: 1 - σ(z) is 0 in float32 from z = 17 on, where σ(-z) still has all its digits.
    """

    def __init__(self, m, z):
        self.m, self.z = m, z
        self.e = m.exp(-m.abs(z))  # in (0, 1]
        self.u = 1 + self.e
        self.s = 1 / self.u

    @cached_property
    def _log1p(self):
        """log(1 + e): the logarithm of the rounded u, corrected for the rounding."""
        return self.m.log(self.u) + (self.e - (self.u - 1)) * self.s

    @cached_property
    def _relu(self):
        return self.m.relu(self.z)

    @cached_property
    def softplus(self):
        """softplus(z) = log(1 + exp(z)) = -log σ(-z)"""
        return self._relu + self._log1p

    @cached_property
    def softplus_neg(self):
        """softplus(-z) = -log σ(z)"""
        return (self._relu - self.z) + self._log1p

    @cached_property
    def p(self):
        """σ(z): 1/(1+e) above 0, e/(1+e) below."""
        return self.m.or_one(self.e, self.z >= 0) * self.s

    @cached_property
    def q(self):
        """σ(-z) = 1 - σ(z), without the subtraction."""
        return self.m.or_one(self.e, self.z <= 0) * self.s
