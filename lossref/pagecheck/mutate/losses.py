"""Mutants of loss files: a sign, a constant, a factor, an exchanged argument … in the code of the formulas.

Each is put into the running package in a fork, without importing anything again, and judged by those tests of
tests/losses and those pages whose checks run the changed function; the first failure ends it.
"""

from __future__ import annotations

import ast
import copy
import importlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import lossref
from lossref.pagecheck.limits import TimeLimit, time_limit
from lossref.pagecheck.mutate.pages import Chance, Mutant
from lossref.pagecheck.mutate.trial import FORKS, forked

# What the losses are built from, beside their own files.
SHARED = ("_elementary",)
TESTS = ("tests/losses", "--ignore=tests/losses/test_meta.py", "-k", "not compile")
# pytest would announce that it meets its plugin imported already
_QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_RAN = "__ran__"  # what watched functions call
QUICK = 2.0  # seconds; slower checks are left to the ordinary run
PATIENCE = 20.0  # seconds; a quick check that takes so long has been slowed by the mutant
MEMORY = 4 << 30  # bytes that a check may take beyond what there is: a wrong size must not bring the machine down
_COMMUTE = {"times", "maximum", "minimum", "max", "min"}
_OTHER = {
    ast.Add: ("sign", ast.Sub), ast.Sub: ("sign", ast.Add),
    ast.Mult: ("factor", ast.Div), ast.Div: ("factor", ast.Mult),
    ast.Lt: ("relation", ast.LtE), ast.LtE: ("relation", ast.Lt), ast.Gt: ("relation", ast.GtE),
    ast.GtE: ("relation", ast.Gt), ast.Eq: ("relation", ast.NotEq), ast.NotEq: ("relation", ast.Eq),
}  # fmt: skip
_TURNED = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def loss_files(root: Path) -> list[Path]:
    """The files with the mathematics."""
    names = {cls.__module__.rpartition(".")[2] for cls in lossref.LOSSES.values()}
    return [root / "lossref" / f"{name}.py" for name in sorted({*names, *SHARED})]


def is_loss_file(path: Path, root: Path) -> bool:
    return path.suffix == ".py" and path.resolve().parent == (root / "lossref").resolve()


# -- what may go wrong in a loss -----------------------------------------------------------------------------


def mutants(text: str, seed: int = 0) -> list[Mutant]:
    """Every mutant of a loss file; where there are several ways to change a thing, the seed picks one."""
    starts = [0]
    for line in text.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    def place(line: int, column: int) -> int:
        return len(text.encode()[: starts[line - 1] + column].decode())

    chance = Chance(seed, text)

    def pick(options: list, node: ast.expr) -> Any:
        return chance.choice(options, place(node.lineno, node.col_offset))

    found = set()
    for node, kind, new in _changes(ast.parse(text), pick):
        start, end = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)
        said = f"({ast.unparse(new)})" if isinstance(new, (ast.BinOp, ast.Compare, ast.UnaryOp)) else ast.unparse(new)
        found.add(Mutant(kind, start, end, said))
    return sorted(found, key=lambda m: (m.start, m.end, m.kind, m.new))


def _changes(tree: ast.Module, pick: Callable) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """Nodes of formulas, each with the kind of a slip and what stands there instead."""
    for scope in ast.walk(tree):
        if isinstance(scope, (ast.FunctionDef, ast.Lambda)):
            arguments = [a.arg for a in (*scope.args.args, *scope.args.kwonlyargs)]
            names = sorted(set(arguments) - {"self", "cls", "m", "owner"})
            attributes = _attributes(scope)
            body = scope.body if isinstance(scope, ast.FunctionDef) else [scope.body]
            for node in (n for part in body for n in _own(part)):
                yield from _of_node(node, names, attributes, pick)
            for default in (*scope.args.defaults, *(d for d in scope.args.kw_defaults if d)):
                yield from _of_node(default, [], {}, pick)
        elif isinstance(scope, ast.ClassDef):
            for part in scope.body:
                if isinstance(part, ast.Assign):
                    for node in _own(part.value):
                        yield from _of_node(node, [], {}, pick)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is below it; not functions, which come by themselves, nor what only explains a refusal."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Raise, ast.Assert, ast.JoinedStr)):
        return
    yield node
    if not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _own(child)


