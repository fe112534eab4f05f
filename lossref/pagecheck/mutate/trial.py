"""Are mutants of a page noticed?  Each is tried in a fork of a process that has run the page up to the change.

What a mutant cannot have changed is not run again: code above it has run, and a check whose `depends` is that of
one that passed passes too.  The first failure ends a trial.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import select
import signal
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lossref.pagecheck.checks import formula_and_tie_checks, page_checks
from lossref.pagecheck.limits import TimeLimit, time_limit
from lossref.pagecheck.mutate import score
from lossref.pagecheck.mutate.pages import Mutant, letters_of, said_with
from lossref.pagecheck.numbers import number_checks
from lossref.pagecheck.quoted import Record
from lossref.pagecheck.snippets import Failed, Memo, Session
from lossref.pagecheck.source import Check, Page, PageError, read_text

CRASH = "the checker itself crashed"
SECONDS = 120.0
FORKS = sys.platform == "linux"  # elsewhere a fork may not outlive what its parent's libraries keep in threads
_SURVIVED = "\0"
_ORDER = {"number": 0, "snippet": 1, "page": 2, "formula": 3, "tie": 4}


class Trial:
    """A page whose mutants are tried."""

    def __init__(self, page: Page, quoted: dict[str, Record], trusted: bool = False):
        """A trusted page is taken to pass as it is; otherwise what fails before any change is found first."""
        self.page = page
        self.quoted = quoted
        self.memo = Memo()
        self.baseline: set[str] = set()
        self._passed: set = set()
        if not trusted:
            self.baseline = set(self._failures(page, 0, first=False, formulas=True))
        self._formulas = _formula_matter(page)

    def failure(self, mutant: Mutant) -> str | None:
        """What a check says against a mutant; None if it survives."""
        try:
            page = read_text(mutant.of(self.page.text), self.page.path)
        except PageError as problem:
            return str(problem)
        formulas = _formula_matter(page) != self._formulas
        line = page.at(mutant.start).line
        return next(iter(self._failures(page, line, first=True, formulas=formulas)), None)

    def failures(self, mutants: Iterable[Mutant], jobs: int = 1) -> Iterator[tuple[Mutant, str | None]]:
        """Every mutant with what is said against it, in the order of the page."""
        if not FORKS:
            yield from ((mutant, self.failure(mutant)) for mutant in mutants)
            return
        session = self._session()
        tasks = (
            (mutant, lambda m=mutant: self._from_warm(session, m)) for mutant in sorted(mutants, key=lambda m: m.start)
        )
        yield from forked(tasks, jobs)

    def excuse(self, mutant: Mutant) -> str:
        """Why a survivor may live, if it is of a kind that leaves what the page claims as true as before."""
        if mutant.kind == "code":
            return "code"
        if mutant.kind == "index" and self._only_renamed(mutant):
            return "renamed"
        for start, end, kind, relations in self._stretches:
            if start <= mutant.start < end:
                if kind in ("name", "mention"):
                    return "name" if kind == "name" and mutant.kind in ("symbol", "index") else score.WEAK
                return "refuted" if relations and relations <= {"\\ne"} and mutant.kind != "relation" else ""
        return ""

    def _only_renamed(self, mutant: Mutant) -> bool:
        """Whether an index that stands once in what it is said of got another letter of the same range."""
        from lossref.pagecheck.formula.checks import formula_scope

        old, new = self.page.text[mutant.start : mutant.end], mutant.new.strip()
        sizes = formula_scope(self.page).size_of_index
        if sizes(old) is None or sizes(old) != sizes(new):
            return False
        (math,) = [math for math in self.page.maths if math.start <= mutant.start < math.end]
        letters = [letter for letter, _, _ in letters_of(said_with(math.tex, mutant.start - math.start))]
        return letters.count(old) == 1 and new not in letters

    @functools.cached_property
    def _stretches(self) -> list[tuple[int, int, str, set[str]]]:
        from lossref.pagecheck.formula.checks import stretches

        return stretches(self.page)

    def _session(self) -> Session | None:
        session = Session(self.page, self.memo)
        try:
            number_checks(self.page, session, self.quoted)
        except PageError:
            return None
        return session

    def _from_warm(self, session: Session | None, mutant: Mutant) -> Callable[[], str | None]:
        """Called before the fork: run the page to where the mutant may make the first difference."""
        if session is not None:
            with contextlib.suppress(Failed, PageError), time_limit(SECONDS):
                session.advance(max(0, session.steps_before(mutant.start) - 1))
                self.memo.warm = session
        return lambda: self.failure(mutant)

    def _failures(self, page: Page, line: int, first: bool, formulas: bool) -> list[str]:
        found: list[str] = []
        try:
            with time_limit(SECONDS):
                for checks in self._stages(page, formulas):
                    # The change is most likely noticed where it is; cheap kinds first.
                    checks.sort(
                        key=lambda c: (
                            abs(c.location.line - line) > 3,
                            _ORDER[c.kind],
                            abs(c.location.line - line),
                        )
                    )
                    for check in checks:
                        near = first and check.location.line == line
                        depends = check.depends() if check.depends and not near else None
                        if depends is not None and depends in self._passed:
                            continue
                        try:
                            check.run()
                        except PageError as problem:
                            if str(problem) not in self.baseline:
                                found.append(str(problem))
                                if first:
                                    return found
                        else:
                            if not first and depends is not None:
                                self._passed.add(depends)
        except PageError as problem:  # one that concerns the whole page
            found += [str(problem)] if str(problem) not in self.baseline else []
        except TimeLimit:
            found.append(f"{page.path}: still running after {SECONDS:g} s")
        except Exception as problem:
            found.append(crashed(problem))
        return found

    def _stages(self, page: Page, formulas: bool) -> Iterator[list[Check]]:
        """The page's checks: the formulas apart, where they changed, because they notice it."""
        if formulas:
            yield formula_and_tie_checks(page)
        yield page_checks(page, self.quoted, memo=self.memo, formulas=False)


