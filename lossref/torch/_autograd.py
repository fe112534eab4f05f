"""Formulas as differentiable functions of tensors: backward is the derived formula, to every order.

torch's autograd, left to differentiate a stable form itself, would lose the tails and be wrong at kinks. ``Pass`` has
NumPy make its one pass over the tensors' own memory; ``Term``, ``RowTerm`` and ``Distilled`` evaluate the formula in
torch's operations: on a device, under the compiler and torch.func, for a gradient of the target or of a gradient.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from .. import distillation
from .._elementary import Distribution, Index
from ._namespace import ONCE, SMOOTH, TORCH

interpreters = torch._C._functorch.peek_interpreter_stack  # of torch.func: None when none is at work


@torch.compiler.assume_constant_result
def func_at_work() -> bool:
    """Whether torch.func is: for the compiler, which cannot trace the question."""
    return interpreters() is not None


def compiled_inside_of_func() -> bool:
    """Where torch differentiates the formulas themselves."""
    return torch.compiler.is_compiling() and func_at_work()


class Term(torch.autograd.Function):
    """The terms ℓ(x, y) of a loss, differentiated ``i`` times by x and ``j`` times by y.

    Twice by x the formula says how, from there on torch works it out. By y it always does: no formula is delicate
    there, and few targets have a gradient. ``times`` multiplies what comes from behind: where there are weights,
    and in all higher derivatives, 0 times ±inf is 0.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, extra, formula, times, i, j):
        # (The compiler may differentiate what stands here itself: then it must be smooth.)
        m = SMOOTH if i > 2 or j > 1 or torch.compiler.is_compiling() else (TORCH, ONCE)[j]

        def term(x, y):
            return (formula(m, x, y) if extra is None else formula(m, x, y, pos_weight=extra))[min(i, 2)]()

        for _ in range(i - 2):
            term = _derivative(term, 0)
        for _ in range(j):
            term = _derivative(term, 1)
        value = term(x, y)
        if compiled_inside_of_func():
            value = value + SMOOTH.trace_of_nan(x, y)
        return value

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
    """The same with forward-mode derivatives, which torch's compiler cannot trace.

    A tangent or gradient that was not given is None and not zeros: what would be multiplied by them may be infinite.
    """

    @staticmethod
    def setup_context(ctx, inputs, output):
        Term.setup_context(ctx, inputs, output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g):
        return (None,) * 7 if g is None else ForwardTerm._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, extra_t, *_):
        by_x, by_y = ForwardTerm.derivatives(ctx)
        along = ((x_t, by_x), (y_t, by_y), (extra_t, lambda: ForwardTerm._by_extra(ctx)))
        terms = [TORCH.times(t, by()) for t, by in along if t is not None]
        return sum(terms[1:], terms[0])

    @staticmethod
    def _by_extra(ctx):
        """∂/∂pos_weight: everything is linear in it."""
        x, y, extra = ctx.saved_tensors
        one, none = (ForwardTerm.apply(x, y, value, *ctx.rest) for value in (torch.ones_like(extra), 0 * extra))
        return one - none


def _derivative(f, k):
    """∂f/∂x (``k`` = 0) or ∂f/∂y (1)."""

    def derivative(*xy):
        value, pull, *_ = torch.func.vjp(lambda at: f(*xy[:k], at, *xy[k + 1 :]), xy[k])
        return pull(torch.ones_like(value))[0]

    return derivative


