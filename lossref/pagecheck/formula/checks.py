"""A page's formulas, turned into checks.

Every ``$…$`` is read in the order of the page.  It defines a symbol, claims
something, states a condition, or mentions an expression that some checked
formula contains; what is none of these is an error.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field

from ..numbers import is_bare_number
from ..source import PROSE, Check, Location, Math, Page, PageError
from . import claims
from .evaluate import Evaluator
from .points import Needs, free_names, points
from .scope import Scope, Symbol, declare, matter
from .statements import Reading, read, read_condition, read_expression, read_symbol
from .syntax import Add, Call, Chain, Definition, Elem, Mul, Name, Neg, Node, Num, Statement, chains
from .tokens import FormulaError, UnknownSymbol
from .values import Matrix, Undefined, WrongShape

CONVENTIONS = ("0 log 0 = 0",)
# 当 $z$ 很大 states no condition: without one of these a formula behind 当 is a mention.
_RELATION_MARKS = ("=", "<", ">", "\\le", "\\ge", "\\ne", "\\in", "\\to", "\\lt", "\\gt")


def page_error(page: Page, math: Math, error: FormulaError) -> PageError:
    """The author's view of a FormulaError: the place, the line as written, a caret, the fix."""
    offset = math.start + min(error.start, len(math.tex))
    tex = math.tex
    message, *rest = error.message.split("\n")
    parts = [message]
    first = tex.rfind("\n", 0, min(error.start, len(tex))) + 1
    while first <= min(max(error.start, error.end - 1), len(tex)):
        line = tex[first:].split("\n", 1)[0]
        shown, indent = line.strip(), len(line) - len(line.lstrip())
        caret = max(0, error.start - first - indent)
        width = min(error.end - first - indent, len(shown)) - caret
        if shown:
            parts += [f"    {shown}", f"    {' ' * caret}{'^' * max(1, width)}"]
        first += len(line) + 1
    parts += rest
    if error.fix:
        parts.append(f"  fix: {error.fix}")
    return PageError(page.at(offset), "\n".join(parts))


def formula_scope(page: Page) -> Scope:
    """The scope of the symbols that the front matter declares."""
    scope = Scope()
    conventions = page.front.get("conventions") or []
    if not isinstance(conventions, list):
        raise PageError(page.front_at("conventions"), f"`conventions:` wants a list: [{CONVENTIONS[0]}]")
    for convention in conventions:
        if convention not in CONVENTIONS:
            raise PageError(
                page.front_at("conventions"),
                f"unknown convention {convention!r}; known: {', '.join(CONVENTIONS)}",
            )
    scope.conventions = tuple(conventions)
    symbols = page.front.get("symbols") or {}
    if not isinstance(symbols, dict):
        raise PageError(
            page.front_at("symbols"), "`symbols:` wants one line for each symbol: `z: {in: real, meaning: …}`"
        )
    order = {"size": 0, "index": 1}
    for key, entry in sorted(symbols.items(), key=lambda item: _rank(item[1], order)):
        where = page.front_at("symbols", key)
        try:
            base, subscript = read_symbol(str(key), scope)
            declare(scope, base, subscript, entry)
        except FormulaError as error:
            raise PageError(where, f"{error.message}" + (f"\n  fix: {error.fix}" if error.fix else "")) from None
    return scope


def _rank(entry, order: dict[str, int]) -> int:
    return min((order[key] for key in order if isinstance(entry, dict) and key in entry), default=2)


@dataclass
class _Formula:
    """One ``$…$`` as read, or the error that reading it met."""

    math: Math
    reading: Reading | None = None
    condition: Node | None = None
    error: FormulaError | None = None
    conditions: list[Node] = field(default_factory=list)


def formula_checks(page: Page, prove: bool = False) -> list[Check]:
    """One check for every formula that says something, and for whatever is declared and never used."""
    scope, formulas = _read_page(page)
    _attach_conditions(page, formulas)
    known = _Known(formulas, page)
    checks = [check for formula in formulas for check in _checks(page, formula, scope, known, prove)]
    return checks + _told_in_words(page) + _unused(page, formulas, scope)


