"""Derivatives of torch modules beyond the gradient: products with the Hessian are exact, and every order works."""

import numpy as np
import pytest
import torch
from cases import CASES, FIRST, focal
from mpmath import diff, log, mp, mpf

import lossref
import lossref.torch
from lossref.torch import _namespace

SMOOTH = {c.id: c for c in CASES if c.loss in ("BCEWithLogitsLoss", "SigmoidFocalLoss", "BCELoss", "MSELoss")}
BY_CLASSES = {
    "CrossEntropyLoss": {},
    "SoftmaxFocalLoss": {"gamma": 2.0},
    "SoftmaxFocalLoss-0.5": {"gamma": 0.5},
    "NLLLoss": {},
}


def build(name, **kwargs):
    """The module and the loss."""
    name = name.partition("-")[0]
    return getattr(lossref.torch, name)(**kwargs), lossref.LOSSES[name](**kwargs)


def repeated(f, x, order):
    """The derivative of that order of each of the terms that f gives for x."""
    t = f(x)
    for _ in range(order):
        (t,) = torch.autograd.grad(t.sum(), x, create_graph=True)
    return t.detach()


def module(case):
    kwargs = {k: torch.tensor(v) if k == "pos_weight" else v for k, v in case.kwargs.items()}
    return getattr(lossref.torch, case.loss)(**kwargs, reduction="none")


@pytest.mark.parametrize("case", SMOOTH.values(), ids=SMOOTH)
@pytest.mark.parametrize("order", [3, 4])
def test_higher_orders(case, order):
    """Against mpmath on the definition, also at 0, where |z| has a kink and the loss has none."""
    x = [0.1, 0.5, 0.9] if case.loss == "BCELoss" else [-5.0, -0.5, 0.0, 1e-9, 2.0]
    for y in {0.3} if case.soft else {0.0, 1.0}:
        tx = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        ty = torch.full_like(tx, y).detach()
        with mp.workdps(60):
            wanted = [float(diff(lambda t, y=y: case.definition(t, mpf(y)), mpf(v), order)) for v in x]
        scale = max(1.0, np.abs(wanted).max())
        for f in (module(case), module(case).by_terms):
            got = repeated(lambda t, f=f, ty=ty: f(t, ty), tx, order)
            np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-14 * scale)


@pytest.mark.parametrize("case", FIRST, ids=lambda c: c.loss)
def test_every_loss_has_a_third(case):
    """Against differences of lossref's Hessian, away from kinks."""
    x, y = case.draw(np.random.default_rng(3), (7,))
    loss = lossref.LOSSES[case.loss](**case.kwargs, reduction="none")
    wanted = (loss.hess(x + 1e-4, y) - loss.hess(x - 1e-4, y)) / 2e-4
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y)
    got = repeated(lambda t: module(case)(t, ty), tx, 3)
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    third = torch.func.vmap(torch.func.grad(torch.func.grad(torch.func.grad(module(case)))))
    np.testing.assert_allclose(third(tx.detach(), ty), got, rtol=1e-12, atol=1e-15)


def third(f, x, dtype):
    x = torch.tensor(x, dtype=dtype, requires_grad=True)
    return repeated(f, x, 3), x.detach()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("y", [0.0, 1.0, 0.25])
def test_third_of_focal_at_the_ends(y, gamma, dtype):
    """No quotient of subnormals is nan, nor anything else than the limit."""
    ends = [90, 95, 100] if dtype == torch.float32 else [100, 710, 740]
    z = [s * v for v in (20.0, 50.0, *ends) for s in (-1.0, 1.0)]
    definition = focal(None, gamma, [y]).definition
    for f in (m := lossref.torch.SigmoidFocalLoss(None, gamma, reduction="none"), m.by_terms):
        got, at = third(lambda t, f=f: f(t, torch.full_like(t, y)), z, dtype)
        smallest = torch.finfo(dtype).smallest_normal
        for g, v in zip(got.tolist(), at.tolist(), strict=True):
            with mp.workdps(60 + int(abs(v))):
                wanted = diff(lambda t: definition(t, mpf(y)), mpf(v), 3)
            assert abs(g - wanted) <= 60 * torch.finfo(dtype).eps * (abs(wanted) + 20 * smallest)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("row", [[100.0, 0.0, -100.0], [800.0, 0.0, -800.0], [-100.0, 0.0, 50.0], [40.0, 0.0, 1.0]])
