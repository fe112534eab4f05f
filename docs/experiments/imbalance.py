# ---
# title: 实验：类别不平衡
# description: 正样本不到一成时，BCE、pos_weight 与焦点损失在真实数据上的对比：排序、召回、校准，以及二十次划分的波动。
# search:
#   also: [样本不均衡, 不均衡, imbalanced, imbalance]
# symbols:
#   \eta: {in: "(0, 1)", meaning: 真实的正类概率}
#   \beta: {in: positive, meaning: 正类权重 pos_weight}
# ---

# %% [markdown]
# # 实验：类别不平衡
#
# 正样本很少，模型几乎总说「不是」。该换损失，还是换别的？常见的三个建议是：什么都不改、给正类加权（`pos_weight`）、
# 改用焦点损失。这一页在真实数据上把三种都跑一遍，问四件事：
#
# 1. 模型**排序**的本事变了吗？
# 2. 用默认阈值时，**召回**变了吗？
# 3. 输出还能当**概率**用吗？
# 4. 如果只挪阈值、不换损失，能得到同样的好处吗？
#
# !!! abstract "结论"
#     - 排序几乎不变：几种损失的差别小于换一次划分带来的波动。
#     - `pos_weight` 大幅提高召回，但精确率同样大幅下降：它做的事主要是**挪阈值**。
#     - 只用 BCE，把阈值调低，得到的召回与精确率和 `pos_weight` 相近，而且输出仍是概率。
#     - `pos_weight` 和焦点损失的输出都不能直接当概率；用少量留出数据重新校准后，又都几乎一样好。
#
# ## 数据
#
# scikit-learn 自带的手写数字：每张图缩成六十四个像素。问题是「这一张是不是八」。
# 这不是人为抽样造出来的不平衡，十个数字里只问一个，正类自然只有一成左右。

# %%
from pathlib import Path

import numpy as np

import lossref

# 从项目里任何一处打开都找得到数据
data = "docs/data/digits.csv"
folders = Path("_").resolve().parents
root = next(folder for folder in folders if (folder / data).exists())
digits = np.loadtxt(root / data, delimiter=",", skiprows=1)

positive = 8
X = np.column_stack([digits[:, :-1] / 16, np.ones(len(digits))])  # 最后一列是偏置
y = (digits[:, -1] == positive).astype(float)
print(X.shape, int(y.sum()), y.mean().round(4))
#> (1797, 65) 174 0.0968

# %% [markdown]
# 一共 1797<!--= len(y) --> 张图，正样本占 9.7%<!--= y.mean() -->。
#
# ## 方法
#
# 模型是线性的，用牛顿法训练到收敛，所以结果里没有学习率、早停这些干扰；梯度和二阶导都直接来自 `lossref`。
# 焦点损失不是凸的，二阶导可能为负，这时用一个很小的正数代替，步子太大就减半。

# %%
RIDGE = np.full(X.shape[1], 1e-3)
RIDGE[-1] = 0  # 偏置不受约束


def fit(loss, X, y, ridge=RIDGE):
    """平均损失加上一点岭惩罚，用牛顿法求极小点。"""

    def total(w):
        return loss(X @ w, y) + ridge @ w**2 / 2

    w, value = np.zeros(X.shape[1]), np.inf
    while value - total(w) > 1e-8:
        z, value = X @ w, total(w)
        gradient = X.T @ loss.grad(z, y) + ridge * w
        curvature = np.maximum(loss.hess(z, y), 1e-6 / len(y))
        hessian = (X.T * curvature) @ X + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        while total(w - step) > value:
            step /= 2
        w = w - step
    return w


# %% [markdown]
# 每次随机划成三份：训练；留出，只用来选阈值和校准；测试。划分二十次，每次每种损失都用同一份划分。
# `pos_weight` 取训练集里负样本与正样本之比，这是最常见的取法。焦点损失取两种：只有 `gamma`，以及各个库默认的
# `gamma` 配 `alpha`。

# %%
train, held, splits = 900, 300, 20


