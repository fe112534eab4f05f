"""Numbers as they are written, and whether a value agrees with one: shared by outputs and prose.

A literal claims what it shows and no more: 1.374 stands for every value that rounds to it.  A value that lies
exactly between two literals would agree with both, so it agrees with neither: the author writes one more
digit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from fractions import Fraction

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_CONTEXT = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])

_SIGN = r"[-+−±]"
_BODY = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_POWER = r"(?:\^\{?\s*[-+−]?\d+\s*\}?|[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
NUMBER = re.compile(
    rf"""(?<![A-Za-z0-9])(?<![A-Za-z0-9]_)
    (?:
        (?P<text>\d+(?:\.\d+){{2,}}(?:[a-z]+\d+)?|\d{{4}}-\d\d-\d\d(?!\d))          # a version, a date
      | (?P<sign>{_SIGN}[ ]?)?
        (?:
            (?P<top>\d+)/(?P<bottom>\d+)(?![\d./])                              # 1/4
          | (?P<base>\d+)(?P<power>{_POWER})                                     # 10⁻³, 2^24
          | (?P<body>{_BODY})
            (?:[eE](?P<exponent>[-+−]?\d+)|[ ]?[×xX*·][ ]?10(?P<scale>{_POWER}))?
        )
        (?P<unit>[ ]?[%％‰]|[ ]?[万亿](?![一分]))?
    )(?![A-Za-z0-9])(?!_[A-Za-z0-9])""",
    re.X,
)
APPROXIMATELY = re.compile(r"(?:(?<![节契公合条制预签])约为?|(?<![最附邻远])近|≈|(?<!\d)~|差不多|大概)[\s*_`$]*$")
_APPROX_AFTER = re.compile(r"[\s*_`$]*(?:左右|上下)")
_UNITS = {"%": "0.01", "％": "0.01", "‰": "0.001", "万": "1e4", "亿": "1e8"}


@dataclass(frozen=True)
class Number:
    """A number as written: `value` is what it says, `step` the worth of its last digit (None: exact)."""

    start: int
    end: int
    text: str
    value: Fraction | None  # None for a version or a date, which are compared as text
    step: Fraction | None
    integer: bool = False

    @property
    def plain(self) -> int | float:
        """The value as Python would write it, for `:=`."""
        return int(self.value) if self.integer else float(self.value)


def find_numbers(text: str, start: int = 0) -> list[Number]:
    """The numbers in a text whose other matters are blanked; offsets are shifted by `start`."""
    found = []
    for match in NUMBER.finditer(text) if re.search(r"\d", text) else ():
        begin = match.start()
        signed = match["sign"] or ""
        # `3-5` and `x−1`: a dash behind a digit, letter or bracket is no sign of the number behind it.
        if (
            signed
            and re.search(r"[\w)\]}$%％][ ]?$", text[:begin][-2:])
            and not re.search(r"[\u2e80-\u9fff\uff00-\uffef][ ]?$", text[:begin][-2:])
        ):
            begin += len(signed)
            signed = ""
        if signed.strip() == "±":
            signed = ""
            begin = match.start() + len(match["sign"])
        approx = bool(
            APPROXIMATELY.search(text[max(0, match.start() - 12) : match.start()])
            or _APPROX_AFTER.match(text, match.end())
        )
        found.append(
            _number(match, begin + start, match.end() + start, text[begin : match.end()], signed, approx)
        )
    return found


# -- numbers in words ----------------------------------------------------------------------------------------

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_WHOLE = "[零〇一二两三四五六七八九十百千万亿]+"
_POINT = "(?:点[零〇一二三四五六七八九]+)"
_SPOKEN = re.compile(
    rf"""(?:百分之(?P<percent>{_WHOLE}{_POINT}?)
      | (?P<bottom>{_WHOLE})分之(?P<top>{_WHOLE}) | (?P<half>一半)
      | (?P<body>{_WHOLE}{_POINT}?)(?P<unit>[倍成])
      | (?P<bare>{_WHOLE}{_POINT}|{_WHOLE}[十百千]{_WHOLE}?))$""",
    re.X,
)


def spoken_number(text: str, start: int = 0) -> Number | None:
    """The number in words that a text ends with: 四百倍, 百分之七十五, 三分之一, 七成, 零点三."""
    match = _SPOKEN.search(text)
    if match is None:
        return None
    approx = bool(APPROXIMATELY.search(text[max(0, match.start() - 12) : match.start()]))
    if match["bottom"] or match["half"]:
        top, bottom = (1, 2) if match["half"] else (_whole(match["top"]), _whole(match["bottom"]))
        if not bottom:
            return None
        value, step = Fraction(top, bottom), None
        if approx and value:
            step = Fraction(10) ** (_magnitude(value) - 1)
    elif match["unit"] == "成":
        value, step = Fraction(_digits(match["body"])) / 10, Fraction(1, 10)
    else:
        written = _digits(match["percent"]) + "%" if match["percent"] else _digits(match["body"] or match["bare"])
        (said,) = find_numbers(("约" if approx else "") + written)
        value, step = said.value, said.step
    whole = step is None and value.denominator == 1
    return Number(match.start() + start, len(text) + start, match[0], value, step, whole)


def _digits(words: str) -> str:
    """零点二五 as 0.25."""
    whole, _, part = words.partition("点")
    return f"{_whole(whole)}." + "".join(str(_DIGITS[c]) for c in part) if part else str(_whole(whole))


def _whole(words: str) -> int:
    total = section = digit = 0
    place = 1  # of a last digit that names none: 两百五 is 250, 两百零五 is 205
    for c in words:
        if c in _DIGITS:
            digit = _DIGITS[c]
            place = place if digit else 1
        elif c in _TENS:
            section, digit, place = section + (digit or 1) * _TENS[c], 0, _TENS[c] // 10
        else:
            big = 10**4 if c == "万" else 10**8
            total, section, digit, place = (total + section + digit or 1) * big, 0, 0, big // 10
    return total + section + digit * place


def _number(match: re.Match, start: int, end: int, text: str, signed: str, approx: bool) -> Number:
    if match["text"]:
        return Number(start, end, text, None, None)
    sign = -1 if signed.strip() in ("-", "−") else 1
    if match["top"]:
        if int(match["bottom"]) == 0:
            return Number(start, end, text, None, None)
        return Number(start, end, text, sign * Fraction(int(match["top"]), int(match["bottom"])), None)
    if match["base"]:
        value, step = _ten_or_other(int(match["base"]), _exponent(match["power"])), None
        digits = ""
    else:
        digits = match["body"].replace(",", "")
        exponent = int((match["exponent"] or "0").replace("−", "-"))
        if match["scale"]:
            exponent = _exponent(match["scale"])
        value = Fraction(digits) * _ten_or_other(10, exponent)
        decimals = len(digits.partition(".")[2])
        step = _ten_or_other(10, exponent - decimals) if value or not exponent else None
    integer = (
        bool(digits)
        and value.denominator == 1
        and not match["exponent"]
        and not match["scale"]
        and "." not in digits
    )
    unit = (match["unit"] or "").strip()
    if unit:
        factor = Fraction(_UNITS[unit])
        value, integer = value * factor, integer and factor > 1
        step = step * factor if step is not None else None
    if approx and value:
        # Two significant digits, or those that are written if there are more (1350 has three, 100 has one).
        significant = len(
            digits.replace(".", "").strip("0") if "." not in digits else digits.replace(".", "").lstrip("0")
        )
        lead = _magnitude(value)
        step, integer = Fraction(10) ** (lead - max(significant, 2) + 1), False
    elif integer:
        step = None
    return Number(start, end, text, sign * value, step, integer)


def _exponent(written: str) -> int:
    return int(written.translate(_SUPERSCRIPTS).strip("^{} \t").replace("−", "-").replace(" ", ""))


def _ten_or_other(base: int, exponent: int) -> Fraction:
    if abs(exponent) > 5000:
        raise ValueError(f"the exponent {exponent} is beyond any floating-point number")
    if base == 0 and exponent < 0:
        raise ValueError("zero to a negative power")
    return Fraction(base) ** exponent


def _magnitude(value: Fraction) -> int:
    """The exponent of the first digit."""
    guess = math.floor(math.log10(abs(value.numerator)) - math.log10(value.denominator))
    while Fraction(10) ** (guess + 1) <= abs(value):
        guess += 1
    while Fraction(10) ** guess > abs(value):
        guess -= 1
    return guess


def disagreement(number: Number, value: int | float | Fraction) -> str | None:
    """Why a value is not what the number says; None if it is."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"the value is {value}"
    exact = Fraction(value)
    if number.step is None:
        near = abs(exact - number.value) <= abs(number.value) * Fraction(1, 10**12)
        if exact == number.value or (isinstance(value, float) and near and number.value):
            return None
        hint = ""
        if number.integer and abs(exact - number.value) < max(1, abs(number.value) / 10):
            hint = f" (a whole number claims an exact one: write 约 {number.text}, or more digits)"
        return f"the value is {show(value)}{hint}"
    distance, half = abs(exact - number.value), number.step / 2
    if abs(distance - half) <= max(half / 10**9, abs(exact) * Fraction(1, 10**15)):
        return f"the value {show(value)} lies exactly between two such literals: write one more digit"
    return None if distance < half else f"the value is {show(value)}"


