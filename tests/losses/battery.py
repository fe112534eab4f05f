"""The checks that every loss passes and, as test_meta.py proves, that no wrong loss does.

Each takes a case and a factory for the loss, so that a mutant can be put in the place of the real one.
"""

from __future__ import annotations

from functools import cache

import mpmath
import numpy as np
import torch
from mpmath import mpf
from oracles import differences, digits_to_spare, exact, ulps

PARTS = ("value", "gradient", "hessian")


def evaluate(loss, part, x, y):
    return {"value": loss, "gradient": loss.grad, "hessian": loss.hess}[part](x, y)


@cache
def references(case, dtype):
    """The points of a case with what is true there; worked out once, for the loss and for all its mutants."""
    x, y = case.points(dtype)
    wanted, sizes = [], []
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        with digits_to_spare(a, case.digits(a)):
            wanted.append(exact(lambda t, b=b: case.definition(t, mpf(b)), a))
            sizes.append([terms(mpf(a), mpf(b)) for terms in case.terms])
    return x, y, wanted, sizes


def check_exact(case, make, dtype):
    """Value, gradient and Hessian against mpmath on the definition, in ulps."""
    x, y, wanted, sizes = references(case, dtype)
    loss = make(reduction="none", **case.kwargs)
    got = [evaluate(loss, part, x, y) for part in PARTS]
    assert all(g.dtype == dtype and g.shape == x.shape for g in got)
    worst = [(0.0, "")] * 3
    for i, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        for k, part in enumerate(PARTS):
            error = ulps(got[k][i], wanted[i][k], dtype, sizes[i][k], case.gains[k])
            where = f"{part} at x={a!r}, y={b!r}: got {got[k][i]!r}, true {mpmath.nstr(wanted[i][k], 17)}"
            worst[k] = max(worst[k], (error, where), key=lambda w: w[0])
    for (error, where), bound in zip(worst, case.ulps[dtype], strict=True):
        assert error <= bound, f"{where}: {error:.3g} ulp, at most {bound} allowed"
    return [error for error, _ in worst]


def close(got, wanted, relative, what):
    """The tolerance scales with what is wanted: nothing of that size and zero pass for each other."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"{what}: shape {got.shape}, wanted {wanted.shape}"
    scale = np.max(np.abs(wanted), initial=0.0)
    assert np.all(np.abs(got - wanted) <= relative * scale), f"{what}: got {got}, wanted {wanted}"


def check_differences(case, make, reduction):
    """The gradient against fourth-order differences of the value, the Hessian against those of the gradient."""
    rng = np.random.default_rng(1)
    x, y = case.draw(rng, (3, 4))
    loss = make(reduction=reduction, **case.kwargs)

    def along(f):
        """The derivative of f with respect to each element in turn."""
        result = np.empty_like(x)
        for i in np.ndindex(x.shape):

            def at(t, i=i):
                moved = x.copy()
                moved[i] = t
                value = f(moved, y)
                return value if np.ndim(value) == 0 else value[i]

            result[i] = differences(at, x[i], 1e-4)
        return result

    close(loss.grad(x, y), along(loss), 1e-8, "gradient")
    close(loss.hess(x, y), along(loss.grad), 1e-8, "hessian")


def check_torch(case, make, reduction, weight):
    """Value, gradient and Hessian against torch's own loss and autograd, in float64."""
    rng = np.random.default_rng(2)
    x, y = case.draw(rng, (5, 3))
    loss = make(**case.kwargs, reduction=reduction, **({} if weight is None else {"weight": weight}))
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y)
    value = case.peer(tx, ty, None if weight is None else torch.tensor(weight), reduction)
    (gradient,) = torch.autograd.grad(value.sum(), tx, create_graph=case.smooth)
    # element-wise losses: row sums of the Hessian are its diagonal
    hessian = torch.autograd.grad(gradient.sum(), tx)[0] if case.smooth else torch.zeros_like(tx)
    close(loss(x, y), value.detach(), 1e-13, "value")
    close(loss.grad(x, y), gradient.detach(), 1e-13, "gradient")
    close(loss.hess(x, y), hessian, 1e-10, "hessian")  # torch's second derivative of BCE adds 1e-12


def check_one_pass(case, make):
    """value_and_grad, grad and out= are one and the same."""
    x, y = case.draw(np.random.default_rng(3), (4, 6))
    loss = make(**case.kwargs)
    value, gradient = loss.value_and_grad(x, y)
    assert value == loss(x, y) and np.array_equal(gradient, loss.grad(x, y))
    out = np.full(x.shape, np.nan)
    again, same = loss.value_and_grad(x, y, out=out)
    assert same is out and again == value and np.array_equal(out, gradient)
