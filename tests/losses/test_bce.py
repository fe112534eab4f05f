"""What is particular to binary cross-entropy: exact limits, identities, minimisers, convexity, smoothness."""

import numpy as np
import pytest
import torch

import lossref
from lossref import BCELoss, BCEWithLogitsLoss

INF = np.inf


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "p, y, value, gradient, hessian",
    [
        (0, 0, 0, 1, 1),
        (1, 1, 0, -1, 1),
        (0, 1, INF, -INF, INF),
        (1, 0, INF, INF, INF),
        (0, 0.5, INF, -INF, INF),
        (1, 0.5, INF, INF, INF),
        (0.5, 0.5, np.log(2), 0, 4),
    ],
)
def test_limits_on_probabilities(dtype, p, y, value, gradient, hessian):
    loss = BCELoss()
    p = dtype(p)
    assert loss(p, y) == dtype(value) and not np.signbit(loss(p, y))
    assert loss.grad(p, y) == gradient
    assert loss.hess(p, y) == hessian
    # beside a soft label, which changes the way that hard ones are computed
    each, ps, ys = BCELoss(reduction="none"), np.array([p, 0.5], dtype), [y, 0.5]
    assert each(ps, ys)[0] == dtype(value) and not np.signbit(each(ps, ys)[0])
    assert each.grad(ps, ys)[0] == gradient and each.hess(ps, ys)[0] == hessian


def test_where_torch_clamps():
    """The two clamps of torch's BCELoss, and its zero, beside the exact values."""
    p, y = torch.tensor([0.0], requires_grad=True), torch.tensor([1.0])
    value = torch.nn.functional.binary_cross_entropy(p, y)
    assert value.item() == 100 and torch.autograd.grad(value, p)[0].item() == pytest.approx(-1e12)
    z, y = torch.tensor([-15.0]), torch.tensor([0.0])
    assert torch.nn.functional.binary_cross_entropy_with_logits(z, y).item() == 0
    assert BCEWithLogitsLoss()(np.float32([-15]), [0]) == pytest.approx(np.exp(-15), rel=1e-6)


def test_logits_and_probabilities_agree():
    z = np.linspace(-20, 10, 61)
    y = np.linspace(0, 1, 61)
    p = 1 / (1 + np.exp(-z))
    on_logits, on_probabilities = BCEWithLogitsLoss(reduction="none"), BCELoss(reduction="none")
    np.testing.assert_allclose(on_logits(z, y), on_probabilities(p, y), rtol=1e-12)
    np.testing.assert_allclose(
        on_logits.grad(z, y), on_probabilities.grad(p, y) * p * (1 - p), rtol=1e-11, atol=0
    )


def test_a_soft_label_is_a_mixture_of_hard_ones():
    z, y = np.linspace(-9, 9, 19), np.full(19, 0.3)
    for loss in (BCEWithLogitsLoss(reduction="none"), BCEWithLogitsLoss(reduction="none", pos_weight=3.0)):
        for f in (loss, loss.grad, loss.hess):
            np.testing.assert_allclose(f(z, y), 0.3 * f(z, y**0) + 0.7 * f(z, y * 0), rtol=1e-14, atol=1e-16)


def test_two_classes_of_softmax():
    """BCE on z is the cross-entropy of the logits (0, z)."""
    z = np.linspace(-30, 30, 31)
    y = (z > 3).astype(int)
    pairs = torch.tensor(np.stack([np.zeros_like(z), z], 1))
    wanted = torch.nn.functional.cross_entropy(pairs, torch.tensor(y), reduction="none").numpy()
    # torch loses the tail below 1e-16; that is what the absolute tolerance is for, far below any value it could hide
    np.testing.assert_allclose(BCEWithLogitsLoss(reduction="none")(z, y), wanted, rtol=1e-13, atol=3e-16)


@pytest.mark.parametrize("c", [0.25, 1.0, 9.0])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_minimiser(c, rate):
    """The best constant prediction of a class that occurs at a rate: σ = c·rate / (c·rate + 1 - rate)."""
    best = np.log(c * rate / (1 - rate))
    loss = BCEWithLogitsLoss(pos_weight=c)
    assert abs(loss.grad(best, rate)) < 1e-16 * 9
    assert loss(best, rate) < min(loss(best - 1e-3, rate), loss(best + 1e-3, rate))
    if c == 1:
        assert BCELoss().grad(rate, rate) == 0
        entropy = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
        assert loss(best, rate) == pytest.approx(entropy, rel=1e-14)


def test_convex_and_smooth():
    """Convex in the logit with curvature at most ¼; the gradient at most 1 in size."""
    z = np.concatenate([np.linspace(-50, 50, 2001), [0.0]])
    for y in (0.0, 0.4, 1.0):
        loss = BCEWithLogitsLoss(reduction="none")
        target = np.full_like(z, y)
        curvature = loss.hess(z, target)
        assert np.all(curvature > 0) and curvature.max() == 0.25
        assert np.all(np.abs(loss.grad(z, target)) <= 1)


def test_pos_weight_counts_per_class():
    """A vector of pos_weight is one weight for each column, as in torch."""
    rng = np.random.default_rng(0)
    z, y, c = rng.normal(size=(6, 3)), rng.integers(0, 2, (6, 3)), np.array([0.5, 1, 4])
    by_column = [
        BCEWithLogitsLoss(pos_weight=ck, reduction="sum")(z[:, k], y[:, k]) for k, ck in enumerate(c)
    ]
    assert BCEWithLogitsLoss(pos_weight=c, reduction="sum")(z, y) == pytest.approx(sum(by_column), rel=1e-14)


def test_registry_is_the_public_api():
    assert lossref.__all__ == ["LOSSES", *lossref.LOSSES]
    assert all(getattr(lossref, name) is cls for name, cls in lossref.LOSSES.items())
