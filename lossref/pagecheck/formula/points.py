"""The points at which a claim is tried: reproducible, spread over the domain, inside the conditions.

A symbol's k-th value depends on the seed, its name and k alone, so a failure can
be met again, and two claims on a page see the same points.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from math import inf

from . import values as v
from .domains import Between, Domain, Reals
from .evaluate import Evaluator, Point, domain_of
from .scope import LARGEST, Scope, Symbol
from .syntax import (
    Big,
    Call,
    Chain,
    Definition,
    Each,
    Elem,
    Expectation,
    Integral,
    Limit,
    Name,
    Node,
    Optimum,
    SetOf,
    Tuple,
    chains,
)
from .tokens import FormulaError
from .values import Matrix, Undefined, mp

Key = str | tuple[str, int]  # of a symbol; of a family by its number of indices

SEED = 1
MIRROR = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
TRIES = 400  # draws before a condition is called unsatisfiable
INDEX_CHOICES = 4
# Styles: at random, the same mirrored and small, where bounds are attained, there and where they are usually too, right
# beside that, far out.
DRAWN, SMALL, SPECIAL, USUAL, NEAR, FAR = "drawn", "small", "special", "usual", "near", "far"
SPECIAL_POINTS = 40  # of one choice of sizes, fewer where there are fewer combinations
USUAL_POINTS, SMALL_POINTS, FAR_POINTS = 60, 12, 16
SHRUNK = mp.mpf(-1) / 64
NUDGE = mp.mpf(10) ** -5


def free_names(node: Node, bound: frozenset[str] = frozenset()) -> set[str]:
    """Names a reader must know to read the expression: everything but bound indices and parameters.

    An element ``z_n`` counts as ``z_`` (``z_{nc}`` as ``z__``), so that a number ``z`` beside the family
    is not drawn in.
    """
    if isinstance(node, Name):
        return set() if node.name in bound else {node.name}
    if isinstance(node, Elem) and isinstance(node.base, Name):
        own = set() if node.base.name in bound else {node.base.name + "_" * len(node.indices)}
        return own.union(*(free_names(i, bound) for i in node.indices))
    if isinstance(node, (Big, Each)):
        inner = bound | {node.range.index}
        where = free_names(node.range.where, inner) if node.range.where else set()
        return (
            free_names(node.range.low, bound)
            | free_names(node.range.high, bound)
            | where
            | free_names(node.body, inner)
        )
    if isinstance(node, Definition):
        return free_names(node.body, bound | set(node.parameters) | set(node.indices))
    if isinstance(node, Integral):
        return (
            free_names(node.low, bound) | free_names(node.high, bound) | free_names(node.body, bound | {node.variable})
        )
    if isinstance(node, Expectation):
        parts = set().union(*(free_names(p, bound) for p in node.parameters))
        return parts | free_names(node.body, bound | {node.variable})
    if isinstance(node, (Optimum, Limit)):
        found = free_names(node.body, bound | {node.variable})
        if isinstance(node, Optimum) and node.domain is not None:
            found |= free_names(node.domain, bound)
        return found | (free_names(node.to, bound) if isinstance(node, Limit) else set())
    names: set[str] = set()
    for child in node.children():
        names |= free_names(child, bound)
    if isinstance(node, Call):
        names.add(node.name)
    return names


class Needs:
    """What a set of expressions depends on, through the page's definitions."""

    def __init__(self, scope: Scope, nodes: list[Node]):
        self.scope = scope
        self.names: set[str] = set()
        self.definitions: list[Node] = []
        self.base: dict[str, Symbol] = {}
        self.families: dict[tuple[str, int], Symbol] = {}
        self.sizes: set[str] = set()
        self.indices: list[str] = []
        for node in nodes:
            for name in sorted(free_names(node)):
                symbol = scope.find(name)
                if symbol is not None and symbol.kind == "index":
                    self._index(name)
                else:
                    self._visit(name)

    def _index(self, name: str) -> None:
        if name not in self.indices:
            self.indices.append(name)
        self._size(self.scope.plain[name].shape[0])

    def _size(self, name: str) -> None:
        if not name.isdigit():
            self.sizes.add(name)

    def _visit(self, name: str) -> None:
        if name in self.names:
            return
        self.names.add(name)
        symbol = self._symbol(name)
        if symbol is None:
            return
        for size in symbol.shape:
            self._size(size)
        if symbol.kind == "size":
            self.sizes.add(name)
        elif symbol.definition is not None:
            self.definitions.append(symbol.definition)
            for inner in sorted(free_names(symbol.definition)):
                found = self.scope.find(inner)
                if found is None or found.kind != "index":
                    self._visit(inner)
        elif symbol.kind == "family":
            self.families[symbol.key] = symbol
        elif symbol.kind in ("scalar", "vector"):
            self.base[symbol.name] = symbol

    def _symbol(self, name: str) -> Symbol | None:
        bare = name.rstrip("_")
        if bare != name:
            return self.scope.family(bare, len(name) - len(bare)) or self.scope.find(bare)
        return self.scope.find(name) or self.scope.family(name)


