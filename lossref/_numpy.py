"""The namespace ``m`` in which a formula is evaluated on NumPy tiles."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ._elementary import Logistic, Softmax
from ._program import whole

TAME = {np.dtype(t).itemsize: 0.4 * math.log(np.finfo(t).max) for t in (np.float32, np.float64)}


@lru_cache(maxsize=8)
def row_numbers(n):
    return np.arange(n)


class Numpy:
    hard = False  # whether labels are known to be 0 or 1

    abs = staticmethod(np.abs)
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)

    sign = staticmethod(np.sign)

    @staticmethod
    def clip(x, low, high):
        return np.minimum(np.maximum(x, low), high)

    @staticmethod
    @whole
    def where(condition, x, y, out=None):
        """np.where, for conditions that are mostly false."""
        if out is None:
            return np.where(condition, x, y)
        np.copyto(out, y)
        if condition.any():
            np.copyto(out, x, where=condition)
        return out

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
    @whole
    def times(x, y, out=None):
        """x y with 0 times ±inf = 0."""
        product = np.multiply(x, y, out=out)
        if math.isnan(np.minimum.reduce(product, axis=None, initial=0.0)):
            np.copyto(product, 0, where=(x == 0) & np.isinf(y))
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

    zeros_like = staticmethod(np.zeros_like)

    @staticmethod
    def constant(number, like):
        """The number in every place, but NaN where ``like`` is NaN."""
        return number + 0 * np.clip(like, -1, 1)  # inf is as good as any

    # along the last axis, which is kept

    def softmax(self, x, y):
        return Softmax(self, x, y)

    @staticmethod
    def huge(x):
        return float(np.finfo(x.dtype).max)

    @staticmethod
    def argmax(x):
        return np.argmax(x, -1, keepdims=True)

    @staticmethod
    def sum(x):
        return np.add.reduce(x, axis=-1, keepdims=True)

    # (np.take_along_axis and its like would do, at ten times the cost for a small batch)

    @staticmethod
    def pick(x, k):
        return x[row_numbers(len(x)), k[:, 0]][:, None]

    @staticmethod
    def put(x, k, values):
        """x, a temporary, with values in place k of each row."""
        x[row_numbers(len(x)), k[:, 0]] = values[:, 0]
        return x

    @staticmethod
    def tame(x, y):
        """Whether sums of exp(x), and their ratios, are far from overflow, or 0: then nothing need be subtracted first.

        Where the classes y are given, they must not be those with exp(x) = 0.
        """
        bound = TAME[x.dtype.itemsize]
        least = np.minimum.reduce(x, axis=None)
        if least == -np.inf:
            if y is not None and np.minimum.reduce(Numpy.pick(x, y), axis=None) == -np.inf:
                return False
            least = np.min(x, where=x > least, initial=0)
        return least >= -bound and np.maximum.reduce(x, axis=None) <= bound

    @staticmethod
    def apart(x, k):
        """What stands in place k, and the sum of the rest."""
        at = row_numbers(len(x)), k[:, 0]
        own = x[at]
        x[at] = 0
        rest = np.add.reduce(x, axis=-1, keepdims=True)
        x[at] = own
        return own[:, None], rest

    @staticmethod
    def classes(x):
        return np.arange(x.shape[-1])

    @staticmethod
    def outer(x, y):
        return x[..., :, None] * y[..., None, :]

    matmul = staticmethod(np.matmul)

    @staticmethod
    def transpose(x):
        return x.swapaxes(-1, -2)

    @staticmethod
    def set_diagonal(x, values):
        i = np.arange(x.shape[-1])
        x[..., i, i] = values
        return x


NUMPY = Numpy()


class Hard(Numpy):
    """For tiles whose labels are all 0 or 1: where a loss is then a function of one margin, its formula says so."""

    hard = True


HARD = Hard()
