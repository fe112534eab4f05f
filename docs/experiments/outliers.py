# ---
# title: 实验：离群值
# description: 目标被记错时，均方误差、Huber 与绝对误差在真实数据上各损失多少；干净数据上稳健要付多少代价；特征错了又如何。
# symbols:
#   r: {in: real, meaning: 残差}
#   \delta: {in: positive, meaning: Huber 的分界}
# ---

# %% [markdown]
# # 实验：离群值
#
# 数据里混进几个小数点错位的目标值，模型会坏到什么程度？换成 Huber 或绝对误差（L1）能救回多少，平时又要付什么代价？
#
# !!! abstract "结论"
#     - 只要百分之二的目标被放大十倍，均方误差的测试误差就明显变坏；Huber 与 L1 几乎不动。
#     - 数据干净时，三者差得很少，均方误差略好：稳健的代价是真的，但很小。
#     - 脏数据都往同一边错时，稳健损失也会有偏，只是小得多。
#     - 稳健只针对**目标**。错的是特征时，三种损失一起变坏。
#     - Huber 的分界与目标同单位。目标是几百的量级时，默认的分界让 Huber 与 L1 没有区别。
#
# ## 数据
#
# scikit-learn 自带的糖尿病数据：十个体检指标，预测一年后的病情进展。

# %%
from pathlib import Path

import numpy as np

import lossref

# 从项目里任何一处打开都找得到数据
data = "docs/data/diabetes.csv"
folders = Path("_").resolve().parents
root = next(folder for folder in folders if (folder / data).exists())
table = np.loadtxt(root / data, delimiter=",", skiprows=1)
X, y = table[:, :-1], table[:, -1]
print(X.shape, y.min(), np.median(y), y.mean().round(1), y.max())
#> (442, 10) 25.0 140.5 152.1 346.0

# %% [markdown]
# 目标从 25 到 346<!--= [y.min(), y.max()] -->，平均值 152.1<!--= y.mean() -->，标准差 77.0<!--= y.std() -->。
#
# ## 方法
#
# 线性模型。任何只看残差的损失都可以用同一个办法求极小点：把梯度写成「权重乘残差」，固定权重做一次加权最小二乘，
# 再更新权重，反复到不动为止。权重是梯度除以残差，从它就看得出三种损失的性格：
#
# - 均方误差 $m := r^2$：$\frac{\partial m}{\partial r} = 2r$，权重处处一样。
# - 绝对误差 $a := |r|$：残差不是零时，$\frac{\partial a}{\partial r} = \operatorname{sign}(r)$，残差越大权重越小。
# - Huber $h := \begin{cases} \frac12 r^2 & |r| \le \delta \\ \delta\left(|r|-\frac12\delta\right) & \text{否则} \end{cases}$：
#   $\frac{\partial h}{\partial r} = \operatorname{clip}(r, -\delta, \delta)$，小残差权重一样，大残差权重随残差变小。
#   当 $|r| > \delta$ 时，$h = \frac12 r^2-\frac12\left(|r|-\delta\right)^2$：比平方少的，是超出分界那一段的平方。
#
# 这些梯度都由 `lossref` 给出。

# %%
def fit(loss, X, y):
    """迭代重加权最小二乘：残差的权重是 梯度 / 残差。"""
    weight, before = np.ones(len(y)), np.inf
    for _ in range(100):
        w = np.linalg.solve((X.T * weight) @ X, (X.T * weight) @ y)
        residual = X @ w - y
        if np.abs(residual - before).max() < 0.01:
            break
        before = residual
        # 绝对误差在零点的权重没有上限，所以残差至少算作千分之一
        residual = np.where(np.abs(residual) < 1e-3, 1e-3, residual)
        weight = loss.grad(residual, np.zeros_like(y)) / residual
    return w


losses = {
    "MSE": lossref.MSELoss(reduction="none"),
    "Huber": lossref.HuberLoss(delta=50, reduction="none"),
    "Huber(1)": lossref.HuberLoss(delta=1, reduction="none"),
    "L1": lossref.L1Loss(reduction="none"),
}

# %% [markdown]
# 每次划分用三百个病人训练，其余测试；弄脏的只有训练集，测试集保持干净，因为我们关心的是模型学到的规律。
# 划分二十次，各种损失用同样的划分、同样的脏数据。

