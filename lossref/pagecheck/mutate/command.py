"""The command: which mutants, with progress, saved page by page, survivors as a diff."""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lossref.pagecheck.mutate import losses, score
from lossref.pagecheck.mutate.pages import Mutant, mutants
from lossref.pagecheck.mutate.score import Accepted, Alive, Result
from lossref.pagecheck.mutate.trial import CRASH, Trial
from lossref.pagecheck.plugin import all_pages
from lossref.pagecheck.quoted import read_quoted
from lossref.pagecheck.source import PageError, read_page


def main(arguments: list[str] | None = None) -> int:
    from lossref.pagecheck import mutate

    parser = argparse.ArgumentParser(
        prog="python -m lossref.pagecheck.mutate",
        description=mutate.__doc__.replace('r"', ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", type=Path, help="pages or loss files to change (default: all pages)")
    parser.add_argument("--losses", action="store_true", help="the loss files, too or alone")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of the pages, picked by the seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="only mutants of this kind (may be repeated)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at a time (Linux)")
    parser.add_argument("--again", action="store_true", help="also what the saved results say already")
    parser.add_argument("--root", type=Path, default=Path(), help="where README.md and docs/ are (default: here)")
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except PageError as problem:
        print(problem, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    root: Path = options.root
    accepted = score.read_accepted(root)
    chosen = [p if p.is_absolute() else root / p for p in options.files]
    files = [p for p in chosen if losses.is_loss_file(p, root)]
    pages = [p for p in chosen if p not in files]
    if options.losses and not files:
        files = losses.loss_files(root)
    if not files and not pages:
        pages = all_pages(root)
    if options.sample is not None:
        results = _sampled(root, pages, options, accepted)
    else:
        results = _whole(root, pages, files, options, accepted)
        if len(results) < len(pages) + len(files):
            return 2
    print(score.table(results, accepted))
    return 1 if any(result.survivors(accepted, options.sample is None) for result in results) else 0


# -- pages ---------------------------------------------------------------------------------------------------


def tell_alive(trial: Trial, mutant: Mutant, failure: str | None) -> Alive | None:
    """How to show a mutant that lives, or that crashed the checker."""
    crash = (failure or "").startswith(CRASH)
    if failure is not None and not crash:
        return None
    at, (old, new) = str(trial.page.at(mutant.start)), mutant.lines(trial.page.text)
    return Alive(at, mutant.kind, old, new, trial.excuse(mutant), failure if crash else "")


def try_mutants(
    trial: Trial, chosen: Iterable[Mutant], result: Result, tell: Callable[[str], None], jobs: int = 1
) -> None:
    """Try mutants of a page and count them."""
    for mutant, failure in trial.failures(chosen, jobs):
        result.add(mutant.kind, tell_alive(trial, mutant, failure))
        tell(trial.page.path)


def _sampled(root: Path, paths: list[Path], options: argparse.Namespace, accepted: Accepted) -> list[Result]:
    """Some mutants of all pages; the pages are taken to pass as they are, the tests say whether they do."""
    quoted = read_quoted(root)
    pages = [read_page(path, root) for path in paths]
    everything = [(page, mutant) for page in pages for mutant in mutants(page, options.seed)]
    count = min(options.sample, len(everything))
    picked = random.Random(options.seed).sample(range(len(everything)), count)
    wanted: dict[str, list[Mutant]] = {}
    for i in sorted(picked):
        page, mutant = everything[i]
        wanted.setdefault(page.path, []).append(mutant)
    results, progress = [], _Progress(count)
    for page in pages:
        if chosen := wanted.get(page.path):
            results.append(result := Result(page.path, options.seed))
            trial = Trial(page, quoted, trusted=True)
            try_mutants(trial, chosen, result, progress.tell, options.jobs)
            _show(result, accepted)
    return results


def _whole(root: Path, paths: list[Path], files: list[Path], options, accepted: Accepted) -> list[Result]:
    """Every mutant; what was tried before is not tried again unless something has changed."""
    quoted = read_quoted(root)
    saved = score.load(root / score.SAVED)
    judge = score.checker(root)
    names = [path.resolve().relative_to(root.resolve()).as_posix() for path in (*paths, *files)]
    known, todo = {}, []
    for name in names:
        before = saved.get(name)
        mark = (options.seed, score.digest(root, name), judge)
        if before and not options.again and not options.kind and mark == (before.seed, before.digest, before.checker):
            known[name] = before
            _show(before, accepted)
        else:
            todo.append(name)
    if known:
        print(f"{len(known)} files are as they were when their mutants were tried", file=sys.stderr)
    chosen: dict[str, list[Mutant]] = {}
    for name in todo:
        if losses.is_loss_file(root / name, root):
            found = losses.mutants((root / name).read_text(encoding="utf-8"), options.seed)
        else:
            found = mutants(read_page(root / name, root), options.seed)
        chosen[name] = [mutant for mutant in found if not options.kind or mutant.kind in options.kind]
    progress = _Progress(sum(map(len, chosen.values())))
    results = {name: Result(name, options.seed, digest=score.digest(root, name), checker=judge) for name in chosen}

    def done(result: Result) -> None:
        _show(result, accepted)
        if not options.kind:
            saved[result.path] = result
            score.save(root / score.SAVED, saved)

    for name in chosen:
        if losses.is_loss_file(root / name, root):
            continue
        trial = Trial(read_page(root / name, root), quoted)
        if trial.baseline:
            print(f"{name} fails before anything is changed: {min(trial.baseline)}", file=sys.stderr)
            del results[name]
            continue
        try_mutants(trial, chosen[name], results[name], progress.tell, options.jobs)
        done(results[name])
    if code := {root / name: chosen[name] for name in chosen if losses.is_loss_file(root / name, root)}:

        def each(path: Path, mutant: Mutant, failure: str | None) -> None:
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            line = text.count("\n", 0, mutant.start) + 1
            alive = None if failure else Alive(f"{name}:{line}", mutant.kind, *mutant.lines(text))
            results[name].add(mutant.kind, alive)
            progress.tell(name)
            if results[name].tried.total() == len(chosen[name]):
                done(results[name])

        losses.judge(root, code, options.jobs, each)
    return [*known.values(), *results.values()]


def _show(result: Result, accepted: Accepted) -> None:
    for alive in result.survivors(accepted):
        print(alive.diff(), flush=True)


class _Progress:
    """One line that moves in a terminal; a line now and then in a log."""

    def __init__(self, total: int):
        self.total, self.count = total, 0
        self.began = self.last = time.monotonic()
        self.live = sys.stderr.isatty()

    def tell(self, where: str) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.last < (0.2 if self.live else 10) and self.count < self.total:
            return
        self.last = now
        left = (now - self.began) / self.count * (self.total - self.count)
        line = f"{self.count}/{self.total} mutants ({where}), about {left:.0f} s left"
        end = "\n" if self.count == self.total or not self.live else ""
        print(f"\r{line:<79}" if self.live else line, end=end, file=sys.stderr, flush=True)


# One BLAS thread, as run.py has it: here before NumPy comes in with a page.
os.environ.setdefault("OMP_NUM_THREADS", "1")
