r"""What may go wrong on a page: one digit, sign, symbol, index, relation, factor, term … at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lossref.pagecheck.literals import find_numbers
from lossref.pagecheck.source import CODE, PROSE, Page

T = TypeVar("T")


def _line(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the line of a place, or the lines of a stretch, begin and end."""
    stop = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if stop < 0 else stop


@dataclass(frozen=True)
class Mutant:
    """A page with text[start:end] replaced."""

    kind: str
    start: int
    end: int
    new: str

    def of(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]

    def lines(self, text: str) -> tuple[str, str]:
        """The changed line before and after."""
        begin, stop = _line(text, self.start, self.end)
        return text[begin:stop].strip(), (text[begin : self.start] + self.new + text[self.end : stop]).strip()


class Chance:
    """Picks one of several ways to change a thing, by the seed and the line it stands in.

    Not by what was picked before it: a line that has not changed keeps its mutants, and what is known of them stays
    true, whatever happens elsewhere on the page.
    """

    def __init__(self, seed: int, text: str) -> None:
        self.seed, self.text = seed, text

    def choice(self, options: Sequence[T], at: int) -> T:
        """One of the options; of those that are left when others go, the same."""
        begin, stop = _line(self.text, at, at)
        place = f"{self.seed} {at - begin} {self.text[begin:stop]}"
        return min(options, key=lambda option: hashlib.blake2b(f"{place} {option}".encode()).digest())


def mutants(page: Page, seed: int = 0) -> list[Mutant]:
    """Every mutant of a page; where there are several ways to change a thing, the seed picks one."""
    chance = Chance(seed, page.text)
    found = {m for make in (_numbers, _outputs, _code, _formulas) for m in make(page, chance)}
    found = [m for m in found if m.new != page.text[m.start : m.end]]
    return sorted(found, key=lambda m: (m.start, m.end, m.kind, m.new))


def _digits(kind: str, text: str, start: int, chance: Chance) -> Iterator[Mutant]:
    for match in re.finditer(r"[0-9]", text):
        new = chance.choice([d for d in "0123456789" if d != match[0]], start + match.start())
        yield Mutant(kind, start + match.start(), start + match.end(), new)


def _numbers(page: Page, chance: Chance) -> Iterator[Mutant]:
    """Each digit of each number in the text, its sign and its percent sign."""
    for number in find_numbers(page.visible(PROSE, CODE)):
        written = page.text[number.start : number.end]
        yield from _digits("number", written, number.start, chance)
        if written[0] in "-−":
            yield Mutant("number sign", number.start, number.start + 1, "")
        if written[-1] in "%％":
            yield Mutant("number unit", number.end - 1, number.end, "")


def _outputs(page: Page, chance: Chance) -> Iterator[Mutant]:
    """What stands in `#>` and `#!` lines: digits, signs, True and False."""
    for fence in page.fences:
        for start, end in fence.lines if fence.language == "python" and fence.run else ():
            line = page.text[start:end]
            if line[:2] not in ("#>", "#!"):
                continue
            yield from _digits("output", line, start, chance)
            for match in re.finditer(r"-(?=[\d.i])|\bTrue\b|\bFalse\b|\bnan\b", line):
                new = {"-": "", "True": "False", "False": "True", "nan": "0.0"}[match[0]]
                yield Mutant("output", start + match.start(), start + match.end(), new)


def _code(page: Page, chance: Chance) -> Iterator[Mutant]:
    """The digits of numbers in code that is run and shown."""
    for fence in page.fences:
        for start, end in fence.lines if fence.language == "python" and fence.run else ():
            line = page.text[start:end]
            if line.lstrip().startswith("#"):
                continue
            for match in re.finditer(r"(?<![A-Za-z_0-9])\d+(?:\.\d+)?(?![A-Za-z_])", line):
                yield from _digits("code", match[0], start + match.start(), chance)


_TOKEN = re.compile(
    r"\\(?:text|operatorname|mathrm|begin|end|tag)\*?\{[^{}]*\}|\\[a-zA-Z]+|\\.|[a-zA-Z]|\d|[-+<>=^_{}()\[\]&]|\s+|.",
    re.S,
)
_GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|eta|theta|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|psi|omega|ell)$"
)
_OVER = re.compile(r"\\(?:sum|prod|int)\s*(?:\\limits\s*)?(?:_(?:\{[^{}]*\}|.))?\s*$")  # here ^ bounds, no exponent
_SWAPS = {
    "+": "-", "-": "+", "<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", r"\leq": r"\geq",
    r"\geq": r"\leq", r"\max": r"\min", r"\min": r"\max", "=": r"\ne", r"\ne": "=",
}  # fmt: skip
_SWAP_KINDS = {"+": "sign", "-": "sign"}


