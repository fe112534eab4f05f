"""Shapes, dtypes, layouts, weights and arguments that nobody chose: hypothesis draws them, the same on every run.

Three oracles: the definition in mpmath, term after term, reduced by hand; float64 for the narrower dtypes; fourth-order
differences for the derivatives. All data are numbers of float16, so that every dtype holds the same ones.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mpmath import exp, log, mp, mpf
from oracles import differences

import lossref
import lossref.torch

each_loss = pytest.mark.parametrize("name", list(lossref.LOSSES))
# what is drawn is small, and seeds do not shrink
drawn = settings(max_examples=40, derandomize=True, deadline=None, phases=[Phase.generate])

# -- what is drawn ---------------------------------------------------------------------------------------------------


@dataclass
class Draw:
    """A loss with its arguments, and what it is called with."""

    name: str
    x: np.ndarray
    y: np.ndarray
    kwargs: dict = field(default_factory=dict)

    @property
    def loss(self):
        return lossref.LOSSES[self.name](**self.kwargs)

    def given(self, name, missing=None):
        return self.kwargs.get(name, missing)


# ``calm`` data are fit for differences


def half(a):
    return np.asarray(a, np.float64).astype(np.float16).astype(np.float64)


def logits(rng, shape, calm):
    return half(rng.normal(size=shape) * (2 if calm else rng.choice([0, 1, 20, 60], shape)))


def fractions(rng, shape, calm):
    return half(rng.uniform(0.2, 0.8, shape) if calm else rng.integers(1, 1024, shape) / 1024)


def labels(rng, shape):
    return half(rng.random(shape) > 0.5) if rng.random() < 0.5 else half(rng.random(shape))


def residuals(rng, shape, calm, **_):
    """x and y, away from the kinks at 0, 0.001, ½, 1 and 7."""
    y = rng.integers(-3, 4, shape) / (1 if rng.random() < 0.5 else 8)
    return y + rng.choice([-1, 1], shape) * rng.choice([1 / 16, 1 / 4, 3, 20], shape), y


def log_fractions(rng, shape, calm):
    return half(-rng.uniform(0.1, 3 if calm else 50, shape))


def entropy(y, p, q):
    return (-y * log(p) if y else mpf(0)) - ((1 - y) * log(q) if y != 1 else mpf(0))


def on_logits(z, y):
    return entropy(y, 1 / (1 + exp(-z)), 1 / (1 + exp(z)))


def binary_focal(z, y, alpha=0.25, gamma=2.0):
    p, q = 1 / (1 + exp(-z)), 1 / (1 + exp(z))
    a = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return a * (y * q + (1 - y) * p) ** mpf(gamma) * entropy(y, p, q)


def weighted(z, y, pos_weight=None):
    p, q = 1 / (1 + exp(-z)), 1 / (1 + exp(z))
    return -(1 if pos_weight is None else pos_weight) * y * log(p) - (1 - y) * log(q)


def divergence(x, y, log_target=False):
    p = exp(y) if log_target else y
    return p * ((y if log_target else log(y)) - x) if p else mpf(0)


def divergence_size(x, y, log_target=False):
    p = exp(y) if log_target else y
    return p * max(abs(y if log_target else log(y)), abs(x)) if p else mpf(0)


def smooth_l1(x, y, beta=1.0):
    r = abs(x - y)
    return r * r / (2 * mpf(beta)) if r < beta else r - mpf(beta) / 2


def huber(x, y, delta=1.0):
    r = abs(x - y)
    return r * r / 2 if r <= delta else delta * (r - mpf(delta) / 2)


def two(x, y):
    return lambda rng, shape, calm, **_: (x(rng, shape, calm), y(rng, shape))


def divergent(rng, shape, calm, log_target=False):
    y = fractions(rng, shape, calm)
    return log_fractions(rng, shape, calm), half(np.log(y)) if log_target else y * (rng.random(shape) > 0.2)


GAMMAS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 2.7])
# name -> the definition of a term, its data, its arguments, and what torch divides a mean by
ELEMENTWISE = {
    "BCELoss": (lambda p, y: entropy(y, p, 1 - p), two(fractions, labels), {}, "elements"),
    "BCEWithLogitsLoss": (weighted, two(logits, labels), {"pos_weight": "weights"}, "elements"),
    "KLDivLoss": (divergence, divergent, {"log_target": st.booleans()}, "elements"),
    "MSELoss": (lambda x, y: (x - y) ** 2, residuals, {}, "weights"),
    "L1Loss": (lambda x, y: abs(x - y), residuals, {}, "weights"),
    "SmoothL1Loss": (smooth_l1, residuals, {"beta": st.sampled_from([0, 0.001, 0.5, 1.0, 7])}, "elements"),
    "HuberLoss": (huber, residuals, {"delta": st.sampled_from([0.001, 0.5, 1, 7.0, np.inf])}, "elements"),
    "SigmoidFocalLoss": (
        binary_focal,
        two(logits, labels),
        {"alpha": st.sampled_from([None, 0, 0.25, 1.0]), "gamma": GAMMAS},
        "elements",
    ),
}  # fmt: skip


def cross_entropy(others, log_p):
    return -log_p


def multiclass_focal(others, log_p, gamma=2.0):
    return -(others ** mpf(gamma)) * log_p


# name -> the definition of a class's term, its arguments, the name of the class weights, torch's denominator
CLASSES = {
    "CrossEntropyLoss": (cross_entropy, {"label_smoothing": st.sampled_from([0.0, 0.1, 1])}, "weight", "weights"),
    "NLLLoss": (cross_entropy, {}, "weight", "weights"),
    "SoftmaxFocalLoss": (multiclass_focal, {"gamma": GAMMAS}, "alpha", "kept"),
    "DistillationLoss": (None, {"temperature": st.sampled_from([0.5, 1.0, 3.0, 20])}, None, "samples"),
}


def test_every_loss_is_drawn():
    assert ELEMENTWISE.keys() | CLASSES.keys() == lossref.LOSSES.keys()


WEIGHTS = ("weight", "pos_weight", "alpha")
SIZES = st.integers(0, 4)


@st.composite
def weights(draw, shape, rng):
    """None, a number, or an array that broadcasts to ``shape``, zeros and integers among them."""
    kind = draw(st.sampled_from(["none", "number", "array"]))
    if kind == "none":
        return None
    if kind == "number":
        return draw(st.sampled_from([0, 1, 2.5]))
    shape = tuple(draw(st.sampled_from([n, 1])) for n in shape[draw(st.integers(0, len(shape))) :])
    a = rng.integers(0, 9, shape) / draw(st.sampled_from([1, 4]))
    return a.astype(draw(st.sampled_from([np.float64, np.float32, np.float16, int] if (a % 1 == 0).all() else [float])))


@st.composite
def elementwise(draw, name, calm=False):
    _, data, arguments, _ = ELEMENTWISE[name]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = tuple(draw(st.lists(st.integers(1, 4) if calm else SIZES, max_size=4)))
    kwargs = {k: draw(weights(shape, rng) if v == "weights" else v) for k, v in arguments.items()}
    x, y = data(rng, shape, calm, **{k: v for k, v in kwargs.items() if k == "log_target"})
    reductions = ["none", "mean", "sum"] + ["batchmean"] * (name == "KLDivLoss")
    kwargs |= {
        "weight": draw(weights(shape, rng)),
        "reduction": draw(st.sampled_from(reductions)),
        "denominator": draw(st.sampled_from([None, None, "elements", "samples", "weights", "positives"])),
    }
    return Draw(name, np.asarray(x), np.asarray(y), kwargs)


@st.composite
def classes(draw, name, calm=False):
    _, arguments, weight, _ = CLASSES[name]
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    c, n = draw(st.integers(1, 5)), 1 if calm else 0
    samples = tuple(draw(st.one_of(st.none(), st.lists(st.integers(n, 4), min_size=1, max_size=3))) or ())
    shape = (*samples[:1], c, *samples[1:])
    x = logits(rng, shape, calm) if name != "NLLLoss" else log_fractions(rng, shape, calm)
    ignored = draw(st.sampled_from([-100, 0, c]))
    if name == "DistillationLoss":
        y = logits(rng, shape, calm)
    elif name == "NLLLoss" or draw(st.booleans()):
        y = np.where(rng.random(samples) < 0.2, ignored, rng.integers(0, c, samples))
    else:
        y = half(rng.dirichlet(np.ones(c), samples)) * (rng.random((*samples, c)) > 0.2)
        y = np.moveaxis(y, -1, min(1, len(samples)))
    kwargs = {k: draw(v) for k, v in arguments.items()}
    if weight and draw(st.booleans()):
        kwargs[weight] = rng.integers(0, 9, c) / 4
    elif weight == "alpha":
        kwargs[weight] = draw(st.sampled_from([None, 0, 0.75]))
    others = ["elements"] if name == "DistillationLoss" else ["weights"]
    kwargs |= {
        "reduction": draw(st.sampled_from(["none", "mean", "sum"])),
        "denominator": draw(st.sampled_from([None, None, "samples", *others])),
    }
    if name != "DistillationLoss":
        kwargs["ignore_index"] = ignored
    return Draw(name, x, y, kwargs)


def any_draw(name, calm=False):
    return (elementwise if name in ELEMENTWISE else classes)(name, calm)


def quiet(f, *arguments, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return f(*arguments, **kwargs)


# -- the definition --------------------------------------------------------------------------------------------------


def exactly(a):
    result = np.empty(a.shape, object)
    for i in np.ndindex(a.shape):
        result[i] = mpf(float(a[i]))
    return result


def along(arrays, shape):
    """Every array, broadcast to ``shape``, in exact numbers; None stays."""
    return [a if a is None else exactly(np.broadcast_to(a, shape)) for a in arrays]


def by_elements(draw):
    """The terms, their sizes, and the number that torch, or whoever names another, divides their sum by."""
    definition, _, names, mean_over = ELEMENTWISE[draw.name]
    x, y, weight, extra = along([draw.x, draw.y, draw.given("weight"), draw.given("pos_weight")], draw.x.shape)
    arguments = {k: draw.kwargs[k] for k in names if k != "pos_weight"}
    terms, sizes = np.empty(x.shape, object), np.empty(x.shape, object)
    for i in np.ndindex(x.shape):
        more = arguments if extra is None else {"pos_weight": extra[i]}
        w = 1 if weight is None else weight[i]
        terms[i] = definition(x[i], y[i], **more) * w
        # a divergence is the difference of two logarithms: it is as exact as these are
        sizes[i] = divergence_size(x[i], y[i], **more) * w if draw.name == "KLDivLoss" else abs(terms[i])
    kind = "samples" if draw.given("reduction") == "batchmean" else draw.given("denominator") or mean_over
    return terms, sizes, {
        "elements": x.size,
        "samples": len(x) if x.ndim else 1,
        "weights": x.size if weight is None else sum(weight.ravel()),
        "positives": max(1, sum(y.ravel())),
    }[kind]


def softened(row, temperature):
    e = [exp(v / mpf(temperature)) for v in row]
    return [v / sum(e) for v in e]


def by_teachers(draw):
    """T² KL(teacher ‖ student) of each sample."""
    x, y = (np.moveaxis(a, min(1, a.ndim - 1), -1) for a in (draw.x, draw.y))
    terms, t = np.empty(x.shape[:-1], object), draw.kwargs["temperature"]
    for i in np.ndindex(terms.shape):
        q, p = (softened(exactly(row), t) for row in (x[i], y[i]))
        terms[i] = mpf(t) ** 2 * sum(a * (log(a) - log(b)) for a, b in zip(p, q, strict=True))
    return terms, terms, x.size if draw.given("denominator") == "elements" else terms.size


def by_classes(draw):
    if draw.name == "DistillationLoss":
        return by_teachers(draw)
    term, names, weight_name, mean_over = CLASSES[draw.name]
    x = np.moveaxis(draw.x, min(1, draw.x.ndim - 1), -1)
    c, samples = x.shape[-1], x.shape[:-1]
    hard = draw.y.shape == samples and draw.y.dtype.kind in "iu"
    y = draw.y if hard else np.moveaxis(draw.y, min(1, draw.x.ndim - 1), -1)
    given = draw.given(weight_name)
    (weight,) = along([1 if given is None else given], (c,))
    smoothing = mpf(draw.given("label_smoothing", 0))
    gamma = [draw.kwargs["gamma"]] if "gamma" in names else []
    terms, mass, kept = np.empty(samples, object), mpf(0), 0
    for i in np.ndindex(samples):
        row, target = along([x[i], np.arange(c) == y[i] if hard else y[i]], (c,))
        terms[i] = mpf(0)
        if hard and y[i] == draw.kwargs["ignore_index"]:
            continue
        kept += 1
        mass += sum(w * t for w, t in zip(weight, target, strict=True))
        for k, t, w in zip(range(c), target, weight, strict=True):
            t = (1 - smoothing) * t + smoothing / c
            e = [exp(v - row[k]) for v in row]
            others = sum(e[:k] + e[k + 1 :], mpf(0)) / sum(e)
            log_p = row[k] if draw.name == "NLLLoss" else -log(sum(e))
            terms[i] += t * w * term(others, log_p, *gamma) if t * w else 0
    kind = draw.given("denominator") or (mean_over if hard else "samples")
    return terms, terms, {"samples": terms.size, "weights": mass, "kept": kept}[kind]


def expected(draw):
    """What the loss is, and the size of what was added up."""
    with mp.workdps(200):
        terms, sizes, n = (by_elements if draw.name in ELEMENTWISE else by_classes)(draw)
        if draw.kwargs["reduction"] == "none":
            return terms, sizes
        total, size = sum(terms.ravel(), mpf(0)), sum(sizes.ravel(), mpf(0))
        if draw.kwargs["reduction"] == "sum":
            return total, size
        return (total / n, size / n) if n else (Nothing("nan"), mpf(0))


class Nothing(mpf):
    """The mean over nothing."""


def agree(got, wanted, size, dtype):
    """To 64 roundings in the dtype of the computation, of numbers as big as ``size``, and one in the result's."""
    info, compute = np.finfo(dtype), np.finfo(np.result_type(dtype, np.float32))
    for g, w, s in zip(*(np.ravel(np.asarray(a, object)) for a in (got, wanted, size)), strict=True):
        g = float(g)
        if mp.isnan(w):
            assert np.isnan(g)
        elif abs(w) >= mpf(float(info.max)):
            assert abs(g) >= float(info.max) and np.sign(g) == np.sign(float(w))
        else:
            slack = 64 * (float(compute.eps) * s + float(compute.tiny))
            slack += abs(w) * float(info.eps) + float(info.smallest_subnormal)
            assert abs(mpf(g) - w) <= slack, f"got {g}, wanted {float(w)}"


