"""Read a page: what each of its characters is, and where.

Nothing here knows what is true.  A page comes in as bytes and goes out as text with every character
classified (front matter, fence, comment, formula, inline code, tag, link target, prose …), its formulas,
fences, comments and blocks listed in document order, every one with offsets into the same text, so that a
failure can point at the line.

The reader refuses what renderers disagree on (an unclosed fence, an indented code block, `$ x $`) instead of
guessing: a passage that is shown as code in one place and as text in another cannot be checked honestly.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import yaml

from lossref.pagecheck.notebook import INDENT, NotebookError, page_text


@dataclass(frozen=True)
class Location:
    """A place in a file, 1-based."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class PageError(Exception):
    """An author's mistake: printed as it is, never with a traceback."""

    def __init__(self, location: Location, message: str):
        super().__init__(location, message)
        self.location = location
        self.message = message

    def __str__(self) -> str:
        return f"{self.location}: {self.message}"


@dataclass
class Check:
    """One thing a page claims.  `run` returns how it was checked, or raises PageError."""

    kind: str  # 'formula' | 'tie' | 'snippet' | 'number' | 'page'
    location: Location
    name: str
    run: Callable[[], str]
    tex: str = ""  # as written: the whole formula that a formula's check is part of; a number up to its claim's end
    depends: Callable[[], Hashable] | None = None  # all that decides it: where this is equal, so is the outcome


def failing(problem: PageError) -> Check:
    """What is known to be wrong, as a check that says so when its turn comes: the others have theirs."""

    def run() -> str:
        raise problem

    return Check("page", problem.location, "page", run)


def made(make: Callable[[], list[Check]]) -> list[Check]:
    """The checks that it makes, or the one that says why it cannot."""
    try:
        return make()
    except PageError as problem:
        return [failing(problem)]


@dataclass(frozen=True)
class Math:
    """A formula.  `tex` is page.text[start:end] with the quote markers of further lines made spaces."""

    tex: str
    start: int
    end: int
    display: bool
    block: int
    condition: str | None
    sentence: int

    @property
    def outer_start(self) -> int:
        return self.start - (2 if self.display else 1)

    @property
    def outer_end(self) -> int:
        return self.end + (2 if self.display else 1)


@dataclass(frozen=True)
class Fence:
    """A fenced code block that the site renders.  `lines` holds the offsets of each code line."""

    language: str
    code: str
    start: int
    end: int
    prefix: str
    lines: tuple[tuple[int, int], ...]
    classes: tuple[str, ...] = ()

    @property
    def run(self) -> bool:
        return "no-run" not in self.classes


@dataclass(frozen=True)
class Comment:
    """An HTML comment: `kind` is one of KINDS or 'note', `value` stands at page.text[value_start:]."""

    kind: str
    value: str
    start: int
    end: int
    value_start: int


@dataclass(frozen=True)
class Block:
    """A stretch of text that is read as one: a paragraph, an item's paragraph, a heading, a table row …"""

    kind: str  # 'paragraph' | 'item' | 'heading' | 'row' | 'display' | 'fence' | 'title'
    start: int
    end: int


KINDS = ("=", ":=", "python", "exempt", "loose", "no-run")

# What a character is.  PROSE is what a reader reads as text.
FRONT, FENCE, COMMENT, MATH, CODE, HTML, LINK, ATTR, MARK, PROSE = range(10)

