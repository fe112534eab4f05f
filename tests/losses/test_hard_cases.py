"""What a fuzzer found: inputs at the edge of what is allowed, where an answer exists and rounding or 0 · ∞ hid it."""

import tracemalloc

import numpy as np
import pytest
import torch
from cases import FIRST

import lossref
import lossref.torch

# torch's own forward mode
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

INF = float("inf")
MAX32 = float(np.finfo(np.float32).max)
CLASSES = {
    "CrossEntropyLoss": {}, "SoftmaxFocalLoss": {"gamma": 0.5}, "NLLLoss": {}, "DistillationLoss": {"temperature": 2.0},
}  # fmt: skip


def f32(values):
    return np.array(values, np.float32)


def examples():
    """Of every loss: its name, arguments, and an input and a target in float64."""
    rng = np.random.default_rng(0)
    for case in FIRST:
        yield case.loss, case.kwargs, *case.draw(rng, (3,))
    for name, kwargs in CLASSES.items():
        x = rng.normal(size=(3, 4))
        x = x - np.log(np.exp(x).sum(1, keepdims=True)) if name == "NLLLoss" else x
        yield name, kwargs, x, rng.normal(size=(3, 4)) if name == "DistillationLoss" else rng.integers(0, 4, 3)


EXAMPLES = list(examples())
each_loss = pytest.mark.parametrize(("name", "kwargs", "x", "y"), EXAMPLES, ids=[e[0] for e in EXAMPLES])


def module(name, **kwargs):
    return getattr(lossref.torch, name)(**kwargs)


def both(name, **kwargs):
    """The NumPy loss, and the torch module on either of its ways, as functions of arrays."""
    module_kwargs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    m = module(name, **module_kwargs)

    def on(f):
        return lambda x, y: f(torch.tensor(x), torch.tensor(y)).numpy()

    return lossref.LOSSES[name](**kwargs), on(m), on(m.by_terms)


def gradients(name, x, y, **kwargs):
    loss, *_ = both(name, **kwargs)
    m = module(name, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()})
    yield loss.grad(x, y)
    for f in (m, m.by_terms):
        t = torch.tensor(x, requires_grad=True)
        f(t, torch.tensor(y)).sum().backward()
        yield t.grad.numpy()


def test_every_loss_is_tried():
    assert {e[0] for e in EXAMPLES} == set(lossref.LOSSES)


# -- 0 · ∞ ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "x", "y"), [("BCELoss", [0.0, 0.5], [1.0, 1.0]), ("KLDivLoss", [-INF, -0.5], [0.5, 0.5])]
)
def test_weight_0_outweighs_an_infinite_term(name, x, y):
    x, y, weight = f32(x), f32(y), f32([0, 2])
    alone = lossref.LOSSES[name](reduction="sum")
    for f in both(name, reduction="sum", weight=weight):
        assert f(x, y) == 2 * alone(x[1:], y[1:])
    for g in gradients(name, x, y, reduction="sum", weight=weight):
        assert g.tolist() == [0, 2 * alone.grad(x[1:], y[1:])[0]]
    for f in both(name, weight=f32([1, 0]), reduction="none"):
        assert f(x, y).tolist() == [INF, 0]
    for f in both(name, weight=f32([0, 1]), reduction="none"):
        assert np.isnan(f(f32([np.nan, x[1]]), y)[0])


@pytest.mark.parametrize("name", ["BCEWithLogitsLoss", "SigmoidFocalLoss"])
@pytest.mark.parametrize("soft", [False, True], ids=["labels", "among soft labels"])
def test_infinite_logits(name, soft):
    """A certain and right prediction costs nothing, a wrong one everything; between 0 and 1 none is right."""
    x, y, wanted = [INF, -INF, -INF, INF], [1.0, 0, 1, 0], [0, 0, INF, INF]
    if soft:
        x, y, wanted = [*x, INF, -INF], [*y, 0.3, 0.3], [*wanted, INF, INF]
    for dtype in (np.float32, np.float64):
        for f in both(name, reduction="none"):
            assert f(np.array(x, dtype), np.array(y, dtype)).tolist() == wanted