_RELATION_IN_WORDS = re.compile(r"[\s*_]*(?:[恒就也总]|正好|恰好)?(?:不?(?:等于|大于|小于)|就是)[\s*_]*")


def _told_in_words(page: Page) -> list[Check]:
    """Two formulas with a relation in words between them claim something that nothing checks."""
    made = []
    for left, right in itertools.pairwise(page.maths):
        between = page.uncommented[left.outer_end : right.outer_start]
        if left.sentence == right.sentence and _RELATION_IN_WORDS.fullmatch(between):
            said = f"{between.strip().strip('* _')} between two formulas is checked by nothing"
            error = FormulaError(said, 0, len(left.tex), "write the relation into the formula: $a = b$")
            made.append(_check(page, left, lambda error=error: _raise(error)))
    return made


def page_scope(page: Page) -> Scope:
    """The page's symbols with everything its formulas define."""
    return _read_page(page)[0]


@functools.lru_cache(maxsize=2)
def _read_page(page: Page) -> tuple[Scope, list[_Formula]]:
    scope = formula_scope(page)
    formulas = _read_all([math for math in page.maths if not is_bare_number(math)], scope)
    _blame(page, formulas)
    return scope, formulas


_NAME = r"(\\?[A-Za-z]+(?:\{[^{}]*\})?)"
_HEAD = re.compile(_NAME + r"'*(?:_(?:\w|\{[^{}]*\}))?\s*(?:\([^()]*\))?(?=\s*&?\s*(:?=))")


def _blame(page: Page, formulas: list[_Formula]) -> None:
    """A symbol that is unknown because its definition could not be read is no mistake of its own."""
    lost: dict[str, tuple[_Formula, int]] = {}  # name -> where its definition is, and on which line
    for formula in formulas:
        error, tex = formula.error, formula.math.tex
        if error is None:
            continue
        heads = [head for head in _HEAD.finditer(tex) if head[2] == ":="]
        first = _HEAD.match(tex, len(tex) - len(tex.lstrip()))
        if first and first[2] == "=" and _base(error) == first[1] and error.start == first.start():
            error.fix = f"a definition is written with :=, {first[0]} := …; what is given is declared under "
            error.fix += "`symbols:` in the front matter"
            heads.append(first)
        for head in heads:
            lost.setdefault(head[1], (formula, page.at(formula.math.start + head.start()).line))
    for formula in formulas:
        cause, line = lost.get(_base(formula.error), (formula, 0))
        if cause is not formula:
            formula.error.message += f": its definition on line {line} could not be read"
            formula.error.fix = "mend that one first"


def _base(error: FormulaError | None) -> str:
    """The unknown symbol without primes and indices; '' where nothing is unknown."""
    found = re.match(_NAME, error.name) if isinstance(error, UnknownSymbol) else None
    return found[0] if found else ""


def stretches(page: Page) -> list[tuple[int, int, str, set[str]]]:
    """The statements of the page's formulas: from, to, kind; a claim side by side, with the relations next to each.

    A mention without operators and numbers is of the kind 'name'.
    """
    found = []
    for formula in _read_all(page.maths, formula_scope(page)):
        for statement in formula.reading.statements if formula.reading else ():
            named = statement.kind == "mention" and _is_plain(statement.body)
            parts = [(statement.span, "name" if named else statement.kind, set())]
            if isinstance(chain := statement.body, Chain):
                beside = zip((None, *chain.relations), (*chain.relations, None), strict=True)
                parts = [
                    (side.span, statement.kind, {r for r in pair if r})
                    for side, pair in zip(chain.sides, beside, strict=True)
                ]
            base = formula.math.start
            found += [(base + span[0], base + span[1], kind, near) for span, kind, near in parts]
    return found


