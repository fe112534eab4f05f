"""How a pass over the data is made: cache-sized tiles, broadcast, cast and written back on the way.

A big temporary costs more than the arithmetic that fills it: every fresh page has to be faulted in. So no
formula ever sees a whole array. It sees tiles that stay in the cache, in the precision it computes in, and
its temporaries are as small as the tile. No formula knows of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

# Bytes of a tile: small enough that a dozen temporaries stay in a core's share of the cache,
# large enough that the interpreter's cost per tile (about 20 µs) is lost in the arithmetic.
TILE = 400 << 10

# glibc gives the top of the heap back whenever 128 KiB of it are free, and every temporary of a tile would be
# faulted in anew (up to 7 times slower). Freeing one mapped block, never touched, lifts that limit to twice its size.
np.empty(8 << 20, np.uint8)


def sweep(
    step: Callable[..., None],
    reads: Sequence[np.ndarray],
    writes: Sequence[np.ndarray],
    compute: np.dtype,
) -> None:
    """Call ``step(*read_tiles, *write_tiles)`` until every element was visited once.

    ``reads`` are broadcast to the shape of the first, which the ``writes`` have. Tiles that are read are of dtype
    ``compute``; those that are written may be of the dtype of their array.
    """
    tile = TILE // compute.itemsize
    if reads[0].size <= tile:
        # it all fits: no iterator, whose set-up would dominate
        step(*[r if r.dtype == compute else r.astype(compute) for r in reads], *writes)
        return
    shape, apart = reads[0].shape, not any(np.may_share_memory(r, w) and r is not w for r in reads for w in writes)
    if apart and all(a.shape == shape and a.flags.c_contiguous for a in (*reads, *writes)):
        # slices of the arrays themselves
        flat = [a.reshape(-1) for a in (*reads, *writes)]
        casts = [None if r.dtype == compute else np.empty(tile, compute) for r in reads] + [None] * len(writes)
        for start in range(0, flat[0].size, tile):
            tiles = [a[start : start + tile] for a in flat]
            for i, buffer in enumerate(casts):
                if buffer is not None:
                    buffer = buffer[: tiles[i].size]
                    np.copyto(buffer, tiles[i], casting="unsafe")
                    tiles[i] = buffer
            step(*tiles)
        return
    tiles = np.nditer(  # type: ignore[call-overload]  # flags multiplied are no longer literals to a type checker
        [*reads, *writes],
        flags=["external_loop", "buffered", "delay_bufalloc", "copy_if_overlap"],
        op_flags=[["readonly", "overlap_assume_elementwise"]] * len(reads)
        + [["writeonly", "no_broadcast", "overlap_assume_elementwise"]] * len(writes),
        op_dtypes=[compute] * (len(reads) + len(writes)),
        casting="unsafe",  # what may be cast was decided in _validate; here float16 <-> float32 and labels
        buffersize=tile,
    )
    with tiles:
        tiles.reset()
        for operands in tiles:
            step(*operands)


def rows(shape: tuple[int, ...], compute: np.dtype) -> Iterator[tuple[slice, slice]]:
    """Blocks (samples, places) of an array of shape (samples, classes, places), each with whole rows of classes."""
    tile = TILE // compute.itemsize
    n, c, places = shape
    if n * c * places <= tile:
        yield slice(0, n), slice(0, places)
        return
    width = max(1, min(places, tile // max(c, 1)))
    height = max(1, tile // max(c * width, 1)) if width == places else 1
    for i in range(0, n, height):
        for j in range(0, places, width):
            yield slice(i, i + height), slice(j, j + width)
