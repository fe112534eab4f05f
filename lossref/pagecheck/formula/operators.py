r"""Fractions, derivatives and what binds a variable: sums, optima, limits, integrals, expectations.

Each command of the notation that is more than a symbol or a function has its
method here, and one line in ``COMMANDS``.
"""

from __future__ import annotations

from .parser import CLOSERS, GREEK, Parser
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
    Expectation,
    Indicator,
    Integral,
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
)  # fmt: skip
from .tokens import FormulaError, Token, UnknownSymbol


class Operators(Parser):
    """The parser with its commands."""

    def command(self) -> Node | None:
        handler = COMMANDS.get(self.token.text)
        return None if handler is None else handler(self)

    def operatorname(self) -> Node:
        here, start = self.i, self.token.start
        name, _ = self.base()
        word = name[len("\\operatorname{") : -1]
        if word in ("argmin", "arg\\min", "argmax", "arg\\max"):
            return self.optimum("arg" + word[-3:], start)
        self.i = here
        if self._is_differential():
            raise self.error("a differential outside an integral", "write \\int … \\mathrm d x")
        return self.symbol()

    # ---- fractions and derivatives ----

    def frac(self) -> Node:
        start = self.take().start
        if self._starts_derivative():
            return self.derivative(start)
        top, bottom = self.argument(), self.argument()
        return Div(top, bottom, span=self.span(start))

    def argument(self) -> Node:
        """A TeX argument: ``{…}`` or one token (``\\frac12``)."""
        if self.accept("{"):
            value = self.expression()
            self.expect("}", "to close the group")
            return value
        token = self.token
        if token.kind == "number" and len(token.text) > 1:
            # \frac12 is one half: TeX takes single digits.
            first = Token("number", token.text[0], token.start, token.start + 1)
            rest = Token("number", token.text[1:], token.start + 1, token.end)
            self.tokens[self.i : self.i + 1] = [first, rest]
            token = first
        if token.kind == "number":
            self.take()
            return Num(token.text, span=(token.start, token.end))
        return self.primary()

    def _starts_derivative(self) -> bool:
        if not self.token.is_("{"):
            return False
        first, second = self.peek(1), self.peek(2)
        if first.is_("\\partial"):
            return True
        upright = first.is_("\\mathrm") and (
            second.is_("d") or (second.is_("{") and self.peek(3).is_("d") and self.peek(4).is_("}"))
        )
        return bool(upright)

    def _take_d(self) -> bool:
        """Consume ``\\partial`` or an upright d; True for the upright one."""
        if self.accept("\\partial"):
            return False
        if self._is_differential():
            self.take()
            if self.accept("{"):
                self.take()
            self.take()
            return True
        raise self.error("expected \\partial or \\mathrm d")

    def _order(self) -> int:
        if not self.accept("^"):
            return 1
        braced = self.accept("{")
        token = self.take()
        if token.kind != "number" or not token.text.isdigit() or not 1 <= int(token.text) <= 4:
            raise self.error("the order of a derivative is a digit from 1 to 4", token=token)
        if braced:
            self.expect("}", "to close the group")
        return int(token.text)

    def derivative(self, start: int) -> Node:
        self.expect("{", "for the numerator")
        total = self._take_d()
        order = self._order()
        target, bare = None if self.token.is_("}") else self.expression(), False
        self.expect("}", "to close the numerator")
        self.expect("{", "for the denominator")
        by = self._denominator("}")
        self.expect("}", "to close the denominator")
        if target is None:
            if not (self.token.is_("(", "[", "\\left") or self.starts_factor()):
                raise self.error(
                    "nothing is differentiated", "write \\frac{\\partial f}{\\partial x} or …\\left[…\\right]"
                )
            target, bare = self._operand()
        return self.noted(self._derivative(target, by, order, total, start), bare)

    def _operand(self) -> tuple[Node, bool]:
        """What an operator in front of it differentiates, and whether it stands there without brackets."""
        bare = not self.token.is_("(", "[", "\\left")
        return self.factor(), bare

    def primary(self) -> Node:
        if self.token.is_("{") and self.peek().is_("\\partial"):
            return self.inline_derivative()
        return super().primary()

    def inline_derivative(self) -> Node:
        """``\\partial L/\\partial z_i``, ``{\\partial L}/{\\partial z_i}``."""
        start = self.token.start
        braced = self.accept("{")
        total = self._take_d()
        order = self._order()
        target = self.factor()
        if braced:
            self.expect("}", "to close the group")
        self.expect("/", "in ∂f/∂x")
        by = self._denominator("")
        return self._derivative(target, by, order, total, start)

    def _denominator(self, close: str) -> list[Node]:
        by: list[Node] = []
        braced = not close and self.token.is_("{")
        if braced:
            self.take()
        while self.token.is_("\\partial", "\\mathrm"):
            self._take_d()
            here = self.i
            variable = self.symbol()
            if not isinstance(variable, (Name, Elem)):
                raise self.error("one differentiates by a symbol", token=self.tokens[here])
            counts = self.scope.find(variable.name) if isinstance(variable, Name) else None
            if counts is not None and counts.kind in ("index", "size"):
                raise self.error(f"`{counts.name}` counts: one differentiates by a number", token=self.tokens[here])
            by.extend([variable] * self._order())
            if not close and not braced:
                break
        if braced:
            self.expect("}", "to close the group")
        if not by:
            raise self.error("expected \\partial and a symbol")
        return by

    def _derivative(self, target: Node, by: list[Node], order: int, total: bool, start: int) -> Node:
        if len(by) != order:
            raise FormulaError(
                f"the numerator says order {order}, the denominator {len(by)}",
                *self.span(start),
                "write \\partial^2 above and \\partial z^2 or \\partial z_i\\,\\partial z_j below",
            )
        return Derivative(target, tuple(by), total, span=self.span(start))

    def nabla(self) -> Node:
        start = self.take().start
        order, variable = 1, None
        for _ in range(2):
            if self.token.is_("^"):
                order = self._order()
            elif self.accept("_"):
                braced = self.accept("{")
                variable = self.symbol()
                if braced:
                    self.expect("}", "to close the group")
        if variable is None:
            raise self.error("\\nabla needs its variable", "write \\nabla_{z} f")
        if order > 2:
            raise self.error("only \\nabla and \\nabla^2 are known")
        target, bare = self._operand()
        return self.noted(Nabla(target, variable, order, span=self.span(start)), bare)

    # ---- big operators ----

    def big(self) -> Node:
        start = self.token.start
        op = self.take().text[1:]
        return self.ranged(op, start)

    def ranged(self, op: str, start: int) -> Node:
        if not self.token.is_("_"):
            raise self.error(f"\\{op} needs to say what it runs over", f"write \\{op}_{{n=1}}^{{N}}")
        ranges = self.ranges(op)
        names = [r.index for r in ranges]
        with self.binding(*names):
            ranges = [
                Range(r.index, r.low, r.high, self._where(w), span=r.span)
                for r, w in zip(ranges, self._pending_where, strict=False)
            ]
            if self.token.is_("-", "+"):
                raise self.error(f"a sign right behind \\{op}", "put the body into brackets")
            body = self.product()
        for one in reversed(ranges):
            body = Big(op, one, body, span=self.span(start))
        return body

    def ranges(self, op: str) -> list[Range]:
        """Everything under and over the operator.  Conditions are read later, with the index bound."""
        self.expect("_", "for the range")
        start = self.token.start
        braced = bool(self.accept("{"))
        found: list[Range] = []
        self._pending_where: list[int | None] = []
        while True:
            token = self.take()
            if token.kind != "letter" and token.text not in GREEK:
                raise self.error("an index is one letter", token=token)
            low: Node | None = None
            where = None
            if braced and self.accept("="):
                low = self.expression()
            elif braced and self.accept("\\in"):
                low = self.set()
            elif braced and self.token.is_("\\ne", "<", ">", "\\le", "\\ge"):
                where = self.i - 1
                self.take()
                with self.binding(token.text):
                    self.expression()
            found.append(Range(token.text, low or Num("1"), Num("0"), span=(start, self.span(start)[1])))
            self._pending_where.append(where)
            if (
                where is None
                and low is not None
                and braced
                and self.token.is_(",")
                and self.peek().text == token.text
            ):
                self.take()
                self._pending_where[-1] = self.i
                self.take()
                self.take()
                with self.binding(token.text):
                    self.expression()
            if not (braced and self.accept(",")):
                break
        if braced:
            self.expect("}", "to close the range")
        high = None
        if self.accept("^"):
            high = self.script()
            if len(found) > 1:
                raise self.error("one upper end for several indices", "write one \\sum for each index")
        complete = []
        for one in found:
            if isinstance(one.low, SetOf):
                complete.append(one)
                continue
            top = high
            if top is None:
                size = self.scope.size_of_index(one.index)
                if size is None:
                    raise self.error(
                        f"\\{op}_{one.index}: the range of `{one.index}` is not known",
                        f"write \\{op}_{{{one.index}=1}}^{{N}}, or declare `{one.index}: {{index: N}}`",
                    )
                self.uses.add(("plain", one.index))
                top = Num(size) if size.isdigit() else self.plain_name(size, one.span)
            complete.append(Range(one.index, one.low, top, span=one.span))
        return complete

    def _where(self, at: int | None) -> Node | None:
        """Read the condition that stands at token ``at`` under the operator, now that its index is bound."""
        if at is None:
            return None
        here, self.i = self.i, at
        left = self.expression()
        relation = self.take().text
        right = self.expression()
        self.i = here
        return Chain((left, right), (relation,), span=left.span)

    def extremum(self) -> Node:
        """``\\max(a, b)``, ``\\max_j z_j``, ``\\max_{p} f(p)``."""
        start = self.token.start
        op = {"\\max": "max", "\\min": "min", "\\sup": "max", "\\inf": "min"}[self.take().text]
        if not self.token.is_("_"):
            opener = self.token
            if opener.is_("\\left") and self.peek().is_("\\{", "(", "["):
                opener, sized = self._left()
            elif opener.is_("\\{", "(", "["):
                self.take()
                sized = False
            else:
                raise self.error(f"\\{op} needs brackets or a range", f"write \\{op}(a, b) or \\{op}_j z_j")
            outer, self.bars = self.bars, 0
            items = [self.expression()]
            while self.accept(","):
                items.append(self.expression())
            self.bars = outer
            self.close(CLOSERS[opener.text], sized, opener)
            if len(items) < 2 and not isinstance(items[0], (Name, Call)):
                raise self.error(f"\\{op} of one number", f"write \\{op}(a, b)")
            return Call(op, tuple(items), span=self.span(start))
        text, _ = self.subscript_text()
        letter = text.split("=")[0].split("\\in")[0].split("\\ne")[0].split(",")[0]
        symbol = self.scope.find(letter)
        if "=" in text or "\\ne" in text or (symbol and symbol.kind == "index") or "\\in\\{" in text:
            return self.ranged(op, start)
        return self.optimum(op, start)

    def arg(self) -> Node:
        start = self.take().start
        if not self.token.is_("\\min", "\\max"):
            raise self.error("\\arg wants \\min or \\max")
        return self.optimum("arg" + self.take().text[1:], start)

    def optimum(self, op: str, start: int) -> Node:
        variable, domain = self._under(op)
        body = self.product()
        return Optimum(op, variable, body, domain, span=self.span(start))

    def _under(self, op: str) -> tuple[str, Node | None]:
        """The variable under an operator, ``_{p}`` or ``_{p\\in(0,1)}``, and the domain if written."""
        self.expect("_", f"to say over what \\{op} runs")
        braced = self.accept("{")
        name, token = self.base()
        while self.token.is_("'"):
            name += self.take().text
        symbol = self.scope.find(name)
        if symbol is None or symbol.kind != "scalar":
            raise self.error(f"`{name}` must be one number of the page", self.scope.suggestion(name), token)
        self.use(name)
        domain = self.set() if braced and self.accept("\\in") else None
        if domain is None and symbol.domain is None:
            raise self.error(
                f"`{name}` is defined, so \\{op} must say where it may lie",
                f"write _{{{name}\\in(0,1)}}",
                token,
            )
        if braced:
            self.expect("}", "to close the subscript")
        return name, domain

    def limit(self) -> Node:
        start = self.take().start
        self.expect("_", "to say where the limit is taken")
        self.expect("{", "as in \\lim_{z\\to\\infty}")
        name, token = self.base()
        if self.scope.find(name) is None and name not in self.bound:
            raise UnknownSymbol(name, token.start, token.end, self.scope.suggestion(name))
        self.use(name)
        self.expect("\\to", "in \\lim_{z\\to\\infty}")
        to = self.expression()
        side = ""
        if self.accept("^"):
            braced = self.accept("{")
            side = self.take().text
            if braced:
                self.expect("}", "to close the group")
        self.expect("}", "to close the subscript")
        return Limit(name, to, side, self.product(), span=self.span(start))

    def integral(self) -> Node:
        start = self.take().start
        self.expect("_", "for the lower end")
        low = self.script()
        self.expect("^", "for the upper end")
        high = self.script()
        depth, j = 0, self.i
        while not (depth == 0 and self._differential_at(j)):
            token = self.tokens[j]
            if token.kind == "end":
                raise self.error(
                    "the integral has no \\mathrm d x",
                    "write \\int_a^b f \\,\\mathrm d x",
                    self.tokens[self.i],
                )
            depth += token.is_("{", "(") - token.is_("}", ")")
            j += 1
        variable = self.tokens[j + (4 if self.tokens[j + 1].is_("{") else 2)].text
        with self.binding(variable):
            body = self.expression()
        if not self._is_differential():
            raise self.error("expected \\mathrm d behind the integrand", "put the integrand into brackets")
        self._take_d()
        self.take()
        return Integral(variable, low, high, body, span=self.span(start))

    def _differential_at(self, j: int) -> bool:
        here, self.i = self.i, j
        found = self._is_differential()
        self.i = here
        return found

    def expectation(self, start: int) -> Node:
        """``\\mathbb E_{y\\sim\\operatorname{Bernoulli}(\\eta)}[…]``."""
        self.expect("_", "to say over what the expectation is taken")
        self.expect("{", "as in \\mathbb E_{y\\sim …}")
        variable, _ = self.base()
        self.expect("\\sim", "as in \\mathbb E_{y\\sim\\operatorname{Bernoulli}(p)}")
        word, token = self.base()
        law = word.removeprefix("\\operatorname{").rstrip("}")
        counts = {"Bernoulli": 1, "Categorical": 1, "Normal": 2, "\\mathcal{N": 2, "Laplace": 2}
        if law not in counts:
            raise self.error(
                f"unknown distribution `{word}`",
                "Bernoulli(p), Categorical(p), Normal(\\mu,\\sigma^2), Laplace(\\mu,b)",
                token,
            )
        parameters = self.arguments() or ()
        if len(parameters) != counts[law]:
            raise self.error(f"{law} takes {counts[law]} parameter(s)", token=token)
        self.expect("}", "to close the subscript")
        if not (self.token.is_("[", "\\left")):
            raise self.error("an expectation wants brackets", "write \\mathbb E_{…}[…]")
        bound = () if self.scope.find(variable) else (variable,)
        if not bound:
            self.use(variable)
        with self.binding(*bound):
            body = self.primary()
        return Expectation(
            variable, law.replace("\\mathcal{N", "Normal"), parameters, body, span=self.span(start)
        )

    def blackboard(self) -> Node:
        start = self.token.start
        if self._is_one():
            return self.indicator()
        here = self.i
        name, _ = self.base()
        if name == "\\mathbb{E}":
            return self.expectation(start)
        self.i = here
        return self.symbol()

    def _is_one(self) -> bool:
        after = self.peek()
        one = after.is_("1") or (after.is_("{") and self.peek(2).is_("1") and self.peek(3).is_("}"))
        name = self.token.text + "{1}"
        return bool(one) and self.scope.find(name) is None

    def indicator(self) -> Node:
        start = self.take().start
        self._raw_group()
        opener = self.token
        if not opener.is_("[", "(", "\\{"):
            raise self.error("an indicator wants its condition in brackets", "write \\mathbf 1[y=k]")
        self.take()
        condition = self.condition()
        self.close(CLOSERS[opener.text], False, opener)
        return Indicator(condition, span=self.span(start))

    def environment(self) -> Node:
        start = self.take().start
        name = self._raw_group()
        if name != "cases":
            raise self.error(f"environment `{name}` inside an expression", "only cases may stand here")
        branches: list[tuple[Node, Node | None]] = []
        while True:
            value = self.expression()
            self.accept(",")
            self.expect("&", "between a value and its condition")
            if self.token.kind == "text" and not self._condition_text():
                word = self.take()
                if word.text not in ("否则", "其他", "其余", "otherwise"):
                    raise self.error(
                        f"unknown condition `{word.text}`", "write the condition, or \\text{否则}", word
                    )
                branches.append((value, None))
            else:
                if self.token.kind == "text":
                    self.take()
                branches.append((value, self.condition()))
            self.accept(",", ".")
            if not self.accept("\\\\") or self.token.is_("\\end"):
                break
        self.expect("\\end", "to close the cases")
        self._raw_group()
        return Cases(tuple(branches), span=self.span(start))

    def _condition_text(self) -> bool:
        return self.token.text in ("当", "若", "如果", "if")

    def binomial(self) -> Node:
        start = self.take().start
        n, k = self.argument(), self.argument()

        def factorial(x: Node) -> Node:
            return Call("gamma", (Add((x, Num("1"))),))

        below = Mul((factorial(k), factorial(Add((n, Neg(k))))))
        return Div(factorial(n), below, span=self.span(start))

    def root(self) -> Node:
        start = self.take().start
        if self.accept("["):
            order = self.expression()
            self.expect("]", "to close the root's order")
            return Pow(self.argument(), Div(Num("1"), order), span=self.span(start))
        return Call("sqrt", (self.argument(),), span=self.span(start))

    def infinity(self) -> Node:
        token = self.take()
        return Const("inf", span=(token.start, token.end))


COMMANDS = {
    "\\frac": Operators.frac,
    "\\sqrt": Operators.root,
    "\\binom": Operators.binomial,
    "\\infty": Operators.infinity,
    "\\sum": Operators.big,
    "\\prod": Operators.big,
    "\\max": Operators.extremum,
    "\\min": Operators.extremum,
    "\\sup": Operators.extremum,
    "\\inf": Operators.extremum,
    "\\arg": Operators.arg,
    "\\lim": Operators.limit,
    "\\int": Operators.integral,
    "\\nabla": Operators.nabla,
    "\\partial": Operators.inline_derivative,
    "\\begin": Operators.environment,
    "\\operatorname": Operators.operatorname,
    "\\mathrm": Operators.operatorname,
    "\\mathbb": Operators.blackboard,
}
