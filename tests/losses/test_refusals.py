"""Bad input, a row for each: NumPy's losses and torch's modules refuse it alike, and say what, what for and what came.

The torch half is asked on both of its ways. What is the same for every loss is in test_input.py.
"""

import re

import numpy as np
import pytest
import torch

import lossref
import lossref.torch

N, C = 4, 3
X = np.full((N, C), -1.0)
P = np.full((N, C), 0.5)
Y = np.array([0, 1, 2, 0])
ELEMENTWISE = ["BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss",
               "SigmoidFocalLoss"]  # fmt: skip
LABELLED = ["BCELoss", "BCEWithLogitsLoss", "SigmoidFocalLoss"]
CLASSES = ["CrossEntropyLoss", "NLLLoss", "SoftmaxFocalLoss"]
BY_ROWS = [*CLASSES, "DistillationLoss"]


def test_every_loss_has_rows():
    assert {*ELEMENTWISE, *BY_ROWS} == set(lossref.LOSSES)


def good(name):
    x = P if name == "BCELoss" else X
    return (x, Y) if name in CLASSES else (x, P)


# what is called with: (losses, {argument: value} over good ones, error, what the message names, wants, got)
CALLS = [
    # a shape that broadcasting would hide
    ("(N,) for (N, 1)", ELEMENTWISE, {"x": P[:, :1], "y": P[:, 0]}, ValueError, "target", "(4, 1)", "(4,)"),
    ("(N, 1) for (N,)", ELEMENTWISE, {"x": P[:, 0], "y": P[:, :1]}, ValueError, "target", "(4,)", "(4, 1)"),
    ("scalar target", ELEMENTWISE, {"y": np.array(0.5)}, ValueError, "target", "(4, 3)", "()"),
    ("teacher of one row", ["DistillationLoss"], {"y": X[:1]}, ValueError, "target", "(4, 3)", "(1, 3)"),
    # labels and probabilities
    ("label 2", LABELLED, {"y": P * 4}, ValueError, "target", "[0, 1]", "2"),
    ("label -0.5", ["BCELoss", "BCEWithLogitsLoss", "KLDivLoss"], {"y": -P}, ValueError, "target", "[0, 1]", "-0.5"),
    ("probability 1.5", ["BCELoss"], {"x": P * 3}, ValueError, "input", "[0, 1]", "1.5"),
    ("probability -0.5", ["BCELoss"], {"x": -P}, ValueError, "input", "[0, 1]", "-0.5"),
    ("log-probability 0.5", ["KLDivLoss", "NLLLoss"], {"x": P}, ValueError, "input", "[-inf, 0]", "0.5"),
    # classes
    ("class C", CLASSES, {"y": Y + 1}, IndexError, "target", "[0, 2]", "3"),
    ("class -1", CLASSES, {"y": Y - 1}, IndexError, "target", "[0, 2]", "-1"),
    ("class 300 of uint16", CLASSES, {"y": (Y + 300).astype(np.uint16)}, IndexError, "target", "[0, 2]", "300"),
    ("classes as floats", CLASSES, {"y": Y.astype(float)}, TypeError, "target", "integers of shape (4,)", "float64"),
    ("classes of rank 2", CLASSES, {"y": Y[:, None]}, ValueError, "target", "(4,)", "(4, 1)"),
    ("classes of rank 0", CLASSES, {"y": np.array(0)}, ValueError, "target", "(4,)", "()"),
    ("too few classes", CLASSES, {"y": Y[:3]}, ValueError, "target", "(4,)", "(3,)"),
    ("one-hot", CLASSES, {"y": np.eye(3, dtype=int)[Y]}, TypeError, "target", "integers of shape (4,)", "int64"),
    ("classes as truth", CLASSES, {"y": Y == 0}, TypeError, "target", "integers of shape (4,)", "bool"),
    ("negative row", ["CrossEntropyLoss", "SoftmaxFocalLoss"], {"y": -P}, ValueError, "target", "[0, 1]", "-0.5"),
    ("row above 1", ["CrossEntropyLoss", "SoftmaxFocalLoss"], {"y": P * 4}, ValueError, "target", "[0, 1]", "2"),
    ("scalar input", BY_ROWS, {"x": X[0, 0], "y": np.array(0)}, ValueError, "input", "(N, C)", "scalar"),
    ("integer teacher", ["DistillationLoss"], {"y": np.zeros((N, C), int)}, TypeError, "target", "floats", "int64"),
    # complex numbers
    ("complex input", [*lossref.LOSSES], {"x": X + 0j}, TypeError, "input", "", "complex128"),
    ("complex target", ELEMENTWISE, {"y": P + 0j}, TypeError, "target", "real numbers", "complex128"),
    ("complex target", BY_ROWS, {"y": X + 0j}, TypeError, "target", "", "complex128"),
]  # fmt: skip


