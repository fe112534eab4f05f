"""Distillation: exact wherever teacher and student stand, parity with the usual recipe, refusals, mutants."""

import copy
import pickle
import re
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mpmath import exp, log, mp, mpf
from oracles import differences, ulps

import lossref
import lossref.torch
from lossref import DistillationLoss
from lossref.distillation import Pair, difference, remainder

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])

# -- exact -----------------------------------------------------------------------------------------------------------

TEACHER = [3, 0.5, -1, 0.25]
STUDENTS = {
    "unlike": [2, 1, 0.1, -4],
    "opposite": [-3, -0.5, 1, -0.25],
    "a little off": [3 + 1e-4, 0.5 - 3e-4, -1 + 2e-4, 0.25],
    "next to it": [3, 0.5, -1 - 1e-7, 0.25 + 2e-7],
    "shifted": [1003.1, 1000.6, 999.1, 1000.35],  # by a constant that rounding has blurred
    "one class off": [3, 0.5, -60, 0.25],
    "one class up": [3, 40.1, -1, 0.25],
    "sure": [50, 0.5, -1, 0.25],
    "sure of another": [3, 0.5, 104.4, 0.25],
    "far": [0, 5000, -9000, 1],
}
SURE = [40.3, 0, -1.25, 2]  # the teacher itself, for these:
FROM_SURE = {
    "as sure": [38.7, 0, -1.25, 2],
    "surer": [90, 0, -1.25, 2],
    "of another": [-40, 3, 2, 1],
    "a little off": [40.3, 1e-3, -1.25, 2],
}
TEMPERATURES = [1, 4, 0.1, 1.7, 20, 1e4, 1e-2, 1e9]


@cache
def reference(dtype):
    """(T, x, y, value, gradient, sizes of its terms, Hessian), from the definition with digits to spare.

    The gradient is a sum of q_i p_j - p_i q_j over all j, which may have any sign.
    """
    result = []
    pairs = [(s, TEACHER) for s in STUDENTS.values()] + [(s, SURE) for s in FROM_SURE.values()]
    pairs += [(y, x) for x, y in pairs]
    for T in TEMPERATURES:
        for student, teacher in pairs:
            x, y = (np.array(a, dtype).tolist() for a in (student, teacher))
            spread = max(max(x) - min(x), max(y) - min(y)) / T
            if spread > 4000:
                continue  # as many digits again; T = 1e-2 has its share of the others
            with mp.workdps(150 + int(spread)):
                p, log_p = softened(y, T)
                q, log_q = softened(x, T)
                n = range(len(x))
                value = T * T * sum(a * (b - c) for a, b, c in zip(p, log_p, log_q, strict=True))
                gradient = [T * (q[i] - p[i]) for i in n]
                if max(map(abs, gradient)) < mpf(10) ** -(120 + spread / 2):
                    value, gradient = mpf(0), [mpf(0)] * len(x)  # a constant apart: this is the reference's rounding
                sizes = [sum(abs(T * (q[i] * p[j] - p[i] * q[j])) for j in n) for i in n]
                hessian = [[q[i] * ((i == j) - q[j]) for j in n] for i in n]
            result.append((T, x, y, value, gradient, sizes, hessian))
    return result


def softened(z, T):
    z = [mpf(v) / mpf(T) for v in z]
    total = sum(exp(v - max(z)) for v in z)
    logs = [v - max(z) - log(total) for v in z]
    return [exp(v) for v in logs], logs


def check_exact(cls, dtype, bounds=(9, 9, 8)):
    worst = [0.0] * 3
    for T, x, y, value, gradient, sizes, hessian in reference(dtype):
        loss = cls(T, reduction="none")
        arrays = np.array([x], dtype), np.array([y], dtype)
        got = loss(*arrays), loss.grad(*arrays), loss.hess(*arrays)
        assert all(g.dtype == dtype for g in got)
        wanted = [value], gradient, [h for row in hessian for h in row]
        for k, part in enumerate(("value", "gradient", "Hessian")):
            for i, (g, w) in enumerate(zip(got[k].ravel(), wanted[k], strict=True)):
                error = ulps(g, w, dtype, sizes[i] if k == 1 else 0, max(1, T))
                worst[k] = max(worst[k], error)
                assert error <= bounds[k], f"{part} at T={T}, {x} for {y}: {g!r}, true {float(w)!r}: {error:.3g} ulp"
    return worst