def show(value: object) -> str:
    """A value as a message says it: short, whatever it is."""
    try:
        if isinstance(value, Fraction):
            return str(value) if value.denominator < 10**6 else repr(float(value))
        said = repr(value)
    except Exception as problem:  # a whole number of thousands of digits, a __repr__ that fails
        return f"a {type(value).__name__} that cannot be shown ({problem})"
    return said if len(said) < 120 else said[:117] + "…"


# -- outputs -------------------------------------------------------------------------------------------------

_PRINTED = re.compile(
    r"(?<![A-Za-z0-9_.])(?:[-+]?(?:inf|nan)(?![A-Za-z0-9_])|(?:(?<![\w)\]])[-+])?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?![A-Za-z0-9_]|\.\d))"
)


def same_line(written: str, printed: str) -> bool:
    """Whether a printed line is what is written: numbers at the precision written, the rest as text."""
    if _squeezed(written) == _squeezed(printed):
        return True
    if _squeezed(_PRINTED.sub("0", written)) != _squeezed(_PRINTED.sub("0", printed)):
        return False
    pairs = zip(_PRINTED.findall(written), _PRINTED.findall(printed), strict=True)
    return all(same_printed(wanted, got) for wanted, got in pairs)


def same_printed(written: str, printed: str) -> bool:
    """Whether a printed number is the written one: whole numbers, `1.`, inf, nan as text; others rounded."""
    if written == printed:
        return True
    if (
        not re.search(r"\.\d|[eE]", written)
        or not re.search(r"[.eE]", printed)
        or not re.search(r"\d", printed)
    ):
        return False
    if written.startswith("-") != printed.startswith("-"):
        return False  # -0.0 is not 0.0
    try:
        wanted, got = _CONTEXT.create_decimal(written), _CONTEXT.create_decimal(printed)
    except InvalidOperation:
        return False
    if not (wanted.is_finite() and got.is_finite()):
        return False
    if not wanted and "e" in written.lower():
        return False  # 0.0e+00 and 0.0e+40 are the same number; only one of them was printed
    step = Decimal((0, (1,), wanted.as_tuple().exponent))
    if _CONTEXT.compare(Decimal((0, (1,), got.as_tuple().exponent)), step) > 0:
        return False  # written with digits that were not printed
    twice = _CONTEXT.multiply(_CONTEXT.abs(_CONTEXT.subtract(wanted, got)), Decimal(2))
    return _CONTEXT.compare(twice, step) < 0


def _squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()
