"""The same losses as ``torch.nn`` modules, on the same formulas, in two ways.

In memory, eagerly, NumPy makes its one pass over the tensors' own numbers (``Pass``). Everywhere else, on a device,
under the compiler and torch.func, for a gradient of the target or of a gradient, the formula is evaluated in torch's
operations (``Term``, ``RowTerm``). Either way backward is the derived formula: torch's autograd, left to differentiate
a stable form itself, would lose the tails and be wrong at kinks.
"""

from __future__ import annotations

import math
import operator
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    import torch
    from torch import nn
    from torch.autograd import forward_ad
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "lossref.torch needs PyTorch, which is not installed: pip install 'lossref[torch]'", name="torch"
    ) from error

from . import bce, ce, distillation, focal, kl, regression
from ._classes import smooth
from ._elementary import Distribution, Index, Logistic, Softmax
from ._reduce import DENOMINATORS, denominator
from ._validate import integer, number, one_of


class Torch:
    """The namespace ``m`` in which a formula is evaluated on tensors."""

    hard = False  # labels are not looked at

    abs: Any = staticmethod(torch.abs)
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    log1p = staticmethod(torch.log1p)
    relu: Any = staticmethod(torch.relu)
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
    def sum_except(x, k):
        return x.scatter(-1, k, 0.0).sum(-1, keepdim=True)

    @staticmethod
    def classes(x):
        return torch.arange(x.shape[-1], device=x.device)


TORCH = Torch()


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


SMOOTH = Smooth()


class Term(torch.autograd.Function):
    """The terms ℓ(x, y) of a loss, differentiated ``i`` times by x and ``j`` times by y.

    Twice by x the formula says how, from there on torch works it out. By y it always does: no formula is delicate
    there, and few targets have a gradient. ``times`` multiplies what comes from behind: where there are weights,
    and in all higher derivatives, 0 times ±inf is 0.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, extra, formula, times, i, j):
        m = TORCH if i <= 2 else SMOOTH

        def term(x, y):
            return (formula(m, x, y) if extra is None else formula(m, x, y, pos_weight=extra))[min(i, 2)]()

        for _ in range(i - 2):
            term = _derivative(term, 0)
        for _ in range(j):
            term = _derivative(term, 1)
        return term(x, y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, extra, *ctx.rest = inputs
        ctx.save_for_backward(x, y, extra)
        ctx.save_for_forward(x, y, extra)

    @classmethod
    def derivatives(cls, ctx):
        """∂/∂x and ∂/∂y of what forward gave, as functions: mostly only one of them is wanted."""
        x, y, extra = ctx.saved_tensors
        formula, times, i, j = ctx.rest

        return (
            lambda: cls.apply(x, y, extra, formula, times, i + 1, j),
            lambda: cls.apply(x, y, extra, formula, times, i, j + 1),
        )

    @classmethod
    def _backward(cls, ctx, g):
        by_x, by_y = cls.derivatives(ctx)
        wanted = ctx.needs_input_grad
        if wanted[2]:
            raise RuntimeError("pos_weight has no gradient; use weights without requires_grad")
        _, times, i, _ = ctx.rest
        times = TORCH.times if i else times
        return (times(g, by_x()) if wanted[0] else None, g * by_y() if wanted[1] else None, *[None] * 5)

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
        # (a tangent that was not given may come as zeros)
        terms = [TORCH.times(t, by()) for t, by in ((x_t, by_x), (y_t, by_y)) if t is not None]
        return sum(terms[1:], terms[0])


def _derivative(f, k):
    """∂f/∂x (``k`` = 0) or ∂f/∂y (1)."""

    def derivative(*xy):
        value, pull, *_ = torch.func.vjp(lambda at: f(*xy[:k], at, *xy[k + 1 :]), xy[k])
        return pull(torch.ones_like(value))[0]

    return derivative


interpreters = torch._C._functorch.peek_interpreter_stack  # of torch.func: None when none is at work


def _plain() -> bool:
    """Whether tensors hold numbers that may be looked at: neither traced by the compiler nor wrapped by torch.func."""
    return not torch.compiler.is_compiling() and interpreters() is None


class Pass(torch.autograd.Function):
    """Value and gradient in the one pass over tiles that NumPy makes, on the tensors' own memory.

    What is kept for backward is the gradient; it is scaled in place and given away, unless the graph is to be kept.
    """

    @staticmethod
    def forward(ctx, input, target, module):
        ctx.save_for_backward(input, target)
        ctx.module = module
        loss, x, y = module.on_numpy(), input.detach().numpy(), target.numpy()
        if input.requires_grad:
            # NumPy's memory, because it asks for huge pages: torch's own takes as long to be faulted in as to be filled
            value, gradient = loss.value_and_grad(x, y, out=np.empty(x.shape, x.dtype))
            ctx.gradient = torch.from_numpy(gradient)
        else:
            value = loss(x, y)
        return torch.from_numpy(np.asarray(value))

    @staticmethod
    def backward(ctx, g):
        gradient = ctx.gradient
        if gradient is None or torch.is_grad_enabled():  # backward is itself to be differentiated, or comes too late
            input, target = ctx.saved_tensors
            value = ctx.module.by_terms(input, target)
            # (value, …, g) would say the same, but makes torch import SymPy: half a second
            return *torch.autograd.grad((value * g).sum(), input, create_graph=True), None, None
        if _batched(g):  # nothing is done in place, and g is not looked at
            return gradient * _beside(g, gradient), None, None
        keep = torch._C._autograd._get_current_graph_task_keep_graph()
        if not keep:
            ctx.gradient = None
        if g.dim() == 0 and g.item() == 1:
            return gradient.clone() if keep else gradient, None, None
        g = _beside(g, gradient)
        return gradient * g if keep else gradient.mul_(g), None, None


def _in_memory(b) -> bool:
    return b is None or (b.is_cpu and b.dtype in TARGETS and not b.requires_grad)


def _batched(g) -> bool:
    """Whether it is several at once, of torch.func.vmap or of autograd's own."""
    return torch._C._functorch.is_batchedtensor(g) or torch._C._functorch.is_legacy_batchedtensor(g)


