"""What checking costs: ``python benchmarks/pagecheck.py [PAGE…]``, all pages if none is named.

Seconds of the processor after torch's import: for one formula, number, snippet and tie of each page, and for the whole
page; beside it the page's code alone, executed plainly in its order, and the ratio of the two. A page's code is
executed once before anything is measured, so that what torch imports late counts for neither. Then growth:
milliseconds for each item of a page of so many, and for the items of the first and of the second half of the pages;
on a page of one kind they stay level if the cost is linear.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

import torch

import lossref.torch  # noqa: F401
from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.limits import run_check
from lossref.pagecheck.plugin import all_pages
from lossref.pagecheck.quoted import read_quoted
from lossref.pagecheck.snippets import page_code
from lossref.pagecheck.source import Page, PageError, read_page, read_text

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("formula", "number", "snippet", "tie")
GOAL_PAGE, GOAL_ALL = 3.0, 60.0
GROWTH = (25, 50, 100, 200)


def plain(page: Page) -> float:
    """Seconds for the page's code, run from top to bottom with nothing looked at."""
    names: dict = {"__name__": "__main__"}
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for code in sorted(page_code(page), key=lambda code: code.offset):
            for statement in _statements(code.source):
                with contextlib.suppress(Exception):  # a page may show code that fails
                    exec(statement, names)
    return time.process_time() - began


def _statements(source: str) -> list:

    return [compile(ast.Module([s], []), "page", "exec") for s in ast.parse(source).body]


def checked(page_of, quoted) -> tuple[dict[str, list[float]], float, int]:
    """Seconds of each check by kind, seconds of the whole page, failures."""
    took, failures = defaultdict(list), 0
    began = time.process_time()
    checks = page_checks(page_of(), quoted)
    for check in checks:
        start = time.process_time()
        try:
            run_check(check)
        except PageError:
            failures += 1
        took[check.kind].append(time.process_time() - start)
    return took, time.process_time() - began, failures


def synthetic(count: int) -> str:
    """A page of so many formulas, numbers and snippets, a third of each."""
    parts = ["---\nsymbols:\n  x: {in: real, meaning: 数}\n---\n"]
    for i in range(2, count // 3 + 2):
        formula = f"$\\log(1+e^x)-{i}x = \\log(1+e^{{-x}})-{i - 1}x$。"
        parts.append(f"{formula}\n\n```python\nn = {i}\n```\n\n得 {i + 1}<!--= n + 1 -->。\n")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, help="pages (default: all)")
    paths = parser.parse_args().pages or all_pages(ROOT)
    os.environ.setdefault("MPLBACKEND", "Agg")
    quoted = read_quoted(ROOT)
    torch.func.grad(torch.sin)(torch.zeros(()))  # imports half of torch at its first use
    head = "  ".join(f"{f's/{kind}':>10}" for kind in KINDS)
    print(f"{'page':<36} {'items':>5}  {head}  {'page':>7} {'code':>7} {'ratio':>6}")
    rows = []
    for path in paths:
        try:
            page = read_page(path, ROOT)
            plain(page)
            code = plain(page)
            took, whole, failures = checked(lambda path=path: read_page(path, ROOT), quoted)
        except PageError as problem:
            print(f"not measured: {problem}")
            continue
        items = sum(map(len, took.values()))
        each = "  ".join(
            f"{sum(took[kind]) / len(took[kind]):10.4f}" if took[kind] else f"{'–':>10}" for kind in KINDS
        )
        ratio = f"{whole / code:6.1f}" if page_code(page) else f"{'–':>6}"
        notes = (f"  above {GOAL_PAGE:g} s" if whole > GOAL_PAGE + code else "") + (
            f"  {failures} failed" if failures else ""
        )
        print(f"{page.path:<36} {items:>5}  {each}  {whole:7.2f} {code:7.2f} {ratio}{notes}", flush=True)
        rows.append((items, whole, code))
    checking = sum(whole - code for _, whole, code in rows)
    whole, code = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"{'all':<36} {sum(row[0] for row in rows):>5}  {'':>46}  {whole:7.2f} {code:7.2f} {whole / code:6.1f}")
    print(f"\nchecking beside the code: {checking:.1f} s (goal: {GOAL_ALL:g} s)")

    print("\ngrowth, ms for an item:")
    for count in GROWTH:
        text = synthetic(count)
        took, whole, failures = checked(lambda text=text: read_text(text), {})
        assert not failures
        items = sum(map(len, took.values()))
        print(f"  a page of {items:>3} items: {1000 * whole / items:6.2f}")
    if len(rows) > 3:
        halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        for name, half in zip(("first", "second"), halves, strict=True):
            cost = sum(whole - code for _, whole, code in half)
            print(f"  the {name} half of the pages: {1000 * cost / sum(row[0] for row in half):6.2f}")


if __name__ == "__main__":
    main()