def numbered(rows):
    return [pytest.param(name, *row[2:], id=f"{row[0]}-{name}") for row in rows for name in row[1]]


@pytest.mark.parametrize("name, given, error, argument, wants, got", numbered(CALLS))
def test_numpy_refuses_the_call(name, given, error, argument, wants, got):
    x, y = good(name)
    x, y = given.get("x", x), given.get("y", y)
    argument = {"input": "x", "target": "y"}[argument]
    wants = wants.replace("input", "x")
    for method in ("__call__", "grad", "hess", "value_and_grad"):
        with pytest.raises(error) as caught:
            getattr(lossref.LOSSES[name](), method)(x, y)
        message = str(caught.value)
        assert message.startswith(f"{argument} must ") and wants in message
        assert got in message[message.index("; got ") :]


@pytest.mark.parametrize("name, given, error, argument, wants, got", numbered(CALLS))
def test_torch_refuses_the_call(name, given, error, argument, wants, got):
    x, y = good(name)
    x, y = (torch.tensor(given.get(k, v)) for k, v in (("x", x), ("y", y)))
    module = getattr(lossref.torch, name)()
    for way in (module, module.by_terms):
        with pytest.raises(error) as caught:
            way(x, y)
        message = str(caught.value)
        assert message.startswith(f"{argument} must ") and wants in message
        assert got in message[message.index("; got ") :]


WEIGHTED = [name for name in lossref.LOSSES if name not in ("SoftmaxFocalLoss", "DistillationLoss")]
# what a loss is made with
MAKES = [
    ("smoothing 1.1", ["CrossEntropyLoss"], {"label_smoothing": 1.1}, ValueError, "[0, 1]", "1.1"),
    ("smoothing -0.1", ["CrossEntropyLoss"], {"label_smoothing": -0.1}, ValueError, "[0, 1]", "-0.1"),
    ("smoothing nan", ["CrossEntropyLoss"], {"label_smoothing": float("nan")}, ValueError, "[0, 1]", "nan"),
    ("smoothing 'a'", ["CrossEntropyLoss"], {"label_smoothing": "a"}, TypeError, "real number", "'a'"),
    ("delta 0", ["HuberLoss"], {"delta": 0}, ValueError, "above 0", "0"),
    ("delta -1", ["HuberLoss"], {"delta": -1.0}, ValueError, "above 0", "-1.0"),
    ("delta None", ["HuberLoss"], {"delta": None}, TypeError, "real number", "None"),
    ("beta -1", ["SmoothL1Loss"], {"beta": -1}, ValueError, "at least 0", "-1"),
    ("gamma -1", ["SigmoidFocalLoss", "SoftmaxFocalLoss"], {"gamma": -1}, ValueError, "at least 0", "-1"),
    ("gamma nan", ["SigmoidFocalLoss", "SoftmaxFocalLoss"], {"gamma": float("nan")}, ValueError, "at least 0", "nan"),
    ("gamma 1e400", ["SigmoidFocalLoss", "SoftmaxFocalLoss"], {"gamma": 10**400}, ValueError, "float64", "larger"),
    ("temperature 1e400", ["DistillationLoss"], {"temperature": 10**400}, ValueError, "float64", "larger"),
    ("alpha 2", ["SigmoidFocalLoss"], {"alpha": 2}, ValueError, "[0, 1]", "2"),
    ("temperature 0", ["DistillationLoss"], {"temperature": 0}, ValueError, "above 0", "0"),
    ("reduction", [*lossref.LOSSES], {"reduction": "avg"}, ValueError, "'none', 'mean'", "'avg'"),
    ("reduction None", [*lossref.LOSSES], {"reduction": None}, ValueError, "'none', 'mean'", "None"),
    ("denominator", [*lossref.LOSSES], {"denominator": "batch"}, ValueError, "None, ", "'batch'"),
    ("ignore_index 1.5", CLASSES, {"ignore_index": 1.5}, TypeError, "integer", "1.5"),
    ("negative weight", WEIGHTED, {"weight": np.array([1.0, -1.0, 1.0])}, ValueError, "at least 0", "-1"),
    ("negative alpha", ["SoftmaxFocalLoss"], {"alpha": np.array([1.0, -1.0, 1.0])}, ValueError, "at least 0", "-1"),
    ("negative pos_weight", ["BCEWithLogitsLoss"], {"pos_weight": np.array([-2.0])}, ValueError, "at least 0", "-2"),
    ("complex weight", WEIGHTED, {"weight": np.array([1j])}, TypeError, "real numbers", "complex128"),
    ("weights of rank 2", ["CrossEntropyLoss", "NLLLoss"], {"weight": np.ones((1, 3))}, ValueError, "(C,)", "(1, 3)"),
]  # fmt: skip


