"""The losses over classes: exactness, parity with torch for every argument, refusals, and mutants that must fail."""

import itertools
import re
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mpmath import exp, log, mp, mpf
from oracles import differences, ulps

import lossref
import lossref.torch
from lossref import CrossEntropyLoss, NLLLoss, SoftmaxFocalLoss
from lossref._base import Parts

ON_LOGITS = {
    "CrossEntropyLoss": (CrossEntropyLoss, {}, lambda p: -log(p)),
    "SoftmaxFocalLoss-2": (SoftmaxFocalLoss, {"gamma": 2.0}, lambda p: -((1 - p) ** 2) * log(p)),
    "SoftmaxFocalLoss-0.5": (SoftmaxFocalLoss, {"gamma": 0.5}, lambda p: -((1 - p) ** mpf(0.5)) * log(p)),
    "SoftmaxFocalLoss-0": (SoftmaxFocalLoss, {"gamma": 0.0}, lambda p: -log(p)),
    "SoftmaxFocalLoss-5": (SoftmaxFocalLoss, {"gamma": 5.0}, lambda p: -((1 - p) ** 5) * log(p)),
}
each_on_logits = pytest.mark.parametrize("name", list(ON_LOGITS))
each_class = pytest.mark.parametrize(
    "cls", [CrossEntropyLoss, NLLLoss, SoftmaxFocalLoss], ids=lambda c: c.__name__
)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
W = np.array([1.0, 2.0, 0.0, 5.0])

# -- exact -----------------------------------------------------------------------------------------------------------

ROWS = [[2, 1, 0.1], [1, 1, 1], [1e-30, 0, -1e-30], [20.3, 0.1, 0], [0.1, -20.3, -19.7], [0.1, 80, -3],
        [0.3, -95.7, -60.1], [103.2, 0.7, -5.5], [1e4, 9997, 9990.6]]  # fmt: skip
TARGETS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.7, 0.2, 0.1], [0.5, 0.5, 0]]


def softmax(x):
    e = [exp(v - max(x)) for v in x]
    return [v / sum(e) for v in e]


def dot(y, v):
    return sum(a * b for a, b in zip(y, v, strict=True) if a)


def size(y, v):
    return max(abs(a * b) for a, b in zip(y, v, strict=True) if a)


@cache
def reference(name, dtype):
    """Rows, targets, and (value, gradient, Hessian) with the sizes of the terms they add up, from the definition."""
    term = ON_LOGITS[name][2]
    result = []
    for row in ROWS + ([[0.2, -700.3, -740.9]] if dtype == np.float64 else []):
        row = np.array(row, dtype).tolist()
        with mp.workdps(200 + int(4 * (max(row) - min(row)) / 2.3)):
            x, h, n = [mpf(v) for v in row], mpf(10) ** -30, range(3)

            def terms(*moves, x=x, h=h):  # i: a step along i, ~i: one back
                moved = [v + h * moves.count(i) - h * moves.count(~i) for i, v in enumerate(x)]
                return [term(p) for p in softmax(moved)]

            p = softmax(x)
            at = terms()
            slope = [[(u - d) / (2 * h) for u, d in zip(terms(j), terms(~j), strict=True)] for j in n]  # [j][c]
            bend = {}
            for i, j in itertools.combinations_with_replacement(n, 2):
                moves = [terms(a, b) for a in (i, ~i) for b in (j, ~j)]  # ++ +- -+ --
                bend[i, j] = bend[j, i] = [
                    (pp - pm - mp_ + mm) / (4 * h * h) for pp, pm, mp_, mm in zip(*moves, strict=True)
                ]
            for target in TARGETS:
                y = [mpf(v) for v in np.array(target, dtype).tolist()]
                result.append((
                    row,
                    target,
                    (dot(y, at), [dot(y, s) for s in slope], [[dot(y, bend[i, j]) for j in n] for i in n]),
                    # a soft target's gradient is a difference; a focal Hessian has terms of both signs, of sizes
                    # that its largest entry tells
                    (
                        0,
                        [size(y, s) for s in slope],
                        [[max(size(y, bend[i, j]), p[i] * p[j] * at_max(at, y)) for j in n] for i in n],
                    ),
                ))  # fmt: skip
    return result


def at_max(at, y):
    return max(abs(v) for v, a in zip(at, y, strict=True) if a)