def _read_all(maths: list[Math], scope: Scope) -> list[_Formula]:
    """Read every formula, again until no new symbol turns up: a page may name what it defines below.

    What a formula means depends on the symbols known (p_t is a name once it is defined), so the last reading,
    which knows them all, is the one that counts.
    """
    known = -1
    while len(scope.all()) > known:
        known = len(scope.all())
        for symbol in scope.all():
            symbol.uses, symbol.held = 0, False
        formulas = [_read(math, scope) for math in maths]
    return formulas


_READINGS: dict[tuple, Reading] = {}  # what a formula says among given symbols; a page's next reading finds most here


def _reading(math: Math, scope: Scope) -> Reading:
    key = (math.tex, scope.vocabulary())
    known = _READINGS.get(key)
    if known is None:
        if len(_READINGS) > 50_000:
            _READINGS.clear()
        known = _READINGS[key] = read(math.tex, scope, math.start)
    else:
        for statement in known.statements:
            if isinstance(statement.body, Definition):
                scope.define(statement.body, math.start + statement.body.span[0])
    return known


def _read(math: Math, scope: Scope) -> _Formula:
    formula = _Formula(math)
    before = (dict(scope.plain), dict(scope.families))
    try:
        states = any(relation in math.tex for relation in _RELATION_MARKS)
        if math.condition is not None and states and ":=" not in math.tex:  # 令 $k := m^2$ defines
            if math.condition in ("仅当", "只有当"):
                raise FormulaError(
                    "仅当 says two things: that something holds here, and that it holds nowhere else",
                    0,
                    len(math.tex),
                    "claim the bound by itself, and what holds here by itself: 当 $r=1$ 时，$\\log r = r-1$",
                )
            formula.condition, uses = read_condition(math.tex, scope)
            for chain in chains(formula.condition):
                for side in chain.sides:
                    if isinstance(side, Elem):
                        _check_elements(side, scope)
        else:
            formula.reading = _reading(math, scope)
            uses = formula.reading.uses
            for statement in formula.reading.statements:
                if statement.kind == "definition":
                    _closed(statement.body, scope)
            if all(s.kind == "mention" for s in formula.reading.statements):
                uses = set()
        held = formula.reading is None or not _only_denies(formula.reading)
        for kind, name in uses:
            symbol = (scope.families if kind == "family" else scope.plain)[name]
            symbol.uses += 1
            symbol.held |= held
    except FormulaError as error:
        formula.error = error
        # What was defined before an unknown symbol may be what the next reading needs to know that one.
        if not isinstance(error, UnknownSymbol):
            scope.plain, scope.families = before
    except RecursionError:
        formula.error = FormulaError("nested too deeply to read", 0, len(math.tex), "define parts of it with `:=`")
    return formula


def _closed(definition: Definition, scope: Scope) -> None:
    for name in definition.parameters:
        if not any(isinstance(node, Name) and node.name == name for node in definition.body.walk()):
            raise FormulaError(
                f"the definition of `{definition.name}` does not use its parameter `{name}`",
                *definition.span,
                "a parameter stands for what is put in: define it by this letter, or leave it out",
            )
        if (other := _hides(definition, name, scope)) is not None:
            raise FormulaError(
                f"the parameter `{name}` is a symbol of the page too, and `{other}`, used here, is made of that one",
                *definition.span,
                f"take another letter for the parameter, or write out what `{other}` is",
            )
    for name in Needs(scope, [definition]).indices:
        raise FormulaError(
            f"the definition of `{definition.name}` leaves the index `{name}` open",
            *definition.span,
            f"define `{definition.name}_{name}`, or sum over `{name}`; a sum ends at the next + or -",
        )


def _hides(definition: Definition, parameter: str, scope: Scope) -> str | None:
    """A defined symbol in the body through which the page's own symbol of the parameter's name comes in."""
    for name in sorted(free_names(definition.body, frozenset(definition.parameters))):
        symbol = scope.find(name)
        body = symbol.definition if symbol is not None else None
        if body is not None and body is not definition and parameter in Needs(scope, [body]).names:
            return name
    return None


