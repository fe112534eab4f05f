"""The report on the site: marks only what the report knows, and says so where there is none."""

import json

import pytest
from markdown import Markdown

from tools import verification

REPORT = {
    "date": "2026-01-02",
    "versions": {"numpy": "2"},
    "quoted": {"cox": {"cite": "Cox & Cox", "source": "seen", "obtained": "read"}},
    "pages": {
        "docs/losses/bce.md": {
            "counts": {},
            "checks": [
                {
                    "line": 3,
                    "column": 1,
                    "kind": "formula",
                    "label": "符号证明",
                    "name": "a = b",
                    "tex": "a = b",
                },
                {
                    "line": 5,
                    "column": 1,
                    "kind": "formula",
                    "label": "符号证明",
                    "name": "c = d",
                    "tex": "c = d < e",
                },
                {
                    "line": 5,
                    "column": 9,
                    "kind": "formula",
                    "label": "数值核对",
                    "name": "d < e",
                    "tex": "c = d < e",
                },
                {"line": 7, "column": 1, "kind": "number", "label": "计算", "name": "0.5 | `x`"},
                {"line": 9, "column": 1, "kind": "number", "label": "豁免：旧版本", "name": "1"},
            ],
        }
    },
}


@pytest.fixture
def report(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT), encoding="utf-8")
    monkeypatch.setattr(verification.load, "__defaults__", (path,))


def test_the_tables_count_what_the_report_holds(report):
    text = verification.tables(REPORT)
    row = next(line for line in text.split("\n") if "(#losses-bce) |" in line)
    assert row.endswith("| 2 | 1 | 2 | 0 | 0 | 1 |"), row
    assert "2026-01-02" in text and "Cox &amp; Cox" in text and "旧版本" in text
    assert r"`0.5 \| 'x'`" in text


def test_a_formula_is_called_proved_only_if_all_of_it_is():
    assert verification.labels(REPORT, "docs/losses/bce.md") == {"a = b": "符号证明", "c = d < e": "数值核对"}
    assert verification.labels(REPORT, "docs/other.md") == {}


def test_marks_stand_only_at_formulas_the_report_knows(report):
    class File:
        src_uri, url = "losses/bce.md", "losses/bce/"

    md = Markdown(extensions=["tools.verification"])
    md.treeprocessors.register(
        type("Links", (), {"file": File, "run": lambda self, root: None})(), "relpath", 0
    )
    box = '<mjx-container class="math" display data-tex="{}"><svg></svg></mjx-container>'
    marks = md.postprocessors["verification-marks"]
    assert '../../reference/verification/#losses-bce" title="符号证明' in marks.run(box.format("a  = b"))
    assert ">核</a>" in marks.run(box.format("c = d &lt; e"))
    assert marks.run(box.format("a = c")) == box.format("a = c")


def test_without_a_report_the_page_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(verification.load, "__defaults__", (tmp_path / "none.json",))
    out = Markdown(extensions=["tools.verification", "admonition"]).convert(verification.MARKER)
    assert "--pagecheck-report" in out and verification.MARKER not in out


def test_the_site_has_the_marker_where_the_extension_looks():
    page = verification.ROOT / "docs" / verification.PAGE
    assert page.read_text(encoding="utf-8").count(verification.MARKER) == 1
