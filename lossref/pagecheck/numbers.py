r"""Numbers a reader sees: in prose, tables, headings, captions, alt texts, inline code, and bare in `$…$`.

Each is a claim, and the comment behind it says what it must equal:

    损失为 1.3742<!--= loss.item() -->          an expression of the page's Python at this place
    0.2994、0.6109<!--= p.tolist() -->           a sequence covers as many numbers as it has values
    取 16<!--:= x -->                            an input: later expressions use x
    Cox (1958)<!--= quoted.cox1958 -->           the numbers of a record of docs/data/quoted.yml, in order
    100<!-- exempt: reason -->                   not checked; counted and reported
    约四百倍<!--= a / b -->                       a number in words may be claimed too

Within a block (paragraph, table row …) the numbers between two claims belong to the second of them: all of
them, so that none goes unchecked.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import difflib
import functools
import html
import io
import itertools
import re
import tokenize
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from lossref.pagecheck.literals import APPROXIMATELY, NUMBER, Number, disagreement, find_numbers, show, spoken_number
from lossref.pagecheck.quoted import FILE, Record
from lossref.pagecheck.snippets import (
    Code,
    Failed,
    Session,
    constants,
    loaded_names,
    page_code,
    stored_names,
    touches_checker,
    written_numbers,
)
from lossref.pagecheck.source import (
    ATTR,
    CODE,
    HTML,
    PROSE,
    Check,
    Comment,
    Math,
    Page,
    PageError,
    failing,
    made,
    spans,
)


@dataclass(frozen=True)
class Category:
    """Digits that claim nothing, and why."""

    name: str
    pattern: re.Pattern
    reason: str


CATEGORIES = (
    Category(
        "loss name", re.compile(r"(?<![\d.])0[-–/]1\s?(?=损失|误差|loss)"), "the zero-one loss is called so"
    ),
    Category("norm", re.compile(r"(?<=[Ll])[12](?![\w.])"), "L1 and L2 are names of norms and losses"),
    Category("standard", re.compile(r"(?<=IEEE )754(?!\d)"), "the number of a standard"),
    Category("standard", re.compile(r"(?<=UTF-)8(?!\d)"), "the name of an encoding"),
)

# Words with digits in them that are known to be words; others must name something in the page's code.
_WORDS = re.compile(r"float(?:16|32|64)|bfloat16|u?int(?:8|16|32|64)|F1|[Ll][12]|[123]D")
_DIGIT_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\d[A-Za-z0-9_]*|\d+[A-Za-z_][A-Za-z0-9_]*")
# What a browser shows or reads aloud from inside a tag.
_ATTRIBUTE = re.compile(
    r"""\b(?:alt|title|label|summary|placeholder|value|content|aria-[a-z]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)"""
)
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]\w*);")
# What the checker reads, and what the site's theme reads.
_FRONT_KEYS = ("symbols", "ties", "conventions", "title", "description", "search", "hide", "icon", "status", "template")
_QUOTED = re.compile(r"quoted\.(\w+)")


# -- bare numbers in formulas --------------------------------------------------------------------------------


def closed_number(tex: str, start: int = 0, approx: bool = False) -> Number | None:
    r"""The number that a formula is, if nothing else: `0.25`, `-10^{-3}`, `\tfrac14`, `2\times10^{-5}`."""
    said = re.sub(r"\\[,;:! ]|\\displaystyle|\\textstyle|\{,\}|\s+", "", tex)
    percent = said.endswith(r"\%")
    said = said.removesuffix(r"\%")
    match = re.fullmatch(r"(?P<sign>[-+−]?)(?P<rest>.*)", said, re.S)
    rest = match["rest"]
    fraction = re.fullmatch(r"\\[td]?frac(?:\{(\d+)\}|(\d))(?:\{(\d+)\}|(\d))", rest) or re.fullmatch(
        r"(\d+)()/(\d+)()", rest
    )
    power = re.fullmatch(r"(?:([\d.]+)\\(?:times|cdot))?(\d+)\^(?:\{([-+−]?\d+)\}|(\d))", rest)
    if fraction:
        bottom = int(fraction[3] or fraction[4])
        if not bottom:
            return None
        written = f"{match['sign']}{fraction[1] or fraction[2]}/{bottom}"
    elif power and power[1] and power[2] == "10":
        written = f"{match['sign']}{power[1]}×10^{{{power[3] or power[4]}}}"
    elif power and not power[1]:
        written = f"{match['sign']}{power[2]}^{{{power[3] or power[4]}}}"
    elif re.fullmatch(r"\d+(\.\d+)?|\.\d+|\d{1,3}(,\d{3})+(\.\d+)?", rest):
        written = match["sign"] + rest
    else:
        return None
    # 约 in front counts, as in prose.
    found = find_numbers(("约" if approx else "") + written + ("%" if percent else ""))
    return replace(found[0], start=start, end=start + len(tex), text=tex) if len(found) == 1 else None


# -- which number belongs to which claim ---------------------------------------------------------------------


@dataclass(frozen=True)
class Segment:
    """The numbers between two claims of a block, and the claim that covers them (None behind the last)."""

    numbers: tuple[Number, ...]
    claim: Comment | None


def segments(page: Page) -> list[Segment]:
    """All the numbers of a page with their claims."""
    words = _code_words(page)
    text = page.visible(PROSE, CODE)
    text = _blank_categories(_blank_executed(page, text, words))
    maths = {}
    for math in page.maths:
        approx = bool(APPROXIMATELY.search(text[max(0, math.outer_start - 12) : math.outer_start]))
        try:
            number = closed_number(math.tex, math.start, approx)
        except ValueError as problem:
            raise page.error(math.start, f"{problem}") from None
        if number:
            maths[math.outer_start] = (math, number)
        elif claim := page.comment_behind(math.outer_end, "=", ":="):
            raise page.error(
                claim.start,
                "a claim behind a formula that is more than a number: the formula is checked by itself; take "
                "the claim away, "
                "or write the number outside the formula",
            )
    elsewhere = _exempt_words(page, text)
    claims = [
        c
        for c in page.comments
        if c.kind in ("=", ":=")
        or (c.kind == "exempt" and c not in elsewhere and not _behind_formula(page, c))
    ]
    for at, character in enumerate(_blank_numbers(text)):
        if unicodedata.category(character) in ("No", "Nl") or character in "⁺⁻":  # ², ½, ①, Ⅲ
            raise page.error(
                at, f"{character}: write it as a formula ($x^2$, $\\tfrac12$), in digits, or 10⁻³ as a whole number"
            )
    found, used = [], set()
    for block in page.blocks:
        if block.kind == "fence":
            continue
        try:
            numbers = find_numbers(text[block.start : block.end], block.start)
        except ValueError as problem:
            raise page.error(block.start, f"{problem}") from None
        numbers += [number for at, (_, number) in maths.items() if block.start <= at < block.end]
        numbers.sort(key=lambda number: number.start)
        for number in numbers:
            _read_whole(page, number)
        for claim in claims:
            if not block.start <= claim.start < block.end:
                continue
            used.add(claim)
            before = [number for number in numbers if number.end <= claim.start]
            numbers = numbers[len(before) :]
            if claim.kind == "=" and (words := _in_words(text, block.start, claim.start)):
                before.append(words)
            found.append(Segment(tuple(before), claim))
        if numbers:
            found.append(Segment(tuple(numbers), None))
    for claim in claims:
        if claim not in used:
            raise page.error(claim.start, _nothing_before(claim))
    return found


# What belongs to a number and is not read with it, because markup or a comment stands between, or it is another sign.
_UNIT_APART = re.compile(
    r"[\s*_`$}\u00a0]*(?P<unit>[%％‰]|百万|千万|[万亿](?![一分])|千(?![米克瓦字])|百(?!分)|分之|[kKM](?![A-Za-z]))"
)
_SIGN_APART = re.compile(
    r"(?P<sign>(?<!正)负|百分之|千分之|(?<![—–])[－‐﹣–—]|[-−](?=[*_`$\u00a0]))[ *_`$\u00a0]*$"
)


def _read_whole(page: Page, number: Number) -> None:
    """Refuse a number whose unit or sign stands where it is not read: it would be checked without."""
    after = _UNIT_APART.match(page.uncommented[number.end : number.end + 200])
    if after:
        raise page.error(
            number.end + after.start("unit"),
            f"{after['unit']} stands apart from {number.text}, which is checked without it: write them side by side, "
            "the claim behind (75%<!--= … -->), with % ‰ 万 亿",
        )
    lead = page.uncommented[max(0, number.start - 200) : number.start]
    before = _SIGN_APART.search(lead)
    # Behind a number or a name, a dash is no sign: 1–2.
    if before and not re.search(r"[A-Za-z0-9)\]}%][ *_`$]*$", lead[: before.start()]):
        raise page.error(
            number.start,
            f"{before['sign']} before {number.text} is not read, and the number is checked without it: write -0.5 or "
            "−0.5, 75%, 0.3‰",
        )


def _in_words(text: str, start: int, end: int) -> Number | None:
    """The number in words right before a claim."""
    said = text[start:end].rstrip(" \t\n*_`”」』)）")
    shown = said[-40:]  # no number in words is longer
    return spoken_number(shown, start + len(said) - len(shown))


def _nothing_before(claim: Comment) -> str:
    said = "exempt: …" if claim.kind == "exempt" else f"{claim.kind} {claim.value}"
    return f"<!--{said} --> has no number before it in its paragraph, row or heading that is not claimed yet"


def _behind_formula(page: Page, comment: Comment) -> bool:
    """Whether an exemption stands behind a formula that is more than a number; then it is the formula's."""
    for math in page.maths:
        if comment in page.comments_behind(math.outer_end):
            try:
                return closed_number(math.tex) is None
            except ValueError:
                return True
    return False


