"""Where a symbol lives, and the points its claims are tried at.

``in: (0, 1)`` in a page's front matter becomes a Domain.  ``sample`` draws point
number ``k``: the styles rotate, so that a handful of points covers the middle of
the domain and both of its ends.  ``specials`` are the points where bounds are
usually attained or approached: 0, ±1, 2, ½, the closed ends, far out.

Every draw is a binary64 number, so that the very same point can be given to code.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from .values import Matrix, column, mp, real


def _number(value: float):
    return mp.mpf(float(value))


# Where squares of differences, and differences of logarithms, mostly vanish.
USUAL = (1, -1, 2, 0.5)


class Domain:
    vector = False

    def sample(self, rng: random.Random, k: int):
        raise NotImplementedError

    def contains(self, value) -> bool:
        raise NotImplementedError

    def specials(self) -> list:
        return []

    def usual(self) -> list:
        """More of them: where the sides of a bound meet by chance too, and so do things that differ elsewhere."""
        return []

    def usual_vectors(self, length: int) -> list:
        """The same for a domain of vectors."""
        return []

    def far(self) -> list:
        """Farther out, and closer to an end, than any draw: where what is cut off shows."""
        points = [mp.mpf(x) for x in ("1e3", "-1e3", "1e-60", "-1e-60")]
        return [x for x in points if self.contains(x)]


@dataclass(frozen=True)
class Reals(Domain):
    text: str = "real"

    def sample(self, rng, k):
        sign = rng.choice((-1, 1))
        style = k % 4
        if style == 0:
            return _number(rng.uniform(-2, 2))
        if style == 1:
            return _number(rng.uniform(-8, 8))
        if style == 2:
            return _number(sign * 10 ** rng.uniform(-6, 0))
        return _number(sign * 10 ** rng.uniform(0.5, 1.6))

    def contains(self, value):
        return True

    def specials(self):
        return [mp.mpf(x) for x in (0, 40, -40)]

    def usual(self):
        return [mp.mpf(x) for x in USUAL]


@dataclass(frozen=True)
class Between(Domain):
    text: str
    low: float
    high: float
    low_closed: bool
    high_closed: bool

    def sample(self, rng, k):
        while True:
            value = self._draw(rng, k % 4)
            if self.contains(value):
                return value

    def _draw(self, rng, style):
        infinite_low, infinite_high = self.low == float("-inf"), self.high == float("inf")
        near = 10 ** rng.uniform(-8, -1)
        if infinite_low and infinite_high:
            return Reals().sample(rng, style)
        if infinite_high:
            distance = (10 ** rng.uniform(-1, 1), rng.uniform(0, 4), near, 10 ** rng.uniform(0.7, 1.5))[style]
            return _number(self.low + distance)
        if infinite_low:
            distance = (10 ** rng.uniform(-1, 1), rng.uniform(0, 4), near, 10 ** rng.uniform(0.7, 1.5))[style]
            return _number(self.high - distance)
        width = self.high - self.low
        if style < 2:
            return _number(rng.uniform(self.low, self.high))
        return _number(self.low + width * near if style == 2 else self.high - width * near)

    def contains(self, value):
        value = real(value)
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return bool(above and below)

    def specials(self):
        points = [mp.mpf(self.low)] if self.low_closed else []
        points += [mp.mpf(self.high)] if self.high_closed else []
        if self.low > float("-inf") and self.high < float("inf"):
            points.append((mp.mpf(self.low) + mp.mpf(self.high)) / 2)
        elif self.contains(mp.mpf(1)):
            points.append(mp.mpf(1))
        return points

    def usual(self):
        return [mp.mpf(x) for x in (*USUAL, 0) if self.contains(mp.mpf(x)) and x not in self.specials()]


@dataclass(frozen=True)
class Finite(Domain):
    text: str
    items: tuple

    def far(self):
        return self.specials()

    def sample(self, rng, k):
        return mp.mpf(rng.choice(self.items))

    def contains(self, value):
        return any(real(value) == mp.mpf(item) for item in self.items)

    def specials(self):
        return [mp.mpf(item) for item in self.items]


@dataclass(frozen=True)
class Simplex(Domain):
    """Probability vectors; none drawn has a zero entry.  The length comes from the symbol's shape."""

    text: str = "simplex"
    vector = True

    def sample_vector(self, rng, k, length) -> Matrix:
        sharpness = (1.0, 1.0, 4.0, 0.3)[k % 4]
        weights = [mp.mpf(rng.expovariate(1.0) + 1e-3) ** sharpness for _ in range(length)]
        return column(w / mp.fsum(weights) for w in weights)

    def contains(self, value):
        return (
            isinstance(value, Matrix)
            and all(real(x) >= 0 for x in value.entries())
            and abs(mp.fsum(map(real, value.entries())) - 1) < mp.mpf(10) ** -12
        )

    def special_vectors(self, length) -> list[Matrix]:
        return [column([mp.mpf(1) / length] * length)]

    def usual_vectors(self, length) -> list[Matrix]:
        return OneHot().special_vectors(length)

    def nudged(self, vector: Matrix, rng) -> Matrix:
        weights = [x * (1 + mp.mpf(10) ** -5 * rng.choice((-1, 1))) for x in vector.entries()]
        return column(w / mp.fsum(weights) for w in weights)


