"""Run a page's Python: one namespace, top to bottom, each statement held to the output that stands behind it.

    print(1 / 3)
    #> 0.3333
    torch.ones(2) @ torch.ones(3)
    #! RuntimeError: inconsistent tensor size

`#>` lines are what the top-level statement above them prints.  `#!` declares the exception it raises, or the
warning it gives: a reader who runs the line sees it, so the page must show it.  Code in `<!--python … -->`
runs in the same namespace, is seen by nobody, and prints nothing.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import copy
import functools
import hashlib
import io
import operator
import os
import re
import sys
import tempfile
import threading
import tokenize
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from lossref.pagecheck.limits import Interrupt, page_frame
from lossref.pagecheck.literals import same_line
from lossref.pagecheck.source import Check, Location, Page, PageError
from lossref.pagecheck.state import State, random_kept

# What Python itself does not show by default.
_FUTURE = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
# A page is no judge of itself: what it would have to touch to be one.
_CHECKERS = ("lossref.pagecheck", "pytest", "_pytest", "pluggy")
_UNSEEN_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
_DIGIT = re.compile(r"(?<![A-Za-z0-9_])\d")


@dataclass(frozen=True)
class Code:
    """A piece of Python on the page.  Line i of `source` is line `line + i` of the file."""

    source: str
    line: int
    offset: int
    hidden: bool
    prefix: str


@dataclass(frozen=True)
class Binding:
    """Names that a number on the page gets by <!--:= … -->."""

    values: Mapping[str, object]
    offset: int


@dataclass(frozen=True)
class Outcome:
    """What a statement did."""

    printed: str
    warned: tuple[tuple[str, str], ...]
    raised: tuple[str, str, int] | None  # type, message, line


@dataclass
class Unit:
    """The statements that end on one line, and the claims behind them."""

    first: int  # lines of the page
    last: int
    tree: ast.Module
    expected: list[tuple[int, str]] = field(default_factory=list)
    declared: tuple[int, str, str] | None = None


class Failed(Exception):
    """Code above has failed, so nothing below it can be looked at."""

    def __init__(self, line: int):
        super().__init__(line)
        self.line = line


class Memo(dict):
    """What code and expressions gave, by all that could influence it: shared between mutants of a page."""

    warm: Session | None = None  # has run some of the steps; the first session with the same past goes on from there


class Session:
    """A page's namespace, run as far as it is asked for."""

    def __init__(self, page: Page, memo: Memo | None = None):
        self.page = page
        self.memo = Memo() if memo is None else memo
        self.steps: list[Code | Binding] = sorted(page_code(page), key=lambda code: code.offset)
        self._keys: list[str] | None = None
        self._restart()

    def bind(self, values: Mapping[str, object], offset: int) -> None:
        """Give names to values from `offset` on."""
        self.steps.append(Binding(values, offset))
        self.steps.sort(key=lambda step: step.offset)
        self._keys = None
        self._restart()

    def namespace(self, offset: int) -> dict[str, Any]:
        """The names and their values at a place of the page."""
        self.advance(self.steps_before(offset))
        return self._names

    def value(self, expression: ast.Expression, offset: int) -> object:
        """What an expression gives at a place of the page, as plain Python numbers, strings and lists."""
        count = self.steps_before(offset)
        key = ("value", self._key(count), ast.dump(expression))
        if key not in self.memo:
            self.advance(count)
            with self._state.entered(), random_kept(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.redirect_stdout(io.StringIO()):
                    value = plain(
                        eval(compile(expression, "<claim>", "eval", 0, dont_inherit=True), self._names)
                    )
            self.memo[key] = value
        return self.memo[key]

    def knows(self, word: str) -> bool:
        """Whether a word is a name of the page or of a module that the page imports."""
        key = ("names", self._key(len(self.steps)))
        if key not in self.memo:
            names = self.namespace(len(self.page.text))
            self.memo[key] = set(names), [value for value in names.values() if isinstance(value, ModuleType)]
        names, modules = self.memo[key]
        return word in names or any(hasattr(module, word) for module in modules)

    def units(self, index: int) -> list[Unit]:
        key = ("units", self.page.path, self.steps[index])
        if key not in self.memo:
            self.memo[key] = parse_units(self.page, self.steps[index])
        return self.memo[key]

    def loads(self, index: int) -> set[str]:
        """The names that a piece of code uses."""
        key = ("loads", self.steps[index])
        if key not in self.memo:
            self.memo[key] = set().union(*(loaded_names(unit.tree) for unit in self.units(index)))
        return self.memo[key]

    def touches(self, index: int, name: str) -> str:
        """What a piece of code does first with a name that it finds: "load", "store" or nothing."""
        if name not in self.loads(index) and name not in self.stores(index):
            return ""
        return next(filter(None, (first_touch(unit.tree, name) for unit in self.units(index))), "")

    def assigned(self, index: int, name: str) -> float | None:
        """The number that a piece of code gives to a name as it stands there."""
        for unit in self.units(index):
            for node in unit.tree.body:
                match node:
                    case ast.Assign([ast.Name(same)], ast.Constant(int(value) | float(value))) if same == name:
                        return value
        return None

    def stores(self, index: int) -> set[str]:
        """The names that a piece of code gives values to."""
        key = ("stores", self.steps[index])
        if key not in self.memo:
            self.memo[key] = set().union(*(stored_names(unit.tree) for unit in self.units(index)))
        return self.memo[key]

    def outcomes(self, index: int) -> list[Outcome]:
        """What each unit of a piece of code did; fewer than there are units if one failed undeclared."""
        key = ("code", self._key(index + 1))
        if key not in self.memo:
            try:
                self.advance(index + 1)
            except Failed:
                if (broken := self.memo.get(("broken", key[1]))) is not None:
                    raise broken from None
                if key not in self.memo:  # it was code above that failed
                    raise
        return self.memo[key]

    def hidden_constants(self) -> set[float]:
        """The numbers that stand in hidden code, without their signs."""
        found: set[float] = set()
        for index, step in enumerate(self.steps):
            if isinstance(step, Code) and step.hidden:
                key = ("constants", step)
                if key not in self.memo:
                    trees = [unit.tree for unit in self.units(index)]
                    self.memo[key] = {abs(value) for tree in trees for _, value in written_numbers(tree)}
                found |= self.memo[key]
        return found

    def behind(self, expression: ast.Expression, offset: int) -> list[tuple[ast.stmt | Binding, bool]]:
        """The statements and inputs above `offset` that an expression's names come from, and whether each is hidden."""
        wanted, found = loaded_names(expression), []
        for index in reversed(range(self.steps_before(offset))):
            step = self.steps[index]
            if isinstance(step, Binding):
                found += [(step, False)] * bool(wanted & step.values.keys())
                continue
            for statement in reversed([s for unit in self.units(index) for s in unit.tree.body]):
                if wanted & given_names(statement):
                    wanted |= loaded_names(statement)
                    found.append((statement, step.hidden))
        return found[::-1]

    def again(
        self, part: list[tuple[ast.stmt | Binding, bool]], expression: ast.Expression, changes: Mapping[int, float]
    ) -> object:
        """What an expression gives when only a part of the page is run, with constants changed; None if it fails."""
        names: dict[str, Any] = {"__name__": "__main__"}
        swapped = {key: ast.Constant(value) for key, value in changes.items()}
        with random_kept(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                for step, _ in part:
                    if isinstance(step, Binding):
                        names.update(step.values)
                    else:
                        body = [copy.deepcopy(step, dict(swapped))]
                        exec(compile(ast.fix_missing_locations(ast.Module(body, [])), "<claim>", "exec"), names)
                return plain(eval(compile(expression, "<claim>", "eval", 0, dont_inherit=True), names))
            except Exception:
                return None

    # --------------------------------------------------------------------------------------------------------

    def steps_before(self, offset: int) -> int:
        return sum(step.offset < offset for step in self.steps)

    def _key(self, count: int) -> str:
        """A digest of everything that has run before step `count`."""
        if self._keys is None:
            digest, self._keys = "", [""]
            for index, step in enumerate(self.steps):
                if isinstance(step, Code):
                    lines = step.source.split("\n")
                    with contextlib.suppress(PageError):  # what is no Python runs no further
                        for line, _ in (written for unit in self.units(index) for written in unit.expected):
                            lines[line - step.line] = ""  # written outputs have no influence
                    part = repr((step.line, step.hidden, lines))
                else:
                    part = repr(sorted(step.values.items()))
                digest = hashlib.sha256((digest + part).encode()).hexdigest()
                self._keys.append(digest)
        return self._keys[count]

    def _restart(self) -> None:
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._state = State()
        self._done = 0
        self._failed: int | None = None
        self._future = 0

    def advance(self, count: int) -> None:
        """Run the first `count` steps, or go back to where only they have run."""
        if count < self._done:
            self._restart()
        warm = self.memo.warm
        if (
            warm is not None
            and self._done < warm._done <= count
            and self._key(warm._done) == warm._key(warm._done)
        ):
            self._names, self._state, self._future = warm._names, warm._state, warm._future
            self._done, self.memo.warm = warm._done, None
        while self._done < count and self._failed is None:
            step, index = self.steps[self._done], self._done
            broken = ("broken", self._key(index + 1))
            if broken in self.memo:  # once is enough: it may have taken the whole time limit
                raise Failed(self.memo[broken].location.line)
            try:
                if isinstance(step, Binding):
                    self._names.update(step.values)
                else:
                    outcomes = self._run(index)
                    self.memo["code", self._key(index + 1)] = outcomes
            except PageError as problem:
                self._restart()  # what has run is no state to go on from
                self.memo[broken] = problem
                raise Failed(problem.location.line) from None
            except BaseException as problem:
                self._restart()
                if isinstance(problem, Interrupt):
                    line = page_frame(problem, self.page.path) or step.line
                    self.memo[broken] = PageError(Location(self.page.path, line, 1), "this code does not end in time")
                raise
            self._done += 1
        if self._failed is not None:
            raise Failed(self._failed)

    def _run(self, index: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for unit in self.units(index):
            threads = set(threading.enumerate())
            with _stdout_watched() as written:
                outcome = self._run_unit(unit)
            for wrong, said in (
                (written, "this code writes to the terminal itself, where only print is seen and checked"),
                (set(threading.enumerate()) - threads, "this code leaves a thread running: join it"),
            ):
                if wrong:
                    raise PageError(Location(self.page.path, unit.first, 1), said)
            outcomes.append(outcome)
            if outcome.raised and not (unit.declared and _fits(unit.declared, outcome.raised[:2])):
                self._failed = outcome.raised[2]
                break
        return outcomes

    def _run_unit(self, unit: Unit) -> Outcome:
        printed, errors, raised = io.StringIO(), io.StringIO(), None
        with self._state.entered(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for category in _UNSEEN_WARNINGS:
                warnings.simplefilter("ignore", category)
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors), _echo():
                for statement in unit.tree.body:
                    tree = ast.Interactive([statement]) if self.page.interactive else ast.Module([statement], [])
                    mode = "single" if self.page.interactive else "exec"
                    try:
                        code = compile(tree, self.page.path, mode, self._future, dont_inherit=True)
                        self._future |= code.co_flags & _FUTURE
                        exec(code, self._names)
                    except Interrupt:
                        raise
                    except BaseException as problem:
                        line = page_frame(problem, self.page.path) or unit.first
                        raised = (type(problem).__name__, _message(problem), line)
                        break
                    finally:
                        self._state.meet_new_modules()
        if errors.getvalue() and raised is None:
            said = "this code writes to stderr, where nothing is checked: print it, or warn"
            raise PageError(Location(self.page.path, unit.first, 1), said)
        warned = tuple((w.category.__name__, str(w.message)) for w in caught)
        return Outcome(printed.getvalue(), warned, raised)


@contextlib.contextmanager
def _stdout_watched() -> Iterator[list[bytes]]:
    """What goes to the process's standard output past `sys.stdout`: a system call's, a child's."""
    written: list[bytes] = []
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield written
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield written
        finally:
            if sys.__stdout__ is not None:
                sys.__stdout__.flush()
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            written += [data] if (data := file.read()) else []


@contextlib.contextmanager
def _echo() -> Iterator[None]:
    """At the prompt, an expression shows what it gives, and leaves nothing behind."""

    def show(value: object) -> None:
        if value is not None:
            print(repr(value))

    before, sys.displayhook = sys.displayhook, show
    try:
        yield
    finally:
        sys.displayhook = before


def loaded_names(tree: ast.AST) -> set[str]:
    """The names that are looked up in a tree."""
    return {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def stored_names(tree: ast.AST) -> set[str]:
    """The names that a tree gives values to."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def first_touch(node: ast.AST, name: str) -> str:
    """What is done first with the name from outside: "load", "store", or nothing ("")."""
    if isinstance(node, ast.Name):
        return ("load" if isinstance(node.ctx, ast.Load) else "store") if node.id == name else ""
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
        return "load"
    if isinstance(node, _SCOPES):
        inner = [child.arg for child in ast.walk(node) if isinstance(child, ast.arg)]
        if name in inner or name in stored_names(node):  # another one of that name
            return ""
    # A value is there before it gets its name.
    for _, value in sorted(ast.iter_fields(node), key=lambda field: field[0] not in ("value", "iter")):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and (touch := first_touch(child, name)):
                return touch
    return ""


def constants(tree: ast.AST) -> list[ast.Constant]:
    """The numbers that are written in a tree."""
    return [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) in (int, float)]


def written_numbers(tree: ast.AST) -> list[tuple[ast.AST, float]]:
    """Each part of a tree that is a number by itself, wrapped up as it may be: 7, 93 / 100, float("0.93")."""
    parts = (n for n in ast.walk(tree) if isinstance(n, (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Call)))
    return [(part, value) for part in parts if (value := folded(part)) is not None]


# What a computation that names nothing of the page may be made of.
_FOLDED = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop, ast.expr_context)
_FOLDS = {"int", "float", "len", "ord", "abs", "round", "sum", "pow"}


def folded(part: ast.AST) -> float | None:
    """The number that a part of an expression is by itself."""
    for node in ast.walk(part):
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if not (isinstance(node, _FOLDED) or called or (isinstance(node, ast.Name) and node.id in _FOLDS)):
            return None
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Pow, ast.LShift)) and part is not node:
            return None
    try:
        value = eval(compile(ast.fix_missing_locations(ast.Expression(part)), "<claim>", "eval"), {})
    except Exception:
        return None
    return value if type(value) in (int, float) else None


def given_names(statement: ast.stmt) -> set[str]:
    """The names that a statement gives values to, as a definition or an import too."""
    found = stored_names(statement)
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return found


def page_code(page: Page) -> list[Code]:
    """The Python that runs on a page, shown and hidden."""
    found = []
    for fence in page.fences:
        if fence.language == "python" and fence.run:
            found.append(Code(fence.code, page.at(fence.start).line + 1, fence.start, False, fence.prefix))
    for comment in page.comments:
        if comment.kind == "python":
            place = page.at(comment.start)
            prefix = page.text[comment.start - place.column + 1 : comment.start]
            if prefix.strip(" >"):
                raise page.error(comment.start, "<!--python must stand on a line of its own")
            lines = [
                line[len(prefix) :]
                if line.startswith(prefix)
                else line.lstrip(" ")
                if not line.strip()
                else line
                for line in comment.value.split("\n")
            ]
            found.append(
                Code("\n".join(lines), page.at(comment.value_start).line, comment.start, True, prefix)
            )
    return found


def parse_units(page: Page, code: Code) -> list[Unit]:
    """Cut code into its top-level statements and the claims behind each."""

    def place(line: int, column: int = 0) -> Location:
        return Location(page.path, code.line + line - 1, column + 1 + len(code.prefix))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is shown when it runs
            tree = ast.parse(code.source)
        tokens = list(tokenize.generate_tokens(io.StringIO(code.source).readline))
    except SyntaxError as problem:
        raise PageError(
            place(problem.lineno or 1, (problem.offset or 1) - 1),
            f"this is not Python: {problem.msg} (code that is only shown: ```python {{.no-run}})",
        ) from None
    except (tokenize.TokenError, ValueError, RecursionError, MemoryError) as problem:
        raise PageError(place(1), f"this is not Python: {problem}") from None

    if (touched := touches_checker(tree)) is not None:
        name, line, column = touched
        raise PageError(place(line, column), f"{name}: a page's code has nothing to do with what checks it")

    units: list[Unit] = []
    for statement in tree.body:
        first, last = statement.lineno, statement.end_lineno
        if getattr(statement, "decorator_list", None):
            first = min(first, *(d.lineno for d in statement.decorator_list))
        if units and units[-1].last == code.line + first - 1:
            units[-1].tree.body.append(statement)
            units[-1].last = code.line + last - 1
        else:
            units.append(Unit(code.line + first - 1, code.line + last - 1, ast.Module([statement], [])))
    for unit in units:
        ast.increment_lineno(unit.tree, code.line - 1)

    previous = None  # the line of the claim or statement right above
    for token in tokens:
        if token.type != tokenize.COMMENT or token.string[:2] not in ("#>", "#!"):
            continue
        line, column = token.start
        here = place(line, column)
        if code.hidden:
            raise PageError(here, "hidden code prints nothing, so it takes no #> or #!")
        if token.line[:column].strip():
            raise PageError(here, f"{token.string[:2]} must stand on a line of its own below the statement")
        if column:
            raise PageError(
                here,
                f"{token.string[:2]} belongs behind the whole top-level statement, not inside it: do not "
                "indent it",
            )
        unit = next((u for u in reversed(units) if u.last < here.line), None)
        if unit is None:
            raise PageError(here, f"{token.string[:2]} with no statement above it")
        above = max(unit.last, previous or 0)
        if above != here.line - 1 and any(
            text.strip() for text in code.source.split("\n")[above - code.line + 1 : line - 1]
        ):
            raise PageError(
                here,
                f"{token.string[:2]} must follow its statement directly (line {unit.last}), with no comment "
                "between",
            )
        previous = here.line
        if unit.declared:
            raise PageError(
                here, "nothing may follow #! but the next statement: one exception or warning per statement"
            )
        if token.string[:2] == "#>":
            text = token.string[2:]
            unit.expected.append((here.line, text.removeprefix(" ")))
        else:
            match = re.fullmatch(r"#!\s*([A-Za-z_][\w.]*)\s*(?::\s*(.*?))?\s*", token.string)
            if not match:
                raise PageError(here, "write #! ExceptionType: part of its message")
            unit.declared = (here.line, match[1].rpartition(".")[2], match[2] or "")
    return units


def touches_checker(tree: ast.AST) -> tuple[str, int, int] | None:
    """The first place of a tree that names what checks it: name, line, column."""
    for node in ast.walk(tree):
        for name in _touched(node):
            if any(f"{name}.".startswith(f"{checker}.") for checker in _CHECKERS):
                return name, node.lineno, node.col_offset
    return None


def _touched(node: ast.AST) -> list[str]:
    """The modules and attributes that a node names, dotted."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute):
        with contextlib.suppress(RecursionError):
            return [ast.unparse(node)]
    return []


def snippet_checks(
    page: Page, session: Session, updates: dict[int, tuple[int, list[str]]] | None = None
) -> list[Check]:
    """One check per piece of code.  With `updates`, wrong outputs are noted there instead of failing:
    first line -> (line after the last, the lines that belong there)."""
    checks = []
    for step in session.steps:
        if isinstance(step, Code):
            checks.append(
                Check(
                    "snippet",
                    Location(page.path, step.line - 1, 1 + len(step.prefix)),
                    "hidden code" if step.hidden else "snippet",
                    lambda step=step: _check_code(page, session, step, updates),
                )
            )
    _check_fences(page)
    return checks


def _check_fences(page: Page) -> None:
    """Code that is shown and not run says why; so does any other fence with a number in it."""
    reasons = {c.end: c for c in page.comments if c.kind == "no-run"}
    for fence in page.fences:
        if fence.language in ("math", "latex", "tex", "katex"):
            raise page.error(fence.start, f"```{fence.language} is checked by nothing: a formula belongs in $$…$$")
        reason = reasons.pop(fence.start - 1, None)
        if fence.language == "python":
            if not fence.run and reason is None:
                raise page.error(
                    fence.start, "code that is not run needs <!-- no-run: reason --> on the line before it"
                )
            if fence.run and reason is not None:
                raise page.error(reason.start, "no-run, but this code is run: mark it ```python {.no-run}")
        else:
            begin = next(
                (b + m.start() for b, e in fence.lines if (m := _DIGIT.search(page.text[b:e]))), None
            )
            if begin is not None and reason is None:
                raise page.error(
                    begin,
                    f"a number in {fence.language or 'a fence without a language'} is checked by nothing: "
                    "show it as Python "
                    "output, or write <!-- no-run: reason --> on the line before the fence",
                )
    for reason in reasons.values():
        raise page.error(reason.start, "no-run with no fence below it")


def _check_code(page: Page, session: Session, step: Code, updates: dict | None) -> str:
    index = session.steps.index(step)
    units = session.units(index)
    try:
        outcomes = session.outcomes(index)
    except Failed as failed:
        raise PageError(
            Location(page.path, step.line, 1), f"not run, because the code at line {failed.line} fails"
        ) from None
    problems: list[PageError] = []
    for unit, outcome in zip(units, outcomes, strict=False):
        try:
            _check_raised(page, unit, outcome)
            _check_printed(page, unit, outcome, step, updates)
        except PageError as problem:
            problems.append(problem)
    if problems:
        first, *others = problems
        raise PageError(first.location, "\n".join([first.message, *map(str, others)]))
    return "执行"


def _check_raised(page: Page, unit: Unit, outcome: Outcome) -> None:
    declared, raised = unit.declared, outcome.raised
    if raised and not (declared and _fits(declared, raised[:2])):
        got = f"{raised[0]}: {raised[1]}" if raised[1] else raised[0]
        if declared:
            raise PageError(
                Location(page.path, declared[0], 1),
                f"declared: {declared[1]}: {declared[2]}\n  raised:   {got}",
            )
        hint = (
            ""
            if "\n" in got
            else f" (if that is the point, write below it: #! {raised[0]}: {raised[1][:60]})"
        )
        raise PageError(Location(page.path, raised[2], 1), f"this code raises {got}{hint}")
    warned = [w for w in outcome.warned]
    if declared and not raised:
        if not any(_fits(declared, warning) for warning in warned):
            got = (
                "; it warns: " + "; ".join(f"{n}: {m}" for n, m in warned)
                if warned
                else "; it does neither raise nor warn"
            )
            raise PageError(
                Location(page.path, declared[0], 1), f"declared: {declared[1]}: {declared[2]}{got}"
            )
        warned = [w for w in warned if not _fits(declared, w)]
    if warned:
        name, message = warned[0]
        raise PageError(
            Location(page.path, unit.first, 1),
            f"this code warns, and a reader who runs it will see it: {name}: {message} (write below it: #! "
            f"{name}: part of it)",
        )


def _check_printed(page: Page, unit: Unit, outcome: Outcome, step: Code, updates: dict | None) -> None:
    printed = outcome.printed.removesuffix("\n").split("\n") if outcome.printed else []
    printed = [line.expandtabs().rstrip() for line in printed]
    wrong = _first_difference(unit, printed)
    if wrong is None:
        return
    if step.hidden:
        raise PageError(
            Location(page.path, unit.first, 1),
            f"hidden code must print nothing, but it prints {printed[0]!r}",
        )
    if updates is not None:
        begin = unit.expected[0][0] if unit.expected else unit.last + 1
        end = unit.expected[-1][0] + 1 if unit.expected else begin
        kept = [
            text if i < len(unit.expected) and same_line(text := unit.expected[i][1], line) else line
            for i, line in enumerate(printed)
        ]
        updates[begin] = (end, [f"{step.prefix}#> {line}".rstrip() for line in kept])
        return
    line, message = wrong
    raise PageError(Location(page.path, line, 1 + len(step.prefix)), message)


def _first_difference(unit: Unit, printed: list[str]) -> tuple[int, str] | None:
    for i, (line, written) in enumerate(unit.expected):
        if i >= len(printed):
            if not printed:
                return (
                    line,
                    f"written: {written}\n  but the statement on line {unit.last} prints nothing (use "
                    "print(…), or take the #> away)",
                )
            return (
                line,
                f"written: {written}\n  but the output ends before: {len(printed)} lines are printed, "
                f"{len(unit.expected)} written",
            )
        if not same_line(written, printed[i]):
            return (
                line,
                f"written: {written}\n  printed: {printed[i]}\n  (pytest --update-docs rewrites outputs)",
            )
    if len(printed) > len(unit.expected):
        after = unit.expected[-1][0] if unit.expected else unit.last
        return after, (
            f"printed, but not shown: {printed[len(unit.expected)]}\n  (write it behind as `#> …`; pytest "
            "--update-docs does)"
        )
    return None


def _fits(declared: tuple[int, str, str], happened: tuple[str, str]) -> bool:
    _, name, part = declared
    part = " ".join(part.removesuffix("…").removesuffix("...").split())
    said = " ".join(happened[1].split())
    # No word or number is cut: 3 is not in 32, nor 0.5 in 10.5.
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", part) else ""
    behind = r"(?!\w|[.,]\d)" if re.search(r"\w$", part) else ""
    pattern = before + re.escape(part) + behind
    return name == happened[0] and bool(re.search(pattern, said)) and (bool(part) or not happened[1])


def _message(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception as nested:
        return f"(its message cannot be shown: {type(nested).__name__})"


def plain(value: object, depth: int = 0) -> object:
    """NumPy and torch values as Python's own; anything else as it is."""
    if hasattr(value, "detach") and hasattr(value, "tolist"):
        value = value.detach()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)) and depth < 8:
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (int, float, str, bool, complex)) or value is None:
        return value
    return value


def apply_updates(data: bytes, updates: Mapping[int, tuple[int, list[str]]]) -> bytes:
    """Rewrite the noted output lines and nothing else, line ends included."""
    lines = data.decode("utf-8").split("\n")
    for begin in sorted(updates, reverse=True):
        end, wanted = updates[begin]
        ending = "\r" if lines[begin - 2].endswith("\r") else ""
        old = [line.removesuffix("\r") for line in lines[begin - 1 : end - 1]]
        new = [
            lines[begin - 1 + i] if i < len(old) and old[i] == line else line + ending
            for i, line in enumerate(wanted)
        ]
        lines[begin - 1 : end - 1] = new
    return "\n".join(lines).encode("utf-8")
