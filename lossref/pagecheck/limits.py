"""Let nothing run for ever: a time limit for the main thread, on every platform."""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

from lossref.pagecheck.source import Check, Location, PageError

SECONDS = 60.0


class TimeLimit(Exception):
    """The time is up."""


class Interrupt(KeyboardInterrupt):
    """A real interrupt, by the watch or by Ctrl-C; a page that raises KeyboardInterrupt only fails."""


def _interrupt(*_: object) -> None:
    raise Interrupt


@contextlib.contextmanager
def time_limit(seconds: float, stderr: TextIO | int | None = None) -> Iterator[None]:
    """Raise TimeLimit in the main thread when the body takes longer than `seconds`.

    Python code is interrupted.  A single C call cannot be (`9**9**9`): there, after three times as long,
    Python's own watchdog prints where it stands to `stderr` and ends the process, because a hang would say
    nothing at all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts only reach the main thread
        return
    done, fired, lock = threading.Event(), threading.Event(), threading.Lock()
    main = threading.get_ident()

    def interrupt() -> None:
        pause = seconds
        while not done.wait(pause):
            with lock:
                if done.is_set():
                    return
                fired.set()
                if hasattr(signal, "pthread_kill"):
                    signal.pthread_kill(main, signal.SIGINT)  # also ends a sleep
                else:
                    _thread.interrupt_main()
            pause = 0.5  # again, for code that catches everything

    # A process started in the background ignores SIGINT, and then an interrupt would do nothing.
    handler = signal.signal(signal.SIGINT, _interrupt)
    watchdog = stderr if stderr is not None else sys.__stderr__
    if watchdog is not None:
        faulthandler.dump_traceback_later(3 * seconds, exit=True, file=watchdog)
    watcher = threading.Thread(target=interrupt, daemon=True)
    watcher.start()
    late = None
    try:
        try:
            yield
        finally:
            try:
                with lock:
                    done.set()
                watcher.join()
            except KeyboardInterrupt as interrupted:  # it struck between the body's last step and here
                late = interrupted
                done.set()
    except KeyboardInterrupt as interrupted:
        if not fired.is_set():
            raise
        raise TimeLimit().with_traceback(interrupted.__traceback__) from None
    finally:
        done.set()
        if watchdog is not None:
            faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGINT, handler)
    if late is not None and not fired.is_set():
        raise late


def run_check(check: Check, seconds: float = SECONDS, stderr: TextIO | int | None = None) -> str:
    """Run a check under the time limit; return its label."""
    try:
        with time_limit(seconds, stderr):
            return check.run()
    except TimeLimit as limit:
        place = page_frame(limit, check.location.path)
        location = Location(check.location.path, place, 1) if place else check.location
        raise PageError(location, f"still running after {seconds:g} s: does this end?") from None
    except Interrupt:
        raise
    except KeyboardInterrupt:
        raise PageError(check.location, "this raises KeyboardInterrupt") from None


def page_frame(problem: BaseException, path: str) -> int | None:
    """The line of the page that an exception comes from: page code is compiled under the page's name."""
    line, trace = None, problem.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