def _formula_matter(page: Page) -> tuple:
    """All that formulas and ties depend on: TeX, sentences, conditions, comments behind, front matter."""
    return (
        repr(page.front),
        tuple(
            (
                m.tex,
                m.display,
                m.condition,
                m.sentence,
                m.block,
                tuple((c.kind, c.value) for c in page.comments_behind(m.outer_end)),
            )
            for m in page.maths
        ),
    )


def crashed(problem: BaseException) -> str:
    place = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{CRASH}: {type(problem).__name__}: {problem} ({Path(place.filename).name}:{place.lineno})"


# -- forks ---------------------------------------------------------------------------------------------------


def forked(
    tasks: Iterable[tuple[Mutant, Callable[[], Callable[[], str | None]]]], jobs: int = 1
) -> Iterator[tuple[Mutant, str | None]]:
    """Run each task in a fork, `jobs` at a time.  A task prepares here and returns what the fork is to do."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # threads do not survive a fork
    running: deque = deque()
    try:
        for mutant, prepare in tasks:
            running.append((mutant, *_fork(prepare())))
            if len(running) == jobs:
                yield _collected(running)
        while running:
            yield _collected(running)
    finally:
        for _, pid, pipe in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(pipe)


def _fork(work: Callable[[], str | None]) -> tuple[int, int]:
    read, write = os.pipe()
    gc.freeze()  # a collection in the fork would copy every page of memory
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads only wait
        pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    said = ""
    try:
        said = work() or _SURVIVED
    except BaseException as problem:
        said = crashed(problem)
    finally:
        with contextlib.suppress(OSError):
            os.write(write, said.encode("utf-8", "replace")[:4000])
        os._exit(0)


def _collected(running: deque) -> tuple[Mutant, str | None]:
    mutant, pid, pipe = running.popleft()
    try:
        ready, _, _ = select.select([pipe], [], [], 4 * SECONDS)
        said = os.read(pipe, 4096).decode("utf-8", "replace") if ready else ""
    finally:
        os.kill(pid, signal.SIGKILL)  # one that hangs; the others have gone
        os.close(pipe)
        os.waitpid(pid, 0)
    if said == _SURVIVED:
        return mutant, None
    return mutant, said or f"the process died or did not end in {4 * SECONDS:g} s"