def _attributes(scope: ast.AST) -> dict[str, set[str]]:
    """The attributes that are read of each name: where `s.p` stands, `s.q` might."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id not in ("m", "self"):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _of_node(node, names: list[str], attributes: dict[str, set[str]], pick) -> Iterator[tuple]:
    def changed(**fields: Any) -> Any:
        new = copy.copy(node)
        for name, value in fields.items():
            setattr(new, name, value)
        return new

    match node:
        case ast.BinOp(left, op, right):
            if type(op) in _OTHER:
                kind, other = _OTHER[type(op)]
                yield node, kind, changed(op=other())
            if isinstance(op, (ast.Sub, ast.Div, ast.Pow)):
                yield node, "exchange", changed(left=right, right=left)
            kind = {ast.Add: "term", ast.Sub: "term", ast.Pow: "exponent"}.get(type(op), "factor")
            yield node, kind, left
            if isinstance(op, (ast.Mult, ast.Add)):
                yield node, kind, right
        case ast.UnaryOp(ast.USub(), operand):
            yield node, "sign", operand
        case ast.Compare(left, [op], [right]) if type(op) in _OTHER:
            yield node, "relation", changed(ops=[_OTHER[type(op)][1]()])
            if type(op) in _TURNED:
                yield node, "relation", changed(ops=[_TURNED[type(op)]()])
        case ast.Constant(bool(value)):
            yield node, "constant", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield node, "constant", ast.Constant(pick([v for v in (value + 1, value * 2, 0) if v != value], node))
        case ast.Name(name, ast.Load()) if name in names and len(names) > 1:
            yield node, "symbol", ast.Name(pick([other for other in names if other != name], node))
        case ast.Attribute(ast.Name(owner), attribute) if len(others := attributes.get(owner, set()) - {attribute}):
            yield node, "symbol", changed(attr=pick(sorted(others), node))
        case ast.Call(function, [first, second, *rest]):
            if getattr(function, "attr", getattr(function, "id", "")) not in _COMMUTE:
                if ast.dump(first) != ast.dump(second):
                    yield node, "exchange", changed(args=[second, first, *rest])
                if rest and ast.dump(second) != ast.dump(rest[0]):
                    yield node, "exchange", changed(args=[first, rest[0], second, *rest[1:]])
        case ast.Call(_, [], [one, two, *more]) if {one.arg, two.arg} <= {"value", "gradient", "hessian"}:
            swapped = [ast.keyword(one.arg, two.value), ast.keyword(two.arg, one.value), *more]
            yield node, "exchange", changed(keywords=swapped)


# -- putting it into the running package -----------------------------------------------------------------------


def transplant(module: ModuleType, source: str | ast.Module) -> None:
    """Make the functions and constants of a module those of another text; what holds them sees the change."""
    kept = ("__name__", "__package__", "__file__", _RAN)
    names = {name: vars(module)[name] for name in kept if name in vars(module)}
    exec(compile(source, str(module.__file__), "exec"), names)
    for name, new in names.items():
        old = vars(module).get(name)
        if isinstance(new, FunctionType) and isinstance(old, FunctionType):
            _swap(old, new)
        elif isinstance(new, type) and new.__module__ == module.__name__:
            for attribute, value in vars(new).items():
                functions = _functions(value)
                for before, after in zip(_functions(vars(old).get(attribute)), functions, strict=True):
                    _swap(before, after)
                if not functions and isinstance(value, (int, float, str, tuple)) and not attribute.startswith("__"):
                    setattr(old, attribute, value)


    _forget()


def _forget() -> None:
    """Empty what the package keeps between calls: a formula that was read stays read."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "lossref" and not name.startswith("lossref.pagecheck"):
            for value in list(vars(module).values()):
                if callable(forget := getattr(value, "cache_clear", None)):
                    forget()


def _swap(old: FunctionType, new: FunctionType) -> None:
    old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _functions(value: object) -> list[FunctionType]:
    """The functions in what a class holds: methods, static methods, properties, descriptors of ours."""
    if isinstance(value, FunctionType):
        return [value]
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget]
    return [f for f in getattr(value, "__dict__", {}).values() if isinstance(f, FunctionType)]


class _Watched(ast.NodeTransformer):
    """Every function notes that it ran: by the line and column where it stands."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        at = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(at, ast.copy_location(ast.Expr(self._note(node)), node.body[0]))
        return ast.fix_missing_locations(node)

    def visit_Lambda(self, node):
        self.generic_visit(node)
        pair = ast.Tuple([self._note(node), node.body], ast.Load())
        node.body = ast.copy_location(ast.Subscript(pair, ast.Constant(1), ast.Load()), node.body)
        return ast.fix_missing_locations(node)

    @staticmethod
    def _note(node) -> ast.Call:
        place = ast.Constant((node.lineno, node.col_offset))
        return ast.copy_location(ast.Call(ast.Name(_RAN, ast.Load()), [place], []), node)


def _function_at(tree: ast.Module, line: int, column: int) -> tuple[int, int] | None:
    """The innermost function around a place, None for what stands outside (a constant of a class, a default)."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            body = node.body[0] if isinstance(node, ast.FunctionDef) else node.body
            first, last = (body.lineno, body.col_offset), (node.end_lineno, node.end_col_offset)
            if first <= (line, column) < last:
                found = max(found or (0, 0), (node.lineno, node.col_offset))
    return found