# ---- conditions ------------------------------------------------------------------------------


_RIGHT_BEHIND = re.compile(r"[\s，,（(*_]*[当若设令取]?[\s*_]*")


def _attach_conditions(page: Page, formulas: list[_Formula]) -> None:
    """A condition restricts the claims behind it in its sentence, up to the next; or, right behind them, those before.

    Conditions joined by 且 are one.
    """
    sentences: dict[int, list[_Formula]] = {}
    for formula in formulas:
        sentences.setdefault(formula.math.sentence, []).append(formula)
    for members in sentences.values():
        given: list[Node] = []
        served = False  # whether a claim stands behind what is given
        claimants = [m for m in members if m.reading and any(s.kind == "claim" for s in m.reading.statements)]
        for member in members:
            if member.condition is not None:
                if served and member.math.condition in ("当", "若", "设", "令", "取"):
                    given, served = [], False
                given.append(member.condition)
            else:
                member.conditions = list(given)
                served = served or (bool(given) and member in claimants)
        if given and claimants and not any(m.conditions for m in claimants):
            first = next(m for m in members if m.condition is not None)
            if _RIGHT_BEHIND.fullmatch(page.uncommented[claimants[-1].math.outer_end : first.math.outer_start]):
                for member in claimants:
                    member.conditions = list(given)


def _condition_used(formula: _Formula, formulas: list[_Formula], scope: Scope) -> bool:
    names = Needs(scope, [formula.condition])
    wanted = names.names | set(names.indices) | names.sizes
    for other in formulas:
        if other.reading is None or not any(c is formula.condition for c in other.conditions):
            continue
        for statement in other.reading.statements:
            if statement.kind == "claim":
                needs = Needs(scope, [statement.body])
                if wanted & (needs.names | set(needs.indices) | needs.sizes):
                    return True
    return False


# ---- mentions --------------------------------------------------------------------------------


class _Known:
    """The expressions that checked formulas contain, and every decimal that is claimed."""

    def __init__(self, formulas: list[_Formula], page: Page):
        self.formulas, self.page = formulas, page
        self._sections = [
            block.start
            for block in page.blocks
            if block.kind == "heading" and re.match(r"#{1,2}[ \t]", page.text[block.start : block.end])
        ]
        self._within: dict[int, _Expressions] = {}

    @functools.cached_property
    def decimals(self) -> frozenset[str]:
        found = [body for formula in self.formulas for body in _bodies(formula)]
        return frozenset(re.findall(r"\d+\.\d+", self.page.visible(PROSE))) | claims.decimals(found)

    def contains(self, node: Node, at: int) -> bool:
        """Whether an expression mentioned at a place is in the formulas of its section, or in one set apart."""
        section = self._section(at)
        if section not in self._within:
            near = [f for f in self.formulas if self._section(f.math.start) == section or _is_set_apart(f)]
            self._within[section] = _Expressions([body for formula in near for body in _bodies(formula)])
        return self._within[section].contain(node)

    def _section(self, at: int) -> int:
        return bisect.bisect(self._sections, at)

    def held(self, claim: Chain) -> frozenset[str]:
        """The decimals in a claim of rounded numbers that are claimed somewhere else on the page."""
        if "\\approx" not in claim.relations:
            return frozenset()
        return self.decimals.intersection(n.text for n in claim.walk() if isinstance(n, Num))


def _bodies(formula: _Formula) -> list[Node]:
    """What a formula claims, defines or supposes."""
    found = [formula.condition] if formula.condition is not None else []
    for statement in formula.reading.statements if formula.reading is not None else ():
        if statement.kind != "mention":
            found += [statement.body, *statement.conditions]
    return found


