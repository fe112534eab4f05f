"""What may go in and what comes out: dtypes, shapes, refusals, NaN, empty batches, out=."""

import re

import numpy as np
import pytest
from cases import FIRST

import lossref
from lossref._classes import Classes

each_loss = pytest.mark.parametrize("case", FIRST, ids=lambda c: c.loss)
METHODS = ["__call__", "grad", "hess", "value_and_grad"]


def build(case, **kwargs):
    return lossref.LOSSES[case.loss](**(case.kwargs | kwargs))


def data(case, shape=(4, 3)):
    return case.draw(np.random.default_rng(0), shape)


@each_loss
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_dtype_and_shape_are_kept(case, dtype, reduction):
    x, y = data(case)
    x = x.astype(dtype)
    loss = build(case, reduction=reduction)
    value, gradient = loss.value_and_grad(x, y)
    assert value.dtype == gradient.dtype == loss.hess(x, y).dtype == dtype
    assert gradient.shape == loss.hess(x, y).shape == x.shape
    assert value.shape == (x.shape if reduction == "none" else ())


@each_loss
def test_half_precision_is_computed_in_single(case):
    x, y = data(case, (1000,))
    half, y = x.astype(np.float16), y.astype(np.float32)
    loss = build(case, reduction="none")
    for f in (loss, loss.grad, loss.hess):
        assert np.array_equal(f(half, y), f(half.astype(np.float32), y).astype(np.float16))


@each_loss
def test_lists_scalars_and_views(case):
    x, y = data(case)
    loss = build(case, reduction="none")
    wanted = loss(x, y)
    assert np.array_equal(loss(x.tolist(), y.tolist()), wanted)
    assert np.array_equal(loss(x.T, y.T), wanted.T)
    assert np.array_equal(loss(x[::2, ::-1], y[::2, ::-1]), wanted[::2, ::-1])
    one = loss(float(x[0, 0]), float(y[0, 0]))
    assert isinstance(one, np.float64) and one == wanted[0, 0]
    assert isinstance(loss.grad(float(x[0, 0]), float(y[0, 0])), np.float64)


@each_loss
def test_the_inputs_are_left_alone(case):
    x, y = data(case)
    before = x.copy(), y.copy()
    loss = build(case)
    loss.value_and_grad(x, y), loss.hess(x, y)
    assert np.array_equal(x, before[0]) and np.array_equal(y, before[1])


@each_loss
@pytest.mark.parametrize("size", [7, 100_003])
def test_tiles_change_nothing(case, size):
    """A big array, a strided one and one of another dtype give what its elements give, whatever the tiles."""
    x, y = data(case, (size,))
    weight = np.random.default_rng(1).uniform(0, 2, size)
    loss = build(case, reduction="none", weight=weight)
    value, gradient = loss.value_and_grad(x, y)
    part = slice(size // 3, size // 3 + 50)
    small = build(case, reduction="none", weight=weight[part])
    for whole, f in ((value, small), (gradient, small.grad), (loss.hess(x, y), small.hess)):
        np.testing.assert_allclose(whole[part], f(x[part], y[part]), rtol=1e-14, atol=0)
    apart = np.repeat(x, 2)[::2]
    assert np.array_equal(loss(apart, y), value)
    total = build(case, reduction="sum", weight=weight)(x, y)
    assert total == pytest.approx(np.sum(value), rel=1e-12)


@each_loss
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_out(case, reduction):
    x, y = data(case, (100, 1000))
    loss = build(case, reduction=reduction)
    wanted = loss.grad(x, y)
    out = np.empty_like(x)
    assert loss.grad(x, y, out=out) is out and np.array_equal(out, wanted)
    assert loss.hess(x, y, out=out) is out and np.array_equal(out, loss.hess(x, y))
    here = x.copy()
    assert loss.grad(here, y, out=here) is here and np.array_equal(here, wanted)  # in place
    here = x.copy()
    value, gradient = loss.value_and_grad(here, y, out=here)
    assert np.array_equal(value, loss(x, y)) and np.array_equal(gradient, wanted)
    here = x.copy()
    assert loss.hess(here, y, out=here) is here and np.array_equal(here, loss.hess(x, y))
    for size in ((4, 3), (100, 1000)):  # overlapping, but not the same elements
        shared = np.zeros(np.prod(size) + 1)
        shared[:-1] = x[: size[0], : size[1]].ravel()
        view, shifted = shared[:-1].reshape(size), shared[1:].reshape(size)
        wanted = loss.grad(view.copy(), y[: size[0], : size[1]])
        assert np.array_equal(loss.grad(view, y[: size[0], : size[1]], out=shifted), wanted)


@each_loss
@pytest.mark.parametrize(
    "out, error",
    [
        (np.empty((4, 2)), ValueError),
        (np.empty((4, 3), np.float32), ValueError),
        (np.broadcast_to(0.0, (4, 3)), ValueError),
        ([0.0] * 12, TypeError),
    ],
    ids=["shape", "dtype", "read-only", "list"],
)
def test_bad_out(case, out, error):
    with pytest.raises(error, match=r"^out must"):
        build(case).grad(*data(case), out=out)


@each_loss
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 3), (), (3, 4), (4, 3, 1)], ids=str)
def test_shapes_are_never_broadcast(case, method, shape):
    x, _ = data(case)
    with pytest.raises(ValueError, match=re.escape(f"y must have the shape of x, (4, 3); got {shape}")):
        getattr(build(case), method)(x, np.ones(shape))