# %%
def standardized(rows):
    """按这些行的中位数与标准差缩放，再加一列偏置。"""
    middle, scale = np.median(rows, axis=0), rows.std(axis=0)
    return lambda X: np.column_stack([(X - middle) / scale, np.ones(len(X))])


def run(loss, dirty, rate, splits=20):
    """每次划分的测试误差：平均绝对误差、均方根误差、平均偏差。"""
    found = []
    for seed in range(splits):
        rng = np.random.default_rng(seed)
        train, test = np.split(rng.permutation(len(y)), [300])
        bad = train[: round(rate * len(train))]
        inputs, target = X.copy(), y.copy()
        dirty(inputs, target, bad)
        scaled = standardized(inputs[train])
        w = fit(loss, scaled(inputs[train]), target[train])
        error = scaled(X[test]) @ w - y[test]
        size = np.abs(error).mean(), np.sqrt((error**2).mean())
        found.append([*size, error.mean()])
    return np.array(found)


def misplaced_point(inputs, target, bad):
    target[bad] *= 10


rates = [0, 0.02, 0.05, 0.1]
results = {
    name: [run(loss, misplaced_point, rate) for rate in rates]
    for name, loss in losses.items()
}


def spread(values):
    """平均值与标准差。"""
    return [np.mean(values), np.std(values, ddof=1)]


def table(column):
    for name in losses:
        row = [spread(found[:, column]) for found in results[name]]
        print(f"{name:8}", *("{:6.1f} ± {:4.1f}".format(*pair) for pair in row))


# %% [markdown]
# ## 目标错了十倍
#
# 测试集上的平均绝对误差，四列依次是弄脏百分之零、二、五、十的训练目标：

# %%
table(0)
#> MSE        45.2 ±  2.1   59.0 ±  6.2   92.4 ± 13.6  152.5 ± 19.7
#> Huber      45.4 ±  2.3   45.3 ±  2.3   45.6 ±  2.3   46.2 ±  2.2
#> Huber(1)   45.8 ±  2.3   45.8 ±  2.2   46.0 ±  2.3   46.5 ±  2.1
#> L1         45.8 ±  2.3   45.8 ±  2.2   46.0 ±  2.3   46.5 ±  2.1

# %% [markdown]
# 只弄脏百分之二，也就是三百个里的六个，均方误差从 45.2 变成 59.0<!--= [r[:, 0].mean() for r in results["MSE"][:2]] -->；
# 弄脏一成时变成 152.5<!--= results["MSE"][3][:, 0].mean() -->，比什么都不学、永远猜中位数还差得多：

# %%
print(np.abs(y - np.median(y)).mean().round(1))
#> 65.0

# %% [markdown]
# Huber 与 L1 在弄脏一成时也只差到 46.2 和 46.5<!--= [results[name][3][:, 0].mean() for name in ("Huber", "L1")] -->。
#
# ![折线图，横轴是被放大十倍的训练目标所占的比例，纵轴是测试集的平均绝对误差。均方误差随比例迅速上升；Huber 与绝对误差几乎是平的，两条线叠在一起。](../figures/exp-outliers.svg "测试误差随脏数据比例的变化，二十次划分的平均。")
#
# 注意 `Huber(1)` 与 L1 几乎一样。分界与目标同单位，而这里的残差动辄几十，分界取一，几乎所有残差都落在直线段上。
# 用默认的 `delta` 之前，先把目标标准化，或者按残差的尺度选分界。
#
#
# ## 干净时要付的代价

# %%
print("均方根误差")
#> 均方根误差
table(1)
#> MSE        55.6 ±  2.3   73.7 ±  7.3  115.0 ± 18.0  183.5 ± 23.9
#> Huber      55.8 ±  2.5   55.8 ±  2.5   56.1 ±  2.6   56.9 ±  2.7
#> Huber(1)   56.3 ±  2.5   56.3 ±  2.5   56.6 ±  2.7   57.2 ±  2.6
#> L1         56.3 ±  2.5   56.3 ±  2.5   56.6 ±  2.7   57.2 ±  2.6
clean = {name: results[name][0][:, :2] for name in losses}
extra = {name: clean[name] - clean["MSE"] for name in losses}
print(extra["L1"].mean(axis=0).round(2), (extra["L1"] > 0).sum(axis=0))
#> [0.58 0.66] [13 16]
print(extra["Huber"].mean(axis=0).round(2), (extra["Huber"] > 0).sum(axis=0))
#> [0.16 0.21] [14 16]

