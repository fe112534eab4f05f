"""The same losses as ``torch.nn`` modules, on the same formulas, in two ways.

In memory, eagerly, NumPy makes its one pass over the tensors' own numbers. Everywhere else the formula is evaluated in
torch's operations. Either way backward is the derived formula (``_autograd.py`` says why).
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "lossref.torch needs PyTorch, which is not installed: pip install 'lossref[torch]'", name="torch"
    ) from error

from .. import bce, ce, distillation, focal, kl, regression
from .._validate import number
from ._autograd import Distilled, ForwardDistilled, compiled_inside_of_func
from ._modules import Classes, Elementwise, Loss, has_classes
from ._namespace import SMOOTH


class BCELoss(Elementwise):
    """`lossref.BCELoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.BCELoss`，另有关键字参数 `denominator`。
    """

    loss = bce.BCELoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean", *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class BCEWithLogitsLoss(Elementwise):
    """`lossref.BCEWithLogitsLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.BCEWithLogitsLoss`，另有关键字参数 `denominator`。
    """

    loss = bce.BCEWithLogitsLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
        reduction: str = "mean", pos_weight: torch.Tensor | None = None, *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self._hold("pos_weight", pos_weight)

    def arguments(self):
        return {"pos_weight": None}


class KLDivLoss(Elementwise):
    """`lossref.KLDivLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.KLDivLoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = kl.KLDivLoss

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        log_target: bool = False, *, weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.log_target = log_target

    target_range = property(lambda self: (-math.inf, 0.0) if self.log_target else (0.0, 1.0))

    def arguments(self):
        return {"log_target": self.log_target}


class DistillationLoss(Loss):
    """`lossref.DistillationLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.DistillationLoss`。

    对教师也可以求导（自蒸馏、互学习）；教师照例不学，用 `torch.no_grad()` 或 `detach()` 截断。
    """

    loss = distillation.DistillationLoss
    denominators = loss.denominators

    def __init__(
        self, temperature: float = 1.0, *, reduction: str = "mean", denominator: str | None = None
    ) -> None:
        super().__init__(None, reduction, denominator)
        self.temperature = self.loss(temperature).temperature

    def arguments(self):
        return {"temperature": self.temperature}

    def by_terms(self, input, target):
        x, dtype = self._input(input, target)
        if x.dim() == 0:
            raise ValueError("input must have shape (C,), (N, C) or (N, C, d1, …); got a scalar")
        if x.shape != target.shape or not target.is_floating_point():
            raise (TypeError if x.shape == target.shape else ValueError)(
                f"target must hold the teacher's logits (floats of the shape of input, {tuple(x.shape)}); "
                f"got dtype {str(target.dtype).removeprefix('torch.')} and shape {tuple(target.shape)}"
            )
        y = target.to(x.dtype)
        for name, logits in (("input", x), ("target", y)):
            if self._look(logits) and (logits == math.inf).any():
                raise ValueError(f"{name} must hold logits below inf; got inf")
        axis = min(1, x.dim() - 1)
        x, y = (logits.movedim(axis, -1) for logits in (x, y))
        c, samples = x.shape[-1], x.shape[:-1]
        has_classes(c, input)
        x, y = x.reshape(-1, c), y.reshape(-1, c)
        if compiled_inside_of_func():
            # The compiler loses the second derivative of a Function inside of torch.func: it gets the formula itself.
            value = self.loss.parts(SMOOTH, self.temperature, x, y).value().squeeze(-1)
        else:
            term = Distilled if torch.compiler.is_compiling() else ForwardDistilled
            value = term.apply(x, y, self.temperature, 0)
        if self.reduction == "none":
            return value.reshape(samples).to(dtype)
        value = value.sum()
        if self.reduction == "mean":
            value = self._mean(value, math.prod(samples) * (c if self.denominator == "elements" else 1))
        return value.to(dtype)


class MSELoss(Elementwise):
    """`lossref.MSELoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.MSELoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss: Any = regression.MSELoss  # L1Loss inherits

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", *,
        weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))


