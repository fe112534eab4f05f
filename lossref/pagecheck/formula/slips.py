"""What may have gone wrong where two sides differ: a guess from how they differ, or one small change that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace

from .evaluate import same
from .scope import Scope
from .syntax import Add, Call, Elem, Name, Neg, Node
from .values import mp

CANDIDATES = 60  # changes that are tried


def from_values(ratios: list, gaps: list) -> str:
    """A guess from the quotients (each with its trial) and differences of the two sides at all points."""
    values = [r for r, _ in ratios]
    if len(values) >= 2 and all(same(r, values[0]) for r in values):
        named = {
            "-1": mp.mpf(-1), "2": mp.mpf(2), "1/2": mp.mpf("0.5"), "ln 10": mp.log(10),
            "1/ln 10": 1 / mp.log(10),
            "ln 2": mp.log(2), "1/ln 2": 1 / mp.log(2),
        }  # fmt: skip
        for name, value in named.items():
            if same(values[0], value):
                if name == "-1":
                    return "the sides differ in sign"
                cause = "another base of the logarithm" if "ln" in name else "a missing factor"
                return f"left is {name} times right: {cause}?"
    for size in sorted({name for _, trial in ratios for name in trial.point.sizes}):
        for power, text in ((1, size), (-1, f"1/{size}")):
            several = len({trial.point.sizes[size] for _, trial in ratios}) > 1
            if several and all(same(r, mp.mpf(trial.point.sizes[size]) ** power) for r, trial in ratios):
                return f"left is {text} times right: is a 1/{size} missing or doubled?"
    if len(gaps) >= 2 and all(same(g, gaps[0]) for g in gaps):
        return f"left − right is always {mp.nstr(gaps[0], 8)}: a constant term?"
    if len(values) >= 2 and values[0] and all(same(r, values[0]) for r in values):
        return f"left is always {mp.nstr(values[0], 8)} times right: a missing factor?"
    if len(values) >= 2 and all(same(abs(r), mp.mpf(1)) for r in values):
        return "the sides agree up to a sign"
    return ""


def from_changes(tex: str, sides: tuple[Node, Node], scope: Scope, holds: Callable[[Node, Node], bool]) -> str:
    """The first single change, of a sign, an index or the order of arguments, with which the link ``holds``."""
    left, right = sides
    tried = 0
    for here in (1, 0):
        for changed, say in _changes(tex, sides[here], _letters(sides, scope), scope):
            tried += 1
            if tried > CANDIDATES:
                return ""
            if holds(left, changed) if here else holds(changed, right):
                return f"it holds with {say}"
    return ""


def _letters(sides: tuple[Node, Node], scope: Scope) -> list[str]:
    """The indices that occur."""
    return sorted({name for side in sides for name in side.names if scope.size_of_index(name)})


def _changes(tex: str, node: Node, letters: list[str], scope: Scope) -> Iterator[tuple[Node, str]]:
    """The expression with one thing in it changed, and how to say so."""
    written = tex[slice(*node.span)]
    if isinstance(node, Elem) or (isinstance(node, Call) and node.name == "kronecker"):
        name = "indices" if isinstance(node, Elem) else "args"
        items = getattr(node, name)
        for at, index in enumerate(items):
            if isinstance(index, Name):
                for other in letters:
                    if other != index.name and scope.size_of_index(other) == scope.size_of_index(index.name):
                        start, end = (place - node.span[0] for place in index.span)
                        new = replace(node, **{name: (*items[:at], Name(other), *items[at + 1 :])})
                        yield new, f"`{written[:start]}{other}{written[end:]}` in place of `{written}`"
    if isinstance(node, Call) and len(node.args) == 2 and node.name not in ("kronecker", "max", "min", "inner"):
        yield replace(node, args=node.args[::-1]), f"the arguments of `{written}` exchanged"
    if isinstance(node, Add):
        for at, term in enumerate(node.terms):
            new = term.value if isinstance(term, Neg) else Neg(term)
            said = f"the sign of `{tex[slice(*term.span)]}` turned"
            yield replace(node, terms=(*node.terms[:at], new, *node.terms[at + 1 :])), said
    for item in fields(node):
        value = getattr(node, item.name)
        if isinstance(value, Node) and item.name != "span":
            for new, said in _changes(tex, value, letters, scope):
                yield replace(node, **{item.name: new}), said
        elif isinstance(value, tuple) and item.name != "span":
            for at, part in enumerate(value):
                if isinstance(part, Node):
                    for new, said in _changes(tex, part, letters, scope):
                        yield replace(node, **{item.name: (*value[:at], new, *value[at + 1 :])}), said