class Pass(torch.autograd.Function):
    """Value and gradient in the one pass over tiles that NumPy makes, on the tensors' own memory.

    What is kept for backward is the gradient; it is scaled in place and given away, unless the graph is to be kept.
    """

    @staticmethod
    def forward(ctx, input, target, module):
        # (the weights, so that changing them in place before backward is an error, as it is for torch's losses)
        ctx.save_for_backward(input, target, *[b for b in module.weights().values() if b is not None])
        ctx.module = module.as_it_is()
        loss, x, y = module.on_numpy(), input.detach().numpy(), target.numpy()
        if input.requires_grad:
            # NumPy's memory, because it asks for huge pages: torch's own takes as long to be faulted in as to be filled
            value, gradient = loss.value_and_grad(x, y, out=np.empty_like(x))
            ctx.gradient = torch.from_numpy(gradient)
        else:
            value = loss(x, y)
        return torch.from_numpy(np.asarray(value))

    @staticmethod
    def backward(ctx, g):
        gradient = ctx.gradient
        if gradient is None or torch.is_grad_enabled():  # backward is itself to be differentiated, or comes too late
            input, target, *_ = ctx.saved_tensors
            # Another name for the input: g may depend on it too, and it may have hooks.
            same = input.view_as(input)
            value = ctx.module.by_terms(same, target)
            if _batched(g):
                return *torch.autograd.grad(value, same, g, create_graph=True), None, None
            # (value, same, g) would say the same, but makes torch import SymPy: half a second
            return *torch.autograd.grad((value * g).sum(), same, create_graph=True), None, None
        if _batched(g):  # nothing is done in place, and g is not looked at
            return gradient * _beside(g, gradient), None, None
        keep = torch._C._autograd._get_current_graph_task_keep_graph()
        if not keep:
            ctx.gradient = None
        if g.dim() == 0 and g.item() == 1:
            return gradient.clone() if keep else gradient, None, None
        g = _beside(g, gradient)
        return gradient * g if keep else gradient.mul_(g), None, None


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
        parts = how(TORCH, x, target_of(y, a))
        return parts.gradient() if i else parts.value().squeeze(-1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.how, ctx.i = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @classmethod
    def _by_mass(cls, x, y, a, how):
        """∂ℓ/∂a: what the loss would be with a mass of 1 there."""
        if y is None:
            # torch may differentiate it, and finds no derivative where a class is masked, whose cost is infinite
            value = how(SMOOTH, x, Each(SMOOTH, torch.zeros_like(a))).value()
            return torch.where(x == -math.inf, math.inf, value)
        return cls.apply(x, y, torch.ones_like(a), how, 0).unsqueeze(-1)

    @classmethod
    def _backward(cls, ctx, g):
        x, y, a = ctx.saved_tensors
        by_x, _, by_a, *_ = ctx.needs_input_grad
        if ctx.i:
            parts = ctx.how(SMOOTH, x, target_of(y, a))  # torch may differentiate it
            return parts.turned(g) if by_x else None, None, parts.by_mass(g) if by_a else None, None, None
        g = g.unsqueeze(-1)
        return (
            g * cls.apply(x, y, a, ctx.how, 1) if by_x else None,
            None,
            TORCH.times(g, cls._by_mass(x, y, a, ctx.how)) if by_a else None,
            None,
            None,
        )

    @staticmethod
    def backward(ctx, g):
        return RowTerm._backward(ctx, g)


class ForwardRowTerm(RowTerm):
    """The same with forward-mode derivatives, which torch's compiler cannot trace."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        RowTerm.setup_context(ctx, inputs, output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g):
        return (None,) * 5 if g is None else ForwardRowTerm._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, a_t, *_):
        x, y, a = ctx.saved_tensors
        how = ctx.how
        if ctx.i:  # symmetric in the changes of x, linear in a
            by_x, by_a = (
                lambda: how(SMOOTH, x, target_of(y, a)).turned(x_t),
                lambda: how(TORCH, x, target_of(y, a_t)).gradient(),
            )
        else:
            by_x, by_a = (
                lambda: (x_t * ForwardRowTerm.apply(x, y, a, how, 1)).sum(-1),
                lambda: TORCH.times(a_t, ForwardRowTerm._by_mass(x, y, a, how)).sum(-1),
            )
        terms = [by() for t, by in ((x_t, by_x), (a_t, by_a)) if t is not None]
        return sum(terms[1:], terms[0])


class Each(Distribution):
    """Every class by itself: what the loss would be if it had all the mass, which is the derivative by its mass."""

    def total(self, terms):
        return terms


def target_of(y, a):
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
            return g if g is None else _covary(x, ctx.T, g), h if h is None else -_covary(y, ctx.T, h)
        return (
            g if g is None else g * cls.apply(x, y, ctx.T, 1),
            h if h is None else -_covary(y, ctx.T, torch.where(y == -math.inf, 0, x - y)) * h,
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
    def setup_context(ctx, inputs, output):
        Distilled.setup_context(ctx, inputs, output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g):
        return (None,) * 4 if g is None else ForwardDistilled._backward(ctx, g)

    @staticmethod
    def jvp(ctx, x_t, y_t, *_):
        along = [a for a in ForwardDistilled._along(ctx, x_t, y_t) if a is not None]
        tangent = sum(along[1:], along[0])
        return tangent if ctx.i else tangent.sum(-1)


def _covary(x, T, v):
    """(diag p - ppᵀ) v for p = softmax(x/T): told from the largest class, whose own part would cancel."""
    s = distillation.Softened(TORCH, x, T)
    p, w = s.probabilities, v - v.gather(-1, s.k)
    return p * (w - (p * w).sum(-1, keepdim=True))
