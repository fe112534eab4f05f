r"""Expressions: tokens to syntax tree, by recursive descent.

Nothing is guessed.  Whether ``f(x)`` is a product or an application, and whether
``z_t`` is an element or a name, is read off the page's symbols; where a reader
could take an expression in two ways (``\log x y``, ``a/bc``) it is refused with
the brackets to write.

    expression := term (('+' | '-') term)*
    term       := '-'* factor (('\cdot' | '\times' | '/' | '\odot')? factor)*
    factor     := primary ('^' … | '_' … | '!')*
"""

from __future__ import annotations

from contextlib import contextmanager

from .scope import CONSTANTS, FUNCTIONS, Scope
from .syntax import (
    Add, All, Big, Call, Cases, Chain, Const, Derivative, Div, Elem, Expectation, Hadamard, Indicator, Integral,
    Interval, Limit, Mul, Nabla, Name, Neg, Node, Num, Optimum, Pow, Range, SetOf, Space, Transpose, Tuple,
)  # fmt: skip
from .tokens import FormulaError, Token, group_end, tokenize

GREEK = {
    "\\" + name
    for name in "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi "
    "pi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma "
    "Upsilon Phi Psi Omega ell hbar".split()
}
ACCENTS = {
    "\\hat", "\\bar", "\\tilde", "\\vec", "\\widehat", "\\widetilde", "\\overline", "\\dot",
    "\\mathbf", "\\boldsymbol", "\\mathcal", "\\mathbb", "\\mathsf", "\\mathfrak", "\\mathit", "\\mathrm",
}  # fmt: skip
BOLD = ("\\mathbf{", "\\boldsymbol{")
# \log p needs no brackets; \operatorname{softplus} does.
PREFIX = {
    "\\log": "log", "\\exp": "exp", "\\tanh": "tanh", "\\sin": "sin", "\\cos": "cos",
    "\\sinh": "sinh", "\\cosh": "cosh", "\\arctan": "arctan",
}  # fmt: skip
WORDS = {
    "softplus": "softplus", "sign": "sign", "sgn": "sign", "softmax": "softmax", "diag": "diag", "tr": "tr",
    "clip": "clip", "erf": "erf", "sigmoid": "sigmoid", "relu": "relu", "ReLU": "relu", "logsigmoid": "logsigmoid",
    "log": "log", "exp": "exp", "digamma": "digamma", "trigamma": "trigamma", "logit": "logit",
    "abs": "abs", "LSE": "lse", "logsumexp": "lse", "max": "max", "min": "min",
}  # fmt: skip
RELATIONS = {"=", "\\approx", "<", ">", "\\le", "\\ge", "\\ne", "\\in", "\\to"}
CLOSERS = {
    "(": ")",
    "[": "]",
    "\\{": "\\}",
    "\\langle": "\\rangle",
    "\\lvert": "\\rvert",
    "\\lVert": "\\rVert",
}
SEPARATORS = (",", ";", "\\mid", "\\|")


