"""Every figure of the site, drawn from lossref: `python -m tools.figures` writes docs/figures/*.svg.

`--check` writes nothing and fails where a committed figure is not what lossref draws today.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tools import drawings
from tools.explorers.draw import spelled_out

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "figures"


def collect() -> dict[str, Callable[[], str]]:
    """Every drawing of every module in tools/drawings; a name stands once."""
    found: dict[str, Callable[[], str]] = {}
    for module in pkgutil.iter_modules(drawings.__path__):
        for name, draw in importlib.import_module(f"{drawings.__name__}.{module.name}").FIGURES.items():
            if name in found:
                raise ValueError(f"two functions draw {name!r}")
            found[name] = draw
    return found


FIGURES = collect()


def differs(one: str, other: str) -> bool:
    """Compare two drawings: text exactly, coordinates to the tenth of a pixel they are rounded to.

    The last bit of exp differs between processors, so a point may round either way.
    """
    number = re.compile(r"-?\d+\.\d+")
    one, other = spelled_out(one), spelled_out(other)
    if number.sub("#", one) != number.sub("#", other):
        return True
    pairs = zip(number.findall(one), number.findall(other), strict=True)
    return any(abs(float(a) - float(b)) > 0.11 for a, b in pairs)


def stale(folder: Path = FOLDER) -> list[str]:
    """What is wrong with the committed figures, one line each."""
    present = sorted(folder.glob("*.svg"))
    wrong = [f"{path.name}: no function draws it" for path in present if path.stem not in FIGURES]
    for name, draw in FIGURES.items():
        path = folder / f"{name}.svg"
        if not path.exists():
            wrong.append(f"{path.name}: not drawn yet")
        elif differs(path.read_text(encoding="utf-8"), draw()):
            wrong.append(f"{path.name}: not what lossref draws today")
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__.partition(":")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a figure is out of date")
    if parser.parse_args(arguments).check:
        for line in (wrong := stale()):
            print(f"docs/figures/{line} (run: python -m tools.figures)", file=sys.stderr)
        return 1 if wrong else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        (FOLDER / f"{name}.svg").write_text(draw(), encoding="utf-8")
        print(f"docs/figures/{name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