@pytest.mark.parametrize("y", [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
def test_third_of_softmax_focal_at_the_ends(y, row, gamma, dtype):
    """Along a direction, against mpmath on the definition."""
    v = [1.0, 2.0, 4.0]

    def definition(t):
        e = [mp.exp(x + t * c) for x, c in zip(row, v, strict=True)]
        return sum(-mpf(a) * (1 - b / sum(e)) ** gamma * log(b / sum(e)) for a, b in zip(y, e, strict=True) if a)

    with mp.workdps(2500):
        wanted = float(diff(definition, 0, 3))
    m = lossref.torch.SoftmaxFocalLoss(gamma=gamma)
    for target in (torch.tensor([y], dtype=dtype), *([torch.tensor([0])] if y[0] == 1 else [])):
        x, step = torch.tensor([row], dtype=dtype), torch.tensor([v], dtype=dtype)
        got, _ = third(lambda t, x=x, step=step, target=target: m(x + t * step, target), 0.0, dtype)
        info = torch.finfo(dtype)
        assert abs(got.item() - wanted) <= 200 * info.eps * abs(wanted) + info.smallest_normal


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
def test_tangents_at_the_ends():
    """What a target without a tangent costs is not asked for: it may be infinite."""
    z = torch.tensor([-800.0, 800.0, 0.0], dtype=torch.float64)
    for y in (torch.zeros_like(z), torch.ones_like(z)):
        m = lossref.torch.SigmoidFocalLoss(gamma=0.5, reduction="none")
        _, along = torch.func.jvp(lambda t, m=m, y=y: m(t, y), (z,), (torch.ones_like(z),))
        assert along.tolist() == torch.func.vmap(torch.func.grad(m))(z, y).tolist()
    x, y = torch.tensor([[-torch.inf, 0.0, 1.0]]), torch.tensor([[0.0, 0.5, 0.5]])
    for m in (lossref.torch.CrossEntropyLoss(), lossref.torch.SoftmaxFocalLoss()):
        _, along = torch.func.jvp(lambda t, m=m: m(t, y), (x,), (torch.tensor([[1.0, 2.0, 4.0]]),))
        slope = torch.func.grad(m)(x, y)
        assert along.item() == pytest.approx((slope @ torch.tensor([1.0, 2.0, 4.0])).item(), rel=1e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
def test_second_derivatives_through_tangents_at_the_ends():
    """The slope by the label, which nobody asked for, would become infinite."""
    x, y = torch.tensor([1e-40, 0.25]), torch.tensor([0.0, 1.0])
    m = lossref.torch.BCELoss(reduction="sum")
    for mixed in ((torch.func.jacrev, torch.func.jacfwd), (torch.func.jacfwd, torch.func.jacrev)):
        assert mixed[0](mixed[1](lambda t: m(t, y)))(x).tolist() == [[1, 0], [0, 16]]


@pytest.mark.parametrize("name", ["MSELoss", "CrossEntropyLoss", "DistillationLoss"])
def test_no_gradient_comes_from_behind(name):
    """From what has none itself, as a function that gives none for this input."""

    class Nothing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a.clone()

        @staticmethod
        def backward(ctx, g):
            return None

    x, y = examples()[name]
    x = x.clone().requires_grad_()
    assert torch.autograd.grad(Nothing.apply(getattr(lossref.torch, name)().by_terms(x, y)), x, allow_unused=True) == (
        None,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("gamma", "z"), [(2.0, -35.0), (1.0, -60.0), (0.5, -50.0), (1.0, -300.0), (1.0, -800.0)])
def test_slopes_by_a_label_that_is_met(gamma, z, dtype):
    """(1 - p_t)^½ has no slope where it is 0; the loss has. The second by the label is not small."""
    y = torch.zeros(1, dtype=dtype, requires_grad=True)
    value = lossref.torch.SigmoidFocalLoss(None, gamma)(torch.tensor([z], dtype=dtype), y)
    (first,) = torch.autograd.grad(value, y, create_graph=True)
    (second,) = torch.autograd.grad(first, y)
    definition = focal(None, gamma, [0]).definition
    with mp.workdps(1500):
        wanted = [float(diff(lambda t: definition(mpf(z), t), mpf(0), n)) for n in (1, 2)]
    info = torch.finfo(dtype)
    for found, w, loss in ((first, wanted[0], 8), (second, wanted[1], 8 if gamma >= 1 else 1000)):
        assert abs(found.item() - w) <= loss * info.eps * abs(w) + info.smallest_normal


def test_no_slope_where_a_root_is_0():
    y = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    value = lossref.torch.SigmoidFocalLoss(gamma=0.5)(torch.tensor([-800.0], dtype=torch.float64), y)
    assert torch.autograd.grad(value, y)[0].item() == 0


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SoftmaxFocalLoss"])
@pytest.mark.parametrize("row", [[0.0, 0.0, 50.0], [2.0, -torch.inf, 3.0]])
def test_by_a_mass_and_by_a_logit_in_any_order(row, name, gamma):
    """What a masked class would cost is infinite, and its mass has no part in anything else."""
    arguments = {"gamma": gamma} if name == "SoftmaxFocalLoss" else {}
    m = getattr(lossref.torch, name)(**arguments)
    x = torch.tensor([row], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([[0.5, 0.0, 0.5]], dtype=torch.float64, requires_grad=True)
    u = torch.tensor([[0.5, 0.0 if row[1] == -torch.inf else -0.25, 1.0]], dtype=torch.float64)
    (by_mass,) = torch.autograd.grad(m(x, a), a, create_graph=True)
    assert by_mass.isinf().tolist() == x.isinf().tolist()
    (found,) = torch.autograd.grad(_namespace.TORCH.times(u, by_mass).sum(), x)
    (slope,) = torch.autograd.grad(m(x, a), x, create_graph=True)
    wanted = [(torch.autograd.grad(s, a, retain_graph=True)[0] * u).sum().item() for s in slope[0]]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-13, atol=1e-15 * np.abs(wanted).max())


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
def test_a_student_that_masks_what_its_teacher_does_not():
    """The loss is infinite; its slope is as finite as T (q - p)."""
    m = lossref.torch.DistillationLoss()
    x, y = torch.tensor([[2.0, -torch.inf, 3.0]]), torch.tensor([[0.0, 0.5, 1.0]])
    wanted = lossref.DistillationLoss().grad(x.numpy(), y.numpy())
    v = torch.tensor([[1.0, 2.0, 4.0]])
    _, along = torch.func.jvp(lambda q: m(q, y), (x,), (v,))
    assert along.item() == pytest.approx((wanted * v.numpy()).sum(), rel=1e-6)
    bare = torch.func.grad(lambda q: lossref.DistillationLoss.parts(_namespace.SMOOTH, 1.0, q, y).value().sum())(x)
    np.testing.assert_allclose(bare, wanted, rtol=1e-6)


ROWS = [[60.0, 0.0, 1.0], [3.0, 2.0, -1.0], [-1e-30, 0.0, 1e-30], [0.1, 40.3, 2.0], [700.0, 0.5, -3.0]]
INDEX = [0, 1, 2, 0, 0]
MASSES = [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.2, 0.2]]


def rows(name, soft):
    x = np.array(ROWS)
    return x - 1000 if name == "NLLLoss" else x, np.array(MASSES) if soft else np.array(INDEX)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", BY_CLASSES)
def test_products_with_the_hessian(name, soft):
    """Against the C×C blocks, to the last places of their terms, where softmax is saturated too."""
    if soft and name == "NLLLoss":
        pytest.skip("NLLLoss has no probabilities as targets")
    module, loss = build(name, **BY_CLASSES[name], reduction="sum")
    x, y = rows(name, soft)
    v = np.array([[0.3, -1.0, 2.0], [1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [5.0, -1.0, 0.5]])
    blocks = loss.hess(x, y)
    wanted = np.einsum("nij,nj->ni", blocks, v)
    size = np.einsum("nij,nj->ni", np.abs(blocks), np.abs(v)).max(1, keepdims=True)
    tx, ty, tv = torch.tensor(x, requires_grad=True), torch.tensor(y), torch.tensor(v)
    for f in (module, module.by_terms):
        (g,) = torch.autograd.grad(f(tx, ty), tx, create_graph=True)
        (product,) = torch.autograd.grad((g * tv).sum(), tx, create_graph=True)
        assert np.all(np.abs(product.detach().numpy() - wanted) <= 1e-14 * size)
    _, forward = torch.func.jvp(torch.func.grad(lambda t: module(t, ty)), (tx.detach(),), (tv,))
    assert np.all(np.abs(forward.numpy() - wanted) <= 1e-14 * size)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SoftmaxFocalLoss", "SoftmaxFocalLoss-0.5"])
def test_third_of_softmax(name, soft):
    """Along a direction, against differences of the Hessian; and for the target's masses, against torch's own check."""
    module, loss = build(name, **BY_CLASSES[name], reduction="sum")
    rng = np.random.default_rng(4)
    x, v = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    y = rng.dirichlet(np.ones(3), 4) if soft else rng.integers(0, 3, 4)
    step = 1e-4
    wanted = np.einsum("nij,ni,nj->", loss.hess(x + step * v, y) - loss.hess(x - step * v, y), v, v) / (2 * step)
    ty, tv = torch.tensor(y), torch.tensor(v)

    def along(t):
        return module(torch.tensor(x) + t * tv, ty)

    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    got = repeated(along, t, 3)
    assert got == pytest.approx(wanted, rel=1e-6)
    if soft:
        assert torch.autograd.gradgradcheck(module, (torch.tensor(x, requires_grad=True), ty.requires_grad_()))


def test_the_tail_is_kept():
    """What torch's own second derivative of a saturated softmax gives is 0; what is true is e⁻⁴⁰, nearly."""
    x = torch.tensor([[40.0, 0.0]], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0])

    def bend(f):
        (g,) = torch.autograd.grad(f(x, y), x, create_graph=True)
        return torch.autograd.grad(g[0, 0], x)[0][0, 0].item()

    with mp.workdps(60):
        p = 1 / (1 + mp.exp(-40))
        wanted = float(diff(lambda t: log(1 + mp.exp(-t)), mpf(40), 2))
        assert wanted == pytest.approx(float(p * (1 - p)), rel=1e-12)
    assert bend(lossref.torch.CrossEntropyLoss()) == pytest.approx(wanted, rel=1e-15, abs=0)
    assert bend(torch.nn.CrossEntropyLoss()) == 0


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own forward mode
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("T", [0.14, 1.0, 3.0])
def test_distillation_of_saturated_rows(T, dtype):
    """Each entry of the Hessian, with its last places: of confident rows, far from 0; by the teacher its negative."""
    precision = 4 * torch.finfo(dtype).eps
    x = T * torch.tensor([[30.0, 0.0, 1.0], [-1000.0, -990.0, -1002.0], [40.0, 40.5, 0.0]], dtype=dtype)
    module, loss = lossref.torch.DistillationLoss(T, reduction="sum"), lossref.DistillationLoss(T, reduction="sum")
    wanted = loss.hess(x.double().numpy(), np.zeros((3, 3)))

    def of_row(i, j, by):
        student, teacher = (t.clone().requires_grad_() for t in ((x, x - 1) if by == 0 else (x - 1, x)))
        (g,) = torch.autograd.grad(module(student, teacher), student, create_graph=True)
        return torch.autograd.grad(g[i, j], (student, teacher)[by])[0][i].numpy()

    for i, j in np.ndindex(3, 3):
        assert of_row(i, j, 0) == pytest.approx(wanted[i, j], rel=precision, abs=0)
        assert of_row(i, j, 1) == pytest.approx(-wanted[i, j], rel=precision, abs=0)
    tangents = torch.func.vmap(
        lambda v: torch.func.jvp(torch.func.grad(lambda t: module(t, x - 1)), (x,), (v.expand_as(x),))[1]
    )(torch.eye(3, dtype=dtype))
    assert tangents.numpy() == pytest.approx(wanted.transpose(2, 0, 1), rel=precision, abs=0)


# -- what stands behind the loss, and what changes before backward ---------------------------------------------------


def examples():
    z = torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.5, -2.0]], dtype=torch.float64)
    y = torch.tensor([[1.0, 0, 1], [0, 1, 0]], dtype=torch.float64)
    p = z.softmax(1)
    return {
        "MSELoss": (z, y), "L1Loss": (z, y), "SmoothL1Loss": (z, y), "HuberLoss": (z, y), "BCEWithLogitsLoss": (z, y),
        "BCELoss": (p, y), "SigmoidFocalLoss": (z, y), "KLDivLoss": (p.log(), y), "CrossEntropyLoss": (z, p),
        "NLLLoss": (p.log(), torch.tensor([0, 2])), "SoftmaxFocalLoss": (z, torch.tensor([0, 2])),
        "DistillationLoss": (z, 2 * z.flip(0)),
    }  # fmt: skip