_PYTHON = frozenset({"python", "py", "python3", "py3"})
_COMMENT = re.compile(r"(:=|=)\s*(.*)|(python)[ \t]*\n(.*)|(exempt|loose|no-run)[ \t]*[:：](.*)", re.S)
_FENCE = re.compile(
    r"""(?P<fence>~{3,}|`{3,})
        (?:[ \t]*\.?(?P<lang>[\w#.+-]+)(?=[\t ]|$))?
        (?:
            [ \t]*\{(?P<attrs>[^\n]*)\}
          | (?P<options>(?:[ \t]*[a-zA-Z]\w*(?:=(?P<q>"|').*?(?P=q))?(?=[\t ]|$))+)
        )?[ \t]*$""",
    re.X,
)
# Options that the site's highlighter knows; with any other the fence would be shown as inline code.
_FENCE_OPTIONS = frozenset({"title", "hl_lines", "linenums"})
_ITEM = re.compile(r"(?:[-*+]|\d+\.)[ \t]+")
_TITLE = re.compile(r'(?:!!!|\?\?\?\+?)[ ]?(?P<type>[\w\- ]+)?|===[!+]?(?=[ ]*")')
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_RUN = re.compile(rb"(.)\1*", re.S)
_TRAILING = " \t\n*_"
_SENTENCE_END = re.compile(r"[。！？；]|…{2}|[.!?;](?=\s|$)")
_BRACKET = re.compile("[（(]|[）)]")
_CARRIES_ON = re.compile(r"(?:[：:，,]|有|得|则)$")
_TRIGGER = re.compile(r"(?:仅|只有)当$|(?<![相应适])当$|(?<![获读提采争])取$|[若设令]$")
_JOIN = re.compile(r"[，,]?\s*([且和与])$|(、)$")
_INLINE = re.compile(
    r"""(?P<tex>\\[(\[]|\\begin\b)
      | (?P<escape>\\.)
      | (?P<code>`+)
      | (?P<math>\$\$?)
      | (?P<auto><(?:https?://|mailto:)[^\s<>]*>|(?<![\w"'(])https?://[^\s<>()（）"'`]+[^\s<>()（）"'`.,;:!?。，；：！？
      、）]) | (?P<raw><(?P<rawname>script|style|svg)\b.*?</(?P=rawname)\s*>) |
      (?P<tag></?[a-zA-Z][\w:-]*(?:\s+[^\s"'<>/=]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*\s*/?>) |
      (?P<entity>&(?:\#\d+|\#x[0-9a-fA-F]+|[a-zA-Z]\w*);) | (?P<icon>:[a-z][a-z0-9_+]*(?:-[a-z0-9_+]+)*:) |
      (?P<target>(?<=\])\(\s*(?:<[^<>\n]*>|(?:[^\s()]|\([^\s()]*\))*)) | (?P<reference>(?<=\])\[[^\[\]\n]*\])
      | (?P<footnote>\[\^[^\]\s]+\]:?) | (?P<attr>(?:(?<=[\])`*_>])|(?<=^)|(?<=\s))\{:?[
      ]*(?:[\#.:][\w-]|\w[\w-]*=)[^{}\n]*\})
    """,
    re.X | re.S,
)


