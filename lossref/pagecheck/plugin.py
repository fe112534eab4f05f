"""The pytest plugin: every claim of every page is an item.

    pytest docs/losses/bce.md          one page (or notebook)
    pytest                             all pages and all tests
    pytest --update-docs               rewrite the `#>` outputs that differ, and nothing else
    pytest --pagecheck-report          write what was checked, and how, for the site's page 验证报告

Pages are README.md, the .md files under docs/ and the notebooks in docs/experiments/; the examples in the package's
docstrings are run as pages' snippets are.  A failure is printed as `docs/losses/bce.md:LINE:COLUMN: …`.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.docstrings import read_docstrings
from lossref.pagecheck.limits import SECONDS, TimeLimit, run_check, time_limit
from lossref.pagecheck.mutate.score import summary as mutation_summary
from lossref.pagecheck.quoted import Record, read_quoted
from lossref.pagecheck.snippets import apply_updates
from lossref.pagecheck.source import Check, Location, PageError, failing, read_page

_NAMES = {"formula": "formulas", "number": "numbers", "snippet": "snippets", "tie": "ties", "page": "pages"}


@dataclass
class Run:
    """What one run of pytest knows about its pages."""

    root: Path
    seconds: float
    updating: bool
    report: Path | None
    stderr: int | None
    quoted: dict[str, Record] | None = None
    cited: set[str] = field(default_factory=set)
    collected: set[str] = field(default_factory=set)
    updates: dict[Path, dict] = field(default_factory=dict)
    results: list[dict] = field(default_factory=list)  # see `result`

    def records(self) -> dict[str, Record]:
        if self.quoted is None:
            self.quoted = read_quoted(self.root)
        return self.quoted


# Where the site looks for the report (tools/verification.py).
REPORT = ".cache/pagecheck.json"

RUN: pytest.StashKey[Run] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pagecheck", "pages whose every claim is a test")
    group.addoption(
        "--update-docs", action="store_true", help="rewrite the outputs (#> lines) on pages that differ"
    )
    group.addoption(
        "--pagecheck-report",
        metavar="FILE",
        nargs="?",
        const=REPORT,
        help=f"prove what can be proved, and write what was checked on each page to FILE ({REPORT})",
    )
    group.addoption(
        "--pagecheck-timeout",
        metavar="SECONDS",
        type=float,
        default=SECONDS,
        help="limit for one check (default: %(default)g)",
    )


def pytest_configure(config: pytest.Config) -> None:
    report = config.getoption("--pagecheck-report")
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        stderr = os.dup(2)  # the real one: the last words of a hanging C call must be seen
    config.stash[RUN] = Run(
        root=config.rootpath,
        seconds=config.getoption("--pagecheck-timeout"),
        updating=config.getoption("--update-docs"),
        report=Path(report) if report else None,
        stderr=stderr,
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is not None and run.stderr is not None:
        os.close(run.stderr)
        run.stderr = None


def is_page(path: Path, root: Path) -> bool:
    """README.md, the Markdown files below docs/, the notebooks in docs/experiments/."""
    try:
        parts = path.relative_to(root).parts
    except ValueError:
        return False
    if path.suffix == ".py":
        return parts[:-1] == ("docs", "experiments")
    return path.suffix == ".md" and (parts == ("README.md",) or (len(parts) > 1 and parts[0] == "docs"))


def all_pages(root: Path) -> list[Path]:
    files = [root / "README.md", *sorted((root / "docs").rglob("*"))]
    return [path for path in files if is_page(path, root) and path.is_file()]


def has_docstrings(path: Path, root: Path) -> bool:
    """The modules of the package."""
    return path.suffix == ".py" and path.is_relative_to(root / "lossref")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if is_page(file_path, parent.config.rootpath):
        return PageFile.from_parent(parent, path=file_path)
    if has_docstrings(file_path, parent.config.rootpath):
        return DocstringFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A notebook or module named on the command line is a page, and no module of tests besides."""
    root = parent.config.rootpath
    if is_page(module_path, root) or has_docstrings(module_path, root):
        return NoTests.from_parent(parent, path=module_path)
    return None


class NoTests(pytest.File):
    def collect(self) -> Iterable[pytest.Item]:
        return []


class PageFile(pytest.File):
    """A page; its items are its claims."""

    def collect(self) -> Iterable[pytest.Item]:
        run = self.config.stash[RUN]
        shown = self.path.relative_to(run.root).as_posix()
        try:
            with time_limit(3 * run.seconds, run.stderr):
                checks = self.checks(run, shown)
        except PageError as problem:
            checks = [failing(problem)]
        except TimeLimit:
            checks = [
                failing(
                    PageError(
                        Location(shown, 1, 1), f"reading this page takes more than {3 * run.seconds:g} s"
                    )
                )
            ]
        seen: Counter[str] = Counter()
        for check in checks:
            name = f"L{check.location.line} {check.kind}"
            seen[name] += 1
            yield PageItem.from_parent(
                self, name=name if seen[name] == 1 else f"{name} #{seen[name]}", check=check
            )

    def checks(self, run: Run, shown: str) -> list[Check]:
        run.collected.add(shown)
        updates = run.updates.setdefault(self.path, {}) if run.updating else None
        page = read_page(self.path, run.root)
        return page_checks(page, run.records(), run.cited, updates, prove=run.report is not None)


