"""The same losses as ``torch.nn`` modules: the same formulas, evaluated in torch's namespace.

torch's autograd never differentiates a formula with respect to the input: it would lose the tails and be wrong at
kinks. Backward is the derived formula, and backward of backward the formula derived from that.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn

from . import bce, focal, kl, regression
from ._elementary import Logistic
from ._reduce import DENOMINATORS, denominator
from ._validate import number, one_of


class Torch:
    """The namespace ``m`` in which a formula is evaluated on tensors."""

    abs = staticmethod(torch.abs)
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    relu = staticmethod(torch.relu)
    where = staticmethod(torch.where)
    sign = staticmethod(torch.sgn)
    clip = staticmethod(torch.clamp)

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
    def log_or_0(x):
        return torch.log(torch.where(x == 0, 1, x))

    @staticmethod
    def times(x, y):
        return x * torch.where((x == 0) & torch.isinf(y), 0, y)

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


TORCH = Torch()


class Term(torch.autograd.Function):
    """The terms ℓ(x, y) of a loss, differentiated ``i`` times by x and ``j`` times by y.

    By x the formula says how. By y torch works it out: no formula is delicate there, and few targets have a gradient.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, extra, formula, i, j):
        def term(y):
            return (formula(TORCH, x, y) if extra is None else formula(TORCH, x, y, pos_weight=extra))[i]()

        for _ in range(j):
            term = _derivative(term)
        return term(y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, extra, *ctx.rest = inputs
        ctx.save_for_backward(x, y, extra)
        ctx.save_for_forward(x, y, extra)

    @classmethod
    def derivatives(cls, ctx):
        """∂/∂x and ∂/∂y of what forward gave, as functions: mostly only one of them is wanted."""
        x, y, extra = ctx.saved_tensors
        formula, i, j = ctx.rest

        def by_x():
            if i == 2:
                raise RuntimeError("lossref has formulas for two derivatives with respect to the input, not for a third")
            return cls.apply(x, y, extra, formula, i + 1, j)

        return by_x, lambda: cls.apply(x, y, extra, formula, i, j + 1)

    @classmethod
    def _backward(cls, ctx, g):
        by_x, by_y = cls.derivatives(ctx)
        wanted = ctx.needs_input_grad
        if wanted[2]:
            raise RuntimeError("pos_weight has no gradient; use weights without requires_grad")
        return (g * by_x() if wanted[0] else None, g * by_y() if wanted[1] else None, None, None, None, None)

    @staticmethod
    def backward(ctx, g):
        return Term._backward(ctx, g)


class ForwardTerm(Term):
    """The same with forward-mode derivatives, which torch's compiler cannot trace."""

    @staticmethod
    def backward(ctx, g):
        return ForwardTerm._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, *_):
        by_x, by_y = ForwardTerm.derivatives(ctx)
        terms = ([] if x_t is None else [x_t * by_x()]) + ([] if y_t is None else [y_t * by_y()])
        return sum(terms[1:], terms[0])


def _derivative(f):
    def derivative(y):
        value, pull = torch.func.vjp(f, y)
        return pull(torch.ones_like(value))[0]

    return derivative


def _plain() -> bool:
    """Whether tensors hold numbers that may be looked at: neither traced by the compiler nor wrapped by torch.func."""
    return not torch.compiler.is_compiling() and torch._C._functorch.peek_interpreter_stack() is None


