"""What every loss has: the four public methods, weights, reduction, and one pass over tiles.

A loss file adds the mathematics: ``formula(m, x, y, **arguments)`` returns ``Parts``, the value and its
first and second derivative with respect to ``x``, each behind a ``lambda`` so that only what is asked for is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from . import _validate as validate
from ._numpy import HARD, NUMPY
from ._program import Program, Tape
from ._reduce import DENOMINATORS, denominator
from ._summary import accumulate
from ._tiles import sweep

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Result: TypeAlias = Array | Any  # an array or, where it is one number, a NumPy scalar, which has an array's methods


SINGLE = np.dtype(np.float32)


class Parts(NamedTuple):
    value: Callable[[], Any]
    gradient: Callable[[], Any]
    hessian: Callable[[], Any]


class RowParts(NamedTuple):
    """The same of rows, with what needs no C×C block: its diagonal, and what becomes of a change ``v`` of the row."""

    value: Callable[[], Any]
    gradient: Callable[[], Any]
    hessian: Callable[[], Any]
    diagonal: Callable[[], Any]  # of the Hessian
    turned: Any = None  # v -> Hessian · v
    by_mass: Any = None  # v -> ∂(gradient · v)/∂a


class Loss:
    """What the two kinds of loss share; ``_evaluate`` is theirs."""

    def value_and_grad(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> tuple[Result, Result]:
        """一次遍历同时得到损失和梯度：`(loss(x, y), loss.grad(x, y, out))`。"""
        return self._evaluate(x, y, value=True, derivative="gradient", out=out)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if v is not None)
        return f"{type(self).__name__}({shown})"

    def _evaluate(self, x, y, *, value=False, derivative=None, out=None):
        raise NotImplementedError


class Elementwise(Loss):
    """A loss that is a sum of terms ℓ(x_i, y_i), one for each element."""

    input_range = (-np.inf, np.inf)
    target_range = (-np.inf, np.inf)
    names = ("x", "y")  # what errors call the arguments; lossref.torch has torch's names
    warns = True
    knows_hard_labels = False  # the formula has a shorter form for labels 0 and 1, in the namespace HARD
    reductions: tuple[str, ...] = ("none", "mean", "sum")
    mean_over = "elements"  # what torch divides a mean by

    def __init__(
        self, weight: ArrayLike | None = None, *, reduction: str = "mean", denominator: str | None = None
    ) -> None:
        validate.one_of("reduction", reduction, self.reductions)
        validate.one_of("denominator", denominator, (None, *DENOMINATORS))
        self.weight = None if weight is None else validate.weights("weight", weight)
        self.reduction = reduction
        self.denominator = denominator

    @staticmethod
    def formula(*variables: Any, **arguments: Any) -> Parts:
        """(m, x, y, …) -> Parts, in each loss with names of its own."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        """What the formula needs beside x and y; arrays are broadcast to x."""
        return {}

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Result:
        """损失。`x`、`y` 是形状相同的数组、标量或列表；`reduction="none"` 时返回 `x` 的形状，否则返回标量。

        结果的 dtype 随 `x`（整数和列表按 float64）；float16 在内部按 float32 计算。NaN 进则 NaN 出。
        空批次：`"sum"` 为 0，`"mean"` 为 NaN 并给出 `RuntimeWarning`；权重之和为 0 而又除以它时同样，梯度是 0。
        权重为 0 的项不论多大都按 0 计。每一项（连同 `x - y`、平方）按 `x` 的 dtype 计算，求和按 float64；
        超出其范围的是 `inf`，即使平均之后本来装得下。
        """
        return self._evaluate(x, y, value=True)[0]

    def grad(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> Result:
        """归约后的损失对 `x` 的梯度，形状和在内存中的次序与 `x` 相同；
        `reduction="none"` 时是每个元素的损失对自己那个输入的导数。

        `out`：写入梯度的数组，形状和 dtype 与 `x` 相同，可以就是 `x`；抛出错误后其内容不定。
        """
        return self._evaluate(x, y, derivative="gradient", out=out)[1]

    def hess(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> Result:
        """归约后的损失的黑塞矩阵的对角线，形状与 `x` 相同（逐元素的损失没有非对角项）。`out` 同 `grad`。"""
        return self._evaluate(x, y, derivative="hessian", out=out)[1]

    def hess_diag(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> Result:
        """与 `hess` 相同：逐元素的损失的黑塞矩阵只有对角线。对多类损失，`hess` 是矩阵而 `hess_diag` 是其对角线。"""
        return self._evaluate(x, y, derivative="hessian", out=out)[1]

    def _evaluate(self, x, y, *, value=False, derivative=None, out=None):
        x_name, y_name = self.names
        x = validate.floating(x_name, x)
        y = validate.numeric(y_name, y)
        validate.same_shape(y_name, y, x_name, x.shape)
        compute = SINGLE if x.dtype == np.float16 else x.dtype  # half precision is computed in single

        numbers: dict[str, Any] = {}
        arrays: dict[str, Array] = {}
        for name, argument in self.arguments().items():
            (arrays if isinstance(argument, np.ndarray) else numbers)[name] = argument
        weights = {} if self.weight is None else {"weight": self.weight}
        for name, a in (*arrays.items(), *weights.items()):
            validate.broadcastable(name, a, x_name, x.shape)

        reduced = self.reduction != "none"
        scale, pull = self._scale(x, y)
        total = np.zeros(())
        values = np.empty_like(x) if value and not reduced else None
        derivatives = None if derivative is None else validate.gradient_buffer(out, x)

        asked = (
            tuple(numbers.items()), tuple(arrays), bool(weights), compute, reduced and value, not reduced and value,
            derivative, pull != 1,
        )  # fmt: skip
        fixed = [np.array(pull, compute), total] if reduced and value else [np.array(pull, compute)]
        scratch: dict[bool, dict] = {True: {}, False: {}}

        def step(*tiles):
            validate.within(x_name, tiles[0], *self.input_range)
            hard = self.knows_hard_labels and validate.hard(tiles[1])
            if not hard:
                validate.within(y_name, tiles[1], *self.target_range)
            for name, weights_tile in zip(names, tiles[2:], strict=False):  # they may have been changed
                validate.within(name, weights_tile, 0.0, np.inf)
            program = _program(self.formula, HARD if hard else NUMPY, *asked)
            program(*tiles[:inputs], *fixed, *tiles[inputs:], scratch=scratch[hard])

        names = (*arrays, *weights)
        reads = [x, y, *arrays.values(), *weights.values()]
        inputs = len(reads)
        with np.errstate(all="ignore"):  # log 0 and overflow to inf are exact limits here, not accidents
            if x.size:
                sweep(step, reads, [np.asarray(a) for a in (values, derivatives) if a is not None], compute)
            result = None
            if value:
                result = x.dtype.type(float(total) * scale) if values is None else values[()]
        return result, None if derivatives is None else derivatives if out is not None else derivatives[()]

    def _scale(self, x, y) -> tuple[float, float]:
        """What the sum of values, and what derivatives, are multiplied by: a mean over nothing pulls at nothing."""
        validate.one_of("reduction", self.reduction, self.reductions)  # it may have been changed
        if self.reduction in ("none", "sum"):
            return 1.0, 1.0
        kind = "samples" if self.reduction == "batchmean" else self.denominator or self.mean_over
        n = denominator(NUMPY, kind, x.shape, self.weight, y)
        if n == 0:
            cause = "an empty batch" if x.size == 0 else "terms whose weights add up to 0"
            if self.warns:
                warnings.warn(f"the mean of {cause} is nan", RuntimeWarning, stacklevel=4)
            return np.nan, 0.0
        return 1.0 / float(n), 1.0 / float(n)


@lru_cache(maxsize=256)
def _program(formula, m, numbers, arrays, weighted, dtype, total, values, derivative, scaled) -> Program:
    """The tiles: x, y, the arrays, the weight, and the scale of derivatives; then the total, values, derivatives."""
    tape = Tape()
    x, y = tape.given(dtype), tape.given(dtype)
    parts = formula(m, x, y, **dict(numbers), **{name: tape.given(dtype) for name in arrays})
    weight = tape.given(dtype) if weighted else None
    scale = tape.given(dtype)
    if total or values:
        v = parts.value()
        v = v if weight is None else m.times(weight, v)
        if total:
            tape.end(accumulate, v)
        else:
            tape.end(np.add, v, 0)  # what costs nothing costs 0, not -0
    if derivative:  # written last: out may be x itself
        d = getattr(parts, derivative)()
        d = d if weight is None else m.times(weight, d)
        if scaled:
            tape.end(np.multiply, d, scale)
        else:
            tape.end_with(d)
    return tape.program()