def losses(ratio):
    return {
        "BCE": lossref.BCEWithLogitsLoss(),
        "pos_weight": lossref.BCEWithLogitsLoss(pos_weight=ratio),
        "focal": lossref.SigmoidFocalLoss(alpha=None, gamma=2),
        "focal+alpha": lossref.SigmoidFocalLoss(alpha=0.25, gamma=2),
    }


runs = {}  # 每种损失、每次划分：测试集的 logit 与标签，留出集的 logit 与标签
ratios = []
for seed in range(splits):
    order = np.random.default_rng(seed).permutation(len(y))
    a, b, c = np.split(order, [train, train + held])
    ratios.append((1 - y[a]).sum() / y[a].sum())
    for name, loss in losses(ratios[-1]).items():
        w = fit(loss, X[a], y[a])
        runs.setdefault(name, []).append((X[c] @ w, y[c], X[b] @ w, y[b]))

print(len(a), len(b), len(c))
#> 900 300 597


def measure(metric, name):
    """每次划分的指标。"""
    return np.array([metric(*run) for run in runs[name]])


def spread(values):
    """平均值与标准差。"""
    return [np.mean(values), np.std(values, ddof=1)]


def table(metric):
    for name in runs:
        values = measure(metric, name)
        print("{:11} {:.3f} ± {:.3f}".format(name, *spread(values)))


# %% [markdown]
# ## 排序：几乎没有区别
#
# AUC 是随机取一个正样本、一个负样本，正样本得分更高的概率；它只看排序，与阈值无关。

# %%
def auc(z, y, *_):
    return (z[y == 1][:, None] > z[y == 0]).mean()


table(auc)
#> BCE         0.972 ± 0.010
#> pos_weight  0.973 ± 0.010
#> focal       0.973 ± 0.010
#> focal+alpha 0.971 ± 0.011
difference = measure(auc, "pos_weight") - measure(auc, "BCE")
print(difference.mean().round(4), (difference > 0).sum())
#> 0.0015 15

# %% [markdown]
# 同一次划分里两两相比，`pos_weight` 比 BCE 平均高 0.0015<!--= difference.mean() -->，
# 在 20 次里有 15 次占先<!--= [len(difference), (difference > 0).sum()] -->。
# 这个差别也许不是偶然，但它远小于换一次划分的标准差 0.010<!--= spread(measure(auc, "BCE"))[1] -->：
# **想让模型分得更开，换损失不是办法。**
#
# ## 默认阈值：召回与精确率此消彼长

# %%
def recall(z, y, *_, threshold=0):
    return (z[y == 1] > threshold).mean()


def precision(z, y, *_, threshold=0):
    return y[z > threshold].mean()


print("召回")
#> 召回
table(recall)
#> BCE         0.665 ± 0.050
#> pos_weight  0.890 ± 0.046
#> focal       0.687 ± 0.060
#> focal+alpha 0.472 ± 0.046
print("精确率")
#> 精确率
table(precision)
#> BCE         0.926 ± 0.039
#> pos_weight  0.601 ± 0.058
#> focal       0.904 ± 0.046
#> focal+alpha 0.990 ± 0.016

# %% [markdown]
# 概率过半才说「是」，也就是 logit 大于零：
#
# - BCE 只找回 67%<!--= measure(recall, "BCE").mean() --> 的正样本，但说「是」的时候 93%<!--= measure(precision, "BCE").mean() --> 是对的。
# - `pos_weight` 找回 89%<!--= measure(recall, "pos_weight").mean() -->，代价是精确率降到 60%<!--= measure(precision, "pos_weight").mean() -->。
# - 焦点损失与 BCE 差不多。配上默认的 `alpha=0.25`，召回反而**更低**，只有 47%<!--= measure(recall, "focal+alpha").mean() -->：
#   这个值给正类的权重小于负类，它是在极端不平衡、又有大量简单负样本的检测任务里调出来的，不能照搬。
#
# ## 只挪阈值，能不能做到同样的事
#
# 先看理论。真实概率是 $\eta$ 时，用 `pos_weight` 训练的总体极小点是
#
# $$
# q := \frac{\beta\eta}{\beta\eta+1-\eta}
# $$
#
# 它的 logit 只是平移了：$\log\frac{q}{1-q} = \log\frac{\eta}{1-\eta}+\log\beta$。当 $\eta = \frac{1}{1+\beta}$ 时，$q = \frac12$，
# 所以「加权后用一半作阈值」等于「不加权，用 $\frac{1}{1+\beta}$ 作阈值」。
#
# 但这说的是能够拟合任何概率的模型。线性模型做不到，加权还会改变它把误差摊在哪里，所以要实测。
# 公平的比法是：在留出集上把 BCE 的阈值调低，直到它说「是」的次数与 `pos_weight` 一样多，再到测试集上比。

