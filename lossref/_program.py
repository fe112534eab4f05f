"""How a formula becomes arithmetic on tiles: read once, then replayed into a few buffers that stay in the cache.

A formula is read by calling it with symbols in the place of tiles. NumPy offers a symbol every operation that is done
to it, and the symbol notes it down. What was noted is done to each tile in turn, into buffers that are used again as
soon as nobody needs what they hold. So no formula knows of buffers; what it says twice is computed once, and what
nobody asks for is not computed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from numpy._core import umath
from numpy.lib.mixins import NDArrayOperatorsMixin

# The ufunc behind np.clip, which takes three times as long to start. NumPy does not show it.
clip: np.ufunc = umath.clip  # type: ignore[attr-defined]

POWERS = {0.5: np.sqrt, 2: np.square}  # fifteen times faster than np.power
BOUNDS: dict[Any, Callable[[Any], tuple[Any, Any]]] = {  # seven times faster as a clip, where the bound is a number
    np.maximum: lambda low: (low, np.inf),
    np.minimum: lambda high: (-np.inf, high),
}
SMALL = 2048  # tiles whose buffers are worth keeping, and small enough to be kept by every program
NOT_IN_PLACE = (np.sign,)  # ten times slower there

Scratch: TypeAlias = dict[tuple[int, ...], list[Any]]  # by the shape of the tile


class Symbol(NDArrayOperatorsMixin):
    """Stands for a tile: what a formula gets in its place, and what every operation on it gives."""

    def __init__(self, tape: Tape, index: int, dtype: np.dtype[Any]) -> None:
        self.tape, self.index, self.dtype = tape, index, dtype

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Symbol:
        if method != "__call__" or options:
            raise TypeError(f"a formula cannot use {ufunc.__name__}.{method} with {options}")
        return self.tape.note(ufunc, inputs)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Symbol:
        def into(*tiles: Any, out: Any) -> None:
            out[...] = function(*tiles, **options)

        return self.tape.note(into, inputs)

    def __bool__(self) -> bool:
        raise TypeError("a formula cannot decide by the numbers in a tile")


def whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes ``function(*tiles, out=None)`` one operation: symbols note it, and do not look inside."""

    def operation(*inputs: Any) -> Any:
        tapes = [a.tape for a in inputs if isinstance(a, Symbol)]
        return tapes[0].note(function, inputs) if tapes else function(*inputs)

    return operation


def cast(tile: Any, out: Any) -> None:
    np.copyto(out, tile, casting="unsafe")


class Program:
    """What is to be done to each tile. The registers: the tiles, then numbers and buffers.

    A step is a function, which of the registers it reads, and the number of the one it writes to.
    """

    def __init__(
        self,
        steps: list[tuple[Any, Callable[[list[Any]], Iterable[Any]], int]],
        numbers: list[Any],
        buffers: list[tuple[np.dtype[Any], int]],
    ) -> None:
        self.steps, self.numbers, self.buffers = steps, numbers, buffers
        self.kept: Scratch = {}  # of small tiles, for the next call

    def __call__(self, *tiles: Any, scratch: Scratch) -> None:
        """``scratch`` keeps what a tile was worked on with for the next of its shape; it is empty at first."""
        shape = tiles[0].shape
        if tiles[0].size < SMALL:
            scratch = self.kept
        rest = scratch.pop(shape, None)  # taken away: another thread may be here too
        if rest is None:
            rest = [*self.numbers]
            for dtype, count in self.buffers:
                rest += list(np.empty((count, *shape), dtype)) if shape else [np.empty((), dtype) for _ in range(count)]
        registers = [*tiles, *rest]
        for function, arguments, result in self.steps:
            function(*arguments(registers), out=registers[result])
        scratch.clear()
        scratch[shape] = rest