@each_loss
@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("size", [12, 100_000])
def test_ranges(case, name, size):
    x, y = data(case, (size,))
    given = {"x": x, "y": y}
    loss = build(case)
    low, high = {"x": loss.input_range, "y": loss.target_range}[name]
    refused = 0
    for bad in (low - 0.5, high + 0.5):
        if np.isfinite(bad):
            given[name][size - 2] = bad
            for _ in range(2):
                with pytest.raises(
                    ValueError, match=re.escape(f"{name} must be in [{low:g}, {high:g}]; got {bad:g}")
                ):
                    loss(**given)
                given[name][0] = np.nan  # a NaN beside it does not hide it
            refused += 1
    assert refused == int(np.isfinite(low)) + int(np.isfinite(high))


@each_loss
@pytest.mark.parametrize(
    "bad",
    [1j, np.array([1 + 2j]), "text", [[1, 2], [3]], object, np.array(["2020"], "M8[Y]"), None],
    ids=repr,
)
@pytest.mark.parametrize("name", ["x", "y"])
def test_not_numbers(case, name, bad):
    given = {"x": 0.5, "y": 0.5, name: bad}
    with pytest.raises((TypeError, ValueError), match=f"^{name} must "):
        build(case)(**given)


@each_loss
def test_weights(case):
    x, y = data(case)
    with pytest.raises(ValueError, match=r"weight must be at least 0; got -1"):
        build(case, weight=[1, 2, -1])
    with pytest.raises(
        ValueError, match=re.escape("weight must broadcast to the shape of x, (4, 3); got shape (4,)")
    ):
        build(case, weight=np.ones(4))(x, y)
    with pytest.raises(ValueError, match=re.escape("got shape (2, 4, 3)")):
        build(case, weight=np.ones((2, 4, 3)))(x, y)
    with pytest.raises(TypeError, match="weight must hold real numbers"):
        build(case, weight=1j)


def test_pos_weight():
    with pytest.raises(ValueError, match="pos_weight must be at least 0; got -2"):
        lossref.BCEWithLogitsLoss(pos_weight=-2)
    with pytest.raises(ValueError, match=re.escape("pos_weight must broadcast to the shape of x, (4, 1)")):
        lossref.BCEWithLogitsLoss(pos_weight=[1, 2])(np.zeros((4, 1)), np.zeros((4, 1)))


@each_loss
@pytest.mark.parametrize("bad", ["Mean", "average", None, 1])
def test_reduction(case, bad):
    with pytest.raises(ValueError, match=re.escape(f"; got {bad!r}")) as error:
        build(case, reduction=bad)
    assert str(error.value).startswith("reduction must be one of 'none', 'mean', ")


@each_loss
@pytest.mark.parametrize("name", ["x", "y"])
def test_nan_comes_out(case, name):
    x, y = data(case)
    given = {"x": x, "y": y}
    given[name][1, 2] = np.nan
    elementwise = build(case, reduction="none")
    results = [elementwise(**given), elementwise.grad(**given)]
    if (case.loss, name) == ("KLDivLoss", "x"):
        assert np.isfinite(results.pop()).all()  # its gradient, -p, does not depend on x
    for result in results:
        assert np.isnan(result[1, 2]) and np.isnan(result).sum() == 1
    assert np.isnan(build(case)(**given)) and np.isnan(build(case, reduction="sum")(**given))


