r"""Proofs where they are cheap: an equality of elementary expressions, decided by exact algebra.

Both sides are brought to one rational function of independent generators and
compared.  The generators are

    E_m   = e^m for every monomial m that stands in an exponent,
    L_f   = log f for every irreducible f that stands in a logarithm,

and a symbol of (0, 1) is written t/(1+t) with t > 0.  A logarithm is split into
those of its factors only where each factor is a polynomial with positive
coefficients in positive generators, so every step is valid on the whole domain.
What does not fit (sums, limits, norms, cases, inequalities) is not proved, only
tried at points; so a proof here is one, and a refusal says nothing.
"""

from __future__ import annotations

import sympy as sp

from .domains import Between
from .scope import Scope
from .syntax import Add, Call, Const, Derivative, Div, Elem, Mul, Name, Neg, Node, Num, Pow


class NotProvable(Exception):
    """Outside the fragment that is decided here."""


LIMIT = 400  # operations in an expression; beyond it expansion may explode


def proves(scope: Scope, left: Node, right: Node) -> bool:
    """True if the two sides are equal on the whole domain; False where that is not decided."""
    prover = _Prover(scope)
    try:
        difference = prover.convert(left, {}) - prover.convert(right, {})
        if sp.count_ops(difference) > LIMIT:
            return False
        return prover.vanishes(difference)
    except (NotProvable, RecursionError, sp.PolynomialError, NotImplementedError):
        return False


class _Prover:
    def __init__(self, scope: Scope):
        self.scope = scope
        self.symbols: dict[str, sp.Expr] = {}
        self.held: dict[str, sp.Symbol] = {}  # defined symbols that a derivative holds as its variable
        self.generators: dict[tuple[str, sp.Expr], sp.Symbol] = {}
        self.fresh = 0

    # ---- syntax to SymPy ----

    def convert(self, node: Node, env: dict[str, sp.Expr]) -> sp.Expr:
        match node:
            case Num(text):
                return sp.Rational(text)
            case Const("e"):
                return sp.E
            case Const("pi"):
                return sp.pi
            case Name(name):
                return env[name] if name in env else self.symbol(name, None)
            case Elem(Name(name), indices) if name not in env:
                return self.symbol(name, tuple(self.index(i, env) for i in indices))
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
            case Call(name, args, order):
                return self.call(name, [self.convert(a, env) for a in args], order)
            case Derivative(of, by):
                return self.derivative(of, list(by), env)
        raise NotProvable

    def index(self, node: Node, env: dict) -> str:
        match node:
            case Name(name):
                return str(env.get(name, name))
            case Num(text):
                return text
        raise NotProvable

    def symbol(self, name: str, indices: tuple[str, ...] | None) -> sp.Expr:
        label = name if indices is None else f"{name}[{','.join(indices)}]"
        if label in self.held:
            return self.held[label]
        symbol = self.scope.find(name) if indices is None else self.scope.family(name, len(indices))
        if symbol is None or symbol.kind in ("vector", "function"):
            raise NotProvable
        if symbol.definition is not None:
            env = {} if indices is None else dict(zip(symbol.indices, map(sp.Symbol, indices), strict=True))
            return self.convert(symbol.definition.body, env)
        if label not in self.symbols:
            self.symbols[label] = self.declared(label, symbol)
        return self.symbols[label]

    @staticmethod
    def declared(label: str, symbol) -> sp.Expr:
        domain = symbol.domain
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

    def call(self, name: str, args: list[sp.Expr], order: int) -> sp.Expr:
        symbol = self.scope.find(name)
        if symbol is not None and symbol.kind == "function":
            parameters = symbol.definition.parameters

            def function(*values):
                return self.convert(symbol.definition.body, dict(zip(parameters, values, strict=True)))
        else:
            function = _ELEMENTARY.get(name)
        if function is None:
            raise NotProvable
        if not order:
            return function(*args)
        x = self.new()
        return sp.diff(function(x), x, order).subs(x, args[0])

    def derivative(self, of: Node, by: list[Node], env: dict) -> sp.Expr:
        if not by:
            return self.convert(of, env)
        variable = by[0]
        if isinstance(variable, Name) and variable.name not in env:
            label, value = variable.name, self.symbol(variable.name, None)
        elif isinstance(variable, Elem) and isinstance(variable.base, Name) and variable.base.name not in env:
            indices = tuple(self.index(i, env) for i in variable.indices)
            label, value = (
                f"{variable.base.name}[{','.join(indices)}]",
                self.symbol(variable.base.name, indices),
            )
        else:
            raise NotProvable
        x = self.new()
        before = self.held.get(label)
        self.held[label] = x
        try:
            inner = self.derivative(of, by[1:], env)
        finally:
            self.held.pop(label) if before is None else self.held.update({label: before})
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
        raise NotProvable

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
            for (kind, monomial), generator in self.generators.items():
                if generator == factor and kind == "E":
                    return monomial
        elif not all(c > 0 for c in sp.Poly(factor).coeffs()):
            raise NotProvable
        return self.generator("L", factor)

    def generator(self, kind: str, of: sp.Expr) -> sp.Symbol:
        """``E``: e to a monomial, positive; ``L``: the logarithm of a polynomial, real."""
        key = (kind, of)
        if key not in self.generators:
            positive = True if kind == "E" else None
            self.generators[key] = sp.Symbol(f"{kind}{len(self.generators)}", positive=positive, real=True)
        return self.generators[key]


_ELEMENTARY = {
    "log": sp.log,
    "exp": sp.exp,
    "sigmoid": lambda a: 1 / (1 + sp.exp(-a)),
    "softplus": lambda a: sp.log(1 + sp.exp(a)),
    "tanh": lambda a: 1 - 2 / (1 + sp.exp(2 * a)),
}
