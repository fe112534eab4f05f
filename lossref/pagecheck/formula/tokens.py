"""LaTeX as a stream of tokens, and the error every later stage raises.

This room knows characters, not mathematics.  Positions are offsets into the
formula's own text, so that a message can put its caret under the very token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class FormulaError(Exception):
    """The author wrote something the strict notation does not allow, or that is false.

    ``start`` and ``end`` are offsets into the formula; ``fix`` says what to write instead.
    """

    def __init__(self, message: str, start: int = 0, end: int | None = None, fix: str = ""):
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = start + 1 if end is None else end
        self.fix = fix


class UnknownSymbol(FormulaError):
    """A ``name`` that the page neither declares nor defines."""

    def __init__(self, name: str, start: int, end: int, fix: str):
        super().__init__(f"unknown symbol `{name}`", start, end, fix)
        self.name = name


@dataclass(frozen=True)
class Token:
    """One token: ``kind`` is 'number', 'letter', 'command', 'text', 'punct', 'row' or 'end'."""

    kind: str
    text: str
    start: int
    end: int
    quad: bool = False  # \\quad or \\qquad stood before it: nothing is multiplied across

    def is_(self, *texts: str) -> bool:
        return self.kind != "text" and self.text in texts


# Commands that only move ink about.
SPACING = {
    "\\,", "\\;", "\\:", "\\!", "\\ ", "\\displaystyle", "\\textstyle", "\\scriptstyle",
    "\\limits", "\\nolimits", "\\nonumber", "\\notag",
    "\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\biggl", "\\biggr", "\\Biggl", "\\Biggr",
    "\\big", "\\Big", "\\bigg", "\\Bigg", "\\bigm",
}  # fmt: skip

# One spelling for each thing, so that later stages compare strings.
SYNONYMS = {
    "\\leq": "\\le", "\\leqslant": "\\le", "\\geq": "\\ge", "\\geqslant": "\\ge", "\\neq": "\\ne",
    "\\lt": "<", "\\gt": ">", "\\coloneqq": ":=", "\\triangleq": ":=", "\\equiv": "=",
    "\\dfrac": "\\frac", "\\tfrac": "\\frac", "\\cfrac": "\\frac", "\\ln": "\\log",
    "\\lbrace": "\\{", "\\rbrace": "\\}", "\\lbrack": "[", "\\rbrack": "]",
    "\\Vert": "\\|", "\\parallel": "\\|", "\\vert": "|", "\\rightarrow": "\\to",
    "\\dots": "\\ldots", "\\cdots": "\\ldots", "\\ast": "*", "\\T": "\\top", "\\intercal": "\\top",
    "\\prime": "'", "\\bm": "\\boldsymbol", "−": "-", "，": ",", "；": ";", "（": "(", "）": ")", "。": ".",
}  # fmt: skip

_TOKEN = re.compile(
    r"(?P<space>(?:\s|%[^\n]*\n?)+)"
    r"|(?P<number>\d+(?:\.\d+)?|\.\d+)"
    r"|(?P<command>\\(?:[A-Za-z]+|[^A-Za-z]))"
    r"|(?P<define>:=)"
    r"|(?P<letter>[A-Za-z])"
    r"|(?P<punct>[-+*/^_{}()\[\]|<>=,;:.!'&~−，；（）。])"
)

_TEXT_COMMANDS = {"\\text", "\\textbf", "\\textit", "\\mbox", "\\textrm"}
_IGNORED_WITH_ARGUMENT = {"\\tag", "\\label", "\\phantom", "\\hspace", "\\vphantom", "\\hphantom"}


def group_end(tex: str, brace: int) -> int:
    """Offset just behind the ``}`` that closes the ``{`` standing at ``brace``."""
    depth = 0
    i = brace
    while i < len(tex):
        if tex[i] == "\\":
            i += 1
        elif tex[i] == "{":
            depth += 1
        elif tex[i] == "}":
            depth -= 1
            if depth == 0:
                return i + 1
        i += 1
    raise FormulaError("this `{` is never closed", brace, brace + 1, "add the missing `}`")


def tokenize(tex: str) -> list[Token]:
    """Split ``tex`` into tokens; spacing is dropped, ``\\text{…}`` is one token."""
    tokens: list[Token] = []
    position = 0
    quad = False
    while position < len(tex):
        match = _TOKEN.match(tex, position)
        if match is None:
            character = tex[position]
            raise FormulaError(
                f"`{character}` is not part of the notation",
                position,
                position + 1,
                "put words inside \\text{…}, or outside the formula"
                if ord(character) > 0x2E80
                else "see the list of what may be written in the authors' guide",
            )
        start, position = match.span()
        kind, text = str(match.lastgroup), match.group()
        if kind == "space" or text == "~" or text in SPACING:
            continue
        if text in ("\\quad", "\\qquad"):
            quad = True
            continue
        bare = text.rstrip("*")
        if bare in _TEXT_COMMANDS or bare in _IGNORED_WITH_ARGUMENT:
            brace = _skip_blanks(tex, position)
            if brace >= len(tex) or tex[brace] != "{":
                raise FormulaError(f"`{text}` needs a group behind it", start, position, f"{text}{{…}}")
            position = group_end(tex, brace)
            if bare in _TEXT_COMMANDS:
                tokens.append(Token("text", tex[brace + 1 : position - 1].strip(), start, position, quad))
            continue
        text = SYNONYMS.get(text, text)
        if kind in ("define", "punct") or (kind == "command" and not text.startswith("\\")):
            kind = "punct"
        tokens.append(Token(kind, text, start, position, quad))
        quad = False
    tokens.append(Token("end", "", len(tex), len(tex), True))
    return tokens


def _skip_blanks(tex: str, position: int) -> int:
    while position < len(tex) and tex[position].isspace():
        position += 1
    return position