@pytest.mark.parametrize(("alpha", "wanted"), [(0.0, [0, INF, 0, 0]), (1.0, [INF, 0, 0, 0]), (None, [INF, INF, 0, 0])])
def test_alpha_0_outweighs_an_infinite_logit(alpha, wanted):
    x, y = f32([-INF, INF, -INF, INF]), f32([1, 0, 0, 1])
    for n in (4, 5):
        for f in both("SigmoidFocalLoss", alpha=alpha, reduction="none"):
            assert f(f32([*x, 0])[:n], f32([*y, 0.3])[:n])[:4].tolist() == wanted


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_focal_derivatives_of_infinite_logits(dtype, gamma):
    """Their limits, the same beside labels as beside soft labels: the slope of the lines far out, and no curvature."""
    x, y = np.array([INF, -INF, -INF, INF, -INF, INF], dtype), np.array([1, 0, 1, 0, 0.25, 0.25], dtype)
    arguments = {"alpha": None, "gamma": gamma, "reduction": "sum"}
    wanted = [0, 0, -1, 1, -0.25 * 0.25**gamma, 0.75 * 0.75**gamma]
    for n in (4, 6):
        for g in gradients("SigmoidFocalLoss", x[:n], y[:n], **arguments):
            np.testing.assert_allclose(g, wanted[:n], rtol=1e-6)
        assert not lossref.SigmoidFocalLoss(**arguments).hess(x[:n], y[:n]).any()


def test_pos_weight_0_outweighs_an_infinite_term():
    for f in both("BCEWithLogitsLoss", reduction="none", pos_weight=f32([0.0])):
        assert f(f32([-INF, INF]), f32([1, 0])).tolist() == [0, INF]
        assert f(f32([-INF, 1]), f32([1, 0.5]))[0] == 0


# -- numbers that a dtype does not hold -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("delta", [1e39, 1e300, INF])
def test_huber_of_a_delta_beyond_the_dtype(dtype, delta):
    x, y = np.array([1, -2, 0], dtype), np.zeros(3, dtype)
    for f in both("HuberLoss", delta=delta, reduction="none"):
        assert f(x, y).tolist() == [0.5, 2, 0]
    for g in gradients("HuberLoss", x, y, delta=delta, reduction="sum"):
        assert g.tolist() == [1, -2, 0]
    assert lossref.HuberLoss(delta, reduction="none").hess(x, y).tolist() == [1, 1, 1]


@pytest.mark.parametrize("delta", [1e-300, 1e-45])
def test_huber_of_a_delta_below_the_dtype(delta):
    """The line of slope delta keeps its digits where the residual is large."""
    x, y = f32([6e9, -1e30, 1e-3, 0]), f32([0.2, 0, 0, 0])
    wanted = f32(lossref.HuberLoss(delta, reduction="none")((x - y).astype(np.float64), y * 0))
    for f in both("HuberLoss", delta=delta, reduction="none"):
        np.testing.assert_allclose(f(x, y), wanted, rtol=3e-7, atol=float(np.finfo(np.float32).smallest_subnormal))


@pytest.mark.parametrize("beta", [1e38, 1e39, 1e60, 1e101, 1e300])
def test_smooth_l1_of_a_beta_beyond_the_dtype(beta):
    x, y = f32([1e5, 1e30, -8e31, -3e38, 0]), f32([0, 0, 0, 0, 0])
    exact = lossref.SmoothL1Loss(beta, reduction="none")
    wide = x.astype(np.float64)
    tiny = float(np.finfo(np.float32).smallest_subnormal)
    for f in both("SmoothL1Loss", beta=beta, reduction="none"):
        np.testing.assert_allclose(f(x, y), f32(exact(wide, y)), rtol=3e-7, atol=2 * tiny)
    for g in gradients("SmoothL1Loss", x, y, beta=beta, reduction="sum"):
        np.testing.assert_allclose(g, f32(exact.grad(wide, y)), rtol=3e-7, atol=2 * tiny)
    np.testing.assert_allclose(exact.hess(x, y), f32(exact.hess(wide, y)), rtol=1e-6, atol=2 * tiny)


@pytest.mark.parametrize("beta", [1e39, INF])
def test_smooth_l1_next_to_0_of_a_beta_beyond_the_dtype(beta):
    for f in both("SmoothL1Loss", beta=beta, reduction="none"):
        assert f(f32([0, 1]), f32([0, 0])).tolist() == [0, f32(0.5 / beta)]