@pytest.mark.parametrize("name", lossref.LOSSES)
@pytest.mark.parametrize("behind", [torch.square, torch.sin], ids=lambda f: f.__name__)
def test_a_function_of_a_loss_has_its_gradient(name, behind):
    """Also where the graph of the gradient is made: what comes from behind depends on the input too."""
    x, y = examples()[name]
    x = x.clone().requires_grad_()
    m = getattr(lossref.torch, name)()
    (plain,) = torch.autograd.grad(behind(m(x, y)), x)
    (graph,) = torch.autograd.grad(behind(m(x, y)), x, create_graph=True)
    np.testing.assert_allclose(graph.detach(), plain, rtol=1e-12, atol=1e-15)
    value = m.by_terms(x, y)
    (wanted,) = torch.autograd.grad(torch.autograd.grad(behind(value), x, create_graph=True)[0].square().sum(), x)
    (found,) = torch.autograd.grad(graph.square().sum(), x)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-14)


def test_hooks_run_once():
    x, y = torch.tensor([0.3, -1.0], requires_grad=True), torch.tensor([1.0, 0.0])
    calls = []
    x.register_hook(lambda g: calls.append(g))
    torch.autograd.grad(lossref.torch.MSELoss()(x, y), x, create_graph=True)
    assert len(calls) == 1


