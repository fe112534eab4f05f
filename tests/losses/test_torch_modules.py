"""lossref.torch: the same numbers as lossref, the same behaviour as torch.nn, derivatives of every order."""

import re

import numpy as np
import pytest
import torch
from cases import CASES, FIRST

import lossref
import lossref.torch

each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
each_loss = pytest.mark.parametrize("case", FIRST, ids=lambda c: c.loss)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
# torch 2.13 compiles its forward-mode decompositions with what it itself deprecates, on first use
forward_mode = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
TENSORS = ("weight", "pos_weight")


def module(case, **more):
    kwargs = {k: torch.as_tensor(v) if k in TENSORS else v for k, v in (case.kwargs | more).items()}
    return getattr(lossref.torch, case.loss)(**kwargs)


def data(case, shape=(4, 3), dtype=torch.float64):
    x, y = case.draw(np.random.default_rng(0), shape)
    return torch.tensor(x, dtype=dtype, requires_grad=True), torch.tensor(y, dtype=dtype)


@pytest.mark.parametrize("name", list(lossref.LOSSES))
def test_every_loss_is_there(name):
    module = getattr(lossref.torch, name)
    assert issubclass(module, torch.nn.Module) and module.loss is lossref.LOSSES[name]
    assert f"`lossref.{name}`" in module.__doc__ and "构造参数" in module.__doc__


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_as_exact_as_numpy(case, dtype):
    """Value, gradient and, where torch runs eagerly, second derivative at the points of the exactness check."""
    x, y = case.points(np.float32 if dtype == torch.float32 else np.float64)
    loss = lossref.LOSSES[case.loss](reduction="none", **case.kwargs)
    tx, ty = torch.tensor(x, requires_grad=True), torch.tensor(y)
    value = module(case, reduction="none").by_terms(tx, ty)  # in torch's arithmetic, as on a device
    (gradient,) = torch.autograd.grad(value.sum(), tx)
    eps = np.finfo(x.dtype)
    for got, wanted in ((value, loss(x, y)), (gradient, loss.grad(x, y))):
        # torch flushes nothing to zero, but its exp may differ in the last places and below the normal range
        np.testing.assert_allclose(
            got.detach(), wanted, rtol=16 * eps.eps, atol=8 * float(eps.smallest_subnormal)
        )


@each_case
@each_reduction
@pytest.mark.parametrize("shape", [None, (3,)], ids=str)
def test_parity_with_torch(case, reduction, shape):
    more = {"reduction": reduction}
    if shape is not None:
        more["weight"] = (
            torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
        )
    x, y = data(case)
    ours, wanted = module(case, **more), case.peer(x, y, more.get("weight"), reduction)
    got, by_terms = ours(x, y), ours.by_terms(x, y)
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=0)
    torch.testing.assert_close(by_terms, wanted, rtol=1e-13, atol=0)
    pulls = [torch.autograd.grad(v.sum(), x, retain_graph=True)[0] for v in (got, by_terms)]
    torch.testing.assert_close(*pulls, rtol=1e-13, atol=1e-16)
    g, w = (torch.autograd.grad(v.sum(), x, create_graph=case.smooth)[0] for v in (got, wanted))
    torch.testing.assert_close(g, w, rtol=1e-12, atol=1e-15)
    if case.smooth:
        h, w = (torch.autograd.grad(v.square().sum(), x)[0] for v in (g, w))
        torch.testing.assert_close(h, w, rtol=1e-9, atol=1e-14)


