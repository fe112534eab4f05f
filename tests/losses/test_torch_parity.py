"""In the place of torch.nn's own: every combination of arguments, autocast, state, code that a compiler makes."""

import inspect
import itertools
import shutil
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import lossref
import lossref.torch

REDUCTIONS = ["none", "mean", "sum"]
W = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64)
EACH = torch.linspace(0.1, 2.0, 12, dtype=torch.float64).reshape(3, 4)


def product(**choices):
    for values in itertools.product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def numbers(seed, *shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def samples(shape):
    return shape[1:] if len(shape) == 1 else (shape[0], *shape[2:])


def indices(shape, ignored):
    axis = min(1, len(shape) - 1)
    y = numbers(2, *samples(shape)).mul(10).long().remainder(shape[axis])
    if y.dim():
        y.view(-1)[0] = ignored
    return y


def soft(shape):
    return numbers(3, *shape).softmax(min(1, len(shape) - 1))


def same(ours, theirs, x, y):
    """Value and gradient, each to the last digits."""
    x = x.clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch announces changes of KLDivLoss
        values = ours(x, y), theirs(x, y), ours.by_terms(x, y)
    gradients = [torch.autograd.grad(v.sum(), x)[0] for v in values]
    for got, wanted in ((values[0], values[1]), (values[2], values[1])):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-15, equal_nan=True)
    for got in (gradients[0], gradients[2]):
        torch.testing.assert_close(got, gradients[1], rtol=1e-11, atol=1e-15)


