"""The package as it is imported: NumPy only, cheap, documented by examples that run."""

import importlib
import inspect
import subprocess
import sys

import pytest

import lossref


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_needs_numpy_only():
    """Nothing outside NumPy and the standard library is loaded, and nothing heavy from the latter."""
    code = "import numpy, sys; before = set(sys.modules); import lossref; print(*(set(sys.modules) - before))"
    loaded = set(run(code))
    assert {name.partition(".")[0] for name in loaded} <= {"lossref", "numpy", "__future__", "cmath"}
    assert not any(name.startswith(("lossref.pagecheck", "lossref.torch")) for name in loaded)


def documented():
    for name, cls in lossref.LOSSES.items():
        yield name, cls
        for method in ("__call__", "grad", "hess", "hess_diag", "value_and_grad"):
            yield f"{name}.{method}", getattr(cls, method)


@pytest.mark.parametrize("name, thing", list(documented()), ids=lambda v: v if isinstance(v, str) else "")
def test_docstring(name, thing):
    """Chinese, and for a loss: the formula, the arguments, the errors, the source and an example."""
    text = inspect.getdoc(thing)
    assert text and any("一" <= c <= "鿿" for c in text)
    if inspect.isclass(thing):
        for wanted in ("$$", "梯度", "黑塞", "单位", "denominator", "Args:", "Raises:", "出处", "Examples:"):
            assert wanted in text, f"{name}: no {wanted}"


@pytest.mark.parametrize("name", list(lossref.LOSSES))
def test_has_examples(name):
    """They are run by pagecheck, like the snippets of a page."""
    assert inspect.getdoc(lossref.LOSSES[name]).count(">>>") >= 3


def test_typed():
    assert importlib.resources.files("lossref").joinpath("py.typed").is_file()