@each_dtype
def test_exact(dtype):
    check_exact(DistillationLoss, dtype)


@each_dtype
def test_exact_for_many_classes(dtype):
    rng = np.random.default_rng(0)
    y = rng.normal(0, 2, 400).astype(dtype)
    for noise in (1e-4, 3):
        x = (y + rng.normal(0, noise, 400)).astype(dtype)
        with mp.workdps(60):
            (p, log_p), (q, log_q) = softened(y.tolist(), 3), softened(x.tolist(), 3)
            value = 9 * sum(a * (b - c) for a, b, c in zip(p, log_p, log_q, strict=True))
            gradient = np.array([float(3 * (b - a)) for a, b in zip(p, q, strict=True)])
        loss = DistillationLoss(3.0)
        assert ulps(loss(x, y), value, dtype) <= 12
        sizes = 3 * np.array(p, float) * max(abs(float(b - c)) for b, c in zip(log_p, log_q, strict=True))
        assert np.all(abs(loss.grad(x, y) - gradient) <= 12 * np.finfo(dtype).eps * sizes)


@each_dtype
def test_what_rounding_takes_is_known_exactly(dtype):
    """A difference and a product, beside fractions."""
    rng = np.random.default_rng(0)
    x, y = (rng.normal(0, 10.0 ** rng.integers(-3, 4, 200)).astype(dtype) for _ in range(2))
    d, lost = difference(x, y)
    for a, b, c, e in zip(*(v.tolist() for v in (x, y, d, lost)), strict=True):
        assert Fraction(a) - Fraction(b) == Fraction(c) + Fraction(e)
    for T in (3.0, 0.1, 123.4, 8.0):
        z = x / dtype(T)
        for a, b, c in zip(x.tolist(), z.tolist(), np.broadcast_to(remainder(x, z, T), x.shape).tolist(), strict=True):
            wanted = Fraction(a) - Fraction(b) * Fraction(T)
            assert abs(Fraction(c) - wanted) <= 2 * float(np.finfo(dtype).eps) ** 1.5 * abs(a)


@each_dtype
@pytest.mark.parametrize("T", [1.0, 3.0, 1e6])
def test_never_negative_and_zero_for_equals(dtype, T):
    """The recipe is negative for some of these pairs in single precision."""
    rng = np.random.default_rng(0)
    y = rng.integers(-512, 512, (500, 8)).astype(dtype) / 64
    loss = DistillationLoss(T, reduction="none")
    for x in (y, y + 17, y - dtype(1 / 64)):
        assert not loss(x, y).any() and not loss.grad(x, y).any()
    x = (y + np.finfo(dtype).eps * rng.normal(0, 4, y.shape)).astype(dtype)
    value = loss(x, y)
    assert np.all(value >= 0) and np.all((value > 0) == (x != y).any(1))
    if dtype == np.float32 and T == 1:
        tx, ty = torch.tensor(x), torch.tensor(y)
        recipe = F.kl_div(tx.log_softmax(1), ty.softmax(1), reduction="none").sum(1)
        assert (recipe < 0).sum() > 50


@each_dtype
def test_limits_of_the_temperature(dtype):
    """Half the variance of the differences of the logits for T → ∞, T times the largest gap for T → 0."""
    x, y = np.array([[2, 1, 0.1]], dtype), np.array([[3, 0.5, -1]], dtype)
    d = x - y - (x - y).mean()
    for T in (1e12, 1e30, 1e300):
        loss = DistillationLoss(T)
        np.testing.assert_allclose(loss(x, y), (d**2).sum() / 6, rtol=1e-6)
        np.testing.assert_allclose(loss.grad(x, y), d / 3, rtol=1e-6)
        np.testing.assert_allclose(loss.hess(x, y)[0], np.eye(3) / 3 - 1 / 9, rtol=1e-6)
    for T in (1e-3, 1e-30):
        loss = DistillationLoss(T)
        assert loss(x, y) < 1e-30 and not loss.hess(x, y).any()  # both are sure of the first class
        np.testing.assert_allclose(loss(x, y[:, [1, 0, 2]]), T, rtol=1e-6)
        np.testing.assert_allclose(loss.grad(x, y[:, [1, 0, 2]]), [[T, -T, 0]], rtol=1e-6)


