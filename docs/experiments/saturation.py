# ---
# title: 实验：sigmoid 配均方误差会学得慢吗
# description: 同一个逻辑回归，分别用 BCE 与均方误差训练：好的起点、坏的起点、各自最好的学习率，以及标签有错时谁更稳。
# symbols:
#   z: {in: real, meaning: logit}
#   y: {in: "{0, 1}", meaning: 标签}
# ---

# %% [markdown]
# # 实验：sigmoid 配均方误差会学得慢吗
#
# 教科书说：分类要用 BCE，因为均方误差配 sigmoid 会「饱和」，错得越离谱学得越慢。真实数据上真有这么严重吗？
# 把学习率调好能不能补回来？均方误差有没有更好的时候？
#
# !!! abstract "结论"
#     - 从零开始训练，两者几乎一样快：起点不饱和，就没有饱和的问题。
#     - 起点越离谱，均方误差落后越多；最差的起点上，三百步也没有学会。
#     - 给均方误差单独调大学习率能补回大部分，但这个学习率换一个起点就太大了；BCE 不挑。
#     - 训练标签有错时，均方误差的准确率反而更高：不肯为离谱的样本用力，这时成了优点。但 BCE 加早停也能做到。
#
# ## 公式
#
# 记 $p := \sigma(z)$。BCE 是 $\ell := -\left[y\log p+(1-y)\log(1-p)\right]$，均方误差是 $m := (p-y)^2$。对 logit 求导：
#
# $$
# \frac{\partial \ell}{\partial z} = p-y,\qquad \frac{\partial m}{\partial z} = 2(p-y)\,p(1-p)
# $$
#
# 后者多出的因子不超过一半，$2p(1-p) \le \frac12$，而且在 $p$ 接近两端时趋近于零：例如当 $y=1$ 时，
# $\lim_{z\to-\infty}\frac{\partial m}{\partial z} = 0$，而 $\lim_{z\to-\infty}\frac{\partial \ell}{\partial z} = -1$。
#
# ## 数据与模型
#
# scikit-learn 自带的乳腺肿瘤数据：三十个细胞核指标，判断良性还是恶性。逻辑回归，整批梯度下降。

# %%
from pathlib import Path

import numpy as np

import lossref

# 从项目里任何一处打开都找得到数据
data = "docs/data/breast_cancer.csv"
folders = Path("_").resolve().parents
root = next(folder for folder in folders if (folder / data).exists())
table = np.loadtxt(root / data, delimiter=",", skiprows=1)
X = (table[:, :-1] - table[:, :-1].mean(axis=0)) / table[:, :-1].std(axis=0)
X = np.column_stack([X, np.ones(len(X))])
y = table[:, -1]
print(X.shape, y.mean().round(3))
#> (569, 31) 0.627


# %% [markdown]
# 二十个起点并排训练：参数是一个矩阵，一列是一次训练。`size` 是起点参数的大小，零表示从零开始。

# %%
def sigmoid(z):
    return np.exp(-np.logaddexp(0, -z))


cross_entropy = lossref.BCEWithLogitsLoss(reduction="sum")
squared_error = lossref.MSELoss(reduction="sum")


def bce(z, y):
    return cross_entropy.grad(z, y)


def mse(z, y):
    p = sigmoid(z)
    return squared_error.grad(p, y) * p * (1 - p)


def train(gradient, size, rate, steps=300, starts=20):
    """每一步之前的训练准确率，形状是（步数, 起点数）。"""
    w = np.random.default_rng(0).normal(size=(X.shape[1], starts)) * size
    target = np.repeat(y[:, None], starts, axis=1)
    accuracy = []
    for _ in range(steps):
        z = X @ w
        accuracy.append(((z > 0) == (target == 1)).mean(axis=0))
        w -= rate * X.T @ gradient(z, target) / len(y)
    return np.array(accuracy)


def steps_to(accuracy, goal=0.95):
    """第一次达到目标要几步；没达到就是总步数。"""
    reached = accuracy >= goal
    return np.where(reached.any(axis=0), reached.argmax(axis=0), len(accuracy))