def make(name, **kwargs):
    """Our module, and torch's, of the same arguments; the same may warn of the two that are old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return getattr(lossref.torch, name)(**kwargs), getattr(torch.nn, name)(**kwargs)


SHAPES = [(4,), (5, 4), (3, 4, 2), (2, 4, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cross_entropy(shape):
    tried = 0
    common = {"reduction": REDUCTIONS, "weight": [None, W], "ignore_index": [-100, 1]}
    for kwargs in product(**common, label_smoothing=[0.0, 0.1, 1.0]):
        modules = make("CrossEntropyLoss", **kwargs)
        for y in (indices(shape, kwargs["ignore_index"]), soft(shape)):
            if y.is_floating_point() and kwargs["ignore_index"] >= 0:
                continue  # torch refuses to be told
            same(*modules, numbers(1, *shape), y)
            tried += 1
    assert tried == 3 * 2 * 3 * 3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_nll(shape):
    x = numbers(1, *shape).log_softmax(min(1, len(shape) - 1))
    for kwargs in product(reduction=REDUCTIONS, weight=[None, W], ignore_index=[-100, 1]):
        same(*make("NLLLoss", **kwargs), x, indices(shape, kwargs["ignore_index"]))


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4)], ids=str)
def test_kl(shape):
    x, p = numbers(1, *shape).sigmoid().log(), numbers(2, *shape).sigmoid()
    for kwargs in product(reduction=[*REDUCTIONS, "batchmean"], log_target=[False, True]):
        if not shape and kwargs["reduction"] == "batchmean":
            continue  # torch asks for the length of a scalar
        same(*make("KLDivLoss", **kwargs), x, p.log() if kwargs["log_target"] else p)


@pytest.mark.parametrize("weight", [None, EACH, W, EACH[:, :1], W[1]], ids=["none", "full", "row", "column", "number"])
def test_binary(weight):
    logits, y = numbers(1, 3, 4), numbers(2, 3, 4).sigmoid()
    for kwargs in product(reduction=REDUCTIONS, pos_weight=[None, W, EACH, W[1]]):
        same(*make("BCEWithLogitsLoss", weight=weight, **kwargs), logits, y)
    for reduction in REDUCTIONS:
        same(*make("BCELoss", weight=weight, reduction=reduction), logits.sigmoid(), y)


@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4)], ids=str)
def test_regression(shape):
    x, y = numbers(1, *shape), numbers(2, *shape)
    for reduction in REDUCTIONS:
        for name in ("MSELoss", "L1Loss"):
            same(*make(name, reduction=reduction), x, y)
        for beta in (0, 1e-3, 0.5, 1.0, 30):
            same(*make("SmoothL1Loss", reduction=reduction, beta=beta), x, y)
        for delta in (1e-3, 0.5, 1.0, 30, float("inf")):
            same(*make("HuberLoss", reduction=reduction, delta=delta), x, y)


OLD = ["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "NLLLoss", "KLDivLoss", "MSELoss", "L1Loss", "SmoothL1Loss"]


@pytest.mark.parametrize("name", OLD)
def test_old_names_of_reductions(name):
    for kwargs in product(size_average=[None, True, False], reduce=[None, True, False]):
        ours, theirs = make(name, **kwargs)
        assert ours.reduction == theirs.reduction


# -- autocast --------------------------------------------------------------------------------------------------------

BOTH = {
    "BCELoss": (lambda: numbers(1, 6, 4).sigmoid(), lambda: numbers(2, 6, 4).sigmoid(), F.binary_cross_entropy),
    "BCEWithLogitsLoss": (
        lambda: numbers(1, 6, 4),
        lambda: numbers(2, 6, 4).sigmoid(),
        F.binary_cross_entropy_with_logits,
    ),
    "CrossEntropyLoss": (lambda: numbers(1, 6, 4), lambda: indices((6, 4), 0), F.cross_entropy),
    "NLLLoss": (lambda: numbers(1, 6, 4).log_softmax(1), lambda: indices((6, 4), 0), F.nll_loss),
    "KLDivLoss": (lambda: numbers(1, 6, 4).log_softmax(1), lambda: soft((6, 4)), F.kl_div),
    "DistillationLoss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4), None),
    "MSELoss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4), F.mse_loss),
    "L1Loss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4), F.l1_loss),
    "SmoothL1Loss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4), F.smooth_l1_loss),
    "HuberLoss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4), F.huber_loss),
    "SigmoidFocalLoss": (lambda: numbers(1, 6, 4), lambda: numbers(2, 6, 4).sigmoid(), None),
    "SoftmaxFocalLoss": (lambda: numbers(1, 6, 4), lambda: indices((6, 4), 0), None),
}
each_loss = pytest.mark.parametrize("name", list(lossref.LOSSES))
each_half = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)


def to(t, dtype):
    return t.to(dtype) if t.is_floating_point() else t


@each_loss
@each_half
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_autocast(name, dtype, reduction):
    """Value and gradient are those of single precision on the same numbers, in the dtypes torch's own loss gives."""
    x, y, peer = BOTH[name]
    x = to(x(), dtype).requires_grad_()
    module = getattr(lossref.torch, name)(reduction=reduction)
    with torch.autocast("cpu", dtype=dtype):
        value = module(x, to(y(), dtype))
        theirs = None
        if peer not in (None, F.binary_cross_entropy):  # which torch refuses under autocast
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                theirs = peer(x, to(y(), dtype), reduction=reduction)
    wide = x.detach().float().requires_grad_()
    exact = module(wide, to(to(y(), dtype), torch.float32))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, exact, rtol=1e-6, atol=1e-6 * exact.abs().max().item())
    gradients = [torch.autograd.grad(v.sum(), leaf, retain_graph=True)[0] for v, leaf in ((value, x), (exact, wide))]
    assert gradients[0].dtype == dtype
    torch.testing.assert_close(gradients[0], gradients[1].to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-7)
    again = torch.autograd.grad(value.sum(), x)[0]  # a second time, of the graph that was kept
    assert torch.equal(again, gradients[0])
    if theirs is not None:
        # float16 autocast on the CPU leaves some of torch's losses in half precision: the same value but for that
        assert theirs.dtype in (torch.float32, dtype)
        slack = 1e-5 if theirs.dtype == torch.float32 else 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(value, theirs.float(), rtol=slack, atol=slack)


def test_every_loss_has_data():
    assert BOTH.keys() == lossref.LOSSES.keys()


# -- a module among modules ------------------------------------------------------------------------------------------


@each_loss
def test_state_moves_between_the_modules(name):
    if not hasattr(torch.nn, name):
        pytest.skip("torch has no such module")
    weight = W if name in ("CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss") else None
    ours = getattr(lossref.torch, name)(**({} if weight is None else {"weight": weight.clone()}))
    theirs = getattr(torch.nn, name)(**({} if weight is None else {"weight": weight + 1}))
    ours.load_state_dict(theirs.state_dict())
    assert weight is None or torch.equal(ours.weight, weight + 1)
    theirs.load_state_dict(ours.state_dict())
    ours.to(torch.float32)
    assert all(b.dtype == torch.float32 for b in ours.buffers())
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), ours)
    assert sum(1 for _ in model.parameters()) == 2  # a weight is no parameter
    assert set(model.state_dict()) == {"0.weight", "0.bias", *(["1.weight"] if weight is not None else [])}


