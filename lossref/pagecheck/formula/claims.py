r"""Is a claim true?  A chain of relations, tried link by link at every point.

``=``      equal to 80 digits, or, where both cancel, to nearly every digit of the largest summand,
           computed again with a thousand; two sides that are 0 at every point prove nothing
``\approx``  the decimal is the other side, rounded to the digits written
``\le``    holds everywhere and is attained somewhere; ``<`` holds and is never attained;
           both must be tight, or the bound says less than it seems to
``\in``    the very domain declared, or, for what is defined, a set it fills to its ends
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from . import slips
from . import values as v
from .domains import Between, Finite
from .evaluate import Evaluator, Point, domain_of
from .points import DRAWN, FAR, MIRROR, NEAR, SEED, SMALL, SPECIAL, USUAL, Given, Needs, describe, free_names, points
from .scope import Scope
from .syntax import (
    Call,
    Cases,
    Chain,
    Const,
    Derivative,
    Div,
    Each,
    Elem,
    Expectation,
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
    Tuple,
    chains,
)  # fmt: skip
from .tokens import FormulaError
from .values import Matrix, Undefined, mp

POINTS = 6
MANY_POINTS = 24  # for a bound, which must be seen to be approached
RELATIVE = mp.mpf(10) ** -80
GUARD = 20  # digits of the largest summand that may be lost on the way
KINKED = {"sign", "abs", "max", "min", "clip"}
TIGHT = mp.mpf(10) ** -3
SHAPES = "a vector is a column; is an index or a ^\\top missing?"
UNSEEN = mp.mpf(10) ** -40  # a difference that no point shows to be more is none
NUMERIC = "数值核对"
PROVED = "符号证明"


@dataclass
class Link:
    left: Node
    relation: str
    right: Node
    step: str = ""  # of a chain: which it is


@dataclass
class Trial:
    """One link at one point."""

    left: object
    right: object
    scale: object
    point: Point
    env: dict
    needs: Needs
    digits: int = v.DIGITS

    @property
    def noise(self):
        """What is smaller than this may be rounding."""
        return mp.mpf(10) ** (GUARD - self.digits) * self.scale


def check_claim(
    tex: str,
    chain: Chain,
    conditions: list[Node],
    scope: Scope,
    loose: bool = False,
    established: frozenset[str] = frozenset(),
    prove: bool = False,
) -> str:
    """Check every link; FormulaError explains the first that fails.  Returns how it was checked.

    ``established`` holds the decimals that stand elsewhere on the page, where they are claims.
    With ``prove``, what passed is tried symbolically too; only a chain proved link by link is called proved.
    """
    chain, conditions = _limits(chain, conditions, scope)
    _check_held(chain, conditions, scope)
    links = [
        Link(_each(a, b, scope), r, _each(b, a, scope), step)
        for a, r, b, step in zip(chain.sides, chain.relations, chain.sides[1:], _steps(chain), strict=False)
    ]
    tight = False
    said = {link for condition in conditions for link in _pairs_of(condition)}
    for link in links:
        if link.left == link.right and _said(tex, link.left) == _said(tex, link.right) and link.relation != "\\ne":
            raise FormulaError("the two sides are the same expression, which says nothing", *_span(link))
        if (link.left, link.relation, link.right) in said:
            raise FormulaError("this only repeats the condition", *_span(link), "claim something that follows from it")
        if len(links) == 1 and (_restates(link.left, link.right, scope) or _restates(link.right, link.left, scope)):
            raise FormulaError("this only repeats the definition", *_span(link), "claim something that follows from it")
        if link.relation == "\\in":
            _check_membership(tex, link, conditions, scope, loose)
        elif link.relation in MIRROR:
            tight |= _check_inequality(tex, link, conditions, scope, loose)
        else:
            _check_equality(tex, link, conditions, scope)
            if link.relation == "\\approx":
                _check_decimals(tex, link, conditions, scope, established)
    if loose and not any(link.relation in MIRROR or link.relation == "\\in" for link in links):
        raise FormulaError(
            "`loose` stands behind a formula without an inequality", *chain.span, "remove the comment"
        )
    if loose and tight:
        raise FormulaError(
            "this inequality is tight: `loose` is not needed", *chain.span, "remove the comment"
        )
    if prove:
        from .prove import proves  # SymPy takes half a second to import: only a run that proves pays for it

        if all(link.relation == "=" and proves(scope, link.left, link.right, conditions) for link in links):
            return PROVED
    return NUMERIC


def _check_held(chain: Chain, conditions: list[Node], scope: Scope) -> None:
    """A condition holds a defined symbol fixed by cutting it loose from what it is made of.

    That is right only where the claim does not speak of its parts too.
    """
    given = Given(scope, conditions)
    spoken = set().union(*(free_names(side) for side in chain.sides))
    for left, _ in (*given.assign, *given.choose):
        if isinstance(left, Name) and _is_defined(left, scope):
            parts = free_names(scope.plain[left.name].definition) & spoken
            if parts:
                raise FormulaError(
                    f"`{left.name}` is defined, and this claim speaks of what it is made of (`{min(parts)}`): the "
                    "condition does not reach it",
                    *chain.span,
                    "write the condition in declared symbols",
                )


def _steps(chain: Chain) -> list[str]:
    count = len(chain.relations)
    return [f", step {k} of {count}" for k in range(1, count + 1)] if count > 1 else [""]


def _span(link: Link) -> tuple[int, int]:
    return link.left.span[0], link.right.span[1]


def _restates(name: Node, body: Node, scope: Scope) -> bool:
    """Whether this is a defined symbol beside the very expression that defines it."""
    if isinstance(name, Name):
        symbol, written = scope.find(name.name), ()
    elif isinstance(name, Elem) and isinstance(name.base, Name):
        symbol, written = scope.family(name.base.name, len(name.indices)), name.indices
    elif isinstance(name, Call) and not name.order:
        symbol, written = scope.find(name.name), name.args
    else:
        return False
    own = symbol.definition if symbol is not None else None
    return own is not None and own.body == body and written == tuple(map(Name, own.parameters or own.indices))


def _pairs_of(condition: Node) -> list[tuple[Node, str, Node]]:
    return [link for c in chains(condition) for link in zip(c.sides, c.relations, c.sides[1:], strict=False)]


def _limits(chain: Chain, conditions: list[Node], scope: Scope) -> tuple[Chain, list[Node]]:
    r"""``当 z\to\infty 时 f(z)\to 1`` is a limit."""
    if "\\to" not in chain.relations:
        return chain, conditions
    given = Given(scope, conditions)
    if chain.relations != ("\\to",) or len(given.limits) != 1:
        raise FormulaError(
            "`\\to` claims a limit and needs to be told of what",
            *chain.span,
            "write \\lim_{z\\to\\infty} f(z) = 1, or 当 $z\\to\\infty$ before it",
        )
    name, to = given.limits[0]
    rest = [c for c in conditions if not (isinstance(c, Chain) and c.relations == ("\\to",))]
    body, target = chain.sides
    return Chain((Limit(name, to, "", body, span=body.span), target), ("=",), span=chain.span), rest


def _each(side: Node, other: Node, scope: Scope) -> Node:
    """``p_n`` beside a written vector is the vector of all ``p_n``."""
    if not isinstance(other, Tuple) or isinstance(side, Tuple):
        return side
    indices = Needs(scope, [side]).indices
    if len(indices) != 1:
        return side
    size = scope.plain[indices[0]].shape[0]
    high = Num(size) if size.isdigit() else Name(size)
    return Each(Range(indices[0], Num("1"), high), side, span=side.span)


# ---- trying ----------------------------------------------------------------------------------


def _trials(
    link: Link, conditions: list[Node], scope: Scope, style: str = DRAWN, digits: int = v.DIGITS
) -> list[Trial]:
    """The link at every point.  A special point without a value is passed over; any other is an error.

    Where a hundred digits are too few (1 - σ(300) is 0 to a hundred digits), points and values are made again
    with a thousand.
    """
    found = []
    with v.precision(digits):
        count = MANY_POINTS if link.relation in MIRROR or _has_cases(link) else POINTS
        evaluator = None
        for point, env, needs in points(scope, [link.left, link.right], conditions, count, style):
            if evaluator is None or evaluator.point is not point:  # other indices may stand at the same point
                evaluator = Evaluator(scope, point)
            try:
                left, right = evaluator.eval(link.left, env), evaluator.eval(link.right, env)
            except Undefined as error:
                if style != DRAWN:
                    continue
                if digits < v.MANY_DIGITS:
                    return _trials(link, conditions, scope, style, v.MANY_DIGITS)
                if isinstance(error, v.WrongShape):
                    raise FormulaError(str(error), *_span(link), SHAPES) from None
                where = f"\n  at    {said}" if (said := describe(point, env, needs)) else ""
                raise FormulaError(
                    f"has no value at a point of the declared domain: {error}{where}",
                    *_span(link),
                    error.fix or "restrict the domain in the front matter, or say 当 … before the formula",
                ) from None
            found.append(Trial(left, right, evaluator.scale, point, env, needs, digits))
    return found


def _at_bounds(link: Link, conditions: list[Node], scope: Scope, digits: int = v.DIGITS) -> list[Trial]:
    r"""Where a condition \le or \ge is an equality, where a case begins, where the sides of s \ne y meet.

    No draw hits these.  Only a bound on a symbol itself is taken up, as `s \ge 0`: this is where it can be put in.
    """
    bounds = [pair for condition in conditions for pair in _meetings(condition, ("\\le", "\\ge"))]
    cases = [pair for condition in _case_conditions(link) for pair in _meetings(condition, tuple(MIRROR))]
    if link.relation == "\\ne":
        cases += [(link.left, link.right), (link.right, link.left)]
    fixed = [left for left, _ in Given(scope, conditions).assign]
    found: list[Trial] = []
    for pair in (*bounds, *cases):
        bound = Chain(pair, ("=",), span=pair[0].span)
        given = Given(scope, [bound])
        if not given.assign or given.assign[0][0] in fixed or _is_defined(given.assign[0][0], scope):
            continue
        try:
            with v.precision(digits):
                list(points(scope, [link.left, link.right], [*conditions, bound], MANY_POINTS))
        except (FormulaError, Undefined):
            continue  # the domain does not reach it
        try:
            found += _trials(link, [*conditions, bound], scope, digits=digits)
        except FormulaError:
            if pair in bounds:  # the page says that it holds there; elsewhere it may have no value
                raise
    if link.relation == "\\ne":
        found += _trials(link, conditions, scope, SPECIAL, digits)
    return found


def _meetings(condition: Node, relations: tuple[str, ...]) -> list[tuple[Node, Node]]:
    return [(left, right) for left, relation, right in _pairs_of(condition) if relation in relations]


def _case_conditions(link: Link) -> list[Node]:
    """What decides between cases; where something is differentiated, it need not have a value in between."""
    if _differentiates(link):
        return []
    nodes = _nodes(link)
    found = [n.condition for n in nodes if isinstance(n, Indicator)]
    found += [condition for n in nodes if isinstance(n, Cases) for _, condition in n.branches]
    return [condition for condition in found if condition is not None]


def _nodes(link: Link) -> list[Node]:
    return [*link.left.walk(), *link.right.walk()]


def _differentiates(link: Link) -> bool:
    return any(isinstance(n, (Derivative, Nabla)) or (isinstance(n, Call) and n.order) for n in _nodes(link))


def _is_defined(node: Node, scope: Scope) -> bool:
    return isinstance(node, Name) and scope.plain[node.name].definition is not None


def _has_cases(link: Link) -> bool:
    """Each branch, and each side of a kink, must be met often enough that another condition would show."""
    return any(isinstance(n, (Cases, Indicator)) or (isinstance(n, Call) and n.name in KINKED) for n in _nodes(link))


def _jumps(link: Link, scope: Scope) -> bool:
    defined = Needs(scope, [link.left, link.right]).definitions
    nodes = [*_nodes(link), *(node for definition in defined for node in definition.walk())]
    return any(isinstance(n, (Cases, Indicator)) or (isinstance(n, Call) and n.name == "sign") for n in nodes)


def _tolerance(link: Link):
    """Relative tolerance: what limits, optima and integrals are computed to."""
    nodes = _nodes(link)
    if any(
        isinstance(n, Integral) or (isinstance(n, Expectation) and n.law in ("Normal", "Laplace"))
        for n in nodes
    ):
        return mp.mpf(10) ** -12
    if any(isinstance(n, Limit) for n in nodes):
        return mp.mpf(10) ** -15
    if any(isinstance(n, Optimum) for n in nodes):
        return mp.mpf(10) ** -30
    return RELATIVE


def _pairs(trial: Trial, link: Link):
    left, right = trial.left, trial.right
    if isinstance(left, Matrix) and not isinstance(right, Matrix) and _is_zero(link.right):
        right = left.map(lambda _: v.ZERO)
    if isinstance(right, Matrix) and not isinstance(left, Matrix) and _is_zero(link.left):
        left = right.map(lambda _: v.ZERO)
    if isinstance(left, Matrix) != isinstance(right, Matrix) or (
        isinstance(left, Matrix) and left.shape != right.shape
    ):
        raise FormulaError(
            f"the two sides differ in shape: {_shape(left)} and {_shape(right)}",
            *_span(link),
            SHAPES,
        )
    if isinstance(left, Matrix):
        return [(v.real(a), v.real(b)) for a, b in zip(left.entries(), right.entries(), strict=False)]
    return [(v.real(left), v.real(right))]


def _shape(value) -> str:
    return f"{value.shape[0]}×{value.shape[1]}" if isinstance(value, Matrix) else "a number"


# ---- equality --------------------------------------------------------------------------------


def _check_equality(tex: str, link: Link, conditions: list[Node], scope: Scope) -> None:
    if link.relation == "\\approx":
        return _check_rounding(tex, link, conditions, scope)
    relative = _tolerance(link)
    alive = _is_zero(link.left) or _is_zero(link.right) or link.relation == "\\ne"
    failure: Trial | None = None
    differ = False
    ratios, gaps = [], []
    # What cuts off may do so far out; what searches takes its time there.
    # What jumps may do so at a domain's closed end or in the middle of it, where no draw falls; the rest is continuous.
    jumps = link.relation == "=" and not _differentiates(link) and relative == RELATIVE and _jumps(link, scope)
    cuts = link.relation == "=" and _has_cases(link) and not _differentiates(link) and relative == RELATIVE

    def tried(digits: int = v.DIGITS) -> list[Trial]:
        found = [*_trials(link, conditions, scope, digits=digits), *_at_bounds(link, conditions, scope, digits)]
        if jumps:
            found += _trials(link, conditions, scope, SPECIAL, digits)
        return found + _trials(link, conditions, scope, FAR, digits) if cuts else found

    trials = tried()
    if any(_doubtful(link, a, b, relative, trial) for trial in trials for a, b in _pairs(trial, link)):
        trials = tried(v.MANY_DIGITS)
    for trial in trials:
        pairs = _pairs(trial, link)
        noise = trial.noise if relative == RELATIVE else relative
        equal = [_near(a, b, relative, noise) for a, b in pairs]
        # Where all terms are tiny, noise may be told too small: what differs does so by more somewhere.
        differ = differ or not all(_near(a, b, relative, max(noise, UNSEEN)) for a, b in pairs)
        if link.relation == "\\ne":
            # A wrong gradient is right where it vanishes with the true one.
            wrong = all(equal) and any(max(abs(a), abs(b)) > noise for a, b in pairs)
        else:
            wrong = not all(equal)
        if wrong:
            failure = failure or trial
        for a, b in pairs:
            alive = alive or max(abs(a), abs(b)) > noise
            if b != 0 and not mp.isinf(b):
                ratios.append((a / b, trial))
            gaps.append(a - b)
    if link.relation == "\\ne" and not differ:
        failure = next(iter(trials), None)
    if failure is not None:
        slip = slips.from_values(ratios, gaps) if link.relation == "=" else ""
        if not slip and link.relation == "=" and relative == RELATIVE:
            slip = _mended(link, trials, scope, tex)
        raise _broken(tex, link, failure, slip)
    if not trials:
        raise FormulaError("no point was found to try this at", *link.left.span)
    for node in _products_with_zero(link):
        if _has_value(node, trials[0], scope):
            raise _idle_product(node)
    if not alive:
        raise FormulaError(
            "both sides are 0 at every point tried, which proves nothing",
            link.left.span[0],
            link.right.span[1],
            "is a symbol's domain too narrow?",
        )


def _doubtful(link: Link, a, b, relative, trial: Trial) -> bool:
    """Not as claimed, or so small beside the summands that rounding could have made them so."""
    if a == b:
        return False
    return max(abs(a), abs(b)) <= trial.noise or _near(a, b, relative, v.ZERO) == (link.relation == "\\ne")


def _near(a, b, relative, noise) -> bool:
    return bool(a == b or abs(a - b) <= max(relative * max(abs(a), abs(b)), noise))


def _is_zero(node: Node) -> bool:
    return isinstance(node, Num) and mp.mpf(node.text) == 0


def _products_with_zero(link: Link) -> list[Mul]:
    return [node for node in (link.left, link.right) if isinstance(node, Mul) and any(map(_vanishes, node.factors))]


def _vanishes(node: Node) -> bool:
    """0, or a fraction of it, as written."""
    return _is_zero(node) or (isinstance(node, Div) and _is_zero(node.top))


def _idle_product(node: Node) -> FormulaError:
    return FormulaError("a product with 0 is 0, whatever stands beside it", *node.span, "is a digit wrong?")


def _has_value(product: Mul, trial: Trial, scope: Scope) -> bool:
    """Whether each factor has a value by itself: in 0 log 0 = 0 one has not."""
    try:
        for factor in product.factors:
            Evaluator(scope, trial.point).eval(factor, trial.env)
    except Undefined:
        return False
    return True


class Refuted(FormulaError):
    """Not only beyond the checker, but false at a point."""


def _broken(tex: str, link: Link, trial: Trial, slip: str = "") -> Refuted:
    relation = {"\\approx": "≈", "\\le": "≤", "\\ge": "≥", "\\ne": "≠"}.get(link.relation, link.relation)
    left, right = _said(tex, link.left), _said(tex, link.right)
    where = describe(trial.point, trial.env, trial.needs)
    lines = [
        f"`{relation}` does not hold{link.step}",
        f"  left  {left} = {v.show(trial.left, 15)}",
        f"  right {right} = {v.show(trial.right, 15)}",
    ]
    if where:
        lines.append(f"  at    {where}  (seed {SEED})")
    if slip:
        lines.append(f"  slip? {slip}")
    return Refuted("\n".join(lines), link.left.span[0], link.right.span[1])


def _said(tex: str, node: Node) -> str:
    return re.sub(r"\s+", " ", tex[slice(*node.span)]).strip().rstrip("&\\ ")


def _mended(link: Link, trials: list[Trial], scope: Scope, tex: str) -> str:
    """A small change with which the link would hold at every point tried."""

    def holds(left: Node, right: Node) -> bool:
        for trial in trials:
            evaluator = Evaluator(scope, trial.point)
            try:
                changed = replace(trial, left=evaluator.eval(left, trial.env), right=evaluator.eval(right, trial.env))
                pairs = _pairs(changed, Link(left, "=", right))
            except (FormulaError, Undefined):
                return False
            if not all(_near(a, b, RELATIVE, v.ZERO) for a, b in pairs):
                return False
        return True

    return slips.from_changes(tex, (link.left, link.right), scope, holds)


# ---- rounding --------------------------------------------------------------------------------


def _check_rounding(tex: str, link: Link, conditions: list[Node], scope: Scope) -> None:
    left, right = _precision(link.left), _precision(link.right)
    if left is None and right is None:
        raise FormulaError(
            "`\\approx` needs a decimal on one side",
            link.left.span[0],
            link.right.span[1],
            "write the number to the digits you want checked",
        )
    for trial in _trials(link, conditions, scope):
        units = right if right is not None else left
        pairs = _pairs(trial, link)
        if len(units) != len(pairs):
            raise FormulaError(f"{len(units)} decimals for {len(pairs)} numbers", *link.right.span)
        for (a, b), unit in zip(pairs, units, strict=False):
            if abs(a - b) > unit / 2 * (1 + mp.mpf(10) ** -20):
                error = _broken(tex, link, trial)
                values = [pair[right is None] for pair in pairs]
                error.fix = f"to the digits written it is {', '.join(map(_rounded, values, units))}"
                raise error


def _rounded(value, unit) -> str:
    """To whole units, with the zeros at the end that such a number is written with."""
    rounded = mp.nint(value / unit) * unit
    return mp.nstr(rounded, 15) if unit > 1 else f"{float(rounded):.{-int(mp.nint(mp.log10(unit)))}f}"


def _check_decimals(
    tex: str, link: Link, conditions: list[Node], scope: Scope, established: frozenset[str]
) -> None:
    """A rounded number that a computation starts from is held itself: by the result, or elsewhere.

    In ``(0.2231+0.3567)/2 \\approx 0.29`` a wrong last digit above would not show below.
    """
    for side, other in ((link.left, link.right), (link.right, link.left)):
        if _precision(side) is not None or _precision(other) is None:
            continue
        for number in {n for n in side.walk() if isinstance(n, Num) and "." in n.text} - {
            Num(text) for text in established
        }:
            unit = mp.mpf(10) ** -len(number.text.split(".")[1])
            for nudge in (unit, -unit):
                changed = Num(mp.nstr(mp.mpf(number.text) + nudge, 30))
                try:
                    _check_rounding(
                        tex, Link(_replaced(side, number, changed), "\\approx", other), conditions, scope
                    )
                except (FormulaError, Undefined):
                    continue
                raise FormulaError(
                    f"the last digit of {number.text} is held by nothing: the result would round to the same",
                    *number.span,
                    "claim this number elsewhere on the page, or write the result with more digits",
                )


def _replaced(node: Node, old: Node, new: Node) -> Node:
    """The expression with every ``old`` made ``new``."""

    def swap(value):
        if isinstance(value, Node):
            return new if value == old else _replaced(value, old, new)
        return tuple(map(swap, value)) if isinstance(value, tuple) else value

    return replace(node, **{f.name: swap(getattr(node, f.name)) for f in fields(node) if f.name != "span"})


def decimals(formulas: Iterable[Node]) -> set[str]:
    """The decimals that ``\\approx`` claims of an expression, and those that conditions give."""
    found: set[str] = set()
    for body in formulas:
        for chain in (n for n in body.walk() if isinstance(n, Chain)):
            for left, relation, right in zip(chain.sides, chain.relations, chain.sides[1:], strict=False):
                held = [s for s in (left, right) if relation != "\\approx" or _precision(s) is not None]
                if relation in ("=", "\\approx"):
                    found |= {n.text for s in held for n in s.walk() if isinstance(n, Num) and "." in n.text}
    return found


def _precision(node: Node) -> list | None:
    """The unit in the last written place of each decimal, or None if this is no decimal."""
    if isinstance(node, Num):
        decimals = len(node.text.split(".")[1]) if "." in node.text else 0
        return [mp.mpf(10) ** -decimals]
    if isinstance(node, Neg):
        return _precision(node.value)
    if isinstance(node, Tuple):
        parts = [_precision(item) for item in node.items]
        return None if None in parts else [unit for part in parts for unit in part]
    if isinstance(node, Mul) and len(node.factors) == 2:
        head, tail = node.factors
        if isinstance(tail, Pow) and tail.base == Num("10") and isinstance(head, Num):
            power = tail.exponent.value if isinstance(tail.exponent, Neg) else tail.exponent
            if isinstance(power, Num):
                sign = -1 if isinstance(tail.exponent, Neg) else 1
                return [_precision(head)[0] * mp.mpf(10) ** (sign * int(power.text))]
    return None


# ---- inequalities ----------------------------------------------------------------------------


def _check_inequality(tex: str, link: Link, conditions: list[Node], scope: Scope, loose: bool) -> bool:
    """True if the bound is as sharp as its sign says."""
    for node in _products_with_zero(link):
        raise _idle_product(node)
    strict = link.relation in ("<", ">")
    sign = 1 if link.relation in ("<", "\\le") else -1
    attained: Trial | None = None
    at_zero = False  # equality was met where both sides are 0
    alive = [False, False]
    gaps: list = []  # relative, and both sides, where neither is 0
    sizes: list = []  # of one side, where the other is 0
    count = 0
    for style in (DRAWN, SMALL, USUAL, NEAR):
        if style == NEAR and (attained is not None or not at_zero or not all(alive)):
            break
        for trial in _trials(link, conditions, scope, style):
            for a, b in _pairs(trial, link):
                count += 1
                gap = sign * (b - a)
                equal = _near(a, b, RELATIVE, trial.noise)
                if gap < 0 and not equal:
                    error = _broken(tex, link, trial)
                    if not conditions and {type(link.left), type(link.right)} <= {Name, Elem, Num}:
                        said = " ".join(tex.split())
                        error.fix = f"a condition stands behind 当, with what holds there: 当 ${said}$ 时，…"
                    raise error
                if equal and strict:
                    error = _broken(tex, link, trial)
                    error.fix = f"the two sides are equal here: write \\{'le' if sign > 0 else 'ge'}"
                    raise error
                size = max(abs(a), abs(b))
                if equal and size <= trial.noise:
                    at_zero = True
                    continue
                if equal:
                    attained = attained or trial
                alive = [alive[0] or abs(a) > trial.noise, alive[1] or abs(b) > trial.noise]
                if a != 0 and b != 0:
                    gaps.append((abs(gap) / size, a, b))
                else:
                    sizes.append(size)
    # Against 0 the relative gap says nothing: compare small values with large ones.
    nearest, *sides = min(gaps, default=(mp.inf,))
    closest = nearest if all(alive) else min(sizes, default=mp.inf) / max(sizes, default=1)
    if at_zero and attained is None:
        # Any factor may stand before a side that is 0: what counts is how close the sides come beside it.
        if not all(alive) or closest <= TIGHT:
            attained = trial
        elif not loose:
            raise FormulaError(
                "the two sides are equal only where both are 0; elsewhere, and right beside that, they never come "
                f"closer than {mp.nstr(closest, 4)} of their size",
                link.left.span[0],
                link.right.span[1],
                "is a factor too large? give the sharp bound, or `<!-- loose: 理由 -->` behind the formula",
            )
    if count <= 1:
        return True  # two fixed numbers: nothing to be tight about
    if attained is None and not strict:
        if loose:
            return False
        raise FormulaError(
            "equality is reached at no point tried",
            link.left.span[0],
            link.right.span[1],
            f"if it is reached nowhere, write {'<' if sign > 0 else '>'}; if it is, `<!-- loose: 理由 -->` behind the "
            "formula says where",
        )
    approached = attained is not None or closest <= TIGHT
    if not approached and not loose:
        said = f"the bound is not tight: the sides never come closer than {mp.nstr(closest, 4)} of their size"
        if all(alive) and sides:
            said += ", where left is {} and right {}".format(*(v.show(side, 6) for side in sides))
        raise FormulaError(
            said,
            link.left.span[0],
            link.right.span[1],
            "give the sharp bound, or `<!-- loose: 理由 -->` behind the formula",
        )
    return bool(approached)


# ---- membership ------------------------------------------------------------------------------


def _check_membership(tex: str, link: Link, conditions: list[Node], scope: Scope, loose: bool) -> None:
    node, target = link.left, link.right
    if isinstance(node, (Name, Elem)):
        if isinstance(node, Name):
            symbol = scope.find(node.name) or scope.family(node.name)
        else:
            symbol = scope.family(node.base.name, len(node.indices)) if isinstance(node.base, Name) else None
        if symbol is not None and symbol.kind == "index":
            return _check_index_range(symbol.shape[0], target)
        if symbol is not None and symbol.domain is not None and not conditions:
            return _check_declared(symbol, target)
    for point, env, needs in points(scope, [node], conditions, 24 if isinstance(target, SetOf) else 12):
        evaluator = Evaluator(scope, point)
        value = evaluator.eval(node, env)
        if not evaluator.member(value, target, env):
            lines = [
                "`∈` does not hold",
                f"  {_said(tex, node)} = {v.show(value, 15)}",
                f"  at    {describe(point, env, needs)}  (seed {SEED})",
            ]
            raise FormulaError("\n".join(lines), node.span[0], target.span[1])
    if isinstance(target, Interval):
        for end, relation, closed in (
            (target.low, ">", target.low_closed),
            (target.high, "<", target.high_closed),
        ):
            if isinstance(end, Const) or (isinstance(end, Neg) and isinstance(end.value, Const)):
                continue
            relation = {"<": "\\le", ">": "\\ge"}[relation] if closed else relation
            try:
                _check_inequality(tex, Link(node, relation, end, link.step), conditions, scope, loose)
            except Refuted:
                raise
            except FormulaError as error:
                wanted = "a set is filled to its ends: an end that is reached is closed, [ or ], the others are open"
                raise FormulaError(f"the end {_said(tex, end)}: {error.message}", *end.span, wanted) from None


def _check_index_range(size: str, target: Node) -> None:
    want = Num(size) if size.isdigit() else Name(size)
    if not (
        isinstance(target, SetOf) and target.dots and target.items[0] == Num("1") and target.items[-1] == want
    ):
        raise FormulaError(f"this index is declared to run over {{1, …, {size}}}", *target.span)


def _check_declared(symbol, target: Node) -> None:
    """A page that says where a symbol lives must say what the front matter says."""
    domain = symbol.domain
    wrong = FormulaError(
        f"`{symbol.name}` is declared `in: {domain.text}`",
        *target.span,
        "make the page and the front matter say the same",
    )
    if isinstance(target, Space):
        shape = tuple(n.name if isinstance(n, Name) else getattr(n, "text", "") for n in target.shape)
        declared = () if symbol.kind == "family" else symbol.shape
        if domain.text != "real" or shape != declared:
            raise wrong
        return
    if isinstance(target, SetOf):
        items = [Evaluator(Scope(), Point()).number(i, {}) for i in target.items]
        if target.dots:
            items = [mp.mpf(i) for i in range(int(items[0]), int(items[-1]) + 1)]
        if not isinstance(domain, Finite) or sorted(items) != sorted(map(mp.mpf, domain.items)):
            raise wrong
        return
    said = domain_of(target)
    if not isinstance(said, Between) or not isinstance(domain, Between):
        raise wrong
    if (said.low, said.high, said.low_closed, said.high_closed) != (
        domain.low,
        domain.high,
        domain.low_closed,
        domain.high_closed,
    ):
        raise wrong
