"""The benchmark of the checker runs and counts what it says it counts."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_a_page(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["benchmarks/pagecheck.py", "docs/index.md"])
    runpy.run_path("benchmarks/pagecheck.py", run_name="__main__")
    printed = capsys.readouterr().out
    (row,) = re.findall(r"^docs/index\.md .*$", printed, re.M)
    _, items, *_, page, _, _ = row.split()
    assert int(items) >= 3 and float(page) > 0
    assert [int(n) for n in re.findall(r"a page of +(\d+) items: +\d", printed)] == [24, 48, 99, 198]
