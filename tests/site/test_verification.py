"""The report on the site: marks only what the report knows, and says so where there is none."""

import json
import re

import pytest
from markdown import Markdown

from tools import verification

NUMBERS = [
    (11, "0.5<!--= x -->"),
    (12, "33%<!--= y -->"),
    (13, "2.9×10⁻¹<!--= z -->"),
    (14, "\\tfrac14$<!--= a -->"),
    (15, "0.61` 左右<!--= b -->"),
    (16, "7<!--= changed -->"),
    (17, "8<!--= heading -->"),
    (18, "9<!--= linked -->"),
    (19, "0.5<!--= x -->"),
]
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
                *(
                    {"line": line, "column": 1, "kind": "number", "label": "计算", "name": "n", "tex": tex}
                    for line, tex in NUMBERS
                ),
            ],
        }
    },
    "mutants": [
        {
            "path": path,
            "date": "2026-01-01",
            "seed": 3,
            "tried": 100,
            "killed": 90,
            "reasons": reasons,
            "digest": "d",
            "checker": "c0ffee",
            "fresh": fresh,
            "same_checker": same,
        }
        for path, reasons, fresh, same in (
            ("docs/losses/bce.md", {"equivalent": 4, "name": 6}, True, True),
            ("docs/losses/kl.md", {"code": 8, "survived": 2}, False, True),
            ("lossref/bce.py", {"equivalent": 10}, True, False),
        )
    ],
}


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT), encoding="utf-8")
    monkeypatch.setattr(verification.load, "__defaults__", (path,))


def test_the_tables_count_what_the_report_holds(made_up):
    text = verification.tables(REPORT)
    row = next(line for line in text.split("\n") if "(#losses-bce) |" in line)
    assert row.endswith(f"| 2 | 1 | {2 + len(NUMBERS)} | 0 | 0 | 1 |"), row
    assert "2026-01-02" in text and "Cox &amp; Cox" in text and "旧版本" in text
    assert r"`0.5 \| 'x'`" in text


def test_a_formula_is_called_proved_only_if_all_of_it_is():
    assert verification.labels(REPORT, "docs/losses/bce.md") == {"a = b": "符号证明", "c = d < e": "数值核对"}
    assert verification.labels(REPORT, "docs/other.md") == {}


def test_the_mutation_score_says_how_old_it_is():
    text = verification.tables(REPORT)
    rows = [line for line in text.split("\n") if "2026-01-01" in line]
    assert [row[-28:].strip("| ").split("| ")[-1] for row in rows] == [
        "2026-01-01",
        "2026-01-01，此后页面改过",
        "2026-01-01，此后检查程序改过",
    ]
    assert "| 100 | 90 | 等价 4、只是名字 6 | 0 |" in rows[0] and "| 100 | 90 | 输出不变 8 | 2 |" in rows[1]
    assert "| **300** | **270** | **28** | **2** |" in text and "种子 3" in text and "`c0ffee`" in text
    assert "还没有整体跑过" in verification.tables({**REPORT, "mutants": []})


@pytest.fixture
def md():
    class File:
        src_uri, url = "losses/bce.md", "losses/bce/"

    found = Markdown(extensions=["tools.comments", "tools.verification"])
    links = type("Links", (), {"file": File, "run": lambda self, root: None})()
    found.treeprocessors.register(links, "relpath", 0)
    return found


def test_marks_stand_only_at_formulas_the_report_knows(made_up, md):
    box = '<mjx-container class="math" display data-tex="{}"><svg></svg></mjx-container>'
    marks = md.postprocessors["verification-marks"]
    assert '../../reference/verification/#losses-bce-3" title="符号证明' in marks.run(box.format("a  = b"))
    assert ">核</a>" in marks.run(box.format("c = d &lt; e"))
    assert marks.run(box.format("a = c")) == box.format("a = c")


