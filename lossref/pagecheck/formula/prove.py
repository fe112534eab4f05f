r"""Proofs where they are cheap: an equality of elementary expressions, decided by exact algebra.

Both sides are brought to one rational function of independent generators and
compared.  The generators are

    E_m   = e^m for every monomial m that stands in an exponent,
    L_f   = log f for every irreducible f that stands in a logarithm,
    S_f   = the sum over a whole index of f, where f has no factor free of it,

and a symbol of (0, 1) is written t/(1+t) with t > 0.  A logarithm is split into
those of its factors only where each factor is a polynomial with positive
coefficients in positive generators, so every step is valid on the whole domain.

The entries of a family are independent symbols.  A sum runs over an index apart
from all others, and what it adds where it meets another one, i, is put right:
the term as it is at i, less the term as if i were any other.  Two free indices
of one size are taken as equal and as different; both must hold.

Conditions that only restrict change nothing; one that gives a symbol its value is
put in at the end, when all derivatives have been taken.  A case is decided where
its condition is one between numbers; a symbol with few values takes each.

What does not fit (limits, norms, inequalities) is not proved, only tried at
points; so a proof here is one, and a refusal says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sympy as sp

from .domains import Between, Finite, OneHot, Simplex
from .points import Given, Needs, free_names
from .scope import Scope, Symbol
from .syntax import (
    Add,
    Big,
    Call,
    Cases,
    Chain,
    Const,
    Derivative,
    Div,
    Elem,
    Mul,
    Name,
    Neg,
    Node,
    Num,
    Pow,
    Range,
)
from .tokens import FormulaError
from .values import Undefined


class NotProvable(Exception):
    """Outside the fragment that is decided here."""


class _Split(Exception):
    """A case hangs on a symbol that has few values: try each."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


LIMIT = 400  # operations in an expression; beyond it expansion may explode
SECONDS = 2.0
_REFUSED = (NotProvable, RecursionError, sp.PolynomialError, NotImplementedError, FormulaError, Undefined)


def proves(scope: Scope, left: Node, right: Node, conditions: list[Node] | tuple = ()) -> bool:
    """True if the two sides are equal wherever the conditions hold; False where that is not decided."""
    try:
        given = _values(scope, list(conditions))
        until = time.monotonic() + SECONDS
        return all(
            _proves_with(scope, left, right, _Case(given, {}, alias, until))
            for alias in _meetings(scope, [left, right])
        )
    except _REFUSED:
        return False


def _values(scope: Scope, conditions: list[Node]) -> dict[str, Node]:
    """The values that conditions give to declared numbers; the other conditions only restrict."""
    given = Given(scope, conditions)
    if given.limits:
        raise NotProvable
    found: dict[str, Node] = {}
    for left, right in given.assign:
        symbol = scope.find(left.name) if isinstance(left, Name) else None
        if symbol is None or symbol.kind != "scalar" or symbol.definition is not None or left.name in found:
            raise NotProvable
        found[left.name] = right
    for left, _ in given.choose:
        if not isinstance(left, Name) or scope.plain[left.name].definition is not None:
            raise NotProvable
    if any(free_names(value) & set(found) for value in found.values()):
        raise NotProvable
    return found


def _meetings(scope: Scope, nodes: list[Node]) -> Iterator[dict[str, str]]:
    """Which free indices of one size are the same: every possibility, as index -> representative."""
    groups: dict[str, list[str]] = {}
    for name in Needs(scope, nodes).indices:
        groups.setdefault(scope.plain[name].shape[0], []).append(name)
    if any(len(names) > 3 for names in groups.values()):
        raise NotProvable

    def partitions(names: list[str]) -> Iterator[dict[str, str]]:
        if not names:
            yield {}
            return
        for rest in partitions(names[:-1]):
            for representative in dict.fromkeys([*rest.values(), names[-1]]):
                yield {**rest, names[-1]: representative}

    def combined(sizes: list[str]) -> Iterator[dict[str, str]]:
        if not sizes:
            yield {}
            return
        for rest in combined(sizes[:-1]):
            for alias in partitions(groups[sizes[-1]]):
                yield {**rest, **alias}

    return combined(list(groups))


