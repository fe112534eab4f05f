"""Formulas as programs on tiles: what is recorded is computed, hard labels agree with soft ones, sums are exact."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import CASES

import lossref
from lossref import _base
from lossref._numpy import NUMPY
from lossref._program import Tape
from lossref._summary import total

HARD = {c.id: c for c in CASES if lossref.LOSSES[c.loss].knows_hard_labels and not c.soft}
PARTS = ("gradient", "hessian")


@pytest.mark.parametrize("case", HARD.values(), ids=HARD)
@pytest.mark.parametrize("part", PARTS)
def test_hard_labels_agree_with_soft(case, part, monkeypatch):
    """The shorter form for labels 0 and 1 gives what the general formula gives, to a few last places."""
    x, y = case.draw(np.random.default_rng(0), (2000,))
    x = np.append(x, [0.5, 0.999999]) if case.loss == "BCELoss" else np.append(x * 4, [0.0, -0.0])
    y = np.append(np.round(y), [1.0, 0.0])
    loss = lossref.LOSSES[case.loss](**case.kwargs, reduction="none")

    def both():
        return loss._evaluate(x, y, value=True, derivative=part)

    hard = both()
    namespaces = []
    original = _base._program
    monkeypatch.setattr(_base, "HARD", NUMPY)
    monkeypatch.setattr(_base, "_program", lambda f, m, *rest: namespaces.append(m) or original(f, m, *rest))
    soft = both()
    assert namespaces == [NUMPY]
    for got, wanted in zip(hard, soft, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-14, atol=1e-16 * np.abs(wanted).max())


def test_which_labels_are_hard():
    from lossref._validate import hard

    assert hard(np.array([0.0, 1.0, -0.0]))
    for label in (0.5, np.nan, np.inf, -np.inf, 2.0, -1.0, 1 + 2.0**-52, 1 - 2.0**-53, 5e-324):
        assert not hard(np.array([0.0, 1.0, label])), label


def recorded(formula, *tiles):
    tape = Tape()
    symbols = [tape.given(t.dtype) for t in tiles]
    tape.end(np.positive, formula(*symbols))
    out = np.empty(tiles[0].shape, np.result_type(*tiles))
    program = tape.program()
    with np.errstate(all="ignore"):
        program(*tiles, out, scratch={})
    return program, out


@pytest.mark.parametrize("size", [5, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_recorded_is_computed(size, dtype):
    """The same formula on arrays and, by way of a program, on tiles: bit for bit, with buffers used again and again."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=size).astype(dtype), rng.normal(size=size).astype(dtype)

    def formula(x, y):
        a = np.exp(-np.abs(x)) + 2 * y
        b = np.maximum(a, 0) * np.minimum(y, 0.5) - (x > y)
        c = NUMPY.where((b == a) | (x == 0), 1 - y, NUMPY.times(a, b)) ** 2
        return np.sign(c - a) * c**0.5 + a**3 / (1 + b * b) - np.where(x < 0, a, b)

    program, out = recorded(formula, x, y)
    assert np.array_equal(out, formula(x, y))
    floats = sum(n for d, n in program.buffers if d == dtype)
    assert floats <= 6 < len(program.steps)


def test_nothing_is_computed_twice_or_for_nobody():
    x = np.linspace(0, 1, 9)

    def formula(x):
        np.log(x)
        return (np.exp(x) + 1) * (np.exp(x) + 1)

    program, _ = recorded(formula, x)
    assert [f for f, *_ in program.steps] == [np.exp, np.add, np.multiply, np.positive]


def test_a_formula_cannot_decide_by_numbers():
    with pytest.raises(TypeError, match="cannot decide by the numbers"):
        recorded(lambda x: x if x > 0 else -x, np.ones(3))
    with pytest.raises(TypeError, match=r"cannot use add\.reduce"):
        recorded(lambda x: np.add.reduce(x), np.ones(3))


@pytest.mark.parametrize("size", [1, 4095, 4096, 65_536, 65_543])
def test_sums(size):
    """In float64 but for sums of eight: 1e-8 on data, the last place of float32 where all errors go one way."""
    rng = np.random.default_rng(0)
    a = rng.exponential(1, size).astype(np.float32)
    assert total(a) == pytest.approx(math.fsum(a.tolist()), rel=2e-7 / math.sqrt(size) + 1e-9)
    same = np.full(size, 0.1, np.float32)
    assert total(same) == pytest.approx(size * float(same[0]), rel=1.2e-7)
    assert np.isinf(total(np.full(size, np.inf, np.float32)))
    assert np.isnan(total(np.append(a, np.float32(np.nan))))
    large = np.full(size, 3e38, np.float32)  # eight of them are more than float32 holds
    with np.errstate(over="ignore"):
        assert total(large) == pytest.approx(size * 3e38, rel=1e-7)
    assert total(a.astype(np.float64)) == pytest.approx(math.fsum(a.tolist()), rel=1e-14)


def test_what_the_last_operation_made_is_not_copied():
    def steps(formula, size=9):
        tape = Tape()
        x = tape.given(np.dtype(np.float64))
        tape.end_with(formula(x))
        program, out = tape.program(), np.empty(size)
        program(np.linspace(-1, 1, size), out, scratch={})
        return len(program.steps), out.tolist()

    x = np.linspace(-1, 1, 9)
    assert steps(lambda x: 2 * x) == (1, (2 * x).tolist())
    assert steps(lambda x: x) == (1, x.tolist())  # the tile itself is copied
    assert steps(np.sign) == (2, np.sign(x).tolist())  # in place that takes longer than the copy

    def earlier(x):
        first = x + 1
        first * x  # noted after it, and needed by nobody
        return first

    assert steps(earlier) == (2, (x + 1).tolist())


def test_a_small_batch_finds_its_buffers_where_the_last_one_left_them():
    program, out = recorded(lambda x: np.exp(x) + np.log(x) * x, np.ones(10))
    [(shape, kept)] = program.kept.items()
    assert shape == (10,) and out[0] == math.e
    program(np.full(10, 2.0), out, scratch={})
    assert program.kept[10,] is kept
    assert out == pytest.approx(np.full(10, math.exp(2) + 2 * math.log(2)), rel=1e-15)
    program(np.ones((2, 3)), np.empty((2, 3)), scratch={})
    assert list(program.kept) == [(2, 3)]  # of one shape only
    large = {}
    program(np.ones(5000), np.empty(5000), scratch=large)
    assert list(program.kept) == [(2, 3)] and list(large) == [(5000,)]  # a pass takes with it what is not small


def test_threads_do_not_share_buffers():
    """Many small batches at once, of the same loss: each comes out as it does alone."""
    loss, rng = lossref.SigmoidFocalLoss(), np.random.default_rng(0)
    batches = [(rng.normal(0, 3, 500), (rng.random(500) > 0.5) * 1.0) for _ in range(8)]
    alone = [loss.value_and_grad(*batch) for batch in batches]

    def again(i):
        results = [loss.value_and_grad(*batches[i]) for _ in range(200)]
        return all(value == alone[i][0] and np.array_equal(gradient, alone[i][1]) for value, gradient in results)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(again, range(8)))
    finally:
        sys.setswitchinterval(before)