@dataclass(frozen=True)
class OneHot(Domain):
    text: str = "onehot"
    vector = True

    def sample_vector(self, rng, k, length) -> Matrix:
        hot = rng.randrange(length)
        return column(mp.mpf(i == hot) for i in range(length))

    def contains(self, value):
        return (
            isinstance(value, Matrix)
            and sorted(map(real, value.entries()))[-1] == 1
            and sum(map(real, value.entries())) == 1
            and all(real(x) in (0, 1) for x in value.entries())
        )

    def special_vectors(self, length) -> list[Matrix]:
        return [column(mp.mpf(i == hot) for i in range(length)) for hot in range(length)]

    def nudged(self, vector: Matrix, rng) -> Matrix:
        return vector


_INTERVAL = re.compile(r"([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])$")
_SET = re.compile(r"\{(.*)\}$")
_INTEGERS = re.compile(r"integer\s+(-?\d+)\s*\.\.\s*(-?\d+)$")

ACCEPTED = "real, positive, (a, b), [a, b], {a, b, …}, integer a..b, simplex, onehot"


def parse_domain(text: str) -> Domain:
    """Read the ``in:`` of a declaration; ValueError says what is accepted."""
    text = str(text).strip()
    if text == "real":
        return Reals()
    if text == "positive":
        return Between(text, 0.0, float("inf"), False, False)
    if text == "simplex":
        return Simplex()
    if text == "onehot":
        return OneHot()
    try:
        if match := _INTERVAL.match(text):
            low, high = float(match[2]), float(match[3])
            if not low < high:
                raise ValueError(f"the interval {text} is empty")
            if high - low < 1e-9 * max(abs(low), abs(high)) and max(abs(low), abs(high)) < float("inf"):
                raise ValueError(f"the interval {text} is too narrow to draw numbers from")
            return Between(text, low, high, match[1] == "[", match[4] == "]")
        if match := _INTEGERS.match(text):
            if int(match[2]) < int(match[1]):
                raise ValueError("no integers from the larger to the smaller")
            if int(match[2]) - int(match[1]) > 10_000:
                raise ValueError("more than ten thousand integers")
            return Finite(text, tuple(range(int(match[1]), int(match[2]) + 1)))
        if match := _SET.match(text):
            return Finite(text, tuple(float(item) for item in match[1].split(",")))
    except ValueError as error:
        raise ValueError(f"domain {text!r}: {error}") from None
    raise ValueError(f"unknown domain {text!r}; accepted: {ACCEPTED}")