# -- memory ----------------------------------------------------------------------------------------------------------


def reversed_(a):
    return np.ascontiguousarray(a[::-1])[::-1] if a.ndim else a


def strided(a):
    apart = np.zeros((*a.shape, 3), a.dtype)
    apart[..., 1] = a
    return apart[..., 1]


def unaligned(a):
    buffer = np.zeros(a.nbytes + 1, np.uint8)
    result = np.frombuffer(buffer, a.dtype, a.size, 1).reshape(a.shape)
    result[...] = a
    return result


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def swapped(a):
    return a.astype(a.dtype.newbyteorder())


def fortran(a):
    return a.copy(order="F")


LAYOUTS = st.sampled_from([np.copy, fortran, reversed_, strided, unaligned, read_only, swapped])


def target_dtypes(y):
    wide = [np.float64, np.float32, np.float16]
    if y.dtype.kind == "i":  # class indices
        return [int, np.int32, np.int16, np.int8] + ([np.uint8] if (y >= 0).all() else [])
    whole = [int, np.int16, np.int8] if (y % 1 == 0).all() else []
    return wide + whole + ([bool, np.uint8] if whole and np.isin(y, (0, 1)).all() else [])


# -- the tests -------------------------------------------------------------------------------------------------------


@each_loss
def test_value(name):
    """In any dtype, the loss is what its definition says, reduced as torch, or who asks for it, reduces."""

    @drawn
    @given(st.data())
    def check(data):
        draw = data.draw(any_draw(name))
        dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64]))
        wanted, size = expected(draw)
        x, y = draw.x.astype(dtype), draw.y
        if draw.name in ELEMENTWISE or y.dtype.kind == "i":
            y = y.astype(data.draw(st.sampled_from(target_dtypes(y))))
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            value = draw.loss(x, y)
        assert value.dtype == dtype
        assert np.shape(value) == np.shape(wanted)
        agree(value, wanted, size, dtype)
        # a mean over nothing is nan, and is the only thing that is warned of
        assert [str(w.message)[:11] for w in heard] == ["the mean of"] * isinstance(wanted, Nothing)

    check()