def _beside(g, input):
    """The factors of the samples' losses, with the axis of classes put in that they have not."""
    return g.unsqueeze(min(1, input.dim() - 1)) if g.dim() and g.dim() < input.dim() else g


class RowTerm(torch.autograd.Function):
    """The loss of each row of ``x`` (``i`` = 0), and its gradient by ``x`` (1), for a target with masses ``a``.

    The target is class ``y``, or every class (``y`` None). What torch differentiates itself is the product with the
    Hessian, for the third derivative.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, a, how, i):
        parts = how(TORCH, x, _target(y, a))
        return parts.gradient() if i else parts.value().squeeze(-1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.how, ctx.i = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @classmethod
    def _backward(cls, ctx, g):
        x, y, a = ctx.saved_tensors
        by_x, _, by_a, *_ = ctx.needs_input_grad
        if ctx.i:
            parts = ctx.how(TORCH, x, _target(y, a))
            return parts.turned(g) if by_x else None, None, parts.by_mass(g) if by_a else None, None, None
        g = g.unsqueeze(-1)
        return (
            g * cls.apply(x, y, a, ctx.how, 1) if by_x else None,
            None,
            g * ctx.how(TORCH, x, Each(TORCH, a)).value() if by_a else None,
            None,
            None,
        )

    @staticmethod
    def backward(ctx, g):
        return RowTerm._backward(ctx, g)


class ForwardRowTerm(RowTerm):
    """The same with forward-mode derivatives, which torch's compiler cannot trace."""

    @staticmethod
    def backward(ctx, g):
        return ForwardRowTerm._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, a_t, *_):
        x, y, a = ctx.saved_tensors
        how = ctx.how
        if ctx.i:  # symmetric in the changes of x, linear in a
            by_x, by_a = (
                lambda: how(TORCH, x, _target(y, a)).turned(x_t),
                lambda: how(TORCH, x, _target(y, a_t)).gradient(),
            )
        else:
            by_x, by_a = (
                lambda: x_t * ForwardRowTerm.apply(x, y, a, how, 1),
                lambda: a_t * how(TORCH, x, Each(TORCH, a)).value(),
            )
        terms = [by() for t, by in ((x_t, by_x), (a_t, by_a)) if t is not None]
        tangent = sum(terms[1:], terms[0])
        return tangent if ctx.i else tangent.sum(-1)


