"""What is particular to the KL divergence: a target in logarithms, and where both logarithms are the same."""

import numpy as np
import pytest

import lossref


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("same", [-1.0, -30.0, 0.0, -np.inf])
def test_equal_logarithms_cost_nothing(dtype, same):
    loss = lossref.KLDivLoss(log_target=True, reduction="none")
    x = np.full(3, same, dtype)
    assert loss(x, x).tolist() == loss.hess(x, x).tolist() == [0, 0, 0]
    assert np.allclose(loss.grad(x, x), -np.exp(x), rtol=1e-6, atol=0)


@pytest.mark.parametrize("log_target", [False, True])
def test_the_hessian_is_nought_of_the_inputs_shape_and_type(log_target):
    x, y = np.log([[0.5, 0.25, 0.25]]), np.array([[0.0, 0.4, 0.6]])
    with np.errstate(divide="ignore"):
        hessian = lossref.KLDivLoss(log_target=log_target).hess(x, np.log(y) if log_target else y)
    assert hessian.shape == x.shape and hessian.dtype == x.dtype and not hessian.any()


def test_the_logarithm_of_a_target_is_not_above_nought():
    with pytest.raises(ValueError):
        lossref.KLDivLoss(log_target=True)([-1.0], [0.5])
    lossref.KLDivLoss(log_target=True)([-1.0], [0.0])


def test_log_target_where_the_model_rules_out_what_happens():
    loss = lossref.KLDivLoss(reduction="none", log_target=True)
    assert loss([-np.inf, -np.inf, -1.0], [-0.5, -np.inf, -np.inf]).tolist() == [np.inf, 0, 0]