@each_dtype
def test_masked_logits(dtype):
    """Where the teacher's logit is -inf the class has no mass; where only the student's is, the loss is inf."""
    inf = np.inf
    loss = DistillationLoss(2.0, reduction="none")
    x, y = np.array([[1, 0.3, 2]], dtype), np.array([[0.5, 1, 2.5]], dtype)
    kept = loss(x[:, [0, 2]], y[:, [0, 2]]), loss.grad(x[:, [0, 2]], y[:, [0, 2]])
    both_x, both_y = x.copy(), y.copy()
    both_x[0, 1] = both_y[0, 1] = -inf
    assert loss(both_x, both_y) == kept[0]
    assert np.array_equal(loss.grad(both_x, both_y), np.insert(kept[1], 1, 0, axis=1))
    p = np.exp(both_y / 2) / np.exp(both_y / 2).sum()
    q = np.exp(x / 2) / np.exp(x / 2).sum()
    mass = p > 0
    np.testing.assert_allclose(loss(x, both_y), 4 * (p * np.log(p / q, where=mass, out=0 * p)).sum(), rtol=1e-5)
    np.testing.assert_allclose(loss.grad(x, both_y), 2 * (q - p), rtol=1e-5)
    assert loss(both_x, y) == inf
    p, q = np.exp(y / 2) / np.exp(y / 2).sum(), np.exp(both_x / 2) / np.exp(both_x / 2).sum()
    np.testing.assert_allclose(loss.grad(both_x, y), 2 * (q - p), rtol=1e-5)
    apart = np.array([[0, -inf]], dtype), np.array([[-inf, 3]], dtype)
    assert loss(*apart) == inf and np.array_equal(loss.grad(*apart), [[2, -2]])
    nothing = np.full((1, 3), -inf, dtype)
    assert np.isnan(loss(nothing, y)) and np.isnan(loss(x, nothing))
    tx, ty = torch.tensor(both_x, requires_grad=True), torch.tensor(both_y, requires_grad=True)
    assert torch.isnan(F.kl_div((tx / 2).log_softmax(1), (ty / 2).softmax(1), reduction="sum"))
    value = lossref.torch.DistillationLoss(2.0)(tx, ty)
    torch.testing.assert_close(value.item(), kept[0].item())
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(value, (tx, ty)))


# -- identities, parity ----------------------------------------------------------------------------------------------


def batch(shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, shape), rng.normal(0, 3, shape)


def close(got, wanted, relative=1e-13):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.all(np.abs(got - wanted) <= relative * np.max(np.abs(wanted), initial=0)), (got, wanted)


def recipe(x, y, T, reduction, denominator=None):
    """As it stands in the tutorials."""
    axis = min(1, x.dim() - 1)
    if reduction == "mean" and x.dim() == 2 and denominator is None:
        return F.kl_div(F.log_softmax(x / T, 1), F.softmax(y / T, 1), reduction="batchmean") * T * T
    terms = F.kl_div(F.log_softmax(x / T, axis), F.softmax(y / T, axis), reduction="none") * T * T
    if denominator == "elements":
        return terms.mean()
    values = terms.sum(axis)
    return values.mean() if reduction == "mean" else values.sum() if reduction == "sum" else values


def blocks(peer, x):
    """The C×C blocks of the Hessian of a torch loss, by differentiating its gradient class by class."""
    (g,) = torch.autograd.grad(peer(x).sum(), x, create_graph=True)
    axis = min(1, x.dim() - 1)
    columns = [torch.autograd.grad(c.sum(), x, retain_graph=True)[0] for c in g.movedim(axis, 0)]
    return torch.stack(columns, -1).movedim(axis, -2).detach()


