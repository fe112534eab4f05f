"""The symbols of a page: what the front matter declares and what formulas define.

``z`` (one number), ``z_n`` (a family over the index n), ``z_{nc}`` (one over two
indices) and ``f(z)`` (a function) are kept apart by how they are written.  A
symbol is introduced once; whatever is written in a formula must be found here,
or it is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from .domains import Domain, parse_domain
from .syntax import Definition, Node
from .tokens import FormulaError

# What may be called without declaring it, and how many arguments it takes (None: any number).
FUNCTIONS = {
    "log": 1, "exp": 1, "sqrt": 1, "sin": 1, "cos": 1, "tanh": 1, "sinh": 1, "cosh": 1, "arctan": 1,
    "erf": 1, "gamma": 1, "digamma": 1, "trigamma": 1, "sigmoid": 1, "softplus": 1, "sign": 1, "abs": 1,
    "softmax": 1, "diag": 1, "tr": 1, "clip": 3, "max": None, "min": None, "kronecker": 2,
    "norm": 1, "norm1": 1, "inner": 2,
}  # fmt: skip

LARGEST = 1000  # size at which a claim is tried

CONSTANTS = {"e": "e", "\\pi": "pi", "\\infty": "inf", "\\operatorname{e}": "e"}


@dataclass
class Symbol:
    """One declared or defined symbol; ``kind`` is size, index, scalar, vector, family or function."""

    name: str
    kind: str
    domain: Domain | None = None
    shape: tuple[str, ...] = ()  # names of sizes (or digits)
    indices: tuple[str, ...] = ()  # a family's index letters
    sizes: tuple[int, ...] = ()
    definition: Definition | None = None
    where: int = 0  # offset in the page of what introduced it
    uses: int = 0
    held: bool = False  # used in more than denials, a \ne b

    @property
    def written(self) -> str:
        """As an author writes it: ``z``, ``z_n``, ``z_{nc}``."""
        if self.kind != "family":
            return self.name
        letters = "".join(self.indices)
        return f"{self.name}_{letters}" if len(letters) == 1 else f"{self.name}_{{{letters}}}"

    @property
    def key(self) -> tuple[str, int]:
        """What tells families of one name apart."""
        return self.name, len(self.indices)


@dataclass
class Scope:
    plain: dict[str, Symbol] = field(default_factory=dict)
    families: dict[tuple[str, int], Symbol] = field(default_factory=dict)  # by name and number of indices
    conventions: tuple[str, ...] = ()

    # ---- looking up ----

    def find(self, name: str) -> Symbol | None:
        return self.plain.get(name)

    def family(self, base: str, rank: int | None = None) -> Symbol | None:
        """The family ``base`` with that many indices; without ``rank``, the only one of that name."""
        if rank is not None:
            return self.families.get((base, rank))
        named = self.ranks(base)
        return self.families[base, named[0]] if len(named) == 1 else None

    def ranks(self, base: str) -> list[int]:
        return [rank for name, rank in self.families if name == base]

    def is_function(self, name: str) -> bool:
        symbol = self.plain.get(name)
        return symbol is not None and symbol.kind == "function"

    def size_of_index(self, name: str) -> str | None:
        symbol = self.plain.get(name)
        return symbol.shape[0] if symbol is not None and symbol.kind == "index" else None

    def all(self) -> list[Symbol]:
        return [*self.plain.values(), *self.families.values()]

    def suggestion(self, name: str) -> str:
        known = list(self.plain) + [f"{base}_{','.join(s.indices)}" for (base, _), s in self.families.items()]
        close = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean `{close[0]}`? Otherwise " if close else ""
        return f"{hint}declare it under `symbols:` in the front matter or define it with `:=`"

    def vocabulary(self) -> frozenset:
        """What the meaning of TeX depends on: which symbols there are, of what kind, and not their values."""
        count = (len(self.plain), len(self.families))
        if self._vocabulary[0] != count:
            words = (
                (*(s.name, s.kind, s.shape, s.indices, s.domain is None), s.definition and s.definition.parameters)
                for s in self.all()
            )
            self._vocabulary = (count, frozenset(words))
        return self._vocabulary[1]

    _vocabulary: tuple = field(default=((), frozenset()), compare=False, repr=False)

    # ---- introducing ----

    def add(self, symbol: Symbol, start: int = 0, end: int = 1) -> None:
        table = self.families if symbol.kind == "family" else self.plain
        key = symbol.key if symbol.kind == "family" else symbol.name
        before = table.get(key)
        if before is not None and symbol.definition is not None and before.where == symbol.where:
            before.definition = symbol.definition  # the same definition, read again
            return
        if before is not None:
            raise FormulaError(
                f"`{symbol.name}` is introduced a second time",
                start,
                end,
                "a symbol has one meaning on a page; choose another name, or `=` if this is a claim",
            )
        table[key] = symbol

    def define(self, definition: Definition, where: int) -> Symbol:
        kind = "function" if definition.parameters else "family" if definition.indices else "scalar"
        shape = tuple(self.size_of_index(i) or "" for i in definition.indices)
        symbol = Symbol(definition.name, kind, None, shape, definition.indices, (), definition, where)
        self.add(symbol, *definition.span)
        return symbol


def matter(scope: Scope, nodes: list[Node]) -> frozenset:
    """What decides the value of expressions beside themselves: every symbol they may reach, as it was introduced.

    Any word in them counts, a bound index too, so that nothing is missed; spans do not.
    """
    found: set = {scope.conventions}
    words = [word for node in nodes for word in _words(node)]
    seen: set[str] = set()
    while words:
        name = words.pop()
        if name in seen:
            continue
        seen.add(name)
        for symbol in (scope.find(name), *(scope.family(name, rank) for rank in scope.ranks(name))):
            if symbol is not None:
                shape, definition = (symbol.shape, symbol.indices, symbol.sizes), symbol.definition
                found.add((symbol.name, symbol.kind, symbol.domain, *shape, definition))
                words += [*symbol.shape, *symbol.indices, *(_words(definition) if definition else ())]
    return frozenset(found)


def _words(node: Node) -> Iterator[str]:
    for part in node.walk():
        for item in fields(part):
            value = getattr(part, item.name)
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                yield from (word for word in value if isinstance(word, str))


def declare(scope: Scope, base: str, subscript: str | None, entry: dict, where: int = 0) -> Symbol:
    """Turn one line of ``symbols:`` into a Symbol; FormulaError says what is wrong with it."""
    full = base if subscript is None else f"{base}_{subscript}"
    if not isinstance(entry, dict):
        raise FormulaError(f"`{full}`: expected a mapping such as {{in: real, meaning: …}}, got {entry!r}")
    unknown = set(entry) - {"in", "shape", "size", "index", "meaning"}
    if unknown:
        raise FormulaError(
            f"`{full}`: unknown key {sorted(unknown)[0]!r}", fix="known keys: in, shape, size, index, meaning"
        )
    kinds = [key for key in ("size", "index", "in") if key in entry]
    if len(kinds) != 1:
        raise FormulaError(
            f"`{full}`: exactly one of `in:`, `index:`, `size:` says what it is; got {kinds or 'none'}"
        )
    if "size" in entry:
        sizes = entry["size"] if isinstance(entry["size"], list) else [entry["size"]]
        if not sizes or not all(isinstance(s, int) and s > 0 for s in sizes):
            raise FormulaError(f"`{full}`: `size:` wants positive integers, got {entry['size']!r}")
        if max(sizes) > LARGEST:
            raise FormulaError(f"`{full}`: a size to try is at most {LARGEST}, got {max(sizes)}")
        symbol = Symbol(full, "size", sizes=tuple(sizes), where=where)
    elif "index" in entry:
        symbol = Symbol(full, "index", shape=(_size(scope, full, entry["index"]),), where=where)
    else:
        if isinstance(entry["in"], dict):
            text = ", ".join(map(str, entry["in"]))
            raise FormulaError(
                f"`{full}`: without quotes YAML takes {{{text}}} for a mapping", fix=f'quote the set: in: "{{{text}}}"'
            )
        try:
            domain = parse_domain(entry["in"])
        except ValueError as error:
            raise FormulaError(f"`{full}`: {error}") from None
        letters = tuple(subscript.split(",")) if subscript and "," in subscript else tuple(subscript or "")
        if subscript and "shape" not in entry and all(scope.size_of_index(i) for i in letters):
            shape = tuple(scope.size_of_index(i) or "" for i in letters)
            symbol = Symbol(base, "family", domain, shape, letters, where=where)
        else:
            shape = entry.get("shape", [])
            shape = tuple(_size(scope, full, s) for s in (shape if isinstance(shape, list) else [shape]))
            symbol = Symbol(full, "vector" if shape else "scalar", domain, shape, where=where)
        if domain.vector and not symbol.shape:
            raise FormulaError(f"`{full}`: {domain.text} needs a shape", fix="shape: [C]")
    scope.add(symbol)
    return symbol


def _size(scope: Scope, owner: str, value) -> str:
    if isinstance(value, int) and value > 0:
        return str(value)
    symbol = scope.find(str(value))
    if symbol is None or symbol.kind != "size":
        raise FormulaError(f"`{owner}`: {value!r} is not a size", fix="declare it above with `size: [2, 3]`")
    return str(value)