@forward_mode
@each_loss
@each_reduction
def test_gradcheck(case, reduction):
    x, y = data(case, (2, 3))
    loss = module(case, reduction=reduction)
    if np.isfinite(loss.target_range[1]) and loss.target_range[0] == 0:
        y = 0.8 * y + 0.1  # soft, so that the target too can be moved both ways
    y.requires_grad_()
    assert torch.autograd.gradcheck(loss, (x, y), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(loss, (x, y))


@forward_mode
@each_loss
def test_func(case):
    x, y = data(case, (6,))
    x = x.detach()
    loss, exact = module(case), lossref.LOSSES[case.loss](**case.kwargs)
    close = dict(rtol=1e-12, atol=1e-16)
    assert_close = torch.testing.assert_close
    assert_close(torch.func.grad(loss)(x, y), torch.tensor(exact.grad(x.numpy(), y.numpy())), **close)
    assert_close(
        torch.func.hessian(loss)(x, y), torch.diag(torch.tensor(exact.hess(x.numpy(), y.numpy()))), **close
    )
    assert_close(torch.vmap(loss)(x.reshape(3, 2), y.reshape(3, 2)).mean(), loss(x, y), **close)
    per_sample = torch.vmap(torch.func.grad(loss))(x, y)
    assert_close(per_sample / 6, torch.func.grad(loss)(x, y), **close)
    _, tangent = torch.func.jvp(lambda x: loss(x, y), (x,), (torch.ones_like(x),))
    assert_close(tangent, torch.func.grad(loss)(x, y).sum(), **close)


@each_loss
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_compile(case):
    """In one graph; without the compiler's code generator, which tests of a formula need not wait for."""
    x, y = data(case)
    loss = module(case)
    torch._dynamo.reset()  # every module here shares one forward, and torch counts how often that is compiled
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    value = compiled(x, y)
    torch.testing.assert_close(value, loss(x, y), rtol=1e-14, atol=0)
    torch.testing.assert_close(
        *(torch.autograd.grad(v, x)[0] for v in (value, loss(x, y))), rtol=1e-13, atol=0
    )


@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(case, dtype):
    x, y = data(case, (50,), dtype)
    value = module(case)(x, y)
    assert value.dtype == dtype
    wide = x.detach().float().requires_grad_()
    exact = module(case)(wide, y.float())
    assert value == exact.to(dtype)
    value.backward()
    exact.backward()
    assert x.grad.dtype == dtype and torch.equal(x.grad, wide.grad.to(dtype))


@each_loss
def test_module(case):
    """What a module of torch.nn can do: state, device and dtype moves, pickling, a printed form."""
    import copy
    import pickle

    loss = module(case, weight=torch.ones(3), reduction="sum")
    assert loss.to(torch.float64).weight.dtype == torch.float64
    x, y = data(case)
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin(x, y) == loss(x, y)
    with torch.no_grad():
        assert not loss(x, y).requires_grad
    assert case.loss in repr(loss)


@pytest.mark.parametrize("name", [name for name in lossref.LOSSES if hasattr(torch.nn, name)])
def test_drop_in(name):
    """The constructor, its defaults and the state are those of torch.nn."""
    import inspect

    ours, theirs = getattr(lossref.torch, name), getattr(torch.nn, name)
    wanted = list(inspect.signature(theirs.__init__).parameters.values())
    got = list(inspect.signature(ours.__init__).parameters.values())
    assert [(p.name, p.default) for p in got[: len(wanted)]] == [(p.name, p.default) for p in wanted]
    assert all(p.kind == p.KEYWORD_ONLY for p in got[len(wanted) :])
    states = [{}]
    if "weight" in ours().state_dict() or hasattr(theirs(), "weight"):
        states.append({"weight": torch.ones(3)})
    for state in states:
        theirs_now, ours_now = theirs(**state), ours(**state)
        assert ours_now.state_dict().keys() == theirs_now.state_dict().keys()
        ours_now.load_state_dict(theirs_now.state_dict())
        assert not ours_now.training or theirs_now.training


@each_loss
def test_backward_twice(case):
    x, y = data(case)
    value = module(case)(x, y)
    first = torch.autograd.grad(3 * value, x, retain_graph=True)[0]
    second = torch.autograd.grad(value, x, retain_graph=True)[0]
    torch.testing.assert_close(first, 3 * second, rtol=1e-14, atol=0)
    kept = second.clone()
    second.zero_()  # what was handed out is the caller's
    assert torch.equal(torch.autograd.grad(value, x)[0], kept)


@each_loss
def test_one_tensor_is_kept(case):
    """For backward there is one tensor of the input's size, and that very tensor becomes the gradient."""
    x, y = data(case)
    value = module(case, reduction="sum")(x, y)
    kept = value.grad_fn.gradient
    assert kept.shape == x.shape
    (gradient,) = torch.autograd.grad(value, x)
    assert gradient.data_ptr() == kept.data_ptr()
    with torch.no_grad():
        assert module(case)(x, y).grad_fn is None


@pytest.mark.parametrize(
    "case", [c for c in FIRST if c.loss not in ("HuberLoss", "SigmoidFocalLoss")], ids=lambda c: c.loss
)
def test_legacy_reduction_arguments(case):
    """Those that torch's own constructor still has."""
    x, y = data(case)
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        loss = module(case, size_average=False)
    assert loss.reduction == "sum" and loss(x, y) == module(case, reduction="sum")(x, y)


@each_loss
def test_bad_input(case):
    x, y = data(case)
    loss = module(case)
    with pytest.raises(ValueError, match=r"target must have the shape of input, \(4, 3\); got \(4,\)"):
        loss(x, y[:, 0])
    with pytest.raises(TypeError, match=re.escape("input must be a floating-point tensor; got torch.int64")):
        loss(torch.ones(4, 3, dtype=torch.int64), y)
    with pytest.raises(ValueError, match="reduction must be one of"):
        module(case, reduction="Mean")
    with pytest.raises(ValueError, match=r"target must have the shape of input, \(4, 3\); got \(4,\)"):
        loss.by_terms(x, y[:, 0])
    for name, (low, high) in (("target", loss.target_range), ("input", loss.loss.input_range)):
        for bad in (low - 0.5, high + 0.5):
            if np.isfinite(bad):
                given = {"input": x.detach().clone(), "target": y.clone()}
                given[name][2, 1] = bad
                with pytest.raises(
                    ValueError, match=re.escape(f"{name} must be in [{low:g}, {high:g}]; got {bad:g}")
                ):
                    loss(**given)
                given[name][1, 1] = torch.nan  # which does not hide it
                with pytest.raises(
                    ValueError, match=re.escape(f"{name} must be in [{low:g}, {high:g}]; got {bad:g}")
                ):
                    loss(**given)
    with pytest.raises(
        ValueError, match=re.escape("weight must broadcast to the shape of input, (4, 3); got shape (4,)")
    ):
        module(case, weight=torch.ones(4))(x, y)


@each_loss
def test_nan_and_empty(case):
    x, y = data(case)
    x = x.detach()
    x[1, 1] = torch.nan
    assert torch.isnan(module(case)(x, y))
    empty = torch.empty(0, 3)
    assert torch.isnan(module(case)(empty, empty)) and module(case, reduction="sum")(empty, empty) == 0


def test_exact_where_torch_is_not():
    z = torch.tensor([-15.0, 20.0, -95.0], requires_grad=True)
    value = lossref.torch.BCEWithLogitsLoss(reduction="none")(z, torch.tensor([0.0, 1.0, 0.0]))
    wanted = np.exp([-15.0, -20.0, -95.0])
    np.testing.assert_allclose(value.detach(), wanted, rtol=1e-3)
    np.testing.assert_allclose(torch.autograd.grad(value.sum(), z)[0], wanted * [1, -1, 1], rtol=1e-3)
    p = torch.tensor([0.0, 0.0, 1.0, 1.0], requires_grad=True)
    value = lossref.torch.BCELoss(reduction="none")(p, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert value.tolist() == [np.inf, 0, 0, np.inf]
    assert torch.autograd.grad(value.sum(), p)[0].tolist() == [-np.inf, 1, -1, np.inf]