@dataclass(frozen=True)
class _Case:
    """What is given: values by conditions, those of symbols with few of them, which indices are one; until when."""

    given: dict[str, Node]
    fixed: dict[str, float]
    alias: dict[str, str]
    until: float


def _proves_with(scope: Scope, left: Node, right: Node, case: _Case) -> bool:
    prover = _Prover(scope, case)
    try:
        difference = prover.convert(left, {}) - prover.convert(right, {})
        difference = difference.subs(prover.substitutions())
        if sp.count_ops(difference) > LIMIT or difference.has(sp.nan, sp.zoo, sp.oo):
            return False
        return prover.vanishes(difference)
    except _Split as split:
        items = scope.plain[split.name].domain.items
        if len(case.fixed) >= 2 or len(items) > 4:
            return False
        return all(_proves_with(scope, left, right, replace(case, fixed={**case.fixed, split.name: x})) for x in items)


@dataclass(frozen=True)
class Bound:
    """A place of a size: a free index, or any place apart from the others that are spoken of.

    With `frozen` (a number of its own) it is the place `label` taken for one apart from all, itself included.
    """

    label: str
    size: str
    frozen: int = 0


@dataclass(frozen=True)
class _Vector:
    """A vector put in for a function's parameter."""

    node: Node
    env: dict


class Total(sp.Function):
    """The sum of its first argument over the index named by the second, which runs over the third."""

    def _eval_derivative(self, s):
        inner = self.args[0].diff(s)
        return Total(inner, *self.args[1:]) if inner != 0 else sp.Integer(0)


