"""Search finds: what readers type, in Chinese and English, leads to the page they need, in a real browser."""

import pytest

pytestmark = pytest.mark.browser

# What is typed, and the page that must be among the first three.
QUERIES = {
    "losses/bce/": [
        "二元交叉熵", "BCE", "bce loss", "BCELoss", "BCEWithLogitsLoss", "binary cross-entropy", "二分类",
        "伯努利", "多做一次 sigmoid", "预测减真值", "阈值用错",
        "binary_cross_entropy_with_logits", "逻辑回归 损失",
    ],
    "losses/kl/": [
        "KL 散度", "KL散度", "KLDivLoss", "kl_div", "batchmean", "吉布斯不等式", "忘了截断教师的梯度",
        "log_target", "相对熵",
    ],
    "losses/distillation/": [
        "知识蒸馏", "蒸馏温度", "DistillationLoss", "distillation", "暗知识", "教师", "温度平方",
    ],
    "losses/mse/": [
        "均方误差", "MSE", "MSELoss", "mse损失", "loss 是 nan", "平方误差", "均方根误差", "二分之一", "l2 loss",
        "RMSE", "均方误差 高斯",
    ],
    "losses/cross-entropy/": [
        "交叉熵", "CrossEntropyLoss", "cross entropy", "ignore_index", "梯度累积", "logsumexp",
        "sparse categorical crossentropy", "忽略 padding",
    ],
    "losses/nll/": ["NLLLoss", "负对数似然", "最大似然", "log_softmax NLLLoss"],
    "losses/focal/": [
        "焦点损失", "focal loss", "SigmoidFocalLoss", "聚焦指数", "RetinaNet", "目标检测 损失", "难例挖掘",
    ],
    "losses/l1-huber/": [
        "Huber", "smooth l1", "SmoothL1Loss", "L1Loss", "中位数", "平均绝对误差", "MAE", "smooth_l1_loss",
    ],
    "topics/label-smoothing/": ["标签平滑", "label smoothing", "label_smoothing", "平滑强度", "标签平滑 底线"],
    "topics/class-weights/": [
        "类别权重", "class weight", "class_weight", "加权交叉熵", "类别不平衡 权重", "pos_weight",
        "pos_weight怎么设", "正类权重", "正负样本比例 权重",
    ],
    "topics/multi-label/": ["多标签", "多标签分类", "multi-label", "multilabel", "多标签 阈值"],
    "topics/large-vocabulary/": ["z-loss", "词表", "linear_cross_entropy", "语言模型 损失"],
    "topics/kl-directions/": [
        "反向 KL", "正向 KL", "JS 散度", "Jensen-Shannon", "Jeffreys", "Pinsker", "mode seeking", "reverse KL",
    ],
    "topics/squared-error-classification/": [
        "Brier 分数", "Brier score", "sigmoid 平方误差", "平方误差 分类", "饱和 非凸", "softmax MSE",
    ],
    "topics/smooth-losses/": ["伪 Huber", "log-cosh", "Charbonnier", "pseudo huber", "logcosh"],
    "reference/faq/": ["梯度累积 大 batch", "loss 为 nan", "KLDivLoss 为负", "损失不下降", "准确率不变"],
    "reference/choose/": ["如何选择", "用哪个损失", "多分类 用什么损失", "回归损失"],
    "experiments/outliers/": ["离群点"],
    "experiments/imbalance/": ["类别不平衡", "样本不均衡"],
    "background/sigmoid-softmax/": ["softmax 的导数", "雅可比矩阵", "梯度消失", "sigmoid的导数", "log-sum-exp"],
    "background/entropy/": ["熵", "奈特", "比特"],
    "reference/page-language/": ["页面语言", "豁免"],
    "reference/api/": ["value_and_grad", "hess_diag", "lossref.torch"],
    "reference/refuted/": ["错误说法"],
    "background/glossary/": ["术语", "英文 对照"],
    "": ["安装", "bibtex", "pip install"],
    "changelog/": ["rss", "更新"],
}

RESULTS = ".md-search-result__item > a.md-search-result__link"


@pytest.fixture(scope="module")
def ask(browser, address):
    """Type a query; return the pages found, in their order."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    field = page.locator(".md-search__input")
    field.click()
    meta = page.locator(".md-search-result__meta")
    page.wait_for_function("() => document.querySelector('.md-search-result__meta').textContent.includes('键入')")

    def asked(query):
        # Between two queries the list must be seen empty, or an old answer would pass for a new one.
        field.fill("")
        field.press("End")
        page.wait_for_function("() => document.querySelector('.md-search-result__meta').textContent.includes('键入')")
        field.fill(query)
        field.press("End")
        page.wait_for_function("() => !document.querySelector('.md-search-result__meta').textContent.includes('键入')")
        assert meta.inner_text()
        links = page.eval_on_selector_all(RESULTS, "links => links.map((link) => link.href)")
        return list(dict.fromkeys(link.removeprefix(address).split("#")[0].split("?")[0] for link in links))

    yield asked
    context.close()


@pytest.mark.parametrize(
    ("query", "expected"), [(query, page) for page, queries in QUERIES.items() for query in queries], ids=str
)
def test_query_finds_its_page(ask, site, query, expected):
    assert (site / expected / "index.html").is_file(), "the list of queries names a page that is not there"
    assert expected in ask(query)[:3]


def test_there_are_enough_queries():
    assert sum(map(len, QUERIES.values())) >= 40


def test_nonsense_finds_nothing(ask):
    assert ask("qqqxyzzy") == []
