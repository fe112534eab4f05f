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

import re
from contextlib import contextmanager

from .scope import CONSTANTS, FUNCTIONS, Scope
from .syntax import (
    Add,
    All,
    Call,
    Chain,
    Const,
    Div,
    Elem,
    Hadamard,
    Interval,
    Mul,
    Name,
    Neg,
    Node,
    Num,
    Pow,
    SetOf,
    Space,
    Transpose,
    Tuple,
)  # fmt: skip
from .tokens import FormulaError, Token, UnknownSymbol, group_end, tokenize

GREEK = {
    "\\" + name
    for name in re.findall(
        r"\w+",
        """
        alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho
        varrho sigma varsigma tau upsilon phi varphi chi psi omega ell hbar
        Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega
        """,
    )
}
ACCENTS = {
    "\\hat", "\\bar", "\\tilde", "\\vec", "\\widehat", "\\widetilde", "\\overline", "\\dot",
    "\\mathbf", "\\boldsymbol", "\\mathcal", "\\mathbb", "\\mathsf", "\\mathfrak", "\\mathit", "\\mathrm",
}  # fmt: skip
BOLD = ("\\mathbf{", "\\boldsymbol{")
# \log p needs no brackets; \operatorname{softplus} does.
_WRITTEN_WITH_BACKSLASH = ("log", "exp", "max", "min", "sin", "cos", "tanh", "sqrt")
PREFIX = {
    "\\log": "log", "\\exp": "exp", "\\tanh": "tanh", "\\sin": "sin", "\\cos": "cos",
    "\\sinh": "sinh", "\\cosh": "cosh", "\\arctan": "arctan",
}  # fmt: skip
WORDS = {
    "softplus": "softplus", "sign": "sign", "sgn": "sign", "softmax": "softmax", "diag": "diag", "tr": "tr",
    "clip": "clip", "erf": "erf", "sigmoid": "sigmoid", "relu": "relu", "ReLU": "relu",
    "logsigmoid": "logsigmoid",
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
# What to write in place of commands that authors reach for.
SAY_IT = "write it in the notation of the authors' guide, or say it in words"
INSTEAD = {
    "\\not": "write \\ne", "\\lg": "write \\log_{10}", "\\%": "write 25\\% as 0.25",
    "\\ldots": "write \\sum_{i=1}^{C} v_i; an enumeration is v_1, \\ldots, v_C",
    "\\mathop": "write \\arg\\min_{z}", "\\operatorname*": "write \\arg\\min_{z}",
    **dict.fromkeys(("\\boxed", "\\cancel", "\\color", "\\underbrace", "\\overbrace"), "leave the decoration out"),
    **dict.fromkeys(("\\Rightarrow", "\\implies", "\\iff", "\\Leftrightarrow", "\\because", "\\therefore"),
                    "two formulas with a word between them: 当 $…$ 时，$…$"),
    **dict.fromkeys(("\\propto", "\\sim", "\\ll", "\\gg", "\\mapsto"), "write the equation, or say it in words"),
}  # fmt: skip
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
        self.bare: dict[int, Node] = {}  # functions and derivatives of what is not in brackets, as in \log p
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
        for i, name in enumerate(names):
            if name in self.bound or name in names[:i]:
                raise self.error(
                    f"`{name}` is already bound here", "two nested indices need two different letters"
                )
        self.bound.extend(names)
        try:
            yield
        finally:
            del self.bound[len(self.bound) - len(names) :]

    def unknown(self) -> FormulaError:
        """A command that the notation does not know."""
        return self.error(f"`{self.token.text}` is not part of the notation", INSTEAD.get(self.token.text, SAY_IT))

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
        if sign and sign.text == "+":
            raise self.error("a leading + says nothing", "remove it", sign)
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
                self._refuse_after_bare(factors[-1], token)
                top = self._joined(factors, start)
                slashed = token
                factors = [Div(top, self.factor(), span=self.span(start))]
            elif self.starts_factor():
                if slashed:
                    raise self.error("a/bc can be read as (a/b)c or a/(bc)", "write \\frac{…}{…} or brackets")
                self._refuse_after_bare(factors[-1], token)
                factors.append(self._side_by_side(factors[-1], token))
            else:
                break
        return self._joined(factors, start)

    def _joined(self, factors: list[Node], start: int) -> Node:
        return factors[0] if len(factors) == 1 else Mul(tuple(factors), span=self.span(start))

    def noted(self, node: Node, bare: bool) -> Node:
        """The node, remembered if what it applies to stands without brackets."""
        if bare:
            self.bare[id(node)] = node
        return node

    def _refuse_after_bare(self, factor: Node, token: Token) -> None:
        if id(factor) in self.bare:
            name = getattr(factor, "name", "log")
            raise self.error(
                "what is written without brackets ends its product: this could belong to its argument",
                f"write \\{name}(x)\\,y or \\{name}(xy)"
                if isinstance(factor, (Call, Div))
                else "put what is differentiated into brackets",
                token,
            )

    def _side_by_side(self, left: Node, token: Token) -> Node:
        """The next factor, with no sign of multiplication before it."""
        if token.kind == "number":
            raise self.error(
                "a number behind a factor may be meant as a power, an index or another number",
                "write 2z or z\\cdot 2, z^2, z_2",
            )
        right = self.factor()
        if isinstance(left, Num) and isinstance(right, Div) and {type(right.top), type(right.bottom)} == {Num}:
            fix = "write 2\\cdot\\frac12 or \\frac52"
            raise self.error("a number and a fraction may be meant as a sum, as in 2½", fix, token)
        return right

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
                or text in ("\\frac", "\\sqrt", "\\sum", "\\prod", "\\max", "\\min", "\\sup", "\\inf",
                            "\\arg",
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
        opened = self.token.is_("(", "[", "{", "\\left")
        value = self.primary()
        while True:
            token = self.token
            if token.is_("^"):
                if self._is_side():
                    return value
                if isinstance(value, Call) and value.name in PREFIX.values() and not opened:
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

    def _is_side(self) -> bool:
        """``^+`` or ``^{-}``: from where a limit is taken."""
        braced = self.peek().is_("{")
        return self.peek(1 + braced).is_("+", "-") and self.peek(2 + braced).is_("}")

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
            value = self.command()
            if value is not None:
                return value
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
        before = self.tokens[self.i - 1].text if self.i else ""
        if token.text in RELATIONS:
            if before == "=" == token.text:
                raise self.error("expected an expression, found `=`", "equality is written with one =")
            raise self.error(f"`{token.text}` has no left side", "write what it is a relation to, in the same formula")
        if token.kind == "command":
            raise self.unknown()
        fix = "an exponent of more than one sign stands in braces: e^{-m}" if before == "^" else ""
        raise self.error(f"expected an expression, found {self.found()}", fix)

    def command(self) -> Node | None:
        """A command with a grammar of its own; the operators' room knows them."""
        return None

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
        """A symbol without its subscript: ``z``, ``\\alpha``, ``\\hat{p}``, ``\\operatorname{softplus}``."""
        token = self.take()
        name = token.text
        if token.is_("\\operatorname"):
            self.accept("*")
            name = f"\\operatorname{{{self._raw_group()}}}"
        elif token.text in ACCENTS:
            inner = self._raw_group()
            font = "\\operatorname" if token.is_("\\mathrm") else token.text
            name = f"{font}{{{inner}}}"
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
                raise UnknownSymbol(name, *self.span(start), self.scope.suggestion(name))
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
                indices = self.indices([2])
                if len(indices) != 2:
                    raise FormulaError("δ takes two indices", *self.span(start), "write \\delta_{ij}")
                return Call("kronecker", indices, span=self.span(start))
            owner = self._owner(name)
            if owner is None:
                fix = self.scope.suggestion(full)
                if name == "\\delta":
                    fix = "`\\delta` is a symbol of this page, so it cannot be Kronecker's too: give one another name"
                raise UnknownSymbol(full, start, self.tokens[behind - 1].end, fix)
            self.take()
            indices = self.indices(self._ranks(owner))
            if owner not in self.bound and not (
                self.scope.family(owner, len(indices)) or self.scope.find(owner)
            ):
                wanted = " or ".join(map(str, self.scope.ranks(owner)))
                raise FormulaError(
                    f"`{owner}` takes {wanted} index(es), got {len(indices)}", *self.span(start)
                )
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
        word = re.match("[a-z]*", self.tex[span[0] :])[0]
        if word in _WRITTEN_WITH_BACKSLASH:
            end = span[0] + len(word)
            raise FormulaError(f"`{word}` is a product of letters here", span[0], end, f"write \\{word}")
        fix = self.scope.suggestion(name)
        if name == "d" and re.search(r"frac\s*\{\s*$|\{\s*$", self.tex[: span[0]]):
            fix = "a derivative is written \\frac{\\mathrm d f}{\\mathrm d z}"
        raise UnknownSymbol(name, *span, fix)

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
        base, order = None, 0
        if name == "log" and self.accept("_"):
            base = self.script()
        while self.accept("'"):
            order += 1
        if order and (base is not None or not self.token.is_("(", "[", "\\left")):
            raise self.error(f"\\{name}' needs its argument in brackets", f"write \\{name}'(x)")
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
        node: Node = Call(name, (argument,), order, span=self.span(start))
        if base is not None:
            node = Div(node, Call("log", (base,)), span=self.span(start))
        return self.noted(node, not bracket)

    # ---- conditions and sets ----

    def condition(self) -> Node:
        """``y = 1``, ``0 < p < 1``, ``p \\in (0, 1)``, several joined by a comma or \\text{且}."""
        start = self.token.start
        items = [self.chain()]
        while True:
            if (
                (self.token.kind == "text" and self.token.text in ("且", "和", "与", "and"))
                or self.token.is_("\\land", "\\wedge")
                or (self.token.is_(",") and not self.peek().quad and self._relation_ahead())
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
            if len({*items}) < len(items):
                raise self.error("an element stands twice in this set", token=opener)
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