def test_batched_gradients_have_a_graph():
    x, y = torch.tensor([0.3, -1.0], requires_grad=True), torch.tensor([1.0, 0.0])
    value = lossref.torch.MSELoss()(x, y)
    rows = torch.autograd.grad(value, x, torch.tensor([1.0, 3.0]), is_grads_batched=True, create_graph=True)[0]
    np.testing.assert_allclose(rows.detach(), np.outer([1, 3], [-0.7, -1.0]), rtol=1e-6)
    assert rows.requires_grad


def test_backward_is_of_the_module_that_was_called():
    x, y = torch.tensor([0.3, -1.0, 2.0], requires_grad=True), torch.tensor([1.0, 0.0, 1.0])
    w = torch.tensor([1.0, 2.0, 3.0])
    m = lossref.torch.MSELoss(weight=torch.ones(3))
    value = torch.func.functional_call(m, {"weight": w}, (x, y))
    (plain,) = torch.autograd.grad(value, x, retain_graph=True)
    m.reduction = "sum"
    (graph,) = torch.autograd.grad(value, x, create_graph=True)
    np.testing.assert_allclose(graph.detach(), plain, rtol=1e-6)
    m = lossref.torch.MSELoss(weight=w)
    value = m(x, y)
    m.weight.mul_(10)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(value, x, create_graph=True)


