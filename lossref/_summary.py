"""What is asked of a whole tile at once: its sum, its least and its largest number.

A small batch is done in the time it takes to start a dozen operations, and a ufunc's reduction starts four times later
than the search for an extreme does.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def least(a: Any) -> Any:
    """The smallest number, or NaN where there is one; of at least one."""
    return a.item(a.argmin()) if a.flags.c_contiguous else np.minimum.reduce(a, axis=None)


def most(a: Any) -> Any:
    """The largest number, or NaN where there is one; of at least one."""
    return a.item(a.argmax()) if a.flags.c_contiguous else np.maximum.reduce(a, axis=None)


def accumulate(tile: Any, out: Any) -> None:
    """Add the sum of the tile to ``out``, in float64."""
    out += total(tile)


def total(a: Any) -> Any:
    """The sum in float64, of sums of eight in the dtype of the tile, whose few errors are lost among so many."""
    if a.size < 4096:
        return np.add.reduce(a.astype(np.float64, copy=False), axis=None)  # faster than the reduction's own cast
    if a.dtype == np.float64:
        return np.add.reduce(a, axis=None)
    flat, n = a.reshape(-1), a.size // 8 * 8
    by_eight = np.add.reduce(flat[:n].reshape(8, -1), axis=0)
    result = np.add.reduce(by_eight, dtype=np.float64) + np.add.reduce(flat[n:], dtype=np.float64)
    return result if np.isfinite(result) else np.add.reduce(a, axis=None, dtype=np.float64)