@each_reduction
@pytest.mark.parametrize("T", [1.0, 4.0, 0.7])
@pytest.mark.parametrize("shape", [(4,), (6, 4), (3, 4, 5), (2, 4, 3, 2)], ids=str)
def test_recipe(shape, T, reduction):
    x, y = batch(shape)
    loss, module = DistillationLoss(T, reduction=reduction), lossref.torch.DistillationLoss(T, reduction=reduction)
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)
    value = recipe(tx, ty, T, reduction)
    gradient, for_teacher = torch.autograd.grad(value.sum(), (tx, ty), retain_graph=True)
    wanted = blocks(lambda x: recipe(x, ty.detach(), T, reduction), tx)
    close(loss(x, y), value.detach())
    close(loss.grad(x, y), gradient)
    close(loss.hess(x, y), wanted, 1e-12)
    axis = min(1, x.ndim - 1)
    close(loss.hess_diag(x, y), torch.diagonal(wanted, dim1=-2, dim2=-1).movedim(-1, axis), 1e-12)
    for got in (module(tx, ty.detach()), module(tx, ty), module.by_terms(tx, ty)):
        close(got.detach(), value.detach())
        close(torch.autograd.grad(got.sum(), tx)[0], gradient)
    close(torch.autograd.grad(module(tx, ty).sum(), ty)[0], for_teacher)


def test_denominators():
    x, y = batch((3, 4, 5))
    tx, ty = torch.tensor(x), torch.tensor(y)
    total = DistillationLoss(3, reduction="sum")
    for name, n in ((None, 15), ("samples", 15), ("elements", 60)):
        loss, module = DistillationLoss(3, denominator=name), lossref.torch.DistillationLoss(3, denominator=name)
        close(loss(x, y), total(x, y) / n)
        close(loss.grad(x, y), total.grad(x, y) / n)
        close(module(tx, ty), loss(x, y))
        close(module.by_terms(tx, ty), loss(x, y))
    close(DistillationLoss(3, denominator="elements")(x, y), recipe(tx, ty, 3, "mean", "elements"))
    with pytest.raises(ValueError, match="denominator must be one of None, 'samples', 'elements'; got 'weights'"):
        DistillationLoss(denominator="weights")


def test_identities():
    x, y = batch((9, 4))
    p = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    log_q = x - np.log(np.exp(x).sum(1, keepdims=True))
    loss = DistillationLoss()
    close(loss(x, y), lossref.KLDivLoss(reduction="batchmean")(log_q, p), 1e-12)
    close(loss.grad(x, y), lossref.CrossEntropyLoss().grad(x, p), 1e-12)
    close(loss.hess(x, y), lossref.CrossEntropyLoss().hess(x, p), 1e-12)
    close(DistillationLoss(5)(5 * x, 5 * y), 25 * loss(x, y), 1e-12)  # only logits over T count
    close(loss(x + 7, y - 3), loss(x, y), 1e-12)
    assert np.all(abs(DistillationLoss(2.5).grad(x, y).sum(1)) < 1e-15)


def test_minimiser_and_convexity():
    x, y = batch((200, 4))
    loss = DistillationLoss(2.0, reduction="none")
    values = np.linalg.eigvalsh(loss.hess(x, y))
    assert values.min() > -1e-15 and values.max() <= 0.5
    assert np.all(loss(x, y) > loss(y + 0.01 * (x - y), y)) and not loss(y, y).any()


@pytest.mark.parametrize("T", [1.0, 2.5])
def test_differences(T):
    """Gradient and Hessian against fourth-order differences, along a random direction."""
    x, y = batch((4, 5))
    direction = np.random.default_rng(9).normal(size=x.shape)
    loss = DistillationLoss(T)
    close(np.sum(loss.grad(x, y) * direction), differences(lambda t: loss(x + t * direction, y), 0.0, 1e-3), 1e-9)
    bend = differences(lambda t: loss.grad(x + t * direction, y), 0.0, 1e-3)
    close(np.einsum("nij,nj->ni", loss.hess(x, y), direction), bend, 1e-9)


# -- what goes in and comes out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 4, 3)], ids=str)
@each_reduction
def test_dtype_and_shape_are_kept(dtype, shape, reduction):
    x, y = (a.astype(dtype) for a in batch(shape))
    loss = DistillationLoss(3.0, reduction=reduction)
    value, gradient = loss.value_and_grad(x, y)
    assert value.dtype == gradient.dtype == loss.hess(x, y).dtype == dtype
    assert gradient.shape == x.shape == loss.hess_diag(x, y).shape
    assert value.shape == ((x.shape[:1] * (x.ndim > 1) + x.shape[2:]) if reduction == "none" else ())
    assert np.array_equal(value, loss(x, y)) and np.array_equal(gradient, loss.grad(x, y))
    if dtype == np.float16:
        wide = loss.value_and_grad(x.astype(np.float32), y.astype(np.float32))
        assert all(np.array_equal(h, w.astype(dtype)) for h, w in zip((value, gradient), wide, strict=True))