def _formulas(page: Page, chance: Chance) -> Iterator[Mutant]:
    letters, indices = set(), set()
    for math in page.maths:
        for token, kind, _ in letters_of(math.tex):
            (indices if kind == "index" else letters).add(token)
    for math in page.maths:
        tex, base = math.tex, math.start
        yield from _digits("formula digit", tex, base, chance)
        tokens = list(_TOKEN.finditer(tex))
        for match in tokens:
            token, start, end = match[0], base + match.start(), base + match.end()
            if token == "-" and _is_unary(tokens, match):
                yield Mutant("sign", start, end, "")
            elif token in _SWAPS and not (token == "=" and tex[: match.start()].endswith(":")):
                yield Mutant(_SWAP_KINDS.get(token, "relation"), start, end, _spaced(_SWAPS[token], tex, match.end()))
            elif token == r"\log":
                yield Mutant("log base", start, end, r"\log_{10}")
        for token, kind, at in letters_of(tex):
            others = sorted((indices if kind == "index" else letters) - {token})
            if others:
                new = _spaced(chance.choice(others, base + at), tex, at + len(token))
                yield Mutant(kind, base + at, base + at + len(token), new)
        for match in re.finditer(r"\\[td]?frac(?:\{1\}|\s*1)(?:\{[A-Z2]\}|\s*[A-Z2])", tex):
            for new in ("", match[0] * 2):
                yield Mutant("factor", base + match.start(), base + match.end(), new)
        for match in re.finditer(r"\^(?:\{[^{}]*\}|\d|\\[A-Za-z]+|[A-Za-z])", tex):
            if not _OVER.search(tex[: match.start()]):
                yield Mutant("exponent", base + match.start(), base + match.end(), "")
        for start, end in _terms(tex):
            yield Mutant("term", base + start, base + end, "")
        for start, end, new in _exchanges(tex):
            yield Mutant("exchange", base + start, base + end, new)


def _is_unary(tokens: list[re.Match], minus: re.Match) -> bool:
    """Whether a minus stands where a side, a bracket or an argument begins: there + would say nothing else."""
    before = [m[0] for m in tokens if m.start() < minus.start() and not m[0].isspace()]
    return not before or before[-1] in "{([=<>&," or before[-1] in (r"\le", r"\ge", r"\ne", r"\approx", r"\\", r"\left")


def _exchanges(tex: str) -> Iterator[tuple[int, int, str]]:
    """The two arguments of a function, the top and the bottom of a fraction, the other way round."""
    for match in re.finditer(r"(\\?[A-Za-z]+|[}'])\(", tex):
        if match[1][0] == "\\" and not _GREEK.match(match[1]):
            continue  # \in(0, 1)
        end = _closing(tex, match.end() - 1)
        inside = tex[match.end() : end]
        parts = re.split(r"((?<!\\)[,;]|\\\||\\mid(?![a-z]))", inside)
        if end > 0 and len(parts) >= 3 and _balanced(parts[0]) and _balanced(parts[2]):
            a, b = (re.sub(r"^(?:\\[,!]|\s)+|(?:\\[,!]|\s)+$", "", part) for part in parts[0:3:2])
            if a != b:
                rest = "".join(parts[3:])
                yield match.end(), end, f"{b} {parts[1]} {a}{rest}"
    for match in re.finditer(r"\\[td]?frac(?=\{)", tex):
        middle = _closing(tex, match.end())
        if middle < 0 or tex[middle + 1 : middle + 2] != "{":
            continue
        end = _closing(tex, middle + 1)
        top, bottom = tex[match.end() : middle + 1], tex[middle + 1 : end + 1]
        if end > 0 and top != bottom and not re.search(r"\\partial|\\mathrm\{d\}|\\nabla", top + bottom):
            yield match.end(), end + 1, bottom + top


def _closing(tex: str, start: int) -> int:
    """Where the bracket that opens at start closes, or -1."""
    depth = 0
    for match in re.finditer(r"\\.|[()\[\]{}]", tex[start:]):
        depth += match[0] in "([{"
        depth -= match[0] in ")]}"
        if depth == 0:
            return start + match.start()
    return -1


def _balanced(tex: str) -> bool:
    return all(tex.count(a) == tex.count(b) for a, b in ("()", "{}", "[]"))


def _spaced(new: str, tex: str, end: int) -> str:
    r"""`\ge` before a letter needs a space."""
    return new + " " if re.match(r"\\[a-z]+$", new) and re.match(r"[A-Za-z]", tex[end:]) else new


def letters_of(tex: str) -> Iterator[tuple[str, str, int]]:
    """The letters of a formula that are symbols, and whether each is (part of) an index."""
    depth, index_depth, after = 0, None, ""
    for match in _TOKEN.finditer(tex):
        token = match[0]
        if token == "{":
            depth += 1
            if after == "_" and index_depth is None:
                index_depth = depth
        elif token == "}":
            if index_depth == depth:
                index_depth = None
            depth -= 1
        elif (re.fullmatch("[a-zA-Z]", token) and token not in "de") or _GREEK.match(token):
            yield token, "index" if index_depth is not None or after == "_" else "symbol", match.start()
        if not token.isspace():
            after = token


def said_with(tex: str, at: int) -> str:
    r"""The statement around a place: the rows of a formula that carry each other on."""
    rows = re.split(r"(\\\\(?!\s*&?\s*(?:[=<>]|\\(?:le|ge|ne|approx)\b)))", tex)
    end = 0
    for row in rows:
        end += len(row)
        if at < end:
            return row
    return tex


def _terms(tex: str) -> Iterator[tuple[int, int]]:
    """`+ term` and `- term`, up to what ends a term at the same depth."""
    tokens = list(_TOKEN.finditer(tex))
    for i, first in enumerate(tokens):
        if first[0] not in "+-" or not i or tokens[i - 1][0] in "{([=<>&":
            continue
        depth = 0
        for match in tokens[i + 1 :]:
            if match[0] in ("{", "(", "["):
                depth += 1
            elif match[0] in ("}", ")", "]"):
                depth -= 1
            ends = depth == 0 and (
                match[0] in "+-<>=&" or re.match(r"\\(?:\\|right|le|ge|ne|q?quad|approx|cdot|end|text)", match[0])
            )
            if depth < 0 or ends:
                yield first.start(), match.start()
                break
        else:
            yield first.start(), len(tex)