def _is_set_apart(formula: _Formula) -> bool:
    """A displayed formula or a definition: what a reader remembers, and later sections speak of."""
    statements = formula.reading.statements if formula.reading is not None else ()
    return formula.math.display or any(statement.kind == "definition" for statement in statements)


class _Expressions:
    """The parts of some formulas."""

    def __init__(self, bodies: list[Node]):
        self.nodes = {node for body in bodies for node in body.walk()}

    @functools.cached_property
    def sums(self) -> list[tuple[type, Counter]]:
        found: list[tuple[type, Counter]] = []
        for node in self.nodes:
            if isinstance(node, Add):
                found.append((Add, Counter(node.terms)))
            elif isinstance(node, Mul):
                found.append((Mul, Counter(node.factors)))
            elif isinstance(node, Neg) and isinstance(node.value, Mul):
                found.append((Neg, Counter(node.value.factors)))
        return found

    def contain(self, node: Node) -> bool:
        if node in self.nodes:
            return True
        product = node.value if isinstance(node, Neg) else node
        if isinstance(product, Mul) or isinstance(node, Add):
            parts = Counter(product.terms if isinstance(product, Add) else product.factors)
            # A product may be mentioned by some of its factors, a sum only whole.
            alike = (whole for kind, whole in self.sums if kind is type(node))
            return any(parts == whole or (not isinstance(node, Add) and not parts - whole) for whole in alike)
        return False


def _is_plain(node: Node) -> bool:
    """Nothing in it could be wrong but a name: no operator, no number."""
    if isinstance(node, Name):
        return True
    if isinstance(node, Elem):
        return _is_plain(node.base) and all(isinstance(i, (Name, Num)) for i in node.indices)
    # Of several arguments, the order may be wrong.
    return isinstance(node, Call) and node.order == 0 and len(node.args) == 1 and _is_plain(node.args[0])


def _check_elements(node: Node, scope: Scope) -> None:
    """Every element is one of a family or vector, and its index runs over it."""
    for element in node.walk():
        if not isinstance(element, Elem) or not isinstance(element.base, Name):
            continue
        owner = scope.family(element.base.name, len(element.indices)) or scope.find(element.base.name)
        if owner is None:
            continue  # a bound index or a parameter
        if not owner.shape and not _is_vector(element.base, scope):
            raise FormulaError(f"`{owner.name}` is one number and has no elements", *element.span)
        for index, size in zip(element.indices, owner.shape, strict=False):
            if isinstance(index, Name) and index.name != size and scope.size_of_index(index.name) != size:
                raise FormulaError(
                    f"`{index.name}` is no index that runs over `{size}`, as `{owner.written}` does",
                    *index.span,
                )


def _is_vector(node: Name, scope: Scope) -> bool:
    try:
        (point, env, _), *_ = points(scope, [node], [], 1)
        return isinstance(Evaluator(scope, point).eval(node, env), Matrix)
    except (Undefined, ValueError):
        return False


def _check_shapes(node: Node, scope: Scope) -> None:
    """What is mentioned makes sense: vectors where vectors belong, δ between indices."""
    for call in node.walk():
        if isinstance(call, Call) and call.name == "kronecker":
            for index in call.args:
                if isinstance(index, Name) and scope.size_of_index(index.name) is None:
                    raise FormulaError(f"`{index.name}` is no index", *index.span)
    try:
        for point, env, _ in points(scope, [node], [], 1):
            Evaluator(scope, point).eval(node, env)
    except WrongShape as error:
        raise FormulaError(str(error), *node.span) from None
    except Undefined:
        pass  # no value at this point; a mention claims none


def _check_mention(node: Node, at: int, known: _Known, scope: Scope) -> str:
    _check_elements(node, scope)
    _check_shapes(node, scope)
    if not any(isinstance(part, (Name, Elem, Call)) for part in node.walk()):
        raise FormulaError("a bare number claims nothing", *node.span, "say it in words, or claim something about it")
    if not _is_plain(node) and not known.contains(node, at):
        raise FormulaError(
            "this expression occurs in no checked formula of its section, nor in one set apart on the page",
            *node.span,
            "claim something about it (=, \\le, …), define it, say it in words, or put a claim `<!--= … -->` behind it",
        )
    return "提及"