class Each(Distribution):
    """Every class by itself: what the loss would be if it had all the mass, which is the derivative by its mass."""

    def total(self, terms):
        return terms


def _target(y, a):
    return Distribution(TORCH, a) if y is None else Index(TORCH, y, a)


class Distilled(torch.autograd.Function):
    """The distillation loss of each row (``i`` = 0), and its gradient by ``x``, T (softmax(x/T) - softmax(y/T)) (1).

    The gradient is a Function of its own, for its second derivative is plain and its value is not.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, T, i):
        parts = distillation.DistillationLoss.parts(TORCH, T, x, y)
        return parts.gradient() if i else parts.value().squeeze(-1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.T, ctx.i = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @classmethod
    def _along(cls, ctx, g, h):
        """∂/∂x along g and ∂/∂y along h, where they are given. Those of the gradient are symmetric matrices."""
        x, y = ctx.saved_tensors
        if ctx.i:
            return g if g is None else _covary(x / ctx.T, g), h if h is None else -_covary(y / ctx.T, h)
        return (
            g if g is None else g * cls.apply(x, y, ctx.T, 1),
            h if h is None else -_covary(y / ctx.T, torch.where(y == -math.inf, 0, x - y)) * h,
        )

    @classmethod
    def _backward(cls, ctx, g):
        g = g if ctx.i else g.unsqueeze(-1)
        return *cls._along(ctx, *(g if wanted else None for wanted in ctx.needs_input_grad[:2])), None, None

    @staticmethod
    def backward(ctx, g):
        return Distilled._backward(ctx, g)


class ForwardDistilled(Distilled):
    """The same with forward-mode derivatives, which torch's compiler cannot trace."""

    @staticmethod
    def backward(ctx, g):
        return ForwardDistilled._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, *_):
        along = [a for a in ForwardDistilled._along(ctx, x_t, y_t) if a is not None]
        tangent = sum(along[1:], along[0])
        return tangent if ctx.i else tangent.sum(-1)


def _covary(z, v):
    """(diag p - ppᵀ) v for p = softmax(z)."""
    p = z.softmax(-1)
    return p * (v - (p * v).sum(-1, keepdim=True))


PLAIN = (torch.Tensor, nn.Parameter)
DTYPES = (torch.float16, torch.float32, torch.float64)
TARGETS = (
    *DTYPES, torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32,
    torch.uint64,
)  # fmt: skip


