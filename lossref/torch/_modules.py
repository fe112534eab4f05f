"""What the modules share: torch's arguments, the way a loss is evaluated, dtypes, checks, reductions."""

from __future__ import annotations

import math
import operator
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch._functorch.pyfunctorch import retrieve_all_functorch_interpreters
from torch.autograd import forward_ad

from .. import ce
from .._classes import smooth
from .._reduce import DENOMINATORS, denominator
from .._validate import integer, one_of
from ._autograd import (
    ForwardRowTerm,
    ForwardTerm,
    Pass,
    RowTerm,
    Term,
    compiled_inside_of_func,
    interpreters,
    target_of,
)
from ._namespace import SMOOTH, TORCH

PLAIN = (torch.Tensor, nn.Parameter)
DTYPES = (torch.float16, torch.float32, torch.float64)
TARGETS = (
    *DTYPES, torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32,
    torch.uint64,
)  # fmt: skip


def _plain() -> bool:
    """Whether tensors hold numbers that may be looked at: not traced, not fake, not wrapped by torch.func."""
    return not torch.compiler.is_compiling() and interpreters() is None and not torch._C._len_torch_dispatch_stack()


def _in_memory(b) -> bool:
    return b is None or (
        b.is_cpu and b.layout is torch.strided and b.dtype in TARGETS and not (b.requires_grad or b.is_neg())
    )


def _twice_forward() -> bool:
    """Whether a forward-mode derivative is taken of another one."""
    if forward_ad._current_level > 0:
        return True
    at_work = retrieve_all_functorch_interpreters() if interpreters() is not None else []
    return sum(i.key() == torch._C._functorch.TransformType.Jvp for i in at_work) > 1


class Loss(nn.Module):
    """What all modules share: torch's arguments for reduction, the dtype of the result, checks of values."""

    loss: Any  # the NumPy loss with the formula: a class
    denominators: tuple[str | None, ...]
    weight: torch.Tensor | None
    held: tuple[str, ...] = ()  # the names of weights

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
        self.held = (*self.held, name)

    def weights(self) -> dict[str, torch.Tensor | None]:
        """The weights by their names: buffers, unless somebody made parameters of them."""
        if len(self._buffers) == len(self.held):
            return self._buffers
        return {name: getattr(self, name) for name in self.held}

    def as_it_is(self):
        """The module with the weights and arguments of now, for a backward that comes when they may be others."""
        now = object.__new__(type(self))
        kept = vars(self).copy()
        kept["_buffers"], kept["_parameters"] = self._buffers.copy(), self._parameters.copy()
        object.__setattr__(now, "__dict__", kept)
        return now

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
        for name, b in self.weights().items():
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
            and not torch._C._len_torch_dispatch_stack()
            and forward_ad._current_level < 0
            and not (input.dtype == torch.float16 and torch.is_autocast_enabled("cpu"))
            and all(map(_in_memory, self.weights().values()))
        )

    def extra_repr(self):
        hidden = ("training", "held")
        shown = {k: v for k, v in vars(self).items() if k[0] != "_" and k not in hidden and v is not None}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items())

    def _input(self, input, target):
        """The input in the precision of the computation, and the dtype of the result."""
        for name, tensor in (("input", input), ("target", target)):
            if not isinstance(tensor, torch.Tensor):
                raise TypeError(f"{name} must be a tensor; got {type(tensor).__name__}")
            if tensor.layout is not torch.strided:
                raise TypeError(f"{name} must be a dense tensor; got one with layout {tensor.layout}")
        one_of("reduction", self.reduction, self.loss.reductions)
        if not torch.compiler.is_compiling() and _twice_forward():
            raise NotImplementedError(
                "a forward-mode derivative of a forward-mode derivative is beyond torch.autograd.Function and would be "
                "wrong without a word; use torch.func.hessian, jacrev or grad for one of them"
            )
        for name, tensor in (("target", target), *self.weights().items()):
            if tensor is not None and tensor.device != input.device and (tensor is target or tensor.dim()):
                raise ValueError(f"{name} must be on the device of input, {input.device}; got {tensor.device}")
        if not input.is_floating_point():
            raise TypeError(f"input must be a floating-point tensor; got {input.dtype}")
        if input.dtype not in (torch.float16, torch.bfloat16):
            return input, input.dtype
        # half precision is computed in single, and under autocast stays there, as torch's losses do
        kind = input.device.type
        autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
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
        held = [(name, b) for name, b in self.weights().items() if b is not None]
        for name, tensor in held:
            if not _broadcasts(tensor.shape, x.shape):
                raise ValueError(
                    f"{name} must broadcast to the shape of input, {tuple(x.shape)}; got shape {tuple(tensor.shape)}"
                )
        weight, extra = (None if t is None else t.to(x.dtype) for t in (weight, extra))
        if self._look(x):
            _check("input", x, *self.loss.input_range)
            _check("target", y, *self.target_range)
            for name, tensor in held:
                _check(name, tensor, 0, math.inf)
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
        has_classes(c, x)
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
            if weight is not None:
                _check(self.loss.weights_name, weight, 0, math.inf)
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
        if compiled_inside_of_func():
            # The compiler loses the second derivative of a Function inside of torch.func: it gets the formula itself.
            value = how(SMOOTH, rows, target_of(y, a)).value().squeeze(-1)
        else:
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


def has_classes(c, input):
    if c == 0:
        raise ValueError(f"input must have at least one class; got shape {tuple(input.shape)}")


def _with_formula(parts, formula, m, x, target):
    return parts(m, formula, x, target)


def _broadcasts(shape, onto) -> bool:
    pairs = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(a == 1 or a == b for a, b in pairs)  # `in` fails for symbolic sizes


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