sizes, rates = (0, 0.5, 2, 5), (1, 10, 100)
curves = {
    (name, size, rate): train(gradient, size, rate)
    for name, gradient in {"BCE": bce, "MSE": mse}.items()
    for size in sizes
    for rate in rates
}
needed = {key: steps_to(accuracy) for key, accuracy in curves.items()}

# %% [markdown]
# ## 学得多快
#
# 训练准确率第一次到百分之九十五要走几步：二十个起点的中位数，括号里是最少与最多。最多走三百步，走满就记成三百。
# 每行三列是三种学习率，依次是一、十、一百。

# %%
for size in sizes:
    for name in ("BCE", "MSE"):
        row = [needed[name, size, rate] for rate in rates]
        shown = [f"{np.median(n):g} ({n.min()}–{n.max()})" for n in row]
        print(f"{size:3} {name}", *(f"{text:>15}" for text in shown))
#>   0 BCE         2 (2–2)         2 (2–2)         2 (2–2)
#>   0 MSE         3 (3–3)         5 (5–5)   147 (147–147)
#> 0.5 BCE      4.5 (3–10)         2 (1–4)         2 (1–4)
#> 0.5 MSE     16.5 (5–36)        4 (1–10)      38 (1–300)
#>   2 BCE      26 (12–49)         3 (1–4)       2.5 (1–4)
#>   2 MSE    178 (69–300)       20 (7–57)        4 (1–21)
#>   5 BCE   75.5 (32–151)        5 (2–12)         3 (1–4)
#>   5 MSE   300 (300–300)  118.5 (44–300)     15.5 (4–61)

# %% [markdown]
# 从零开始、学习率为一时，BCE 走 2 步，均方误差走 3 步<!--= [np.median(needed[name, 0, 1]) for name in ("BCE", "MSE")] -->：
# 没有饱和，就没有差别。起点放大到 `size` 为二，差别变成 26 步与 178 步<!--= [np.median(needed[name, 2, 1]) for name in ("BCE", "MSE")] -->；
# 放大到五，均方误差在 300<!--= len(curves["MSE", 5, 1]) --> 步之内一次也没有走到。
#
# ![训练准确率随步数的曲线，学习率都是一。从零开始的两条线几乎同时升到顶；从很差的起点开始，BCE 几十步就升上去，均方误差的曲线一直贴在低处，缓慢爬升。](../figures/exp-saturation.svg "训练准确率，二十个起点的中位数；学习率都是一。")
#
# 学习率能补回多少？`size` 为五时，均方误差把学习率提到一百，中位数降到 15.5<!--= np.median(needed["MSE", 5, 100]) --> 步，
# 比 BCE 的 3<!--= np.median(needed["BCE", 5, 100]) --> 步仍差几倍。但同一个学习率用在从零开始的训练上，均方误差要走 147<!--=
# np.median(needed["MSE", 0, 100]) --> 步：不饱和的样本被它甩来甩去。因子 $p(1-p)$ 对每个样本不同，一个学习率补不了所有样本；BCE 则三种学习率都行。
#
# 看看起点上那些**答错的**样本，两种损失给的梯度平均有多大（左边 BCE，右边均方误差）：

# %%
def start(size):
    """起点：训练准确率，以及两种梯度的平均大小。"""
    w = np.random.default_rng(0).normal(size=(X.shape[1], 20)) * size
    z, target = X @ w, np.repeat(y[:, None], 20, axis=1)
    wrong = (z > 0) != (target == 1)
    return [np.abs(g(z, target))[wrong].mean() for g in (bce, mse)]


for size in sizes[1:]:
    print(size, np.round(start(size), 3))
#> 0.5 [0.796 0.196]
#> 2 [0.938 0.067]
#> 5 [0.975 0.027]

# %% [markdown]
# 起点越离谱，BCE 的梯度越接近一，均方误差的越接近零。这就是公式里多出的那个因子。
#
# ## 标签有错时