def check_exact(name, cls, dtype):
    kwargs = ON_LOGITS[name][1]
    gamma = kwargs.get("gamma", 0)
    bounds = (4 + 2 * gamma, 6 + 3 * gamma, 8 + 6 * gamma)
    loss = cls(**kwargs, reduction="none")
    gains = (105 if gamma else 1, 105 if gamma else 1, 105 * (1 + gamma) ** 2 if gamma else 1)
    worst = [0.0] * 3
    for row, target, wanted, sizes in reference(name, dtype):
        x = np.array([row], dtype)
        targets = [np.array([target], dtype)] + ([np.array([target.index(1)])] if 1 in target else [])
        for y in targets:
            got = (loss(x, y), loss.grad(x, y), loss.hess(x, y))
            for k, part in enumerate(("value", "gradient", "hessian")):
                pairs = zip(
                    got[k].ravel(),
                    np.ravel(np.array(wanted[k], object)),
                    np.ravel(np.array(sizes[k], object)),
                    strict=True,
                )
                for g, w, size in pairs:
                    error = ulps(g, w, dtype, size, gains[k])
                    worst[k] = max(worst[k], error)
                    assert error <= bounds[k], (
                        f"{part} of {row} for {y}: {g!r}, true {float(w)!r}: {error:.3g} ulp"
                    )
    return worst


@each_on_logits
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
def test_exact(name, dtype):
    check_exact(name, ON_LOGITS[name][0], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
def test_exact_for_many_classes(dtype):
    """Also where the largest, added to the others, reaches a power of two, and rounding takes most from the sum."""
    x = np.append(0, np.random.default_rng(0).normal(-2e-4, 1e-4, 2048)).astype(dtype)
    with mp.workdps(60):
        wanted = log(sum(exp(mpf(v)) for v in x.tolist()))
    for y in (np.array([0]), np.eye(1, 2049, dtype=dtype)):
        assert ulps(CrossEntropyLoss()(x[None], y), wanted, dtype) <= 2


@each_on_logits
@pytest.mark.parametrize(("dtype", "edge"), [(np.float32, 35.0), (np.float64, 280.0)])
def test_told_from_the_target_or_from_the_largest(name, dtype, edge):
    """Of class indices all is told relative to the target where exponentials are tame, of probabilities never."""
    cls, kwargs, _ = ON_LOGITS[name]
    loss = cls(reduction="none", **kwargs)
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 3, (20, 5)), rng.choice([-edge, 0, edge], (20, 5))]).astype(dtype)
    x[rng.random(x.shape) < 0.2] = -np.inf
    x[:, 0] = np.maximum(x[:, 0], -edge)  # no row without any class
    y = rng.integers(0, 5, len(x))
    seen = np.isfinite(x[np.arange(len(x)), y])
    for rows in (seen, ~seen):  # a block with a target of probability 0 is told from the largest
        labels, masses = y[rows], np.eye(5, dtype=dtype)[y[rows]]
        for part in (loss, loss.grad, loss.hess, loss.hess_diag):
            got, wanted = part(x[rows], labels), part(x[rows], masses)
            np.testing.assert_allclose(got, wanted, rtol=60 * np.finfo(dtype).eps, atol=2 * np.finfo(dtype).tiny)


# -- parity with torch -----------------------------------------------------------------------------------------------


def focal_peer(x, target, gamma, alpha, reduction, ignore_index=-100):
    """The log_softmax recipe of focal loss, with torch's own operations."""
    log_p = x.log_softmax(1)
    terms = -((1 - log_p.exp()) ** gamma) * log_p
    if alpha is not None:
        terms = terms * alpha.reshape(1, -1, *[1] * (x.dim() - 2))
    if target.is_floating_point():
        values, kept = (terms * target).sum(1), torch.ones(())
    else:
        kept = target != ignore_index
        values = terms.gather(1, target.masked_fill(~kept, 0).unsqueeze(1)).squeeze(1) * kept
    if reduction == "mean":
        return values.sum() / kept.expand(values.shape).sum()
    return values.sum() if reduction == "sum" else values


def cases():
    for shape in ((6, 4), (3, 4, 5), (2, 4, 3, 2)):
        for weight, smoothing, soft in itertools.product((None, W), (0.0, 0.1), (False, True)):
            yield shape, weight, smoothing, soft


def batch(shape, soft, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 3, shape)
    samples = shape[:1] + shape[2:]
    if soft:
        return x, np.ascontiguousarray(np.moveaxis(rng.dirichlet(np.ones(shape[1]), samples), -1, 1))
    y = rng.integers(0, shape[1], samples)
    y.flat[1] = -100
    return x, y


def close(got, wanted, relative=1e-13):
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.all(np.abs(got - wanted) <= relative * np.max(np.abs(wanted), initial=0)), (got, wanted)


