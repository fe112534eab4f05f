"""The state of the process that a page may see or change: set alike for every page, given back afterwards.

A page's output must depend on the page alone: not on the page that ran before it, on the machine's cores, or
on who seeded what.  Between two checks of a page the page's own state is kept aside, so its checks may run in
any company.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Knob:
    """A piece of state: how to read it, set it, and the value that every page starts from."""

    module: str
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], Any]
    start: Callable[[Any], Any]


def _print_options(torch: Any) -> dict:
    return dict(vars(torch._tensor_str.PRINT_OPTS))


def _set_print_options(torch: Any, options: dict) -> None:
    vars(torch._tensor_str.PRINT_OPTS).clear()
    vars(torch._tensor_str.PRINT_OPTS).update(options)


def _set_environment(_: Any, wanted: dict[str, str]) -> None:
    present = dict(os.environ)
    for name in present.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in wanted.items() if present.get(name) != value})


def _set_builtins(builtins: Any, wanted: dict) -> None:
    present = vars(builtins)
    for name in present.keys() - wanted.keys():
        del present[name]
    present.update(wanted)


def _exit_seen(os: Any) -> None:
    """`os._exit(0)` on a page would end the tests, and call them passed."""
    leave, process = os._exit, os.getpid()

    def exit(code: int) -> None:
        if os.getpid() != process:
            leave(code)
        raise SystemExit(code)

    os._exit = exit


KNOBS = (
    Knob("builtins", lambda b: dict(vars(b)), _set_builtins, lambda b: None),
    Knob("os", lambda os: os._exit, lambda os, exit: setattr(os, "_exit", exit), _exit_seen),
    Knob(
        "os",
        lambda os: dict(os.environ),
        _set_environment,
        lambda os: os.environ.setdefault("MPLBACKEND", "Agg"),
    ),
    Knob("os", lambda os: os.getcwd(), lambda os, path: os.chdir(path), lambda os: None),
    Knob("random", lambda r: r.getstate(), lambda r, state: r.setstate(state), lambda r: r.seed(0)),
    Knob(
        "numpy",
        lambda np: np.random.get_state(),
        lambda np, s: np.random.set_state(s),
        lambda np: np.random.seed(0),
    ),
    Knob(
        "numpy",
        lambda np: np.get_printoptions(),
        lambda np, options: np.set_printoptions(**options),
        lambda np: np.set_printoptions(
            precision=8,
            threshold=1000,
            edgeitems=3,
            linewidth=75,
            suppress=False,
            nanstr="nan",
            infstr="inf",
            sign="-",
            formatter=None,
            floatmode="maxprec",
            legacy=False,
        ),
    ),
    Knob(
        "numpy",
        lambda np: np.geterr(),
        lambda np, errors: np.seterr(**errors),
        lambda np: np.seterr(divide="warn", over="warn", under="ignore", invalid="warn"),
    ),
    Knob(
        "torch",
        lambda t: t.get_rng_state(),
        lambda t, state: t.set_rng_state(state),
        lambda t: t.manual_seed(0),
    ),
    Knob(
        "torch",
        lambda t: t.get_num_threads(),
        lambda t, n: t.set_num_threads(n),
        lambda t: t.set_num_threads(1),
    ),
    Knob("torch", _print_options, _set_print_options, lambda t: t.set_printoptions(profile="default")),
    Knob(
        "torch",
        lambda t: t.get_default_dtype(),
        lambda t, dtype: t.set_default_dtype(dtype),
        lambda t: t.set_default_dtype(t.float32),
    ),
    Knob(
        "torch",
        lambda t: t.is_grad_enabled(),
        lambda t, on: t.set_grad_enabled(on),
        lambda t: t.set_grad_enabled(True),
    ),
    # Otherwise torch warns once a process: the second page to show the same warning would not get it.
    Knob(
        "torch",
        lambda t: t.is_warn_always_enabled(),
        lambda t, on: t.set_warn_always(on),
        lambda t: t.set_warn_always(True),
    ),
)


class State:
    """A page's state, kept aside between the stretches in which the page runs."""

    def __init__(self) -> None:
        self._page: dict[int, Any] = {}
        self._process: dict[int, Any] = {}

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Run with the page's state; leave the process as it was."""
        self._process = {}
        try:
            self.meet_new_modules()
            yield
        finally:
            self.meet_new_modules()
            for index, knob, module in _loaded():
                self._page[index] = knob.read(module)
                knob.write(module, self._process[index])

    def meet_new_modules(self) -> None:
        """Bring newly imported modules to the page's state; one it has none for starts as on every page."""
        for index, knob, module in _loaded():
            if index not in self._process:
                self._process[index] = knob.read(module)
                if index in self._page:
                    knob.write(module, self._page[index])
                else:
                    knob.start(module)


def _loaded() -> list[tuple[int, Knob, Any]]:
    return [
        (i, knob, sys.modules[knob.module]) for i, knob in enumerate(KNOBS) if sys.modules.get(knob.module)
    ]


@contextlib.contextmanager
def random_kept() -> Iterator[None]:
    """Leave the random generators as they were: looking at a number must not change the next one."""
    saved: list[tuple[Callable[[Any], Any], Any]] = [(random.setstate, random.getstate())]
    if numpy := sys.modules.get("numpy"):
        generator = numpy.random
        saved.append((generator.set_state, generator.get_state()))
    if torch := sys.modules.get("torch"):
        saved.append((torch.set_rng_state, torch.get_rng_state()))
    try:
        yield
    finally:
        for write, state in saved:
            write(state)