@pytest.mark.parametrize("beta", [1e-300, 2e-45, 5e-45, 1e-40, 3e-39, 1e-38])
def test_smooth_l1_far_from_a_beta_that_is_rounded(beta):
    for f in both("SmoothL1Loss", beta=beta, reduction="none"):
        assert f(f32([1, -3, 0]), f32([0, 0, 0])).tolist() == [1, 3, 0]


def test_smooth_l1_inside_a_parabola_of_subnormals():
    beta = 2e-39
    x, y = f32([1e-39, -5e-40, 3e-39]), f32([0, 0, 0])
    exact, smallest = lossref.SmoothL1Loss(beta, reduction="none"), float(np.finfo(np.float32).smallest_subnormal)
    wide = x.astype(np.float64)
    for f in both("SmoothL1Loss", beta=beta, reduction="none"):
        np.testing.assert_allclose(f(x, y), exact(wide, y), rtol=1e-6, atol=2 * smallest)
    for g in gradients("SmoothL1Loss", x, y, beta=beta, reduction="sum"):
        np.testing.assert_allclose(g, exact.grad(wide, y), rtol=1e-5)


@pytest.mark.parametrize(("beta", "bend"), [(0, 0), (4e-39, f32(1 / 4e-39)), (1e-40, INF), (1e-300, INF)])
def test_smooth_l1_of_a_beta_below_the_dtype(beta, bend):
    """The parabola is a point; its curvature is beyond the dtype, and 0 where there is no parabola."""
    x, y = f32([1, 0, -1e-3]), f32([0, 0, 0])
    loss, m = lossref.SmoothL1Loss(beta, reduction="sum"), module("SmoothL1Loss", beta=beta, reduction="sum")
    assert loss.hess(x, y).tolist() == [0, bend, 0]
    tx, ty = torch.tensor(x), torch.tensor(y)
    for hessian in (
        torch.func.hessian(lambda t: m(t, ty))(tx),
        torch.func.jacrev(torch.func.jacrev(lambda t: m(t, ty)))(tx),
        torch.autograd.functional.hessian(lambda t: m(t, ty), tx),
    ):
        assert np.diag(hessian.numpy()).tolist() == [0, bend, 0]
        assert not hessian.numpy()[~np.eye(3, dtype=bool)].any()


@pytest.mark.parametrize(("name", "wanted"), [("MSELoss", 2), ("L1Loss", 0), ("SmoothL1Loss", 0), ("HuberLoss", 0)])
def test_a_residual_that_overflows_has_a_second_derivative(name, wanted):
    loss = lossref.LOSSES[name](reduction="none")
    assert loss.hess([1.7e308, np.nan], [-1.7e308, 0])[0] == wanted
    assert np.isnan(loss.hess([np.nan], [0.0])[0])