class Loss(nn.Module):
    """What all modules share: torch's arguments for reduction, the dtype of the result, checks of values."""

    loss: Any  # the NumPy loss with the formula: a class
    denominators: tuple[str | None, ...]
    weight: torch.Tensor | None

    if TYPE_CHECKING:  # nn.Module's takes and gives anything

        def __call__(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor: ...

    def __init__(self, weight=None, reduction="mean", denominator=None, legacy=(None, None)):
        super().__init__()
        if legacy != (None, None):
            reduction = torch.nn._reduction.legacy_get_string(*legacy)
        one_of("reduction", reduction, self.loss.reductions)
        one_of("denominator", denominator, self.denominators)
        self._hold("weight", weight)
        self.reduction = reduction
        self.denominator = denominator

    def _hold(self, name, weights):
        """Keep weights as a buffer, if they can be weights."""
        if isinstance(weights, torch.Tensor):
            if weights.is_complex():
                raise TypeError(f"{name} must hold real numbers; got {weights.dtype}")
            if self._look(weights):
                _check(name, weights, 0, math.inf)
        self.register_buffer(name, weights)

    def arguments(self) -> dict[str, Any]:
        return {}

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """与 `torch.nn` 的同名模块相同；公式见 `lossref` 的同名损失。"""
        return (
            Pass.apply(input, target, self) if self._on_cpu(input, target) else self.by_terms(input, target)
        )

    def by_terms(self, input, target):
        """The loss in torch's own operations, which the two kinds of loss have each in their way."""
        raise NotImplementedError

    def on_numpy(self):
        """The NumPy loss with this module's arguments."""
        loss = object.__new__(self.loss)
        given = vars(loss)
        given.update(self.arguments(), reduction=self.reduction, denominator=self.denominator)
        given.update(names=("input", "target"), warns=False)
        for name, b in self._buffers.items():
            given[name] = None if b is None else b.detach().numpy()
        return loss

    def _on_cpu(self, input, target) -> bool:
        """Whether NumPy may take over: plain tensors of its dtypes in memory, only the input to differentiate."""
        return (
            not torch.compiler.is_compiling()
            and type(input) in PLAIN
            and type(target) in PLAIN
            and input.is_cpu
            and target.is_cpu
            and input.layout is target.layout is torch.strided
            and input.dtype in DTYPES
            and target.dtype in TARGETS
            and not target.requires_grad
            and input.numel() > 0
            and not (input.is_neg() or target.is_neg())
            and interpreters() is None
            and forward_ad._current_level < 0
            and not (input.dtype == torch.float16 and torch.is_autocast_enabled("cpu"))
            and all(map(_in_memory, self._buffers.values()))
        )

    def extra_repr(self):
        shown = {k: v for k, v in vars(self).items() if k[0] != "_" and k != "training" and v is not None}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())

    def _input(self, input, target):
        """The input in the precision of the computation, and the dtype of the result."""
        for name, tensor in (("input", input), ("target", target)):
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{name} must be a tensor; got {type(tensor).__name__}")
            if tensor.layout is not torch.strided:
                raise TypeError(f"{name} must be a dense tensor; got one with layout {tensor.layout}")
        for name, tensor in (("target", target), *self._buffers.items()):
            if tensor is not None and tensor.device != input.device and (tensor is target or tensor.dim()):
                raise ValueError(f"{name} must be on the device of input, {input.device}; got {tensor.device}")
        if not input.is_floating_point():
            raise TypeError(f"input must be a floating-point tensor; got {input.dtype}")
        if input.dtype not in (torch.float16, torch.bfloat16):
            return input, input.dtype
        # half precision is computed in single, and under autocast stays there, as torch's losses do
        autocast = torch.is_autocast_enabled(input.device.type)
        return input.float(), torch.float32 if autocast else input.dtype

    @staticmethod
    def _look(tensor) -> bool:
        """Whether values may be looked at: not traced, not wrapped by torch.func, not on a device to wait for."""
        return tensor.device.type == "cpu" and _plain()

    def _mean(self, total, n):
        if not isinstance(n, torch.Tensor):
            return total / n if n else total * math.nan
        empty = n == 0  # then the mean is nan, and pulls at nothing
        return (total / n.masked_fill(empty, 1)).masked_fill(empty, math.nan)


class Elementwise(Loss):
    denominators = (None, *DENOMINATORS)
    target_range = property(lambda self: self.loss.target_range)

    def by_terms(self, input, target):
        x, dtype = self._input(input, target)
        if target.is_complex():
            raise TypeError(f"target must hold real numbers; got {target.dtype}")
        if input.shape != target.shape:
            raise ValueError(
                f"target must have the shape of input, {tuple(input.shape)}; got {tuple(target.shape)} "
                "(shapes are never broadcast silently)"
            )
        y = target.to(x.dtype)
        weight, extra = self.weight, getattr(self, "pos_weight", None)
        for name, tensor in (("weight", weight), ("pos_weight", extra)):
            if tensor is not None and not _broadcasts(tensor.shape, x.shape):
                raise ValueError(
                    f"{name} must broadcast to the shape of input, {tuple(x.shape)}; got shape {tuple(tensor.shape)}"
                )
        weight, extra = (None if t is None else t.to(x.dtype) for t in (weight, extra))
        if self._look(x):
            _check("input", x, *self.loss.input_range)
            _check("target", y, *self.target_range)
        term = Term if torch.compiler.is_compiling() else ForwardTerm
        times = operator.mul if weight is None else TORCH.times
        value = term.apply(x, y, extra, partial(self.loss.formula, **self.arguments()), times, 0, 0)
        if weight is not None:
            value = times(weight, value)
        if self.reduction != "none":
            value = value.sum()
        if self.reduction in ("mean", "batchmean"):
            kind = "samples" if self.reduction == "batchmean" else self.denominator or self.loss.mean_over
            value = self._mean(value, denominator(TORCH, kind, x.shape, weight, y))
        return value.to(dtype)