@pytest.mark.parametrize(
    ("name", "weight"), [("MSELoss", "weight"), ("BCEWithLogitsLoss", "weight"), ("CrossEntropyLoss", "weight"),
                         ("SoftmaxFocalLoss", "alpha"), ("NLLLoss", "weight")],
)  # fmt: skip
def test_weights_may_be_parameters(name, weight):
    x, y = examples()[name]
    w = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    m = getattr(lossref.torch, name)(**{weight: torch.ones(3, dtype=torch.float64)})
    wanted = getattr(lossref.torch, name)(**{weight: w})(x, y)
    setattr(m, weight, torch.nn.Parameter(w))
    value = m(x, y)
    assert value.item() == pytest.approx(wanted.item(), rel=1e-14)
    value.backward()
    assert getattr(m, weight).grad.abs().sum() > 0
    assert list(m.state_dict()) == [weight]


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_pos_weight_may_be_a_parameter_and_has_tangents():
    x, y = examples()["BCEWithLogitsLoss"]
    w = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    m = lossref.torch.BCEWithLogitsLoss()
    m.pos_weight = torch.nn.Parameter(w, requires_grad=False)
    wanted = torch.nn.BCEWithLogitsLoss(pos_weight=w)(x, y)
    assert m(x, y).item() == pytest.approx(wanted.item(), rel=1e-14)
    found, peer = (
        torch.func.jacfwd(lambda v, c=c: torch.func.functional_call(c(pos_weight=w), {"pos_weight": v}, (x, y)))(w)
        for c in (lossref.torch.BCEWithLogitsLoss, torch.nn.BCEWithLogitsLoss)
    )
    np.testing.assert_allclose(found, peer, rtol=1e-12)