# %%
def noisy(gradient, flipped, splits=20, rate=0.5, steps=400):
    """训练标签有一部分被翻转；返回每次划分在干净测试集上的准确率。"""
    generators = map(np.random.default_rng, range(splits))
    orders = np.array([rng.permutation(len(y)) for rng in generators])
    a, b = orders[:, :400], orders[:, 400:]
    target = y[a]
    bad = round(flipped * 400)
    target[:, :bad] = 1 - target[:, :bad]
    inputs, w = X[a], np.zeros((splits, X.shape[1], 1))
    for _ in range(steps):
        g = gradient((inputs @ w)[..., 0], target)
        w -= rate * inputs.transpose(0, 2, 1) @ g[..., None] / 400
    return (((X[b] @ w)[..., 0] > 0) == (y[b] == 1)).mean(axis=1)


shares = (0, 0.1, 0.2, 0.3)
clean = {
    (name, share): noisy(gradient, share)
    for name, gradient in {"BCE": bce, "MSE": mse}.items()
    for share in shares
}
for share in shares:
    both = [clean[name, share] for name in ("BCE", "MSE")]
    shown = [f"{v.mean():.3f} ± {v.std(ddof=1):.3f}" for v in both]
    better = both[1] - both[0]
    print(f"{share:3}", *shown, (better > 0).sum(), (better < 0).sum())
#>   0 0.976 ± 0.008 0.979 ± 0.009 9 3
#> 0.1 0.951 ± 0.013 0.962 ± 0.013 17 1
#> 0.2 0.926 ± 0.019 0.943 ± 0.015 17 3
#> 0.3 0.872 ± 0.032 0.888 ± 0.028 15 5

# %% [markdown]
# 每行依次是：翻转的比例；BCE 与均方误差的准确率；均方误差在多少次划分里更好，多少次更差。
#
# 翻转 20%<!--= shares[2] --> 的标签，BCE 得 0.926，均方误差得 0.943<!--= [clean[name, shares[2]].mean() for name in ("BCE", "MSE")] -->，
# 在 20 次划分里有 17 次<!--= [len(better), (clean["MSE", shares[2]] > clean["BCE", shares[2]]).sum()] -->更好。
# 翻转的样本在模型看来就是「错得离谱」的样本：BCE 全力去迁就它们，均方误差不理会。
#
# 这不等于该换损失。同样的标签，BCE 只训练十步就停：

# %%
early = noisy(bce, shares[2], steps=10)
print(f"{early.mean():.3f} ± {early.std(ddof=1):.3f}")
#> 0.948 ± 0.017

# %% [markdown]
# 早停的 BCE 与训练到底的均方误差一样好。要紧的是别让模型去背错的标签，办法不止一种。
#
# ## 所以该怎么做
#
# 1. 默认用 BCE：它对起点和学习率都不挑剔。
# 2. 看到训练一开始就不动，先查起点的 logit 有多大，再查损失。合理的初始化让这个问题不出现。
# 3. 怀疑标签有错，先试早停、正则或清洗标签；均方误差（在这里也叫 Brier 分数）也是一个可用的选择。
#
# ## 这个实验没有说明什么
#
# - 这里的坏起点是故意造的。正常初始化的网络，输出层一开始并不饱和；但训练中途换任务、换最后一层、学习率过大都会造成它。
# - 隐藏层的 sigmoid 也会饱和，BCE 管不着，这里只有一层，看不到。
# - 自适应的优化器（如 Adam）会放大小梯度，差别会小一些；这里用的是普通梯度下降。
#
# 公式与推导见[二元交叉熵](../losses/bce.md)与[平方误差用于分类](../topics/squared-error-classification.md)。
#
# ## 数据出处
#
# 乳腺肿瘤数据来自 UCI 的 Breast Cancer Wisconsin (Diagnostic)（创建者 W. H. Wolberg、W. N. Street、O. L. Mangasarian），
# 取自 scikit-learn 自带的那一份，数值原样未改。出处、许可与校验和记在项目的 `docs/data/datasets.yml`。
