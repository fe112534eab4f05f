"""Markdown extension: the API reference, made from the docstrings of lossref, and the links to it and back.

On the page that holds the marker `<!-- api -->` it becomes an entry for each loss, in the order of `lossref.__all__`:
how NumPy and torch call it, what its docstring says, and the chapters whose front matter ties it. In each of those
chapters the box 本页要点 gets a line that leads to the entries. The marker `<!-- differences -->` becomes the tables of
`lossref.differences`. The source is read, not imported: building the site needs neither NumPy nor torch.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from posixpath import relpath

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

from tools.page import current_path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lossref"
DOCS = ROOT / "docs"
PAGE = "reference/api.md"
MARKER = "<!-- api -->"
DIFFERENCES = "<!-- differences -->"
METHODS = ("__call__", "value_and_grad", "grad", "hess", "hess_diag")
KINDS = {"Elementwise": "逐元素的损失", "Classes": "多类损失"}
HEADINGS = {"Args": "参数", "Raises": "异常", "Examples": "例子"}

FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
TIE = re.compile(r"^\s*- \{?\s*loss: *(\w+)", re.MULTILINE)
TITLE = re.compile(r"^title: *(.+?) *$", re.MULTILINE)
SECTION = re.compile(r"^(Args|Raises|Examples):\n((?:[ ]{4}.*\n?|\n)*)", re.MULTILINE)
ITEM = re.compile(r"^(\w+): ((?:.*\n?)(?:[ ]{4,}.*\n?)*)", re.MULTILINE)
BOX = re.compile(r'^!!! abstract "本页要点"\n(?:(?: {4}.*)?\n)*', re.MULTILINE)


class Source:
    """The classes of the package, by name: those of the NumPy files, and those of lossref.torch."""

    def __init__(self, package: Path = PACKAGE) -> None:
        trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.glob("*.py"))}
        self.torch = _classes(ast.parse((package / "torch/__init__.py").read_text(encoding="utf-8")))
        self.numpy = {name: found for tree in trees.values() for name, found in _classes(tree).items()}
        [names] = [
            ast.literal_eval(node.value)
            for node in trees["__init__"].body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ]
        self.losses = [name for name in names if name in self.numpy]

    def kinds(self, name: str) -> Iterator[str]:
        """The classes a loss is made of, itself first."""
        while name in self.numpy:
            yield name
            name = ast.unparse(self.numpy[name].bases[0]) if self.numpy[name].bases else ""


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _method(classes: dict[str, ast.ClassDef], name: str, method: str) -> ast.FunctionDef:
    """The definition of a method, in the class or where it inherits it."""
    for node in classes[name].body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            return node
    return _method(classes, ast.unparse(classes[name].bases[0]), method)


def _call(name: str, function: ast.FunctionDef) -> str:
    """A call as one writes it, without `self` and types; a long one on several lines."""
    a = function.args
    plain = [arg.arg for arg in a.args]
    defaults = [None] * (len(plain) - len(a.defaults)) + a.defaults
    found = list(zip(plain, defaults, strict=True))[1:]
    if a.kwonlyargs:
        found += [("*", None)] + [(arg.arg, value) for arg, value in zip(a.kwonlyargs, a.kw_defaults, strict=True)]
    shown = [arg if value is None else f"{arg}={ast.unparse(value)}" for arg, value in found]
    written = f"{name}({', '.join(shown)})".replace("'", '"')
    return textwrap.fill(written, 76, subsequent_indent="    ")


def _fence(lines: list[str], language: str = "python") -> str:
    return f"```{language}\n" + "\n".join(lines) + "\n```"


def _prose(docstring: str) -> str:
    """A docstring as Markdown: its sections get headings, arguments and exceptions become lists."""

    def section(match: re.Match) -> str:
        kind, body = match[1], "\n".join(line[4:] for line in match[2].rstrip().split("\n"))
        if kind == "Examples":
            text = _fence([body], "pycon")
        else:
            text = "\n\n".join(f"`{name}`\n:   " + " ".join(said.split()) for name, said in ITEM.findall(body))
        return f"**{HEADINGS[kind]}**\n\n{text}\n\n"

    return SECTION.sub(section, docstring + "\n")


def chapters() -> dict[str, list[tuple[str, str]]]:
    """The chapters that tie a loss, by its name: their address in docs/ and their title."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((DOCS / "losses").glob("*.md")):
        front = FRONT.match(path.read_text(encoding="utf-8"))
        if front:
            for name in dict.fromkeys(TIE.findall(front[1])):
                entry = (path.relative_to(DOCS).as_posix(), TITLE.search(front[1])[1].strip("\"'"))
                found.setdefault(name, []).append(entry)
    return found