def test_log_targets_have_a_gradient_where_they_are_met():
    k = torch.log_softmax(torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64), 0)
    t = k.clone().requires_grad_()
    (found,) = torch.autograd.grad(lossref.torch.KLDivLoss(reduction="sum", log_target=True)(k, t), t)
    np.testing.assert_allclose(found, k.exp(), rtol=1e-14)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_forward_mode_twice_is_refused():
    x, y = torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.0])
    with pytest.raises(NotImplementedError, match="forward-mode derivative of a forward-mode derivative"):
        torch.func.jacfwd(torch.func.jacfwd(lambda q: lossref.torch.MSELoss()(q, y).sin()))(x)


def test_nan_targets_and_denominators_come_out_in_every_way():
    x, y = torch.tensor([0.3, -1.0], requires_grad=True), torch.tensor([np.nan, 0.0])
    for f in (lossref.torch.L1Loss(reduction="sum"), lossref.torch.L1Loss(reduction="sum").by_terms):
        assert torch.autograd.grad(f(x, y), x)[0].isnan().tolist() == [True, False]
    assert np.isnan(lossref.MSELoss(denominator="positives").grad([3.0, 4.0], [np.nan, 1])).all()


def test_weights_of_any_layout():
    w = torch.complex(torch.zeros(3), -torch.tensor([1.0, 2.0, 3.0])).conj().imag
    x, y = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([1.0, 0.0, 1.0])
    assert w.is_neg()
    found = lossref.torch.MSELoss(weight=w)(x, y)
    assert found.item() == pytest.approx(lossref.torch.MSELoss(weight=w.clone().resolve_neg())(x, y).item(), rel=1e-6)


# -- torch.func inside of the compiler -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "SoftmaxFocalLoss", "DistillationLoss", "BCEWithLogitsLoss"])
def test_compiled_derivatives_of_derivatives(name):
    """Of a gradient's size, by torch.func and by autograd around it; at 0, where pieces of formulas meet, too."""
    x, y = examples()[name]
    x = torch.where(x == 0.5, 0, x)
    m = getattr(lossref.torch, name)()

    def penalty(q):
        return m(q, y) + torch.func.grad(m)(q, y).square().sum()

    torch._dynamo.reset()
    compiled = torch.compile(penalty, fullgraph=True, backend="eager")
    for f in (torch.func.grad(penalty), torch.compile(torch.func.grad(penalty), fullgraph=True, backend="eager")):
        np.testing.assert_allclose(f(x), torch.func.jacrev(penalty)(x), rtol=1e-12, atol=1e-15)
    q = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(compiled(q), q)
    np.testing.assert_allclose(found, torch.func.grad(penalty)(x), rtol=1e-12, atol=1e-15)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_compiled_for_any_size_with_weights():
    m = lossref.torch.BCEWithLogitsLoss(weight=torch.tensor([1.0, 2.0, 3.0]), pos_weight=torch.tensor([2.0, 1.0, 1.0]))
    x, y = torch.tensor([[0.3, -1.0, 2.0]] * 4), torch.tensor([[1.0, 0.0, 1.0]] * 4)
    torch._dynamo.reset()
    assert torch.compile(m, dynamic=True, backend="eager")(x, y).item() == pytest.approx(m(x, y).item(), rel=1e-6)


