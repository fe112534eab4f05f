"""The data of the experiments: `python -m tools.make_data` writes docs/data/*.csv.

It needs scikit-learn, which ships the data. Neither the site nor the tests do: the files are committed.
docs/data/datasets.yml records where each comes from, its licence, its shape and its checksum. Nothing is
downloaded, and nothing changed but the notation: one row a sample, the target in the last column.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "data"
# How each set is asked for. Diabetes in its original units: the experiments need no other scale.
ARGUMENTS = {"breast_cancer": {}, "diabetes": {"scaled": False}, "digits": {}}


def table(name: str) -> str:
    """Return a data set as CSV text, every number in the fewest digits that give it back exactly."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")(**ARGUMENTS[name])
    names = [str(feature).replace(" ", "_") for feature in data.feature_names]
    rows = np.column_stack([data.data, data.target])
    lines = [",".join([*names, "target"])]
    lines += [",".join(np.format_float_positional(value, trim="-") for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    for name in ARGUMENTS:
        path = FOLDER / f"{name}.csv"
        path.write_text(table(name), encoding="ascii", newline="\n")
        print(f"docs/data/{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