@pytest.mark.parametrize("shape", [(40_000, 3), (3, 70_001), (5, 7, 10_001), (2, 3, 40_001)], ids=str)
def test_tiles_change_nothing(shape):
    x, y = batch(shape)
    loss = DistillationLoss(2.0, reduction="none")
    value, gradient = loss.value_and_grad(x, y)
    for at in [(0,) * value.ndim, tuple(n - 1 for n in value.shape), tuple(n // 2 for n in value.shape)]:
        row = (*at[:1], slice(None), *at[1:])
        close(value[at], loss(x[row], y[row]))
        close(gradient[row], loss.grad(x[row], y[row]))
    assert DistillationLoss(2.0, reduction="sum")(x, y) == pytest.approx(value.sum(), rel=1e-12)
    out = np.empty_like(x)
    assert loss.grad(x, y, out=out) is out and np.array_equal(out, gradient)
    other = np.empty(x.shape[::-1]).T  # of another memory order
    assert loss.grad(x, y, out=other) is other and np.array_equal(other, gradient)
    assert loss.grad(x, y, out=x) is x and np.array_equal(x, gradient)


def test_the_inputs_are_left_alone():
    x, y = batch((6, 4))
    before = x.copy(), y.copy()
    DistillationLoss(2).value_and_grad(x, y), DistillationLoss(2).hess(x, y)
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])


X = np.full((6, 4), -1.0)


@pytest.mark.parametrize(
    "y, error, message",
    [
        (X[0], ValueError, "got dtype float64 and shape (4,)"),
        (X[:, :1], ValueError, "got dtype float64 and shape (6, 1)"),
        (X.T, ValueError, "got dtype float64 and shape (4, 6)"),
        (np.arange(6) % 4, ValueError, "got dtype int64 and shape (6,)"),  # class indices
        (np.eye(4, dtype=int)[np.arange(6) % 4], TypeError, "got dtype int64 and shape (6, 4)"),
        (X < 0, TypeError, "got dtype bool and shape (6, 4)"),
        (X * np.inf * -1, ValueError, "y must hold logits below inf; got inf"),
        (X + 0j, TypeError, "y must hold real numbers"),
        ("text", TypeError, "y must hold real numbers"),
    ],
    ids=str,
)
def test_bad_teachers(y, error, message):
    for method in ("__call__", "grad", "hess", "hess_diag", "value_and_grad"):
        with pytest.raises(error, match=re.escape(message)):
            getattr(DistillationLoss(), method)(X, y)
    if "real numbers" not in message:
        module = lossref.torch.DistillationLoss()
        for f in (module, module.by_terms):
            with pytest.raises(error, match=re.escape(message.replace("y must", "target must"))):
                f(torch.tensor(X), torch.tensor(y))