def entry(source: Source, name: str) -> str:
    """What the page says about one loss."""
    here = [f"[{title}]({relpath(address, 'reference')})" for address, title in chapters().get(name, [])]
    kind = next(kind for kind in source.kinds(name) if kind in KINDS)
    calls = [
        _call(f"lossref.{name}", _method(source.numpy, name, "__init__")),
        _call(f"lossref.torch.{name}", _method(source.torch, name, "__init__")),
    ]
    own = [m for m in METHODS if any(getattr(node, "name", "") == m for node in source.numpy[name].body)]
    parts = [
        f"### {name} {{ #{name} }}",
        _fence(calls),
        _prose(ast.get_docstring(source.numpy[name])),
        *(_described(source.numpy, name, method) for method in own),
        f"**PyTorch**：{_flat(ast.get_docstring(source.torch[name]))}",
        f"**方法**：见[{KINDS[kind]}](#{kind})。" + f"**推导与用法**：{'、'.join(here)}。" * bool(here),
    ]
    return "\n\n".join(parts)


def _described(classes: dict[str, ast.ClassDef], name: str, method: str) -> str:
    function = _method(classes, name, method)
    shown = "loss" if method == "__call__" else f"loss.{method}"
    said = textwrap.indent(ast.get_docstring(function), "    ").lstrip()
    return f"`{_call(shown, function)}`\n:   {said}"


def _flat(docstring: str) -> str:
    return "".join(line.strip() for line in docstring.split("\n"))


def reference(source: Source) -> str:
    """All entries, and what they share, as Markdown."""
    parts = ["## 共同的方法", f"下面的 `loss` 是一个损失对象，例如 `{source.losses[0]}()`。"]
    for kind, title in KINDS.items():
        members = [f"[{name}](#{name})" for name in source.losses if kind in source.kinds(name)]
        parts += [f"### {title} {{ #{kind} }}", "、".join(members) + "。"]
        parts += [_described(source.numpy, kind, method) for method in METHODS]
    parts += ["## 损失函数"]
    parts += [entry(source, name) for name in source.losses]
    return "\n\n".join(parts)


def differences(package: Path = PACKAGE) -> str:
    """What lossref.differences holds, as Markdown: a table for each loss."""
    tree = ast.parse((package / "differences.py").read_text(encoding="utf-8"))
    [listed] = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "DIFFERENCES"]
    tables: dict[str, list[str]] = {}
    for row in listed.elts:
        loss, what, _, torch, _, ours = (ast.literal_eval(argument) for argument in row.args)
        tables.setdefault(loss, []).append(f"| {what} | `{torch}` | `{ours}` |")
    heads = "| 何处不同 | PyTorch | lossref |\n|---|---|---|\n"
    return "\n\n".join(f"**`{loss}`**\n\n{heads}" + "\n".join(rows) for loss, rows in tables.items())


@lru_cache(maxsize=1)
def _reference(_changed: tuple[int, ...]) -> str:
    return reference(Source())


class _Api(Preprocessor):
    def run(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        if MARKER in text:
            files = (*sorted(PACKAGE.glob("*.py")), PACKAGE / "torch/__init__.py")
            changed = tuple(path.stat().st_mtime_ns for path in files)
            return text.replace(MARKER, _reference(changed)).split("\n")
        if DIFFERENCES in text:
            return text.replace(DIFFERENCES, differences()).split("\n")
        return self._linked(text).split("\n")

    def _linked(self, text: str) -> str:
        path = current_path(self.md)
        if path is None or DOCS not in path.parents or not BOX.search(text):
            return text
        address = path.relative_to(DOCS).as_posix()
        names = [name for name, where in chapters().items() if any(address == found for found, _ in where)]
        target = relpath(PAGE, str(Path(address).parent.as_posix()))
        line = "    - **API**：" + "、".join(f"[`{name}`]({target}#{name})" for name in names) + "\n\n"
        return BOX.sub(lambda box: box[0].rstrip() + "\n" + line, text, count=1) if names else text


class ApiExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # Before fenced code (25) is put away and comments (24) are taken out.
        md.preprocessors.register(_Api(md), "api", 27)


def makeExtension(**options) -> Extension:
    return ApiExtension(**options)