STEP = 5e-4  # the fourth power of which is below the tolerance, whatever the fifth derivative


@each_loss
def test_derivatives(name):
    """Gradient and Hessian against fourth-order differences of value and gradient, along a drawn direction."""

    @drawn
    @given(st.data())
    def check(data):
        draw = data.draw(any_draw(name, calm=True))
        loss, x, y = draw.loss, draw.x, draw.y
        rng = np.random.default_rng(1)
        direction, pull = rng.normal(size=x.shape), rng.normal(size=np.shape(quiet(loss, x, y)))

        def slopes(f, at):
            """d/dt of Σ pull·f, and the size of its summands."""
            return differences(lambda t: np.sum(pull * quiet(f, at + t * direction, y)), 0.0, STEP)

        gradient = quiet(loss.grad, x, y)
        value = quiet(loss, x, y)
        if np.isnan(value).any():  # the mean over nothing
            return
        each = pull if name in ELEMENTWISE or pull.ndim == 0 else np.expand_dims(pull, min(1, x.ndim - 1))
        terms = each * gradient * direction
        rounding = 1e-15 / STEP * np.sum(np.abs(pull * value))
        assert abs(np.sum(terms) - slopes(loss, x)) <= 1e-8 * np.sum(np.abs(terms)) + 8 * rounding

        moved = differences(lambda t: quiet(loss.grad, x + t * direction, y), 0.0, STEP)
        if name in ELEMENTWISE:
            bend = quiet(loss.hess, x, y) * direction
        else:
            blocks, axis = quiet(loss.hess, x, y), min(1, x.ndim - 1)
            along_classes = np.moveaxis(direction, axis, -1)
            bend = np.moveaxis((blocks @ along_classes[..., None])[..., 0], -1, axis)
        scale = np.max(np.abs(bend), initial=0) + 1e-4 * np.max(np.abs(gradient), initial=0)
        assert np.all(np.abs(bend - moved) <= 1e-7 * scale)
        diagonal = quiet(loss.hess_diag, x, y)
        assert diagonal.shape == x.shape

    check()


