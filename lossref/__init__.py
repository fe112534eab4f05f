"""lossref：公式写一次，数值精确到末几位的损失函数。只依赖 NumPy；``lossref.torch`` 另需 PyTorch。"""

from __future__ import annotations

from ._base import Elementwise
from ._classes import Classes
from .bce import BCELoss, BCEWithLogitsLoss
from .ce import CrossEntropyLoss, NLLLoss
from .distillation import DistillationLoss
from .focal import SigmoidFocalLoss, SoftmaxFocalLoss
from .kl import KLDivLoss
from .regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss

__version__ = "0.1.0"

# Written out, as type checkers do not run code; in the order of the chapters.
__all__ = [  # noqa: RUF022
    "LOSSES",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "KLDivLoss",
    "DistillationLoss",
    "MSELoss",
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
    "SigmoidFocalLoss",
    "SoftmaxFocalLoss",
]

# Every loss there is. Tests, pages and the API reference all go by this.
LOSSES: dict[str, type[Elementwise] | type[Classes]] = {name: globals()[name] for name in __all__ if name != "LOSSES"}
