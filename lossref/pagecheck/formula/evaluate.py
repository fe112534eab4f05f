r"""What an expression is worth at a point.

A point gives every declared symbol a value.  Definitions are followed as they
are met, so a derivative taken by a defined symbol holds that symbol as the
variable, and one taken by what it is defined through goes on into it: the chain
rule as a reader applies it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import values as v
from .domains import Between, Domain, Reals
from .optimum import extremum
from .scope import Scope, Symbol
from .syntax import (
    Add,
    All,
    Big,
    Call,
    Cases,
    Chain,
    Const,
    Derivative,
    Div,
    Each,
    Elem,
    Expectation,
    Hadamard,
    Indicator,
    Integral,
    Interval,
    Limit,
    Mul,
    Nabla,
    Name,
    Neg,
    Node,
    Num,
    Optimum,
    Pow,
    Range,
    SetOf,
    Space,
    Transpose,
    Tuple,
)  # fmt: skip
from .tokens import FormulaError
from .values import ONE, ZERO, Matrix, Undefined, mp

Key = tuple  # ('plain', name) or ('family'|'entry', name, index, …)

SAME = mp.mpf(10) ** -60  # two numbers this close, relatively, are one
SETTLED = mp.mpf(10) ** -20  # a limit is known to this, relatively
DEPTH = 40  # definitions through definitions
STEPS = 200_000  # evaluations at one point: a page's formula needs hundreds


@dataclass
class Point:
    """Sizes and values: ``plain[name]`` is a number or column, ``families[base, 2][(i, j)]`` a number."""

    sizes: dict[str, int] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    families: dict[tuple[str, int], dict[tuple[int, ...], Any]] = field(default_factory=dict)
    cuts: dict[str, Any] = field(default_factory=dict)  # defined symbols that a condition holds fixed

    def key(self) -> tuple:
        """Equal for equal points."""
        families = ((key, *table.items()) for key, table in self.families.items())
        return (*self.sizes.items(), *self.plain.items(), *families, *self.cuts.items())


FUNCTIONS: dict[str, Callable] = {
    "log": v.log, "exp": v.exp, "sqrt": v.sqrt, "sin": v.sin, "cos": v.cos, "tanh": v.tanh, "sinh": v.sinh,
    "cosh": v.cosh, "arctan": v.arctan, "erf": v.erf, "gamma": v.gamma, "digamma": v.digamma,
    "trigamma": v.trigamma, "sigmoid": v.sigmoid, "softplus": v.softplus, "sign": v.sign, "abs": v.absolute,
    "softmax": v.softmax, "diag": v.diag, "tr": v.trace, "clip": v.clip, "norm": v.norm,
    "norm1": lambda a: v.norm(a, 1), "inner": v.inner,
}  # fmt: skip


class Evaluator:
    """Evaluates at one point.  ``scale`` grows to the largest summand met: the yardstick for 'equals 0'.

    What was computed once is kept with all that it was computed from, so that holding a symbol at another value
    costs only what depends on it.
    """

    def __init__(self, scope: Scope, point: Point):
        self.scope = scope
        self.point = point
        self.overrides: dict[Key, Any] = {("plain", name): value for name, value in point.cuts.items()}
        self.memo: dict[Key, tuple[Any, frozenset[Key]]] = {}
        self.reads: set[Key] = set()
        self.running: set[str] = set()  # variables that take so many values that none is met again
        self.magnitude: int | None = None
        self.depth = 0
        self.steps = 0

    @property
    def scale(self):
        """A power of two above the largest summand met."""
        return ZERO if self.magnitude is None else mp.ldexp(1, self.magnitude)

    # ---- what is known already ----

    def remembered(self, key: Key, compute: Callable):
        """What ``compute`` gives, computed once."""
        found = self.memo.get(key)
        if found is None:
            outer, self.reads = self.reads, {key}
            try:
                value = compute()
            finally:
                reads, self.reads = self.reads, outer
                self.reads |= reads
            found = self.memo[key] = (value, frozenset(reads))
        else:
            self.reads |= found[1]
        return found[0]

    @contextmanager
    def override(self, key: Key, value):
        """Hold a symbol at ``value``; whatever was computed from it is forgotten meanwhile."""
        outer = self.memo
        self.memo = _independent(outer, key)
        missing = object()
        before = self.overrides.get(key, missing)
        self.overrides[key] = value
        try:
            yield
        finally:
            outer.update(_independent(self.memo, key))
            self.memo = outer
            if before is missing:
                del self.overrides[key]
            else:
                self.overrides[key] = before

    @contextmanager
    def precision(self, digits: int):
        """Compute with other digits for a while, and remember nothing of it."""
        outer, self.memo = self.memo, {}
        try:
            with v.precision(digits):
                yield
        finally:
            self.memo = outer

    # ---- symbols ----

    def plain(self, name: str):
        key = ("plain", name)
        self.reads.add(key)
        if key in self.overrides:
            value = self.overrides[key]
            return self._entries_overridden(name, value) if isinstance(value, Matrix) else value
        return self.remembered(key, lambda: self._plain(name))

    def _plain(self, name: str):
        symbol = self.scope.plain[name]
        if symbol.kind == "size":
            if name not in self.point.sizes:
                raise FormulaError(f"the size `{name}` is not known here", fix="give the size as a number")
            return mp.mpf(self.point.sizes[name])
        if symbol.kind == "index":
            raise FormulaError(
                f"the index `{name}` is not bound here", fix="does the sum end before it? use brackets"
            )
        if symbol.definition is not None:
            value = self.defined(symbol, {})
        elif name in self.point.plain:
            value = self.point.plain[name]
        else:
            raise FormulaError(f"`{name}` has no value here")
        return self._entries_overridden(name, value) if isinstance(value, Matrix) else value

    def _entries_overridden(self, name: str, value: Matrix) -> Matrix:
        changed = {key[2:]: x for key, x in self.overrides.items() if key[:2] == ("entry", name)}
        if not changed:
            return value
        return Matrix(
            tuple(
                tuple(changed.get((i, j) if value.shape[1] > 1 else (i,), x) for j, x in enumerate(row, 1))
                for i, row in enumerate(value.rows, 1)
            )
        )

    def element(self, symbol: Symbol, index: tuple[int, ...]):
        """One member of a family."""
        key = ("family", symbol.key, *index)
        self.reads |= {key, key[:2]}
        if key in self.overrides:
            return self.overrides[key]
        return self.remembered(key, lambda: self._element(symbol, index))

    def _element(self, symbol: Symbol, index: tuple[int, ...]):
        for i, size in zip(index, symbol.shape, strict=False):
            if not 1 <= i <= self.size(size):
                said = f"index {i} of `{symbol.name}` lies outside 1..{self.size(size)}"
                raise Undefined(said, "is this the index of another size, or shifted by one?")
        if symbol.definition is not None:
            return self.defined(symbol, dict(zip(symbol.indices, map(mp.mpf, index), strict=False)))
        return self.point.families[symbol.key][index]

    def defined(self, symbol: Symbol, env: dict):
        self.depth += 1
        if self.depth > DEPTH:
            raise FormulaError(f"the definition of `{symbol.name}` leads back to itself", fix="define one by the other")
        try:
            return self.eval(symbol.definition.body, env)
        finally:
            self.depth -= 1

    def size(self, name: str) -> int:
        return int(name) if name.isdigit() else self.point.sizes[name]

    def whole_family(self, symbol: Symbol) -> Matrix:
        lengths = [self.size(s) for s in symbol.shape]
        if len(lengths) == 1:
            return v.column(self.element(symbol, (i,)) for i in range(1, lengths[0] + 1))
        if len(lengths) == 2:
            return Matrix(
                tuple(
                    tuple(self.element(symbol, (i, j)) for j in range(1, lengths[1] + 1))
                    for i in range(1, lengths[0] + 1)
                )
            )
        raise FormulaError(f"`{symbol.name}` has more than two indices: write them")

    # ---- expressions ----

    def eval(self, node: Node, env: dict):
        self.steps += 1
        if self.steps > STEPS:
            raise FormulaError(
                "takes too long to evaluate", *node.span, "use smaller sizes, or define parts of it"
            )
        kind = type(node)
        if kind in _REMEMBERED:
            # The same expression occurs once for every index around it, mostly with nothing of it inside.
            locals_ = [name for name in node.names if name in env]
            if not any(name in self.running or type(env[name]) is not mp.mpf for name in locals_):
                key = ("node", id(node), *(env[name]._mpf_ for name in locals_))
                return self.remembered(key, lambda: _RULES[kind](self, node, env))
        return _RULES[kind](self, node, env)

    def number(self, node: Node, env: dict):
        value = v.real(self.eval(node, env))
        if isinstance(value, Matrix):
            raise v.WrongShape("a number is wanted here, not a vector")
        return value

    def integer(self, node: Node, env: dict) -> int:
        value = env.get(node.name) if type(node) is Name else None
        if type(value) is not mp.mpf:
            value = self.number(node, env)
        sign, digits, exponent, _ = value._mpf_  # an odd number of halves, quarters, … or infinity, if negative
        if exponent < 0:
            raise Undefined(f"an index must be an integer, got {v.show(value)}")
        return int(-digits if sign else digits) << exponent

    def _Num(self, node: Num, env):
        return v.literal(node.text)

    def _Const(self, node: Const, env):
        return {"e": +mp.e, "pi": +mp.pi, "inf": mp.inf}[node.name]

    def _Name(self, node: Name, env):
        if node.name in env:
            return env[node.name]
        if node.name in self.scope.plain:
            return self.plain(node.name)
        return self.whole_family(self.scope.family(node.name))

    def _Elem(self, node: Elem, env):
        index = tuple(self.integer(i, env) for i in node.indices)
        base = node.base
        if isinstance(base, Name) and base.name not in env:
            family = self.scope.family(base.name, len(index))
            if family is not None:
                return self.element(family, index)
        value = self.eval(base, env)
        if not isinstance(value, Matrix):
            raise v.WrongShape("an element is taken of something that is one number")
        if len(index) == 1 and not value.is_vector and 11 <= index[0] <= 99:
            index = divmod(index[0], 10)  # J_{12} of a matrix is its element 1, 2
        row, col = (index[0], 1) if len(index) == 1 and value.is_vector else (*index, 0)[:2]
        if not (1 <= row <= value.shape[0] and 1 <= col <= value.shape[1]):
            said = f"element {', '.join(map(str, index))} lies outside the {value.shape[0]}×{value.shape[1]} shape"
            raise Undefined(said, "is this the index of another size, or shifted by one?")
        return value.rows[row - 1][col - 1]

    def _Neg(self, node: Neg, env):
        return v.neg(self.eval(node.value, env))

    def _Add(self, node: Add, env):
        return self.sum(self.eval(term, env) for term in node.terms)

    def sum(self, items):
        result = None
        for item in items:
            self._measure(item)
            result = item if result is None else v.add(result, item)
        return ZERO if result is None else result

    def _measure(self, value) -> None:
        for x in value.entries() if isinstance(value, Matrix) else (value,):
            _, digits, exponent, bits = v.real(x)._mpf_
            if digits and (self.magnitude is None or exponent + bits > self.magnitude):
                self.magnitude = exponent + bits

    def _Mul(self, node: Mul, env):
        result = None
        undefined = None
        for factor in node.factors:
            try:
                value = self.eval(factor, env)
            except Undefined as error:
                # 0·log 0 = 0, on pages that say so, and 0·log(1/0); but 0·(1/0 - 1) is no logarithm.
                logarithm = str(error) == "log of 0" or (
                    str(error) == "division by 0" and isinstance(factor, Call) and factor.name == "log"
                )
                if "0 log 0 = 0" not in self.scope.conventions or not logarithm:
                    raise
                undefined = error
                continue
            result = value if result is None else v.mul(result, value)
        if undefined is not None:
            if result is None or not v.is_zero(result):
                raise undefined
            return ZERO
        return result

    def _Hadamard(self, node: Hadamard, env):
        left, right = self.eval(node.left, env), self.eval(node.right, env)
        if not (isinstance(left, Matrix) and isinstance(right, Matrix)):
            raise v.WrongShape("\\odot multiplies two vectors entry by entry")
        return left.zip(right, v.mul)

    def _Div(self, node: Div, env):
        return v.div(self.eval(node.top, env), self.eval(node.bottom, env))

    def _Pow(self, node: Pow, env):
        if isinstance(node.base, Const) and node.base.name == "e":
            return v.exp(self.eval(node.exponent, env))
        return v.power(self.eval(node.base, env), self.eval(node.exponent, env))

    def _Transpose(self, node: Transpose, env):
        value = self.eval(node.value, env)
        return value.transposed() if isinstance(value, Matrix) else value

    def _Tuple(self, node: Tuple, env):
        items = [self.eval(item, env) for item in node.items]
        if all(isinstance(x, Matrix) and x.is_vector for x in items):
            return Matrix(tuple(tuple(x.entries()) for x in items))
        if any(isinstance(x, Matrix) for x in items):
            raise v.WrongShape("a list holds numbers, or vectors of one length")
        return v.column(items)

    def _Call(self, node: Call, env):
        symbol = self.scope.find(node.name)
        if symbol is not None and symbol.kind == "function":
            self.reads.add(("plain", node.name))
            parameters = symbol.definition.parameters
            args = [self.eval(a, env) for a in node.args]
            return self.differentiated(
                lambda x: self.defined(
                    symbol, {**dict(zip(parameters, args, strict=False)), parameters[0]: x}
                ),
                args[0],
                node.order,
            )
        args = [self.eval(a, env) for a in node.args]
        if node.name in ("max", "min"):
            items = args[0].entries() if len(args) == 1 and isinstance(args[0], Matrix) else args
            return (v.largest if node.name == "max" else v.smallest)(items)
        if node.name == "kronecker":
            return ONE if v.real(args[0]) == v.real(args[1]) else ZERO
        function = FUNCTIONS[node.name]
        if node.order:
            return self.differentiated(function, args[0], node.order)
        return function(*args)

    def differentiated(self, function: Callable, x, order: int):
        if order == 0:
            return function(x)
        if isinstance(x, Matrix):
            raise v.WrongShape("a prime differentiates by a number, not by a vector")
        tag = v.new_tag()
        return v.part(self.differentiated(function, v.seed(x, tag), order - 1), tag)

    # ---- derivatives ----

    def _Derivative(self, node: Derivative, env):
        return self.derive(node.of, list(node.by), env)

    def derive(self, of: Node, by: list[Node], env: dict):
        if not by:
            return self.eval(of, env)
        variable, rest = by[0], by[1:]
        if isinstance(variable, Name) and variable.name in env:
            tag = v.new_tag()
            inner = {**env, variable.name: v.seed(env[variable.name], tag)}
            return v.part(self.derive(of, rest, inner), tag)
        with self.varied(variable, env) as (key, tag):
            reads, self.reads = self.reads, set()
            result = self.derive(of, rest, env)
        touched = key[:2] in self.reads or ("plain" if key[0] == "entry" else key[0], key[1]) in self.reads
        self.reads |= reads
        if not touched:
            name = key[1][0] if key[0] == "family" else key[1]
            raise FormulaError(
                f"what is differentiated does not depend on `{name}` through the page's definitions",
                *variable.span,
                "define it through that symbol, or differentiate by the one it is written in",
            )
        return v.part(result, tag)

    @contextmanager
    def varied(self, variable: Node, env: dict):
        """Let a symbol carry a derivative along: its key, and the tag of what it carries."""
        tag = v.new_tag()
        key, value = self.variable(variable, env)
        with self.override(key, v.seed(value, tag)):
            yield key, tag

    def variable(self, node: Node, env: dict) -> tuple[Key, Any]:
        """The key and present value of what is differentiated by."""
        if isinstance(node, Name):
            value = self.eval(node, env)
            if isinstance(value, Matrix):
                raise FormulaError(
                    f"`{node.name}` is a vector", *node.span, "write \\nabla_{z} or \\partial z_i"
                )
            return ("plain", node.name), value
        assert isinstance(node, Elem) and isinstance(node.base, Name)
        index = tuple(self.integer(i, env) for i in node.indices)
        family = self.scope.family(node.base.name, len(index))
        if family is not None:
            return ("family", family.key, *index), self.element(family, index)
        return ("entry", node.base.name, *index), self.eval(node, env)

    def _Nabla(self, node: Nabla, env):
        """Entry by entry through ``derive``, so that a vector and its components cannot disagree."""
        value = self.eval(node.by, env)
        if not isinstance(node.by, Name) or not isinstance(value, Matrix) or not value.is_vector:
            raise FormulaError("\\nabla is taken by a vector", *node.by.span)
        entries = [Elem(node.by, (Num(str(i)),), span=node.by.span) for i in range(1, value.shape[0] + 1)]
        if node.order == 1:
            return v.column(self.derive(node.of, [a], env) for a in entries)
        return Matrix(tuple(tuple(self.derive(node.of, [a, b], env) for b in entries) for a in entries))

    # ---- operators over a range ----

    def indices(self, node: Range, env: dict) -> list:
        if isinstance(node.low, SetOf):
            items = self.set_items(node.low, env)
        else:
            low, high = self.integer(node.low, env), self.integer(node.high, env)
            if high < low - 1:  # one below is the empty sum of a recursion's beginning
                said = f"`{node.index}` runs from {low} to {high}, over nothing"
                raise Undefined(said, "look at the two ends of the range")
            if high - low > 10_000:
                raise Undefined(f"a sum over {high - low} terms is too long to check")
            items = [mp.mpf(i) for i in range(low, high + 1)]
        if node.where is None:
            return items
        return [i for i in items if self.holds(node.where, {**env, node.index: i})]

    def set_items(self, node: SetOf, env: dict) -> list:
        items = [self.number(item, env) for item in node.items]
        if node.dots:
            return [mp.mpf(i) for i in range(int(items[0]), int(items[-1]) + 1)]
        return items

    def _Big(self, node: Big, env):
        items = [self.eval(node.body, {**env, node.range.index: i}) for i in self.indices(node.range, env)]
        if node.op == "sum":
            return self.sum(items)
        if node.op == "prod":
            result = ONE
            for item in items:
                result = v.mul(result, item)
            return result
        if not items:
            raise Undefined(f"\\{node.op} over nothing")
        return (v.largest if node.op == "max" else v.smallest)(items)

    def _Each(self, node: Each, env):
        return v.column(
            self.eval(node.body, {**env, node.range.index: i}) for i in self.indices(node.range, env)
        )

    def _Cases(self, node: Cases, env):
        for value, condition in node.branches:
            if condition is None or self.holds(condition, env):
                return self.eval(value, env)
        raise Undefined("no case applies")

    def _Indicator(self, node: Indicator, env):
        return ONE if self.holds(node.condition, env) else ZERO

    # ---- limits, optima, integrals ----

    def along(self, variable: str, body: Node, env: dict) -> Callable:
        """``body`` as a function of one variable, a local or a symbol of the page."""

        def function(x):
            if variable in env or variable not in self.scope.plain:
                before, self.running = self.running, self.running | {variable}
                try:
                    return self.eval(body, {**env, variable: x})
                finally:
                    self.running = before
            with self.override(("plain", variable), x):
                return self.eval(body, env)

        return function

    def _Limit(self, node: Limit, env):
        function = self.along(node.variable, node.body, env)
        to = self.number(node.to, env)
        if mp.isinf(to):
            return self.settled(lambda step: function(mp.sign(to) * step))
        sides = [node.side] if node.side else self.sides(node.variable, to)
        found = [self.settled(lambda step, s=side: function(to + mp.mpf(f"{s}1") / step)) for side in sides]
        if self.largest_gap(found[0], found[-1]) > SETTLED:
            raise Undefined("the limits from the left and from the right differ", "write 0^+ or 0^-")
        return found[0]

    def sides(self, variable: str, to) -> list[str]:
        """From where a declared symbol can come near a value."""
        symbol = self.scope.find(variable)
        domain = symbol.domain if symbol is not None else None
        if not isinstance(domain, Between):
            return ["+", "-"]
        return [side for side, end in (("+", domain.high), ("-", domain.low)) if to != end]

    def settled(self, at: Callable):
        """The value as far out as it can be computed, where going three times as far changes it no more."""
        why = ""
        for power in range(30, 3, -2):
            try:
                a, b = at(mp.mpf(10) ** power), at(3 * mp.mpf(10) ** power)
            except Undefined as error:
                why = why or f", where it has no value: {error}"
                continue
            if self.largest_gap(a, b) < SETTLED:
                return b
        said = f"the limit does not settle; it was tried from 10^30 down to 10^4{why}"
        raise Undefined(said, "is there a limit? if so, write what stands under it so that it tends faster")

    @staticmethod
    def largest_gap(a, b):
        pairs = zip(a.entries(), b.entries(), strict=False) if isinstance(a, Matrix) else [(a, b)]
        return max(abs(v.real(x) - v.real(y)) / max(1, abs(v.real(y))) for x, y in pairs)

    def _Optimum(self, node: Optimum, env):
        domain = self.scope.plain[node.variable].domain if node.domain is None else domain_of(node.domain)
        if domain is None:
            raise FormulaError("the domain must be an interval with numbers as ends", *node.domain.span)
        sign = -1 if node.op.endswith("max") else 1
        function = self.along(node.variable, node.body, env)
        place = node.op.startswith("arg")
        where = extremum(lambda x: v.mul(mp.mpf(sign), function(x)), domain, self.precision, alone=place)
        return where if place else function(where)

    def _Integral(self, node: Integral, env):
        function = self.along(node.variable, node.body, env)
        return self.integrate(
            lambda x: v.real(function(x)), [self.number(node.low, env), self.number(node.high, env)]
        )

    def integrate(self, function: Callable, ends: list):
        with self.precision(20):
            value, error = mp.quad(function, ends, error=True)
        if error > mp.mpf(10) ** -15 * max(1, abs(value)):
            raise Undefined("the integral does not settle numerically")
        return value

    def _Expectation(self, node: Expectation, env):
        function = self.along(node.variable, node.body, env)
        args = [self.eval(p, env) for p in node.parameters]
        if node.law == "Bernoulli":
            weights = [v.sub(ONE, args[0]), args[0]]
            self.probabilities(weights)
            return self.sum(v.mul(w, function(mp.mpf(x))) for x, w in enumerate(weights))
        if node.law == "Categorical":
            if not isinstance(args[0], Matrix):
                raise v.WrongShape("Categorical(p) wants a vector of probabilities")
            self.probabilities(args[0].entries())
            return self.sum(v.mul(w, function(mp.mpf(k))) for k, w in enumerate(args[0].entries(), 1))
        centre, spread = (self.number(p, env) for p in node.parameters)
        if spread <= 0:
            raise Undefined(f"a spread of {v.show(spread)}", "the second parameter is the spread: is the order right?")
        if node.law == "Normal":
            return self.gaussian(lambda t: v.real(function(centre + mp.sqrt(spread) * t)))
        return self.integrate(
            lambda t: v.real(function(centre + spread * t)) * mp.exp(-abs(t)) / 2, [-mp.inf, 0, mp.inf]
        )

    @staticmethod
    def probabilities(weights: Iterable) -> None:
        values = [v.real(w) for w in weights]
        wrong = next((p for p in values if not 0 <= p <= 1), None)
        if wrong is not None:
            raise Undefined(f"a probability of {v.show(wrong)}")
        if abs(mp.fsum(values) - 1) > mp.mpf(10) ** -12:
            raise Undefined(f"probabilities whose sum is {v.show(mp.fsum(values))}")

    def gaussian(self, function: Callable):
        """The mean over the standard normal distribution.

        Where the function is smooth, plain sums at equal steps converge faster than any power of the step.
        """

        def weighted(t):
            return function(t) * mp.exp(-t * t / 2) / mp.sqrt(2 * mp.pi)

        with self.precision(25):
            step = mp.mpf(1) / 4
            whole = [mp.fsum(weighted(mp.mpf(k) * step) for k in range(first, 49, 2)) for first in (-48, -47)]
            coarse, fine = 2 * step * whole[0], step * (whole[0] + whole[1])
        if abs(coarse - fine) <= mp.mpf(10) ** -18 * max(1, abs(fine)):
            return fine
        return self.integrate(weighted, [-mp.inf, 0, mp.inf])

    # ---- conditions ----

    def holds(self, node: Node, env: dict) -> bool:
        if isinstance(node, All):
            return all(self.holds(item, env) for item in node.items)
        assert isinstance(node, Chain)
        return all(
            self.related(left, relation, right, env)
            for left, relation, right in zip(node.sides, node.relations, node.sides[1:], strict=False)
        )

    def related(self, left: Node, relation: str, right: Node, env: dict) -> bool:
        if relation == "\\in":
            return self.member(self.eval(left, env), right, env)
        return compare(self.eval(left, env), relation, self.eval(right, env))

    def member(self, value, node: Node, env: dict) -> bool:
        if isinstance(node, Space):
            shape = tuple(self.integer(s, env) for s in node.shape)
            return (value.shape == (*shape, 1)[:2]) if isinstance(value, Matrix) else not shape
        numbers = value.entries() if isinstance(value, Matrix) else [value]
        if isinstance(node, SetOf):
            items = self.set_items(node, env)
            return all(any(same(v.real(x), item) for item in items) for x in numbers)
        assert isinstance(node, Interval)
        low, high = self.number(node.low, env), self.number(node.high, env)
        return all(
            (low <= v.real(x) if node.low_closed else low < v.real(x))
            and (v.real(x) <= high if node.high_closed else v.real(x) < high)
            for x in numbers
        )


_RULES = {kind: getattr(Evaluator, f"_{kind.__name__}") for kind in (
    Num, Const, Name, Elem, Neg, Add, Mul, Hadamard, Div, Pow, Transpose, Tuple, Call, Derivative, Nabla, Big,
    Each, Cases, Indicator, Limit, Optimum, Integral, Expectation,
)}  # fmt: skip
_REMEMBERED = {Call, Big, Derivative, Nabla, Limit, Optimum, Integral, Expectation}


def _independent(memo: dict, key: Key) -> dict:
    """What was not computed from this symbol, nor from the vector that it is an entry of."""
    whole = ("plain", key[1]) if key[0] == "entry" else key
    return {k: kept for k, kept in memo.items() if key not in kept[1] and whole not in kept[1]}


def domain_of(node: Node) -> Domain | None:
    """The domain a written set stands for, when its ends are plain numbers."""
    if isinstance(node, Space) and not node.shape:
        return Reals()
    if not isinstance(node, Interval) or any(isinstance(x, Name) for x in node.walk()):
        return None
    blank = Evaluator(Scope(), Point())
    low, high = blank.number(node.low, {}), blank.number(node.high, {})
    return Between("", float(low), float(high), node.low_closed, node.high_closed)


def same(a, b) -> bool:
    return bool(a == b or abs(a - b) <= SAME * max(abs(a), abs(b)))


def compare(a, relation: str, b) -> bool:
    if isinstance(a, Matrix) or isinstance(b, Matrix):
        if not (isinstance(a, Matrix) and isinstance(b, Matrix)) or a.shape != b.shape:
            raise v.WrongShape("two things of different shape are compared")
        pairs = list(zip(a.entries(), b.entries(), strict=False))
        if relation == "\\ne":
            return any(compare(x, relation, y) for x, y in pairs)
        return all(compare(x, relation, y) for x, y in pairs)
    a, b = v.real(a), v.real(b)
    equal = same(a, b)
    return {
        "=": equal,
        "\\ne": not equal,
        "<": a < b and not equal,
        ">": a > b and not equal,
        "\\le": a < b or equal,
        "\\ge": a > b or equal,
    }[relation]