def test_bad_students():
    with pytest.raises(ValueError, match="x must hold logits below inf; got inf"):
        DistillationLoss()([[1.0, np.inf, np.nan]], [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=re.escape("x must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")):
        DistillationLoss()(1.0, [2.0, 3.0])
    with pytest.raises(TypeError, match="x must hold real numbers"):
        DistillationLoss()(X + 0j, X)
    module = lossref.torch.DistillationLoss()
    for f in (module, module.by_terms):
        with pytest.raises(ValueError, match="input must hold logits below inf; got inf"):
            f(torch.tensor([[1.0, np.inf]]), torch.zeros(1, 2))
        with pytest.raises(TypeError, match=re.escape("input must be a floating-point tensor; got torch.int64")):
            f(torch.ones(1, 2, dtype=torch.int64), torch.zeros(1, 2))
        with pytest.raises(ValueError, match="got a scalar"):
            f(torch.tensor(1.0), torch.tensor(1.0))


@pytest.mark.parametrize(
    "kwargs, error, message",
    [
        ({"temperature": 0}, ValueError, "temperature must be above 0; got 0"),
        ({"temperature": -2.0}, ValueError, "temperature must be above 0; got -2.0"),
        ({"temperature": np.nan}, ValueError, "temperature must be above 0; got nan"),
        ({"temperature": np.inf}, ValueError, "temperature must be finite; got inf"),
        ({"temperature": "4"}, TypeError, "temperature must be a real number; got '4'"),
        ({"temperature": 1j}, TypeError, "temperature must be a real number; got 1j"),
        ({"temperature": True}, TypeError, "temperature must be a real number; got True"),
        ({"reduction": "batchmean"}, ValueError, "reduction must be one of 'none', 'mean', 'sum'; got 'batchmean'"),
    ],
    ids=str,
)
def test_bad_arguments(kwargs, error, message):
    for cls in (DistillationLoss, lossref.torch.DistillationLoss):
        with pytest.raises(error, match=re.escape(message)):
            cls(**kwargs)


def test_nan_comes_out():
    for which in (0, 1):
        pair = batch((6, 4))
        pair[which][2, 1] = np.nan
        loss = DistillationLoss(2.0, reduction="none")
        here = [i == 2 for i in range(6)]
        assert np.isnan(loss(*pair)).tolist() == np.isnan(loss.grad(*pair)).any(1).tolist() == here
        assert np.isnan(DistillationLoss()(*pair))
        assert torch.isnan(lossref.torch.DistillationLoss().by_terms(*map(torch.tensor, pair)))


@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0)], ids=str)
def test_empty_batch(shape):
    x = np.empty(shape)
    with pytest.warns(RuntimeWarning, match="the mean of an empty batch is nan"):
        assert np.isnan(DistillationLoss()(x, x))
    assert DistillationLoss(reduction="sum")(x, x) == 0
    assert DistillationLoss(reduction="none")(x, x).shape == shape[:1] + shape[2:]
    assert torch.isnan(lossref.torch.DistillationLoss()(torch.tensor(x), torch.tensor(x)))


def test_repr():
    assert repr(DistillationLoss(4)) == "DistillationLoss(reduction='mean', temperature=4.0)"


# -- torch -----------------------------------------------------------------------------------------------------------


class InTorch(DistillationLoss):
    """Value and gradient in torch's operations, as on a device."""

    def _evaluate(self, x, y, *, value=False, derivative=None, out=None):
        if derivative == "hessian":
            return super()._evaluate(x, y, derivative=derivative)
        x, y = torch.tensor(x, requires_grad=True), torch.tensor(y)
        got = lossref.torch.DistillationLoss(self.temperature, reduction=self.reduction).by_terms(x, y)
        return got.detach().numpy(), torch.autograd.grad(got.sum(), x)[0].numpy()