@each_loss
def test_meta_device_says_shapes_only(name):
    x, y, _ = BOTH[name]
    value = getattr(lossref.torch, name)(reduction="none")(x().to("meta"), y().to("meta"))
    wanted = getattr(lossref.torch, name)(reduction="none")(x(), y())
    assert value.is_meta and value.shape == wanted.shape and value.dtype == wanted.dtype


def everything(name):
    """Every argument that changes what is computed, one at a time, with each reduction and denominator."""
    loss, module = lossref.LOSSES[name], getattr(lossref.torch, name)
    weights = {"weight": [W], "pos_weight": [W], "alpha": [None, 0.5, W], "gamma": [0.0, 0.5], "log_target": [True]}
    others = {"label_smoothing": [0.1], "ignore_index": [1], "beta": [0.0], "delta": [2.0], "temperature": [3.0]}
    known = inspect.signature(module).parameters
    for argument, values in (weights | others).items():
        for value in values if argument in known else ():
            if not (name == "SigmoidFocalLoss" and value is W):
                yield {argument: value}
    for reduction in loss.reductions:
        for denominator in module.denominators:
            yield {"reduction": reduction, "denominator": denominator, **({"weight": W} if "weight" in known else {})}


@each_loss
def test_nothing_waits_for_a_device(name):
    """On meta there are no numbers: who asks for one, which on a GPU means to wait for it, fails.

    Value, gradient, and their derivatives; half precision; targets of both kinds.
    """
    x, y, _ = BOTH[name]
    targets = [y(), soft(tuple(x().shape))] if name in ("CrossEntropyLoss", "SoftmaxFocalLoss") else [y()]
    tried = 0
    for kwargs in ({}, *everything(name)):
        for target, dtype in itertools.product(targets, (torch.float64, torch.bfloat16)):
            module = getattr(lossref.torch, name)(**kwargs).to("meta")
            at = x().to("meta", dtype).requires_grad_()
            value = module(at, target.to("meta"))
            (gradient,) = torch.autograd.grad(value.sum(), at, create_graph=True)
            assert value.dtype == dtype and gradient.is_meta and gradient.shape == at.shape
            if gradient.requires_grad:
                assert torch.autograd.grad(gradient.sum(), at)[0].shape == at.shape
            tried += 1
    assert tried >= 10
    number = torch.zeros((), device="meta")
    with pytest.raises(RuntimeError):  # this is what would be seen
        number.item()


@pytest.fixture(scope="module")
def inductor(tmp_path_factory):
    """torch's compiler with a cache of its own: what another machine made would be taken as it is.

    Plain code in this process: trying what the processor can do, and processes for that, take longer than the code.
    """
    if not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
        pytest.skip("torch.compile needs a C++ compiler, and there is none")
    from torch._inductor import config

    with pytest.MonkeyPatch.context() as patch, config.patch({"cpp.vec_isa_ok": False, "compile_threads": 1}):
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        yield


@pytest.mark.parametrize("name", ["BCEWithLogitsLoss", "CrossEntropyLoss", "DistillationLoss"])
def test_compiled_by_inductor(name, inductor):
    """In one graph, through code that a compiler made; one module for each way in which modules call torch.

    That every module is one graph, other tests say with a backend that makes no code.
    """
    x, y, _ = BOTH[name]
    x = x().requires_grad_()
    module = getattr(lossref.torch, name)()
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = torch.compile(module, fullgraph=True)(x, y())
        gradient = torch.autograd.grad(value, x)[0]
    exact = module(x, y())
    torch.testing.assert_close(value, exact, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, torch.autograd.grad(exact, x)[0], rtol=1e-10, atol=1e-14)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("masses", [False, True])
def test_what_inductor_makes_of_a_product_with_the_hessian(masses, inductor):
    """It made wrong numbers of the formula with masses, where every other backend is right."""
    m = lossref.torch.SoftmaxFocalLoss(reduction="sum")
    x, v = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, 3.0]]), torch.tensor([1.0, 2.0, 4.0])
    y = torch.tensor([[0.5, 0.0, 0.5]] * 2) if masses else torch.tensor([0, 2])

    def product(x, y):
        return torch.func.grad(lambda q: (torch.func.grad(m)(q, y) * v).sum())(x)

    torch._dynamo.reset()
    found = torch.compile(product, fullgraph=True)(x, y)
    torch.testing.assert_close(found, product(x, y))


@each_loss
def test_numpy_and_torch_say_the_same(name):
    x, y, _ = BOTH[name]
    value = getattr(lossref.torch, name)()(x(), y())
    assert value.item() == lossref.LOSSES[name]()(x().numpy(), y().numpy())
    assert np.isfinite(value.item())