# -- judging ---------------------------------------------------------------------------------------------------


def judge(
    root: Path,
    chosen: dict[Path, list[Mutant]],
    jobs: int,
    each: Callable[[Path, Mutant, str | None], None],
) -> None:
    """Tell of every mutant what says no to it, None if it survives."""
    import pytest

    if not FORKS:
        raise SystemExit("mutants of loss files are tried in forks: on Linux only")
    pages = [str(p) for p in sorted((root / "docs/losses").glob("*.md"))]
    arguments = ["--rootdir", str(root), "-p", "no:cacheprovider", "-p", "no:terminal", *_QUIET, *TESTS, *pages]
    court = _Court(root, chosen, jobs, each)
    status = pytest.main(arguments, plugins=[court])
    if court.problem or status not in (0, 1):
        raise SystemExit(court.problem or f"pytest ended with status {status}")


class _Court:
    """A pytest plugin that runs the tests once as they are, and then those that matter for each mutant."""

    def __init__(self, root, chosen, jobs, each):
        self.root, self.chosen, self.jobs, self.each = root, chosen, jobs, each
        self.problem = ""

    def pytest_runtestloop(self, session) -> bool:
        if session.testsfailed:
            self.problem = "tests/losses cannot be collected"
            return True
        modules = {path: importlib.import_module(f"lossref.{path.stem}") for path in self.chosen}
        ran, seconds = self._baseline(session.items, modules)
        kills: Counter = Counter()
        for path, found in self.chosen.items():
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text)

            def task(mutant, path=path, text=text, tree=tree):
                line = text.count("\n", 0, mutant.start) + 1
                column = len(text[text.rfind("\n", 0, mutant.start) + 1 : mutant.start].encode())
                inside = _function_at(tree, line, column)
                touched = [
                    item
                    for item in seconds
                    if any(p == path and (inside is None or at == inside) for p, at in ran[item])
                ]
                touched.sort(key=lambda item: (-kills[item.nodeid], seconds[item]))
                return lambda: _verdict(modules[path], mutant.of(text), touched)

            tasks = ((mutant, lambda m=mutant: task(m)) for mutant in found)
            for mutant, said in forked(tasks, self.jobs):
                if said:
                    kills[said.partition("\n")[0]] += 1
                self.each(path, mutant, said)
        return True

    def _baseline(self, items, modules) -> tuple[dict, dict]:
        """Which functions each test runs and how long it takes; those that fail when watched are left out."""
        ran: dict = {}
        current: set = set()
        for path, module in modules.items():
            vars(module)[_RAN] = lambda place, path=path: current.add((path, place))
            transplant(module, _Watched().visit(ast.parse(path.read_text(encoding="utf-8"))))
        seconds = {}
        for item in items:
            current.clear()
            _forget()
            failed, took = _run(item)
            if failed is None and current:
                ran[item], seconds[item] = set(current), took
            elif failed is not None:
                print(f"no judge, because it fails: {item.nodeid}", file=sys.stderr)
        for path, module in modules.items():
            transplant(module, path.read_text(encoding="utf-8"))
        # Again, as it is: what was only slow the first time is quick now.
        for item in list(seconds):
            failed, seconds[item] = _run(item)
            if failed is not None or seconds[item] > QUICK:
                print(f"no judge, because it {'fails' if failed else 'is slow'}: {item.nodeid}", file=sys.stderr)
                del seconds[item]
        return ran, seconds


def _verdict(module: ModuleType, source: str, items: list) -> str | None:
    try:
        transplant(module, source)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    _limit_memory()
    for item in items:
        try:
            with time_limit(PATIENCE):
                failed, _ = _run(item)
        except TimeLimit:
            failed = f"still running after {PATIENCE:g} s"
        if failed is not None:
            return f"{item.nodeid}\n{failed}"
    return None


def _limit_memory() -> None:
    """In a fork, which ends with the mutant."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, most))


def _run(item) -> tuple[str | None, float]:
    from _pytest.runner import runtestprotocol
    from _pytest.warnings import catch_warnings_for_item

    began = time.process_time()  # a busy machine makes no test slow
    with catch_warnings_for_item(item.config, item.ihook, "runtest", item):
        reports = runtestprotocol(item, log=False, nextitem=None)
    failed = next((str(r.longrepr) for r in reports if r.failed), None)
    return failed, time.process_time() - began