@each_dtype
def test_by_terms_as_exact_as_numpy(dtype):
    check_exact(InTorch, dtype)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@each_reduction
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 2)], ids=str)  # all is done for every element
def test_derivatives_in_torch(shape, reduction):
    """Of student and teacher, of both orders, in both modes."""
    x, y = (torch.tensor(a, requires_grad=True) for a in batch(shape))
    module = lossref.torch.DistillationLoss(2.5, reduction=reduction)
    assert torch.autograd.gradcheck(module, (x, y), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(module, (x, y))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_func():
    x, y = batch((3, 4))
    module, loss = lossref.torch.DistillationLoss(2.5), DistillationLoss(2.5)
    tx, ty = torch.tensor(x), torch.tensor(y)
    close(torch.func.grad(module)(tx, ty), loss.grad(x, y))
    hessian = torch.func.hessian(module)(tx, ty)
    close(torch.stack([hessian[i, :, i] for i in range(3)]), loss.hess(x, y), 1e-12)
    each = torch.vmap(torch.func.grad(module))(tx, ty)
    close(each / 3, loss.grad(x, y))
    _, tangent = torch.func.jvp(lambda x: module(x, ty), (tx,), (torch.ones_like(tx),))
    assert abs(tangent) < 1e-15  # a shift changes nothing


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_compile():
    x, y = (torch.tensor(a, requires_grad=True) for a in batch((6, 4)))
    module = lossref.torch.DistillationLoss(2.5)
    torch._dynamo.reset()
    value = torch.compile(module, fullgraph=True, backend="aot_eager")(x, y)
    wanted = module(x, y)
    close(value.detach(), wanted.detach())
    for got, true in zip(torch.autograd.grad(value, (x, y)), torch.autograd.grad(wanted, (x, y)), strict=True):
        close(got, true)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_in_torch(dtype):
    x, y = (torch.tensor(a).to(dtype) for a in batch((6, 4)))
    half, wide = x.clone().requires_grad_(), x.float().requires_grad_()
    module = lossref.torch.DistillationLoss(4.0)
    value, wanted = module(half, y), module(wide, y.float())
    assert value.dtype == dtype and value == wanted.to(dtype)
    value.backward()
    wanted.backward()
    assert half.grad.dtype == dtype and torch.equal(half.grad, wide.grad.to(dtype))


def test_module():
    x, y = (torch.tensor(a) for a in batch((6, 4)))
    x.requires_grad_()
    module = lossref.torch.DistillationLoss(4.0)
    assert module.state_dict() == {} and "temperature=4.0" in repr(module)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert twin(x, y) == module(x, y)
    value = module(x, y)
    first, second = (torch.autograd.grad(k * value, x, retain_graph=True)[0] for k in (3, 1))
    torch.testing.assert_close(first, 3 * second, rtol=1e-14, atol=0)
    kept = lossref.torch.DistillationLoss(reduction="sum")(x, y)
    gradient = kept.grad_fn.gradient
    assert torch.autograd.grad(kept, x)[0].data_ptr() == gradient.data_ptr()  # one tensor is kept, and given away
    with torch.no_grad():
        assert module(x, y).grad_fn is None


# -- the checks can fail ---------------------------------------------------------------------------------------------


def mutant(name, change):
    """The loss with one of the pair's properties changed: ``change(its value, the pair)``."""

    class Wrong(Pair):
        def __getattribute__(self, asked):
            found = super().__getattribute__(asked)
            return change(found, self) if asked == name else found

    class Mutant(DistillationLoss):
        @staticmethod
        def parts(m, T, x, y, scale=1.0):
            from lossref import distillation

            kept, distillation.Pair = distillation.Pair, Wrong
            try:
                return DistillationLoss.parts(m, T, x, y, scale)
            finally:
                distillation.Pair = kept

    return Mutant


class Written(DistillationLoss):
    """The formulas as they are written: log-probabilities subtracted, probabilities subtracted."""

    @staticmethod
    def parts(m, T, x, y, scale=1.0):
        def logs(z):
            z = z / T - (z / T).max(1, keepdims=True)
            return z - np.log(np.exp(z).sum(1, keepdims=True))

        log_q, log_p = logs(x), logs(y)
        q, p = np.exp(log_q), np.exp(log_p)
        parts = DistillationLoss.parts(m, T, x, y, scale)
        return parts._replace(
            value=lambda: (T * T * p * (log_p - log_q)).sum(1, keepdims=True), gradient=lambda: T * (q - p) * scale
        )


class ClassicMean(Written):
    """log1p(E[expm1 c]) - E[c] with c centred: better, not exact."""

    @staticmethod
    def parts(m, T, x, y, scale=1.0):
        p = np.exp(y / T - (y / T).max(1, keepdims=True))
        p = p / p.sum(1, keepdims=True)
        d = x / T - y / T
        c = d - (p * d).sum(1, keepdims=True)
        parts = DistillationLoss.parts(m, T, x, y, scale)
        value = T * T * (np.log1p((p * np.expm1(c)).sum(1, keepdims=True)) - (p * c).sum(1, keepdims=True))
        return parts._replace(value=lambda: value)


MUTANTS = {
    "T forgotten in the gradient": mutant("gradient", lambda g, pair: g / pair.T),
    "gradient turned round": mutant("gradient", lambda g, pair: -g),
    "T for T²": mutant("terms", lambda t, pair: t / pair.T),
    "KL the other way round": mutant("p", lambda p, pair: pair.q),
    "a digit": mutant("terms", lambda t, pair: t * (1 + 1e-6)),
    "Hessian of the teacher": mutant("q", lambda q, pair: pair.teacher.probabilities),
    "always subtracted": mutant("close", lambda c, pair: c & False),
    "never subtracted": mutant("close", lambda c, pair: c | True),
    "as written": Written,
    "log1p and expm1 of centred differences": ClassicMean,
}


@pytest.mark.parametrize("cls", MUTANTS.values(), ids=MUTANTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_loss_is_refused(cls):
    with pytest.raises(AssertionError):
        check_exact(cls, np.float32)