@each_loss
def test_narrow_dtypes(name):
    """Gradient and Hessian of float32 and float16 are those of float64, to the digits there are."""

    @drawn
    @given(st.data())
    def check(data):
        draw = data.draw(any_draw(name, calm=True))
        dtype = data.draw(st.sampled_from([np.float16, np.float32]))
        eps, compute = np.finfo(dtype).eps, np.finfo(np.float32).eps
        for part in ("grad", "hess", "hess_diag"):
            wide = quiet(getattr(draw.loss, part), draw.x, draw.y)
            narrow = quiet(getattr(draw.loss, part), draw.x.astype(dtype), draw.y)
            assert narrow.dtype == dtype and narrow.shape == wide.shape
            scale = np.max(np.abs(wide), initial=0)
            slack = eps * np.abs(wide) + 200 * compute * scale + np.finfo(dtype).smallest_subnormal
            assert np.array_equal(np.isnan(wide), np.isnan(narrow))
            assert np.all((np.abs(narrow - wide) <= slack) | np.isnan(wide) | (np.abs(wide) > np.finfo(dtype).max))

    check()


@each_loss
def test_layouts(name):
    """Where and how numbers lie in memory changes no digit, of what is read or of what is written."""

    @drawn
    @given(st.data())
    def check(data):
        draw = data.draw(any_draw(name))
        dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64]))
        x = draw.x.astype(dtype)
        y = draw.y
        x, y = repeated(data, x, y)  # with a stride of 0
        lay = {k: data.draw(LAYOUTS) for k in ("x", "y", "out", *WEIGHTS)}
        kwargs = {k: lay[k](v) if k in lay and isinstance(v, np.ndarray) else v for k, v in draw.kwargs.items()}
        plain = Draw(draw.name, np.copy(x), np.copy(y), draw.kwargs)
        wanted, gradient = quiet(plain.loss.value_and_grad, plain.x, plain.y)
        laid = Draw(draw.name, lay["x"](x), lay["y"](y), kwargs)
        assert np.array_equal(laid.x, x) and np.array_equal(laid.y, y)

        value, own = quiet(laid.loss.value_and_grad, laid.x, laid.y)
        assert value.dtype == own.dtype == dtype  # of the machine's byte order
        assert np.array_equal(own, gradient, equal_nan=True)
        assert np.array_equal(value, wanted, equal_nan=True)
        blocks = quiet(plain.loss.hess, plain.x, plain.y)
        assert np.array_equal(quiet(laid.loss.hess, laid.x, laid.y), blocks, equal_nan=True)
        if x.ndim and lay["out"] is not read_only:
            out = lay["out"](np.full(x.shape, 7, dtype))
            if out.dtype.isnative:
                assert quiet(laid.loss.grad, laid.x, laid.y, out=out) is out
                assert np.array_equal(out, gradient, equal_nan=True)

    check()