def pairs(dtype):
    """Rows of students and teachers, by how far apart they are."""
    y = 3 * torch.tensor([[0.3, -1.0, 2.0, 0.5], [1.0, 1.5, -0.5, 0.0]], dtype=dtype)
    off = torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.2, 0.1, -1.0, 1.5]], dtype=dtype)
    masked = torch.tensor([0.0, -torch.inf, 0.0, 0.0], dtype=dtype)
    near = y + 1e-3 * off
    return {
        "same": (y, y),
        "near": (near, y),
        "far": (y + 9 * off, y),
        "permuted": (y.roll(1, 1), y),  # the sums of the exponentials are the same, but for rounding
        "sharp": (12 * y + 0.1 * off, 12 * y),
        "masked teacher": (near, y + masked),
        "both masked": (near + masked, y + masked),
        "one class": (y[:, :1], y[:, :1]),
    }


def derivatives(module, v):
    """Of a function of student and teacher: its value, its two gradients, and v times its Hessian by the student."""

    def f(x, y):
        gradients, value = torch.func.grad_and_value(module, argnums=(0, 1))(x, y)
        return value, *gradients, torch.func.grad(lambda x: (torch.func.grad(module)(x, y) * v).sum())(x)

    return f


def compiled(f):
    torch._dynamo.reset()
    return torch.compile(f, fullgraph=True, backend="eager")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("T", [1.0, 3.0, 100.0])
@pytest.mark.parametrize("how", pairs(torch.float64))
def test_distillation_differentiates_itself(how, T, dtype):
    """Compiled inside of torch.func, the bare formula is what torch differentiates: exactly, and never to nan."""
    x, y = pairs(dtype)[how]
    module, loss = lossref.torch.DistillationLoss(T, reduction="sum"), lossref.DistillationLoss(T, reduction="sum")
    v = torch.linspace(1, 2, x.shape[1], dtype=dtype).expand_as(x)

    def formula(x, y):
        return loss.parts(_namespace.SMOOTH, T, x, y).value().sum()

    found = derivatives(formula, v)(x, y)
    if how == "near" and T == 3:
        for bare, got in zip(found, compiled(derivatives(module, v))(x, y), strict=True):
            torch.testing.assert_close(got, bare, rtol=0, atol=0)

    x, y = (t.double().clone().requires_grad_() for t in (x, y))
    (by_teacher,) = torch.autograd.grad(module(x, y), y)
    x, y = x.detach().numpy(), y.detach().numpy()
    value, gradient = loss.value_and_grad(x, y)
    wanted = (value, gradient, by_teacher.numpy(), np.einsum("nij,nj->ni", loss.hess(x, y), v.double().numpy()))
    of_terms = (0, 0, value / T, 0)  # the gradient by the teacher is the p D less their mean
    for got, w, terms in zip(found, wanted, of_terms, strict=True):
        size = np.abs(w).max() + terms
        np.testing.assert_allclose(got.numpy(), w, rtol=0, atol=20 * torch.finfo(dtype).eps * size)


@pytest.mark.parametrize("order", [3, 4])
@pytest.mark.parametrize("how", ["same", "near", "far"])
def test_distillation_differentiates_itself_again(how, order, T=10.0):
    """Along a direction, against differences of the Hessian."""
    x, y = pairs(torch.float64)[how]
    loss, v = lossref.DistillationLoss(T, reduction="sum"), torch.tensor([5.0, 4.0, 0.0, 2.0], dtype=torch.float64)
    step = 1e-3
    before, here, after = (np.einsum("nij,i,j->", loss.hess(x + e * v, y), v, v) for e in (-step, 0, step))
    wanted = (after - before) / (2 * step) if order == 3 else (after - 2 * here + before) / step**2

    def along(t):
        return loss.parts(_namespace.SMOOTH, T, x + t * v, y).value().sum()

    found = repeated(along, torch.zeros((), dtype=torch.float64, requires_grad=True), order)
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "BCEWithLogitsLoss", "BCELoss"])
def test_compiled_inside_of_func_nan_stays(name):
    m = getattr(lossref.torch, name)()
    x, y = torch.tensor([0.3, np.nan, 0.2, 0.5, 0.9]), torch.tensor([0.1, 0.5, np.nan, 0.5, 0.3])

    def f(x, y):
        slope = torch.func.grad(m)
        return m(x, y), slope(x, y), torch.func.grad(slope)(x, y)

    each = torch.func.vmap(f)
    for found, wanted in zip(compiled(each)(x, y), each(x, y), strict=True):
        assert found.isnan().tolist() == [False, True, True, False, False]
        torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss"])
