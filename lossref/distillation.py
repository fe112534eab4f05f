"""Knowledge distillation: the softened distribution of a student against that of a teacher, both given as logits.

Two distributions that are nearly the same must not be subtracted once they are rounded. With p and q the probabilities
of teacher and student and D = T (log q - log p), the loss is Σ p D² φ(D/T) and its gradient p D (1 + D/T φ(D/T)), where
φ(u) = (eᵘ - 1 - u)/u² → ½: terms that are never negative, that vanish with D and become half a variance for T → ∞.
An error in D that all classes share cancels, as the q - p add up to 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import _validate as validate
from ._base import Result, RowParts
from ._classes import Classes
from ._elementary import _spread as spread
from ._elementary import _spread_diagonal as spread_diagonal
from ._elementary import above_abyss, lazy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike  # not cheap to import


class DistillationLoss(Classes):
    r"""知识蒸馏：学生 logits `x` 与教师 logits `y` 在温度 $T$ 下的 KL 散度，乘 $T^2$。

    $$\ell(x, y) = T^2 \sum_{c=1}^C p_c\,(\log p_c - \log q_c),\qquad
    p = \operatorname{softmax}(y / T),\quad q = \operatorname{softmax}(x / T)$$

    梯度 $T\,(q - p)$，黑塞 $\operatorname{diag}(q) - q q^\top$，都对 $x$ 求。$T \to \infty$ 时损失趋于
    $\tfrac12 \operatorname{Var}_c(x_c - y_c)$，即去掉平均之后的 logit 均方误差的一半。单位是奈特乘 $T^2$。

    精确：学生与教师几乎相同时也不丢位（先取对数再相减，float32 会给出 0 甚至负数）；两者只差一个常数时恰好是 0；
    教师为 $-\infty$ 的类别概率是 0，只贡献 0。

    Args:
        temperature: 温度 $T$，大于 0 的有限数。
        reduction: `"mean"`（默认）除以样本数 $N d_1 \cdots$，对 `(N, C)` 就是 `kl_div` 的 `batchmean`；`"sum"` 求和；
            `"none"` 每个样本一个数。
        denominator: `"mean"` 改除以 `"elements"`（元素个数 $N C d_1 \cdots$，即 `kl_div` 的默认 `mean`）；
            `"samples"` 与默认相同。

    Raises:
        ValueError: `x` 与 `y` 形状不同（从不广播）；logit 是正无穷；`temperature` 不大于 0 或无穷；`reduction` 不认识。
        TypeError: 整数、布尔、复数或非数值的 `y`；复数或非数值的 `x`；`temperature` 不是数。

    出处：G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015, arXiv:1503.02531。

    Examples:
        >>> import lossref
        >>> loss = lossref.DistillationLoss(temperature=4)
        >>> student, teacher = [[2.0, 1.0, 0.1]], [[3.0, 0.5, -1.0]]
        >>> print(f"{loss(student, teacher):.4f}")
        0.4047
        >>> loss.grad(student, teacher).round(4).tolist()
        [[-0.4356, 0.1726, 0.263]]
        >>> loss.hess_diag(student, teacher).round(4).tolist()
        [[0.243, 0.2192, 0.1919]]
    """

    weight = None
    denominators = (None, "samples", "elements")

    def __init__(self, temperature: float = 1.0, *, reduction: str = "mean", denominator: str | None = None) -> None:
        super().__init__(reduction=reduction, denominator=denominator)
        del self.weight, self.ignore_index, self.label_smoothing
        self.temperature = validate.number("temperature", temperature, 0, above=True)
        if self.temperature == math.inf:
            raise ValueError(f"temperature must be finite; got {temperature!r}")

    def __call__(self, x: ArrayLike, y: ArrayLike) -> Result:
        """损失。`x`（学生）与 `y`（教师）都是 logits，形状同为 `(C,)`、`(N, C)` 或 `(N, C, d1, …)`，类别在轴 1 上。

        `reduction="none"` 时返回每个样本的损失，否则返回标量。
        结果的 dtype 随 `x`（整数和列表按 float64）；float16 在内部按 float32 计算。NaN 进则 NaN 出。
        空批次：`"sum"` 为 0，`"mean"` 为 NaN 并给出 `RuntimeWarning`。
        """
        return self._evaluate(x, y, value=True)[0]

    def _target(self, x, y):
        x_name, y_name = self.names
        y = validate.numeric(y_name, y)
        if x.ndim == 0:
            raise ValueError(f"{x_name} must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
        if y.shape != x.shape or y.dtype.kind != "f":
            raise (TypeError if y.shape == x.shape else ValueError)(
                f"{y_name} must hold the teacher's logits (floats of the shape of {x_name}, {x.shape}); "
                f"got dtype {y.dtype} and shape {y.shape}"
            )
        for name, logits in ((x_name, x), (y_name, y)):
            if (logits == math.inf).any():
                raise ValueError(f"{name} must hold logits below inf; got inf")
        return y, False, None

    def _rows(self, x, y, kept, hard, weight, compute):
        return y.transpose(0, 2, 1).reshape(x.shape).astype(compute, copy=False)

    def _formula(self):
        return self.temperature

    @staticmethod
    def parts(m, T, x, y, scale=1.0):
        pair = Pair(m, x, y, T)
        return RowParts(
            value=lambda: m.sum(pair.terms),
            gradient=lambda: pair.gradient * scale,
            hessian=lambda: spread(m, pair.student, scale, pair.q),
            diagonal=lambda: spread_diagonal(m, pair.student, scale, pair.q),
        )


class Pair:
    """Rows of logits of a student and of its teacher."""

    def __init__(self, m, x, y, T):
        self.m, self.y = m, y
        self.T = min(max(T, 4 / m.huge(x)), m.huge(x) / 4)  # beyond, T itself would become 0 or inf
        self.student = Softened(m, x, self.T)
        self.q = self.student.probabilities

    @lazy
    def teacher(self):
        return Softened(self.m, self.y, self.T)

    @lazy
    def p(self):
        return self.teacher.probabilities

    @lazy
    def D(self):
        """T (log q - log p)"""
        return log_ratio(self.m, self.student, self.teacher, self.T)

    @lazy
    def close(self):
        """Where q/p is nearer to 1 than e is; elsewhere a subtraction costs at most a digit."""
        return self.m.abs(self.D) < self.T

    @lazy
    def pD(self):
        return self.m.times(self.p, self.m.used(self.D, self.p > 0))

    @lazy
    def near(self):
        """D where it is close, for the series."""
        return self.m.used(self.D, self.close)

    @lazy
    def phi(self):
        return phi(self.near / self.T)

    @lazy
    def gradient(self):
        """T (q - p)"""
        grown = self.p * self.near * (1 + self.near / self.T * self.phi)
        return self.m.where(self.close, grown, self.T * (self.q - self.p))

    @lazy
    def terms(self):
        """T² (p log p/q + q - p); the q - p add up to 0."""
        return self.m.where(
            self.close, self.p * self.near * self.near * self.phi, self.T * (self.gradient - self.pD)
        )


class Softened:
    """softmax(x/T), relative to its largest class as Softmax is; its exponents are exact whatever T is."""

    def __init__(self, m, x, T):
        self.m, self.x = m, x
        self.k = m.argmax(x)
        self.top = m.pick(x, self.k)
        self.d, self.lost = difference(above_abyss(m, x, self.top), self.top)
        z = m.maximum(self.d / T, -1e4)  # exp is 0 long before
        e = m.exp(z)
        e = e + e * m.clip((self.lost + remainder(self.d, z, T)) / T, -1, 1)  # (beyond is only what z left out)
        _, self.others = m.apart(e, self.k)
        self.sum = 1 + self.others
        self.inverse = 1 / self.sum
        self.probabilities = e * self.inverse


def log_ratio(m, student, teacher, T):
    """D = T (log q - log p), exact also where q is next to p.

    Up to a constant of the row, D is the difference of the logits, each below its top. Where the constant is small it
    comes from the mean of q/p - 1, otherwise from the logarithms of the sums of the exponentials.
    """
    p, q = teacher.probabilities, student.probabilities
    D = (student.d - teacher.d) + (student.lost - teacher.lost)
    D = m.where(student.x == -math.inf, student.x - student.top, D)
    shift = T * (m.log(student.sum) - m.log(teacher.sum))
    close = m.abs(D) < T
    near = m.used(D, close)
    u = near / T
    mean = m.sum(m.where(close, p * near * (1 + u * phi(u)), T * (q * m.exp(shift / T) - p)))
    small = m.abs(shift) < T / 2
    mean = m.used(mean, small)
    u = mean / T
    # T log(1 + u), for any T; what the series leaves out is shared by all classes: only its square counts
    log1p = m.where(m.abs(u) < 2.0**-60, mean * (1 - u / 2), T * m.log1p(u))
    return D - m.where(small, log1p, shift)


def phi(u):
    """(eᵘ - 1 - u) / u² for |u| < 1, by its series, as far as its terms can be seen beside the first."""
    last = 11 if u.dtype.itemsize == 4 else 19
    total = 1 / math.factorial(last)
    for n in range(last - 1, 1, -1):
        total = total * u + 1 / math.factorial(n)
    return total


def difference(x, y):
    """x - y and what rounding took from it."""
    d = x - y
    b = d - x
    return d, (x - (d - b)) - (y + b)


def remainder(d, z, T):
    """d - z T, to half as many digits again: the factors are multiplied in halves (Dekker's product)."""
    if math.frexp(T)[0] == 0.5:
        return 0.0  # by a power of two nothing is rounded
    bits = 12 if z.dtype.itemsize == 4 else 26
    fraction, exponent = math.frexp(T)
    T_high = math.ldexp(round(math.ldexp(fraction, bits)), exponent - bits)
    c = z * (2.0 ** (12 if bits == 12 else 27) + 1)
    z_high = c - (c - z)
    return ((d - z_high * T_high) - (z - z_high) * T_high) - z * (T - T_high)
