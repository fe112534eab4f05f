"""Markdown extension: what was checked, shown to the reader.

`python run.py test --pagecheck-report` leaves a report in .cache/. Where it is present, the marker
`<!-- verification -->` becomes the report's tables, and every display formula that the report knows,
letter by letter, gets a small mark that says how it was checked and leads to its list. A formula changed
since has no mark. Without a report the marker says how to make one. Nothing here checks anything.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path
from posixpath import relpath

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / ".cache" / "pagecheck.json"
MARKER = "<!-- verification -->"
PAGE = "reference/verification.md"
KINDS = {"formula": "公式", "number": "数字", "snippet": "代码", "tie": "与代码相连"}
DISPLAY = re.compile(
    r'<mjx-container class="math" display data-tex="(?P<tex>[^"]*)".*?</mjx-container>', re.DOTALL
)
TITLE = re.compile(r"^title:\s*(.+?)\s*$", re.MULTILINE)

MISSING = """\
!!! note "这份副本还没有报告"
    运行 `python run.py test --pagecheck-report`，再建一次网站，
    这里就会列出每一页的检查结果，公式旁也会出现标记。
"""


def load(path: Path = REPORT) -> dict | None:
    """The report, if one was made."""
    return _parsed(path, path.stat().st_mtime_ns) if path.exists() else None


@lru_cache(maxsize=1)
def _parsed(path: Path, _changed: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def anchor(page: str) -> str:
    """Where a page's list stands in the report: docs/losses/bce.md → losses-bce."""
    return page.removeprefix("docs/").removesuffix(".md").removesuffix(".py").replace("/", "-").lower()


# ---- the tables --------------------------------------------------------------------------------


def tables(report: dict) -> str:
    """The whole report as Markdown."""
    pages = {page: found["checks"] for page, found in sorted(report["pages"].items())}
    versions = "、".join(f"{name} {version}" for name, version in report["versions"].items())
    lines = [f"检查日期 {report['date']}；{versions}。", ""]
    lines += [
        "| 页面 | 公式：证明 | 公式：核对 | 数字 | 代码 | 与代码相连 | 豁免 |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = {page: _row(checks) for page, checks in pages.items()}
    for page, row in rows.items():
        lines.append(f"| [{_title(page)}](#{anchor(page)}) | " + " | ".join(map(str, row)) + " |")
    totals = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines.append("| **合计** | " + " | ".join(f"**{n}**" for n in totals) + " |")
    exempt = [
        (page, check)
        for page, checks in pages.items()
        for check in checks
        if check["label"].startswith("豁免")
    ]
    if exempt:
        lines += ["", "### 豁免及理由", ""]
        lines += [
            f"- {_title(page)}，第 {c['line']} 行：{c['label'].partition('：')[2]}" for page, c in exempt
        ]
    lines += ["", "### 引用的数字与文献", ""]
    lines += [f"- {html.escape(q['cite'])}（{html.escape(q['source'])}）" for q in report["quoted"].values()]
    lines += ["", "## 逐页清单", ""]
    for page, checks in pages.items():
        lines += [f"### {_title(page)} {{ #{anchor(page)} }}", "", f'??? note "{len(checks)} 项检查"', ""]
        lines += ["    | 行 | 种类 | 结果 | 内容 |", "    |---:|---|---|---|"]
        for c in checks:
            kind = KINDS.get(c["kind"], c["kind"])
            lines.append(f"    | {c['line']} | {kind} | {_plain(c['label'])} | {_code(c['name'])} |")
        lines.append("")
    return "\n".join(lines)


def _row(checks: list[dict]) -> list[int]:
    labels = Counter((c["kind"], c["label"].partition("：")[0]) for c in checks)
    by_kind = Counter(c["kind"] for c in checks)
    exempt = sum(n for (_, label), n in labels.items() if label == "豁免")
    return [labels["formula", "符号证明"], labels["formula", "数值核对"],
            by_kind["number"], by_kind["snippet"], by_kind["tie"], exempt]  # fmt: skip


def _title(page: str) -> str:
    path = ROOT / page
    found = TITLE.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return found[1].strip("\"'") if found else page


def _plain(text: str) -> str:
    return text.partition("：")[0].replace("|", "\\|")


def _code(text: str) -> str:
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "\\|") + "`"


class _Tables(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        if MARKER not in text:
            return lines
        report = load()
        return text.replace(MARKER, MISSING if report is None else tables(report)).split("\n")


# ---- the marks ---------------------------------------------------------------------------------


def labels(report: dict, page: str) -> dict[str, str]:
    """How each formula of a page was checked, by its TeX: the weakest of its claims counts."""
    found: dict[str, str] = {}
    for check in report["pages"].get(page, {"checks": []})["checks"]:
        if check.get("tex") and check["label"] in ("符号证明", "数值核对"):
            before = found.get(check["tex"], "符号证明")
            found[check["tex"]] = check["label"] if before == "符号证明" else before
    return found


class _Marks(Postprocessor):
    def run(self, text: str) -> str:
        report = load()
        if report is None or "relpath" not in self.md.treeprocessors:
            return text
        file = self.md.treeprocessors["relpath"].file
        checked = labels(report, "docs/" + file.src_uri)
        target = relpath(PAGE.removesuffix(".md"), file.url or ".") + "/#" + anchor(file.src_uri)

        def mark(match: re.Match) -> str:
            label = checked.get(" ".join(html.unescape(match["tex"]).split()))
            if label is None:
                return match[0]
            sign = "证" if label == "符号证明" else "核"
            return (
                f'<div class="checked-formula">{match[0]}'
                f'<a class="checked" href="{target}" title="{label}：这条公式由测试检查过" '
                f"data-search-exclude>{sign}</a></div>"
            )

        return DISPLAY.sub(mark, text)


class VerificationExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Before comments are taken out (24); after formulas are set (-10).
        md.preprocessors.register(_Tables(md), "verification-tables", 26)
        md.postprocessors.register(_Marks(md), "verification-marks", -20)


def makeExtension(**options) -> Extension:
    return VerificationExtension(**options)
