"""The namespace ``m`` in which a formula is evaluated on NumPy tiles."""

from __future__ import annotations

import numpy as np

from ._elementary import Logistic


class Numpy:
    abs = staticmethod(np.abs)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    where = staticmethod(np.where)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)

    sign = staticmethod(np.sign)
    clip = staticmethod(np.clip)

    @staticmethod
    def total(a):
        return np.sum(a, dtype=np.float64)

    @staticmethod
    def relu(x):
        return np.maximum(x, 0)

    @staticmethod
    def or_one(x, flag):
        """1 where flag, else x, for x <= 1. A third of the time of np.where, and NaN stays NaN."""
        return np.maximum(x, flag)

    @staticmethod
    def times(x, y):
        """x y with 0 times ±inf = 0."""
        product = x * y
        if np.isnan(np.min(product, initial=0.0)):
            product = np.where((x == 0) & np.isinf(y), 0, product)
        return product

    @staticmethod
    def log_or_0(x):
        """log x, and 0 at x = 0: for what is then multiplied by x."""
        return np.log(np.maximum(x, x == 0))

    @staticmethod
    def xlogy(x, y):
        """x log y with 0 log 0 = 0."""
        return x * np.log(np.maximum(y, x == 0))

    @staticmethod
    def xlog1my(x, y):
        """x log(1 - y) with 0 log 0 = 0, for y in [0, 1]."""
        y = np.minimum(y, x != 0)
        u = 1 - y
        # 1 - u is what y became when 1 - y was rounded; the maximum only matters at u = 0, where the numerator is 0
        return x * (np.log(u) + ((1 - u) - y) / np.maximum(u, np.finfo(u.dtype).tiny))

    @staticmethod
    def ratio(x, y):
        """x / y with 0 / 0 = 0, for y in [0, 1]."""
        return x / np.maximum(y, x == 0)

    def logistic(self, z):
        return Logistic(self, z)


NUMPY = Numpy()