def test_inline_formulas_lead_to_their_row_but_not_in_headings_and_links(made_up, md):
    box = '<mjx-container class="math" data-tex="{}"><svg></svg></mjx-container>'
    known, unknown = box.format("a = b"), box.format("a = c")
    marks = md.postprocessors["verification-marks"]
    link = f'<a class="k" href="../../reference/verification/#losses-bce-3">{known}</a>'
    assert marks.run(f"<p>{known} {unknown}</p>") == f"<p>{link} {unknown}</p>"
    for kept in (known, f'<h2 id="x">{known}</h2><p></p>', f'<p><a href="x">{known}</a></p>'):
        assert marks.run(kept) == kept


@pytest.mark.parametrize(("url", "target"), [
    ("losses/bce/", "../../reference/verification/"),
    ("./", "reference/verification/"),
    ("losses/bce.html", "../reference/verification.html"),
    ("index.html", "reference/verification.html"),
])  # fmt: skip
def test_marks_lead_to_the_report_also_on_disk(made_up, md, monkeypatch, url, target):
    monkeypatch.setattr(md.treeprocessors["relpath"].file, "url", url)
    box = '<mjx-container class="math" data-tex="a = b"><svg></svg></mjx-container>'
    assert f'href="{target}#losses-bce-3"' in md.postprocessors["verification-marks"].run(f"<p>{box}</p>")


TEXT = """\
值为 0.5<!--= x -->，占 33%<!--= y -->、2.9×10⁻¹<!--= z -->，$\\tfrac14$<!--= a -->，`0.61` 左右<!--= b -->。

变了的 7<!--= other --> 没有，

# 标题 8<!--= heading -->

[见 9<!--= linked -->](x)，又是 0.5<!--= x -->。
"""


def test_numbers_lead_to_their_row_while_their_claims_stand_behind_them(made_up, md):
    found = dict(re.findall(r'#losses-bce-(\d+)">(.*?)</a>', md.convert(TEXT)))
    assert found == {
        "11": "0.5", "12": "33%", "13": "2.9×10⁻¹", "14": "$\\tfrac14$", "15": "<code>0.61</code>", "19": "0.5"
    }  # fmt: skip


def test_a_link_leads_to_a_row(made_up, md):
    rows = set(re.findall(r'<a id="([^"]+)">', verification.tables(REPORT)))
    assert {f"losses-bce-{n}" for n in (3, 5, 11, 19)} <= rows


def test_without_a_report_the_page_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setattr(verification.load, "__defaults__", (tmp_path / "none.json",))
    out = Markdown(extensions=["tools.verification", "admonition"]).convert(verification.MARKER)
    assert "--pagecheck-report" in out and verification.MARKER not in out


def test_every_mark_of_the_site_leads_to_a_row(site):
    rows = set(re.findall(r'id="?([^" >]+)', (site / "reference/verification/index.html").read_text(encoding="utf-8")))
    found = []
    for page in site.rglob("index.html"):
        found += re.findall(r'href="?[^" >]*reference/verification/#([^" >]+)', page.read_text(encoding="utf-8"))
    assert len(found) > 100 and set(found) <= rows


@pytest.mark.browser
def test_a_reader_gets_from_a_formula_and_a_number_to_what_was_checked(visit):
    window = visit(scripts=False)
    for kind, shows in (("article a:text-is('核')", "数值核对"), ("article p a[href*='verification/#'] >> nth=0", "")):
        page = window.go("losses/nll/")
        page.locator(kind).first.click()
        row = page.locator("tr:has(:target), tr:target")
        assert "/reference/verification/#losses-nll-" in page.url
        assert row.count() == 1 and shows in row.inner_text()
        box = row.bounding_box()
        assert 0 <= box["y"] < page.viewport_size["height"]


def test_the_site_has_the_marker_where_the_extension_looks():
    page = verification.ROOT / "docs" / verification.PAGE
    assert page.read_text(encoding="utf-8").count(verification.MARKER) == 1
