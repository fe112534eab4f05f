"""The same losses as ``torch.nn`` modules: the same formulas, evaluated in torch's namespace.

Values and derivatives of every order are exact because the functions that torch's own autograd would
differentiate inexactly (or wrongly, at 0) are differentiated here by their formulas.
"""

from __future__ import annotations

import torch
from torch import nn

from . import bce as _bce
from ._elementary import Logistic
from ._validate import REDUCTIONS, one_of


class _Softplus(torch.autograd.Function):
    """softplus, whose derivative is σ."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z):
        return Logistic(_TILES, z).softplus

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * _Sigmoid.apply(z)

    @staticmethod
    def jvp(ctx, t):
        (z,) = ctx.saved_tensors
        return t * _Sigmoid.apply(z)


class _Sigmoid(torch.autograd.Function):
    """σ, whose derivative is σ(z)σ(-z): 1 - σ(z) would be 0 from z = 17 on."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z):
        return Logistic(_TILES, z).p

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * _Sigmoid.apply(z) * _Sigmoid.apply(-z)

    @staticmethod
    def jvp(ctx, t):
        (z,) = ctx.saved_tensors
        return t * _Sigmoid.apply(z) * _Sigmoid.apply(-z)


class _Torch:
    """The namespace ``m`` for plain tensors: fast, not meant to be differentiated."""

    abs = staticmethod(torch.abs)
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    relu = staticmethod(torch.relu)
    where = staticmethod(torch.where)

    @staticmethod
    def or_one(x, flag):
        return torch.maximum(x, flag.to(x.dtype))

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


class _ExactLogistic:
    """What ``Logistic`` offers, differentiable any number of times."""

    def __init__(self, z):
        self.z = z

    softplus = property(lambda s: _softplus(s.z))
    softplus_neg = property(lambda s: _softplus(-s.z))
    p = property(lambda s: _sigmoid(s.z))
    q = property(lambda s: _sigmoid(-s.z))


def _softplus(z):
    # The compiler cannot trace a Function with a jvp; logsigmoid is exact to the first derivative.
    return -torch.nn.functional.logsigmoid(-z) if torch.compiler.is_compiling() else _Softplus.apply(z)


def _sigmoid(z):
    return torch.sigmoid(z) if torch.compiler.is_compiling() else _Sigmoid.apply(z)


class _Autograd(_Torch):
    """The namespace ``m`` for tensors that torch differentiates."""

    def logistic(self, z):
        return _ExactLogistic(z)


_TILES, _AUTOGRAD = _Torch(), _Autograd()


class _Elementwise(nn.Module):
    loss: type

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = torch.nn._reduction.legacy_get_string(size_average, reduce)
        one_of("reduction", reduction, REDUCTIONS)
        self.register_buffer("weight", weight)
        self.reduction = reduction

    def parameters_of_formula(self):
        return {}

    def forward(self, input, target):
        if input.shape != target.shape:
            raise ValueError(
                f"target must have the shape of input, {tuple(input.shape)}; got {tuple(target.shape)} "
                "(shapes are never broadcast silently)"
            )
        if not input.is_floating_point():
            raise TypeError(f"input must be a floating-point tensor; got {input.dtype}")
        dtype = input.dtype
        if dtype in (torch.float16, torch.bfloat16):
            input = input.float()
        target = target.to(input.dtype)
        self._check("input", input, *self.loss.input_range)
        self._check("target", target, *self.loss.target_range)
        value = self.loss.formula(_AUTOGRAD, input, target, **self.parameters_of_formula()).value()
        if self.weight is not None:
            value = value * self.weight
        if self.reduction == "mean":
            value = value.mean()
        elif self.reduction == "sum":
            value = value.sum()
        return value.to(dtype)

    @staticmethod
    def _check(name, tensor, low, high):
        """On the CPU only: anywhere else, looking at a value would make the host wait for the device."""
        if low == float("-inf") or tensor.device.type != "cpu" or torch.compiler.is_compiling():
            return
        if torch._C._functorch.peek_interpreter_stack() is not None:  # no values inside vmap
            return
        tensor = tensor.detach()
        bad = tensor[(tensor < low) | (tensor > high)]
        if bad.numel():
            raise ValueError(f"{name} must be in [{low:g}, {high:g}]; got {bad[0].item():.9g}")

    def extra_repr(self):
        return f"reduction={self.reduction!r}"


class BCELoss(_Elementwise):
    loss = _bce.BCELoss


class BCEWithLogitsLoss(_Elementwise):
    loss = _bce.BCEWithLogitsLoss

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def parameters_of_formula(self):
        return {"pos_weight": self.pos_weight}
