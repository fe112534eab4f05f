"""Every loss of the registry through the whole battery."""

import battery
import numpy as np
import pytest
from cases import CASES

import lossref

each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def make(case):
    return lossref.LOSSES[case.loss]


def test_every_loss_has_a_case():
    by_classes = {"CrossEntropyLoss", "NLLLoss", "SoftmaxFocalLoss"}  # test_classes.py
    by_rows = {"DistillationLoss"}  # test_distillation.py
    assert {case.loss for case in CASES} | by_classes | by_rows == set(lossref.LOSSES)


@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
def test_exact(case, dtype):
    battery.check_exact(case, make(case), dtype)


@each_case
@each_reduction
def test_differences(case, reduction):
    battery.check_differences(case, make(case), reduction)


@each_case
@each_reduction
@pytest.mark.parametrize("shape", [None, (3,), (5, 1)], ids=str)
def test_torch(case, reduction, shape):
    weight = None if shape is None else np.random.default_rng(5).uniform(0.1, 3, shape)
    battery.check_torch(case, make(case), reduction, weight)


@each_case
def test_one_pass(case):
    battery.check_one_pass(case, make(case))
