"""The namespace ``m`` in which a formula is evaluated on tensors."""

from __future__ import annotations

from typing import Any

import torch

from .._elementary import Logistic, Softmax


class Torch:
    hard = False  # labels are not looked at

    abs: Any = staticmethod(torch.abs)
    size: Any = staticmethod(torch.abs)  # with a kink: its slope at 0 is 0
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    log1p = staticmethod(torch.log1p)
    relu: Any = staticmethod(torch.relu)
    where = staticmethod(torch.where)
    power: Any = staticmethod(torch.pow)
    clip = staticmethod(torch.clamp)

    @staticmethod
    def sign(x):
        return torch.where(torch.isnan(x), x, torch.sgn(x))

    @staticmethod
    def minimum(x, y):
        return torch.minimum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, max=y)

    @staticmethod
    def maximum(x, y):
        return torch.maximum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, min=y)

    @staticmethod
    def total(x):
        return x.sum(dtype=torch.float64 if x.device.type != "mps" else torch.float32)

    @staticmethod
    def or_one(x, flag):
        return torch.maximum(x, flag.to(x.dtype))

    @staticmethod
    def finite_log(x):
        return torch.log(torch.where(x == 0, 1, x))

    @staticmethod
    def times(x, y):
        return x * torch.where((x == 0) & torch.isinf(y), 0, y) if isinstance(y, torch.Tensor) else x * y

    @staticmethod
    def xlogy(x, y):
        return x * torch.log(torch.where((x == 0) & (y == 0), 1, y))

    @staticmethod
    def xlog1my(x, y):
        return x * torch.log1p(-torch.where((x == 0) & (y == 1), 0, y))

    @staticmethod
    def ratio(x, y):
        return x / torch.where((x == 0) & (y == 0), 1, y)

    def logistic(self, z):
        return Logistic(self, z)

    zeros_like = staticmethod(torch.zeros_like)

    @staticmethod
    def used(x, where):
        """x, which is used only where that is so."""
        return x

    @staticmethod
    def constant(number, like):
        return number + 0 * torch.clamp(like, -1, 1)

    # along the last axis, which is kept

    def softmax(self, x, y):
        return Softmax(self, x)

    @staticmethod
    def huge(x):
        return torch.finfo(x.dtype).max

    @staticmethod
    def argmax(x):
        return x.argmax(-1, keepdim=True)

    @staticmethod
    def sum(x):
        return x.sum(-1, keepdim=True)

    @staticmethod
    def pick(x, k):
        return x.gather(-1, k)

    @staticmethod
    def put(x, k, values):
        return x.scatter(-1, k, values)

    @staticmethod
    def tame(x, y):
        """Not to be looked at: see ``Numpy.tame``."""
        return False

    @staticmethod
    def apart(x, k):
        return x.gather(-1, k), x.scatter(-1, k, 0.0).sum(-1, keepdim=True)

    @staticmethod
    def classes(x):
        return torch.arange(x.shape[-1], device=x.device)


TORCH = Torch()


class Once(Torch):
    """For one derivative that torch works out: no root has an infinite slope at 0."""

    @staticmethod
    def power(x, number):
        if not 0 < number < 1:
            return torch.pow(x, number)
        none = x == 0
        return torch.where(none, 0, torch.pow(torch.where(none, 1, x), number))


ONCE = Once()


class Smooth(Torch):
    """For derivatives that torch works out: at 0, where pieces of a smooth function meet, all take the same side."""

    abs = staticmethod(lambda x: torch.where(x < 0, -x, x))
    relu = staticmethod(lambda x: torch.where(x < 0, 0, x))

    @staticmethod
    def or_one(x, flag):
        return torch.where(flag, 1, x)

    @staticmethod
    def minimum(x, y):
        return torch.where(x < y, x, y)

    @staticmethod
    def ratio(x, y):
        """x / y, told from what y is, as power is: no derivative divides by a y² that is beyond the dtype."""
        y = torch.where((x == 0) & (y == 0), 1, y)
        here = y.detach()
        return (x / here) / (y / here)

    @staticmethod
    def used(x, where):
        """x where it is used; elsewhere its derivative, times 0, could be nan."""
        return torch.where(where, x, 0)

    @staticmethod
    def power(x, number):
        """x**number, told from what x is: so no derivative takes a power of a small x that is beyond the dtype."""
        if number == int(number):
            return torch.pow(x, number)
        here = x.detach()
        none = here == 0
        return here**number * (torch.where(none, 1, x) / torch.where(none, 1, here)) ** number

    @staticmethod
    def trace_of_nan(x, y):
        """0, and nan where x or y is: in all derivatives too, where a comparison or a constant would hide it."""
        x, y = (0 * torch.where(torch.isinf(t), 0, t) for t in (x, y))
        return 0 * torch.exp(x + y)

    @staticmethod
    def pick(x, k):
        if not torch.compiler.is_compiling():
            return Torch.pick(x, k)
        # (inductor of torch 2.13 fuses the gather of a formula's second derivative to wrong numbers)
        return torch.where(Torch.classes(x) == k, x, 0).sum(-1, keepdim=True)

    def softmax(self, x, y):
        return SmoothSoftmax(self, x)


class SmoothSoftmax(Softmax):
    def surprisal(self, at):
        # of the largest class log_sum is all: 1 - 1 in the derivative of top - x would leave nothing of the rest
        nothing = at.is_class(self.k)
        if at.y is None:  # a class that is masked and has no mass costs nothing; inf has no derivative
            nothing = nothing | ((at.a == 0) & (self.x == -torch.inf))
        return self.log_sum + torch.where(nothing, 0, self.top - at(self.x))


SMOOTH = Smooth()
