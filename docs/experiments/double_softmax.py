# ---
# title: 实验：多做了一次 softmax
# description: 先 softmax 再送进交叉熵是最常见的错误之一。在手写数字上量一量：损失停在哪里，慢多少，准确率差不差，怎么认出来。
# symbols:
#   C: {in: "integer 2..1000", meaning: 类别个数}
# ---

# %% [markdown]
# # 实验：多做了一次 softmax
#
# 交叉熵的函数自己会做 softmax。模型的最后一层若已经是 softmax，就做了两次。程序不报错，模型也在学。
# 那么它到底坏在哪里，又怎么从训练曲线上认出来？
#
# !!! abstract "结论"
#     - **认法**：准确率已经很高，训练损失却停在一个大于一的数附近不动。
#     - 学习率相同时学得慢得多；把学习率调大十倍，准确率能追上。所以它常常没有被发现。
#     - 损失不再是负对数似然：不能与别的模型比，也不能据此早停。
#
# ## 损失为什么降不下去
#
# 第一次 softmax 的结果在零与一之间，它再被当成 logit。最好的情形是正确的一类为一、其余为零，这时交叉熵是
#
# $$
# F := -\log\frac{e}{e+C-1} = \log(e+C-1)-1
# $$
#
# 它就是损失的下界。取 $C=10$，有 $F \approx 1.4612$。换句话说，一个全对、毫无犹豫的模型，十类时的损失仍是这么多。
#
# ## 数据与模型
#
# scikit-learn 自带的手写数字，十类，线性模型，整批梯度下降。两次 softmax 的梯度用链式法则，多乘一次 softmax 的雅可比矩阵。

# %%
from pathlib import Path

import numpy as np

import lossref

# 从项目里任何一处打开都找得到数据
data = "docs/data/digits.csv"
folders = Path("_").resolve().parents
root = next(folder for folder in folders if (folder / data).exists())
digits = np.loadtxt(root / data, delimiter=",", skiprows=1)
X = np.column_stack([digits[:, :-1] / 16, np.ones(len(digits))])
y = digits[:, -1].astype(int)

cross_entropy = lossref.CrossEntropyLoss()


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def once(z, y):
    return cross_entropy.value_and_grad(z, y)


def twice(z, y):
    s = softmax(z)
    value, g = cross_entropy.value_and_grad(s, y)
    return value, s * (g - (g * s).sum(axis=1, keepdims=True))


# %% [markdown]
# 先确认梯度没有写错：沿一个方向的差商应当等于梯度在这个方向上的分量。

# %%
rng = np.random.default_rng(0)
z, direction, h = rng.normal(size=(4, 10)), rng.normal(size=(4, 10)), 1e-5
ahead, behind = (twice(z + t * direction, y[:4])[0] for t in (h, -h))
slope = (ahead - behind) / (2 * h)
print(np.isclose(slope, (twice(z, y[:4])[1] * direction).sum(), rtol=1e-7))
#> True

# %% [markdown]
# 每次划分用一千二百张训练，其余测试；五次划分，两种学习率。

# %%
def train(loss, rate, seed, steps=100):
    """训练损失的曲线、测试准确率，以及只做一次 softmax 的测试损失。"""
    a, b = np.split(np.random.default_rng(seed).permutation(len(y)), [1200])
    W, curve = np.zeros((X.shape[1], 10)), []
    for _ in range(steps):
        value, gradient = loss(X[a] @ W, y[a])
        curve.append(value)
        W -= rate * X[a].T @ gradient
    z = X[b] @ W
    return curve, (z.argmax(axis=1) == y[b]).mean(), cross_entropy(z, y[b])


runs = {
    (loss.__name__, rate): [train(loss, rate, seed) for seed in range(5)]
    for loss in (once, twice)
    for rate in (1, 10)
}


def spread(values):
    """平均值与标准差。"""
    return np.mean(values), np.std(values, ddof=1)


floor = np.log(np.e + 9) - 1
print(floor.round(4))
#> 1.4612

found = {}
for (name, rate), results in runs.items():
    rows = [[c[0], c[-1], right, loss] for c, right, loss in results]
    found[name, rate] = np.transpose(rows)
    pairs = map(spread, found[name, rate])
    shown = ["{:.3f} ± {:.3f}".format(*pair) for pair in pairs]
    print(f"{name:5} {rate:2}", *shown)
#> once   1 2.303 ± 0.000 0.270 ± 0.006 0.944 ± 0.004 0.298 ± 0.011
#> once  10 2.303 ± 0.000 0.066 ± 0.007 0.962 ± 0.008 0.139 ± 0.025
#> twice  1 2.303 ± 0.000 1.821 ± 0.013 0.797 ± 0.033 0.953 ± 0.083
#> twice 10 2.303 ± 0.000 1.537 ± 0.002 0.953 ± 0.008 0.175 ± 0.018

# %% [markdown]
# 每行依次是：softmax 做了几次、学习率；开始与结束时的训练损失；测试准确率；测试集上只做一次 softmax 的损失。
#
# ## 损失停在下界附近
#
# 学习率为十时，做对的训练损失降到 0.066，做了两次的停在 1.537<!--=
# [found["once", 10][1].mean(), found["twice", 10][1].mean()] -->，离下界只差 0.076<!--= found["twice", 10][1].mean() - floor -->：
# 它已经快学完了，只是损失看不出来。两者的起点一样，都是类别数的对数 2.303<!--= np.log(10) -->，所以只看开头也认不出来。
#
# ![训练损失随步数的曲线。只做一次的损失一路下降；做了两次的，学习率相同时降得很慢，学习率大十倍时很快降到虚线画的下界附近就平了。](../figures/exp-double-softmax.svg "训练损失，五次划分的平均。虚线是两次 softmax 的下界。")
#
# ## 慢，但不一定差
#
# 学习率同为一，做对的测试准确率是 94.4%，做了两次的只有 79.7%<!--=
# [found["once", 1][2].mean(), found["twice", 1][2].mean()] -->。
# 梯度要多乘一次 softmax 的雅可比矩阵，被缩小了。把学习率调到十，做了两次的也有 95.3%<!--= found["twice", 10][2].mean() -->，
# 比学习率为一的正确写法还高；但正确写法用同样的学习率是 96.2%<!--= found["once", 10][2].mean() -->
# （这个学习率对它其实偏大，最初十几步的损失先冲高再回落）。
#
# 这正是它难发现的原因：换个优化器、调调学习率，准确率就上来了，没有人再去看损失。
#
# ## 怎么改，怎么防
#
# 1. 模型输出 logit，softmax 只留给损失；要概率时在推理处另做一次。
# 2. 训练几步之后，拿一个小批量过拟合：损失应当趋近零。停在上面那个下界，就是多做了一次 softmax。
# 3. 二分类的同类错误是先 sigmoid 再用 `BCEWithLogitsLoss`，下界不同，认法一样。
#
# ## 这个实验没有说明什么
#
# - 线性模型加整批梯度下降。自适应优化器会自动放大被缩小的梯度，那时慢得没有这么明显，更难发现。
# - 五次划分来自同一份数据，标准差低估了换一份数据的波动。
#
# 公式与推导见[交叉熵](../losses/cross-entropy.md)。
#
# ## 数据出处
#
# 与[类别不平衡](imbalance.py)一页相同。