def tensor(a, layout):
    """A tensor of these numbers, in memory of another order, or with gaps, or of strides 0 where it repeats itself."""
    t = torch.tensor(np.asarray(a))
    back = tuple(reversed(range(t.dim())))
    if layout == "transposed":
        return t.permute(back).contiguous().permute(back)
    if layout == "gaps":
        return t.unsqueeze(-1).repeat(*[1] * t.dim(), 2)[..., 0]
    if layout == "expanded" and t.dim() and bool((t == t[:1]).all()):
        return t[:1].expand(t.shape)
    return t


def repeated(data, x, y):
    """The same, or the first sample of it again and again."""
    if x.ndim and y.ndim and data.draw(st.booleans()):
        return np.broadcast_to(x[:1], x.shape), np.broadcast_to(y[:1], y.shape)
    return x, y


@each_loss
def test_modules(name):
    """The module gives the NumPy loss's numbers on either of its two ways, whatever it is called with."""

    @drawn
    @given(st.data())
    def check(data):
        draw = data.draw(any_draw(name, calm=True) if name == "BCELoss" else any_draw(name))
        dtype = data.draw(st.sampled_from([np.float32, np.float64]))
        layouts = st.sampled_from(["plain", "transposed", "gaps", "expanded"])
        x, y = draw.x.astype(dtype), draw.y
        if y.dtype.kind == "f" and name in ELEMENTWISE:
            y = y.astype(data.draw(st.sampled_from(target_dtypes(y))))
        x, y = repeated(data, x, y)
        wanted, gradient = quiet(draw.loss.value_and_grad, x, y)
        numbers = {"alpha"} if name == "SigmoidFocalLoss" else set()
        tensors = {
            k: torch.as_tensor(v) if k in WEIGHTS and k not in numbers and v is not None else v
            for k, v in draw.kwargs.items()
        }
        module = getattr(lossref.torch, name)(**tensors)
        leaf, target = tensor(x, data.draw(layouts)).requires_grad_(), tensor(y, data.draw(layouts))
        for way, slack in ((module, 0), (module.by_terms, 32 * np.finfo(dtype).eps)):
            value = way(leaf, target)
            (g,) = torch.autograd.grad(value.sum(), leaf)
            for got, right in ((value, wanted), (g, gradient)):
                assert got.dtype == leaf.dtype and got.shape == np.shape(right)
                scale = np.max(np.abs(right), initial=0)
                got = got.detach().numpy()
                assert np.all((np.abs(got - right) <= slack * scale) | (np.isnan(got) & np.isnan(right)))

    check()
