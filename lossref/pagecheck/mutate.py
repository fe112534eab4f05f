r"""Is the checker awake?  Change one thing on a page, run the page's checks, and see whether any fails.

    python -m lossref.pagecheck.mutate docs/losses/bce.md                      every mutant
    python -m lossref.pagecheck.mutate --sample 100 --seed 3                   100 mutants of all pages

A mutant that no check notices survives.  Survivors are printed as a diff and make the command fail, unless
docs/data/mutants.yml says why the changed page is as true as the old one:

    - page: docs/losses/bce.md
      old: 其中 $a + b$ 与 $b + a$ 相等
      new: 其中 $b + b$ 与 $b + a$ 相等
      reason: …
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lossref.pagecheck.checks import page_checks
from lossref.pagecheck.limits import TimeLimit, time_limit
from lossref.pagecheck.literals import find_numbers
from lossref.pagecheck.plugin import all_pages
from lossref.pagecheck.quoted import Record, read_quoted
from lossref.pagecheck.snippets import Memo
from lossref.pagecheck.source import CODE, PROSE, Page, PageError, read_page, read_text

_RELATION = re.compile(r"[=<>]|\\(?:leq?|geq?|neq?|lt|gt|approx|in|to|triangleq|coloneqq)(?![a-zA-Z])")
_CRASH = "the checker itself crashed"
FILE = "docs/data/mutants.yml"
SECONDS = 120.0


@dataclass(frozen=True)
class Mutant:
    """A page with text[start:end] replaced."""

    kind: str
    start: int
    end: int
    new: str

    def of(self, text: str) -> str:
        return text[: self.start] + self.new + text[self.end :]

    def lines(self, text: str) -> tuple[str, str]:
        """The changed line before and after."""
        begin = text.rfind("\n", 0, self.start) + 1
        stop = text.find("\n", self.end)
        stop = len(text) if stop < 0 else stop
        return text[begin:stop].strip(), (text[begin : self.start] + self.new + text[self.end : stop]).strip()


# -- what may go wrong on a page -----------------------------------------------------------------------------


def mutants(page: Page, seed: int = 0) -> list[Mutant]:
    """Every mutant of a page; where there are several ways to change a thing, the seed picks one."""
    chance = random.Random(seed)
    found = {m for make in (_numbers, _outputs, _code, _formulas) for m in make(page, chance)}
    found = [m for m in found if m.new != page.text[m.start : m.end]]
    return sorted(found, key=lambda m: (m.start, m.end, m.kind, m.new))


def _digits(kind: str, text: str, start: int, chance: random.Random) -> Iterator[Mutant]:
    for match in re.finditer(r"[0-9]", text):
        new = chance.choice([d for d in "0123456789" if d != match[0]])
        yield Mutant(kind, start + match.start(), start + match.end(), new)


def _numbers(page: Page, chance: random.Random) -> Iterator[Mutant]:
    """Each digit of each number in the text, its sign and its percent sign."""
    for number in find_numbers(page.visible(PROSE, CODE)):
        written = page.text[number.start : number.end]
        yield from _digits("number", written, number.start, chance)
        if written[0] in "-−":
            yield Mutant("number sign", number.start, number.start + 1, "")
        if written[-1] in "%％":
            yield Mutant("number unit", number.end - 1, number.end, "")


def _outputs(page: Page, chance: random.Random) -> Iterator[Mutant]:
    """What stands in `#>` and `#!` lines: digits, signs, True and False."""
    for fence in page.fences:
        for start, end in fence.lines if fence.language == "python" and fence.run else ():
            line = page.text[start:end]
            if line[:2] not in ("#>", "#!"):
                continue
            yield from _digits("output", line, start, chance)
            for match in re.finditer(r"-(?=[\d.i])|\bTrue\b|\bFalse\b|\bnan\b", line):
                new = {"-": "", "True": "False", "False": "True", "nan": "0.0"}[match[0]]
                yield Mutant("output", start + match.start(), start + match.end(), new)


def _code(page: Page, chance: random.Random) -> Iterator[Mutant]:
    """The digits of numbers in code that is run and shown."""
    for fence in page.fences:
        for start, end in fence.lines if fence.language == "python" and fence.run else ():
            line = page.text[start:end]
            if line.lstrip().startswith("#"):
                continue
            for match in re.finditer(r"(?<![A-Za-z_0-9])\d+(?:\.\d+)?(?![A-Za-z_])", line):
                yield from _digits("code", match[0], start + match.start(), chance)


_TOKEN = re.compile(
    r"\\(?:text|operatorname|mathrm|begin|end|tag)\*?\{[^{}]*\}|\\[a-zA-Z]+|\\.|[a-zA-Z]|\d|[-+<>=^_{}()\[\]&]|\s+|.",
    re.S,
)
_GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|eta|theta|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|psi|omega|ell)$"
)
_SWAPS = {
    "+": "-", "-": "+", "<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", r"\leq": r"\geq",
    r"\geq": r"\leq", r"\max": r"\min", r"\min": r"\max", "=": r"\ne", r"\ne": "=",
}  # fmt: skip
_SWAP_KINDS = {"+": "sign", "-": "sign"}


def _formulas(page: Page, chance: random.Random) -> Iterator[Mutant]:
    letters, indices = set(), set()
    for math in page.maths:
        for token, kind, _ in _letters(math.tex):
            (indices if kind == "index" else letters).add(token)
    for math in page.maths:
        tex, base = math.tex, math.start
        yield from _digits("formula digit", tex, base, chance)
        for match in _TOKEN.finditer(tex):
            token, start, end = match[0], base + match.start(), base + match.end()
            if token in _SWAPS and not (token == "=" and tex[: match.start()].endswith(":")):
                yield Mutant(_SWAP_KINDS.get(token, "relation"), start, end, _spaced(_SWAPS[token], tex, match.end()))
            elif token == r"\log":
                yield Mutant("log base", start, end, r"\log_{10}")
        for token, kind, at in _letters(tex):
            others = sorted((indices if kind == "index" else letters) - {token})
            if others:
                new = _spaced(chance.choice(others), tex, at + len(token))
                yield Mutant(kind, base + at, base + at + len(token), new)
        for match in re.finditer(r"\\[td]?frac(?:\{1\}|\s*1)(?:\{[A-Z2]\}|\s*[A-Z2])", tex):
            yield Mutant("factor", base + match.start(), base + match.end(), "")
        for match in re.finditer(r"\^(?:\{[^{}]*\}|\d)", tex):
            yield Mutant("exponent", base + match.start(), base + match.end(), "")
        for start, end in _terms(tex):
            yield Mutant("term", base + start, base + end, "")


def _excuse(page: Page, mutant: Mutant) -> str | None:
    """What kind of change this is that may go unnoticed, if it is one; such survivors are counted as accepted."""
    if mutant.kind == "code":
        return "code"  # the page's code still prints all that the page says it prints
    for math in page.maths:
        if math.start <= mutant.start < math.end:
            if r"\ne" in math.tex:
                return "refuted"  # what is shown to be wrong is as wrong after the change
            # Without a relation nothing is claimed; what stands there is still part of a checked formula.
            return None if math.condition or _RELATION.search(math.tex) else "mention"
    return None


def _spaced(new: str, tex: str, end: int) -> str:
    r"""`\ge` before a letter needs a space."""
    return new + " " if re.match(r"\\[a-z]+$", new) and re.match(r"[A-Za-z]", tex[end:]) else new


def _letters(tex: str) -> Iterator[tuple[str, str, int]]:
    """The letters of a formula that are symbols, and whether each is (part of) an index."""
    depth, index_depth, after = 0, None, ""
    for match in _TOKEN.finditer(tex):
        token = match[0]
        if token == "{":
            depth += 1
            if after == "_" and index_depth is None:
                index_depth = depth
        elif token == "}":
            if index_depth == depth:
                index_depth = None
            depth -= 1
        elif (re.fullmatch("[a-zA-Z]", token) and token not in "de") or _GREEK.match(token):
            yield token, "index" if index_depth is not None or after == "_" else "symbol", match.start()
        if not token.isspace():
            after = token


def _terms(tex: str) -> Iterator[tuple[int, int]]:
    """`+ term` and `- term`, up to what ends a term at the same depth."""
    tokens = list(_TOKEN.finditer(tex))
    for i, first in enumerate(tokens):
        if first[0] not in "+-" or not i or tokens[i - 1][0] in "{([=<>&":
            continue
        depth = 0
        for match in tokens[i + 1 :]:
            if match[0] in ("{", "(", "["):
                depth += 1
            elif match[0] in ("}", ")", "]"):
                depth -= 1
            ends = depth == 0 and (
                match[0] in "+-<>=&" or re.match(r"\\(?:\\|right|le|ge|ne|q?quad|approx|cdot|end|text)", match[0])
            )
            if depth < 0 or ends:
                yield first.start(), match.start()
                break
        else:
            yield first.start(), len(tex)


# -- are they noticed? ---------------------------------------------------------------------------------------


class Trial:
    """A page whose mutants are tried.  What a mutant cannot have changed is not run again."""

    def __init__(self, page: Page, quoted: dict[str, Record]):
        self.page = page
        self.quoted = quoted
        self.memo = Memo()
        self.baseline: set[str] = set()
        self.baseline = set(self._failures(page, 0, first=False, formulas=True))
        self._formulas = _formula_matter(page)

    def failure(self, mutant: Mutant) -> str | None:
        """What a check says against a mutant; None if it survives."""
        try:
            page = read_text(mutant.of(self.page.text), self.page.path)
        except PageError as problem:
            return str(problem)
        formulas = _formula_matter(page) != self._formulas
        line = page.at(mutant.start).line
        return next(iter(self._failures(page, line, first=True, formulas=formulas)), None)

    def _failures(self, page: Page, line: int, first: bool, formulas: bool) -> list[str]:
        found: list[str] = []
        order = {"number": 0, "snippet": 1, "page": 2, "formula": 3, "tie": 4}
        try:
            with time_limit(SECONDS):
                checks = page_checks(page, self.quoted, memo=self.memo, formulas=formulas)
                # The change is most likely noticed where it is; cheap kinds first.
                checks.sort(
                    key=lambda c: (
                        abs(c.location.line - line) > 3,
                        order[c.kind],
                        abs(c.location.line - line),
                    )
                )
                for check in checks:
                    try:
                        check.run()
                    except PageError as problem:
                        if str(problem) not in self.baseline:
                            found.append(str(problem))
                            if first:
                                break
        except PageError as problem:  # one that concerns the whole page
            found += [str(problem)] if str(problem) not in self.baseline else []
        except TimeLimit:
            found.append(f"{page.path}: still running after {SECONDS:g} s")
        except Exception as problem:
            place = traceback.extract_tb(problem.__traceback__)[-1]
            found.append(f"{_CRASH}: {type(problem).__name__}: {problem} ({Path(place.filename).name}:{place.lineno})")
        return found


def _formula_matter(page: Page) -> tuple:
    """All that formulas and ties depend on: TeX, sentences, conditions, comments behind, front matter."""
    return (
        repr(page.front),
        tuple(
            (
                m.tex,
                m.display,
                m.condition,
                m.sentence,
                m.block,
                tuple((c.kind, c.value) for c in page.comments_behind(m.outer_end)),
            )
            for m in page.maths
        ),
    )


@dataclass
class Score:
    """How many mutants of each kind were tried and noticed, and which were not."""

    tried: Counter
    killed: Counter
    accepted: Counter
    survivors: list[tuple[Page, Mutant]]
    crashes: list[tuple[Page, Mutant, str]]


def try_mutants(
    trials: list[tuple[Trial, Mutant]],
    accepted: dict[tuple[str, str, str], str],
    tell: Callable[[int, Score], None],
) -> Score:
    """Try mutants; those that survive and are not accepted are kept as survivors."""
    score = Score(Counter(), Counter(), Counter(), [], [])
    for count, (trial, mutant) in enumerate(trials, 1):
        score.tried[mutant.kind] += 1
        failure = trial.failure(mutant)
        if failure is not None:
            if failure.startswith(_CRASH):
                score.crashes.append((trial.page, mutant, failure))
            score.killed[mutant.kind] += 1
        elif _excuse(trial.page, mutant) or (trial.page.path, *mutant.lines(trial.page.text)) in accepted:
            score.accepted[mutant.kind] += 1
        else:
            score.survivors.append((trial.page, mutant))
        tell(count, score)
    return score


def read_accepted(root: Path) -> dict[tuple[str, str, str], str]:
    """The mutants that are as true as the page: (page, old line, new line) -> reason."""
    path = root / FILE
    if not path.exists():
        return {}
    accepted = {}
    for number, record in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")) or [], 1):
        if (
            not isinstance(record, dict)
            or set(record) != {"page", "old", "new", "reason"}
            or not str(record["reason"]).strip()
        ):
            raise SystemExit(f"{FILE}: record {number}: wanted page, old, new and a reason, got {record!r}")
        accepted[record["page"], str(record["old"]).strip(), str(record["new"]).strip()] = record["reason"]
    return accepted


# -- the command ---------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lossref.pagecheck.mutate", description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, help="the pages to change (default: all)")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants, picked by the seed, and not all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="only mutants of this kind (may be repeated)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the score to FILE")
    parser.add_argument("--root", type=Path, default=Path(), help="where README.md and docs/ are (default: here)")
    options = parser.parse_args(arguments)

    paths = options.pages or all_pages(options.root)
    try:
        quoted = read_quoted(options.root)
        pages = [Trial(read_page(path, options.root), quoted) for path in paths]
    except PageError as problem:
        print(problem, file=sys.stderr)
        return 2
    for trial in pages:
        if trial.baseline:
            print(
                f"{trial.page.path}: {len(trial.baseline)} checks fail before anything is changed; only others count:",
                file=sys.stderr,
            )
            print(
                "".join(f"  {message.splitlines()[0]}\n" for message in sorted(trial.baseline)),
                file=sys.stderr,
                end="",
            )
    trials = [(trial, mutant) for trial in pages for mutant in mutants(trial.page, options.seed)]
    if options.kind:
        trials = [(trial, mutant) for trial, mutant in trials if mutant.kind in options.kind]
    whole = options.sample is None or options.sample >= len(trials)
    if not whole:
        picked = sorted(random.Random(options.seed).sample(range(len(trials)), options.sample))
        trials = [trials[i] for i in picked]

    accepted = read_accepted(options.root)
    score = try_mutants(trials, accepted, _progress(len(trials)))
    for page, mutant in score.survivors:
        old, new = mutant.lines(page.text)
        print(f"{page.at(mutant.start)}: survived ({mutant.kind})\n- {old}\n+ {new}\n")
    for page, mutant, said in score.crashes:
        old, new = mutant.lines(page.text)
        print(f"{page.at(mutant.start)}: {said}\n- {old}\n+ {new}\n")
    print(table(score))
    if options.json:
        options.json.write_text(
            json.dumps(as_data(score, options.seed, whole), ensure_ascii=False, indent=1) + "\n",
            encoding="utf-8",
        )
    failing = any(trial.baseline for trial in pages)
    return 1 if score.survivors or score.crashes or failing else 0


def _progress(total: int) -> Callable[[int, Score], None]:
    began = last = time.monotonic()
    live = sys.stderr.isatty()

    def tell(count: int, score: Score) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.2 if live else 10) and count < total:
            return
        last = now
        left = (now - began) / count * (total - count)
        line = f"{count}/{total} mutants, {len(score.survivors)} survived, about {left:.0f} s left"
        print(
            f"\r{line:<70}" if live else line,
            end="\n" if count == total or not live else "",
            file=sys.stderr,
            flush=True,
        )

    return tell


def table(score: Score) -> str:
    """What became of the mutants of each kind; `accepted` ones survived with a written reason."""
    lines = [f"{'kind':<14} {'mutants':>8} {'killed':>8} {'accepted':>11} {'survived':>9}"]
    kinds = sorted(score.tried)
    survived = Counter(mutant.kind for _, mutant in score.survivors)
    for name in kinds:
        lines.append(
            f"{name:<14} {score.tried[name]:>8} {score.killed[name]:>8} {score.accepted[name]:>11} {survived[name]:>9}"
        )
    tried, killed = sum(score.tried.values()), sum(score.killed.values())
    lines.append(f"{'all':<14} {tried:>8} {killed:>8} {sum(score.accepted.values()):>11} {len(score.survivors):>9}")
    return "\n".join(lines)


def as_data(score: Score, seed: int, whole: bool) -> dict:
    """The score, for the verification report."""
    return {
        "seed": seed,
        "whole": whole,
        "kinds": {
            name: {"tried": score.tried[name], "killed": score.killed[name], "accepted": score.accepted[name]}
            for name in sorted(score.tried)
        },
        "survived": len(score.survivors),
    }


if __name__ == "__main__":
    sys.exit(main())