class Given:
    """Conditions, sorted into values that fix a symbol and tests that points must pass."""

    def __init__(self, scope: Scope, conditions: list[Node]):
        self.scope = scope
        self.assign: list[tuple[Node, Node]] = []
        self.choose: list[tuple[Node, SetOf]] = []
        self.tests: list[Chain] = []
        self.limits: list[tuple[str, Node]] = []
        for condition in conditions:
            for chain in chains(condition):
                self._sort(chain)

    def _sort(self, chain: Chain) -> None:
        for left, relation, right in zip(chain.sides, chain.relations, chain.sides[1:], strict=False):
            if relation == "\\to":
                if not isinstance(left, Name):
                    raise FormulaError("only a symbol tends to something", *left.span)
                self.limits.append((left.name, right))
            elif relation == "=" and self._assignable(left):
                self.assign.append((left, right))
            elif relation == "=" and self._assignable(right):
                self.assign.append((right, left))
            elif relation == "\\in" and isinstance(right, SetOf) and self._assignable(left):
                self.choose.append((left, right))
            elif relation == "\\approx":
                raise FormulaError("a condition is exact", *chain.span, "write = instead of \\approx")
            else:
                self.tests.append(Chain((left, right), (relation,), span=chain.span))

    def _assignable(self, node: Node) -> bool:
        if isinstance(node, Elem):
            return isinstance(node.base, Name) and (
                (family := self.scope.family(node.base.name, len(node.indices))) is not None
                and family.definition is None
            )
        if not isinstance(node, Name):
            return False
        symbol = self.scope.find(node.name)
        return symbol is not None and symbol.kind in ("scalar", "vector", "size")


def points(
    scope: Scope, nodes: list[Node], conditions: list[Node], count: int, style: str = DRAWN, beyond: bool = True
) -> Iterator[tuple[Point, dict, Needs]]:
    """Points for the given expressions, each with the values of their free indices.

    ``beyond`` tries another size too where several stand for all of them: C^2 = 5C - 6 holds at 2 and at 3.
    """
    given = Given(scope, conditions)
    given_nodes = [side for pair in (*given.assign, *given.choose) for side in pair] + list(given.tests)
    needs = Needs(scope, nodes + given_nodes)
    ranges = _narrowed(scope, given)
    own = Needs(scope, nodes)
    free_indices = own.indices + [i for i in needs.indices if i not in own.indices and _filters(given, i)]
    seen: set = set()  # conditions may leave nothing to draw
    # A special point that fails the conditions is passed over.
    tries = TRIES if given.tests and style == DRAWN else 1
    drawn = (*needs.base.values(), *needs.families.values())
    if style == SMALL and not any(isinstance(symbol.domain, Reals) for symbol in drawn):
        return  # these would be the drawn ones again
    choices = _size_choices(scope, needs, given, beyond)
    # Several sizes share the points; each begins with another style of draw.
    each = count if len(choices) == 1 else count // len(choices) + 1
    if style != DRAWN:
        each = {SPECIAL: SPECIAL_POINTS, SMALL: SMALL_POINTS, FAR: FAR_POINTS}.get(style, USUAL_POINTS)
    for first, sizes in enumerate(choices):
        for k in range(first, first + each):
            for attempt in range(tries):
                point = _draw(scope, needs, sizes, k, attempt, style, ranges)
                envs = list(_index_values(scope, free_indices, point, k))
                kept = []
                for env in envs:
                    chosen = _fixed(scope, point, given, env, k)
                    if _passes(scope, chosen, given, env):
                        kept.append((chosen, env))
                if kept:
                    for chosen, env in kept[:INDEX_CHOICES]:
                        key = (*chosen.key(), *env.items())
                        if key not in seen:
                            seen.add(key)
                            yield chosen, env, needs
                    break
            if not (needs.base or needs.families):
                break
    if not seen and style == DRAWN:
        raise Undefined(
            "no point satisfies the conditions", "do they contradict each other, or what the front matter declares?"
        )


