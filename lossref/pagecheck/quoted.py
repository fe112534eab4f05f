"""Figures and citations quoted from elsewhere: docs/data/quoted.yml, one record each.

cox1958:
  cite: "Cox, D. R. (1958). … 20(2): 215–242."     the text whose numbers are the truth
  source: "the paper's first page"                  where it was seen
  obtained: "read from the publisher's scan"        how
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from lossref.pagecheck.literals import Number, find_numbers
from lossref.pagecheck.source import Location, NoDuplicates, PageError, decode

FILE = "docs/data/quoted.yml"
_FIELDS = ("cite", "source", "obtained")


@dataclass(frozen=True)
class Record:
    """A quotation.  `numbers` are those of its citation, in order."""

    key: str
    cite: str
    source: str
    obtained: str
    location: Location

    @property
    def numbers(self) -> list[Number]:
        return find_numbers(self.cite)


def read_quoted(root: Path) -> dict[str, Record]:
    """The records by key; none if there is no file."""
    path = root / FILE
    if not path.exists():
        return {}
    text = decode(path.read_bytes(), FILE)
    try:
        loader = NoDuplicates(text)
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node else {}
        finally:
            loader.dispose()
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PageError(Location(FILE, line, column), f"{getattr(problem, 'problem', problem)}") from None
    if not isinstance(data, dict):
        raise PageError(Location(FILE, 1, 1), f"wanted records by key, got {type(data).__name__}")
    marks = {key.value: key.start_mark for key, _ in node.value} if node else {}
    records = {}
    for key, record in data.items():
        mark = marks[str(key)]
        location = Location(FILE, mark.line + 1, mark.column + 1)
        if not str(key).isidentifier():
            raise PageError(location, f"the key {key!r} must be a name, to be written quoted.{key}")
        if not isinstance(record, dict) or set(record) != set(_FIELDS):
            got = ", ".join(map(str, record)) if isinstance(record, dict) else repr(record)
            raise PageError(location, f"{key}: wanted the fields {', '.join(_FIELDS)}; got {got}")
        for name in _FIELDS:
            if not isinstance(record[name], str) or not record[name].strip():
                raise PageError(
                    location, f"{key}: {name} must be a text, got {record[name]!r} (write it in quotes)"
                )
        records[key] = Record(key, *(record[name] for name in _FIELDS), location)
    return records
