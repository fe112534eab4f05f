"""The front matter that the formula tests share."""

FRONT = r"""---
symbols:
  N: {size: [1, 2, 4], meaning: 样本数}
  C: {size: [2, 3], meaning: 类别数}
  n: {index: N, meaning: 样本编号}
  i: {index: C, meaning: 类别}
  j: {index: C, meaning: 类别}
  k: {index: C, meaning: 类别}
  z: {in: real, meaning: logit}
  y: {in: "{0, 1}", meaning: 标签}
  q: {in: "(0, 1)", meaning: 概率}
  r: {in: real, meaning: 残差}
  \beta: {in: positive, meaning: 参数}
  \eta: {in: "(0, 1)", meaning: 真实概率}
  z_n: {in: real, meaning: logit}
  y_n: {in: "[0, 1]", meaning: 目标}
  v: {in: real, shape: [C], meaning: logit 向量}
  t: {in: simplex, shape: [C], meaning: 目标分布}
  h: {in: onehot, shape: [C], meaning: 独热目标}
---
"""
