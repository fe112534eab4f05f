"""The syntax tree of the notation: what a parsed formula is made of.

Plain data, no behaviour.  Every node remembers where it stood (``span``), which
takes no part in equality: two formulas are equal when they say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property

Span = tuple[int, int]


@dataclass(frozen=True)
class Node:
    span: Span = field(default=(0, 0), compare=False, kw_only=True)

    def children(self) -> Iterator[Node]:
        for item in fields(self):
            if item.name != "span":
                yield from _nodes(getattr(self, item.name))

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children():
            yield from child.walk()

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name written in it, bound ones and variables included."""
        return frozenset(
            getattr(node, "variable", None) if not isinstance(node, Name) else node.name
            for node in self.walk()
            if isinstance(node, (Name, Optimum, Limit, Integral, Expectation))
        )


def _nodes(value) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


# ---- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Num(Node):
    text: str  # as written: its digits are its precision


@dataclass(frozen=True)
class Const(Node):
    name: str  # 'e', 'pi', 'inf'


@dataclass(frozen=True)
class Name(Node):
    """A symbol of the page, a bound index or a parameter, by its normalised name."""

    name: str


@dataclass(frozen=True)
class Elem(Node):
    """Element access: ``z_n``, ``softmax(z)_i``, ``H_{ij}``."""

    base: Node
    indices: tuple[Node, ...]


@dataclass(frozen=True)
class Call(Node):
    """A function of the notation or of the page, ``order`` times differentiated (``f''(x)``)."""

    name: str
    args: tuple[Node, ...]
    order: int = 0


@dataclass(frozen=True)
class Neg(Node):
    value: Node


@dataclass(frozen=True)
class Add(Node):
    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Mul(Node):
    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Hadamard(Node):
    left: Node
    right: Node


@dataclass(frozen=True)
class Div(Node):
    top: Node
    bottom: Node


@dataclass(frozen=True)
class Pow(Node):
    base: Node
    exponent: Node


@dataclass(frozen=True)
class Transpose(Node):
    value: Node


@dataclass(frozen=True)
class Tuple(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Range(Node):
    """What an index runs over: ``low..high``, thinned by ``where``."""

    index: str
    low: Node
    high: Node
    where: Node | None = None


@dataclass(frozen=True)
class Big(Node):
    """``\\sum``, ``\\prod``, ``\\max``, ``\\min`` over an index."""

    op: str
    range: Range
    body: Node


@dataclass(frozen=True)
class Optimum(Node):
    """``\\min \\max \\arg\\min \\arg\\max`` over a continuous variable's whole domain."""

    op: str
    variable: str
    body: Node
    domain: Node | None = None  # written ``_{p\\in(0,1)}``; else the declared one


@dataclass(frozen=True)
class Each(Node):
    """``body`` for every value of its index, as a vector: how ``p_n \\approx (0.3, 0.6)`` is meant."""

    range: Range
    body: Node


@dataclass(frozen=True)
class Limit(Node):
    variable: str
    to: Node
    side: str  # '+', '-' or ''
    body: Node


@dataclass(frozen=True)
class Integral(Node):
    variable: str
    low: Node
    high: Node
    body: Node


@dataclass(frozen=True)
class Expectation(Node):
    variable: str
    law: str
    parameters: tuple[Node, ...]
    body: Node


@dataclass(frozen=True)
class Derivative(Node):
    """``\\frac{\\partial^2 f}{\\partial a\\,\\partial b}``: ``by`` holds one entry for each order."""

    of: Node
    by: tuple[Node, ...]
    total: bool = False  # written with an upright d


@dataclass(frozen=True)
class Nabla(Node):
    """``\\nabla_z f`` (order 1, a column) or ``\\nabla_z^2 f`` (order 2, a matrix)."""

    of: Node
    by: Node
    order: int


@dataclass(frozen=True)
class Cases(Node):
    branches: tuple[tuple[Node, Node | None], ...]  # None: otherwise


@dataclass(frozen=True)
class Indicator(Node):
    condition: Node


# ---- relations and conditions ----------------------------------------------------------------


@dataclass(frozen=True)
class Interval(Node):
    low: Node
    high: Node
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True)
class SetOf(Node):
    items: tuple[Node, ...]
    dots: bool = False  # {1, \ldots, N}


@dataclass(frozen=True)
class Space(Node):
    """``\\mathbb R`` or ``\\mathbb R^{C}``: real entries, with that shape."""

    shape: tuple[Node, ...]


@dataclass(frozen=True)
class Chain(Node):
    """``a = b \\le c``: a claim, or a condition, link by link."""

    sides: tuple[Node, ...]
    relations: tuple[str, ...]


@dataclass(frozen=True)
class All(Node):
    """Several conditions that hold together."""

    items: tuple[Node, ...]


def chains(condition: Node) -> tuple[Node, ...]:
    """The single chains of a condition."""
    return condition.items if isinstance(condition, All) else (condition,)


@dataclass(frozen=True)
class Definition(Node):
    """``target := …``; the chain that follows the definition, if any, is a claim of its own."""

    name: str
    parameters: tuple[str, ...]  # a function's parameters
    indices: tuple[str, ...]  # a family's indices
    body: Node


@dataclass(frozen=True)
class Statement(Node):
    """One thing a formula says.

    ``kind`` is 'claim' (a Chain), 'mention' (an expression), 'definition' or 'condition'.
    """

    kind: str
    body: Node
    conditions: tuple[Node, ...] = ()