# %%
def lowered(metric):
    """BCE，阈值使留出集上说「是」的比例与 pos_weight 相同。"""
    found = []
    for run, weighted in zip(runs["BCE"], runs["pos_weight"], strict=True):
        said_no = (weighted[2] <= 0).mean()
        found.append(metric(*run, threshold=np.quantile(run[2], said_no)))
    return found


def by_theory(metric):
    """BCE，阈值随权重移动。"""
    pairs = zip(runs["BCE"], ratios, strict=True)
    return [metric(*run, threshold=-np.log(ratio)) for run, ratio in pairs]


for name, way in {"lowered": lowered, "by theory": by_theory}.items():
    print(f"{name:10} {np.mean(way(recall)):.3f} {np.mean(way(precision)):.3f}")
#> lowered    0.876 0.599
#> by theory  0.923 0.491

# %% [markdown]
# 说「是」的次数相同时，BCE 召回 0.876、精确率 0.599<!--= [np.mean(lowered(recall)), np.mean(lowered(precision))] -->，
# `pos_weight` 召回 0.890、精确率 0.601<!--= [measure(recall, "pos_weight").mean(), measure(precision, "pos_weight").mean()] -->：
# 差别仍在一次划分的波动之内。理论给的阈值走得更远一些，说明线性模型确实不满足它的前提，所以阈值要在留出集上选，不要照公式抄。
#
# 再让每种损失都在留出集上挑 F1 最高的阈值：

# %%
def f1(z, y, *_, threshold=0):
    said = z > threshold
    return 2 * y[said].sum() / (said.sum() + y.sum())


def best_f1(z, y, kept, kept_y):
    best = max(kept, key=lambda t: f1(kept, kept_y, threshold=t))
    return f1(z, y, threshold=best)


print("默认阈值")
#> 默认阈值
table(f1)
#> BCE         0.773 ± 0.038
#> pos_weight  0.715 ± 0.041
#> focal       0.778 ± 0.039
#> focal+alpha 0.638 ± 0.043
print("挑过阈值")
#> 挑过阈值
chosen = {name: measure(best_f1, name) for name in runs}
for name, values in chosen.items():
    print("{:11} {:.3f} ± {:.3f}".format(name, *spread(values)))
#> BCE         0.780 ± 0.027
#> pos_weight  0.765 ± 0.044
#> focal       0.774 ± 0.033
#> focal+alpha 0.775 ± 0.038

# %% [markdown]
# 默认阈值下，四种损失的 F1 从 0.638 到 0.778<!--= [measure(f1, "focal+alpha").mean(), measure(f1, "focal").mean()] -->，
# 看起来高下分明；各自挑过阈值以后，最高与最低只差 0.015<!--= np.ptp([values.mean() for values in chosen.values()]) -->，
# 而标准差最小的也有 0.027<!--= min(spread(values)[1] for values in chosen.values()) -->。
# **比较损失之前先各自调好阈值**，否则比的是阈值。
#
# ## 校准：还能不能当概率用

# %%
def sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


def mean_p(z, y, *_):
    return sigmoid(z).mean()


def log_loss(z, y, *_):
    return lossref.BCEWithLogitsLoss()(z, y)


def ece(z, y, *_, bins=10):
    """期望校准误差：按概率分箱，比较箱内的平均概率与正样本比例。"""
    p = sigmoid(z)
    box = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs((p - y)[box == k].sum()) for k in range(bins)) / len(y)