def test_focal_hessian_of_logits_near_the_end_of_the_dtype():
    assert lossref.SigmoidFocalLoss(reduction="sum").hess(f32([3e38, -3e38]), f32([0, 1])).tolist() == [0, 0]
    assert lossref.SigmoidFocalLoss(gamma=50, reduction="sum").hess(f32([1e38]), f32([0])).tolist() == [0]


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_focal_gradient_of_huge_logits(gamma, dtype):
    """σ(z) is 1 long before, and softplus(z) σ(-z) nothing: also where softplus(z) is huge, or inf."""
    z = np.array([40, 59, 61, 100, 700, 1e4, 1e20, 3e38, np.inf], dtype)
    loss = lossref.SigmoidFocalLoss(alpha=None, gamma=gamma, reduction="none")
    np.testing.assert_allclose(loss.grad(z, np.zeros_like(z)), 1, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(loss.grad(-z, np.ones_like(z)), -1, rtol=4 * np.finfo(dtype).eps)


@each_loss
def test_a_reduction_that_is_changed_later_is_checked(name, kwargs, x, y):
    loss, m = lossref.LOSSES[name](**kwargs), module(name, **kwargs)
    loss.reduction = m.reduction = "avg"
    for call in (lambda: loss(x, y), lambda: m(torch.tensor(x), torch.tensor(y)),
                 lambda: m.by_terms(torch.tensor(x), torch.tensor(y))):  # fmt: skip
        with pytest.raises(ValueError, match="reduction must be one of"):
            call()


@each_loss
def test_tensors_without_numbers_are_not_looked_at(name, kwargs, x, y):
    """And a trace by torch's dispatcher holds for other numbers."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    m = module(name, **kwargs)
    with FakeTensorMode(allow_non_fake_inputs=True) as fake:
        assert m(fake.from_tensor(torch.tensor(x)), fake.from_tensor(torch.tensor(y))).shape == ()
    if torch.tensor(y).is_floating_point():
        traced = make_fx(m)(torch.tensor(x), torch.tensor(y))
        again = torch.tensor(x / 2 if name != "DistillationLoss" else x * x), torch.tensor(y)
        assert traced(*again).item() == pytest.approx(m(*again).item(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "kwargs", "wanted"),
    [
        ("L1Loss", {}, {0: 0}), ("SmoothL1Loss", {"beta": 0}, {0: 0}),
        ("SmoothL1Loss", {"beta": 2}, {2: 0, -2: 0, 1.9: 0.5}), ("HuberLoss", {"delta": 2}, {2: 1, -2: 1, 2.1: 0}),
    ],
)  # fmt: skip
def test_second_derivative_where_there_is_none(name, kwargs, wanted):
    """At a kink it is that of one side, as documented: torch's too."""
    loss = lossref.LOSSES[name](**kwargs, reduction="none")
    assert loss.hess([float(r) for r in wanted], np.zeros(len(wanted))).tolist() == list(wanted.values())


@pytest.mark.parametrize(
    ("dtype", "x"),
    [
        (np.float32, [-2e38, -3e38]), (np.float32, [-1e38, -1.1e38]), (np.float32, [1e38, -2e38]),
        (np.float32, [-MAX32, -MAX32]), (np.float32, [0, -MAX32]), (np.float64, [-1e308, -1.5e308]),
    ],
)  # fmt: skip
def test_logits_near_the_end_of_the_dtype(dtype, x):
    apart = float(x[0]) - float(x[1])
    value, gradient = (apart, [1, -1]) if apart else (np.log(2), [0.5, -0.5])
    rows = np.array([x], dtype)
    for f in both("CrossEntropyLoss"):
        assert f(rows, np.array([1])) == pytest.approx(value, rel=1e-6)
        assert f(rows, np.array([0])) == (0 if apart else pytest.approx(value, rel=1e-6))
    for g in gradients("CrossEntropyLoss", rows, np.array([1])):
        assert g.tolist() == [gradient]
    assert np.isfinite(lossref.CrossEntropyLoss().hess(rows, [1])).all()
    distilled = lossref.DistillationLoss()
    assert distilled(rows, rows) == 0 and not distilled.grad(rows, rows).any()
    if apart < np.finfo(dtype).max / 2:
        assert distilled(rows, rows[:, ::-1].copy()) == pytest.approx(apart, rel=1e-6)


# -- targets and gradients that share memory ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SoftmaxFocalLoss", "DistillationLoss"])
@pytest.mark.parametrize("shift", [0, 3, -3])
def test_out_may_overlap_the_target(name, shift):
    rng = np.random.default_rng(0)
    shape = (600, 200)  # several blocks
    buffer = np.empty(600 * 200 + 6)
    y = buffer[3:-3].reshape(shape)
    y[...] = rng.dirichlet(np.ones(200), 600)
    out = buffer[3 + shift : 3 + shift + y.size].reshape(shape)
    x = rng.normal(size=shape)
    loss = lossref.LOSSES[name](**CLASSES[name])
    wanted = loss.grad(x, y.copy())
    assert loss.grad(x, y, out=out) is out
    assert np.array_equal(out, wanted)


# -- torch's ways to ask for derivatives ----------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_gradients_in_batches(name, kwargs, x, y, reduction):
    m, ty = module(name, reduction=reduction, **kwargs), torch.tensor(y)

    def f(t):
        return m(t, ty)

    tx = torch.tensor(x)
    rows = torch.autograd.functional.jacobian(f, tx)
    assert torch.equal(torch.autograd.functional.jacobian(f, tx, vectorize=True), rows)
    t = tx.clone().requires_grad_()
    value = f(t)
    basis = torch.eye(value.numel(), dtype=value.dtype).reshape(-1, *value.shape)
    (batched,) = torch.autograd.grad(value, t, basis, is_grads_batched=True, retain_graph=True)
    assert torch.equal(batched, rows.reshape(batched.shape))
    by_func = torch.func.vmap(lambda g: torch.autograd.grad(value, t, g, retain_graph=True)[0])(basis)
    assert torch.equal(by_func, batched)
    assert torch.autograd.gradcheck(f, (t,), check_batched_grad=True)


@each_loss
def test_hessians_in_batches(name, kwargs, x, y):
    m, ty, tx = module(name, **kwargs), torch.tensor(y), torch.tensor(x)
    one = torch.autograd.functional.hessian(lambda t: m(t, ty), tx)
    many = torch.autograd.functional.hessian(lambda t: m(t, ty), tx, vectorize=True)
    np.testing.assert_allclose(many, one, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SoftmaxFocalLoss"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([[200.0, 0.0, 0.0]], [0]), ([[200.0, 0.0, 0.0]], [1]), ([[1.0, 2.0, -INF]], [0]),
        ([[1.0, 2.0, -INF]], [[1.0, 0, 0]]), ([[1.0, 2.0, -INF]], [[0.5, 0.5, 0]]),
    ],
    ids=["right", "wrong", "masked, index", "masked, one-hot", "masked, soft"],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hessians_where_softmax_ends(name, x, y, dtype):
    """Saturated, and with a class masked out: by each of torch's ways what NumPy says, and no NaN."""
    m, x = module(name, **CLASSES[name]), np.array(x, dtype)
    y = np.array(y, dtype if isinstance(y[0], list) else np.int64)
    tx, ty = torch.tensor(x), torch.tensor(y)
    wanted = lossref.LOSSES[name](**CLASSES[name]).hess(x, y)[0]
    assert np.isfinite(wanted).all()
    for hessian in (
        torch.autograd.functional.hessian(lambda t: m(t, ty), tx),
        torch.func.hessian(lambda t: m(t, ty))(tx),
    ):
        tolerance = 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(
            hessian[0, :, 0].numpy(), wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max()
        )


def test_the_mean_over_weight_0_pulls_at_nothing():
    for smoothing in (0.0, 0.1):
        for target in (np.array([0, 0]), f32([[1, 0], [1, 0]])):
            if target.ndim == 2 and not smoothing:
                continue
            kwargs = dict(weight=f32([0, 1]), label_smoothing=smoothing, denominator="weights")
            for f in both("CrossEntropyLoss", **kwargs)[1:]:
                assert np.isnan(f(f32([[2, 1], [0, 3]]), target))
            m = module("CrossEntropyLoss", **(kwargs | {"weight": torch.tensor([0.0, 1.0])}))
            x = torch.tensor([[2.0, 1], [0, 3]], requires_grad=True)
            for f in (m, m.by_terms):
                (g,) = torch.autograd.grad(f(x, torch.tensor(target)), x)
                assert not g.any()
            assert not torch.func.grad(lambda t, m=m, y=target: m(t, torch.tensor(y)))(x.detach()).any()


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's compiler itself
def test_alpha_keeps_its_digits():
    x, y = np.array([[1.0, 2, 3]]), np.array([1])
    whole = lossref.SoftmaxFocalLoss()(x, y)
    for alpha in (0.3, np.float64(0.3), torch.tensor(0.3, dtype=torch.float64)):
        m = module("SoftmaxFocalLoss", alpha=alpha)
        for f in (m, m.by_terms):
            assert f(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(0.3 * whole, rel=1e-15)
    half = module("SoftmaxFocalLoss", alpha=0.25).bfloat16()
    assert half(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(0.25 * whole, rel=1e-15)
    torch._dynamo.reset()
    compiled = torch.compile(module("SoftmaxFocalLoss", alpha=0.3), backend="aot_eager", fullgraph=True)
    assert compiled(torch.tensor(x), torch.tensor(y)).item() == pytest.approx(0.3 * whole, rel=1e-15)


# -- what cannot be answered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (3, 0, 2), (0, 0)])
def test_no_classes(name, shape):
    x = np.zeros(shape)
    targets = [np.zeros(shape)] + (
        [] if name == "DistillationLoss" else [np.zeros(shape[:1] * (len(shape) > 1) + shape[2:], int)]
    )
    for y in targets:
        for f in both(name, **CLASSES[name]):
            with pytest.raises(ValueError, match=r"(x|input) must have at least one class; got shape \("):
                f(x, y)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_probabilities_for_nll(dtype):
    x, y = torch.tensor([[-1.0, -2.0]], dtype=dtype), torch.tensor([[1.0, 0.0]], dtype=dtype)
    with pytest.raises(TypeError, match=r"target must hold class indices \(integers\); got dtype .*float.* and shape"):
        module("NLLLoss")(x, y)


@each_loss
def test_masked_arrays(name, kwargs, x, y):
    """An entry that is masked would count; an array that could be masked, and is not, is one like any other."""
    loss = lossref.LOSSES[name](**kwargs)
    open_ = np.ma.masked_array(x, mask=False)
    assert np.array_equal(loss(open_, y), loss(x, y))
    masked = open_.copy()
    masked.flat[0] = np.ma.masked
    with pytest.raises(TypeError, match="x must have no masked entries"):
        loss(masked, y)
    with pytest.raises(TypeError, match="y must have no masked entries"):
        loss(x, np.ma.masked_array(y, mask=np.ones(np.shape(y), bool)))


@each_loss
def test_strange_choices(name, kwargs, x, y):
    for argument in ("reduction", "denominator"):
        for choice in (np.array(["mean", "sum"]), ["mean"], 1):
            with pytest.raises(ValueError, match=f"{argument} must be one of"):
                lossref.LOSSES[name](**kwargs, **{argument: choice})


@pytest.mark.parametrize("name", ["SigmoidFocalLoss", "SoftmaxFocalLoss"])
def test_gamma_is_finite(name):
    for build in (lossref.LOSSES[name], getattr(lossref.torch, name)):
        with pytest.raises(ValueError, match="gamma must be finite; got inf"):
            build(gamma=INF)


@each_loss
def test_what_modules_cannot_take(name, kwargs, x, y):
    m, tx, ty = module(name, **kwargs), torch.tensor(x), torch.tensor(y)
    good = {"input": tx, "target": ty}
    bad = [
        (TypeError, "{} must be a tensor; got ndarray", lambda t: t.numpy()),
        (TypeError, "{} must be a tensor; got list", lambda t: t.tolist()),
        (TypeError, "{} must be a dense tensor; got one with layout torch.sparse_coo", lambda t: t.to_sparse()),
        (TypeError, "{} must be a dense tensor; got one with layout .*mkldnn", lambda t: t.float().to_mkldnn()),
    ]
    for argument in good:
        for error, message, change in bad:
            with pytest.raises(error, match=message.format(argument)):
                m(**(good | {argument: change(good[argument])}))
    with pytest.raises(ValueError, match="target must be on the device of input, cpu; got meta"):
        m(tx, ty.to("meta"))
    assert m(tx.to("meta"), ty.to("meta")).device.type == "meta"
    if name not in ("SoftmaxFocalLoss", "DistillationLoss"):
        m = module(name, **kwargs, weight=torch.ones(x.shape[-1], device="meta"))
        with pytest.raises(ValueError, match="weight must be on the device of input, cpu; got meta"):
            m(tx, ty)


# -- the diagonal of the Hessian ------------------------------------------------------------------------------------


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", CLASSES)
def test_the_diagonal_is_the_blocks(name, soft):
    """Two formulas, held together: saturated rows, a masked class, many places, weights, and each reduction."""
    if (soft and name == "NLLLoss") or (not soft and name == "DistillationLoss"):
        pytest.skip("has no such targets")
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, (5, 4, 3))
    x[0] *= 20
    x[1, :, 0] = [1, -INF, 3, 0]
    x = np.minimum(x, 0) if name == "NLLLoss" else x
    if name == "DistillationLoss":
        y = rng.normal(0, 3, x.shape)
    elif soft:
        y = np.moveaxis(rng.dirichlet(np.ones(4), (5, 3)), -1, 1)
        y[1, :, 0] = [0.5, 0, 0.25, 0.25]
    else:
        y = rng.integers(0, 4, (5, 3))
        y[1] = [2, -100, 3]
    settings = [{}, {"gamma": 0.0}, {"alpha": [0.5, 2, 0, 1]}] if name == "SoftmaxFocalLoss" else [{}]
    settings += [{"weight": [0.5, 2, 0, 1]}] if name in ("CrossEntropyLoss", "NLLLoss") else []
    settings += [{"label_smoothing": 0.1}] if name == "CrossEntropyLoss" else []
    for kwargs in settings:
        for reduction in ("none", "mean", "sum"):
            loss = lossref.LOSSES[name](**(CLASSES[name] | kwargs), reduction=reduction)
            blocks, diagonal = loss.hess(x, y), loss.hess_diag(x, y)
            wanted = np.moveaxis(np.diagonal(blocks, axis1=-2, axis2=-1), -1, 1)
            size = np.nanmax(np.abs(blocks), initial=1e-300)
            np.testing.assert_allclose(diagonal, wanted, rtol=1e-13, atol=1e-15 * size)
            out = np.empty_like(x)
            assert loss.hess_diag(x, y, out=out) is out and np.array_equal(out, diagonal, equal_nan=True)


@pytest.mark.parametrize("x", [[[0, 52, 0]], [[-52, 52, 0]]])
def test_the_diagonal_where_p_squared_is_nothing(x):
    loss, y = lossref.SoftmaxFocalLoss(gamma=0.5), f32([[0, 1, 0]])
    blocks = loss.hess(np.array(x, np.float64), y)
    np.testing.assert_allclose(loss.hess_diag(f32(x), y)[0], blocks[0].diagonal(), rtol=1e-5, atol=1e-45)


def test_the_hessian_of_a_small_gamma_is_finite():
    loss = lossref.SoftmaxFocalLoss(gamma=0.01)
    for found in (loss.hess(f32([[96, 0, 0]]), [0]), loss.hess_diag(f32([[96, 0, 0]]), [0])):
        assert np.all(np.abs(found) < np.finfo(np.float32).tiny)


@pytest.mark.parametrize("name", CLASSES)
def test_sums_over_classes_are_as_exact_across_the_memory(name):
    """As columns and as an image with one sample, whose classes do not lie side by side."""
    rng = np.random.default_rng(0)
    x, y = f32(rng.normal(0, 3, (30, 3000))), rng.integers(0, 3000, 30)
    y = f32(rng.normal(0, 3, x.shape)) if name == "DistillationLoss" else y
    x = x - 100 if name == "NLLLoss" else x
    loss = lossref.LOSSES[name](reduction="none")
    value, gradient = loss.value_and_grad(x, y)
    columns = loss.value_and_grad(np.asfortranarray(x), y)
    image = loss.value_and_grad(np.ascontiguousarray(x.T)[None], y.T[None])
    for v, g in (columns, (image[0][0], image[1][0].T)):
        np.testing.assert_array_max_ulp(v, value, 4)
        np.testing.assert_allclose(g, gradient, rtol=1e-6, atol=1e-7 * np.abs(gradient).max())


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of matrices
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", lossref.LOSSES)
def test_a_gradient_may_be_put_in_a_matrix(name, order):
    loss = lossref.LOSSES[name]()
    x = np.full((700, 300), -0.4 if loss.input_range[1] == 0 else 0.4)
    y = np.zeros(len(x), int) if name in CLASSES and name != "DistillationLoss" else np.zeros(x.shape)
    out = np.asmatrix(np.empty(x.shape, order=order))
    assert loss.grad(x, y, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), loss.grad(x, y))


@pytest.mark.parametrize("name", CLASSES)
def test_the_diagonal_of_many_classes_is_lean(name):
    """Blocks of 4·3000·3000 numbers would be 288 MB."""
    rng = np.random.default_rng(0)
    x = -rng.random((4, 3000))
    y = rng.random(x.shape) if name == "DistillationLoss" else rng.integers(0, 3000, 4)
    loss = lossref.LOSSES[name](**CLASSES[name])
    loss.hess_diag(x, y)
    tracemalloc.start()
    loss.hess_diag(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * x.nbytes
