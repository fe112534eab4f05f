"""All the checks of a page, in its order: the one place where the kinds of claims come together."""

from __future__ import annotations

from collections.abc import Mapping

from lossref.pagecheck.numbers import number_checks
from lossref.pagecheck.quoted import Record
from lossref.pagecheck.snippets import Memo, Session, snippet_checks
from lossref.pagecheck.source import Check, Page, PageError, failing, made


def page_checks(
    page: Page,
    quoted: Mapping[str, Record],
    cited: set[str] | None = None,
    updates: dict[int, tuple[int, list[str]]] | None = None,
    memo: Memo | None = None,
    formulas: bool = True,
    prove: bool = False,
) -> list[Check]:
    """Every claim of a page as a check.

    `cited` gathers the keys of the quotations used; with `updates`, wrong outputs are noted there instead of
    failing; `memo` keeps what code gave, for the next reading of nearly the same page; `formulas=False`
    leaves formulas out; with `prove`, those that hold are tried symbolically too.
    """
    session = Session(page, memo)
    checks: list[Check] = []
    try:
        # Numbers first: they bind names for the code below them.
        checks += number_checks(page, session, quoted, cited)
        checks += snippet_checks(page, session, updates)
    except PageError as problem:
        checks.append(failing(problem))
    if formulas:
        checks += made(lambda: formula_and_tie_checks(page, prove))
    return sorted(checks, key=lambda check: (check.location.line, check.location.column))


def formula_and_tie_checks(page: Page, prove: bool = False) -> list[Check]:
    from lossref.pagecheck.formula import formula_checks

    checks = formula_checks(page, prove)
    if page.front.get("ties"):
        from lossref.pagecheck.ties import tie_checks  # imports torch

        checks += tie_checks(page)
    return checks
