"""Where lossref departs from torch 2.13, as data: every row is executed by the tests, and a page can print it.

``torch`` and ``lossref`` are expressions over np, torch, F (torch.nn.functional), lossref and the helpers below;
``torch_gives`` and ``lossref_gives`` are what they evaluate to, as ``show`` writes it, or the name of the error raised.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    loss: str
    what: str
    torch: str
    torch_gives: str
    lossref: str
    lossref_gives: str


DIFFERENCES = [
    Difference(
        "BCELoss", "p=0、y=1：对数在 −100 处截断，极限是 inf",
        "F.binary_cross_entropy(t([0.0]), t([1.0]))", "100",
        "lossref.BCELoss()(f32([0]), [1])", "inf",
    ),
    Difference(
        "BCELoss", "p 是次正规数、y=1：截断在 −100，真值 −log p 超过它",
        "F.binary_cross_entropy(t([1e-44]), t([1.0]))", "100",
        "lossref.BCELoss()(f32([1e-44]), [1])", "101.333",
    ),
    Difference(
        "BCELoss", "p=0、y=1 的梯度：分母 p(1−p) 不小于 1e-12，极限是 −inf",
        "tgrad(F.binary_cross_entropy, [0.0], t([1.0]))", "-1e+12",
        "lossref.BCELoss().grad(f32([0]), [1])", "-inf",
    ),
    Difference(
        "BCELoss", "p=1e-13、y=1 的梯度：真值 −1/p",
        "tgrad(F.binary_cross_entropy, [1e-13], t([1.0]))", "-1e+12",
        "lossref.BCELoss().grad(f32([1e-13]), [1])", "-1e+13",
    ),
    Difference(
        "BCELoss", "p=0、y=0 的梯度：真值 (1−y)/(1−p) = 1",
        "tgrad(F.binary_cross_entropy, [0.0], t([0.0]))", "0",
        "lossref.BCELoss().grad(f32([0]), [0])", "1",
    ),
    Difference(
        "BCELoss", "p=0、y=0 的梯度，float16：torch 的分母 p(1−p) 连截断也下溢成 0",
        "hgrad(F.binary_cross_entropy, [0.0], [0.0])", "nan",
        "lossref.BCELoss().grad(np.array([0], np.float16), [0])", "1",
    ),
    Difference(
        "BCELoss", "概率或目标超出 [0, 1]：错误的类型不同",
        "F.binary_cross_entropy(t([1.5]), t([1.0]))", "RuntimeError",
        "lossref.BCELoss()(f32([1.5]), [1])", "ValueError",
    ),
    Difference(
        "BCELoss", "权重为负：torch 不检查，损失可以为负",
        "F.binary_cross_entropy(t([0.5]), t([1.0]), t([-1.0]))", "-0.693147",
        "lossref.BCELoss([-1.0])", "ValueError",
    ),
    Difference(
        "BCELoss", "整数的目标：torch 要求浮点",
        "F.binary_cross_entropy(t([0.5]), torch.tensor([1]))", "RuntimeError",
        "lossref.BCELoss()(f32([0.5]), [1])", "0.693147",
    ),
    Difference(
        "BCELoss", "对权重求导：torch 拒绝；lossref.torch 能求，权重就是因子",
        "wgrad(F.binary_cross_entropy, [0.5], [1.0])", "RuntimeError",
        "wgrad(lambda x, y, w: lossref.torch.BCELoss(w)(x, y), [0.5], [1.0])", "0.693147",
    ),
    Difference(
        "BCELoss", "reduction 不认识：torch 到调用时才报错",
        "torch.nn.BCELoss(reduction='avg').reduction == 'avg'", "1",
        "lossref.BCELoss(reduction='avg')", "ValueError",
    ),
    Difference(
        "BCEWithLogitsLoss", "logit 是 inf、y=1：损失的极限是 0",
        "F.binary_cross_entropy_with_logits(t([float('inf')]), t([1.0]))", "nan",
        "lossref.BCEWithLogitsLoss()(f32([np.inf]), [1])", "0",
    ),
    Difference(
        "BCEWithLogitsLoss", "z=−15、y=0，float32：1+e^z 舍入成 1，损失归零",
        "F.binary_cross_entropy_with_logits(t([-15.0]), t([0.0]))", "0",
        "lossref.BCEWithLogitsLoss()(f32([-15]), [0])", "3.05902e-07",
    ),
    Difference(
        "BCEWithLogitsLoss", "z=17、y=1 的梯度，float32：σ(z) 舍入成 1",
        "tgrad(F.binary_cross_entropy_with_logits, [17.0], t([1.0]))", "0",
        "lossref.BCEWithLogitsLoss().grad(f32([17]), [1])", "-4.13994e-08",
    ),
    Difference(
        "BCEWithLogitsLoss", "目标超出 [0, 1]：torch 不检查，损失可以为负",
        "F.binary_cross_entropy_with_logits(t([3.0]), t([2.0]))", "-2.95141",
        "lossref.BCEWithLogitsLoss()(f32([3]), [2])", "ValueError",
    ),
    Difference(
        "BCEWithLogitsLoss", "z=−9、y=0，float16：torch 的损失归零",
        "F.binary_cross_entropy_with_logits(t([-9.0]).half(), t([0.0]).half())", "0",
        "lossref.BCEWithLogitsLoss()(np.array([-9], np.float16), [0])", "0.000123382",
    ),
    Difference(
        "BCEWithLogitsLoss", "pos_weight 或 weight 为负：torch 不检查，损失可以为负",
        "F.binary_cross_entropy_with_logits(t([0.0]), t([1.0]), pos_weight=t([-1.0]))", "-0.693147",
        "lossref.BCEWithLogitsLoss(pos_weight=[-1.0])", "ValueError",
    ),
    Difference(
        "CrossEntropyLoss", "10 类、真类领先 20，float32：损失归零",
        "F.cross_entropy(t([[20.0] + [0.0] * 9]), torch.tensor([0]))", "0",
        "lossref.CrossEntropyLoss()(f32([[20] + [0] * 9]), [0])", "1.85504e-08",
    ),
    Difference(
        "CrossEntropyLoss", "概率为 0 的类别被掩成 −inf：0·(−inf) 按 0 计",
        "F.cross_entropy(t([[1.0, float('-inf')]]), t([[1.0, 0.0]]))", "nan",
        "lossref.CrossEntropyLoss()(f32([[1, -np.inf]]), [[1.0, 0.0]])", "0",
    ),
    Difference(
        "CrossEntropyLoss", "label_smoothing 为负：torch 当作 0",
        "F.cross_entropy(t([[2.0, 1.0]]), torch.tensor([0]), label_smoothing=-0.1)", "0.313262",
        "lossref.CrossEntropyLoss(label_smoothing=-0.1)", "ValueError",
    ),
    Difference(
        "CrossEntropyLoss", "概率目标有负数：torch 不检查",
        "F.cross_entropy(t([[2.0, 1.0]]), t([[1.5, -0.5]]))", "-0.186738",
        "lossref.CrossEntropyLoss()([[2, 1]], [[1.5, -0.5]])", "ValueError",
    ),
    Difference(
        "CrossEntropyLoss", "int32 的类别编号",
        "F.cross_entropy(t([[2.0, 1.0]]), torch.tensor([0], dtype=torch.int32))", "RuntimeError",
        "lossref.CrossEntropyLoss()(f32([[2, 1]]), np.array([0], np.int32))", "0.313262",
    ),
    Difference(
        "CrossEntropyLoss", "权重之和为 0 时均值的梯度：没有样本，就没有梯度",
        "tgrad(lambda x, y: F.cross_entropy(x, y, t([0.0, 1.0])), [[2.0, 1.0]], torch.tensor([0]))", "nan, nan",
        "lossref.torch.CrossEntropyLoss(t([0.0, 1.0])).on_numpy().grad(f32([[2, 1]]), np.array([0]))", "0, 0",
    ),
    Difference(
        "CrossEntropyLoss", "权重为 0 的类别，logit 是 −inf：0·inf 按 0 计",
        "F.cross_entropy(t([[1.0, float('-inf')], [1.0, 2.0]]), torch.tensor([1, 0]), t([1.0, 0.0]))", "nan",
        "lossref.CrossEntropyLoss([1, 0])(f32([[1, -np.inf], [1, 2]]), [1, 0])", "1.31326",
    ),
    Difference(
        "CrossEntropyLoss", "标签平滑给被掩成 −inf 的类别也分了概率，而它的权重为 0：0·inf 按 0 计",
        "F.cross_entropy(t([[1.0, float('-inf')]]), torch.tensor([0]), t([1.0, 0.0]), label_smoothing=0.1)", "nan",
        "lossref.CrossEntropyLoss([1, 0], label_smoothing=0.1)(f32([[1, -np.inf]]), [0])", "0",
    ),
    Difference(
        "CrossEntropyLoss", "ignore_index 不小于 0 而目标是概率：没有编号可忽略，它不起作用",
        "F.cross_entropy(t([[2.0, 1.0]]), t([[1.0, 0.0]]), ignore_index=1)", "RuntimeError",
        "lossref.CrossEntropyLoss(ignore_index=1)([[2, 1]], [[1.0, 0.0]])", "0.313262",
    ),
    Difference(
        "CrossEntropyLoss", "类别权重为负：torch 不检查，损失可以为负",
        "F.cross_entropy(t([[2.0, 1.0]]), torch.tensor([0]), t([-1.0, 1.0]), reduction='sum')", "-0.313262",
        "lossref.CrossEntropyLoss([-1, 1])", "ValueError",
    ),
    Difference(
        "CrossEntropyLoss", "一个类别也没有：torch 给的损失是 0",
        "F.cross_entropy(torch.zeros(3, 0), torch.zeros(3, 0), reduction='sum')", "0",
        "lossref.CrossEntropyLoss(reduction='sum')(np.zeros((3, 0)), np.zeros((3, 0)))", "ValueError",
    ),
    Difference(
        "CrossEntropyLoss", "真类领先 30 时它的梯度，float32：torch 归零，一行的和就不是 0",
        "tgrad(F.cross_entropy, [[0.0, 30.0]], torch.tensor([1]))", "9.35762e-14, 0",
        "lossref.CrossEntropyLoss().grad(f32([[0, 30]]), [1])", "9.35762e-14, -9.35762e-14",
    ),
    Difference(
        "CrossEntropyLoss", "整数的 one-hot 目标：错误的类型不同",
        "F.cross_entropy(t([[2.0, 1.0]]), torch.tensor([[1, 0]]))", "RuntimeError",
        "lossref.CrossEntropyLoss()(f32([[2, 1]]), [[1, 0]])", "TypeError",
    ),
    Difference(
        "NLLLoss", "权重之和为 0 时均值的梯度：没有样本，就没有梯度",
        "tgrad(lambda x, y: F.nll_loss(x, y, t([0.0, 1.0])), [[-2.0, -1.0]], torch.tensor([0]))", "nan, 0",
        "lossref.torch.NLLLoss(t([0.0, 1.0])).on_numpy().grad(f32([[-2, -1]]), np.array([0]))", "0, 0",
    ),
    Difference(
        "NLLLoss", "把概率当成对数概率：torch 给负的损失",
        "F.nll_loss(t([[0.7, 0.3]]), torch.tensor([0]))", "-0.7",
        "lossref.NLLLoss()(f32([[0.7, 0.3]]), [0])", "ValueError",
    ),
    Difference(
        "NLLLoss", "权重为 0 的类别，log p = −inf：0·(−inf) 按 0 计",
        "F.nll_loss(t([[float('-inf'), 0.0]]), torch.tensor([0]), t([0.0, 1.0]), reduction='sum')", "nan",
        "lossref.NLLLoss([0, 1], reduction='sum')(f32([[-np.inf, 0]]), [0])", "0",
    ),
    Difference(
        "NLLLoss", "类别权重为负：torch 不检查，损失可以为负",
        "F.nll_loss(t([[-1.0, -2.0]]), torch.tensor([0]), t([-1.0, 1.0]), reduction='sum')", "-1",
        "lossref.NLLLoss([-1, 1])", "ValueError",
    ),
    Difference(
        "KLDivLoss", "目标为 0、log q = −inf：0·(−inf) 按 0 计",
        "F.kl_div(t([float('-inf')]), t([0.0]), reduction='sum')", "nan",
        "lossref.KLDivLoss(reduction='sum')(f32([-np.inf]), [0])", "0",
    ),
    Difference(
        "KLDivLoss", "log_target 时目标为 −inf",
        "F.kl_div(t([-1.0]), t([float('-inf')]), reduction='sum', log_target=True)", "nan",
        "lossref.KLDivLoss(reduction='sum', log_target=True)(f32([-1]), [-np.inf])", "0",
    ),
    Difference(
        "KLDivLoss", "把概率当成对数概率：torch 给负的“散度”",
        "F.kl_div(t([0.7, 0.3]), t([0.7, 0.3]), reduction='sum')", "-1.19086",
        "lossref.KLDivLoss(reduction='sum')(f32([0.7, 0.3]), [0.7, 0.3])", "ValueError",
    ),
    Difference(
        "KLDivLoss", "形状不同：torch 广播",
        "F.kl_div(t([[-1.0, -1.0]]), t([0.5, 0.5]), reduction='sum')", "0.306853",
        "lossref.KLDivLoss(reduction='sum')(f32([[-1, -1]]), [0.5, 0.5])", "ValueError",
    ),
    Difference(
        "KLDivLoss", "目标超出 [0, 1]：torch 不检查",
        "F.kl_div(t([-1.0]), t([2.0]), reduction='sum')", "3.38629",
        "lossref.KLDivLoss(reduction='sum')(f32([-1]), [2])", "ValueError",
    ),
    Difference(
        "DistillationLoss", "学生与教师屏蔽了同一类，logit 是 −inf：用 kl_div 写的得 NaN，0·(−inf) 应按 0 计",
        "recipe([[1.0, float('-inf'), 2.0]], [[0.5, float('-inf'), 2.5]], 2.0)", "nan",
        "lossref.DistillationLoss(2.0)(f32([[1, -np.inf, 2]]), f32([[0.5, -np.inf, 2.5]]))", "0.105378",
    ),
    Difference(
        "DistillationLoss", "温度 10000，float32，真值 0.390021：用 kl_div 写的，误差被温度的平方放大到 0.1 以上",
        "abs(recipe([[2.0, 1.0, 0.1]], [[3.0, 0.5, -1.0]], 1e4) - 0.39) > 0.1", "1",
        "lossref.DistillationLoss(1e4)(f32([[2, 1, 0.1]]), f32([[3, 0.5, -1]]))", "0.390021",
    ),
    Difference(
        "MSELoss", "形状 (4, 1) 对 (4,)：torch 警告后广播成 4×4",
        "F.mse_loss(torch.arange(4.0)[:, None], torch.arange(4.0))", "2.5",
        "lossref.MSELoss()(np.arange(4.0)[:, None], np.arange(4.0))", "ValueError",
    ),
    Difference(
        "MSELoss", "权重之和为 0 时均值的梯度：没有样本，就没有梯度",
        "tgrad(lambda x, y: F.mse_loss(x, y, weight=t([0.0, 0.0])), [2.0, 1.0], t([0.0, 0.0]))", "nan, nan",
        "lossref.torch.MSELoss(weight=t([0.0, 0.0])).on_numpy().grad(f32([2, 1]), [0, 0])", "0, 0",
    ),
    Difference(
        "MSELoss", "权重为负：torch 不检查，损失可以为负",
        "F.mse_loss(t([2.0]), t([0.0]), weight=t([-1.0]), reduction='sum')", "-4",
        "lossref.MSELoss([-1.0])", "ValueError",
    ),
    Difference(
        "MSELoss", "float16、残差 300：torch 的平方在求均值之前就溢出",
        "F.mse_loss(torch.tensor([300.0, 0, 0, 0], dtype=torch.half), torch.zeros(4, dtype=torch.half))", "inf",
        "lossref.MSELoss()(np.array([300, 0, 0, 0], np.float16), [0, 0, 0, 0])", "22496",
    ),
    Difference(
        "MSELoss", "整数的输入：torch 没有实现",
        "F.mse_loss(torch.tensor([3]), torch.tensor([1]))", "NotImplementedError",
        "lossref.MSELoss()([3], [1])", "4",
    ),
    Difference(
        "L1Loss", "形状 (4, 1) 对 (4,)：torch 警告后广播成 4×4",
        "F.l1_loss(torch.arange(4.0)[:, None], torch.arange(4.0))", "1.25",
        "lossref.L1Loss()(np.arange(4.0)[:, None], np.arange(4.0))", "ValueError",
    ),
    Difference(
        "L1Loss", "复数：torch 给出模，lossref 只收实数",
        "F.l1_loss(torch.tensor([1 + 1j]), torch.tensor([0j]))", "1.41421",
        "lossref.L1Loss()(np.array([1 + 1j]), np.array([0j]))", "TypeError",
    ),
    Difference(
        "L1Loss", "权重之和为 0 时均值的梯度：没有样本，就没有梯度",
        "tgrad(lambda x, y: F.l1_loss(x, y, weight=t([0.0, 0.0])), [2.0, 1.0], t([0.0, 0.0]))", "nan, nan",
        "lossref.torch.L1Loss(weight=t([0.0, 0.0])).on_numpy().grad(f32([2, 1]), [0, 0])", "0, 0",
    ),
    Difference(
        "L1Loss", "权重为负：torch 不检查，损失可以为负",
        "F.l1_loss(t([2.0]), t([0.0]), weight=t([-1.0]), reduction='sum')", "-2",
        "lossref.L1Loss([-1.0])", "ValueError",
    ),
    Difference(
        "HuberLoss", "delta 不合法：torch 到调用时才报错",
        "torch.nn.HuberLoss(delta=-1.0).delta", "-1",
        "lossref.HuberLoss(delta=-1.0)", "ValueError",
    ),
    Difference(
        "HuberLoss", "形状 (4, 1) 对 (4,)：torch 警告后广播成 4×4",
        "F.huber_loss(torch.arange(4.0)[:, None], torch.arange(4.0))", "0.875",
        "lossref.HuberLoss()(np.arange(4.0)[:, None], np.arange(4.0))", "ValueError",
    ),
    Difference(
        "HuberLoss", "权重为负：torch 不检查，损失可以为负",
        "F.huber_loss(t([2.0]), t([0.0]), weight=t([-1.0]))", "-1.5",
        "lossref.HuberLoss(weight=[-1.0])", "ValueError",
    ),
    Difference(
        "SmoothL1Loss", "beta 为负：torch 到调用时才报错",
        "torch.nn.SmoothL1Loss(beta=-1.0).beta", "-1",
        "lossref.SmoothL1Loss(beta=-1.0)", "ValueError",
    ),
    Difference(
        "SmoothL1Loss", "形状 (4, 1) 对 (4,)：torch 警告后广播成 4×4",
        "F.smooth_l1_loss(torch.arange(4.0)[:, None], torch.arange(4.0))", "0.875",
        "lossref.SmoothL1Loss()(np.arange(4.0)[:, None], np.arange(4.0))", "ValueError",
    ),
    Difference(
        "SmoothL1Loss", "抛物线上残差 1e25，float32：torch 先平方，溢出",
        "F.smooth_l1_loss(t([1e25]), t([0.0]), beta=1e30)", "inf",
        "lossref.SmoothL1Loss(1e30)(f32([1e25]), [0])", "5e+19",
    ),
    Difference(
        "SmoothL1Loss", "抛物线上残差 1e-25，float32：torch 先平方，下溢成 0",
        "F.smooth_l1_loss(t([1e-25]), t([0.0]), beta=1e-24)", "0",
        "lossref.SmoothL1Loss(1e-24)(f32([1e-25]), [0])", "5e-27",
    ),
    Difference(
        "SigmoidFocalLoss", "γ=0.5、z=17、y=1，float32：按 torchvision 的算法，梯度是 NaN",
        "tgrad(torchvision_focal, [17.0], t([1.0]))", "nan",
        "lossref.SigmoidFocalLoss(None, 0.5).grad(f32([17]), [1])", "-1.26352e-11",
    ),
    Difference(
        "SigmoidFocalLoss", "z=−15、y=0、γ=0，float32：与 BCE-with-logits 一样归零",
        "torchvision_focal(t([-15.0]), t([0.0]), gamma=0.0)", "0",
        "lossref.SigmoidFocalLoss(None, 0.0)(f32([-15]), [0])", "3.05902e-07",
    ),
    Difference(
        "SigmoidFocalLoss", "不加权：torchvision 写 alpha=-1，lossref 写 alpha=None",
        "torchvision_focal(t([1.0]), t([1.0]), gamma=2.0, alpha=-1.0)", "0.0226581",
        "lossref.SigmoidFocalLoss(-1.0)", "ValueError",
    ),
    Difference(
        "SigmoidFocalLoss", "reduction 的默认：torchvision 是 'none'，lossref 同其余损失是 'mean'",
        "torchvision_focal(t([1.0, -1.0]), t([1.0, 0.0]), gamma=2.0)", "0.0226581, 0.0226581",
        "lossref.SigmoidFocalLoss(None)(f32([1, -1]), [1, 0])", "0.0226581",
    ),
]  # fmt: skip


def show(value) -> str:
    """A number, or the numbers of an array, to six digits; -0 is written 0."""
    numbers = getattr(value, "tolist", lambda: value)()
    while isinstance(numbers, list) and numbers and isinstance(numbers[0], list):
        numbers = [n for row in numbers for n in row]
    return ", ".join(f"{n + 0.0:.6g}" for n in (numbers if isinstance(numbers, list) else [numbers]))