def _exempt_words(page: Page, text: str) -> dict[Comment, int]:
    """The exemptions that stand behind a word with a digit, with the place of the word."""
    found = {}
    for match in _DIGIT_WORD.finditer(_blank_numbers(text)):
        comment = page.comment_behind(match.end(), "exempt")
        if comment:
            found[comment] = match.start()
    return found


def is_bare_number(math: Math) -> bool:
    """Whether a formula is only a number, and so belongs here."""
    try:
        return closed_number(math.tex) is not None
    except ValueError:
        return True


def _code_words(page: Page) -> str:
    """What the page runs and prints, as one text to look words up in."""
    said = [code.source for code in page_code(page)]
    said += [c.value for c in page.comments if c.kind in ("=", ":=")]
    return "\n".join(said)


def _blank_executed(page: Page, text: str, words: str) -> str:
    """Blank inline code that is a piece of the code which the page runs: it is checked by running."""
    chars = list(text)
    squeezed = re.sub(r"\s+", " ", words)
    for start, end in spans(page.kinds, CODE):
        said = re.sub(r"\s+", " ", text[start:end]).strip("` ")
        claimed = page.comment_behind(end, "=", ":=") and page.text[end : end + 4] == "<!--"
        if re.search(r"[A-Za-z_]", said) and not claimed and _stands_in(said, squeezed):
            chars[start:end] = re.sub(r"\S", " ", text[start:end])
    return "".join(chars)