class Classes(Loss):
    denominators = (None, "samples", "weights")
    label_smoothing = 0.0

    def __init__(self, weight, reduction, denominator, legacy=(None, None), ignore_index=-100):
        super().__init__(weight, reduction, denominator, legacy)
        if weight is not None and weight.dim() != 1:
            raise ValueError(f"weight must have shape (C,), one for each class; got shape {tuple(weight.shape)}")
        self.ignore_index = integer("ignore_index", ignore_index)

    def on_numpy(self):
        loss = super().on_numpy()
        loss.ignore_index, loss.label_smoothing = self.ignore_index, self.label_smoothing
        return loss

    def _class_weights(self, x):
        return self.weight

    def by_terms(self, input, target):
        x, dtype = self._input(input, target)
        if x.dim() == 0:
            raise ValueError("input must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
        axis = min(1, x.dim() - 1)
        c, samples = x.shape[axis], (*x.shape[:axis], *x.shape[axis + 1 :])
        _has_classes(c, x)
        weight = self._class_weights(x)
        if weight is not None:
            if weight.shape != (c,):
                raise ValueError(
                    f"weight must have shape ({c},), one for each class of input; got {tuple(weight.shape)}"
                )
            weight = weight.to(x.dtype)
        whole = not target.is_floating_point() and not target.is_complex() and target.dtype != torch.bool
        hard = whole and target.shape == samples
        if not hard and not (target.is_floating_point() and target.shape == x.shape):
            wrong_shape = target.shape not in (samples, x.shape) and (whole or target.is_floating_point())
            raise (ValueError if wrong_shape else TypeError)(
                f"target must hold class indices (integers of shape {samples}) or probabilities (floats of the shape "
                f"of input, {tuple(x.shape)}); got dtype {str(target.dtype).removeprefix('torch.')} "
                f"and shape {tuple(target.shape)}"
            )
        if not hard and self.loss is ce.NLLLoss:
            raise TypeError(
                f"target must hold class indices (integers); got dtype {str(target.dtype).removeprefix('torch.')} "
                f"and shape {tuple(target.shape)}"
            )
        look = self._look(x)
        if look:
            _check("input", x, *self.loss.input_range)
        rows = x.movedim(axis, -1).reshape(-1, c)
        kept: Any = None
        if hard:
            y = target.reshape(-1).long()
            kept = y != self.ignore_index
            if look and y.numel():
                outside = y[kept & ((y < 0) | (y >= c))]
                if outside.numel():
                    raise IndexError(
                        f"target must hold class indices in [0, {c - 1}]; got {outside[0].item()}"
                    )
            y = y.masked_fill(~kept, 0).unsqueeze(-1)
            a = torch.ones_like(y, dtype=x.dtype) if weight is None else weight[y]
            mass = kept.to(x.dtype) if weight is None else a.squeeze(-1) * kept
            if self.label_smoothing:
                a = smooth(torch.zeros_like(rows).scatter(-1, y, 1.0), self.label_smoothing, weight)
                y = None
        else:
            if look:
                _check("target", target, 0.0, 1.0)
            y, a = None, target.to(x.dtype).movedim(axis, -1).reshape(-1, c)
            mass = a if weight is None else a * weight
            a = smooth(a, self.label_smoothing, weight)
        how = partial(_with_formula, self.loss.parts, partial(self.loss.formula, **self.arguments()))
        term = RowTerm if torch.compiler.is_compiling() else ForwardRowTerm
        value = term.apply(rows, y, a, how, 0)
        if kept is not None:
            value = torch.where(kept, value, 0)
        if self.reduction == "none":
            return value.reshape(samples).to(dtype)
        value = value.sum()
        if self.reduction == "mean":
            kind = self.denominator or (self.loss.mean_over if hard else "samples")
            n = (
                math.prod(samples)
                if kind == "samples"
                else kept.sum()
                if kind == "kept"
                else TORCH.total(mass)
            )
            value = self._mean(value, n)
        return value.to(dtype)


def _has_classes(c, input):
    if c == 0:
        raise ValueError(f"input must have at least one class; got shape {tuple(input.shape)}")


def _with_formula(parts, formula, m, x, target):
    return parts(m, formula, x, target)


def _broadcasts(shape, onto) -> bool:
    return len(shape) <= len(onto) and all(a in (1, b) for a, b in zip(reversed(shape), reversed(onto), strict=False))


def _check(name, tensor, low, high):
    if (low == -math.inf and high == math.inf) or tensor.numel() == 0:
        return
    tensor = tensor.detach()
    least, most = (t.item() for t in tensor.aminmax())
    if least >= low and most <= high:
        return
    bad = tensor[(tensor < low) | (tensor > high)]
    if bad.numel():
        wanted = f"in [{low:g}, {high:g}]" if high < math.inf else f"at least {low:g}"
        raise ValueError(f"{name} must be {wanted}; got {bad[0].item():.9g}")


class BCELoss(Elementwise):
    """`lossref.BCELoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.BCELoss`，另有关键字参数 `denominator`。
    """

    loss = bce.BCELoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean", *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class BCEWithLogitsLoss(Elementwise):
    """`lossref.BCEWithLogitsLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.BCEWithLogitsLoss`，另有关键字参数 `denominator`。
    """

    loss = bce.BCEWithLogitsLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean", pos_weight: torch.Tensor | None = None, *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self._hold("pos_weight", pos_weight)

    def arguments(self):
        return {"pos_weight": None}


class KLDivLoss(Elementwise):
    """`lossref.KLDivLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.KLDivLoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = kl.KLDivLoss

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        log_target: bool = False, *, weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.log_target = log_target

    target_range = property(lambda self: (-math.inf, 0.0) if self.log_target else (0.0, 1.0))

    def arguments(self):
        return {"log_target": self.log_target}


class DistillationLoss(Loss):
    """`lossref.DistillationLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.DistillationLoss`。

    对教师也可以求导（自蒸馏、互学习）；教师照例不学，用 `torch.no_grad()` 或 `detach()` 截断。
    """

    loss = distillation.DistillationLoss
    denominators = loss.denominators

    def __init__(
        self, temperature: float = 1.0, *, reduction: str = "mean", denominator: str | None = None
    ) -> None:
        super().__init__(None, reduction, denominator)
        self.temperature = self.loss(temperature).temperature

    def arguments(self):
        return {"temperature": self.temperature}

    def by_terms(self, input, target):
        x, dtype = self._input(input, target)
        if x.dim() == 0:
            raise ValueError("input must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
        if x.shape != target.shape or not target.is_floating_point():
            raise (TypeError if x.shape == target.shape else ValueError)(
                f"target must hold the teacher's logits (floats of the shape of input, {tuple(x.shape)}); "
                f"got dtype {str(target.dtype).removeprefix('torch.')} and shape {tuple(target.shape)}"
            )
        y = target.to(x.dtype)
        for name, logits in (("input", x), ("target", y)):
            if self._look(logits) and (logits == math.inf).any():
                raise ValueError(f"{name} must hold logits below inf; got inf")
        axis = min(1, x.dim() - 1)
        x, y = (logits.movedim(axis, -1) for logits in (x, y))
        c, samples = x.shape[-1], x.shape[:-1]
        _has_classes(c, input)
        term = Distilled if torch.compiler.is_compiling() else ForwardDistilled
        value = term.apply(x.reshape(-1, c), y.reshape(-1, c), self.temperature, 0)
        if self.reduction == "none":
            return value.reshape(samples).to(dtype)
        value = value.sum()
        if self.reduction == "mean":
            value = self._mean(value, math.prod(samples) * (c if self.denominator == "elements" else 1))
        return value.to(dtype)


class MSELoss(Elementwise):
    """`lossref.MSELoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.MSELoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss: Any = regression.MSELoss  # L1Loss inherits

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", *,
        weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class L1Loss(MSELoss):
    """`lossref.L1Loss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.L1Loss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.L1Loss


class SmoothL1Loss(Elementwise):
    """`lossref.SmoothL1Loss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.SmoothL1Loss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.SmoothL1Loss

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        beta: float = 1.0, *, weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.beta = number("beta", beta, 0)

    def arguments(self):
        return {"beta": self.beta}


class HuberLoss(Elementwise):
    """`lossref.HuberLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.HuberLoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.HuberLoss

    def __init__(
        self, reduction: str = "mean", delta: float = 1.0, *,
        weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator)
        self.delta = number("delta", delta, 0, above=True)

    def arguments(self):
        return {"delta": self.delta}


class SigmoidFocalLoss(Elementwise):
    """`lossref.SigmoidFocalLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.SigmoidFocalLoss`。"""

    loss = focal.SigmoidFocalLoss

    def __init__(
        self, alpha: float | None = 0.25, gamma: float = 2.0, *, weight: torch.Tensor | None = None,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator)
        self.alpha = None if alpha is None else number("alpha", alpha, 0, 1)
        self.gamma = number("gamma", gamma, 0, finite=True)

    def arguments(self):
        return {"alpha": self.alpha, "gamma": self.gamma}


class CrossEntropyLoss(Classes):
    """`lossref.CrossEntropyLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.CrossEntropyLoss`，另有关键字参数 `denominator`。
    """

    loss = ce.CrossEntropyLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0, *,
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce), ignore_index)
        self.label_smoothing = number("label_smoothing", label_smoothing, 0, 1)


class NLLLoss(Classes):
    """`lossref.NLLLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.NLLLoss`，另有关键字参数 `denominator`。
    """

    loss = ce.NLLLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean", *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce), ignore_index)


class SoftmaxFocalLoss(Classes):
    """`lossref.SoftmaxFocalLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.SoftmaxFocalLoss`。"""

    loss = focal.SoftmaxFocalLoss
    alpha: float | torch.Tensor | None  # a number is kept as one: a tensor would round it to a dtype of its own

    def __init__(
        self, alpha: float | torch.Tensor | None = None, gamma: float = 2.0, *, ignore_index: int = -100,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(None, reduction, denominator, ignore_index=ignore_index)
        if alpha is None or isinstance(alpha, Real):
            self.alpha = None if alpha is None else number("alpha", alpha, 0)
        else:
            alpha = torch.as_tensor(alpha)
            self._hold("alpha", alpha)
            if alpha.dim() > 1:
                raise ValueError(
                    f"alpha must be a number or have shape (C,), one for each class; got shape {tuple(alpha.shape)}"
                )
        self.gamma = number("gamma", gamma, 0, finite=True)

    def arguments(self):
        return {"gamma": self.gamma}

    def on_numpy(self):
        loss = super().on_numpy()
        if "alpha" not in self._buffers:
            loss.alpha = None if self.alpha is None else np.asarray(self.alpha)
        return loss

    def _class_weights(self, x):
        c, alpha = x.shape[min(1, x.dim() - 1)], self.alpha
        if alpha is None:
            return None
        if not isinstance(alpha, torch.Tensor):
            return torch.full((c,), alpha, dtype=x.dtype, device=x.device)
        if alpha.shape not in ((), (c,)):
            raise ValueError(f"alpha must have shape ({c},), one for each class of input; got {tuple(alpha.shape)}")
        return alpha.expand(c)
