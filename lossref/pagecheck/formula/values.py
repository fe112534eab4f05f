"""The numbers formulas are evaluated in: 100-digit reals, dual numbers, matrices.

A dual number ``a + b·ε`` carries a derivative along, so that ``∂`` needs no
symbolic algebra and no step size: seed the variable with ``b = 1``, evaluate,
read ``b``.  Each ``∂`` has its own ``ε`` (its ``tag``), so they nest.

This room knows arithmetic; it knows neither pages nor syntax.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mpmath

DIGITS = 100
MANY_DIGITS = 1000
mp = mpmath.mp.clone()
mp.dps = DIGITS
ZERO, ONE = mp.mpf(0), mp.mpf(1)
HUGE = mp.mpf(10) ** 6  # arguments of exp, powers and factorials stay below: what is beyond would not end

_tags = itertools.count(1)


@functools.lru_cache(maxsize=4096)
def _literal(text: str, _: int):
    return mp.mpf(text)


def literal(text: str):
    """A written number, to the digits computed with."""
    return _literal(text, mp.prec)


@contextmanager
def precision(digits: int):
    """Compute with that many digits for a while."""
    before, mp.dps = mp.dps, digits
    try:
        yield
    finally:
        mp.dps = before


class Undefined(ArithmeticError):
    """The expression has no value at this point; ``fix`` says what may help."""

    def __init__(self, message: str, fix: str = ""):
        super().__init__(message)
        self.fix = fix


class WrongShape(Undefined):
    """A number stands where a vector is wanted, or the other way round: wrong at every point."""


@dataclass(frozen=True)
class Dual:
    re: Any
    du: Any
    tag: int

    def __str__(self) -> str:
        return show(self)


@dataclass(frozen=True)
class Matrix:
    """Rows of scalars; a vector is one column."""

    rows: tuple[tuple[Any, ...], ...]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.rows[0]) if self.rows else 0

    @property
    def is_vector(self) -> bool:
        return self.shape[1] == 1

    def map(self, function: Callable) -> Matrix:
        return Matrix(tuple(tuple(function(x) for x in row) for row in self.rows))

    def zip(self, other: Matrix, function: Callable) -> Matrix:
        if self.shape != other.shape:
            raise WrongShape(f"shapes {self.shape} and {other.shape} do not fit")
        return Matrix(tuple(tuple(map(function, a, b)) for a, b in zip(self.rows, other.rows, strict=False)))

    def transposed(self) -> Matrix:
        return Matrix(tuple(zip(*self.rows, strict=False)))

    def entries(self) -> list:
        return [x for row in self.rows for x in row]


def column(items) -> Matrix:
    return Matrix(tuple((x,) for x in items))


def new_tag() -> int:
    return next(_tags)


def seed(value, tag: int) -> Dual:
    return Dual(value, ONE, tag)


def part(value, tag: int):
    """The coefficient of this ``ε``: the derivative."""
    if isinstance(value, Matrix):
        return value.map(lambda x: part(x, tag))
    return value.du if isinstance(value, Dual) and value.tag == tag else ZERO


def real(value):
    """The number itself, without its derivatives."""
    while isinstance(value, Dual):
        value = value.re
    return value


def is_zero(value) -> bool:
    return not isinstance(value, (Dual, Matrix)) and value == 0


def show(value, digits: int = 10) -> str:
    if isinstance(value, Matrix):
        if value.is_vector:
            return "(" + ", ".join(show(x, digits) for x in value.entries()) + ")"
        return "[" + "; ".join(" ".join(show(x, digits) for x in row) for row in value.rows) + "]"
    return mp.nstr(real(value), digits, strip_zeros=True).removesuffix(".0")


# ---- arithmetic ------------------------------------------------------------------------------


def _split(a, b):
    """Both numbers seen by the outermost ``ε`` of either."""
    tag = max(a.tag if isinstance(a, Dual) else 0, b.tag if isinstance(b, Dual) else 0)
    pa = (a.re, a.du) if isinstance(a, Dual) and a.tag == tag else (a, ZERO)
    pb = (b.re, b.du) if isinstance(b, Dual) and b.tag == tag else (b, ZERO)
    return tag, pa, pb


def add(a, b):
    if isinstance(a, Matrix) or isinstance(b, Matrix):
        if not (isinstance(a, Matrix) and isinstance(b, Matrix)):
            raise WrongShape("a number and a vector cannot be added")
        return a.zip(b, add)
    if isinstance(a, Dual) or isinstance(b, Dual):
        tag, (x, dx), (y, dy) = _split(a, b)
        return Dual(add(x, y), add(dx, dy), tag)
    return a + b


def neg(a):
    if isinstance(a, Matrix):
        return a.map(neg)
    if isinstance(a, Dual):
        return Dual(neg(a.re), neg(a.du), a.tag)
    return -a


def sub(a, b):
    return add(a, neg(b))


def mul(a, b):
    if isinstance(a, Matrix) or isinstance(b, Matrix):
        return _matrix_product(a, b)
    if isinstance(a, Dual) or isinstance(b, Dual):
        if is_zero(a) or is_zero(b):
            return ZERO
        tag, (x, dx), (y, dy) = _split(a, b)
        return Dual(mul(x, y), add(mul(dx, y), mul(x, dy)), tag)
    return a * b


def _matrix_product(a, b):
    if not isinstance(a, Matrix):
        return b.map(lambda x: mul(a, x))
    if not isinstance(b, Matrix):
        return a.map(lambda x: mul(x, b))
    if a.shape[1] != b.shape[0]:
        raise WrongShape(
            f"a {a.shape[0]}×{a.shape[1]} matrix times a {b.shape[0]}×{b.shape[1]} one: "
            "a vector is a column; write a^\\top b, a b^\\top or a \\odot b"
        )
    columns = list(zip(*b.rows, strict=False))
    result = Matrix(tuple(tuple(total(map(mul, row, col)) for col in columns) for row in a.rows))
    return result.rows[0][0] if result.shape == (1, 1) else result


def total(items):
    result = ZERO
    for item in items:
        result = item if is_zero(result) else add(result, item)
    return result


def div(a, b):
    if isinstance(b, Matrix):
        raise WrongShape("division by a vector")
    if isinstance(a, Matrix):
        return a.map(lambda x: div(x, b))
    if real(b) == 0:
        raise Undefined("division by 0")
    if isinstance(a, Dual) or isinstance(b, Dual):
        tag, (x, dx), (y, dy) = _split(a, b)
        quotient = div(x, y)
        return Dual(quotient, div(sub(dx, mul(quotient, dy)), y), tag)
    return a / b


def power(a, b):
    if isinstance(a, Matrix) or isinstance(b, Matrix):
        raise WrongShape("a vector has no power; write \\odot or ^\\top")
    if not isinstance(b, Dual):
        if b == 0:
            return ONE
        if b == 1:
            return a
        if isinstance(a, Dual):
            return Dual(power(a.re, b), mul(mul(b, power(a.re, b - 1)), a.du), a.tag)
        if a == 0 and b < 0:
            raise Undefined("0 to a negative power")
        if abs(b) > HUGE:
            if a <= 0 or abs(b * mp.log(a)) > HUGE:
                raise Undefined(f"an exponent beyond {mp.nstr(HUGE, 3)}")
            return mp.exp(b * mp.log(a))  # (1 + 1/z)^z
        if a < 0 and b != mp.floor(b):
            raise Undefined("a negative number to a fractional power")
        return mp.power(a, b)
    if real(a) <= 0:
        raise Undefined("a variable exponent needs a positive base")
    return exp(mul(b, log(a)))


# ---- functions -------------------------------------------------------------------------------


def _smooth(value: Callable, slope: Callable) -> Callable:
    """A function of one number from its value and (dual-safe) derivative.

    Values are kept: a number and its derivatives want the same ones again and again.
    """

    @functools.lru_cache(maxsize=1 << 14)
    def kept(number: tuple, _: int):
        return value(mp.make_mpf(number))

    def function(a):
        if isinstance(a, Matrix):
            raise WrongShape("this function takes a number, not a vector")
        if isinstance(a, Dual):
            return Dual(function(a.re), mul(slope(a.re), a.du), a.tag)
        return kept(a._mpf_, mp.prec)

    return function


def _log(a):
    if a <= 0:
        raise Undefined("log of 0" if a == 0 else "log of a negative number")
    return mp.log(a)


def _exp(a):
    if a > HUGE:
        raise Undefined(f"exp of a number beyond {mp.nstr(HUGE, 3)}")
    return mp.exp(a)


def _sigmoid(a):
    small = _exp(-abs(a))
    return 1 / (1 + small) if a >= 0 else small / (1 + small)


def _sqrt(a):
    if a < 0:
        raise Undefined("square root of a negative number")
    return mp.sqrt(a)


def _gamma(a):
    if a <= 0 and a == mp.floor(a):
        raise Undefined("the factorial of a negative integer")
    if abs(a) > HUGE:
        raise Undefined(f"the factorial of a number beyond {mp.nstr(HUGE, 3)}")
    return mp.gamma(a)


def _sign(a):
    return mp.mpf((a > 0) - (a < 0))


exp = _smooth(_exp, lambda a: exp(a))
log = _smooth(_log, lambda a: div(ONE, a))
sqrt = _smooth(_sqrt, lambda a: div(ONE, mul(mp.mpf(2), sqrt(a))))
sigmoid = _smooth(_sigmoid, lambda a: mul(sigmoid(a), sigmoid(neg(a))))
softplus = _smooth(lambda a: max(a, ZERO) + mp.log1p(_exp(-abs(a))), lambda a: sigmoid(a))
tanh = _smooth(mp.tanh, lambda a: sub(ONE, power(tanh(a), mp.mpf(2))))
sin = _smooth(mp.sin, lambda a: cos(a))
cos = _smooth(mp.cos, lambda a: neg(sin(a)))
sinh = _smooth(mp.sinh, lambda a: cosh(a))
cosh = _smooth(mp.cosh, lambda a: sinh(a))
arctan = _smooth(mp.atan, lambda a: div(ONE, add(ONE, mul(a, a))))
erf = _smooth(mp.erf, lambda a: mul(2 / mp.sqrt(mp.pi), exp(neg(mul(a, a)))))
digamma = _smooth(mp.digamma, lambda a: trigamma(a))
trigamma = _smooth(lambda a: mp.polygamma(1, a), lambda a: polygamma(2)(a))


@functools.cache
def polygamma(n: int) -> Callable:
    """The derivatives of digamma, each of which has the next one."""
    return _smooth(lambda a: mp.polygamma(n, a), lambda a: polygamma(n + 1)(a))


gamma = _smooth(_gamma, lambda a: mul(gamma(a), digamma(a)))
sign = _smooth(_sign, lambda a: ZERO)


def absolute(a):
    _number(a)
    return neg(a) if real(a) < 0 else a


def largest(items):
    return max(map(_number, items), key=real)


def smallest(items):
    return min(map(_number, items), key=real)


def _number(a):
    if isinstance(a, Matrix):
        raise WrongShape("numbers can be ordered, vectors cannot")
    return a


def clip(a, low, high):
    a, low, high = map(_number, (a, low, high))
    if real(a) < real(low):
        return low
    return high if real(a) > real(high) else a


def softmax(a):
    if not isinstance(a, Matrix) or not a.is_vector:
        raise WrongShape("softmax acts on a vector")
    peak = max(real(x) for x in a.entries())
    weights = [exp(sub(x, peak)) for x in a.entries()]
    norm = total(weights)
    return column(div(w, norm) for w in weights)


def diag(a):
    if not isinstance(a, Matrix):
        raise WrongShape("diag acts on a vector")
    if not a.is_vector:
        return column(a.rows[i][i] for i in range(min(a.shape)))
    items = a.entries()
    return Matrix(tuple(tuple(x if i == j else ZERO for j in range(len(items))) for i, x in enumerate(items)))


def inner(a, b):
    if not (isinstance(a, Matrix) and isinstance(b, Matrix) and a.shape == b.shape):
        raise WrongShape("an inner product needs two vectors of one length")
    return total(map(mul, a.entries(), b.entries()))


def norm(a, order: int = 2):
    if not isinstance(a, Matrix):
        raise WrongShape("a norm is taken of a vector")
    if order == 1:
        return total(absolute(x) for x in a.entries())
    return sqrt(inner(a, a))


def trace(a):
    return total(diag(a).entries())