class Parser:
    """Reads one formula.  ``scope`` is read here and changed by nobody but the statements' room."""

    def __init__(self, tex: str, scope: Scope):
        self.tex = tex
        self.scope = scope
        self.tokens = tokenize(tex)
        self.i = 0
        self.bound: list[str] = []  # indices and parameters in force, innermost last
        self.bars = 0  # open | … |
        self.bare: dict[int, Node] = {}  # functions written without brackets, as in \log p
        self.uses: set[tuple[str, str]] = set()

    # ---- tokens ----

    @property
    def token(self) -> Token:
        return self.tokens[self.i]

    def peek(self, distance: int = 1) -> Token:
        return self.tokens[min(self.i + distance, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.i += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        return self.take() if self.token.is_(*texts) else None

    def expect(self, text: str, why: str) -> Token:
        if not self.token.is_(text):
            raise self.error(f"expected `{text}` {why}, found {self.found()}")
        return self.take()

    def found(self) -> str:
        return "the end of the formula" if self.token.kind == "end" else f"`{self.token.text}`"

    def error(self, message: str, fix: str = "", token: Token | None = None) -> FormulaError:
        token = token or self.token
        return FormulaError(message, token.start, max(token.end, token.start + 1), fix)

    def span(self, start: int) -> tuple[int, int]:
        return start, self.tokens[self.i - 1].end if self.i else start

    @contextmanager
    def binding(self, *names: str):
        for name in names:
            if name in self.bound:
                raise self.error(
                    f"`{name}` is already bound here", "two nested indices need two different letters"
                )
        self.bound.extend(names)
        try:
            yield
        finally:
            del self.bound[len(self.bound) - len(names) :]

    # ---- expression and term ----

    def expression(self) -> Node:
        start = self.token.start
        terms = [self.term()]
        while self.token.is_("+", "-"):
            minus = self.take().text == "-"
            if self.token.is_("+", "-"):
                raise self.error("two signs in a row", "put the second into brackets: a + (-b)")
            term = self.term(signed=False)
            terms.append(Neg(term, span=term.span) if minus else term)
        return terms[0] if len(terms) == 1 else Add(tuple(terms), span=self.span(start))

    def term(self, signed: bool = True) -> Node:
        start = self.token.start
        sign = self.accept("-", "+") if signed else None
        if sign and self.token.is_("+", "-"):
            raise self.error("two signs in a row", "put the second into brackets")
        value = self.product()
        return Neg(value, span=self.span(start)) if sign and sign.text == "-" else value

    def product(self) -> Node:
        start = self.token.start
        factors = [self.factor()]
        slashed = None
        while True:
            token = self.token
            if token.is_("\\cdot", "\\times", "*"):
                self.take()
                if self.token.is_("-", "+"):
                    raise self.error("a sign right behind a multiplication", "write \\cdot (-b)")
                self._refuse_after_bare(factors[-1], token)
                factors.append(self.factor())
                slashed = None
            elif token.is_("\\odot"):
                self.take()
                left = self._joined(factors, start)
                factors = [Hadamard(left, self.factor(), span=self.span(start))]
            elif token.is_("/"):
                self.take()
                if slashed:
                    raise self.error("a/b/c can be read in two ways", "write \\frac{…}{…}", slashed)
                top = self._joined(factors, start)
                slashed = token
                factors = [Div(top, self.factor(), span=self.span(start))]
            elif self.starts_factor():
                if slashed:
                    raise self.error("a/bc can be read as (a/b)c or a/(bc)", "write \\frac{…}{…} or brackets")
                self._refuse_after_bare(factors[-1], token)
                factors.append(self.factor())
            else:
                break
        return self._joined(factors, start)

    def _joined(self, factors: list[Node], start: int) -> Node:
        return factors[0] if len(factors) == 1 else Mul(tuple(factors), span=self.span(start))

    def _refuse_after_bare(self, factor: Node, token: Token) -> None:
        if id(factor) in self.bare:
            raise self.error(
                "a function written without brackets ends its product: what follows could belong to its argument",
                "write \\log(x)\\,y or \\log(xy)",
                token,
            )

    def starts_factor(self) -> bool:
        token = self.token
        if token.quad:
            return False
        if token.kind in ("number", "letter"):
            return True
        if token.is_("|"):
            return self.bars == 0
        if token.kind == "command":
            text = token.text
            if text == "\\mathrm" or text == "\\mathbf":
                return not (text == "\\mathrm" and self._is_differential())
            return (
                text in GREEK or text in ACCENTS or text in PREFIX or text in CLOSERS
                or text in ("\\frac", "\\sqrt", "\\sum", "\\prod", "\\max", "\\min", "\\sup", "\\inf", "\\arg",
                            "\\lim", "\\int", "\\operatorname", "\\left", "\\begin", "\\nabla", "\\partial",
                            "\\infty", "\\binom", "\\Gamma")
            )  # fmt: skip
        return token.is_("(", "[", "{")

    def _is_differential(self) -> bool:
        """``\\mathrm d x`` at the end of an integral."""
        if not self.token.is_("\\mathrm"):
            return False
        after = self.peek()
        return after.is_("d") or (after.is_("{") and self.peek(2).is_("d") and self.peek(3).is_("}"))

    # ---- factor ----

    def factor(self) -> Node:
        start = self.token.start
        value = self.primary()
        while True:
            token = self.token
            if token.is_("^"):
                if isinstance(value, Call) and value.name in PREFIX.values():
                    raise self.error(
                        "it is unclear what this exponent belongs to", "write (\\log x)^2 or \\log(x^2)"
                    )
                self.take()
                if self.token.is_("\\top") or (self.token.is_("{") and self.peek().is_("\\top")):
                    self._skip_group_or_token()
                    value = Transpose(value, span=self.span(start))
                    continue
                exponent = self.script()
                value = Pow(value, exponent, span=self.span(start))
                if self.token.is_("^"):
                    raise self.error("a double exponent", "write {a^b}^c or a^{b^c}")
            elif token.is_("_") and not isinstance(value, (Name, Num)):
                value = self.element(value, start)
            elif token.is_("!"):
                self.take()
                value = Call("gamma", (Add((value, Num("1"))),), span=self.span(start))
            else:
                return value

    def _skip_group_or_token(self) -> None:
        if self.accept("{"):
            self.take()
            self.expect("}", "to close the group")
        else:
            self.take()

    def script(self) -> Node:
        """The group or single token behind ``^``."""
        if self.accept("{"):
            value = self.expression()
            self.expect("}", "to close the group")
            return value
        token = self.token
        if token.kind == "number" and len(token.text) > 1 and "." not in token.text:
            raise self.error("only the first digit would be raised", f"write ^{{{token.text}}}")
        if token.kind == "number":
            self.take()
            return Num(token.text, span=(token.start, token.end))
        return self.primary()

    def element(self, base: Node, start: int) -> Node:
        self.expect("_", "for an element")
        indices = self.indices([1, 2])
        return Elem(base, indices, span=self.span(start))

    def indices(self, ranks: list[int]) -> tuple[Node, ...]:
        """``_i``, ``_{i,j}``, ``_{ij}`` (for something that may carry two), ``_{n-1}``."""
        if not self.accept("{"):
            return (self.single_index(),)
        if 2 in ranks:
            first, second, close = self.token, self.peek(), self.peek(2)
            if close.is_("}") and first.kind in ("letter", "number") and second.kind in ("letter", "number"):
                both = (self.single_index(), self.single_index())
                self.take()
                return both
        items = [self.expression()]
        while self.accept(","):
            items.append(self.expression())
        self.expect("}", "to close the subscript")
        return tuple(items)

    def single_index(self) -> Node:
        token = self.token
        if token.kind == "number":
            self.take()
            return Num(token.text, span=(token.start, token.end))
        if token.kind == "letter" or token.text in GREEK:
            self.take()
            return self.plain_name(token.text, (token.start, token.end))
        raise self.error(f"expected an index, found {self.found()}")

    # ---- primary ----

    def primary(self) -> Node:
        token = self.token
        start = token.start
        if token.kind == "number":
            self.take()
            return Num(token.text, span=(start, token.end))
        if token.is_("\\left"):
            return self.bracketed(*self._left())
        if token.is_("(", "[", "\\{", "\\langle", "\\lvert", "\\lVert", "|", "\\|"):
            self.take()
            return self.bracketed(token, False)
        if token.is_("{"):
            self.take()
            value = self.expression()
            self.expect("}", "to close the group")
            return value
        if token.kind == "command":
            handler = self.COMMANDS.get(token.text)
            if handler is not None:
                return handler(self)
            if token.text in PREFIX:
                return self.prefix_call()
            if token.text in ("\\mathbf", "\\mathbb") and self._is_one():
                return self.indicator()
        if token.kind == "letter" or token.text in GREEK or token.text in ACCENTS:
            return self.symbol()
        if token.kind == "text":
            raise self.error(
                f"text `{token.text}` stands where an expression is expected",
                "a name in letters is written \\operatorname{…}; text stands between statements",
            )
        if token.kind == "command":
            raise self.error(f"`{token.text}` is not part of the notation")
        raise self.error(f"expected an expression, found {self.found()}")

    def at_end(self) -> bool:
        return self.token.kind == "end"

    def _left(self) -> tuple[Token, bool]:
        self.take()
        token = self.take()
        if token.is_("."):
            raise self.error("`\\left.` opens nothing", "write both brackets", token)
        return token, True

    def bracketed(self, opener: Token, sized: bool) -> Node:
        """What stands behind an opening bracket, up to its partner."""
        start = opener.start
        bars = opener.is_("|", "\\lvert")
        norm = opener.is_("\\|", "\\lVert")
        close = {"|": "|", "\\|": "\\|"}.get(opener.text) or CLOSERS.get(opener.text)
        if close is None:
            raise self.error(f"`{opener.text}` is not an opening bracket", token=opener)
        outer, self.bars = self.bars, 1 if opener.is_("|", "\\|") else 0
        items = [self.expression()]
        while self.token.is_(",", ";") and not bars and not norm:
            self.take()
            items.append(self.expression())
        self.bars = outer
        self.close(close, sized, opener)
        span = self.span(start)
        if bars:
            return Call("abs", tuple(items), span=span)
        if norm:
            name = "norm"
            if self.accept("_"):
                order = self.script()
                if order not in (Num("1"), Num("2")):
                    raise self.error("only the norms 1 and 2 are known")
                name = "norm1" if order == Num("1") else "norm"
            return Call(name, tuple(items), span=self.span(start))
        if opener.is_("\\langle"):
            return Call("inner", tuple(items), span=span)
        if len(items) > 1:
            return Tuple(tuple(items), span=span)
        return items[0]

    def close(self, close: str, sized: bool, opener: Token) -> None:
        if sized:
            self.expect("\\right", f"for the `\\left{opener.text}`")
        if not self.token.is_(close):
            raise self.error(
                f"expected `{close}` to close `{opener.text}`, found {self.found()}",
                "a comma list stands in ( ) only; check that brackets match",
            )
        self.take()

    # ---- names ----

    def base(self) -> tuple[str, Token]:
        """A symbol without subscript: ``z``, ``\\alpha``, ``\\hat{p}``, ``\\operatorname{softplus}``, with primes."""
        token = self.take()
        name = token.text
        if token.is_("\\operatorname"):
            self.accept("*")
            name = f"\\operatorname{{{self._raw_group()}}}"
        elif token.text in ACCENTS:
            inner = self._raw_group()
            if token.is_("\\mathrm"):
                name = f"\\operatorname{{{inner}}}"
            else:
                name = f"{token.text}{{{inner}}}"
        return name, token

    def _raw_group(self) -> str:
        token = self.token
        if token.is_("{"):
            end = group_end(self.tex, token.start)
            raw = self.tex[token.start + 1 : end - 1]
            while self.token.start < end and self.token.kind != "end":
                self.take()
            return raw.replace("\\,", "").replace(" ", "").strip()
        if token.kind in ("letter", "command", "number"):
            return self.take().text
        raise self.error("expected a letter or {…}")

    def subscript_text(self) -> tuple[str, int]:
        """The subscript at the cursor as plain text, and the token index behind it; the cursor stays."""
        here = self.i
        self.take()
        if self.token.is_("{"):
            end = group_end(self.tex, self.token.start)
            parts = []
            self.take()
            while self.token.end < end and self.token.kind != "end":
                parts.append(
                    self._raw_word() if self.token.is_("\\mathrm", "\\operatorname") else self.take().text
                )
            self.take()
            text = "".join(parts)
        elif self.token.is_("\\mathrm", "\\operatorname"):
            text = self._raw_word()
        else:
            text = self.take().text
        behind, self.i = self.i, here
        return text, behind

    def _raw_word(self) -> str:
        self.take()
        return self._raw_group()

    def symbol(self) -> Node:
        start = self.token.start
        base, token = self.base()
        primes = 0
        while self.token.is_("'"):
            self.take()
            primes += 1
        name = base + "'" * primes
        if primes and not self.known(name):
            if self.function_name(base) is None:
                raise FormulaError(
                    f"unknown symbol `{name}`", start, self.span(start)[1], self.scope.suggestion(name)
                )
            return self.call(base, primes, start)
        if self.token.is_("_"):
            text, behind = self.subscript_text()
            full = f"{name}_{text}"
            if self.scope.find(full):
                self.i = behind
                if self.token.is_("'") and self.scope.is_function(full):
                    order = 0
                    while self.accept("'"):
                        order += 1
                    return self.call(full, order, start)
                return self.named_or_called(full, start)
            if name == "\\delta" and not self.known(name):
                self.take()
                return Call("kronecker", self.indices([2]), span=self.span(start))
            owner = self._owner(name)
            if owner is None:
                raise FormulaError(
                    f"unknown symbol `{full}`",
                    start,
                    self.tokens[behind - 1].end,
                    self.scope.suggestion(full),
                )
            self.take()
            indices = self.indices(self._ranks(owner))
            self.use(owner, len(indices))
            return Elem(Name(owner, span=(start, token.end)), indices, span=self.span(start))
        return self.named_or_called(name, start)

    def known(self, name: str) -> bool:
        return name in self.bound or self.scope.find(name) is not None or bool(self.scope.ranks(name))

    def _owner(self, name: str) -> str | None:
        """Whose element ``name_i`` is: a family or vector, a parameter, or the plain one of a bold letter."""
        for candidate in (name, self._unbold(name)):
            if candidate in self.bound or self.scope.ranks(candidate):
                return candidate
            symbol = self.scope.find(candidate)
            if symbol and symbol.kind in ("vector", "scalar") and (symbol.shape or symbol.definition):
                return candidate
        return None

    @staticmethod
    def _unbold(name: str) -> str:
        for bold in BOLD:
            if name.startswith(bold):
                return name[len(bold) : -1]
        return name

    def _ranks(self, name: str) -> list[int]:
        """How many indices ``name`` may carry."""
        if name in self.bound:
            return [1]
        if ranks := self.scope.ranks(name):
            return ranks
        symbol = self.scope.find(name)
        return [len(symbol.shape)] if symbol and symbol.shape else [1, 2]

    def use(self, name: str, rank: int | None = None) -> None:
        if name in self.bound:
            return
        family = self.scope.family(name, rank)
        self.uses.add(("family", (name, len(family.indices))) if family else ("plain", name))

    def named_or_called(self, name: str, start: int) -> Node:
        if name not in self.bound and self.function_name(name) is not None:
            return self.call(name, 0, start)
        return self.plain_name(name, self.span(start))

    def plain_name(self, name: str, span: tuple[int, int]) -> Node:
        if name in self.bound:
            return Name(name, span=span)
        for candidate in (name, self._unbold(name)):
            if self.scope.find(candidate):
                self.uses.add(("plain", candidate))
                return Name(candidate, span=span)
            if self.scope.family(candidate):
                self.use(candidate)
                return Name(candidate, span=span)
            if self.scope.ranks(candidate):
                raise FormulaError(
                    f"`{candidate}` names several families", *span, "write the one you mean with its indices"
                )
        if name in CONSTANTS:
            return Const(CONSTANTS[name], span=span)
        raise FormulaError(f"unknown symbol `{name}`", *span, self.scope.suggestion(name))

    # ---- functions ----

    def function_name(self, name: str) -> str | None:
        """The function behind a written name, if it is one: the page's own before the notation's."""
        if self.scope.is_function(name):
            return name
        if self.scope.find(name) or self.scope.ranks(name):
            return None
        if name == "\\sigma":
            return "sigmoid"
        if name == "\\Gamma":
            return "gamma"
        if name.startswith("\\operatorname{"):
            return WORDS.get(name[len("\\operatorname{") : -1])
        return None

    def call(self, name: str, order: int, start: int) -> Node:
        function = self.function_name(name)
        own = self.scope.is_function(function)
        if own:
            self.uses.add(("plain", function))
        args = self.arguments()
        if args is None:
            symbol = self.scope.find(function) if own else None
            if symbol is None:
                raise FormulaError(
                    f"`{name}` needs its argument in brackets", *self.span(start), f"write {name}(x)"
                )
            # A bare ℓ stands for ℓ(p, y): the function at its own parameters.
            args = tuple(self.plain_name(p, self.span(start)) for p in symbol.definition.parameters)
        node = self._apply(function, args, order, start)
        while self.token.is_("_"):
            node = self.element(node, start)
        return node

    def _apply(self, function: str, args: tuple[Node, ...], order: int, start: int) -> Node:
        span = self.span(start)
        symbol = self.scope.find(function)
        wanted = (
            len(symbol.definition.parameters)
            if symbol and symbol.kind == "function"
            else FUNCTIONS.get(function, 1)
        )
        if wanted is not None and len(args) != wanted:
            raise FormulaError(f"`{function}` takes {wanted} argument(s), got {len(args)}", *span)
        if order and len(args) != 1:
            raise FormulaError(
                "a prime needs a function of one variable", *span, "write \\frac{\\partial f}{\\partial x}"
            )
        one = args[0]
        if function == "relu":
            return Call("max", (one, Num("0")), order, span=span)
        if function == "logsigmoid":
            return Neg(Call("softplus", (Neg(one, span=span),), order, span=span), span=span)
        if function == "logit":
            return Call("log", (Div(one, Add((Num("1"), Neg(one)))),), order, span=span)
        return Call(function, args, order, span=span)

    def arguments(self) -> tuple[Node, ...] | None:
        """``(a, b)``, ``[a]``, ``\\left(a\\right)``; None when no bracket follows."""
        token = self.token
        sized = False
        if token.is_("\\left") and self.peek().is_("(", "["):
            token, sized = self._left()
        elif token.is_("(", "["):
            self.take()
        else:
            return None
        outer, self.bars = self.bars, 0
        items = [self.expression()]
        while self.token.is_(*SEPARATORS):
            self.take()
            items.append(self.expression())
        self.bars = outer
        self.close(CLOSERS[token.text], sized, token)
        return tuple(items)

    def prefix_call(self) -> Node:
        """``\\log p``, ``\\log(1-p)``, ``\\log\\frac ab``, ``\\log\\sum_j e^{z_j}``, ``\\log_2 x``."""
        start = self.token.start
        name = PREFIX[self.take().text]
        base = None
        if name == "log" and self.accept("_"):
            base = self.script()
        if self.token.is_("^"):
            raise self.error(f"\\{name}^k can be read in two ways", f"write (\\{name} x)^k")
        bracket = self.token.is_("(", "[", "{", "|", "\\lvert") or (self.token.is_("\\left"))
        if bracket:
            argument = self.primary()
            if self.token.is_("_", "!"):
                raise self.error(
                    "it is unclear whether this belongs to the argument or to the result", "add brackets"
                )
        else:
            big = self.token.is_("\\sum", "\\prod", "\\max", "\\min", "\\frac", "\\int")
            argument = self.factor()
            if isinstance(argument, Pow):
                raise FormulaError(
                    f"\\{name} x^k can be read in two ways",
                    *argument.span,
                    f"write \\{name}(x^k) or (\\{name} x)^k",
                )
            if big and self.starts_factor() and not isinstance(argument, Div):
                raise self.error("what follows could belong to the argument", f"write \\{name}(…)")
        if isinstance(argument, Tuple):
            raise FormulaError(f"\\{name} takes one argument", *argument.span)
        node: Node = Call(name, (argument,), span=self.span(start))
        if base is not None:
            node = Div(node, Call("log", (base,)), span=self.span(start))
        if not bracket:
            self.bare[id(node)] = node
        return node

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
        target = None if self.token.is_("}") else self.expression()
        self.expect("}", "to close the numerator")
        self.expect("{", "for the denominator")
        by = self._denominator("}")
        self.expect("}", "to close the denominator")
        if target is None:
            if not (self.token.is_("(", "[", "\\left") or self.starts_factor()):
                raise self.error(
                    "nothing is differentiated", "write \\frac{\\partial f}{\\partial x} or …\\left[…\\right]"
                )
            target = self.factor()
        return self._derivative(target, by, order, total, start)

    def inline_derivative(self) -> Node:
        """``\\partial L/\\partial z_i``."""
        start = self.token.start
        total = self._take_d()
        order = self._order()
        target = self.factor()
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
        return Nabla(self.factor(), variable, order, span=self.span(start))

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
                for r, w in zip(ranges, self._pending_where)
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
            raise self.error(f"unknown symbol `{name}`", self.scope.suggestion(name), token)
        self.use(name)
        self.expect("\\to", "in \\lim_{z\\to\\infty}")
        to = self.expression()
        side = ""
        if self.accept("^"):
            side = self.take().text
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
        "\\frac": frac, "\\sqrt": root, "\\binom": binomial, "\\infty": infinity,
        "\\sum": big, "\\prod": big, "\\max": extremum, "\\min": extremum, "\\sup": extremum, "\\inf": extremum,
        "\\arg": arg, "\\lim": limit, "\\int": integral, "\\nabla": nabla, "\\partial": inline_derivative,
        "\\begin": environment, "\\operatorname": operatorname, "\\mathrm": operatorname, "\\mathbb": blackboard,
    }  # fmt: skip

    # ---- conditions and sets ----

    def condition(self) -> Node:
        """``y = 1``, ``0 < p < 1``, ``p \\in (0, 1)``, several joined by a comma or \\text{且}."""
        start = self.token.start
        items = [self.chain()]
        while True:
            if (
                (self.token.kind == "text" and self.token.text in ("且", "和", "与", "and"))
                or self.token.is_("\\land", "\\wedge")
                or (self.token.is_(",") and self._relation_ahead())
            ):
                self.take()
            else:
                break
            items.append(self.chain())
        return items[0] if len(items) == 1 else All(tuple(items), span=self.span(start))

    def _relation_ahead(self) -> bool:
        depth = 0
        for token in self.tokens[self.i + 1 :]:
            depth += token.is_("(", "[", "{", "\\{") - token.is_(")", "]", "}", "\\}")
            if depth < 0 or token.kind == "end" or token.is_(",", "\\\\", "&"):
                return False
            if depth == 0 and token.text in RELATIONS:
                return True
        return False

    def chain(self) -> Chain:
        start = self.token.start
        sides, relations = [self.expression()], []
        while self.token.text in RELATIONS and self.token.kind != "text":
            relations.append(self.take().text)
            sides.append(self.side(relations[-1]))
        if not relations:
            raise self.error(f"expected a relation such as = or <, found {self.found()}")
        return Chain(tuple(sides), tuple(relations), span=self.span(start))

    def side(self, relation: str) -> Node:
        return self.set() if relation == "\\in" else self.expression()

    def set(self) -> Node:
        """``(0, 1]``, ``\\{0, 1\\}``, ``\\{1, \\ldots, N\\}``, ``\\mathbb R^{C}``."""
        start = self.token.start
        if self.token.is_("\\mathbb"):
            name, token = self.base()
            if name != "\\mathbb{R}":
                raise self.error(f"unknown set `{name}`", "\\mathbb R, an interval or \\{…\\}", token)
            shape: list[Node] = []
            if self.accept("^"):
                braced = self.accept("{")
                shape.append(self.primary())
                while braced and self.accept("\\times"):
                    shape.append(self.primary())
                if braced:
                    self.expect("}", "to close the exponent")
            return Space(tuple(shape), span=self.span(start))
        sized = bool(self.accept("\\left"))
        opener = self.take()
        if opener.is_("\\{"):
            items, dots = [], False
            while True:
                if self.accept("\\ldots"):
                    dots = True
                else:
                    items.append(self.expression())
                if not self.accept(","):
                    break
            self.close("\\}", sized, opener)
            return SetOf(tuple(items), dots, span=self.span(start))
        if not opener.is_("(", "["):
            raise self.error("expected a set", "(0, 1), [0, 1], \\{0, 1\\} or \\mathbb R", opener)
        low = self.expression()
        self.expect(",", "between the ends of an interval")
        high = self.expression()
        if sized:
            self.expect("\\right", "for the \\left")
        closer = self.take()
        if not closer.is_(")", "]"):
            raise self.error("expected ) or ] to close the interval", token=closer)
        return Interval(low, high, opener.text == "[", closer.text == "]", span=self.span(start))
