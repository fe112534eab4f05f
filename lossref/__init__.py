"""lossref：公式写一次，数值精确到末几位的损失函数。只依赖 NumPy；``lossref.torch`` 另需 PyTorch。"""

from __future__ import annotations

from .bce import BCELoss, BCEWithLogitsLoss
from .ce import CrossEntropyLoss, NLLLoss
from .focal import SigmoidFocalLoss, SoftmaxFocalLoss
from .kl import KLDivLoss
from .regression import HuberLoss, L1Loss, MSELoss, SmoothL1Loss

__version__ = "0.1.0"

# Every loss there is, in the order of the chapters. Tests, pages and the API reference all go by this.
LOSSES = {
    cls.__name__: cls
    for cls in (
        BCELoss,
        BCEWithLogitsLoss,
        CrossEntropyLoss,
        NLLLoss,
        KLDivLoss,
        MSELoss,
        L1Loss,
        SmoothL1Loss,
        HuberLoss,
        SigmoidFocalLoss,
        SoftmaxFocalLoss,
    )
}

__all__ = ["LOSSES", *LOSSES]