def refused(make, kwargs, error, wants, got):
    with pytest.raises(error) as caught:
        make(**kwargs)
    message = str(caught.value)
    (argument,) = kwargs
    assert message.startswith(f"{argument} must ") and wants in message
    assert got in message[message.index("; got ") :]


@pytest.mark.parametrize("name, kwargs, error, wants, got", numbered(MAKES))
def test_numpy_refuses_the_argument(name, kwargs, error, wants, got):
    refused(lossref.LOSSES[name], kwargs, error, wants, got)


@pytest.mark.parametrize("name, kwargs, error, wants, got", numbered(MAKES))
def test_torch_refuses_the_argument(name, kwargs, error, wants, got):
    """Where torch.nn too says no only at the call, ours says it when it is made."""
    kwargs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
    refused(getattr(lossref.torch, name), kwargs, error, wants, got)


@pytest.mark.parametrize("name", [*WEIGHTED, "SoftmaxFocalLoss"])
def test_weight_of_wrong_shape(name):
    argument = "alpha" if name == "SoftmaxFocalLoss" else "weight"
    x, y = good(name)
    wanted = r"\(3,\)" if name in CLASSES else r"\(4, 3\)"
    for make, arrays in ((lossref.LOSSES[name], np.asarray), (getattr(lossref.torch, name), torch.tensor)):
        loss = make(**{argument: arrays([1.0, 1.0])})
        for way in (loss, getattr(loss, "by_terms", loss)):
            with pytest.raises(ValueError, match=rf"^{argument} must .*{wanted}.*; got .*\(2,\)"):
                way(arrays(x), arrays(y))


NAMED = [*((name, "weight") for name in WEIGHTED), ("SoftmaxFocalLoss", "alpha"), ("BCEWithLogitsLoss", "pos_weight")]


@pytest.mark.parametrize("name, argument", NAMED)
def test_weights_changed_to_negative_ones(name, argument):
    """They were good when the loss was made; what matters is what they are when it is computed."""
    x, y = good(name)
    for make, arrays in ((lossref.LOSSES[name], np.array), (getattr(lossref.torch, name), torch.tensor)):
        loss = make(**{argument: arrays([1.0, 2.0, 3.0])})
        getattr(loss, argument)[2] = -0.5
        for way in (loss, getattr(loss, "by_terms", loss)):
            with pytest.raises(ValueError, match=rf"^{argument} must be at least 0; got -0\.5$"):
                way(arrays(x), arrays(y))


# -- what is refused by others, and is not here ----------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8"])
def test_class_indices_of_any_integer(name, dtype):
    wanted = lossref.LOSSES[name]()(X, Y)
    assert lossref.LOSSES[name]()(X, Y.astype(dtype)) == wanted
    module = getattr(lossref.torch, name)()
    for way in (module, module.by_terms):
        assert way(torch.tensor(X), torch.tensor(Y.astype(dtype))).item() == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("name", list(lossref.LOSSES))
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_nan_is_never_hidden(name, reduction):
    x, y = good(name)
    x = x.copy()
    x[1, 1] = np.nan
    values = [lossref.LOSSES[name](reduction=reduction)(x, y)]
    module = getattr(lossref.torch, name)(reduction=reduction)
    values += [way(torch.tensor(x), torch.tensor(y)).numpy() for way in (module, module.by_terms)]
    for value in values:
        if name == "NLLLoss" or reduction != "none":  # NLLLoss looks at class 1 of sample 1
            assert np.isnan(value).any()
        else:
            assert np.isnan(value).any(-1).tolist() == ([False, True, False, False] if np.ndim(value) > 1 else True)


@pytest.mark.parametrize("name", list(lossref.LOSSES))
def test_errors_of_the_docstring_are_those_that_come(name):
    """What Raises names is raised somewhere above, and what is raised there is named."""
    written = set(re.findall(r"^ +(\w+Error): ", lossref.LOSSES[name].__doc__, re.MULTILINE))
    tried = {row[3].__name__ for rows in (CALLS, MAKES) for row in rows if name in row[1]}
    assert written == tried
