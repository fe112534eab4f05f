"""What may go in. Every refusal names the argument, what was got and what was wanted."""

from __future__ import annotations

import numbers
import sys

import numpy as np

from ._summary import least, most

FLOATS = (np.float16, np.float32, np.float64)
DTYPES = tuple(map(np.dtype, FLOATS))  # in the machine's byte order


def one_of(name: str, value, choices) -> None:
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def floating(name: str, value) -> np.ndarray:
    """An array of float16, float32 or float64 in the machine's byte order; integers and booleans become float64."""
    if type(value) is np.ndarray and value.dtype in DTYPES:
        return value
    a = _real(name, value)
    if a.dtype.kind in "biu":
        return a.astype(np.float64)
    return a if a.dtype.isnative else a.astype(a.dtype.newbyteorder("="))


def numeric(name: str, value) -> np.ndarray:
    """An array of real numbers whose dtype is left alone (targets and weights follow the input's dtype)."""
    return _real(name, value)


def _real(name: str, value) -> np.ndarray:
    # (numpy.ma, not cheap to import, is there if there is a masked array)
    if type(value) is not np.ndarray and "numpy.ma" in sys.modules and np.ma.is_masked(value):
        raise TypeError(f"{name} must have no masked entries, whose numbers would count; got a masked array")
    try:
        a = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name} must be an array of numbers with one shape; got {value!r}") from error
    if a.dtype.kind not in "biu" and a.dtype.type not in FLOATS:
        raise TypeError(
            f"{name} must hold real numbers (bool, integer, float16, float32 or float64); got dtype {a.dtype}"
        )
    return a


def same_shape(name: str, a: np.ndarray, other: str, shape: tuple[int, ...]) -> None:
    if a.shape != shape:
        raise ValueError(
            f"{name} must have the shape of {other}, {shape}; got {a.shape} (shapes are never broadcast silently)"
        )


def broadcastable(name: str, a: np.ndarray, other: str, shape: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(a.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must broadcast to the shape of {other}, {shape}; got shape {a.shape}")


def within(name: str, tile, low: float, high: float) -> None:
    """Refuse numbers outside [low, high]. NaN passes: it has to come out again, not be hidden by an error."""
    if (low == -np.inf and high == np.inf) or tile.size == 0:
        return
    if (low == -np.inf or least(tile) >= low) and (high == np.inf or most(tile) <= high):
        return
    bad = tile[(tile < low) | (tile > high)]
    if bad.size:
        wanted = f"in [{low:g}, {high:g}]" if high < np.inf else f"at least {low:g}"
        raise ValueError(f"{name} must be {wanted}; got {bad.flat[0]:.9g}")


def hard(labels: np.ndarray) -> bool:
    """Whether all are 0 or 1."""
    return np.count_nonzero((labels == 0) | (labels == 1)) == labels.size


def gradient_buffer(out, x: np.ndarray) -> np.ndarray:
    """An array for the derivative by x: the one that is given or one with the order of x in memory.

    It is handed out as it is; what writes to it takes ``np.asarray`` of it, for a matrix has shapes of its own.
    """
    if out is None:
        return np.empty_like(x)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array; got {type(out).__name__}")
    if out.shape != x.shape or out.dtype != x.dtype:
        raise ValueError(
            f"out must have shape {x.shape} and dtype {x.dtype}; got shape {out.shape} and dtype {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError("out must be writeable; got a read-only array")
    return out


def weights(name: str, value) -> np.ndarray:
    a = numeric(name, value)
    within(name, a, 0.0, np.inf)
    return a


def integer(name: str, value) -> int:
    if isinstance(value, (bool, np.bool)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    return int(value)


def number(name: str, value, low: float, high: float = np.inf, *, above=False, finite=False) -> float:
    """A real number in [low, high], or in (low, high] where ``above`` is asked for."""
    if isinstance(value, (bool, np.bool)) or not isinstance(value, (numbers.Real, np.floating, np.integer)):
        raise TypeError(f"{name} must be a real number; got {value!r}")
    try:
        x = float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number that float64 holds, at most 1.8e308; got a larger one") from None
    if finite and x == np.inf:
        raise ValueError(f"{name} must be finite; got {value!r}")
    if not ((x > low if above else x >= low) and x <= high):
        wanted = f"in [{low:g}, {high:g}]" if high < np.inf else f"{'above' if above else 'at least'} {low:g}"
        raise ValueError(f"{name} must be {wanted}; got {value!r}")
    return x