class NoDuplicates(yaml.SafeLoader):
    """YAML's own loader keeps the last of two equal keys: the first symbol would be lost without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a word with a colon behind it", key.start_mark
                )
            if key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


class Page:
    """A page, read.  Everything refers to `text` by offset; `at` turns an offset into a place in the file."""

    interactive = False  # whether its code is shown as at the prompt, where an expression prints what it gives

    def __init__(self, path: str, text: str):
        self.path = path
        self.text = text
        self.kinds = bytearray([PROSE]) * len(text)
        self.front: dict = {}
        self.maths: list[Math] = []
        self.fences: list[Fence] = []
        self.comments: list[Comment] = []
        self.blocks: list[Block] = []
        self._front_node: yaml.Node | None = None
        self._front_offset = 0
        # The text with comments and containers' prefixes (quote markers, indents, list markers) made spaces.
        self._clean = list(text)
        body = self._read_front()
        self._read_comments_and_fences(body)
        self._read_blocks(body)
        self.maths.sort(key=lambda math: math.start)

    # -- places ----------------------------------------------------------------------------------------------

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def at(self, offset: int) -> Location:
        """The place of an offset."""
        line = bisect.bisect_right(self._line_starts, offset)
        return Location(self.path, line, offset - self._line_starts[line - 1] + 1)

    def line_start(self, line: int) -> int:
        """The offset at which a line (1-based) begins."""
        return self._line_starts[line - 1]

    def front_at(self, *keys: str | int) -> Location:
        """The place of a value in the front matter, as near as can be told: front_at('symbols', 'z_n')."""
        node, mark = self._front_node, None
        for wanted in keys:
            found = None
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(wanted)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(wanted, int) and wanted < len(node.value):
                found = (node.value[wanted], node.value[wanted])
            if found is None:
                break
            mark, node = found[0].start_mark, found[1]
        return self.at(self._front_offset + mark.index if mark else 0)

    def error(self, offset: int, message: str) -> PageError:
        return PageError(self.at(offset), message)

    @cached_property
    def uncommented(self) -> str:
        """The text with comments and containers' prefixes as spaces."""
        return "".join(self._clean)

    def visible(self, *kinds: int) -> str:
        """The text with every character of another kind made a space (line ends are kept)."""
        clean = self.uncommented
        parts = []
        for run in _RUN.finditer(self.kinds):
            part = clean[run.start() : run.end()]
            parts.append(
                part if run[1][0] in kinds else "\n".join(" " * len(line) for line in part.split("\n"))
            )
        return "".join(parts)

    def comments_behind(self, offset: int) -> list[Comment]:
        """The checking comments that stand directly behind something that ends at `offset`.

        Between them may stand spaces, one line end, emphasis marks and closing punctuation: `**0.25**<!--= x
        -->`.
        """
        found = []
        starts = self._comment_starts
        while True:
            match = re.compile(r"[ \t*_`”」』)）\]%％,.，。；;：:、！？]*(?:\n[ \t>]*)?").match(
                self.text, offset
            )
            comment = starts.get(match.end())
            if comment is None:
                return found
            if comment.kind != "note":
                found.append(comment)
            offset = comment.end

    def comment_behind(self, offset: int, *kinds: str) -> Comment | None:
        """The first comment directly behind `offset` of one of `kinds` (of any kind if none is given)."""
        return next((c for c in self.comments_behind(offset) if not kinds or c.kind in kinds), None)

    @cached_property
    def _comment_starts(self) -> dict[int, Comment]:
        return {comment.start: comment for comment in self.comments}

    # -- front matter ----------------------------------------------------------------------------------------

    def _read_front(self) -> int:
        if not re.match(r"---[ \t]*\n", self.text):
            return 0
        match = re.match(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", self.text, re.S | re.M)
        if not match:
            raise self.error(0, "the front matter is never closed: end it with a line of three dashes (---)")
        self._front_offset = match.start(1)
        try:
            loader = NoDuplicates(match[1])
            try:
                self._front_node = loader.get_single_node()
                front = loader.construct_document(self._front_node) if self._front_node else {}
            finally:
                loader.dispose()
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
            what = getattr(problem, "problem", None) or str(problem).splitlines()[0]
            raise self.error(
                self._front_offset + (mark.index if mark else 0), f"front matter: {what}"
            ) from None
        except ValueError as problem:  # a date such as 2026-13-45
            raise self.error(0, f"front matter: {problem}") from None
        if not isinstance(front, dict):
            raise self.error(0, f"front matter: wanted `key: value` lines, got {type(front).__name__}")
        self.front = front
        self._mark(0, match.end(), FRONT)
        return match.end()

    # -- comments and fences: the two things in which nothing else counts ------------------------------------

    def _read_comments_and_fences(self, offset: int) -> None:
        size, token = len(self.text), re.compile(r"\\.|`+|<!--|\n", re.S)
        while offset < size:
            if offset == 0 or self.text[offset - 1] == "\n":
                fence_end = self._read_fence(offset)
                if fence_end is not None:
                    offset = fence_end
                    continue
            match = token.search(self.text, offset)
            if match is None:
                return
            offset = match.end()
            if match[0] == "<!--":
                offset = self._read_comment(match.start())
            elif match[0][0] == "`":
                offset = self._code_end(match) or offset
            elif match[0] == "\\\n":  # a hard line break: the next line may be a fence
                continue

    def _read_comment(self, start: int) -> int:
        end = self.text.find("-->", start + 4)
        if end < 0:
            raise self.error(start, "this comment is never closed: end it with -->")
        body = self.text[start + 4 : end]
        fence = re.search(r"^[> \t]*(?:```|~~~)", body, re.M)
        if fence:
            raise self.error(
                start + 4 + fence.end(), "a fence inside a comment is rendered all the same: take it out"
            )
        stripped = body.strip()
        value_start = start + 4 + len(body) - len(body.lstrip())
        match = _COMMENT.match(stripped)
        if match:
            group = 2 if match[1] else 4 if match[3] else 6
            kind = match[group - 1]
            value, value_start = match[group], value_start + match.start(group)
            value_start += len(value) - len(value.lstrip()) if kind != "python" else 0
            value = value.strip() if kind != "python" else value.rstrip()
            if not value.strip():
                wanted = {"=": "an expression", ":=": "one name or more", "python": "code"}.get(
                    kind, "a reason"
                )
                raise self.error(start, f"<!--{kind} …--> needs {wanted}")
        else:
            word = re.match(r"[\w-]*", stripped)[0]
            near = difflib.get_close_matches(word.lower(), KINDS[2:], 1, 0.75)
            if near and re.match(r"[ \t]*(?:[:：\n]|$)", stripped[len(word) :]):
                form = (
                    "<!--python, line end, code, line end -->"
                    if near[0] == "python"
                    else f"<!-- {near[0]}: reason -->"
                )
                raise self.error(start, f"<!-- {word} … is not understood: write {form}")
            kind, value = "note", stripped
        self.comments.append(Comment(kind, value, start, end + 3, value_start))
        self._mark(start, end + 3, COMMENT)
        self._clean[start : end + 3] = " " * (end + 3 - start)
        return end + 3

    def _code_end(self, ticks: re.Match) -> int | None:
        """Where the inline code that opens with these backticks ends; None if it is only backticks."""
        closing = re.compile(rf"(?<!`){ticks[0]}(?!`)|\n[ \t>]*\n")
        match = closing.search(self.text, ticks.end())
        return match.end() if match and match[0][0] == "`" else None

    def _read_fence(self, start: int) -> int | None:
        """Read the fence that begins on the line at `start`, by the same rules as pymdownx.superfences."""
        line = self._line(start)
        prefix = re.match(r"[> \t]*", line)[0]
        listed = re.match(r"[> \t]*(?:[-*+]|\d+\.)[ \t]+(?:(?:[-*+]|\d+\.)[ \t]+|>[ \t]?)*(?=```|~~~)", line)
        if listed:
            raise self.error(
                start + listed.end(),
                "a fence on a list marker's line is not rendered as a fence: put it on a line of its own, "
                "indented by 4",
            )
        content = line[len(prefix) :]
        if not content.startswith(("```", "~~~")):
            return None
        match = _FENCE.match(content)
        ticks = re.match(r"`+|~+", content)[0]
        if match is None:
            if ticks[0] == "`" and ticks in content[len(ticks) :]:
                return None  # inline code in three backticks
            raise self.error(
                start + len(prefix),
                f"this fence header is not rendered as a fence: {content!r}; write ```python, "
                '```python title="…" or ```python {.no-run}',
            )
        language, classes = self._fence_header(match, start + len(prefix))
        if "\t" in prefix:
            raise self.error(
                start, "a tab before a fence: renderers disagree on its width; indent with spaces"
            )
        code: list[str] = []
        lines: list[tuple[int, int]] = []
        quotes, empty = prefix.count(">"), 0
        offset = start + len(line) + 1
        while offset <= len(self.text) - 1:
            line = self._line(offset)
            inner = re.match(rf"[> ]{{0,{len(prefix)}}}", line)[0]
            rest = line[len(inner) :]
            if not rest.strip() and not (rest and len(inner) < len(prefix)):
                empty += 1
            elif (
                inner.count(">") > quotes
                or (quotes == 0 and len(inner) < len(prefix))
                or len(inner) < len(prefix)
                or (empty and inner.count(">") < quotes)
            ):
                break
            elif re.fullmatch(re.escape(ticks) + r"[ \t]*", rest):
                end = offset + len(line)
                for begin, stop in lines:
                    self._mark(begin, stop, FENCE)
                self._mark(start, end, FENCE)
                self.fences.append(
                    Fence(language, "\n".join(code), start, end, prefix, tuple(lines), classes)
                )
                return min(end + 1, len(self.text))
            else:
                empty = 0
            code.append(rest if rest.strip() else "")
            lines.append((offset + len(inner), offset + len(line)))
            offset += len(line) + 1
        what = (
            "end of the page"
            if offset >= len(self.text)
            else f"line {self.at(offset).line}, which leaves its container"
        )
        raise self.error(
            start + len(prefix),
            f"this fence is never closed: a line {prefix}{ticks} is missing before the {what}",
        )

    def _fence_header(self, match: re.Match, offset: int) -> tuple[str, tuple[str, ...]]:
        language, classes = match["lang"] or "", ()
        if match["attrs"]:
            classes = tuple(
                re.findall(r"(?<![^\s:])\.([\w-]+)", re.sub(r"\"[^\"]*\"|'[^']*'", "", match["attrs"]))
            )
            if not language and classes:
                language, classes = classes[0], classes[1:]
        for option in re.findall(r"([a-zA-Z]\w*)(?:=(?:\"[^\"]*\"|'[^']*'))?", match["options"] or ""):
            if option not in _FENCE_OPTIONS:
                raise self.error(
                    offset,
                    f"the fence option {option!r} is unknown, so this is not rendered as a fence "
                    f"(known: {', '.join(sorted(_FENCE_OPTIONS))}); a class is written {{.{option}}}",
                )
        return ("python" if language.lower() in _PYTHON else language), classes

    def _line(self, start: int) -> str:
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)]

    # -- blocks ----------------------------------------------------------------------------------------------

    def _read_blocks(self, body: int) -> None:
        self._sentence = 0
        self._list_numbers: dict[str, int] = {}
        self._carries = False
        self._last_condition: Math | None = None
        self._brackets: list[Math | None] = []  # the last condition before each bracket that is open
        chunk: list[tuple[int, int, int]] = []  # per line: start, start of content, end
        quotes = 0
        fences = {fence.start: fence for fence in self.fences}
        # Containers whose indented content may follow: the indents at which text is still text and not code.
        self._indents = [0]
        offset = body
        while offset < len(self.text):
            fence = fences.get(offset)
            if fence:
                self._end_chunk(chunk)
                self._check_indent(fence.prefix, offset)
                self.blocks.append(Block("fence", fence.start, fence.end))
                self._carries = False
                offset = fence.end + 1
                continue
            end = self._line_end_outside_comments(offset)
            prefix = re.match(r"[> \t]*", self.text[offset:end])[0]
            content = offset + len(prefix)
            level = prefix.count(">")
            bare = not "".join(self._clean[content:end]).strip()
            only_comment = bare and COMMENT in self.kinds[content:end]
            if bare and not only_comment:
                self._end_chunk(chunk)
            else:
                if level > quotes or (level != quotes and not chunk):
                    self._end_chunk(chunk)
                    self._indents = [0] if level != quotes else self._indents
                quotes = max(level, quotes) if chunk else level
                for i in range(offset, content):
                    self._clean[i] = " "
                if not only_comment or chunk:
                    if not chunk and not only_comment:
                        self._check_indent(prefix, offset)
                    chunk.append((offset, content, end))
            offset = end + 1
        self._end_chunk(chunk)

    def _line_end_outside_comments(self, offset: int) -> int:
        """The end of the line, where a comment's own line ends do not count."""
        while True:
            end = self.text.find("\n", offset)
            if end < 0:
                return len(self.text)
            if self.kinds[end] != COMMENT:
                return end
            offset = end + 1

    def _check_indent(self, prefix: str, offset: int) -> None:
        """Refuse indented code: text to this reader would be code to a renderer, or the other way."""
        indent = len(prefix.rsplit(">", 1)[-1].expandtabs(4))
        if ">" in prefix:
            indent = max(0, indent - 1)
        allowed = max((i for i in self._indents if i <= indent), default=0)
        self._indents = [i for i in self._indents if i <= allowed] or [0]
        if indent - allowed >= 4:
            raise self.error(
                offset,
                f"indented by {indent} with nothing above it to belong to: a renderer shows this as code; "
                "use a fence for code, or indent by 4 below a list item, `!!!` or `===` line",
            )

    def _end_chunk(self, chunk: list[tuple[int, int, int]]) -> None:
        """A stretch of lines between blank lines is over: cut it into blocks."""
        if not chunk:
            return
        lines, chunk[:] = list(chunk), []
        if (
            len(lines) > 1
            and "|" in self._said(lines[0])
            and _DELIMITER.match(self._said(lines[1]))
            and "-" in self._said(lines[1])
        ):
            self._mark(lines[1][1], lines[1][2], MARK)
            for line in (lines[0], *lines[2:]):
                self._block("row", [line])
            return
        current: list[tuple[int, int, int]] = []
        kind, in_list = "paragraph", False

        def flush() -> None:
            nonlocal current, kind
            if current:
                self._block(kind, current)
            current, kind = [], "paragraph"

        display_open = False
        for index, line in enumerate(lines):
            said = self._said(line)
            if display_open:
                current.append(line)
                display_open = "$$" not in said
                continue
            title = _TITLE.match(said)
            heading = re.match(r"#{1,6}(?=[ \t])", said)
            item = _ITEM.match(said) if (index == 0 or in_list) else None
            if heading:
                flush()
                self._mark(line[1], line[1] + heading.end(), MARK)
                self._block("heading", [line])
                continue
            if title and (index == 0 or not current):
                flush()
                self._mark(line[1], line[1] + title.end(), MARK)
                self._block("title", [line])
                self._open_container(line)
                continue
            if re.fullmatch(r"[ \t]*(?:=+|-{3,}|\*{3,}|_{3,}|///.*)[ \t]*", said):
                flush()
                self._mark(line[1], line[2], MARK)
                continue
            if item:
                flush()
                kind, in_list = "item", True
                self._open_container(line)
                self._check_list_number(line)
                content = line[1]
                while True:  # `- > text`, `- 1. text`
                    match = re.compile(r"(?:[-*+]|\d+\.)[ \t]+|>[ \t]?").match(self.text, content, line[2])
                    if not match:
                        break
                    self._mark(content, match.end(), MARK)
                    for i in range(content, match.end()):
                        self._clean[i] = " "
                    content = match.end()
                task = re.compile(r"\[[ xX]\][ \t]").match(self.text, content, line[2])
                if task:
                    self._mark(content, task.end(), MARK)
                line = (line[0], content, line[2])
            elif re.match(r"\[\^[^\]\s]+\]:|:[ ]{1,3}(?=\S)", said):  # a footnote, a definition
                flush()
                self._open_container(line)
                if said[0] == ":":
                    self._mark(line[1], line[1] + 1, MARK)
            current.append(line)
            display_open = self._said(line).startswith("$$") and self._said(line).count("$$") % 2 == 1
        flush()

    def _open_container(self, line: tuple[int, int, int]) -> None:
        prefix = self.text[line[0] : line[1]]
        indent = len(prefix.rsplit(">", 1)[-1].expandtabs(4)) - (">" in prefix)
        base = max((i for i in self._indents if i <= max(indent, 0)), default=0)
        self._indents = [i for i in self._indents if i <= base] + [base + 4]

    def _check_list_number(self, line: tuple[int, int, int]) -> None:
        """A list is numbered from one by whoever renders it; another number in the source would be a slip."""
        number = re.compile(r"\d+(?=\.)").match(self.text, line[1])
        if not number:
            return
        container = self.text[line[0] : line[1]]
        wanted = self._list_numbers.get(container, 0) + 1
        if int(number[0]) not in (1, wanted):
            raise self.error(
                line[1],
                f"list items are numbered in order: wanted {wanted}. (or 1. for a new list), got "
                f"{number[0]}.",
            )
        self._list_numbers[container] = int(number[0])

    def _said(self, line: tuple[int, int, int]) -> str:
        return "".join(self._clean[line[1] : line[2]]).rstrip()

    # -- inside a block --------------------------------------------------------------------------------------

    def _block(self, kind: str, lines: list[tuple[int, int, int]]) -> None:
        start, end = lines[0][1], lines[-1][2]
        text = "".join(self._clean[start:end])
        is_display = text.lstrip().startswith("$$")
        if is_display:
            kind = "display"
        if not (is_display and self._carries):
            self._next_sentence()
        self._carries = False
        number = len(self.blocks)
        self.blocks.append(Block(kind, start, end))
        self._scan(text, start, kind, number)
        said = text.rstrip(_TRAILING)
        self._carries = kind not in ("display", "row") and bool(_CARRIES_ON.search(said))

    def _next_sentence(self) -> None:
        self._sentence += 1
        self._last_condition = None

    def _scan(self, text: str, base: int, kind: str, number: int) -> None:
        """Classify the characters of a block; `text` has its comments and container prefixes as spaces."""
        position = 0
        alts = self._alt_texts(text)
        self._brackets.clear()
        while True:
            match = _INLINE.search(text, position)
            stop = match.start() if match else len(text)
            self._read_prose(text[position:stop])
            if match is None:
                break
            what, position = match.lastgroup, match.end()
            if what == "rawname":
                what = "raw"
            start = base + match.start()
            if what in ("attr", "reference", "footnote") and not self._is_markup(match, text, kind):
                position = match.start() + 1  # shown as it stands
                continue
            if what == "tex":
                raise self.error(
                    start,
                    f"{match[0]} opens a formula in some renderers only: write $…$ or $$…$$ (and \\\\ for a "
                    "backslash)",
                )
            if what == "escape":
                continue
            if what == "code":
                closing = re.compile(rf"(?<!`){match[0]}(?!`)").search(text, position)
                if closing is None:
                    raise self.error(
                        start,
                        f"this {match[0]} is never closed in its paragraph (a backtick as text is written "
                        "\\`)",
                    )
                position = closing.end()
                self._mark(start, base + position, CODE)
            elif what == "math":
                position = self._read_math(text, match, base, kind, number)
                if any(a <= match.start() < b for a, b in alts):
                    raise self.error(start, "a formula in an alt text is shown as raw TeX: say it in words")
            elif what in ("auto", "target", "reference"):
                self._mark(start, base + position, LINK)
            elif what in ("tag", "raw", "entity"):
                self._mark(start, base + position, HTML)
            elif what == "attr":
                self._mark(start, base + position, ATTR)
            else:
                self._mark(start, base + position, MARK)
        definition = re.match(r"""\s*\[[^\]\n^]+\]:\s*\S+(?=[ \t]*(?:\Z|\n|["'(]))""", text)
        if definition:
            self._mark(base, base + definition.end(), LINK)

    def _is_markup(self, match: re.Match, text: str, kind: str) -> bool:
        """Whether a renderer takes `[a][0.9]`, `[^2]`, `{x=0.5}` for markup; if not, it shows them."""
        said, lead, rest = match[0].lower(), text[: match.start()], text[match.end() :]
        if match.lastgroup == "footnote":
            return said.endswith(":") or said in self._labels
        if match.lastgroup == "reference":
            named = re.search(r"\[[^\[\]]*\]$", lead)
            return (said if said != "[]" else named and named[0].lower()) in self._labels
        if lead and not lead[-1].isspace():
            return True  # right behind what it describes
        if kind == "heading":
            return not rest.strip()
        if kind == "row":
            return bool(re.match(r"[ \t]*(?:\||$)", rest))
        return not rest.strip() and bool(re.search(r"(?:^|\n)[ \t]*$", lead))

    @cached_property
    def _labels(self) -> set[str]:
        """What links and notes may refer to."""
        lines = re.finditer(r"^[> \t]*(\[[^\[\]\n]+\]):", self.text, re.M)
        return {line[1].lower() for line in lines}

    def _read_prose(self, text: str) -> None:
        """Where sentences end, and with them conditions; one in brackets ends with these."""
        for mark in re.finditer(f"(?P<end>{_SENTENCE_END.pattern})|(?P<bracket>{_BRACKET.pattern})", text):
            if mark["end"]:
                self._next_sentence()
            elif mark[0] in "（(":
                self._brackets.append(self._last_condition)
            elif self._brackets and self._brackets.pop() is not self._last_condition:
                self._next_sentence()

    @staticmethod
    def _alt_texts(text: str) -> list[tuple[int, int]]:
        return [match.span(1) for match in re.finditer(r"!\[([^\]]*)\]", text)]

    def _read_math(self, text: str, opening: re.Match, base: int, kind: str, number: int) -> int:
        display = opening[0] == "$$"
        start = opening.end()
        if display and (kind != "display" or text[: opening.start()].strip()):
            raise self.error(
                base + opening.start(),
                "a display formula must begin its own paragraph: put a blank line before $$",
            )
        end = start
        while True:
            match = re.compile(r"\\.|\$\$?", re.S).search(text, end)
            if match is None:
                raise self.error(
                    base + opening.start(),
                    f"this {opening[0]} is never closed in its paragraph (a dollar sign as text is written "
                    "\\$)",
                )
            end = match.end()
            if match[0][0] == "$":
                break
        if match[0] != opening[0]:
            if display:
                raise self.error(base + match.start(), "a single $ inside $$…$$: close the formula with $$")
            end = match.start() + 1  # `$a$$b$`: two formulas side by side
        close = match.start()
        if any(self.kinds[i] == COMMENT for i in range(base + start, base + close)):
            raise self.error(
                base + opening.start(), "a comment inside a formula: move it behind the closing dollar sign"
            )
        tex = text[start:close]
        if not tex.strip():
            raise self.error(base + opening.start(), "an empty formula")
        if not display and (tex[0].isspace() or tex[-1].isspace()):
            raise self.error(
                base + opening.start(),
                f"${tex}$: no space directly inside the dollar signs (renderers take it as text)",
            )
        if "`" in tex:
            raise self.error(
                base + opening.start(), "a backtick inside a formula (is a dollar sign in code left open?)"
            )
        if kind == "row" and re.search(r"(?<!\\)\|", tex):
            raise self.error(
                base + opening.start(),
                "a | inside a table cell ends the cell: write \\lvert x \\rvert, \\mid or \\Vert",
            )
        if display:
            rest = text[end:].strip()
            if rest:
                raise self.error(
                    base + end,
                    f"a display formula must end its paragraph, but {rest[:20]!r} follows: put a blank line "
                    "behind $$",
                )
        condition = self._condition(text, opening.start(), base)
        math = Math(tex, base + start, base + close, display, number, condition, self._sentence)
        self.maths.append(math)
        if condition:
            self._last_condition = math
        self._mark(base + opening.start(), base + end, MATH)
        return end

    def _condition(self, text: str, start: int, base: int) -> str | None:
        before = text[max(0, start - 40) : start].rstrip(_TRAILING)
        trigger = _TRIGGER.search(before)
        if trigger:
            return trigger[0]
        last = self._last_condition
        if last is not None and last.sentence == self._sentence and last.outer_end >= base:
            joint = re.sub(r"[\s*_]+", "", text[last.outer_end - base : start])
            match = _JOIN.fullmatch(joint)
            if match:
                return match[1] or match[2]
        return None

    def _mark(self, start: int, end: int, kind: int) -> None:
        """Say what the characters are; a comment stays one wherever it stands."""
        if kind in (COMMENT, FENCE) or COMMENT not in self.kinds[start:end]:
            self.kinds[start:end] = bytes([kind]) * (end - start)
            return
        for i in range(start, end):
            if self.kinds[i] != COMMENT:
                self.kinds[i] = kind


