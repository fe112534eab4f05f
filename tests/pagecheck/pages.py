"""Check a page given as text, without pytest in between."""

from __future__ import annotations

from collections.abc import Mapping

from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.limits import run_check
from lossref.pagecheck.quoted import Record
from lossref.pagecheck.snippets import Memo
from lossref.pagecheck.source import PageError, read_text


def failures(
    text: str,
    quoted: Mapping[str, Record] | None = None,
    *,
    formulas: bool = False,
    seconds: float = 20,
    memo: Memo | None = None,
) -> list[str]:
    """What is wrong with a page, as an author reads it; empty if nothing is."""
    return outcome(text, quoted, formulas=formulas, seconds=seconds, memo=memo)[0]


def outcome(text, quoted=None, *, formulas=False, seconds=20, memo=None) -> tuple[list[str], list[str]]:
    """The failures of a page and the labels of what passed."""
    wrong, labels = [], []
    try:
        checks = page_checks(read_text(text), quoted or {}, formulas=formulas, memo=memo)
    except PageError as problem:
        return [str(problem)], []
    for check in checks:
        try:
            labels.append(run_check(check, seconds))
        except PageError as problem:
            wrong.append(str(problem))
    return wrong, labels
