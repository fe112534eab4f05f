"""What a pass allocates: a few tiles, whatever the size, and beside them only what is handed out."""

import tracemalloc

import numpy as np
import pytest
import torch

import lossref
import lossref.torch
from lossref import _tiles, _validate
from lossref._classes import Classes

each_loss = pytest.mark.parametrize("name", list(lossref.LOSSES))
each_dtype = pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
TILES = 32
# Tiles of temporaries in flight: what one formula needs, and half precision its copies in single.
MOST = {"DistillationLoss": 25}


def data(name, dtype, n=None):
    """A loss, with data that it accepts, as big as many tiles."""
    loss = lossref.LOSSES[name]()
    n = n or TILES * _tiles.TILE // np.dtype(dtype).itemsize
    x = np.full(n, 0.4 if loss.input_range[1] > 0 else -0.4, dtype)
    if not isinstance(loss, Classes):
        return loss, x, np.ones(n, dtype)
    x = x.reshape(-1, 32)
    return loss, x, np.zeros_like(x) if name == "DistillationLoss" else np.ones(len(x), np.int64)


def peak(f):
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@each_loss
@each_dtype
def test_peak(name, dtype):
    loss, x, y = data(name, dtype)
    tiles = MOST.get(name, 14) * _tiles.TILE
    assert tiles < x.nbytes  # or this test could not fail
    out = np.empty_like(x)
    loss.value_and_grad(x, y, out=out)
    assert peak(lambda: loss.grad(x, y, out=out)) < tiles
    assert peak(lambda: loss.value_and_grad(x, y, out=out)) < tiles
    assert peak(lambda: loss(x, y)) < tiles
    assert x.nbytes <= peak(lambda: loss.value_and_grad(x, y)) < x.nbytes + tiles


def in_another_order(loss, x, y):
    """The same numbers as columns and, for losses over classes, as images and as images with the classes last."""
    if not isinstance(loss, Classes):
        return [tuple(np.asfortranarray(a.reshape(32, -1)) for a in (x, y))]
    last = x.reshape(4, -1, 64, 32).transpose(0, 3, 1, 2)
    y = y.reshape(4, -1, 64) if y.ndim == 1 else y.reshape(4, -1, 64, 32).transpose(0, 3, 1, 2)
    return [(np.asfortranarray(x), y.reshape(-1) if y.ndim == 3 else np.zeros(x.shape, x.dtype, "F")),
            (np.ascontiguousarray(last), np.ascontiguousarray(y)), (last, y)]  # fmt: skip


@each_loss
def test_peak_in_any_order(name):
    """The gradient lies in memory as the input does; nothing is copied into another order, by torch neither."""
    loss, *xy = data(name, np.float32)
    module = getattr(lossref.torch, name)()
    tiles = MOST.get(name, 14) * _tiles.TILE
    for x, y in in_another_order(loss, *xy):
        value, gradient = loss.value_and_grad(x, y)
        assert gradient.strides == x.strides
        del value, gradient
        assert x.nbytes <= peak(lambda x=x, y=y: loss.value_and_grad(x, y)) < x.nbytes + tiles
        input, target = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)
        with profiled() as profile:
            assert peak(lambda i=input, t=target: module(i, t).backward()) < x.nbytes + tiles
        assert big_tensors(profile) == 0
        assert input.grad.stride() == input.stride()


def profiled():
    return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True)


def big_tensors(profile):
    sizes = [event.nbytes() for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    assert sizes, "the profiler saw no allocation at all"
    return sum(size for size in sizes if size > _tiles.TILE // 8)


@pytest.fixture
def blocks(monkeypatch):
    """What NumPy has allocated at every tile of a pass of float32, of blocks bigger than a few tiles."""
    only_numpy = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    within = _validate.within

    def look(*arguments):
        if tracemalloc.is_tracing():
            found = tracemalloc.take_snapshot().filter_traces([only_numpy]).traces
            seen.append(sorted(t.size for t in found if t.size > 12 * _tiles.TILE))
        within(*arguments)

    seen = []
    monkeypatch.setattr(_validate, "within", look)

    def during(f):
        seen.clear()
        peak(f)
        assert len(seen) >= TILES
        return seen

    return during


@each_loss
def test_allocations(name, blocks):
    """With ``out`` nothing bigger than a few tiles is allocated; without it one array, the gradient; never two."""
    loss, x, y = data(name, np.float32)
    out = np.empty_like(x)
    for f in (loss, lambda x, y: loss.grad(x, y, out=out), lambda x, y: loss.value_and_grad(x, y, out=out)):
        assert all(big == [] for big in blocks(lambda f=f: f(x, y)))
    for f in (loss.grad, loss.value_and_grad):
        assert all(big == [x.nbytes] for big in blocks(lambda f=f: f(x, y)))


def test_an_allocation_would_be_seen(blocks):
    class Wasteful(lossref.MSELoss):
        def _evaluate(self, x, y, **asked):
            kept = x + 0
            return super()._evaluate(kept, y, **asked)

    _, x, y = data("MSELoss", np.float32)
    assert any(big != [] for big in blocks(lambda: Wasteful()(x, y)))
    assert peak(lambda: Wasteful()(x, y)) > x.nbytes


# -- torch -----------------------------------------------------------------------------------------------------------


def tensors(name, n):
    _, x, y = data(name, np.float32, n)
    return getattr(lossref.torch, name)(), torch.tensor(x).requires_grad_(), torch.tensor(y)


@each_loss
def test_forward_and_backward_allocate_one_tensor(name):
    """Of all that torch and NumPy allocate from the call to the gradient, only that is of the input's size."""
    module, x, y = tensors(name, TILES * _tiles.TILE // 4)
    module(x, y).backward()
    x.grad = None
    with profiled() as profile:
        by_numpy = peak(lambda: module(x, y).backward())
    assert x.nbytes <= by_numpy + big_tensors(profile) < x.nbytes + MOST.get(name, 14) * _tiles.TILE


@each_loss
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_one_tensor_is_kept_for_backward(name, reduction):
    """On the way that devices take, too: beside input and target, at most one tensor of the input's size is kept."""
    _, x, y = tensors(name, 1024)
    module = getattr(lossref.torch, name)(reduction=reduction)
    known = {x.untyped_storage().data_ptr(), y.untyped_storage().data_ptr()}
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = module.by_terms(x, y)
    assert kept.keys() & known
    assert sum(n >= x.nbytes // 2 for storage, n in kept.items() if storage not in known) <= 1
    value.sum().backward()
    assert x.grad.shape == x.shape
