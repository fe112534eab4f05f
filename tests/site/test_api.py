"""The API reference: an entry for each loss, true to the code that runs, and links from the chapters and back."""

import importlib
import inspect
import re
from html import unescape

import pytest

import lossref
from lossref.differences import DIFFERENCES
from tools.api import Source, chapters, reference

torch_losses = importlib.import_module("lossref.torch")


@pytest.fixture(scope="module")
def page(site):
    return (site / "reference/api/index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def entries(page):
    parts = re.split(r'<h3 id="(\w+)">', page)
    return {name: html for name, html in zip(parts[1::2], parts[2::2], strict=True) if name in lossref.LOSSES}


def text(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def test_entries_are_the_losses_in_their_order(entries):
    assert list(entries) == list(lossref.LOSSES)


@pytest.mark.parametrize("name", lossref.LOSSES)
def test_signatures_are_those_of_the_classes(entries, name):
    shown = text(entries[name].split("</pre>")[0].split("<pre")[1])
    for module, where in ((lossref, "lossref"), (torch_losses, "lossref.torch")):
        arguments, starred = [], False
        for argument in inspect.signature(getattr(module, name)).parameters.values():
            if argument.kind is argument.KEYWORD_ONLY and not starred:
                arguments, starred = [*arguments, "*"], True
            default = "" if argument.default is argument.empty else f"={argument.default!r}"
            arguments.append(argument.name + default)
        assert f"{where}.{name}({', '.join(arguments)})".replace("'", '"') in shown


@pytest.mark.parametrize("name", lossref.LOSSES)
def test_entry_says_what_the_docstring_says(entries, name):
    html, said = entries[name], inspect.getdoc(lossref.LOSSES[name])
    assert html.count("<mjx-container") >= len(re.findall(r"\$\$.*?\$\$|\$[^$]+\$", said, re.DOTALL))
    for heading in ("参数", "异常", "例子"):
        assert f"<strong>{heading}</strong>" in html
    assert "出处" in html
    for word in ("Args:", "Raises:", "Examples:", "$"):
        assert word not in text(re.sub(r"<(mjx-container|pre)\b.*?</\1>", "", html, flags=re.DOTALL))
    arguments = said.split("Args:")[1].split("Raises:")[0]
    for argument in re.findall(r"^ {4}(\w+):", arguments, re.MULTILINE):
        assert re.search(rf"<dt>.*?{argument}.*?</dt>", html), argument
    for line in said.split("Examples:")[1].strip().split("\n"):
        assert " ".join(line.split()) in text(html)


@pytest.mark.parametrize("name", lossref.LOSSES)
def test_chapters_and_entries_lead_to_each_other(site, entries, name):
    assert name in chapters()
    for address, _ in chapters()[name]:
        chapter = address.removesuffix(".md")
        assert f'href="../../{chapter}/"' in entries[name]
        html = (site / chapter / "index.html").read_text(encoding="utf-8")
        box = re.search(r'<div class="admonition abstract">.*?</div>', html, re.DOTALL)[0]
        assert f'href="../../reference/api/#{name}"' in box


def test_shared_methods_are_described_once_for_each_kind(page):
    for kind in ("Elementwise", "Classes"):
        section = page.split(f'<h3 id="{kind}">')[1].split("<h")[0]
        for method in ("loss(x, y)", "loss.value_and_grad(", "loss.grad(", "loss.hess(", "loss.hess_diag("):
            assert method in text(section), (kind, method)


def test_a_docstring_without_sections_stays_as_it_is(tmp_path):
    (tmp_path / "__init__.py").write_text('__all__ = ["L"]\n', encoding="utf-8")
    (tmp_path / "a.py").write_text(
        "class Elementwise:\n    def __init__(self, w=1): ...\n"
        + "".join(
            f'    def {m}(self, x):\n        """说{m}。"""\n'
            for m in ("__call__", "value_and_grad", "grad", "hess", "hess_diag")
        )
        + "class Classes(Elementwise): ...\n"
        + 'class L(Elementwise):\n    """一句话。"""\n',
        encoding="utf-8",
    )
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        'class L:\n    """模块。"""\n    def __init__(self, *, w=2): ...\n', encoding="utf-8"
    )
    said = reference(Source(tmp_path))
    assert "### L { #L }\n\n```python\nlossref.L(w=1)\nlossref.torch.L(*, w=2)\n```\n\n一句话。" in said


def test_every_difference_to_torch_is_shown(site):
    html = (site / "reference/differences/index.html").read_text(encoding="utf-8")
    rows = [[text(cell) for cell in re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL)] for row in html.split("<tr>")]
    for row in DIFFERENCES:
        assert [re.sub(r"\s", "", cell) for cell in (row.what, row.torch_gives, row.lossref_gives)] in [
            [re.sub(r"\s", "", cell) for cell in cells] for cells in rows
        ], row
