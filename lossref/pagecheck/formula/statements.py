r"""A whole formula: rows, chains of relations, definitions and their conditions.

``read`` turns one ``$…$`` or ``$$…$$`` into Statements and enters its
definitions into the scope, in the order in which a reader meets them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .operators import Operators
from .parser import ACCENTS, GREEK, PREFIX, RELATIONS
from .scope import Scope
from .syntax import Chain, Definition, Name, Node, Statement
from .tokens import FormulaError, Token

LAYOUTS = {
    "aligned",
    "align",
    "align*",
    "gathered",
    "gather",
    "gather*",
    "split",
    "equation",
    "equation*",
    "alignedat",
}
CONDITION_WORDS = ("当", "若", "如果", "其中", "设", "取", "令", "if", "when", "where")
_CONTINUES = RELATIONS | {"+", "-", "\\cdot", "\\times", ":="}


@dataclass
class Reading:
    """What one formula said, and which symbols of the page it used."""

    statements: list[Statement]
    uses: set[tuple[str, str]]
    enumerates: bool = False  # written z_1, \ldots, z_N


def read(tex: str, scope: Scope, where: int = 0) -> Reading:
    """Parse a formula that claims, defines or mentions; ``where`` is its offset in the page."""
    parser = _Statements(tex, scope)
    statements = parser.read(where)
    return Reading(statements, parser.uses, parser.enumerates)


def read_condition(tex: str, scope: Scope) -> tuple[Node, set[tuple[str, str]]]:
    """Parse a formula that stands behind 当, 若, 设, 令 or 取."""
    parser = _Statements(tex, scope)
    condition = parser.condition()
    parser.accept(".", ",")
    if not parser.at_end():
        raise parser.error(f"expected the end of the condition, found {parser.found()}")
    return condition, parser.uses


def read_expression(tex: str, scope: Scope) -> tuple[Node, set[tuple[str, str]]]:
    """Parse one expression (a tie's ``value:``)."""
    parser = _Statements(tex, scope)
    value = parser.expression()
    if not parser.at_end():
        raise parser.error(f"expected the end of the expression, found {parser.found()}")
    return value, parser.uses


def read_symbol(tex: str, scope: Scope) -> tuple[str, str | None]:
    """Split a front-matter key such as ``z_n`` into its base and subscript."""
    parser = _Statements(tex, scope)
    base, subscript = parser.symbol_parts()
    if not parser.at_end():
        raise parser.error(f"expected one symbol, found {parser.found()} behind it")
    return base, subscript


class _Statements(Operators):
    def __init__(self, tex: str, scope: Scope):
        super().__init__(tex, scope)
        self.tokens, self.remarks = _rows(self.tokens)

    def symbol_parts(self) -> tuple[str, str | None]:
        if not (self.token.kind == "letter" or self.token.kind == "command"):
            raise self.error(f"expected a symbol, found {self.found()}")
        name, _ = self.base()
        while self.token.is_("'"):
            name += self.take().text
        if not self.token.is_("_"):
            return name, None
        text, self.i = self.subscript_text()
        while self.token.is_("'"):
            name += self.take().text
        return name, text

    # ---- statements ----

    def read(self, where: int) -> list[Statement]:
        lone = self._lone_function()
        if lone is not None:
            return [Statement("mention", lone, span=lone.span)]
        rows: list[list[Statement]] = [[]]
        begun = 0  # the first statement of the row that the next condition restricts
        restricted = False
        while True:
            if self._skip_separators(rows):
                begun, restricted = 0, False
            if self.at_end():
                break
            if self._label():
                continue
            if self.accept("\\ldots"):
                self.enumerates = True
                continue
            if self.token.kind == "text":
                word = self.take()
                if word.text not in CONDITION_WORDS:
                    continue
                condition = self.condition()
                if not rows[-1]:
                    raise self.error("a condition stands behind what it restricts", token=word)
                rows[-1][begun:] = [replace(s, conditions=(*s.conditions, condition)) for s in rows[-1][begun:]]
                restricted = True
                continue
            if restricted:
                begun, restricted = len(rows[-1]), False
            rows[-1].extend(self.statement(where))
            if not (
                self.at_end()
                or self.token.quad
                or self.token.kind in ("text", "row")
                or self.token.is_(",", ";", ".")
            ):
                if self.token.is_(":="):
                    raise self.error("only a symbol, a family z_n or a function f(x) can be defined")
                if self.token.kind == "command":
                    raise self.unknown()
                raise self.error(f"unexpected {self.found()}", "separate two statements by `,\\quad`")
        statements = [s for row in rows for s in row]
        for remark in self.remarks:
            self.tokens, self.i, self.remarks = remark, 0, []
            statements += self.read(where)
        if not statements:
            raise FormulaError("an empty formula", 0, max(len(self.tex), 1))
        return statements

    def _skip_separators(self, rows: list[list[Statement]]) -> bool:
        """Whether a new row begins."""
        new = False
        while True:
            if self.token.kind == "row":
                self.take()
                rows.append([])
                new = True
            elif not self.accept(",", ";", "."):
                return new

    def _label(self) -> bool:
        """A hand-written equation number: ``\\qquad (1)`` at the end of a row."""
        if not (
            self.token.quad and self.token.is_("(") and self.peek().kind == "number" and self.peek(2).is_(")")
        ):
            return False
        after = self.peek(3)
        if after.kind not in ("row", "end") and after.text not in RELATIONS:
            return False
        self.i += 3
        return True

    def _lone_function(self) -> Node | None:
        """``$\\sigma$`` alone names the function."""
        here = self.i
        token = self.token
        if token.kind == "letter" or token.text in GREEK or token.is_("\\operatorname", "\\mathrm"):
            name, subscript = self.symbol_parts()
            full = name if subscript is None else f"{name}_{subscript}"
            if self.at_end() and self.function_name(full):
                return Name(full, span=(token.start, self.tokens[self.i - 1].end))
        elif token.text in PREFIX and self.peek().kind == "end":
            return Name(token.text, span=(token.start, token.end))
        self.i = here
        return None

    def statement(self, where: int) -> list[Statement]:
        definition = self.definition(where)
        start = self.token.start
        sides: list[Node] = []
        relations: list[str] = []
        if definition is not None:
            start = definition.span[0]
            sides.append(definition.body)
        else:
            sides.append(self.expression())
        while True:
            self._skip_remark()
            if self.token.kind == "text" or self.token.text not in (RELATIONS | self._equals):
                break
            relation = self.take().text
            relations.append("=" if relation == ":=" else relation)
            sides.append(self.side(relation))
        span = self.span(start)
        found = [Statement("definition", definition, span=definition.span)] if definition is not None else []
        if relations:
            found.append(Statement("claim", Chain(tuple(sides), tuple(relations), span=span), span=span))
        elif definition is None:
            found.append(Statement("mention", sides[0], span=span))
        self._equals = frozenset()
        return found

    _equals: frozenset[str] = frozenset()
    enumerates = False  # z_1, \ldots, z_N

    def _skip_remark(self) -> None:
        """Text between two links of a chain: ``= b \\quad\\text{(链式法则)} \\\\ = c``."""
        here = self.i
        self._label()
        while self.token.kind == "text" and self.token.text not in CONDITION_WORDS:
            self.take()
        if self.token.text not in RELATIONS:
            self.i = here

    def definition(self, where: int) -> Definition | None:
        here, start = self.i, self.token.start
        head = self._head()
        if head is None:
            self.i = here
            return None
        name, subscript, parameters = head
        full = name if subscript is None else f"{name}_{subscript}"
        if parameters and self.function_name(full) and not self.scope.is_function(full):
            # The notation already knows this function: what the page writes is a claim about it.
            self.i, self._equals = here, frozenset({":="})
            return None
        self.take()
        indices: tuple[str, ...] = ()
        if subscript is not None and not parameters:
            letters = tuple(subscript.split(",")) if "," in subscript else tuple(subscript)
            if letters and all(self.scope.size_of_index(i) for i in letters):
                indices = letters
                self.uses |= {("plain", i) for i in letters}
        end = self.tokens[self.i - 1].end
        with self.binding(*parameters, *indices):
            body = self.expression()
        result = Definition(name if indices else full, parameters, indices, body, span=(start, end))
        self.scope.define(result, where + start)
        return result

    def _head(self) -> tuple[str, str | None, tuple[str, ...]] | None:
        """``p``, ``p_n`` or ``f(a, b)`` standing before ``:=``."""
        if self.token.kind not in ("letter", "command") or self.token.text in PREFIX:
            return None
        if self.token.kind == "command" and self.token.text not in GREEK and not self._accented():
            return None
        name, subscript = self.symbol_parts()
        parameters: list[str] = []
        if self.accept("("):
            while True:
                if self.token.kind not in ("letter", "command"):
                    return None
                parameter, sub = self.symbol_parts()
                parameters.append(parameter if sub is None else f"{parameter}_{sub}")
                if not self.accept(",", ";", "\\mid", "\\|"):
                    break
            if not self.accept(")"):
                return None
        return (name, subscript, tuple(parameters)) if self.token.is_(":=") else None

    def _accented(self) -> bool:
        return self.token.text in ACCENTS or self.token.text == "\\operatorname"


def _rows(tokens: list[Token]) -> tuple[list[Token], list[list[Token]]]:
    """Take the layout away: alignment marks go, a row that carries on its predecessor is joined to it.

    What stands behind ``&&`` is a remark on its row: its formulas are returned apart, each with its own end.
    """
    flat: list[Token] = []
    remarks: list[list[Token]] = []
    depth: list[str] = []
    i = 0
    while i < len(tokens):
        token = tokens[i]
        if token.is_("\\begin", "\\end") and i + 1 < len(tokens) and tokens[i + 1].is_("{"):
            close = i + 1
            while not tokens[close].is_("}") and tokens[close].kind != "end":
                close += 1
            name = "".join(t.text for t in tokens[i + 2 : close])
            if name in LAYOUTS:
                i = close + 1
                continue
            depth.append(name) if token.is_("\\begin") else depth and depth.pop()
        if (
            not depth
            and token.is_("&")
            and tokens[i + 1].is_("&")
            and tokens[i + 2].text not in CONDITION_WORDS
        ):
            i = _remark(tokens, i + 2, remarks)
            continue
        if not depth and token.is_("&"):
            if token.quad:
                tokens[i + 1] = replace(tokens[i + 1], quad=True)
            if flat and flat[-1].kind == "row":
                flat[-1] = replace(flat[-1], quad=True)  # this row starts with an alignment mark
        elif not depth and token.is_("\\\\"):
            flat.append(replace(token, kind="row", quad=False))
        else:
            flat.append(token)
        i += 1
    joined: list[Token] = []
    carried, condition = False, None  # of the chain so far: whether it has several rows, and a condition
    inside = 0  # cases and the like, which have conditions of their own
    for i, token in enumerate(flat):
        inside += token.is_("\\begin") - token.is_("\\end")
        if token.kind == "row":
            after = flat[i + 1]
            if after.kind == "row":
                continue
            if after.text in RELATIONS or (token.quad and after.text in _CONTINUES):
                flat[i + 1] = replace(after, quad=False)
                carried = True
                _one_for_all(carried, condition)
                continue
            carried, condition = False, None
        elif not inside and token.kind == "text" and token.text in CONDITION_WORDS:
            condition = condition or token
            _one_for_all(carried, condition)
        joined.append(token)
    return joined, remarks


def _one_for_all(carried: bool, condition: Token | None) -> None:
    """A condition in a chain of several rows could be meant for its row or for all."""
    if carried and condition is not None:
        raise FormulaError(
            "a condition on a row of a chain: for which of its rows?",
            condition.start,
            condition.end,
            "say it before the formula, 当 … 时，, for all rows; or make the rows formulas of their own",
        )


def _remark(tokens: list[Token], i: int, remarks: list[list[Token]]) -> int:
    """Collect the formulas between the words of a remark; the offset behind it is returned."""
    piece: list[Token] = []
    while True:
        token = tokens[i]
        over = token.is_("\\\\", "\\end") or token.kind == "end"
        if over or token.kind == "text":
            if piece:
                remarks.append([*piece, Token("end", "", piece[-1].end, piece[-1].end)])
            piece = []
            if over:
                return i
        elif not token.is_("&"):
            piece.append(token)
        i += 1