def _narrowed(scope: Scope, given: Given) -> dict[Key, Between]:
    """Where conditions such as ``0 < z < 1`` leave the symbols: points are drawn near these ends too."""
    found: dict[Key, Between] = {}
    for test in given.tests:
        (left, right), (relation,) = test.sides, test.relations
        if isinstance(right, (Name, Elem)) and relation in MIRROR:
            left, relation, right = right, MIRROR[relation], left
        symbol = _lone(scope, left)
        if symbol is None or not isinstance(symbol.domain, (Reals, Between)) or free_names(right):
            continue
        if relation == "\\in":
            said = domain_of(right)
        elif relation in MIRROR:
            end, closed = float(Evaluator(Scope(), Point()).number(right, {})), relation in ("\\le", "\\ge")
            ends = (end, inf, closed, False) if relation in (">", "\\ge") else (-inf, end, False, closed)
            said = Between("", *ends)
        else:
            continue
        key = symbol.key if symbol.kind == "family" else symbol.name
        both = [d for d in (found.get(key, symbol.domain), said) if isinstance(d, Between)]
        low, open_low = max((d.low, not d.low_closed) for d in both)
        high, closed_high = min((d.high, d.high_closed) for d in both)
        if low < high:
            found[key] = Between("", low, high, not open_low, closed_high)
    return found


def _lone(scope: Scope, node: Node) -> Symbol | None:
    """The declared symbol that a side of a condition is, a family at any index."""
    if isinstance(node, Name):
        symbol = scope.find(node.name)
    elif isinstance(node, Elem) and isinstance(node.base, Name):
        symbol = scope.family(node.base.name, len(node.indices))
    else:
        return None
    return symbol if symbol is not None and symbol.kind in ("scalar", "family") and symbol.domain else None


def _filters(given: Given, index: str) -> bool:
    return any(index in free_names(test) for test in given.tests)


def _size_choices(scope: Scope, needs: Needs, given: Given, beyond: bool) -> list[dict[str, int]]:
    names = sorted(needs.sizes)
    fixed: dict[str, int] = {}
    for left, right in given.assign:
        length = len(right.items) if isinstance(right, Tuple) else None
        if isinstance(left, Name) and scope.plain[left.name].kind == "size":
            value = Evaluator(scope, Point()).number(right, {})
            if value != int(value) or value < 1:
                raise FormulaError(f"a size is a positive integer, got {v.show(value)}", *right.span)
            if value > LARGEST:
                raise FormulaError(f"a size to try is at most {LARGEST}, got {v.show(value)}", *right.span)
            fixed[left.name] = int(value)
        elif length is not None:
            symbol = _family(scope, left) if isinstance(left, Elem) else scope.find(left.name)
            for size, n in zip(
                symbol.shape,
                (length, len(right.items[0].items) if isinstance(right.items[0], Tuple) else 1),
                strict=False,
            ):
                if size.isdigit() and int(size) != n:
                    raise FormulaError(f"`{symbol.name}` has {size} entries, {n} are given", *right.span)
                if fixed.setdefault(size, n) != n:
                    raise FormulaError(f"{n} entries are given where `{size}` is already {fixed[size]}", *right.span)
    choices = [[fixed[name]] if name in fixed else list(scope.plain[name].sizes) for name in names]
    longest = max(map(len, choices), default=1)
    picks = []
    for i in range(longest):
        pick = {
            name: values[(i + j) % len(values)] for j, (name, values) in enumerate(zip(names, choices, strict=False))
        }
        if pick not in picks:
            picks.append(pick)
    if longest > 1 and beyond:
        picks.append({name: max(c) + (len(c) > 1) for name, c in zip(names, choices, strict=True)})
    return picks


