"""The benchmark of the checker runs and counts what it says it counts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_a_page():
    command = [sys.executable, "benchmarks/pagecheck.py", "docs/index.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = re.findall(r"^docs/index\.md .*$", done.stdout, re.M)
    _, items, *_, page, _, _ = row.split()
    assert int(items) >= 3 and float(page) > 0
    assert [int(n) for n in re.findall(r"a page of +(\d+) items: +\d", done.stdout)] == [24, 48, 99, 198]
