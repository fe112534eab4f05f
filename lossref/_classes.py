"""What every loss over classes has: targets of two kinds, class weights, ignored samples, and one pass over rows.

A loss file adds the mathematics of one class: ``formula(m, p, q, nl, **arguments)``, with ``q = 1 - p`` and
``nl = -log p``, gives the term of a class with probability p and its two derivatives by log p. What softmax adds to
that, ∂(log p_c)/∂x_j = δ_cj - p_j, stands once in ``_elementary.py``.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _validate as validate
from ._base import SINGLE, Array, Loss, Parts, Result, RowParts
from ._elementary import Distribution, Index, turn
from ._numpy import NUMPY
from ._summary import least, most
from ._summary import total as total_of
from ._tiles import rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


def parts(m, formula, x, target, scale=1.0) -> RowParts:
    """Value (rows, 1), and times ``scale`` gradient (rows, C) and Hessian (rows, C, C), of a loss of softmax(x)."""
    s = m.softmax(x, target.y)
    of_class = formula(m, s.p(target), s.q(target), s.surprisal(target))

    def slope():
        return of_class.gradient() * scale

    def curvature():
        return of_class.hessian() * scale

    return RowParts(
        value=lambda: target.total(of_class.value()),
        gradient=lambda: target.pull(s, slope()),
        hessian=lambda: target.bend(s, slope(), curvature()),
        diagonal=lambda: target.bend_diagonal(s, slope(), curvature()),
        turned=lambda v: turn(target, s, slope(), curvature(), v),
        by_mass=lambda v: slope() * target(s.along(v)),
    )


class Classes(Loss):
    """A loss of a distribution over C classes, which lie on axis 1 (axis 0 of one-dimensional input)."""

    names = ("x", "y")  # what errors call the arguments; lossref.torch has torch's names
    weights_name = "weight"
    warns = True
    input_range = (-np.inf, np.inf)
    reductions = ("none", "mean", "sum")
    denominators = (None, "samples", "weights")
    mean_over = (
        "weights"  # what torch divides a mean over class indices by; probabilities it divides by the samples
    )
    parts = staticmethod(parts)

    def __init__(
        self, weight: ArrayLike | None = None, *, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0, denominator: str | None = None,
    ) -> None:  # fmt: skip
        validate.one_of("reduction", reduction, self.reductions)
        validate.one_of("denominator", denominator, self.denominators)
        if weight is not None:
            weight = validate.weights("weight", weight)
            if weight.ndim != 1:
                raise ValueError(f"weight must have shape (C,), one for each class; got shape {weight.shape}")
        self.weight = weight
        self.ignore_index = validate.integer("ignore_index", ignore_index)
        self.reduction = reduction
        self.label_smoothing = validate.number("label_smoothing", label_smoothing, 0, 1)
        self.denominator = denominator

    @staticmethod
    def formula(*variables: Any, **arguments: Any) -> Parts:
        """(m, p, q, nl, …) -> Parts, in each loss with arguments of its own."""
        raise NotImplementedError

    def arguments(self) -> dict[str, Any]:
        return {}

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Result:
        """损失。

        `x` 的形状是 `(C,)`、`(N, C)` 或 `(N, C, d1, …)`，类别在轴 1 上。
        `y` 或者是类别编号（任意整数 dtype，形状是 `x` 去掉类别轴），或者是每一类的概率（浮点，形状同 `x`）。
        `reduction="none"` 时返回每个样本的损失，否则返回标量。

        结果的 dtype 随 `x`（整数和列表按 float64）；float16 在内部按 float32 计算。
        NaN 进则 NaN 出（被忽略的样本除外）。
        空批次、全部样本被忽略或权重之和为 0 时，`"sum"` 为 0，`"mean"` 为 NaN 并给出 `RuntimeWarning`，梯度是 0。
        """
        return self._evaluate(x, y, value=True)[0]

    def grad(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> Result:
        """归约后的损失对 `x` 的梯度，形状和在内存中的次序与 `x` 相同；
        `reduction="none"` 时是每个样本的损失对自己那一行的梯度。

        `out`：写入梯度的数组，形状和 dtype 与 `x` 相同，可以就是 `x`；抛出错误后其内容不定。
        """
        return self._evaluate(x, y, derivative="gradient", out=out)[1]

    def hess(self, x: ArrayLike, y: ArrayLike) -> Array:
        """归约后的损失的黑塞矩阵：每个样本一个 `C×C` 的块，形状 `(N, d1, …, C, C)`；不同样本之间的二阶导数都是 0。"""
        return self._evaluate(x, y, derivative="hessian")[1]

    def hess_diag(self, x: ArrayLike, y: ArrayLike, out: Array | None = None) -> Array:
        """`hess` 的对角线，形状与 `x` 相同；不经过 `C×C` 的块，时间和内存都与 `x` 成正比。`out` 同 `grad`。"""
        return self._evaluate(x, y, derivative="diagonal", out=out)[1]

    # -- one pass ------------------------------------------------------------------------------------------------

    def _evaluate(self, x, y, *, value=False, derivative=None, out=None):
        x = validate.floating(self.names[0], x)
        if x.ndim and x.shape[min(1, x.ndim - 1)] == 0:
            raise ValueError(f"{self.names[0]} must have at least one class; got shape {x.shape}")
        y, hard, kept = self._target(x, y)
        shape = (x.shape[0] if x.ndim > 1 else 1, x.shape[min(1, x.ndim - 1)], math.prod(x.shape[2:]))
        compute = SINGLE if x.dtype == np.float16 else x.dtype  # half precision is computed in single
        weight = self._class_weights(shape[1])
        if weight is not None:  # it may have been changed
            weight = validate.weights(self.weights_name, weight).astype(compute)
        formula = self._formula()
        scale, pull = self._scale(shape, y, hard, kept)
        samples = x.shape[:1] * (x.ndim > 1) + x.shape[2:]

        values = np.empty((shape[0], shape[2]), x.dtype) if value and self.reduction == "none" else None
        result: Any = None
        if derivative in ("gradient", "diagonal"):
            result = validate.gradient_buffer(out, x)
            if out is not None and np.may_share_memory(result, x) and result is not x:
                x = x.copy()  # a block written must not be one that is read later
            if out is not None and np.may_share_memory(result, y):
                y = y.copy()
        elif derivative == "hessian":
            result = np.empty((*samples, shape[1], shape[1]), x.dtype)

        x3 = x.reshape(shape)
        y3 = y.reshape((shape[0], shape[2]) if hard else shape)
        kept2 = None if kept is None else kept.reshape(y3.shape)
        blocks = (shape[0], shape[2], shape[1], shape[1]) if derivative == "hessian" else shape
        d3: Any = None if result is None else np.asarray(result).reshape(blocks)  # a copy only for strange strides
        total = 0.0
        with np.errstate(all="ignore"):  # log 0 and overflow to inf are exact limits here, not accidents
            for n, d in rows(shape, compute) if x.size else ():
                block = _flat(x3[n, :, d]).astype(compute, copy=False)
                validate.within(self.names[0], block, *self.input_range)
                some = None if kept2 is None else kept2[n, d].reshape(-1)
                target = self._rows(block, y3[n, d] if hard else y3[n, :, d], some, hard, weight, compute)
                of_rows = self.parts(NUMPY, formula, block, target, pull)
                if value:
                    v = of_rows.value()[:, 0]
                    v = v if some is None else np.where(some, v, 0)
                    if values is None:
                        total += float(total_of(v))
                    else:
                        values[n, d] = v.reshape(values[n, d].shape)
                if derivative:
                    g = getattr(of_rows, derivative)()
                    if some is not None:
                        g[~some] = 0
                    if derivative != "hessian":
                        where = d3[n, :, d]
                        where[...] = g.reshape(where.shape[0], where.shape[2], shape[1]).transpose(0, 2, 1)
                    else:
                        where = d3[n, d]
                        where[...] = g.reshape(where.shape)
            v = None
            if value:
                v = x.dtype.type(total * scale) if values is None else values.reshape(samples)[()]
        if result is not None and not np.may_share_memory(d3, result):
            result[...] = d3.reshape(result.shape)
        return v, result

    def _formula(self):
        arguments = self.arguments()
        return lambda m, p, q, nl: self.formula(m, p, q, nl, **arguments)

    def _class_weights(self, c):
        if self.weight is not None and self.weight.shape != (c,):
            raise ValueError(
                f"weight must have shape ({c},), one for each class of {self.names[0]}; got {self.weight.shape}"
            )
        return self.weight

    def _target(self, x, y):
        """The target as an array, whether it holds class indices, and which of them count (None: all do)."""
        x_name, y_name = self.names
        y = validate.numeric(y_name, y)
        if x.ndim == 0:
            raise ValueError(f"{x_name} must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
        c = x.shape[min(1, x.ndim - 1)]
        self._class_weights(c)
        indices = x.shape[:1] * (x.ndim > 1) + x.shape[2:]
        if y.dtype.kind in "iu" and y.shape == indices:
            inside = not y.size or (least(y) >= 0 and most(y) < c)
            if inside and not 0 <= self.ignore_index < c:
                return y, True, None
            kept = y != self.ignore_index
            outside = kept & ((y < 0) | (y >= c))
            if outside.any():
                raise IndexError(
                    f"{y_name} must hold class indices in [0, {c - 1}]; got {y[outside].flat[0]}"
                )
            return y, True, None if kept.all() else kept
        if y.dtype.kind == "f" and y.shape == x.shape:
            validate.within(y_name, y, 0.0, 1.0)
            return y, False, None
        wanted = (
            f"class indices (integers of shape {indices}) or probabilities (floats of the shape of {x_name}, {x.shape})"
        )
        raise (ValueError if y.dtype.kind in "iuf" and y.shape not in (indices, x.shape) else TypeError)(
            f"{y_name} must hold {wanted}; got dtype {y.dtype} and shape {y.shape}"
        )

    def _rows(self, x, y, kept, hard, weight, compute):
        """The target of a block of rows; those that do not count get some class."""
        if hard:
            y = y.reshape(-1, 1).astype(np.intp, copy=False)
            if kept is not None:
                y = np.where(kept[:, None], y, 0)
            if not self.label_smoothing:
                return Index(NUMPY, y, None if weight is None else weight[y])
            a = np.zeros(x.shape, compute)
            np.put_along_axis(a, y, 1, -1)
        else:
            a = _flat(y).astype(compute, copy=False)
        return Distribution(NUMPY, smooth(a, self.label_smoothing, weight))

    def _scale(self, shape, y, hard, kept):
        """What the sum of values, and what gradients, are multiplied by."""
        validate.one_of("reduction", self.reduction, self.reductions)  # it may have been changed
        if self.reduction != "mean":
            return 1.0, 1.0
        weight = self._class_weights(shape[1])
        kind = self.denominator or (self.mean_over if hard else "samples")
        if kind == "samples":
            n = shape[0] * shape[2]
        elif kind == "elements":
            n = math.prod(shape)
        elif hard:
            counted = y if kept is None else y[kept]
            n = counted.size if weight is None or kind == "kept" else float(np.sum(weight[counted], dtype=np.float64))
        else:
            w = 1 if weight is None else weight.reshape(-1, *[1] * (y.ndim - 2))
            n = float(np.sum(w * y, dtype=np.float64))
        if n == 0:
            cause = "an empty batch" if shape[0] * shape[2] == 0 else "samples all ignored or of weight 0"
            if self.warns:
                warnings.warn(f"the mean of {cause} is nan", RuntimeWarning, stacklevel=4)
            return math.nan, 0.0
        return 1.0 / n, 1.0 / n


def smooth(a, epsilon, weight):
    """(1-ε) of the target and ε spread over all classes, each class then times its weight."""
    if epsilon:
        a = (1 - epsilon) * a + epsilon / a.shape[-1]
    return a if weight is None else a * weight


def _flat(block):
    """(samples, classes, places) -> (samples·places, classes): a copy, of the block only, for several places."""
    return block.transpose(0, 2, 1).reshape(-1, block.shape[1])
