"""Markdown extension: what was checked, shown to the reader.

`python run.py test --pagecheck-report` leaves a report in .cache/. Where it is present, the marker
`<!-- verification -->` becomes the report's tables. Everything the report knows, letter by letter, leads to
its row there: a display formula by a small mark that says how it was checked, an inline formula that claims
something and a number by being a link, hardly to be seen. What changed since has no mark. Without a report
the marker says how to make one. Nothing here checks anything.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parent.parent
REPORT = Path(os.environ.get("LOSSREF_REPORT") or ROOT / ".cache" / "pagecheck.json")
MARKER = "<!-- verification -->"
PAGE = "reference/verification.md"
# Of a page's mutants that nothing noticed: why each may live.
REASONS = {"equivalent": "等价", "code": "输出不变", "name": "只是名字", "refuted": "仍不相等", "renamed": "换了字母"}
KINDS = {"formula": "公式", "number": "数字", "snippet": "代码", "tie": "与代码相连"}
DISPLAY = re.compile(r'<mjx-container class="math" display data-tex="(?P<tex>[^"]*)".*?</mjx-container>', re.DOTALL)
INLINE = re.compile(r'<mjx-container class="math(?: wide)?" data-tex="(?P<tex>[^"]*)".*?</mjx-container>', re.DOTALL)
# No link inside another one, none in a heading (the table of contents repeats it) or a summary (it folds).
UNLINKED = re.compile(r"(<(?P<tag>a|h[1-6]|summary|title)\b.*?</(?P=tag)>)", re.DOTALL)
TITLE = re.compile(r"^(?:# )?title: *(.+)$", re.MULTILINE)

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


def place_of(page: str, line: int) -> str:
    """Where the checks of a line stand there."""
    return f"{anchor(page)}-{line}"


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
    lines += _mutants(report.get("mutants", []))
    exempt = [(page, check) for page, checks in pages.items() for check in checks if check["label"].startswith("豁免")]
    if exempt:
        lines += ["", "### 豁免及理由", ""]
        lines += [f"- {_title(page)}，第 {c['line']} 行：{c['label'].partition('：')[2]}" for page, c in exempt]
    lines += ["", "### 引用的数字与文献", ""]
    lines += [f"- {html.escape(q['cite'])}（{html.escape(q['source'])}）" for q in report["quoted"].values()]
    lines += ["", "## 逐页清单", ""]
    for page, checks in pages.items():
        lines += [f"### {_title(page)} {{ #{anchor(page)} }}", "", f'??? note "{len(checks)} 项检查"', ""]
        lines += ["    | 行 | 种类 | 结果 | 内容 |", "    |---|---|---|---|"]
        alike: dict[tuple, list[str]] = {}  # what a line says and was checked in one way shares a row
        for c in checks:
            alike.setdefault((c["line"], c["kind"], _plain(c["label"])), []).append(_code(c["name"]))
        before = None
        for (line, kind, label), names in alike.items():
            # Formulas and numbers on the pages lead to their rows.
            place = str(line)
            if kind in ("formula", "number") and line != before:
                place = f'<a id="{place_of(page, line)}"></a>{place}'
                before = line
            lines.append(f"    | {place} | {KINDS.get(kind, kind)} | {label} | {'、'.join(names)} |")
        lines.append("")
    return "\n".join(lines)


def _mutants(pages: list[dict]) -> list[str]:
    """What became of errors put in on purpose: the last run, and what has changed since."""
    lines = ["", "### 放进去的错误", ""]
    if not pages:
        return [*lines, "还没有整体跑过：`python -m lossref.pagecheck.mutate --jobs 4`。"]
    lines += ["| 页面或文件 | 放入 | 发现 | 不必发现 | 没有发现 | 日期 |", "|---|---:|---:|---|---:|---|"]
    totals = Counter()
    for page in sorted(pages, key=lambda p: (p["path"].startswith("lossref/"), p["path"])):
        reasons = page["reasons"]
        excused = "、".join(f"{name} {reasons[key]}" for key, name in REASONS.items() if reasons.get(key))
        since = "页面" if page["path"].endswith(".md") else "文件"
        stale = since if not page["fresh"] else "" if page["same_checker"] else "检查程序"
        changed = f"，此后{stale}改过" if stale else ""
        name = f"`{page['path']}`" if page["path"].startswith("lossref/") else _title(page["path"])
        survived = reasons.get("survived", 0)
        lines.append(
            f"| {name} | {page['tried']} | {page['killed']} | {excused or '—'} | {survived} | {page['date']}{changed} |"
        )
        totals.update(tried=page["tried"], killed=page["killed"], survived=survived)
    excused = totals["tried"] - totals["killed"] - totals["survived"]
    numbers = [f"**{n}**" for n in (totals["tried"], totals["killed"], excused, totals["survived"])]
    lines.append(f"| **合计** | {' | '.join(numbers)} | |")
    seeds = "、".join(sorted({str(page["seed"]) for page in pages}))
    prints = "、".join(sorted({page["checker"] for page in pages}))
    return [*lines, "", f"随机种子 {seeds}；检查程序与损失代码的指纹 `{prints}`。没有列出的页面还没有整体跑过。"]


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


def _place(md: Markdown) -> tuple[str, str] | None:
    """The page that is being built, and the address of the report as seen from it; None outside MkDocs."""
    if "relpath" not in md.treeprocessors:
        return None
    file = md.treeprocessors["relpath"].file
    # In the copy that is read from disk an address names a file.
    address = PAGE.removesuffix(".md") + (".html" if file.url.endswith(".html") else "/")
    return "docs/" + file.src_uri, get_relative_url(address, file.url) + "#"


class _Numbers(Preprocessor):
    """Make the numbers that the report knows links, as long as their claims still stand behind them."""

    def run(self, lines: list[str]) -> list[str]:
        report, place = load(), _place(self.md)
        if report is None or place is None:
            return lines
        page, target = place
        text, at = "\n".join(lines), 0
        for check in report["pages"].get(page, {"checks": []})["checks"]:
            if check["kind"] != "number" or check["label"] not in ("计算", "输入", "引用"):
                continue
            found = text.find(check.get("tex") or "\0", at)
            if found < 0:
                continue
            at = found + len(check["tex"])
            start, end = _whole(text, found)
            if end and _may_link(text, start):
                link = f'<a class="k" href="{target}{place_of(page, check["line"])}">{text[start:end]}</a>'
                text = text[:start] + link + text[end:]
                at += len(link) - (end - start)
        return text.split("\n")


NUMBER = re.compile(r"[-+−]?[\d.,]*\d(?:\s?×\s?10[⁻⁺⁰¹²³⁴-⁹]+)?(?:\s?[%％‰])?")


def _whole(text: str, start: int) -> tuple[int, int]:
    """The number at a place with the `$` or backticks around it, if they hold nothing else."""
    mark = text[start - 1] if start else ""
    if mark in "$`":
        end = text.find(mark, start)
        alone = text[start - 2 : start - 1] != mark and text[end + 1 : end + 2] != mark
        return (start - 1, end + 1) if alone and (mark == "$" or NUMBER.fullmatch(text, start, end)) else (0, 0)
    match = NUMBER.match(text, start)
    return (start, match.end()) if match else (0, 0)


def _may_link(text: str, start: int) -> bool:
    """Not in headings, titles of boxes, link texts, tags and code."""
    begin = text.rfind("\n", 0, start) + 1
    before = text[begin:start]
    if re.match(r"\s*(#|!!!|\?\?\?|===)", before) or before.count("`") % 2:
        return False
    return before.rfind("[") <= before.rfind("]") and before.rfind("<") <= before.rfind(">")


class _Marks(Postprocessor):
    def run(self, text: str) -> str:
        report, place = load(), _place(self.md)
        if report is None or place is None:
            return text
        page, target = place
        checked = labels(report, page)
        checks = report["pages"].get(page, {"checks": []})["checks"]
        rows = {c["tex"]: place_of(page, c["line"]) for c in reversed(checks)
                if c["kind"] == "formula" and c.get("tex")}  # fmt: skip

        def known(match: re.Match) -> str:
            return " ".join(html.unescape(match["tex"]).split())

        def mark(match: re.Match) -> str:
            label = checked.get(known(match))
            if label is None:
                return match[0]
            sign = "证" if label == "符号证明" else "核"
            return (
                f'<div class="checked-formula">{match[0]}'
                f'<a class="checked" href="{target}{rows[known(match)]}" title="{label}：这条公式由测试检查过" '
                f"data-search-exclude>{sign}</a></div>"
            )

        def link(match: re.Match) -> str:
            if known(match) not in checked:
                return match[0]
            return f'<a class="k" href="{target}{rows[known(match)]}">{match[0]}</a>'

        text = DISPLAY.sub(mark, text)
        if "<p>" not in text:  # a heading alone, for the table of contents
            return text
        # Text, what stays as it is, the name of its tag, text …
        parts = UNLINKED.split(text)
        return "".join(INLINE.sub(link, part) if i % 3 == 0 else part for i, part in enumerate(parts) if i % 3 < 2)


class VerificationExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Before comments are taken out (24); after formulas are set (-10).
        md.preprocessors.register(_Tables(md), "verification-tables", 26)
        md.preprocessors.register(_Numbers(md), "verification-numbers", 25.5)
        md.postprocessors.register(_Marks(md), "verification-marks", -20)


def makeExtension(**options) -> Extension:
    return VerificationExtension(**options)