def blocks(peer, x):
    """The C×C blocks of the Hessian of a torch loss, by differentiating its gradient class by class."""
    c = x.shape[1]
    (g,) = torch.autograd.grad(peer(x).sum(), x, create_graph=True)
    columns = [torch.autograd.grad(g.movedim(1, -1)[..., k].sum(), x, retain_graph=True)[0] for k in range(c)]
    return torch.stack(columns, -1).movedim(1, -2).detach()


def check_parity(loss, module, peer, x, y, hessian=True):
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y)
    value = peer(tx, ty)
    (gradient,) = torch.autograd.grad(value.sum(), tx, retain_graph=True)
    close(loss(x, y), value.detach())
    close(loss.grad(x, y), gradient, 1e-12)
    if hessian:
        wanted = blocks(lambda x: peer(x, ty), tx)
        close(loss.hess(x, y), wanted, 1e-11)
        close(loss.hess_diag(x, y), torch.diagonal(wanted, dim1=-2, dim2=-1).movedim(-1, 1), 1e-11)
    for ours in (module(tx, ty), module.by_terms(tx, ty)):
        close(ours.detach(), value.detach())
        close(torch.autograd.grad(ours.sum(), tx)[0], gradient, 1e-12)


@each_reduction
@pytest.mark.parametrize("shape, weight, smoothing, soft", list(cases()), ids=str)
def test_cross_entropy(shape, weight, smoothing, soft, reduction):
    x, y = batch(shape, soft)
    kwargs = {"reduction": reduction, "label_smoothing": smoothing}
    tw = None if weight is None else torch.tensor(weight)
    check_parity(
        CrossEntropyLoss(weight, **kwargs),
        lossref.torch.CrossEntropyLoss(tw, **kwargs),
        torch.nn.CrossEntropyLoss(tw, **kwargs),
        x, y,
    )  # fmt: skip


@each_reduction
@pytest.mark.parametrize(
    "shape, weight, smoothing, soft", [c for c in cases() if not c[2] and not c[3]], ids=str
)
def test_nll(shape, weight, smoothing, soft, reduction):
    x, y = batch(shape, soft)
    x -= np.log(np.exp(x).sum(1, keepdims=True))
    tw = None if weight is None else torch.tensor(weight)
    loss = NLLLoss(weight, reduction=reduction)
    peer = torch.nn.NLLLoss(tw, reduction=reduction)
    check_parity(loss, lossref.torch.NLLLoss(tw, reduction=reduction), peer, x, y, hessian=False)
    assert loss.hess(x, y).shape == (*y.shape, 4, 4) and not loss.hess(x, y).any()


