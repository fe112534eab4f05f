"""What became of the mutants: counted, excused where a reason stands, saved, and told to the verification report."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
from collections import Counter
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import yaml

FILE = "docs/data/mutants.yml"
SAVED = ".cache/mutants.json"
# Why a mutant may live that no record of FILE names: what the page claims is as true as before.
EXCUSES = {
    "code": "code that prints the same as before",
    "name": "a formula that is only the name of a symbol is the name of another one",
    "refuted": "a side of ≠ that differs as before",
    "renamed": "an index that its statement has once, by another letter of the same range",
}
# No excuse but a known weakness: an expression that prose only mentions, wrong in such a way that it is another one
# of the page. A whole run counts it as survived; a sample passes over it.
WEAK = "mention"


@dataclass
class Alive:
    """A mutant that nothing noticed, or (`said`) at which the checker itself crashed."""

    at: str
    kind: str
    old: str
    new: str
    excuse: str = ""
    said: str = ""

    def diff(self) -> str:
        return f"{self.at}: {self.said or f'survived ({self.kind})'}\n- {self.old}\n+ {self.new}\n"


@dataclass
class Result:
    """The mutants of one page or loss file."""

    path: str
    seed: int = 0
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    digest: str = ""
    checker: str = ""
    tried: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    alive: list[Alive] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tried, self.killed = Counter(self.tried), Counter(self.killed)
        self.alive = [Alive(**a) if isinstance(a, dict) else a for a in self.alive]

    def add(self, kind: str, alive: Alive | None) -> None:
        """Count one mutant, dead or alive."""
        self.tried[kind] += 1
        self.killed[kind] += alive is None
        if alive is not None:
            self.alive.append(alive)

    def reason(self, alive: Alive, accepted: Accepted) -> str:
        """Why a mutant may live: 'equivalent', one of EXCUSES, or '' if it may not."""
        if alive.said:
            return ""
        return "equivalent" if (self.path, alive.old, alive.new) in accepted else alive.excuse

    def survivors(self, accepted: Accepted, whole: bool = True) -> list[Alive]:
        """What has no reason to live; what is known to be weak counts in a whole run."""
        return [alive for alive in self.alive if self.reason(alive, accepted) in ("", WEAK)[: 1 + whole]]


Accepted = dict[tuple[str, str, str], str]


def read_accepted(root: Path) -> Accepted:
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


# -- saved between runs --------------------------------------------------------------------------------------


def load(path: Path) -> dict[str, Result]:
    if not path.exists():
        return {}
    return {item["path"]: Result(**item) for item in json.loads(path.read_text(encoding="utf-8"))}


def save(path: Path, results: dict[str, Result]) -> None:
    """All at once, so that a run that is stopped leaves a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    items = [{**vars(results[key]), "alive": list(map(vars, results[key].alive))} for key in sorted(results)]
    draft.write_text(json.dumps(items, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def digest(root: Path, path: str) -> str:
    """What is changed, and the data that it speaks of."""
    data = [p for p in sorted((root / "docs/data").glob("*")) if p.name != Path(FILE).name]
    return _hash([root / path, *data])


def checker(root: Path) -> str:
    """What judges: the checker, the losses, their tests, and the versions they run on."""
    files = sorted([*(root / "lossref").rglob("*.py"), *(root / "tests/losses").glob("*.py")])
    versions = [platform.python_version(), *map(metadata.version, ("numpy", "torch", "mpmath"))]
    return _hash(files, " ".join(versions))


def _hash(files: list[Path], more: str = "") -> str:
    found = hashlib.sha256(more.encode())
    for file in files:
        if file.is_file():
            found.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    return found.hexdigest()[:16]


def summary(root: Path) -> list[dict]:
    """The last whole run, for the verification report; `fresh` says what has not changed since."""
    accepted, judge = read_accepted(root), None
    found = []
    for path, result in load(root / SAVED).items():
        judge = judge or checker(root)
        lives = Counter(result.reason(alive, accepted) for alive in result.alive)
        reasons = {reason: n for reason, n in lives.items() if reason not in ("", WEAK)}
        reasons["survived"] = lives[""] + lives[WEAK]
        found.append(
            {
                "path": path,
                "date": result.date,
                "seed": result.seed,
                "tried": result.tried.total(),
                "killed": result.killed.total(),
                "reasons": reasons,
                "digest": result.digest,
                "checker": result.checker,
                "fresh": result.digest == digest(root, path),
                "same_checker": result.checker == judge,
            }
        )
    return found


# -- the table -----------------------------------------------------------------------------------------------


def table(results: list[Result], accepted: Accepted) -> str:
    """What became of the mutants of each kind; `accepted` ones survived with a reason."""
    tried: Counter = sum((r.tried for r in results), Counter())
    killed: Counter = sum((r.killed for r in results), Counter())
    reasons = [(a.kind, r.reason(a, accepted)) for r in results for a in r.alive if not a.said]
    pardoned = Counter(kind for kind, reason in reasons if reason)
    survived = Counter(kind for kind, reason in reasons if not reason)
    lines = [f"{'kind':<14} {'mutants':>8} {'killed':>8} {'accepted':>11} {'survived':>9}"]
    lines += [
        f"{kind:<14} {tried[kind]:>8} {killed[kind]:>8} {pardoned[kind]:>11} {survived[kind]:>9}"
        for kind in sorted(tried)
    ]
    totals = (tried.total(), killed.total(), pardoned.total(), survived.total())
    lines.append("{:<14} {:>8} {:>8} {:>11} {:>9}".format("all", *totals))
    by_reason = Counter(reason for _, reason in reasons if reason)
    if by_reason:
        lines.append("accepted: " + ", ".join(f"{n} {reason}" for reason, n in sorted(by_reason.items())))
    return "\n".join(lines)
