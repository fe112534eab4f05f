"""The experiments: their data is what it was, they run as scripts, and the site shows them as pages."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from lossref.pagecheck.source import read_page
from tools.notebooks import FOLDER

ROOT = Path(__file__).parents[2]
DATA = ROOT / "docs" / "data"
NOTEBOOKS = sorted((ROOT / "docs" / FOLDER).glob("*.py"))
RECORDS = yaml.safe_load((DATA / "datasets.yml").read_text(encoding="utf-8"))


def outputs(path):
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#>")]


def test_there_are_experiments_and_every_data_file_has_a_record():
    assert len(NOTEBOOKS) >= 3
    assert {record["file"] for record in RECORDS.values()} == {path.name for path in DATA.glob("*.csv")}


@pytest.mark.parametrize("name", RECORDS)
def test_data_is_what_was_recorded(name):
    record = RECORDS[name]
    data = (DATA / record["file"]).read_bytes().replace(b"\r\n", b"\n")
    assert hashlib.sha256(data).hexdigest() == record["sha256"], f"{record['file']} has changed"
    values = np.loadtxt(DATA / record["file"], delimiter=",", skiprows=1)
    assert values.shape == (record["rows"], record["columns"])
    assert np.isfinite(values).all()
    assert all(record[key].strip() for key in ("what", "source", "licence", "obtained"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_also_a_script(path):
    """Run from another folder of the project, as Jupyter does: it prints what the page shows."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, path.name], cwd=path.parent, env=environment, capture_output=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert [line.strip() for line in ran.stdout.splitlines()] == [line[2:].strip() for line in outputs(path)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_site_shows_a_notebook_as_a_page(site, path):
    page = read_page(path, ROOT)
    text = (site / FOLDER / path.stem / "index.html").read_text(encoding="utf-8")
    article = re.search(r"<article.*?</article>", text, re.DOTALL)[0]
    assert f"<title>{page.front['title']} - " in text
    assert f'content="{page.front["description"]}"' in text
    assert len(re.findall(r"<mjx-container", article)) == len(page.maths)
    assert len(re.findall(r'<div class="language-python highlight"', article)) == len(page.fences)
    assert "# %%" not in article
    assert "<!--" not in article
    assert article.count('class="c1 output"') == len(outputs(path))
    assert article.count('<figure class="chart"') == page.text.count(".svg ") > 0


def test_what_is_no_notebook_stops_the_build(tmp_path):
    from mkdocs.exceptions import PluginError

    from tools.notebooks import Notebook

    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/a.py").write_text("x = 1\n", encoding="utf-8")
    file = Notebook("experiments/a.py", str(tmp_path), str(tmp_path / "site"), True)
    with pytest.raises(PluginError, match=r"docs/experiments/a\.py:1: each line of front matter"):
        file.content_string  # noqa: B018