@each_reduction
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("shape, weight, smoothing, soft", [c for c in cases() if not c[2]], ids=str)
def test_focal(shape, weight, smoothing, soft, gamma, reduction):
    x, y = batch(shape, soft)
    tw = None if weight is None else torch.tensor(weight)
    check_parity(
        SoftmaxFocalLoss(weight, gamma, reduction=reduction),
        lossref.torch.SoftmaxFocalLoss(tw, gamma, reduction=reduction),
        lambda x, y: focal_peer(x, y, gamma, tw, reduction),
        x, y, hessian=gamma != 0.5,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
def test_indices_of_any_width(dtype):
    x, y = batch((6, 4), False)
    y = np.abs(y) % 4
    assert CrossEntropyLoss()(x, y.astype(dtype)) == CrossEntropyLoss()(x, y)
    assert lossref.torch.CrossEntropyLoss()(torch.tensor(x), torch.tensor(y.astype(dtype))) == pytest.approx(
        float(CrossEntropyLoss()(x, y)), rel=1e-14
    )


def test_one_dimension():
    x = [2, 1, 0.1]
    assert CrossEntropyLoss()(x, 0) == CrossEntropyLoss()([x], [0]) == CrossEntropyLoss()(x, [1.0, 0, 0])
    assert CrossEntropyLoss(reduction="none")(x, 0).shape == ()
    assert np.array_equal(CrossEntropyLoss().grad(x, 0), CrossEntropyLoss().grad([x], [0])[0])
    assert CrossEntropyLoss().hess(x, 0).shape == (3, 3) and CrossEntropyLoss().hess_diag(x, 0).shape == (3,)
    tx = torch.tensor(x)
    torch.testing.assert_close(
        lossref.torch.CrossEntropyLoss()(tx, torch.tensor(0)), F.cross_entropy(tx, torch.tensor(0))
    )


def test_denominators():
    x, y = batch((6, 4), False)
    total = CrossEntropyLoss(W, reduction="sum")
    for name, n in (("samples", 6), ("weights", W[y[y >= 0]].sum())):
        loss = CrossEntropyLoss(W, denominator=name)
        assert loss(x, y) == pytest.approx(total(x, y) / n, rel=1e-14)
        close(loss.grad(x, y), total.grad(x, y) / n)
        module = lossref.torch.CrossEntropyLoss(torch.tensor(W), denominator=name)
        assert module(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(float(loss(x, y)), rel=1e-14)
    with pytest.raises(
        ValueError, match="denominator must be one of None, 'samples', 'weights'; got 'positives'"
    ):
        CrossEntropyLoss(denominator="positives")


# -- identities, limits ----------------------------------------------------------------------------------------------


def test_identities():
    x, y = batch((50, 4), False)
    y = np.abs(y) % 4
    onehot = np.eye(4)[y]
    log_p = np.log(np.exp(x) / np.exp(x).sum(1, keepdims=True))
    ce = CrossEntropyLoss(reduction="none")
    close(ce(x, y), ce(x, onehot), 1e-15)
    close(ce(x, y), NLLLoss(reduction="none")(log_p, y))
    close(ce(x, y), SoftmaxFocalLoss(gamma=0, reduction="none")(x, y), 0)
    close(ce(x, y), ce(x + 7, y))  # a shift changes nothing
    close(ce.grad(x, y).sum(1), np.zeros(50) + 1, np.inf)
    assert np.all(np.abs(ce.grad(x, y).sum(1)) < 1e-15)
    z = x[:, 0] - x[:, 1]
    binary = lossref.BCEWithLogitsLoss(reduction="none")(z, (y[:] % 2 == 0).astype(float))
    close(ce(x[:, :2], (y % 2 == 1).astype(int)), binary)
    focal = lossref.SigmoidFocalLoss(None, 2.0, reduction="none")(z, (y % 2 == 0).astype(float))
    close(SoftmaxFocalLoss(gamma=2, reduction="none")(x[:, :2], (y % 2 == 1).astype(int)), focal)


def test_kl_is_cross_entropy_less_entropy():
    x, p = batch((9, 4), True)
    log_q = np.log(np.exp(x) / np.exp(x).sum(1, keepdims=True))
    kl = lossref.KLDivLoss(reduction="none")(log_q, p).sum(1)
    close(kl, CrossEntropyLoss(reduction="none")(x, p) + (p * np.log(p)).sum(1), 1e-12)


def test_minimiser_and_convexity():
    """The softmax that equals the target; eigenvalues of the Hessian in [0, ½]; focal loss has negative ones."""
    _, p = batch((9, 4), True)
    loss = CrossEntropyLoss(reduction="none")
    assert np.all(np.abs(loss.grad(np.log(p), p)) < 4e-16)
    x, _ = batch((200, 4), True)
    values = np.linalg.eigvalsh(loss.hess(x, np.zeros(200, int)))
    assert values.min() > -1e-15 and values.max() <= 0.5
    assert np.linalg.eigvalsh(SoftmaxFocalLoss().hess([[-4.0, 0.0, 0.0]], [0])).min() < -0.05


@pytest.mark.parametrize("cls", [CrossEntropyLoss, SoftmaxFocalLoss])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_logits(cls, dtype):
    """A class at -inf has probability 0: no mass there costs nothing, some costs inf, and nothing is NaN."""
    x = np.array([[1.0, -np.inf, 2.0]], dtype)
    kept = np.array([[1.0, 2.0]], dtype)
    loss = cls(reduction="none")
    for y, without in (([0], [0]), ([[0.25, 0.0, 0.75]], [[0.25, 0.75]])):
        assert loss(x, y) == loss(kept, without)
        assert np.array_equal(loss.grad(x, y), np.insert(loss.grad(kept, without), 1, 0, axis=1))
        assert np.array_equal(
            loss.hess(x, y)[:, [0, 0, 2, 2], [0, 2, 0, 2]], loss.hess(kept, without).reshape(1, 4)
        )
        assert not loss.hess(x, y)[:, 1].any()
    assert loss(x, [1]) == np.inf and loss(x, [[0.5, 0.5, 0.0]]) == np.inf
    # also beside a logit from which nothing can be subtracted
    far = np.finfo(dtype).max / 2
    beside = np.array([[2 * far, -np.inf, far]], dtype)
    assert loss(beside, [0]) == 0 and loss(beside, [2]) == dtype(far) and loss(beside, [[1.0, 0.0, 0.0]]) == 0
    assert not loss.grad(beside, [0]).any() and not loss.hess(beside, [0]).any()
    assert np.isnan(loss(np.full((1, 3), -np.inf, dtype), [0]))


def test_exact_where_torch_is_not():
    x = np.zeros((1, 10), np.float32)
    x[0, 0] = 20
    assert F.cross_entropy(torch.tensor(x), torch.tensor([0])).item() == 0
    assert CrossEntropyLoss()(x, [0]) == pytest.approx(9 * np.exp(-20.0), rel=1e-6)
    masked = np.array([[1.0, -np.inf]])
    assert torch.isnan(F.cross_entropy(torch.tensor(masked), torch.tensor([[1.0, 0.0]])))
    assert CrossEntropyLoss()(masked, [[1.0, 0.0]]) == 0


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_at_saturation(gamma):
    """No power γ - 1: at p = 1 the derivatives are 0."""
    for dtype in (np.float32, np.float64):
        x = np.array([[2000.0, 0.0, 0.0]], dtype)
        for y in ([0], [[1.0, 0.0, 0.0]]):
            loss = SoftmaxFocalLoss(gamma=gamma)
            assert loss(x, y) == 0 and not loss.grad(x, y).any() and not loss.hess(x, y).any()


@each_class
def test_ignored_samples(cls):
    x, y = batch((6, 4), False)
    x -= 20
    x[1] = np.nan  # what an ignored sample holds does not matter
    rest = np.delete(np.arange(6), 1)
    loss = cls()
    assert loss(x, y) == pytest.approx(loss(x[rest], y[rest]), rel=1e-15)
    assert not loss.grad(x, y)[1].any() and not loss.hess(x, y)[1].any()
    close(loss.grad(x, y)[rest], loss.grad(x[rest], y[rest]))
    assert cls(ignore_index=2, reduction="none")(x[rest], np.full(5, 2)).tolist() == [0] * 5
    with pytest.warns(RuntimeWarning, match="the mean of samples all ignored or of weight 0 is nan"):
        value, gradient = loss.value_and_grad(x, np.full(6, -100))
    assert np.isnan(value) and not gradient.any()
    assert cls(reduction="sum")(x, np.full(6, -100)) == 0
    module = getattr(lossref.torch, cls.__name__)()
    tx = torch.tensor(x[rest], requires_grad=True)
    value = module(tx, torch.full((5,), -100))
    assert torch.isnan(value) and not torch.autograd.grad(value, tx)[0].any()


@each_class
@pytest.mark.parametrize("shape", [(0, 3), (2, 3, 0)], ids=str)
def test_empty_batch(cls, shape):
    x, y = np.empty(shape), np.empty(shape[:1] + shape[2:], int)
    with pytest.warns(RuntimeWarning, match="the mean of an empty batch is nan"):
        assert np.isnan(cls()(x, y))
    assert cls(reduction="sum")(x, y) == 0 and cls(reduction="none")(x, y).shape == y.shape
    assert cls(reduction="sum").grad(x, y).shape == shape
    assert torch.isnan(getattr(lossref.torch, cls.__name__)()(torch.tensor(x), torch.tensor(y)))


# -- what goes in and comes out --------------------------------------------------------------------------------------


@each_class
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4,), (6, 4), (2, 4, 3)], ids=str)
@each_reduction
def test_dtype_and_shape_are_kept(cls, dtype, shape, reduction):
    rng = np.random.default_rng(0)
    x = -rng.uniform(0.1, 3, shape).astype(dtype)
    y = rng.integers(0, 4, shape[:1] * (len(shape) > 1) + shape[2:])
    loss = cls(reduction=reduction)
    value, gradient = loss.value_and_grad(x, y)
    assert value.dtype == gradient.dtype == loss.hess(x, y).dtype == dtype
    assert gradient.shape == x.shape == loss.hess_diag(x, y).shape
    assert value.shape == (y.shape if reduction == "none" else ())
    if dtype == np.float16 and reduction == "none":
        wide = loss.value_and_grad(x.astype(np.float32), y)
        assert np.array_equal(value, wide[0].astype(np.float16)) and np.array_equal(
            gradient, wide[1].astype(np.float16)
        )