def _check_enumeration(statements: list[Statement], scope: Scope) -> str:
    """``z_1, \\ldots, z_N`` runs over the whole family."""
    ends = [statements[0].body, statements[-1].body]
    bases = [e.base for e in ends if isinstance(e, Elem) and isinstance(e.base, Name)]
    if len(bases) == 2 and bases[0] == bases[1]:
        owner = scope.family(bases[0].name, len(ends[0].indices)) or scope.find(bases[0].name)
        size = owner.shape[-1] if owner and owner.shape else None
        if size and ends[0].indices[-1] == Num("1") and ends[1].indices[-1] in (Name(size), Num(size)):
            return "提及"
    raise FormulaError(
        "an enumeration names the first and the last of a family",
        statements[0].span[0],
        statements[-1].span[1],
        "write z_1, \\ldots, z_N with the family's own size",
    )


# ---- checks ----------------------------------------------------------------------------------


def _checks(page: Page, formula: _Formula, scope: Scope, known: _Known, prove: bool) -> list[Check]:
    math = formula.math
    exempt = page.comment_behind(math.outer_end, "exempt")
    loose = page.comment_behind(math.outer_end, "loose") is not None
    if exempt is not None:
        return [_check(page, math, lambda: _exempted(page, formula, scope, known, exempt.value))]
    if formula.error is not None:
        return [_check(page, math, lambda: _raise(formula.error))]
    if formula.condition is not None:
        return []
    statements = formula.reading.statements
    if formula.reading.enumerates and all(s.kind == "mention" for s in statements):
        return [_check(page, math, lambda: _check_enumeration(statements, scope))]
    claimed = [s for s in statements if s.kind == "claim"]
    mentioned = [s for s in statements if s.kind == "mention" and not isinstance(s.body, Name)]
    made = []
    for statement in claimed:
        conditions = [*formula.conditions, *statement.conditions]
        made.append(
            _check(
                page,
                math,
                lambda s=statement, c=conditions: claims.check_claim(
                    math.tex, s.body, c, scope, loose, known.decimals, prove
                ),
                statement,
                lambda s=statement, c=conditions: (
                    "claim", s.body, tuple(c), loose, known.held(s.body), matter(scope, [s.body, *c])
                ),
            )
        )
    for statement in mentioned:
        made.append(
            _check(
                page,
                math,
                lambda s=statement: _check_mention(s.body, math.start, known, scope),
                statement,
                lambda s=statement: ("mention", s.body, known.contains(s.body, math.start), matter(scope, [s.body])),
            )
        )
    if loose and not claimed:
        made.append(
            _check(
                page,
                math,
                lambda: _raise(FormulaError("`loose` stands behind a formula that claims nothing")),
            )
        )
    return made


def _check(page: Page, math: Math, run, statement: Statement | None = None, depends=None) -> Check:
    start = statement.span[0] if statement else 0
    name = " ".join(math.tex[start : statement.span[1] if statement else None].split())

    def checked() -> str:
        try:
            return run()
        except FormulaError as error:
            raise page_error(page, math, error) from None
        except RecursionError:
            raise page_error(page, math, FormulaError("nested too deeply to evaluate", start)) from None
        except ArithmeticError as error:
            fix = getattr(error, "fix", "")
            raise page_error(page, math, FormulaError(f"cannot be evaluated: {error}", start, fix=fix)) from None
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            said = f"means nothing to the checker as it is written ({type(error).__name__}: {error})"
            fix = "does a number stand where a vector is wanted, or has a bound variable the name of something else?"
            raise page_error(page, math, FormulaError(said, start, fix=fix)) from None

    return Check("formula", page.at(math.start + start), name[:60], checked, math.tex, depends)