class DocstringFile(PageFile):
    """A module; its items are the examples in its docstrings."""

    def checks(self, run: Run, shown: str) -> list[Check]:
        pages = read_docstrings(self.path, run.root)
        return [check for page in pages for check in page_checks(page, {}, formulas=False)]


class PageItem(pytest.Item):
    """A claim."""

    def __init__(self, *, check: Check, **kwargs):
        super().__init__(**kwargs)
        self.check = check

    def runtest(self) -> None:
        run = self.config.stash[RUN]
        label = ""
        try:
            label = run_check(self.check, run.seconds, run.stderr)
        finally:
            run.results.append(result(self.check, label))

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, PageError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, self.check.location.line - 1, f"{self.check.location.path}::{self.name}"


def result(check: Check, label: str) -> dict:
    """What is told of a check: how it was checked, or '' for a failure.  Plain, so that processes can exchange it."""
    at = check.location
    told = {"page": at.path, "line": at.line, "column": at.column, "kind": check.kind, "label": label}
    return {**told, "name": check.name, **({"tex": _as_searched(check)} if check.tex else {})}


class UnusedQuotes(pytest.Item):
    """Records that no page quotes; asked only when every page has been collected."""

    def __init__(self, *, run: Run, **kwargs):
        super().__init__(**kwargs)
        self.run = run

    def runtest(self) -> None:
        unused = [record for key, record in self.run.records().items() if key not in self.run.cited]
        if unused:
            raise PageError(
                unused[0].location,
                f"no page quotes {', '.join(record.key for record in unused)}: remove it, or quote it",
            )

    def repr_failure(self, excinfo, style=None):
        return (
            str(excinfo.value)
            if isinstance(excinfo.value, PageError)
            else super().repr_failure(excinfo, style)
        )

    def reportinfo(self):
        return self.path, 0, self.name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    run = config.stash[RUN]
    pages = {page.relative_to(run.root).as_posix() for page in all_pages(run.root)}
    if pages and pages <= run.collected and (run.root / "docs/data/quoted.yml").exists():
        items.append(
            UnusedQuotes.from_parent(session, name="docs/data/quoted.yml::every record is quoted", run=run)
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    run = config.stash[RUN]
    for path, updates in run.updates.items():
        if updates:
            path.write_bytes(apply_updates(path.read_bytes(), updates))
    if hasattr(config, "workeroutput"):  # one of pytest-xdist's processes: the first process reports
        config.workeroutput["pagecheck"] = {"results": run.results, "cited": sorted(run.cited)}
    elif run.report:
        run.report.parent.mkdir(parents=True, exist_ok=True)
        run.report.write_text(json.dumps(report(run), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of pytest-xdist's processes is done: what it found counts here."""
    run, found = node.config.stash[RUN], getattr(node, "workeroutput", {}).get("pagecheck")
    if found:  # nothing, if it died
        run.results += found["results"]
        run.cited |= set(found["cited"])


def report(run: Run) -> dict:
    """Per page: how many checks of each kind ended with which label, and where each is."""
    pages: dict[str, dict] = {}
    for checked in sorted(run.results, key=itemgetter("page", "line", "column")):
        page = pages.setdefault(checked["page"], {"counts": {}, "checks": []})
        counts = page["counts"].setdefault(checked["kind"], {})
        label = checked["label"] or "failed"
        short = label.partition("：")[0]
        counts[short] = counts.get(short, 0) + 1
        page["checks"].append({**{k: v for k, v in checked.items() if k != "page"}, "label": label})
    quoted = {
        key: {"cite": record.cite, "source": record.source, "obtained": record.obtained}
        for key, record in (run.records() if run.cited else {}).items()
        if key in run.cited
    }
    versions = {"python": platform.python_version()}
    for name in ("numpy", "torch", "mpmath"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    today = datetime.date.today().isoformat()
    found = {"date": today, "versions": versions, "pages": pages, "quoted": quoted}
    return {**found, "mutants": mutation_summary(run.root)}


def _as_searched(check: Check) -> str:
    """A formula without its line ends; a number exactly as it stands on the page."""
    return check.tex if check.kind == "number" else " ".join(check.tex.split())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    run = config.stash[RUN]
    for line in summary(run):
        terminalreporter.write_line(line)


def summary(run: Run) -> Iterator[str]:
    if run.results:
        counts = Counter(checked["kind"] for checked in run.results)
        pages = len({checked["page"] for checked in run.results})
        exempt = sum(checked["label"].startswith("豁免") for checked in run.results)
        failed = sum(not checked["label"] for checked in run.results)
        parts = [
            f"{counts[kind]} {name if counts[kind] != 1 else name[:-1]}"
            for kind, name in _NAMES.items()
            if counts[kind]
        ]
        yield (
            f"pagecheck: {', '.join(parts)} on {pages} page{'s' * (pages != 1)}"
            f"{f'; {exempt} exempt' if exempt else ''}{f'; {failed} failed' if failed else ''}"
        )
    for path, updates in run.updates.items():
        if updates:
            outputs = f"{len(updates)} output{'s' * (len(updates) != 1)}"
            yield f"pagecheck: {outputs} rewritten in {path.relative_to(run.root).as_posix()}"