@each_class
@pytest.mark.parametrize("shape", [(40_000, 3), (3, 70_001), (5, 7, 10_001), (2, 3, 40_001)], ids=str)
def test_tiles_change_nothing(cls, shape):
    """Many rows, rows wider than a tile, many places: what a sample gives alone it gives in the batch."""
    rng = np.random.default_rng(0)
    x = -rng.uniform(0.1, 9, shape)
    y = rng.integers(0, shape[1], shape[:1] + shape[2:])
    loss = cls(reduction="none")
    value, gradient = loss.value_and_grad(x, y)
    for at in [(0,) * y.ndim, tuple(n - 1 for n in y.shape), tuple(n // 2 for n in y.shape)]:
        row = (*at[:1], slice(None), *at[1:])
        close(value[at], loss(x[row], y[at]))
        close(gradient[row], loss.grad(x[row], y[at]))
    assert cls(reduction="sum")(x, y) == pytest.approx(value.sum(), rel=1e-12)
    out = np.empty_like(x)
    assert loss.grad(x, y, out=out) is out and np.array_equal(out, gradient)
    other = np.empty(x.shape[::-1]).T  # of another memory order
    assert loss.grad(x, y, out=other) is other and np.array_equal(other, gradient)
    shared = np.append(x.ravel(), 0.0)
    loss.grad(shared[:-1].reshape(shape), y, out=shared[1:].reshape(shape))
    assert np.array_equal(shared[1:].reshape(shape), gradient)
    assert loss.grad(x, y, out=x) is x and np.array_equal(x, gradient)


X = np.full((6, 4), -1.0)
Y = np.arange(6) % 4


@each_class
@pytest.mark.parametrize(
    "y, error, message",
    [
        (Y[:5], ValueError, "got dtype int64 and shape (5,)"),
        (Y[:, None], ValueError, "got dtype int64 and shape (6, 1)"),
        (Y.astype(float), TypeError, "got dtype float64 and shape (6,)"),
        (Y == 1, TypeError, "got dtype bool and shape (6,)"),
        (np.eye(4, dtype=int)[Y], TypeError, "got dtype int64 and shape (6, 4)"),
        (Y + 1, IndexError, "y must hold class indices in [0, 3]; got 4"),
        (Y - 1, IndexError, "y must hold class indices in [0, 3]; got -1"),
        (Y + 1j, TypeError, "y must hold real numbers"),
        (0, ValueError, "got dtype int64 and shape ()"),
    ],
    ids=str,
)
def test_bad_targets(cls, y, error, message):
    for method in ("__call__", "grad", "hess", "hess_diag", "value_and_grad"):
        with pytest.raises(error, match=re.escape(message)):
            getattr(cls(), method)(X, y)
    if "real numbers" not in message:
        module = getattr(lossref.torch, cls.__name__)()
        for f in (module, module.by_terms):
            with pytest.raises(error, match=re.escape(message.replace("y must", "target must"))):
                f(torch.tensor(X), torch.tensor(y))


def test_bad_probabilities():
    p = np.full((6, 4), 0.25)
    for cls in (CrossEntropyLoss, SoftmaxFocalLoss):
        for bad in (-0.25, 1.5):
            p[3, 2] = bad
            with pytest.raises(ValueError, match=re.escape(f"y must be in [0, 1]; got {bad}")):
                cls()(X, p)
            with pytest.raises(ValueError, match=re.escape(f"target must be in [0, 1]; got {bad}")):
                getattr(lossref.torch, cls.__name__)()(torch.tensor(X), torch.tensor(p))
    with pytest.raises(TypeError, match=re.escape("y must hold class indices (integers); got dtype float64")):
        NLLLoss()(X, np.full((6, 4), 0.25))


@pytest.mark.parametrize(
    "cls, kwargs, error, message",
    [
        (
            CrossEntropyLoss,
            {"label_smoothing": 1.1},
            ValueError,
            "label_smoothing must be in [0, 1]; got 1.1",
        ),
        (
            CrossEntropyLoss,
            {"label_smoothing": -0.1},
            ValueError,
            "label_smoothing must be in [0, 1]; got -0.1",
        ),
        (CrossEntropyLoss, {"ignore_index": 1.0}, TypeError, "ignore_index must be an integer; got 1.0"),
        (CrossEntropyLoss, {"weight": [1, -1]}, ValueError, "weight must be at least 0; got -1"),
        (
            CrossEntropyLoss,
            {"weight": 2.0},
            ValueError,
            "weight must have shape (C,), one for each class; got shape ()",
        ),
        (
            NLLLoss,
            {"reduction": "batchmean"},
            ValueError,
            "reduction must be one of 'none', 'mean', 'sum'; got 'batchmean'",
        ),
        (SoftmaxFocalLoss, {"gamma": -1}, ValueError, "gamma must be at least 0; got -1"),
        (SoftmaxFocalLoss, {"alpha": -1}, ValueError, "alpha must be at least 0; got -1"),
        (
            SoftmaxFocalLoss,
            {"alpha": np.ones((2, 2))},
            ValueError,
            "alpha must be a number or have shape (C,)",
        ),
    ],
    ids=str,
)
def test_bad_arguments(cls, kwargs, error, message):
    with pytest.raises(error, match=re.escape(message)):
        cls(**kwargs)


def test_bad_weight_shape_and_input():
    with pytest.raises(
        ValueError, match=re.escape("weight must have shape (4,), one for each class of x; got (3,)")
    ):
        CrossEntropyLoss([1, 1, 1])(X, Y)
    with pytest.raises(
        ValueError, match=re.escape("alpha must have shape (4,), one for each class of x; got (3,)")
    ):
        SoftmaxFocalLoss([1, 1, 1])(X, Y)
    with pytest.raises(
        ValueError, match=re.escape("x must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
    ):
        CrossEntropyLoss()(1.0, 0)
    with pytest.raises(ValueError, match=re.escape("x must be in [-inf, 0]; got 0.5")):
        NLLLoss()(np.abs(X) / 2, Y)
    with pytest.raises(TypeError, match="x must hold real numbers"):
        CrossEntropyLoss()(X + 0j, Y)
    assert SoftmaxFocalLoss(0.5)(X, Y) == pytest.approx(SoftmaxFocalLoss()(X, Y) / 2, rel=1e-15)


@pytest.mark.parametrize("cls", [CrossEntropyLoss, SoftmaxFocalLoss])
def test_nan_comes_out(cls):
    x, p = batch((6, 4), True)
    for which in (x, p):
        which[2, 1] = np.nan
        loss = cls(reduction="none")
        assert (
            np.isnan(loss(x, p)).tolist()
            == np.isnan(loss.grad(x, p)).any(1).tolist()
            == [i == 2 for i in range(6)]
        )
        which[2, 1] = 0.5
    x[4, 0] = np.nan
    assert np.isnan(cls()(x, Y))


# -- torch -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "argument"), [("CrossEntropyLoss", "weight"), ("NLLLoss", "weight"), ("SoftmaxFocalLoss", "alpha")]
)
def test_class_weights_have_derivatives(name, argument):
    """A loss is linear in them, and so is its gradient: by one weight, either is what it would be with it alone."""
    x, y = batch((5, 4), False)
    x, y, v = torch.tensor(x - 9), torch.tensor(y), torch.tensor(np.random.default_rng(1).normal(size=(5, 4)))

    def module(weight, reduction="sum"):
        return getattr(lossref.torch, name)(**{argument: weight}, reduction=reduction)

    def both(weight):
        tx = x.clone().requires_grad_()
        value = module(weight)(tx, y)
        return value + 2 * (torch.autograd.grad(value, tx, create_graph=True)[0] * v).sum()

    weight = torch.tensor(W, requires_grad=True)
    (found,) = torch.autograd.grad(both(weight), weight)
    assert torch.autograd.gradgradcheck(lambda x, w: module(w, "mean")(x, y), (x.clone().requires_grad_(), weight + 1))
    forward = torch.func.jacfwd(lambda w: module(w)(x, y))(weight.detach())
    close(forward, torch.autograd.grad(module(weight)(x, y), weight)[0])
    close(found, torch.stack([both(one) for one in torch.eye(4, dtype=torch.float64)]).detach())
    assert found.abs().max() > 0.1


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("soft", [False, True])
@each_on_logits
def test_derivatives_in_torch(name, soft):
    cls, kwargs, _ = ON_LOGITS[name]
    x, y = batch((3, 4), soft)
    module, loss = getattr(lossref.torch, cls.__name__)(**kwargs), cls(**kwargs)
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y)
    if soft:
        ty.requires_grad_()
    assert torch.autograd.gradcheck(module, (tx, ty), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(module, (tx, ty))
    tx, ty = tx.detach(), ty.detach()
    close(torch.func.grad(module)(tx, ty), loss.grad(x, y))
    hessian = torch.func.hessian(module)(tx, ty)
    close(torch.stack([hessian[i, :, i] for i in range(3)]), loss.hess(x, y), 1e-12)
    if soft:
        each = torch.vmap(torch.func.grad(module))(tx, ty)
        close(each / 3, loss.grad(x, y))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@each_class
def test_compile(cls):
    x, y = batch((6, 4), False)
    module = getattr(lossref.torch, cls.__name__)()
    tx, ty = torch.tensor(x - 20, requires_grad=True), torch.tensor(y)
    torch._dynamo.reset()  # every module here shares one forward, and torch counts how often that is compiled
    value = torch.compile(module, fullgraph=True, backend="aot_eager")(tx, ty)
    wanted = module(tx, ty)
    close(value.detach(), wanted.detach())
    close(torch.autograd.grad(value, tx)[0], torch.autograd.grad(wanted, tx)[0])


@each_class
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_in_torch(cls, dtype):
    x, y = batch((6, 4), False)
    half = torch.tensor(x - 20).to(dtype).requires_grad_()
    wide = half.detach().float().requires_grad_()
    module = getattr(lossref.torch, cls.__name__)()
    value, wanted = module(half, torch.tensor(y)), module(wide, torch.tensor(y))
    assert value.dtype == dtype and value == wanted.to(dtype)
    value.backward()
    wanted.backward()
    assert half.grad.dtype == dtype and torch.equal(half.grad, wide.grad.to(dtype))


# -- the checks can fail ---------------------------------------------------------------------------------------------


def mutant(change):
    class Mutant(CrossEntropyLoss):
        @staticmethod
        def formula(m, p, q, nl):
            return change(m, p, q, nl)

    return Mutant


MUTANTS = {
    "log10": lambda m, p, q, nl: Parts(lambda: nl / np.log(10), lambda: -1 / np.log(10), lambda: 0),
    "log of rounded p": lambda m, p, q, nl: Parts(lambda: -np.log(p), lambda: -1, lambda: 0),
    "zero gradient": lambda m, p, q, nl: Parts(lambda: nl, lambda: 0, lambda: 0),
    "flipped sign": lambda m, p, q, nl: Parts(lambda: nl, lambda: 1, lambda: 0),
    "q for -log p": lambda m, p, q, nl: Parts(lambda: q, lambda: -1, lambda: 0),
    "curved": lambda m, p, q, nl: Parts(lambda: nl, lambda: -1, lambda: p),
}


class DroppedCrossTerms(CrossEntropyLoss):
    """The slip of deriving softmax by its diagonal alone: right for the true class, 0 for all others."""

    def _evaluate(self, x, y, **asked):
        value, g = super()._evaluate(x, y, **asked)
        if asked.get("derivative") == "gradient":
            g = np.where(g < 0, g, 0)
        return value, g


class LostComplement(CrossEntropyLoss):
    """p - y as it is written: 0 where p rounds to 1."""

    def _evaluate(self, x, y, **asked):
        value, g = super()._evaluate(x, y, **asked)
        if asked.get("derivative") == "gradient" and np.ndim(y) == 1:
            e = np.exp(x - x.max(1, keepdims=True))
            g = e / e.sum(1, keepdims=True) - np.eye(x.shape[1], dtype=x.dtype)[y]
        return value, g


@pytest.mark.parametrize(
    "cls",
    [*map(mutant, MUTANTS.values()), DroppedCrossTerms, LostComplement],
    ids=[*MUTANTS, "cross terms", "complement"],
)
def test_wrong_loss_is_refused(cls):
    with pytest.raises(AssertionError):
        check_exact("CrossEntropyLoss", cls, np.float32)


def test_wrong_focal_is_refused():
    """The slip of a missing 1/p_t, and a lost γ."""

    class Mutant(SoftmaxFocalLoss):
        @staticmethod
        def formula(m, p, q, nl, gamma):
            parts = SoftmaxFocalLoss.formula(m, p, q, nl, gamma)
            return parts._replace(gradient=lambda: parts.gradient() * p)

    with pytest.raises(AssertionError):
        check_exact("SoftmaxFocalLoss-2", Mutant, np.float64)


@pytest.mark.parametrize("soft", [False, True])
@each_on_logits
def test_differences(name, soft):
    """The gradient against fourth-order differences of the value, along a random direction."""
    cls, kwargs, _ = ON_LOGITS[name]
    x, y = batch((4, 5), soft)
    direction = np.random.default_rng(9).normal(size=x.shape)
    loss = cls(**kwargs)
    slope = differences(lambda t: loss(x + t * direction, y), 0.0, 1e-3)
    close(np.sum(loss.grad(x, y) * direction), slope, 1e-9)
    bend = differences(lambda t: loss.grad(x + t * direction, y), 0.0, 1e-3)
    close(np.einsum("nij,nj->ni", loss.hess(x, y), direction), bend, 1e-9)