class _Prover:
    def __init__(self, scope: Scope, case: _Case):
        self.scope, self.given, self.fixed, self.alias = scope, case.given, case.fixed, case.alias
        self.until = case.until
        self.symbols: dict[str, sp.Expr] = {}
        self.entries: dict[sp.Symbol, tuple[Symbol, tuple[str, ...]]] = {}  # of families and vectors
        self.held: dict[str, sp.Symbol] = {}  # what a derivative holds as its variable
        self.generators: dict[tuple, sp.Symbol] = {}
        self.meaning: dict[sp.Symbol, tuple] = {}  # generator -> key
        self.fresh = 0
        self.depth = 0
        self.by: list[Bound] = []  # the indices of what is held

    def substitutions(self) -> dict:
        """The values of conditions and cases, for when all derivatives are taken."""
        found = {name: sp.Rational(value) for name, value in self.fixed.items()}
        found |= {name: self.convert(node, {}) for name, node in self.given.items()}
        return {self.symbols[name]: value for name, value in found.items() if name in self.symbols}

    # ---- syntax to SymPy ----

    def convert(self, node: Node, env: dict) -> sp.Expr:
        if time.monotonic() > self.until:
            raise NotProvable
        match node:
            case Num(text):
                return sp.Rational(text)
            case Const("e"):
                return sp.E
            case Const("pi"):
                return sp.pi
            case Name(name):
                if name not in env:
                    return self.symbol(name, None)
                if not isinstance(env[name], sp.Expr):
                    raise NotProvable
                return env[name]
            case Elem(Name(name), indices) if name not in env and not self.defined_vector(name, len(indices)):
                return self.symbol(name, tuple(self.index(i, env) for i in indices))
            case Elem(base, (index,)):
                return self.entry(base, self.index(index, env), env)
            case Neg(value):
                return -self.convert(value, env)
            case Add(terms):
                return sp.Add(*(self.convert(t, env) for t in terms))
            case Mul(factors):
                return sp.Mul(*(self.convert(f, env) for f in factors))
            case Div(top, bottom):
                return self.convert(top, env) / self.convert(bottom, env)
            case Pow(base, exponent):
                return self.power(self.convert(base, env), self.convert(exponent, env))
            case Call("kronecker", (a, b), 0):
                return sp.Integer(self.index(a, env) == self.index(b, env))
            case Call(name, args, order):
                return self.call(name, args, order, env)
            case Derivative(of, by):
                return self.derivative(of, list(by), env)
            case Big("sum", Range(index, low, high, None), body):
                return self.total(index, low, high, body, env)
            case Cases(branches):
                for value, condition in branches:
                    if condition is None or self.holds(condition, env):
                        return self.convert(value, env)
        raise NotProvable

    def holds(self, condition: Node, env: dict) -> bool:
        """A condition between numbers; one that hangs on a symbol of few values is put off until it has one."""
        if not isinstance(condition, Chain) or len(condition.relations) != 1:
            raise NotProvable
        left, right = (self.convert(side, env) for side in condition.sides)
        gap = (left - right).subs(self.substitutions())
        if gap.is_Rational:
            found = {"=": gap == 0, "\\ne": gap != 0, "<": gap < 0, ">": gap > 0, "\\le": gap <= 0, "\\ge": gap >= 0}
            if condition.relations[0] in found:
                return bool(found[condition.relations[0]])
        for name in sorted(map(str, gap.free_symbols)):
            symbol = self.scope.find(name)
            if symbol is not None and isinstance(symbol.domain, Finite) and symbol.kind == "scalar":
                raise _Split(name)
        raise NotProvable

    # ---- indices and sums ----

    def index(self, node: Node, env: dict) -> Bound:
        if not isinstance(node, Name):
            raise NotProvable
        if node.name in env:
            if not isinstance(env[node.name], Bound):
                raise NotProvable
            return env[node.name]
        size = self.scope.size_of_index(node.name)
        if size is None:
            raise NotProvable
        return Bound(self.alias[node.name], size)

    def total(self, index: str, low: Node, high: Node, body: Node, env: dict) -> sp.Expr:
        """A sum over a whole size: as if its index met no other, and put right where it does."""
        size = high.name if isinstance(high, Name) else high.text if isinstance(high, Num) else None
        if low != Num("1") or size is None or (isinstance(high, Name) and self.scope.plain[size].kind != "size"):
            raise NotProvable
        met = {Bound(self.alias[n], self.scope.size_of_index(n)) for n in self.alias}
        met |= {b for b in (*env.values(), *self.by) if isinstance(b, Bound)}
        self.depth += 1
        own = Bound(f"#{self.depth}", size)
        result = Total(self.convert(body, {**env, index: own}), sp.Symbol(own.label), sp.Symbol(size, positive=True))
        for other in sorted((b for b in met if b.size == size), key=lambda b: (b.label, b.frozen)):
            self.fresh += 1
            result += self.convert(body, {**env, index: other})
            result -= self.convert(body, {**env, index: Bound(other.label, size, frozen=self.fresh)})
        self.depth -= 1
        return result

    # ---- symbols ----

    def defined_vector(self, name: str, rank: int = 1) -> bool:
        """Whether the elements of a name are those of a symbol that is defined as a whole."""
        symbol = self.scope.find(name)
        defined = symbol is not None and symbol.kind == "scalar" and symbol.definition is not None
        return defined and self.scope.family(name, rank) is None

    def is_vector(self, node: Node, env: dict) -> bool:
        match node:
            case Name(name):
                if name in env:
                    return isinstance(env[name], _Vector)
                symbol = self.scope.find(name)
                if symbol is None:
                    return False
                defined = symbol.definition is not None and symbol.kind == "scalar"
                return symbol.kind == "vector" or (defined and self.is_vector(symbol.definition.body, {}))
            case Call("softmax", _, 0):
                return True
            case Add(parts) | Mul(parts):
                return any(self.is_vector(part, env) for part in parts)
            case Neg(value) | Div(value, _):
                return self.is_vector(value, env)
        return False

    def entry(self, node: Node, at: Bound, env: dict) -> sp.Expr:
        """One entry of a vector."""
        match node:
            case Name(name) if name in env:
                if not isinstance(env[name], _Vector):
                    raise NotProvable
                return self.entry(env[name].node, at, env[name].env)
            case Name(name) if self.defined_vector(name):
                if f"{name}[{at.label}]" in self.held:  # its entries are no variables of their own here
                    raise NotProvable
                return self.entry(self.scope.find(name).definition.body, at, {})
            case Name(name):
                return self.symbol(name, (at,))
            case Add(terms) if all(self.is_vector(term, env) for term in terms):
                return sp.Add(*(self.entry(term, at, env) for term in terms))
            case Neg(value):
                return -self.entry(value, at, env)
            case Div(top, bottom) if not self.is_vector(bottom, env):
                return self.entry(top, at, env) / self.convert(bottom, env)
            case Mul(factors) if sum(self.is_vector(f, env) for f in factors) == 1:
                return sp.Mul(
                    *(self.entry(f, at, env) if self.is_vector(f, env) else self.convert(f, env) for f in factors)
                )
            case Call("softmax", (inside,), 0):
                name = f"softmax index {self.depth}"
                each = Call("exp", (Elem(inside, (Name(name),)),))
                bottom = Big("sum", Range(name, Num("1"), Name(at.size)), each)
                if at.size.isdigit():
                    bottom = Big("sum", Range(name, Num("1"), Num(at.size)), each)
                return sp.exp(self.entry(inside, at, env)) / self.convert(bottom, env)
        raise NotProvable

    def symbol(self, name: str, indices: tuple[Bound, ...] | None) -> sp.Expr:
        label = name if indices is None else f"{name}[{','.join(b.label for b in indices)}]"
        frozen = indices is not None and any(b.frozen for b in indices)
        if label in self.held and not frozen:
            return self.held[label]
        symbol = self.scope.find(name) if indices is None else self.scope.family(name, len(indices))
        if symbol is None and indices is not None:
            symbol = self.scope.find(name)
            if symbol is None or symbol.kind != "vector" or len(symbol.shape) != len(indices):
                raise NotProvable
        if symbol is None or symbol.kind == "function" or (symbol.kind == "vector" and indices is None):
            raise NotProvable
        if indices is not None and any(b.size != size for b, size in zip(indices, symbol.shape, strict=True)):
            raise NotProvable
        if symbol.definition is not None:
            env = {} if indices is None else dict(zip(symbol.indices, indices, strict=True))
            return self.convert(symbol.definition.body, env)
        if symbol.kind not in ("scalar", "size", "vector", "family"):
            raise NotProvable
        if label not in self.symbols:
            self.symbols[label] = self.declared(label, symbol)
            if indices is not None:
                (own,) = self.symbols[label].free_symbols
                self.entries[own] = symbol, tuple(b.label for b in indices)
        return self.symbols[label]

    def declared(self, label: str, symbol: Symbol) -> sp.Expr:
        domain = symbol.domain
        if label in self.given or label in self.fixed:
            return sp.Symbol(label, real=True)
        if symbol.kind == "size":
            return sp.Symbol(label, positive=True)
        if isinstance(domain, Between) and not domain.low_closed:
            if (domain.low, domain.high, domain.high_closed) == (0, 1, False):
                t = sp.Symbol(label, positive=True)
                return t / (1 + t)
            if domain.low == 0 and domain.high == float("inf"):
                return sp.Symbol(label, positive=True)
        return sp.Symbol(label, real=True)

    def power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if exponent.is_Integer or base == sp.E:
            return base**exponent
        return sp.exp(exponent * sp.log(base))

    def call(self, name: str, args: tuple[Node, ...], order: int, env: dict) -> sp.Expr:
        symbol = self.scope.find(name)
        if symbol is not None and symbol.kind == "function":
            parameters, body = symbol.definition.parameters, symbol.definition.body
            values = [_Vector(a, env) if self.is_vector(a, env) else self.convert(a, env) for a in args]
            inside = dict(zip(parameters, values, strict=True))

            def function(x):
                return self.convert(body, {**inside, parameters[0]: x})

            if not order:
                return self.convert(body, inside)
        else:
            if name not in _ELEMENTARY or len(args) != 1:
                raise NotProvable
            function, values = _ELEMENTARY[name], [self.convert(args[0], env)]
            if not order:
                return function(values[0])
        x = self.new()
        return sp.diff(function(x), x, order).subs(x, values[0])

    def derivative(self, of: Node, by: list[Node], env: dict) -> sp.Expr:
        if not by:
            return self.convert(of, env)
        variable = by[0]
        if isinstance(variable, Name) and variable.name not in env:
            indices, label, value = (), variable.name, self.symbol(variable.name, None)
        elif isinstance(variable, Elem) and isinstance(variable.base, Name) and variable.base.name not in env:
            indices = tuple(self.index(i, env) for i in variable.indices)
            if self.defined_vector(variable.base.name, len(indices)) or any(b.frozen for b in indices):
                raise NotProvable
            label = f"{variable.base.name}[{','.join(b.label for b in indices)}]"
            value = self.symbol(variable.base.name, indices)
        else:
            raise NotProvable
        x = self.new()
        before = self.held.get(label)
        self.held[label] = x
        self.by += indices
        try:
            inner = self.derivative(of, by[1:], env)
        finally:
            self.held.pop(label) if before is None else self.held.update({label: before})
            del self.by[len(self.by) - len(indices) :]
        return sp.diff(inner, x).subs(x, value)

    def new(self) -> sp.Symbol:
        self.fresh += 1
        return sp.Symbol(f"x{self.fresh}", real=True)

    # ---- deciding ----

    def vanishes(self, expression: sp.Expr) -> bool:
        top, _ = sp.fraction(sp.together(self.rational(expression)))
        return sp.expand(top) == 0

    def rational(self, e: sp.Expr) -> sp.Expr:
        """The expression with every exponential and logarithm made a product or sum of generators."""
        if time.monotonic() > self.until:
            raise NotProvable
        if e.is_Rational or e.is_Symbol:
            return e
        if e == sp.E:
            return self.exponential(sp.Integer(1))
        if isinstance(e, sp.exp):
            return self.exponential(self.rational(e.args[0]))
        if isinstance(e, sp.log):
            return self.logarithm(self.rational(e.args[0]))
        if e.is_Pow and e.exp.is_Integer:
            return self.rational(e.base) ** e.exp
        if e.is_Add or e.is_Mul:
            return e.func(*map(self.rational, e.args))
        if isinstance(e, Total):
            return self.summed(self.rational(e.args[0]), str(e.args[1]), e.args[2])
        raise NotProvable

    def summed(self, body: sp.Expr, index: str, size: sp.Symbol) -> sp.Expr:
        """A sum term by term, with what does not hang on its index in front."""
        top, bottom = sp.fraction(sp.together(body))
        within, outside = self.parted(sp.factor(bottom), index)
        result = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(top)):
            inside, front = self.parted(term, index)
            result += front / outside * self.sum_of(sp.cancel(inside / within), index, size)
        return result

    def parted(self, product: sp.Expr, index: str) -> tuple[sp.Expr, sp.Expr]:
        inside, front = sp.Integer(1), sp.Integer(1)
        for factor in sp.Mul.make_args(product):
            if any(self.hangs(s, index) for s in factor.free_symbols):
                inside *= factor
            else:
                front *= factor
        return inside, front

    def hangs(self, symbol: sp.Symbol, index: str) -> bool:
        """Whether a symbol or generator has another value for another value of the index."""
        if symbol in self.entries:
            return index in self.entries[symbol][1]
        return symbol in self.meaning and any(self.hangs(s, index) for s in self.meaning[symbol][1].free_symbols)

    def sum_of(self, term: sp.Expr, index: str, size: sp.Symbol) -> sp.Expr:
        if not any(self.hangs(s, index) for s in term.free_symbols):
            return term * (sp.Integer(str(size)) if str(size).isdigit() else size)
        if term in self.entries:
            owner, labels = self.entries[term]
            if isinstance(owner.domain, (Simplex, OneHot)) and labels[-1] == index and labels.count(index) == 1:
                return sp.Integer(1)
        # The same name for the index of every sum of this height, so that equal sums are one generator.
        height = 1 + max((self.height(s) for s in term.free_symbols), default=0)
        return self.generator("S", self.renamed(term, index, f"@{height}"), str(size))

    def height(self, symbol: sp.Symbol) -> int:
        kind, of, *_ = self.meaning.get(symbol, ("", sp.Integer(0)))
        return (kind == "S") + max((self.height(s) for s in of.free_symbols), default=0)

    def renamed(self, term: sp.Expr, index: str, new: str) -> sp.Expr:
        changes = {}
        for symbol in term.free_symbols:
            if not self.hangs(symbol, index):
                continue
            if symbol in self.entries:
                owner, labels = self.entries[symbol]
                labels = tuple(new if label == index else label for label in labels)
                changes[symbol] = other = sp.Symbol(f"{owner.name}[{','.join(labels)}]", **symbol.assumptions0)
                self.entries[other] = owner, labels
            else:
                kind, of, *rest = self.meaning[symbol]
                changes[symbol] = self.generator(kind, self.renamed(of, index, new), *rest)
        return term.xreplace(changes)

    def exponential(self, exponent: sp.Expr) -> sp.Expr:
        result = sp.Integer(1)
        for term in sp.Add.make_args(sp.expand(sp.together(exponent))):
            number, monomial = term.as_coeff_Mul()
            generator = self.generator("E", monomial)
            if not number.is_Integer:
                raise NotProvable
            result *= generator**number
        return result

    def logarithm(self, argument: sp.Expr) -> sp.Expr:
        result = sp.Integer(0)
        top, bottom = sp.fraction(sp.together(argument))
        for sign, side in ((1, top), (-1, bottom)):
            number, factors = sp.factor_list(side)
            if number <= 0:
                raise NotProvable
            for prime, power in sp.factorrat(number).items():
                result += sign * power * self.generator("L", sp.Integer(prime))
            for factor, power in factors:
                result += sign * power * self.log_of(factor)
        return result

    def log_of(self, factor: sp.Expr) -> sp.Expr:
        """The logarithm of an irreducible factor that is positive everywhere."""
        if not all(s.is_positive for s in factor.free_symbols):
            raise NotProvable
        if factor.is_Symbol:
            if self.meaning.get(factor, ("",))[0] == "E":
                return self.meaning[factor][1]
        elif not all(c > 0 for c in sp.Poly(factor).coeffs()):
            raise NotProvable
        return self.generator("L", factor)

    def generator(self, kind: str, of: sp.Expr, *more: str) -> sp.Symbol:
        """``E``: e to a monomial, positive; ``L``: the logarithm of a polynomial, real; ``S``: a sum over an index."""
        key = (kind, of, *more)
        if key not in self.generators:
            positive = True if kind == "E" or (kind == "S" and of.is_positive) else None
            self.generators[key] = sp.Symbol(f"{kind}{len(self.generators)}", positive=positive, real=True)
            self.meaning[self.generators[key]] = key
        return self.generators[key]


_ELEMENTARY = {
    "log": sp.log,
    "exp": sp.exp,
    "sigmoid": lambda a: 1 / (1 + sp.exp(-a)),
    "softplus": lambda a: sp.log(1 + sp.exp(a)),
    "tanh": lambda a: 1 - 2 / (1 + sp.exp(2 * a)),
}
