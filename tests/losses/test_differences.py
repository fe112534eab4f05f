"""The table of differences to torch is true: every expression in it is run."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import lossref
import lossref.torch
from lossref.differences import DIFFERENCES, show


def t(values):
    return torch.tensor(values, dtype=torch.float32)


def tgrad(loss, x, y):
    x = t(x).requires_grad_()
    return torch.autograd.grad(loss(x, y), x)[0]


def hgrad(loss, x, y):
    """The gradient in half precision."""
    x = torch.tensor(x, dtype=torch.half).requires_grad_()
    return torch.autograd.grad(loss(x, torch.tensor(y, dtype=torch.half)), x)[0]


def wgrad(loss, x, y):
    """By the weight, at 2."""
    weight = t([2.0]).requires_grad_()
    return torch.autograd.grad(loss(t(x), t(y), weight), weight)[0]


def torchvision_focal(x, y, gamma=0.5, alpha=-1.0):
    """torchvision's algorithm, from its documentation; a negative alpha is none, and nothing is reduced."""
    p = torch.sigmoid(x)
    entropy = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    loss = entropy * (1 - (p * y + (1 - p) * (1 - y))) ** gamma
    return loss if alpha < 0 else (alpha * y + (1 - alpha) * (1 - y)) * loss


def recipe(x, y, T):
    """Distillation as it is usually written."""
    log_q, p = F.log_softmax(t(x) / T, 1), F.softmax(t(y) / T, 1)
    return F.kl_div(log_q, p, reduction="batchmean") * T * T


NAMESPACE = dict(
    np=np,
    torch=torch,
    F=F,
    lossref=lossref,
    t=t,
    tgrad=tgrad,
    hgrad=hgrad,
    wgrad=wgrad,
    torchvision_focal=torchvision_focal,
    recipe=recipe,
    f32=np.float32,
)


def outcome(expression):
    try:
        return show(eval(expression, dict(NAMESPACE)))
    except Exception as error:
        return type(error).__name__


@pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::RuntimeWarning"
)  # what torch warns of is in the table
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: f"{row.loss}: {row.what}")
def test_row(row):
    assert outcome(row.torch) == row.torch_gives
    assert outcome(row.lossref) == row.lossref_gives
    assert row.torch_gives != row.lossref_gives


def test_every_loss_is_known():
    assert {row.loss for row in DIFFERENCES} <= set(lossref.LOSSES)