# %% [markdown]
# 干净数据上，按均方根误差算，L1 比均方误差平均差 0.66<!--= extra["L1"].mean(axis=0)[1] -->，
# 在 20 次里差了 16 次<!--= [len(extra["L1"]), (extra["L1"] > 0).sum(axis=0)[1]] -->；
# Huber 只差 0.21<!--= extra["Huber"].mean(axis=0)[1] -->。
# 代价大约是误差的百分之一，远小于换一次划分的标准差 2.3<!--= spread(results["MSE"][0][:, 1])[1] -->。
#
#
# ## 稳健不等于无偏

# %%
print("平均偏差")
#> 平均偏差
table(2)
#> MSE         0.4 ±  5.3   27.5 ±  6.0   70.5 ± 12.7  137.2 ± 18.9
#> Huber      -0.2 ±  5.3    1.5 ±  5.3    4.2 ±  5.1    8.7 ±  5.2
#> Huber(1)   -0.2 ±  5.2    1.9 ±  5.3    4.6 ±  4.9    8.7 ±  5.2
#> L1         -0.2 ±  5.2    2.0 ±  5.4    4.8 ±  5.0    9.0 ±  5.2

# %% [markdown]
# 这里的错都往大的方向，均方误差的预测平均偏高 137.2<!--= spread(results["MSE"][3][:, 2])[0] -->。
# L1 也偏高了 9.0<!--= spread(results["L1"][3][:, 2])[0] -->：一成的目标跑到了上面，剩下的目标的中位数就跟着往上移。
# 稳健损失限制的是**每个**坏点的影响，不是把坏点认出来扔掉；坏点一多、又同向，偏差就在那里。
#
#
# ## 特征错了，谁也救不了

# %%
def wrong_bmi(inputs, target, bad):
    inputs[bad, 2] *= 10


worse = {
    name: run(loss, wrong_bmi, rates[2])[:, 0] - results[name][0][:, 0]
    for name, loss in losses.items()
}
for name, values in worse.items():
    print(f"{name:8}", "{:.1f} ± {:.1f}".format(*spread(values)))
#> MSE      2.0 ± 1.4
#> Huber    2.0 ± 1.4
#> Huber(1) 1.7 ± 1.3
#> L1       1.7 ± 1.3

# %% [markdown]
# 把 5%<!--= rates[2] --> 训练样本的体重指数放大十倍，三种损失的平均绝对误差变坏了差不多一样多：均方误差 2.0，L1 也有 1.7<!--=
# [worse[name].mean() for name in ("MSE", "L1")] -->。
# 损失只看得见残差；一个特征错了的样本可以把模型拉到自己身上，残差反而不大。这种错要在进入模型之前查。
#
# ## 所以该怎么做
#
# 1. 目标可能有录入错误时，用 Huber，分界取正常残差的大小。它几乎不花代价。
# 2. 目标的大值是**真的**（例如收入、流量）而你要预测的是平均数，就不要用 Huber 或 L1：它们会把真实的大值当成错误，预测偏低。
# 3. 先画残差的分布，再决定。稳健损失代替不了清洗数据。
#
# ## 这个实验没有说明什么
#
# - 错误是我们造的：十倍、随机、只在训练集。真实的错误可能与特征有关，那时没有一种损失能免疫。
# - 标准差来自同一份数据的不同划分，低估了换一份数据的波动。
# - 深度网络的学习率与梯度裁剪也有稳健的作用，线性模型里看不到。
#
# 公式与推导见[绝对误差与 Huber](../losses/l1-huber.md)与[均方误差](../losses/mse.md)。
#
# ## 数据出处
#
# 糖尿病数据随论文 Least Angle Regression 公开（Efron 等），取自 scikit-learn 自带的那一份，用的是未经缩放的原始单位。
# 出处、许可与校验和记在项目的 `docs/data/datasets.yml`。