def _stands_in(said: str, code: str) -> bool:
    """Whether code contains a piece that does not begin or end inside a word, a number or a computation of it."""
    at = code.find(said)
    while at >= 0:
        before, after = code[:at][-2:], code[at + len(said) :][:4]
        # `squeeze(1)` may be a method
        begins = not re.search(r"\w$", before) and (before[-1:] != "." or not said[0].isdigit())
        if begins and not re.match(r"[\w.]|\s\d", after) and not (
            re.search(r"\d", said) and (_GOES_ON.match(after) or _WENT_BEFORE.search(before))
        ):
            return True
        at = code.find(said, at + 1)
    return False


# `lr=0.5` says nothing of `lr=0.5 * scale`, nor `x + 1` of `2 * x + 1`.
_GOES_ON = re.compile(r"\s?(?:[-+*/%@&|^]|[<>]=?|[=!]=|(?:if|and|or)\b)")
_WENT_BEFORE = re.compile(r"[-+*/%@&|^~] ?$")


def _blank_numbers(text: str) -> str:
    # Only in lines with a digit: most of a page has none, and the pattern is tried at every character.
    return "\n".join(
        NUMBER.sub(lambda match: " " * len(match[0]), line) if re.search(r"\d", line) else line
        for line in text.split("\n")
    )


def _blank_categories(text: str) -> str:
    for category in CATEGORIES:
        text = category.pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


# -- the checks ----------------------------------------------------------------------------------------------