class Elementwise(nn.Module):
    loss: type  # the NumPy loss with the formula

    def __init__(self, weight=None, reduction="mean", denominator=None, legacy=(None, None)):
        super().__init__()
        if legacy != (None, None):
            reduction = torch.nn._reduction.legacy_get_string(*legacy)
        one_of("reduction", reduction, self.loss.reductions)
        one_of("denominator", denominator, (None, *DENOMINATORS))
        self.register_buffer("weight", weight)
        if weight is None:
            # torch's modules without weights have no such entry in their state, so that theirs loads here
            self._non_persistent_buffers_set.add("weight")
        self.reduction = reduction
        self.denominator = denominator

    target_range = property(lambda self: self.loss.target_range)

    def arguments(self):
        return {}

    def forward(self, input, target):
        if not input.is_floating_point():
            raise TypeError(f"input must be a floating-point tensor; got {input.dtype}")
        if target.is_complex():
            raise TypeError(f"target must hold real numbers; got {target.dtype}")
        if input.shape != target.shape:
            raise ValueError(
                f"target must have the shape of input, {tuple(input.shape)}; got {tuple(target.shape)} "
                "(shapes are never broadcast silently)"
            )
        dtype = input.dtype
        if dtype in (torch.float16, torch.bfloat16):
            input = input.float()  # half precision is computed in single
        target = target.to(input.dtype)
        weight, extra = self.weight, getattr(self, "pos_weight", None)
        for name, tensor in (("weight", weight), ("pos_weight", extra)):
            if tensor is not None and not _broadcasts(tensor.shape, input.shape):
                raise ValueError(
                    f"{name} must broadcast to the shape of input, {tuple(input.shape)}; got shape {tuple(tensor.shape)}"
                )
        weight, extra = (None if t is None else t.to(input.dtype) for t in (weight, extra))
        plain = _plain()
        if plain and input.device.type == "cpu":  # elsewhere, looking at a value makes the host wait
            _check("input", input, *self.loss.input_range)
            _check("target", target, *self.target_range)
        term = Term if torch.compiler.is_compiling() else ForwardTerm
        value = term.apply(input, target, extra, partial(self.loss.formula, **self.arguments()), 0, 0)
        if weight is not None:
            value = value * weight
        if self.reduction != "none":
            value = value.sum()
        if self.reduction in ("mean", "batchmean"):
            kind = "samples" if self.reduction == "batchmean" else self.denominator or self.loss.mean_over
            n = denominator(TORCH, kind, input.shape, weight, target)
            value = value / n if isinstance(n, torch.Tensor) or n else value * math.nan
        return value.to(dtype)

    def extra_repr(self):
        shown = {k: v for k, v in vars(self).items() if k[0] != "_" and k != "training" and v is not None}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())


def _broadcasts(shape, onto) -> bool:
    return len(shape) <= len(onto) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(onto)))


def _check(name, tensor, low, high):
    if low == -math.inf and high == math.inf or tensor.numel() == 0:
        return
    tensor = tensor.detach()
    least, most = (t.item() for t in tensor.aminmax())
    if least >= low and most <= high:
        return
    bad = tensor[(tensor < low) | (tensor > high)]
    if bad.numel():
        raise ValueError(f"{name} must be in [{low:g}, {high:g}]; got {bad[0].item():.9g}")


class BCELoss(Elementwise):
    loss = bce.BCELoss

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", *, denominator=None):
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class BCEWithLogitsLoss(Elementwise):
    loss = bce.BCEWithLogitsLoss

    def __init__(
        self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None, *, denominator=None
    ):
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.register_buffer("pos_weight", pos_weight)

    def arguments(self):
        return {"pos_weight": None}


class KLDivLoss(Elementwise):
    loss = kl.KLDivLoss

    def __init__(
        self, size_average=None, reduce=None, reduction="mean", log_target=False, *, weight=None, denominator=None
    ):
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.log_target = log_target

    target_range = property(lambda self: (-math.inf, 0.0) if self.log_target else (0.0, 1.0))

    def arguments(self):
        return {"log_target": self.log_target}


class MSELoss(Elementwise):
    loss = regression.MSELoss

    def __init__(self, size_average=None, reduce=None, reduction="mean", *, weight=None, denominator=None):
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class L1Loss(MSELoss):
    loss = regression.L1Loss


class SmoothL1Loss(Elementwise):
    loss = regression.SmoothL1Loss

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0, *, weight=None, denominator=None):
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.beta = number("beta", beta, 0)

    def arguments(self):
        return {"beta": self.beta}


class HuberLoss(Elementwise):
    loss = regression.HuberLoss

    def __init__(self, reduction="mean", delta=1.0, *, weight=None, denominator=None):
        super().__init__(weight, reduction, denominator)
        self.delta = number("delta", delta, 0, above=True)

    def arguments(self):
        return {"delta": self.delta}


class SigmoidFocalLoss(Elementwise):
    loss = focal.SigmoidFocalLoss

    def __init__(self, alpha=0.25, gamma=2.0, *, weight=None, reduction="mean", denominator=None):
        super().__init__(weight, reduction, denominator)
        self.alpha = None if alpha is None else number("alpha", alpha, 0, 1)
        self.gamma = number("gamma", gamma, 0)

    def arguments(self):
        return {"alpha": self.alpha, "gamma": self.gamma}