class Tape:
    """The operations of a formula in the order in which it names them; none twice."""

    def __init__(self) -> None:
        self._operations: list[tuple[Any, tuple[int, ...], np.dtype[Any]]] = []  # function, arguments, dtype of result
        self._known: dict[Any, int] = {}
        self._constants: dict[int, Any] = {}
        self._given: list[int] = []
        self._ends: list[int] = []

    def given(self, dtype: np.dtype[Any]) -> Symbol:
        """What is there before the first operation: a tile, or a number of dimension 0."""
        symbol = self._symbol(object(), None, (), dtype)
        self._given.append(symbol.index)
        return symbol

    def note(self, function: Any, inputs: Sequence[Any]) -> Symbol:
        """An operation, on symbols and numbers."""
        if function is np.power and not isinstance(inputs[1], Symbol) and inputs[1] in POWERS:
            function, inputs = POWERS[inputs[1]], inputs[:1]
        elif function in BOUNDS and not isinstance(inputs[1], Symbol):
            function, inputs = clip, (inputs[0], *BOUNDS[function](inputs[1]))
        kinds = [getattr(a, "dtype", type(a)) for a in inputs]
        if isinstance(function, np.ufunc):
            *wanted, dtype = function.resolve_dtypes((*kinds, None))
        else:
            dtype = np.result_type(*(k for k in kinds if isinstance(k, np.dtype) and k.kind != "b"))
            wanted = [k if isinstance(k, np.dtype) else dtype for k in kinds]
        arguments = tuple(self._as(a, kind) for a, kind in zip(inputs, wanted, strict=True))
        return self._symbol((function, arguments), function, arguments, dtype)

    def end(self, function: Any, *inputs: Any) -> None:
        """An operation whose result leaves the program: in the order of the ends, the registers after those given."""
        self._ends.append(self.note(function, inputs).index)

    def end_with(self, a: Symbol) -> None:
        """The same for what is there already, which is not copied where the last operation made it."""
        function, _, _ = self._operations[a.index]
        if a.index + 1 == len(self._operations) and isinstance(function, np.ufunc) and function not in NOT_IN_PLACE:
            self._ends.append(a.index)
        else:
            self.end(np.positive, a)

    def _as(self, a: Any, dtype: np.dtype[Any]) -> int:
        if not isinstance(a, Symbol):
            with np.errstate(over="ignore"):
                number = np.array(a, dtype)
            index = self._symbol((number.tobytes(), dtype), None, (), dtype).index
            self._constants[index] = number
            return index
        if a.dtype != dtype:  # NumPy would cast inside the operation, more slowly
            return self._symbol((cast, a.index, dtype), cast, (a.index,), dtype).index
        return a.index

    def _symbol(self, key: Any, function: Any, arguments: tuple[int, ...], dtype: np.dtype[Any]) -> Symbol:
        index = self._known.setdefault(key, len(self._operations))
        if index == len(self._operations):
            self._operations.append((function, arguments, dtype))
        return Symbol(self, index, dtype)

    def program(self) -> Program:
        needed, last = set(self._ends), dict[int, int]()
        for i in reversed(range(len(self._operations))):
            for a in self._operations[i][1] if i in needed else ():
                needed.add(a)
                last.setdefault(a, i)

        # a register is a group, "tiles", "numbers" or a dtype, and a place in it
        tiles = self._given + self._ends
        place: dict[int, tuple[Any, int]] = {i: ("tiles", k) for k, i in enumerate(tiles)}
        numbers: list[int] = []
        idle = defaultdict[Any, list[tuple[Any, int]]](list)
        size = Counter[Any]()

        def read(a: int) -> tuple[Any, int]:
            if a not in self._constants:
                return place[a]
            if a not in numbers:
                numbers.append(a)
            return "numbers", numbers.index(a)

        noted = []
        for i in sorted(needed):
            function, arguments, dtype = self._operations[i]
            if function is None:
                continue
            reads = [read(a) for a in arguments]
            done = [place[a] for a in {*arguments} if last[a] == i and self._operations[a][0]]
            # nothing but a ufunc may write to what it reads
            if isinstance(function, np.ufunc) and function not in NOT_IN_PLACE:
                for group, k in done:
                    idle[group].append((group, k))
                done = []
            if i not in place:
                if not idle[dtype]:
                    idle[dtype].append((dtype, size[dtype]))
                    size[dtype] += 1
                place[i] = idle[dtype].pop()
            for group, k in done:
                idle[group].append((group, k))
            noted.append((function, reads, place[i]))

        groups = [("tiles", len(tiles)), ("numbers", len(numbers)), *size.items()]
        first = {group: sum(n for _, n in groups[:i]) for i, (group, _) in enumerate(groups)}
        steps: list[Any] = []
        for function, reads, (group, k) in noted:
            where = [first[g] + r for g, r in reads]
            one = slice(where[0], where[0] + 1)  # which an itemgetter gives as a list of one
            steps.append((function, itemgetter(*where) if len(where) > 1 else itemgetter(one), first[group] + k))
        return Program(steps, [self._constants[i] for i in numbers], list(size.items()))