def number_checks(
    page: Page, session: Session, quoted: Mapping[str, Record], cited: set[str] | None = None
) -> list[Check]:
    """One check per claim, and one per stretch of numbers without any; quoted keys go into `cited`."""
    checks, expressions = [], []

    def of(segment: Segment) -> list[Check]:
        claim = segment.claim
        if claim is None:
            return [_failing(page, segment.numbers[0], segment.numbers)]
        if not segment.numbers:
            raise page.error(claim.start, _nothing_before(claim))
        if claim.kind == ":=":
            return [_bind(page, session, segment)]
        if claim.kind == "exempt":
            return [_exempt(page, segment)]
        if match := _QUOTED.fullmatch(claim.value):
            if cited is not None:
                cited.add(match[1])
            return [_check(page, segment, lambda: _quote(page, segment, quoted, match[1]))]
        expression = _parse(page, claim)
        expressions.append((claim.start, expression))
        return [_check(page, segment, lambda: _compare(page, session, segment, expression))]

    checks += map(failing, (*_check_front(page), *_check_hidden(page)))
    found = segments(page)
    for segment in found:
        checks += made(lambda segment=segment: of(segment))
    checks += map(failing, _check_bindings(page, session, found, expressions))
    checks += made(lambda: _word_checks(page, session))
    checks += made(lambda: _comment_checks(page))
    return checks


def _check(page: Page, segment: Segment, run) -> Check:
    written = "、".join(_as_written(page, number) for number in segment.numbers)
    claim, last = segment.claim, segment.numbers[-1]
    name = f"{written} {claim.kind} {' '.join(claim.value.split())}"
    # From the last number to the end of its claim: what a reader's copy of the page is searched for.
    return Check("number", page.at(segment.numbers[0].start), name, run, page.text[last.start : claim.end])


def _failing(page: Page, number: Number, numbers: tuple[Number, ...]) -> Check:
    def run() -> str:
        rest = f" (and {len(numbers) - 1} more up to the end of the paragraph)" if len(numbers) > 1 else ""
        raise page.error(
            number.start,
            f"{_as_written(page, number)}{rest}: no claim stands behind this number. Write what it must "
            "equal, "
            f"{_as_written(page, number)}<!--= expression -->; an input is bound by <!--:= name -->, a "
            "quotation by "
            "<!--= quoted.key -->; the bound of a condition goes into a formula with what holds there, 当 $m > 1$ 时，"
            "$…$; or say it without digits",
        )

    return Check("number", page.at(number.start), "number", run)


def _as_written(page: Page, number: Number) -> str:
    written = page.text[number.start : number.end].strip()
    return f"${written}$" if page.text[number.start - 1 : number.start] == "$" else written