@each_loss
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)], ids=str)
def test_empty_batch(case, shape):
    x = y = np.empty(shape, np.float32)
    assert build(case, reduction="sum")(x, y) == 0
    assert build(case, reduction="none")(x, y).shape == shape
    for method in ("__call__", "value_and_grad"):
        with pytest.warns(RuntimeWarning, match="the mean of an empty batch is nan"):
            getattr(build(case), method)(x, y)
    with pytest.warns(RuntimeWarning):
        assert np.isnan(build(case)(x, y))
    with pytest.warns(RuntimeWarning):
        assert build(case).grad(x, y).shape == shape


@pytest.mark.parametrize("method", ["__call__", "grad", "value_and_grad", "hess", "hess_diag"])
@pytest.mark.parametrize("name", lossref.LOSSES)
def test_a_warning_points_at_the_line_of_the_call(name, method):
    loss = lossref.LOSSES[name]()
    x = np.empty((0, 3) if isinstance(loss, Classes) else 0)
    y = x if name == "DistillationLoss" or x.ndim == 1 else np.empty(0, int)
    with pytest.warns(RuntimeWarning, match="the mean of an empty batch is nan") as seen:
        getattr(loss, method)(x, y)
    assert [w.filename for w in seen] == [__file__]


@each_loss
def test_labels_of_any_kind(case):
    """Hard labels may be booleans or integers of any width; the result is that of floats."""
    x, y = data(case)
    y = (y > np.median(y)).astype(float)
    wanted = build(case).value_and_grad(x, y)
    for dtype in (bool, np.int8, np.uint8, np.int32, np.int64, np.float16, np.float32):
        value, gradient = build(case).value_and_grad(x, y.astype(dtype))
        assert value == wanted[0] and np.array_equal(gradient, wanted[1])


@each_loss
def test_repr_names_the_arguments(case):
    shown = repr(build(case, reduction="sum"))
    assert shown.startswith(f"{case.loss}(") and "reduction='sum'" in shown
    assert all(f"{k}={v!r}" in shown for k, v in case.kwargs.items())


@each_loss
def test_denominators(case):
    """What a mean divides by can be said; the default is torch's."""
    x, y = data(case, (4, 3))
    weight = np.array([1.0, 2.0, 5.0])
    total = build(case, reduction="sum", weight=weight)
    for name, n in {"elements": 12, "samples": 4, "weights": 4 * 8, "positives": max(1, y.sum())}.items():
        mean = build(case, weight=weight, denominator=name)
        assert mean(x, y) == pytest.approx(total(x, y) / n, rel=1e-14)
        np.testing.assert_allclose(mean.grad(x, y), total.grad(x, y) / n, rtol=1e-14)
        np.testing.assert_allclose(mean.hess(x, y), total.hess(x, y) / n, rtol=1e-14)
    assert build(case, denominator="weights")(x, y) == build(case, denominator="elements")(x, y)
    with pytest.raises(
        ValueError, match="denominator must be one of None, 'elements', 'samples', 'weights', 'positives'"
    ):
        build(case, denominator="batch")


@each_loss
def test_zero_total_weight(case):
    x, y = data(case)
    loss = build(case, weight=0.0, denominator="weights")
    with pytest.warns(RuntimeWarning, match="the mean of terms whose weights add up to 0 is nan"):
        value, gradient = loss.value_and_grad(x, y)
    assert np.isnan(value) and not gradient.any()


@pytest.mark.parametrize(
    "name, kwargs, message",
    [
        ("SmoothL1Loss", {"beta": -1}, "beta must be at least 0; got -1"),
        ("SmoothL1Loss", {"beta": np.nan}, "beta must be at least 0; got nan"),
        ("SmoothL1Loss", {"beta": "1"}, "beta must be a real number; got '1'"),
        ("HuberLoss", {"delta": 0}, "delta must be above 0; got 0"),
        ("HuberLoss", {"delta": -2.0}, "delta must be above 0; got -2.0"),
        ("HuberLoss", {"delta": 1j}, "delta must be a real number; got 1j"),
        ("SigmoidFocalLoss", {"gamma": -0.5}, "gamma must be at least 0; got -0.5"),
        ("SigmoidFocalLoss", {"alpha": 1.5}, "alpha must be in [0, 1]; got 1.5"),
        ("SigmoidFocalLoss", {"alpha": -1}, "alpha must be in [0, 1]; got -1"),
        ("SigmoidFocalLoss", {"alpha": True}, "alpha must be a real number; got True"),
    ],
)
def test_bad_arguments(name, kwargs, message):
    """Refused where they are written, not at the first call."""
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        lossref.LOSSES[name](**kwargs)