def read_page(path: str | Path, root: str | Path) -> Page:
    """Read the page at `path`; places are given relative to `root`."""
    path, root = Path(path), Path(root)
    try:
        shown = path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        shown = path.as_posix()
    text = decode(path.read_bytes(), shown)
    return Notebook(shown, text) if path.suffix == ".py" else read_text(text, shown)


class Notebook(Page):
    """A percent notebook, read as the page of the same lines; places are those of the file."""

    def __init__(self, path: str, source: str):
        try:
            text, self._commented = page_text(source)
        except NotebookError as problem:
            raise PageError(Location(path, problem.line, 1), str(problem)) from None
        super().__init__(path, text)
        hidden = next((comment for comment in self.comments if comment.kind == "python"), None)
        if hidden:
            raise self.error(
                hidden.start, "hidden code is not run where a notebook is opened: put it in a cell"
            )

    def at(self, offset: int) -> Location:
        place = super().at(offset)
        return replace(place, column=place.column + INDENT * (place.line in self._commented))


def decode(data: bytes, shown: str) -> str:
    """The text of a file: UTF-8, with \\n as line end."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        column = problem.start - (data.rfind(b"\n", 0, problem.start) + 1) + 1
        raise PageError(
            Location(shown, line, column),
            f"not UTF-8: byte 0x{data[problem.start]:02x}; save the page as UTF-8",
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise PageError(
            Location(shown, text.count("\n", 0, text.index("\0")) + 1, 1), "a NUL character: not a text file"
        )
    return text


def read_text(text: str, path: str = "page.md") -> Page:
    """Read a page given as text (line ends already \\n)."""
    return Page(path, text)


def spans(kinds: bytearray, kind: int) -> Iterator[tuple[int, int]]:
    """The stretches of characters of one kind."""
    for match in re.finditer(re.escape(bytes([kind])) + b"+", bytes(kinds)):
        yield match.span()
