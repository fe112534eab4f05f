"""The authors' guide tells the truth: each of its examples does what it is said to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lossref.pagecheck.formula import formula_checks
from lossref.pagecheck.source import PageError, read_page, read_text

ROOT = Path(__file__).resolve().parents[3]
GUIDE = read_page(ROOT / "docs/reference/page-language.md", ROOT)
FRONT = f"---\n{next(f.code for f in GUIDE.fences if f.language == 'yaml')}\n---\n\n"
EXAMPLES = [f for f in GUIDE.fences if f.language == "markdown" and f.classes]


def errors(text: str) -> list[str]:
    """What is wrong with an example; that it does not use all of the shared symbols is not."""
    found = []
    for check in formula_checks(read_text(FRONT + text, "example.md")):
        try:
            check.run()
        except PageError as error:
            found.append(str(error))
    return [e for e in found if "is declared and never used" not in e]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda f: f"L{GUIDE.at(f.start).line}")
def test_an_example_holds_or_is_refused_as_it_says(example):
    found = errors(example.code)
    if "holds" in example.classes:
        assert not found, "\n".join(found)
    else:
        assert example.classes == ("refused",) and found


def test_every_refused_form_in_the_table_is_refused():
    forms = re.findall(r"^\| `([^`|]+)` \|[^|]+\| (?:`|里层)", GUIDE.text, re.M)
    assert len(forms) == 8
    for form in forms:
        names = {"a": "z", "b": "q", "c": "y", "r": "z"}
        form = re.sub(r"(?<![\\A-Za-z_])[abcr](?![A-Za-z])", lambda m, names=names: names[m[0]], form)
        form = form.replace("bc", "qy").replace("q r", "q z").replace("^k", "^y")
        assert errors(f"${form} = 1$"), form