def _draw(
    scope: Scope, needs: Needs, sizes: dict[str, int], k: int, attempt: int, style: str, narrowed: dict[Key, Between]
) -> Point:
    point = Point(dict(sizes))
    turn = k  # counts through every combination of the symbols' special values

    def length(name: str) -> int:
        return int(name) if name.isdigit() else sizes[name]

    def specials(domain: Domain) -> list:
        if style == FAR:
            return domain.far()
        return domain.specials() if style == SPECIAL else domain.specials() + domain.usual()

    def chance(label: str) -> random.Random:
        return random.Random(f"{SEED}/{label}/{k}/{attempt}")

    def special(options: list):
        nonlocal turn
        if style in (DRAWN, SMALL) or not options:
            return None
        turn, i = divmod(turn, len(options))
        return options[i]

    def entries(domain: Domain, label: str, count: int, options: list) -> list:
        """So many numbers of one symbol: special ones, or each drawn by itself."""
        chosen = special(options)
        if chosen is None:
            chosen = [domain.sample(chance(f"{label}/{part}"), k + attempt) for part in range(count)]
            if style == SMALL and isinstance(domain, Reals):
                chosen = [x * SHRUNK for x in chosen]
        return _nudged(domain, chosen, chance(f"{label}/near")) if style == NEAR else chosen

    def vector(domain: Domain, label: str, n: int, options: list) -> Matrix:
        chosen = special(options) or domain.sample_vector(chance(label), k, n)
        return domain.nudged(chosen, chance(f"{label}/near")) if style == NEAR else chosen

    for name, symbol in sorted(needs.base.items()):
        domain = narrowed.get(name, symbol.domain)
        shape = [length(s) for s in symbol.shape]
        if symbol.kind == "scalar":
            (point.plain[name],) = entries(domain, name, 1, [[x] for x in specials(domain)])
        elif domain.vector:
            more = domain.usual_vectors(shape[0]) if style != SPECIAL else []
            point.plain[name] = vector(domain, name, shape[0], domain.special_vectors(shape[0]) + more)
        else:
            rows, columns = (*shape, 1)[:2]
            flat = entries(domain, name, rows * columns, _special_entries(specials(domain), rows * columns))
            point.plain[name] = Matrix(tuple(tuple(flat[i * columns : (i + 1) * columns]) for i in range(rows)))
    for key, symbol in sorted(needs.families.items()):
        domain, label = narrowed.get(key, symbol.domain), symbol.name + "_" * len(symbol.shape)
        ranges = [range(1, length(s) + 1) for s in symbol.shape]
        if domain.vector:
            table = {
                (*outer, i): x
                for outer in itertools.product(*ranges[:-1])
                for i, x in enumerate(vector(domain, f"{label}/{outer}", len(ranges[-1]), []).entries(), 1)
            }
        else:
            indices = list(itertools.product(*ranges))
            # A family may also stand at any values beside the special ones of the others.
            flat = entries(domain, label, len(indices), [*_special_entries(specials(domain), len(indices)), None])
            table = dict(zip(indices, flat, strict=True))
        point.families[key] = table
    return point


def _special_entries(items: list, count: int) -> list[list]:
    """Special values for several entries: one value in all of them, or one after the other."""
    shifts = range(len(items) if count > 1 and len(items) > 1 else 0)
    return [[x] * count for x in items] + [[items[(i + s) % len(items)] for i in range(count)] for s in shifts]


def _nudged(domain: Domain, entries: list, rng: random.Random) -> list:
    moved = []
    for x in entries:
        step = NUDGE * max(1, abs(x)) * rng.choice((-1, 1))
        moved.append(next((y for y in (x + step, x - step) if domain.contains(y)), x))
    return moved


def _index_values(scope: Scope, names: list[str], point: Point, k: int) -> Iterator[dict]:
    ranges = []
    for name in names:
        size = scope.plain[name].shape[0]
        n = int(size) if size.isdigit() else point.sizes[size]
        ranges.append(range(1, n + 1))
    combinations = list(itertools.product(*ranges))
    random.Random(f"{SEED}/index/{k}").shuffle(combinations)
    for combination in combinations:
        yield {name: mp.mpf(i) for name, i in zip(names, combination, strict=False)}