print("平均概率")
#> 平均概率
table(mean_p)
#> BCE         0.096 ± 0.009
#> pos_weight  0.171 ± 0.014
#> focal       0.185 ± 0.008
#> focal+alpha 0.163 ± 0.006
print("期望校准误差")
#> 期望校准误差
table(ece)
#> BCE         0.023 ± 0.005
#> pos_weight  0.071 ± 0.011
#> focal       0.118 ± 0.008
#> focal+alpha 0.118 ± 0.008
print("对数损失")
#> 对数损失
table(log_loss)
#> BCE         0.114 ± 0.015
#> pos_weight  0.166 ± 0.020
#> focal       0.202 ± 0.007
#> focal+alpha 0.210 ± 0.009

# %% [markdown]
# 真实的比例是 9.7%<!--= y.mean() -->。BCE 的平均概率是 9.6%<!--= measure(mean_p, "BCE").mean() -->；
# `pos_weight` 的是 17%<!--= measure(mean_p, "pos_weight").mean() -->，因为每个正样本被当成了好几个；
# 焦点损失的是 18%<!--= measure(mean_p, "focal").mean() -->，原因不同：它不是恰当评分规则，会把概率往中间压，而负样本占多数，平均就被抬高了。
#
# ![可靠性曲线，横轴是模型说的概率，纵轴是实际的正样本比例。BCE 在一半以下贴着对角线，以上说得略低；加权后的曲线远在对角线下方，说得太高；焦点损失的曲线最陡，低概率说得太高，高概率说得太低。](../figures/exp-imbalance.svg "可靠性曲线：二十次划分的测试样本合在一起，按概率分箱。虚线是完全校准。")
#
# 两种失真都容易补救。用留出集拟合一条直线（Platt 校准），再算对数损失：

# %%
def recalibrated(z, y, kept, kept_y):
    """Platt 校准：在留出集上用 BCE 拟合一条直线。"""
    line = np.column_stack([kept, np.ones_like(kept)])
    slope, shift = fit(lossref.BCEWithLogitsLoss(), line, kept_y, np.zeros(2))
    return log_loss(slope * z + shift, y)


table(recalibrated)
#> BCE         0.112 ± 0.019
#> pos_weight  0.113 ± 0.018
#> focal       0.111 ± 0.019
#> focal+alpha 0.113 ± 0.019
print("pos_weight，只减去权重的对数")
#> pos_weight，只减去权重的对数
pairs = zip(runs["pos_weight"], ratios, strict=True)
shifted = [log_loss(z - np.log(ratio), t) for (z, t, *_), ratio in pairs]
print("{:.3f} ± {:.3f}".format(*spread(shifted)))
#> 0.113 ± 0.021

# %% [markdown]
# 校准之后四种损失没有可以分辨的差别。对 `pos_weight`，不用留出集、按公式减去权重的对数，效果也一样：
# 对数损失从 0.166<!--= measure(log_loss, "pos_weight").mean() --> 回到 0.113<!--= np.mean(shifted) -->。
#
# ## 所以该怎么做
#
# 1. 先用 BCE，在留出集上按你的代价选阈值。漏掉一个比误报一个贵几倍，阈值就低几倍。
# 2. 没法改阈值（例如下游写死了一半），再用 `pos_weight`，并且不要把输出当概率；要当概率，就减去权重的对数。
# 3. 焦点损失在这里没有带来好处，也没有坏处，只要事后校准。它是为极端不平衡、简单负样本占绝大多数的任务设计的，
#    那里的理由（简单样本的损失加起来淹没了难样本）在这份数据上不成立。
#
# ## 这个实验没有说明什么
#
# - 只有一份数据、一种模型。深度网络会过拟合，加权可能改变它学到的特征，而不只是阈值。
# - 每次划分来自同一份数据，所以标准差量的是划分的波动，低估了换一份数据时的波动。
# - 不平衡到万分之一时，问题往往是正样本太少，而不是损失选得不对。
#
# 公式与推导见[类别不平衡：权重怎么加](../topics/class-weights.md)与[焦点损失](../losses/focal.md)。
#
# ## 数据出处
#
# 手写数字来自 UCI 的 Optical Recognition of Handwritten Digits（创建者 E. Alpaydin），取自 scikit-learn 自带的那一份，像素原样未改。
# 出处、许可与校验和记在项目的 `docs/data/datasets.yml`。
