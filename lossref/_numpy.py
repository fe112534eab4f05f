"""The namespace ``m`` in which a formula is evaluated on NumPy tiles."""

from __future__ import annotations

import math
import operator
from functools import lru_cache

import numpy as np

from ._elementary import Logistic, Margin, Softmax, positive
from ._program import clip, whole
from ._summary import least, most

TAME = {np.dtype(t).itemsize: 0.4 * math.log(np.finfo(t).max) for t in (np.float32, np.float64)}


@lru_cache(maxsize=8)
def _steps(n, step):
    return np.arange(0, n * step, step)[:, None]


def _line(x, k):
    """x as one line in the order of its memory, and where in it place k of each row is."""
    n, c = x.shape
    if x.flags.f_contiguous:
        return x.T.reshape(-1), _steps(n, 1) + k * n
    return x.reshape(-1), _steps(n, c) + k


class Numpy:
    hard = False  # whether labels are known to be 0 or 1

    abs = staticmethod(np.abs)
    size = abs
    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    log1p = staticmethod(np.log1p)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)

    sign = staticmethod(np.sign)
    power = staticmethod(operator.pow)

    @staticmethod
    def clip(x, low, high):
        return clip(x, low, high)

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
        if product.size and math.isnan(least(product)):
            np.copyto(product, 0, where=(x == 0) & np.isinf(y))
        return product

    @staticmethod
    def finite_log(x):
        """log x, and something finite at x = 0: for what is then multiplied by x."""
        return np.log(np.maximum(x, positive(0, x)))

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
    def used(x, where):
        """x, which is used only where that is so: elsewhere it may be anything."""
        return x

    @staticmethod
    def constant(number, like):
        """The number in every place, but NaN where ``like`` is NaN."""
        return number + 0 * clip(like, -1, 1)  # inf is as good as any

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
        if x.shape[-1] > 64 and not x.flags.c_contiguous:
            x = np.ascontiguousarray(x)  # NumPy adds in pairs only along the memory, one by one across it
        return np.add.reduce(x, axis=-1, keepdims=True)

    # (np.take_along_axis and its like would do, at ten times the cost for a small batch)

    @staticmethod
    def pick(x, k):
        line, at = _line(x, k)
        return line[at]

    @staticmethod
    def put(x, k, values):
        """x, a temporary (so in one piece), with values in place k of each row."""
        line, at = _line(x, k)
        line[at] = values
        return x

    @staticmethod
    def tame(x, y):
        """Whether sums of exp(x), and their ratios, are far from overflow, or 0: then nothing need be subtracted first.

        Where the classes y are given, they must not be those with exp(x) = 0.
        """
        bound = TAME[x.dtype.itemsize]
        low = least(x)
        if low == -np.inf:
            if y is not None and least(Numpy.pick(x, y)) == -np.inf:
                return False
            low = np.min(x, where=x > low, initial=0)
        return low >= -bound and most(x) <= bound

    @staticmethod
    def apart(x, k):
        """What stands in place k, and the sum of the rest."""
        line, at = _line(x, k)
        own = line[at]
        line[at] = 0
        rest = Numpy.sum(x)
        line[at] = own
        return own, rest

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

    def margin(self, z):
        return Margin(self, z)


HARD = Hard()
