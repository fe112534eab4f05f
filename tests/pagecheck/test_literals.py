"""What a literal says, and which values agree with it."""

# ruff: noqa: E501 -- the tables of pages below read best with a page on a line

from __future__ import annotations

from fractions import Fraction

import pytest

from lossref.pagecheck.literals import disagreement, find_numbers, same_line, spoken_number

F = Fraction

READ = {
    "损失 1.3742。": [("1.3742", F("1.3742"), F("0.0001"))],
    "第3步": [("3", 3, None)],
    "为 -3 和 −4": [("-3", -3, None), ("−4", -4, None)],
    "3-5、3–5、3~5": [("3", 3, None), ("5", 5, None)] * 3,
    "(-1)": [("-1", -1, None)],
    "x-1、x−1": [("1", 1, None)] * 2,
    "1,234,567.5": [("1,234,567.5", F("1234567.5"), F("0.1"))],
    "1,2": [("1", 1, None), ("2", 2, None)],
    "25% 和 0.1 ％": [("25%", F("0.25"), F("0.01")), ("0.1 ％", F("0.001"), F("0.001"))],
    "1e-12": [("1e-12", F(1, 10**12), F(1, 10**12))],
    "1.2×10^{-5}": [("1.2×10^{-5}", F(12, 10**6), F(1, 10**6))],
    "10⁻³、2^24": [("10⁻³", F(1, 1000), None), ("2^24", 2**24, None)],
    "1/4": [("1/4", F(1, 4), None)],
    "3 万、2.5亿": [("3 万", 30000, None), ("2.5亿", 250_000_000, 10_000_000)],
    "约 100 倍": [("100", 100, 10)],
    "约 **1350**": [("1350", 1350, 10)],
    "约为 0.3": [("0.3", F("0.3"), F("0.01"))],
    "100 左右": [("100", 100, 10)],
    "_3_": [("3", 3, None)],
    "float32、L1、x_1、p2p": [],
    "2.13.0、2026-05-07": [("2.13.0", None, None), ("2026-05-07", None, None)],
    "v2.13": [("13", 13, None)],
    "节约 75%、最近 100 年": [("75%", F("0.75"), F("0.01")), ("100", 100, None)],
    "1.5.": [("1.5", F("1.5"), F("0.1"))],
}


@pytest.mark.parametrize("text, wanted", READ.items(), ids=READ)
def test_read(text, wanted):
    assert [(n.text, n.value, n.step) for n in find_numbers(text)] == wanted


AGREE = [
    ("1.3742", 1.37424), ("1.3742", 1.37416), ("-3", -3.0), ("3", 3), ("25%", 0.2512), ("25%", 0.25), ("约 100", 104.9),
    ("约 100", 95.1), ("1e-12", 1.2e-12), ("1/4", 0.25), ("1/3", 1 / 3), ("10⁻³", 0.001), ("0.1", F(1, 10)), ("3 万", 30000),
    ("1.2×10^{-5}", 1.23e-5), ("2^24", 16777216.0), ("0.0", 0.0), ("约 1350", 1354), ("0", 0),
]  # fmt: skip
DISAGREE = [
    ("1.3742", 1.3743), ("3", 3.01), ("3", -3), ("25%", 25.0), ("25%", 0.256), ("约 100", 106), ("约 100", 94), ("1/3", 0.333),
    ("10⁻³", 0.00101), ("1e-12", 0.0), ("0.0", 0.2), ("0e5", 3), ("3", float("nan")), ("3", float("inf")), ("0", 1e-9), ("1.30", 1.306),
]  # fmt: skip


@pytest.mark.parametrize("literal, value", AGREE)
def test_agrees(literal, value):
    assert disagreement(find_numbers(literal)[0], value) is None


@pytest.mark.parametrize("literal, value", DISAGREE)
def test_disagrees(literal, value):
    assert disagreement(find_numbers(literal)[0], value)


@pytest.mark.parametrize("literal", ["0.12", "0.13"])
def test_a_tie_agrees_with_neither(literal):
    """0.125 would round either way, so a wrong last digit could not be told."""
    assert "write one more digit" in disagreement(find_numbers(literal)[0], 0.125)


def test_a_huge_exponent_is_an_error_and_no_hang():
    with pytest.raises(ValueError, match="beyond any floating-point number"):
        find_numbers("1e999999999")


SAME = [
    ("0.8609", "0.8609123"), ("tensor([1., 2.])", "tensor([1.,  2.])"), ("a -0.0", "a -0.0"), ("nan inf", "nan inf"),
    ("1.2e-05", "1.23e-05"), ("loss=0.50", "loss=0.5049"), ("", ""),
]  # fmt: skip
DIFFERENT = [
    ("0.8609", "0.8610"), ("tensor([1., 2.])", "tensor([1., 3.])"), ("1", "1.0"), ("1.", "1.3"), ("x 3", "x 4"), ("-0.0", "0.0"),
    ("inf", "-inf"), ("nan", "0.0"), ("0.29940", "0.2994"), ("a-1", "a-2"), ("2.13.0", "2.13.1"), ("float32", "float64"),
    ("0.5j", "0.6j"), ("-1.5", "1.5"), ("0.125", "0.1255"), ("1e-05", "1e-06"), ("3", "3 4"), ("true", "True"), ("x", ""),
    ("0.0000e+00", "0.0000e+40"), ("1e999999999999999999999", "1.0"), ("0x1f", "0x2f"), ("1_000", "1_001"), ("[0.1]", "(0.1)"), ("0.1 0.2", "0.1"),
]  # fmt: skip


@pytest.mark.parametrize("written, printed", SAME)
def test_same_output(written, printed):
    assert same_line(written, printed)


@pytest.mark.parametrize("written, printed", DIFFERENT)
def test_different_output(written, printed):
    assert not same_line(written, printed)


@pytest.mark.parametrize(
    ("words", "value", "step"),
    [
        ("快了四百倍", 400, None),
        ("约四百倍", 400, 10),
        ("百分之七十五", Fraction(3, 4), Fraction(1, 100)),
        ("百分之零点五", Fraction(1, 200), Fraction(1, 1000)),
        ("三分之一", Fraction(1, 3), None),
        ("约三分之一", Fraction(1, 3), Fraction(1, 100)),
        ("千分之二", Fraction(2, 1000), None),
        ("七成", Fraction(7, 10), Fraction(1, 10)),
        ("零点二五", Fraction(1, 4), Fraction(1, 100)),
        ("一半", Fraction(1, 2), None),
        ("十二倍", 12, None),
        ("三千零五十", 3050, None),
        ("一百二十万倍", 1200000, None),
        ("两亿倍", 2 * 10**8, None),
    ],
)
def test_numbers_in_words(words, value, step):
    number = spoken_number(words, 5)
    assert (number.value, number.step) == (value, step)
    assert number.end == 5 + len(words)


@pytest.mark.parametrize("words", ["统一", "不变", "零分之一", "变成", "四百倍多", ""])
def test_words_that_are_no_numbers(words):
    assert spoken_number(words) is None