def _parse(page: Page, claim: Comment) -> ast.Expression:
    try:
        tree = ast.parse(f"({claim.value}\n)", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        said = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        raise page.error(
            claim.value_start, f"<!--= {claim.value} -->: this is no Python expression: {said}"
        ) from None
    for node in ast.walk(tree):
        if isinstance(node, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            raise page.error(
                claim.value_start, f"<!--= {claim.value} -->: a claim only looks: no :=, await or yield"
            )
    if (touched := touches_checker(tree)) is not None:
        raise page.error(
            claim.value_start,
            f"<!--= {claim.value} -->: {touched[0]}: a page's code has nothing to do with what checks it",
        )
    return tree


def _evaluate(page: Page, session: Session, claim: Comment, expression: ast.Expression) -> object:
    try:
        return session.value(expression, claim.start)
    except Failed as failed:
        raise page.error(claim.start, f"not checked, because the code at line {failed.line} fails") from None
    except (PageError, KeyboardInterrupt):
        raise
    except BaseException as problem:
        hint = ""
        if isinstance(problem, NameError):
            hint = " (is it defined above this place?)"
        raise page.error(
            claim.value_start, f"<!--= {claim.value} -->: {type(problem).__name__}: {problem}{hint}"
        ) from None


def _compare(page: Page, session: Session, segment: Segment, expression: ast.Expression) -> str:
    claim, numbers = segment.claim, segment.numbers
    for number in numbers:
        _refuse_repetition(page, claim, expression, number)
    value = _evaluate(page, session, claim, expression)
    values = list(_flat(value)) if isinstance(value, list) else [value]
    if len(values) != len(numbers):
        first = numbers[0] if len(values) < len(numbers) else None
        written = "、".join(_as_written(page, number) for number in numbers)
        have = f"{len(values)} value{'s' * (len(values) != 1)}" if isinstance(value, list) else "one value"
        raise page.error(
            first.start if first else claim.start,
            f"{written}: {len(numbers)} number{'s' * (len(numbers) != 1)} before this claim, but <!--= "
            f"{claim.value} --> gives "
            f"{have}, {show(value)}; each number between two claims of a paragraph or table row must be covered"
            + (f": give {_as_written(page, first)} a claim of its own, directly behind it" if first else ""),
        )
    for position, (number, item) in enumerate(zip(numbers, values, strict=True)):
        problem = _differs(number, item) or _misdirected(page, number, item)
        if problem:
            raise page.error(
                number.start, f"written: {_as_written(page, number)}\n  {problem}, by <!--= {claim.value} -->"
            )
        _refuse_carried(page, session, claim, expression, number, position)
        _refuse_hidden_constant(page, session, claim, expression, number, position)
    _refuse_idle(page, session, claim, expression)
    return "计算"


_DIRECTIONS = (
    (re.compile(r"(?:(?<!不)超过|不止)[\s*_`$]*$"), "above", lambda value, said: value > said),
    (re.compile(r"(?:不到|不足)[\s*_`$]*$"), "below", lambda value, said: value < said),
    (re.compile(r"至少[\s*_`$]*$"), "at least", lambda value, said: value >= said),
    (re.compile(r"(?:至多|不超过)[\s*_`$]*$"), "at most", lambda value, said: value <= said),
)


def _misdirected(page: Page, number: Number, value: object) -> str | None:
    """Why 超过 90% is not said of 0.8997, although that rounds to 90%."""
    if number.value is None or isinstance(value, str):
        return None
    lead = page.uncommented[max(0, number.start - 12) : number.start]
    if re.match(r"[\s*_`$]*(?:时|的时候|才|就)", page.uncommented[number.end : number.end + 200]):
        return None  # a threshold: it may be rounded either way
    for words, direction, holds in _DIRECTIONS:
        if words.search(lead) and not holds(Fraction(value), number.value):
            return f"the value is {show(value)}, which is not {direction} that"
    return None


def _differs(number: Number, value: object) -> str | None:
    if isinstance(value, str):
        if value == number.text or (
            number.text and re.match(re.escape(number.text) + r"[.+-]", value) and "." in number.text
        ):
            return None
        return f"the value is the text {value!r}"
    if isinstance(value, bool) or value is None or not isinstance(value, (int, float, Fraction)):
        return f"the value is {show(value)}, which is no number"
    if number.value is None:
        return f"the value is {show(value)}, but a version or date is compared as text: give a str"
    return disagreement(number, value)


def _flat(values: list) -> list:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _refuse_repetition(page: Page, claim: Comment, expression: ast.Expression, number: Number) -> None:
    """A claim computes: an expression that holds the answer already proves nothing."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    if not names - set(dir(builtins)):
        raise page.error(
            claim.value_start,
            f"<!--= {claim.value} --> uses nothing of the page, so it only repeats the number: compute it "
            "from the page's "
            "code, or bind an input with <!--:= name -->",
        )
    for node in ast.walk(expression):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.strip() == number.text
        ):
            raise _repeats(page, claim, node.value)


def _refuse_idle(page: Page, session: Session, claim: Comment, expression: ast.Expression) -> None:
    """Numbers of the page on which the value does not depend are no computation: 3 + 4 + 0 * n."""
    names = loaded_names(expression) - set(dir(builtins))
    if names & {argument.arg for argument in ast.walk(expression) if isinstance(argument, ast.arg)}:
        return
    value = session.value(expression, claim.start)
    for name in names - stored_names(expression):
        given = session.value(ast.parse(name, mode="eval"), claim.start)
        if type(given) not in (int, float):
            return  # what a call, a list or a module brings along is not looked into
        for other in (given + 1, 2 * given + 1, -given):
            try:
                if session.value(_replaced(expression, name, other), claim.start) != value:
                    return
            except Exception:
                return
    raise page.error(
        claim.value_start,
        f"<!--= {claim.value} --> gives the same whatever {'、'.join(sorted(names))} may be, so it only repeats the "
        "number: compute it",
    )


def _replaced(expression: ast.Expression, name: str, value: float) -> ast.Expression:
    nodes = [n for n in ast.walk(expression) if isinstance(n, ast.Name) and n.id == name]
    return copy.deepcopy(expression, {id(n): ast.copy_location(ast.Constant(value), n) for n in nodes})


def _refuse_hidden_constant(
    page: Page, session: Session, claim: Comment, expression: ast.Expression, number: Number, position: int
) -> None:
    """A constant of hidden code that comes out as it is, is the number written twice, where the reader sees one."""
    if number.value is None:
        return _refuse_hidden_text(page, session, claim, expression, number)
    if not any(_says(number, value) for value in session.hidden_constants()):
        return
    part = session.behind(expression, claim.start)
    written = [(node, value) for step, unseen in part if unseen for node, value in written_numbers(step)]
    leaves = [node for step, _ in part if isinstance(step, ast.AST) for node in constants(step)]
    for node, original in [(node, value) for node, value in written if _says(number, abs(value))]:
        inside = {id(inner) for inner in ast.walk(node)}
        others = {id(leaf): leaf.value + 1 for leaf in leaves if id(leaf) not in inside}
        results = [
            session.again(part, expression, changes)
            for changes in ({}, {id(node): original + 1}, others)
        ]
        values = [list(_flat(r))[position] if isinstance(r, list) else r for r in results]
        if not all(isinstance(value, (int, float)) for value in values):
            continue
        as_is, changed, apart = (abs(value) for value in values)
        if as_is == apart and abs(changed - as_is - 1) < 1e-9 * changed:
            raise page.error(
                claim.value_start,
                f"<!--= {claim.value} --> is the constant {ast.unparse(node)} of hidden code, so it only repeats the "
                "number: bind the number itself, <!--:= name -->, or compute it",
            )


def _refuse_hidden_text(
    page: Page, session: Session, claim: Comment, expression: ast.Expression, number: Number
) -> None:
    """The same of a version or a date, which are compared as text."""
    unseen = [step for step, hidden in session.behind(expression, claim.start) if hidden]
    if any(isinstance(node, ast.Constant) and node.value == number.text for step in unseen for node in ast.walk(step)):
        raise page.error(
            claim.value_start,
            f"<!--= {claim.value} --> is the text {number.text!r} of hidden code, so it only repeats it: ask the "
            "module for its __version__, or cite a record of docs/data/quoted.yml",
        )


def _says(number: Number, size: float) -> bool:
    """Whether a number as written is this one, signs apart."""
    if number.value is None or not size:
        return False
    return disagreement(replace(number, value=abs(number.value)), size) is None


def _refuse_carried(
    page: Page, session: Session, claim: Comment, expression: ast.Expression, number: Number, position: int
) -> None:
    """Refuse an expression that hands on a constant: change the constant, and the value follows."""
    for node, original in written_numbers(expression.body):
        if not _says(number, abs(original)):
            continue
        try:
            swapped = {id(node): ast.copy_location(ast.Constant(original + 1), node)}
            changed = session.value(copy.deepcopy(expression, swapped), claim.start)
            changed = list(_flat(changed))[position] if isinstance(changed, list) else changed
            carried = isinstance(changed, (int, float)) and abs(abs(changed) - abs(original + 1)) <= 1e-9 * abs(
                original + 1
            )
        except Exception:
            carried = False
        if carried:
            raise _repeats(page, claim, original)


def _repeats(page: Page, claim: Comment, constant: object) -> PageError:
    return page.error(
        claim.value_start,
        f"<!--= {claim.value} --> contains {constant!r} itself, the number it should compute: derive it, or "
        "bind the input "
        "with <!--:= name -->",
    )


def _bind(page: Page, session: Session, segment: Segment) -> Check:
    claim, numbers = segment.claim, segment.numbers
    names = [name.strip() for name in claim.value.split(",")]
    for name in names:
        if not name.isidentifier():
            raise page.error(
                claim.value_start,
                f"<!--:= {claim.value} -->: {name!r} is no name; write <!--:= x --> or <!--:= x, y -->",
            )
    if len(names) != len(numbers):
        written = "、".join(_as_written(page, number) for number in numbers)
        raise page.error(
            claim.start,
            f"<!--:= {claim.value} --> binds {len(names)}, but {len(numbers)} numbers stand before it: "
            f"{written}",
        )
    for number in numbers:
        if number.value is None:
            raise page.error(number.start, f"{number.text} is a version or a date, not a number to bind")
    session.bind({name: number.plain for name, number in zip(names, numbers, strict=True)}, claim.start)
    return _check(page, segment, lambda: "输入")


def _check_bindings(
    page: Page, session: Session, found: list[Segment], expressions: list[tuple[int, ast.AST]]
) -> Iterator[PageError]:
    """A name that nothing uses would be a way to write any number at all."""
    later = [(offset, loaded_names(tree)) for offset, tree in expressions]
    codes = [(index, step.offset) for index, step in enumerate(session.steps) if isinstance(step, Code)]
    bindings = [
        (segment.claim, name.strip(), number.plain if number and number.value is not None else None)
        for segment in found
        if segment.claim and segment.claim.kind == ":="
        for name, number in itertools.zip_longest(segment.claim.value.split(","), segment.numbers)
        if name
    ]
    for claim, name, number in bindings:
        # Up to where the name gets another value.
        ends = [other.start for other, again, _ in bindings if again == name and other.start > claim.start]
        used = False
        for index, offset in codes:
            if offset < claim.start or used or (ends and offset > min(ends)):
                continue
            with contextlib.suppress(PageError):  # its own check says so
                touch = session.touches(index, name)
                # Code may say the same number once more: a notebook's has to.
                used = touch == "load" or (touch == "store" and session.assigned(index, name) == number)
                ends += [offset] * (touch == "store")
        end = min(ends, default=len(page.text))
        if not used and not any(name in names for offset, names in later if claim.start < offset < end):
            yield page.error(
                claim.start,
                f"<!--:= {claim.value} --> binds {name}, which nothing below uses: use it in a claim below, or take "
                "the binding away",
            )


def _exempt(page: Page, segment: Segment) -> Check:
    claim, numbers = segment.claim, segment.numbers
    if len(numbers) > 1:
        raise page.error(
            numbers[0].start,
            f"{_as_written(page, numbers[0])}: no claim; the exemption behind covers only the number before "
            "it",
        )
    return _check(page, segment, lambda: f"豁免：{claim.value}")


def _quote(page: Page, segment: Segment, quoted: Mapping[str, Record], key: str) -> str:
    record = quoted.get(key)
    if record is None:
        raise page.error(segment.claim.start, f"there is no record {key!r} in {FILE}")
    wanted, written = [n.text for n in record.numbers], [_as_written(page, n) for n in segment.numbers]
    if [_dashes(text) for text in wanted] != [_dashes(text) for text in written]:
        at = next(
            (n for n, w in zip(segment.numbers, wanted, strict=False) if _dashes(n.text) != _dashes(w)),
            segment.numbers[0],
        )
        raise page.error(
            at.start,
            f"written: {'、'.join(written)}\n  quoted:  {'、'.join(wanted)}, the numbers of {key} at "
            f"{record.location}: {record.cite}",
        )
    return "引用"


def _dashes(text: str) -> str:
    return re.sub(r"\s", "", text).replace("−", "-")


def _check_hidden(page: Page) -> Iterator[PageError]:
    """Numbers that reach the reader from inside markup, where no claim can stand."""
    for start, end in sorted([*spans(page.kinds, HTML), *spans(page.kinds, ATTR)]):
        said = page.text[start:end]
        places = [(m.start(1) + 1, m[1]) for m in _ATTRIBUTE.finditer(said)]
        places += [(m.start(), html.unescape(m[0])) for m in _ENTITY.finditer(said)]
        if re.match(r"<svg\b", said):
            places += [(m.start(1), m[1]) for m in re.finditer(r">([^<>]*)<", said)]
        for at, text in places:
            text = html.unescape(text)
            plain = _WORDS.sub("", _blank_categories(text))
            if "$" in plain or any(unicodedata.category(c) in ("Nd", "No", "Nl") for c in plain):
                said = f"{text.strip()}: a number inside a tag or entity cannot carry a claim: say it in the text"
                yield page.error(start + at, said)
    for math in page.maths:
        for match in re.finditer(r"\\(?:text\w*|mbox|tag\*?)\s*\{([^{}]*)\}", math.tex):
            label = match[0].startswith("\\tag") and re.fullmatch(r"\(?\d+(?:\.\d+)?[a-z]?\)?", match[1].strip())
            if not label and find_numbers(_blank_categories(match[1])):
                yield page.error(
                    math.start + match.start(1),
                    f"{match[1].strip()}: a number in a formula's words is checked by nothing: say it outside",
                )


def _check_front(page: Page) -> Iterator[PageError]:
    for key in page.front:
        if key not in _FRONT_KEYS:
            near = difflib.get_close_matches(str(key), _FRONT_KEYS, 1)
            hint = f"did you mean `{near[0]}:`?" if near else f"known: {', '.join(_FRONT_KEYS)}"
            yield PageError(page.front_at(key), f"front matter: unknown key `{key}:`; {hint}")
    for key in ("title", "description"):
        said = page.front.get(key)
        if said is None:
            continue
        text = _blank_categories(said if isinstance(said, str) else str(said))
        numbers = find_numbers(text)
        if numbers:
            yield PageError(
                page.front_at(key),
                f"{numbers[0].text}: a number in the {key} cannot carry a claim: say it without digits",
            )


# -- words with digits, and code's comments ------------------------------------------------------------------


def _word_checks(page: Page, session: Session) -> list[Check]:
    """`float32`, `Conv2d`: not numbers, but a wrong digit makes them name nothing."""
    checks = []
    text = page.visible(PROSE, CODE)
    text = _blank_numbers(text)
    executed = set(_DIGIT_WORD.findall(_code_words(page)))
    seen = set()
    for comment, start in _exempt_words(page, text).items():
        text = text[:start] + _DIGIT_WORD.sub(lambda match: " " * len(match[0]), text[start:], count=1)
        checks.append(Check("number", page.at(start), "name", lambda c=comment: f"豁免：{c.value}"))
    for match in _DIGIT_WORD.finditer(text):
        word, start = match[0], match.start()
        if word in executed or _WORDS.fullmatch(word) or word in seen:
            continue
        seen.add(word)

        def run(word=word, start=start) -> str:
            try:
                if session.knows(word):
                    return "名称"
            except Failed as failed:
                raise page.error(
                    start, f"not checked, because the code at line {failed.line} fails"
                ) from None
            raise page.error(
                start,
                f"{word}: a name with a digit that is in none of the page's code nor in a module it imports: "
                "is the digit right? "
                "(a name from elsewhere: <!-- exempt: reason --> behind it)",
            )

        checks.append(Check("number", page.at(start), "name", run))
    return checks


def _comment_checks(page: Page) -> list[Check]:
    """A number in a comment of the code is read like prose and checked by nothing: refuse it."""
    for fence in page.fences:
        header = page.text[fence.start : page.text.index("\n", fence.start)]
        title = re.search(r"title=\"([^\"]*)\"", header)
        if title and find_numbers(_blank_categories(title[1])):
            raise page.error(
                fence.start + title.start(1),
                "a number in a fence's title cannot carry a claim: say it without digits",
            )
        if fence.language != "python" or not fence.run:
            continue
        for line, column, said in (*_comments(fence.code), *_docstrings(fence.code)):
            for number in find_numbers(_blank_categories(said), fence.lines[line][0] + column):
                raise page.error(
                    number.start,
                    f"{number.text}: a number in a code comment is checked by nothing: print it, or say it "
                    "in the text with a claim",
                )
    return []


@functools.lru_cache(maxsize=1024)
def _docstrings(code: str) -> list[tuple[int, int, str]]:
    """The lines of docstrings, which are read like comments: line (from 0), column, text."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # its own check says so
    found, lines = [], code.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            first, last = node.body[0].lineno, node.body[0].end_lineno
            found += [(line - 1, 0, lines[line - 1]) for line in range(first, last + 1)]
    return found


@functools.lru_cache(maxsize=1024)
def _comments(code: str) -> list[tuple[int, int, str]]:
    """The plain comments in code: line (from 0), column, text."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return []  # its own check says so
    return [
        (token.start[0] - 1, token.start[1], token.string)
        for token in tokens
        if token.type == tokenize.COMMENT and token.string[:2] not in ("#>", "#!")
    ]