def _fixed(scope: Scope, point: Point, given: Given, env: dict, k: int) -> Point:
    """The point with the conditions' values put in."""
    if not (given.assign or given.choose):
        return point
    point = Point(point.sizes, dict(point.plain), {f: dict(t) for f, t in point.families.items()}, dict(point.cuts))
    for left, right in given.choose:
        items = Evaluator(scope, point).set_items(right, env)
        rng = random.Random(f"{SEED}/choice/{k}")
        if isinstance(left, Elem):
            family = _family(scope, left)
            table = {index: rng.choice(items) for index in point.families[family.key]}
            for x in table.values():
                _check_domain(family, x, right)
            point.families[family.key] = table
        elif scope.plain[left.name].kind in ("size", "index"):
            fix = "a condition on a size is an equation, as in 设 $C=2$"
            raise FormulaError(f"the front matter says which values `{left.name}` takes", *left.span, fix)
        elif scope.plain[left.name].definition is not None:
            point.cuts[left.name] = items[k % len(items)]
        else:
            point.plain[left.name] = items[k % len(items)]
            _check_domain(scope.plain[left.name], point.plain[left.name], right)
    seen: set[Node] = set()
    for left, right in given.assign:
        if left in seen:
            raise FormulaError("this sentence gives it a value twice", *left.span, "end the sentence in between")
        seen.add(left)
        value = Evaluator(scope, point).eval(right, env)
        if isinstance(left, Name):
            symbol = scope.plain[left.name]
            if symbol.kind == "size":
                continue
            if symbol.definition is not None:
                point.cuts[left.name] = value
                continue
            _check_domain(symbol, value, right)
            point.plain[left.name] = value
            continue
        family = _family(scope, left)
        if isinstance(value, Matrix):
            rows = value.entries() if len(family.shape) == 1 else value.rows
            entries = (
                {(i,): x for i, x in enumerate(rows, 1)} if len(family.shape) == 1
                else {(i, j): x for i, row in enumerate(rows, 1) for j, x in enumerate(row, 1)}
            )  # fmt: skip
        else:
            keep = [_index(scope, point, i, env) for i in left.indices]
            entries = {
                index: value for index in point.families.get(family.key, {})
                if all(k is None or k == i for k, i in zip(keep, index, strict=False))
            }  # fmt: skip
        for x in entries.values():
            _check_domain(family, x, right)
        point.families.setdefault(family.key, {}).update(entries)
    return point


def _family(scope: Scope, node: Elem) -> Symbol:
    assert isinstance(node.base, Name)
    return scope.families[node.base.name, len(node.indices)]


def _index(scope: Scope, point: Point, node: Node, env: dict) -> int | None:
    """A written index: a number, one of the claim's own indices, or None (for every one)."""
    if isinstance(node, Name) and node.name not in env and (s := scope.find(node.name)) and s.kind == "index":
        return None
    return Evaluator(scope, point).integer(node, env)


def _check_domain(symbol: Symbol, value, node: Node) -> None:
    items = value.entries() if isinstance(value, Matrix) and not symbol.domain.vector else [value]
    for x in items:
        if not symbol.domain.contains(x):
            raise FormulaError(
                f"{v.show(x)} lies outside the domain of `{symbol.name}` ({symbol.domain.text})",
                *node.span,
                "change the value or the declaration in the front matter",
            )


def _passes(scope: Scope, point: Point, given: Given, env: dict) -> bool:
    if not given.tests:
        return True
    evaluator = Evaluator(scope, point)
    try:
        return all(evaluator.holds(test, env) for test in given.tests)
    except Undefined:
        return False


def describe(point: Point, env: dict, needs: Needs) -> str:
    """The symbols' values, as a failure prints them."""
    parts = [f"{name} = {v.show(value)}" for name, value in sorted(env.items())]
    parts += [f"{name} = {n}" for name, n in sorted(point.sizes.items())]
    parts += [f"{name} = {v.show(point.plain[name])}" for name in sorted(needs.base)]
    for key in sorted(needs.families):
        letters = "".join(needs.families[key].indices)
        entries = ", ".join(v.show(x) for x in point.families[key].values())
        parts.append(f"{key[0]}_{letters} = ({entries})")
    parts += [f"{name} = {v.show(value)}" for name, value in sorted(point.cuts.items())]
    return ", ".join(parts)