def test_compiled_inside_of_func_infinity_stays(name):
    m = getattr(lossref.torch, name)()
    x, y = torch.tensor([torch.inf, -torch.inf, 3e38]), torch.tensor([-torch.inf, 1.0, -3e38])
    each = torch.func.vmap(lambda x, y: (m(x, y), torch.func.grad(m)(x, y)))
    for found, wanted in zip(compiled(each)(x, y), each(x, y), strict=True):
        torch.testing.assert_close(found, wanted)


ENDS = torch.tensor([[-60.0, -20.0, -200.0], [0.0, 50.0, 3.0], [-5.0, 20.0, 60.0]])
MASKED = torch.tensor([[2.0, -torch.inf, 3.0]])
INSIDE = {
    "BCEWithLogitsLoss": ({}, ENDS, torch.tensor([[0.0, 0, 0], [0, 1, 1], [1, 1, 1]])),
    "SigmoidFocalLoss": ({"gamma": 0.5}, ENDS, torch.tensor([[0.0, 0, 0], [0, 1, 1], [1, 1, 1]])),
    "L1Loss": ({}, ENDS, torch.zeros(3, 3)),
    "SmoothL1Loss": ({"beta": 0.0}, ENDS, torch.zeros(3, 3)),
    "HuberLoss": ({}, ENDS, torch.ones(3, 3)),
    "CrossEntropyLoss": ({}, torch.tensor(ROWS), torch.tensor(INDEX)),
    "CrossEntropyLoss, masses": ({}, torch.tensor(ROWS), torch.tensor(MASSES)),
    "SoftmaxFocalLoss": ({"gamma": 0.5}, torch.tensor(ROWS), torch.tensor(INDEX)),
    "CrossEntropyLoss, masked": ({}, MASKED, torch.tensor([[0.5, 0.0, 0.5]])),
    "SoftmaxFocalLoss, masked": ({"gamma": 0.5}, MASKED, torch.tensor([[0.5, 0.0, 0.5]])),
    "SoftmaxFocalLoss, masses": ({"gamma": 0.5}, torch.tensor(ROWS), torch.tensor(MASSES)),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", INSIDE)
def test_compiled_inside_of_func_at_the_ends(name):
    """Where torch differentiates the formula itself, no tail is lost, nothing is nan and kinks have their slope."""
    kwargs, x, y = INSIDE[name]
    module, loss = build(name.partition(",")[0], **kwargs, reduction="sum")
    v = torch.linspace(1, 2, 3).expand_as(x)

    def f(x):
        slope = torch.func.grad(module)
        return slope(x, y), torch.func.grad(lambda x: (slope(x, y) * v).sum())(x)

    gradient, bent = compiled(f)(x)
    exact, labels = x.double().numpy(), y.numpy()
    blocks = loss.hess(exact, labels)
    if blocks.shape == x.shape:
        blocks = np.eye(3) * blocks[:, None]
    wanted = np.einsum("nij,nj->ni", blocks, v.numpy())
    size = np.einsum("nij,nj->ni", np.abs(blocks), v.numpy())
    smallest = 4 * torch.finfo(x.dtype).smallest_normal
    np.testing.assert_allclose(gradient, loss.grad(exact, labels), rtol=2e-6, atol=smallest)
    assert np.all(np.abs((bent + 0).numpy() - wanted) <= 2e-6 * size + smallest)
