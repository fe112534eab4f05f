"""The grammar in the authors' guide is that of the parser: what it makes is read, and what is read it knows."""

from __future__ import annotations

import random
import re

import pytest
from test_guide import FRONT, GUIDE

from lossref.pagecheck.formula import operators, parser
from lossref.pagecheck.formula.checks import page_scope
from lossref.pagecheck.formula.statements import read
from lossref.pagecheck.formula.tokens import FormulaError
from lossref.pagecheck.source import read_text

(TEXT,) = [fence.code for fence in GUIDE.fences if "grammar" in fence.classes]
# What the front matter of the guide's examples declares, a function, and letters that are free.
PAGE = FRONT + "\n定义 $g(x) := x^2$。\n"
NAMES = {
    "自定函数": ["g"],
    "数名": ["z", "y", "q", r"\eta "],
    "族名": ["z", "y"],
    "向量名": ["v", "t"],
    "编号": ["n", "i", "k"],
    "新名字": ["A", "B", r"\hat{p}", r"\mathbf{w}", "f'"],
    "新参数": ["a", "b"],
    "新变元": ["x", "u"],
}
# Nested brackets by the dozen say nothing new.
DEPTH = 7


def rules() -> dict[str, list]:
    """Name -> alternatives; each a list of (symbol, mark), a symbol a terminal, a name, or alternatives again."""
    found = {}
    joined = re.sub(r"\n +", " ", TEXT.strip())
    for line in filter(None, joined.splitlines()):
        name, _, right = line.partition("=")
        words = re.findall(r'"[^"]*"|[()|?*]|[^\s"()|?*]+', right)
        found[name.strip()] = alternatives(words)
        assert not words, (name, words)
    return found


def alternatives(words: list[str]) -> list:
    options = [[]]
    while words and words[0] != ")":
        word = words.pop(0)
        if word == "|":
            options.append([])
        elif word in ("?", "*"):
            options[-1][-1] = (options[-1][-1][0], word)
        elif word == "(":
            options[-1].append((alternatives(words), ""))
            assert words.pop(0) == ")"
        else:
            options[-1].append((word, ""))
    return options


RULES = rules()


def make(chance: random.Random, options: list, depth: int = 0) -> str:
    """One sentence; deep down the first alternatives, which are the plain ones."""
    option = options[0] if depth > DEPTH else chance.choice(options)
    said = ""
    for symbol, mark in option:
        times = {"": 1, "?": chance.randint(0, 1), "*": chance.choice([0, 0, 1, 2])}[mark]
        for _ in range(times if depth <= DEPTH or not mark else 0):
            if isinstance(symbol, list):
                said += make(chance, symbol, depth)
            elif symbol.startswith('"'):
                said += symbol[1:-1]
            else:
                said += chance.choice(NAMES[symbol]) if symbol in NAMES else make(chance, RULES[symbol], depth + 1)
    return said


# What is wrong with a sentence and not with its grammar.
MEANING = ("is already bound here", "is introduced a second time")


@pytest.mark.parametrize("seed", range(10))
def test_what_the_grammar_makes_is_read(seed):
    chance, refused = random.Random(seed), 0
    for _ in range(60):
        sentence = make(chance, RULES["公式"])
        try:
            read(sentence, page_scope(read_text(PAGE, "page.md")))
        except FormulaError as problem:
            assert any(reason in problem.message for reason in MEANING), (sentence, problem.message)
            refused += 1
    assert refused < 30


def mentioned(options: list) -> set[str]:
    words = [symbol for option in options for symbol, _ in option]
    inner = [mentioned(word) for word in words if isinstance(word, list)]
    return {word for word in words if isinstance(word, str) and not word.startswith('"')}.union(*inner)


def test_every_rule_is_used():
    assert set().union(*map(mentioned, RULES.values())) == (set(RULES) - {"公式"}) | set(NAMES)


def test_what_the_parser_knows_stands_in_the_grammar():
    known = {*parser.PREFIX, *parser.RELATIONS, *operators.COMMANDS, *parser.CLOSERS}
    known |= {rf"\operatorname{{{word}" for word in parser.WORDS}
    said = re.sub(r'\\operatorname\{" 函数名 "', "", TEXT)
    for word in re.findall(r'"(\w+)"', TEXT):
        said += rf"\operatorname{{{word}"
    assert [word for word in known if word not in said] == []