class L1Loss(MSELoss):
    """`lossref.L1Loss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.L1Loss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.L1Loss


class SmoothL1Loss(Elementwise):
    """`lossref.SmoothL1Loss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.SmoothL1Loss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.SmoothL1Loss

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        beta: float = 1.0, *, weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce))
        self.beta = number("beta", beta, 0)

    def arguments(self):
        return {"beta": self.beta}


class HuberLoss(Elementwise):
    """`lossref.HuberLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.HuberLoss`，另有关键字参数 `weight` 与 `denominator`。
    """

    loss = regression.HuberLoss

    def __init__(
        self, reduction: str = "mean", delta: float = 1.0, *,
        weight: torch.Tensor | None = None, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator)
        self.delta = number("delta", delta, 0, above=True)

    def arguments(self):
        return {"delta": self.delta}


class SigmoidFocalLoss(Elementwise):
    """`lossref.SigmoidFocalLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.SigmoidFocalLoss`。"""

    loss = focal.SigmoidFocalLoss

    def __init__(
        self, alpha: float | None = 0.25, gamma: float = 2.0, *, weight: torch.Tensor | None = None,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator)
        self.alpha = None if alpha is None else number("alpha", alpha, 0, 1)
        self.gamma = number("gamma", gamma, 0, finite=True)

    def arguments(self):
        return {"alpha": self.alpha, "gamma": self.gamma}


class CrossEntropyLoss(Classes):
    """`lossref.CrossEntropyLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.CrossEntropyLoss`，另有关键字参数 `denominator`。
    """

    loss = ce.CrossEntropyLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0, *,
        denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce), ignore_index)
        self.label_smoothing = number("label_smoothing", label_smoothing, 0, 1)


class NLLLoss(Classes):
    """`lossref.NLLLoss` 的 torch 模块：公式、取值和报错都相同。

    构造参数同 `torch.nn.NLLLoss`，另有关键字参数 `denominator`。
    """

    loss = ce.NLLLoss

    def __init__(
        self, weight: torch.Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100,
        reduce: bool | None = None, reduction: str = "mean", *, denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(weight, reduction, denominator, (size_average, reduce), ignore_index)


class SoftmaxFocalLoss(Classes):
    """`lossref.SoftmaxFocalLoss` 的 torch 模块：公式、取值和报错都相同。构造参数同 `lossref.SoftmaxFocalLoss`。"""

    loss = focal.SoftmaxFocalLoss
    alpha: float | torch.Tensor | None  # a number is kept as one: a tensor would round it to a dtype of its own

    def __init__(
        self, alpha: float | torch.Tensor | None = None, gamma: float = 2.0, *, ignore_index: int = -100,
        reduction: str = "mean", denominator: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(None, reduction, denominator, ignore_index=ignore_index)
        if alpha is None or isinstance(alpha, Real):
            self.alpha = None if alpha is None else number("alpha", alpha, 0)
        else:
            alpha = torch.as_tensor(alpha)
            self._hold("alpha", alpha)
            if alpha.dim() > 1:
                raise ValueError(
                    f"alpha must be a number or have shape (C,), one for each class; got shape {tuple(alpha.shape)}"
                )
        self.gamma = number("gamma", gamma, 0, finite=True)

    def arguments(self):
        return {"gamma": self.gamma}

    def on_numpy(self):
        loss = super().on_numpy()
        if "alpha" not in self.held:
            loss.alpha = None if self.alpha is None else np.asarray(self.alpha)
        return loss

    def _class_weights(self, x):
        c, alpha = x.shape[min(1, x.dim() - 1)], self.alpha
        if alpha is None:
            return None
        if not isinstance(alpha, torch.Tensor):
            return torch.full((c,), alpha, dtype=x.dtype, device=x.device)
        if alpha.shape not in ((), (c,)):
            raise ValueError(f"alpha must have shape ({c},), one for each class of input; got {tuple(alpha.shape)}")
        return alpha.expand(c)