def _raise(error: FormulaError):
    raise error


def _exempted(page: Page, formula: _Formula, scope: Scope, known: _Known, reason: str) -> str:
    if not reason:
        raise FormulaError("an exemption needs its reason", fix="<!-- exempt: 理由 -->")
    try:
        if formula.error is not None:
            raise formula.error
        for statement in formula.reading.statements if formula.reading else ():
            if statement.kind == "claim":
                claims.check_claim(
                    formula.math.tex, statement.body, [*formula.conditions, *statement.conditions], scope
                )
            elif statement.kind == "mention":
                _check_mention(statement.body, formula.math.start, known, scope)
    except claims.Refuted as error:
        said = f"this is false, which an exemption cannot hide: {error.message}"
        raise FormulaError(said, error.start, error.end, error.fix) from None
    except (FormulaError, ArithmeticError):
        return f"豁免：{reason}"
    raise FormulaError("this formula passes its check: the exemption is not needed", fix="remove the comment")


def _only_denies(reading: Reading) -> bool:
    claimed = [statement.body for statement in reading.statements if statement.kind == "claim"]
    return bool(claimed) and all(set(chain.relations) == {"\\ne"} for chain in claimed)


def _unused(page: Page, formulas: list[_Formula], scope: Scope) -> list[Check]:
    """Definitions, declarations and conditions that nothing uses: each an error where it stands."""
    made = []
    broken = any(f.error is not None for f in formulas)
    for formula in formulas:
        if formula.condition is not None and not broken and not _condition_used(formula, formulas, scope):
            made.append(
                _check(
                    page,
                    formula.math,
                    lambda: _raise(
                        FormulaError(
                            "no claim of this sentence depends on this condition",
                            fix="a claim stands behind it in its sentence, as in 当 $m > 1$ 时，$h(m) = 0$; without "
                            "当/若/设/令/取 it is a claim itself",
                        )
                    ),
                )
            )
    # What a formula that cannot be read would use is not known but by its letters; sizes come in by indices.
    unread = " ".join(f.math.tex for f in formulas if f.error is not None)
    ties = tie_uses(page, scope)
    for symbol in scope.all():
        needed = symbol.uses if symbol.definition is None else symbol.held
        if needed or (symbol.key if symbol.kind == "family" else symbol.name) in ties:
            continue
        if broken and (symbol.kind in ("size", "index") or symbol.name in unread):
            continue
        if symbol.definition is not None:
            where, what = (
                page.at(symbol.where),
                "is only said to be unequal to something, as most wrong definitions are: claim what it equals"
                if symbol.uses
                else "is defined and never used: a definition serves a claim or a tie",
            )
        else:
            where, what = _declared_at(page, symbol), "is declared and never used: use it, or take its line away"

        def complain(where=where, what=what, name=symbol.written):
            raise PageError(where, f"`{name}` {what}")

        made.append(Check("formula", where, f"unused {symbol.name}", complain))
    return made


def _declared_at(page: Page, symbol: Symbol) -> Location:
    def bare(text: str) -> str:
        return re.sub(r"[{}\s,]", "", text)

    for key in page.front.get("symbols") or {}:
        if bare(str(key)) == bare(symbol.written):
            return page.front_at("symbols", key)
    return page.front_at("symbols")


def tie_uses(page: Page, scope: Scope) -> set:
    """Names that the page's ties to code refer to."""
    names: set = set()
    ties = page.front.get("ties") or []
    for tie in ties if isinstance(ties, list) else []:
        if not isinstance(tie, dict):
            continue  # its own check says so
        args = tie.get("args") or {}
        texts = [tie.get(k) for k in ("value", "input", "target")]
        for text in [*texts, *(args.values() if isinstance(args, dict) else ())]:
            try:
                _, uses = read_expression(str(text), scope)
            except FormulaError:
                continue
            names |= {name for _, name in uses}
    return names
