"""How commands end: with one line and an exit code for every error."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any, NoReturn

import click

from ..errors import RripError, printable

__all__ = ["Commands", "complain", "fail", "handle_sigterm", "with_notes"]


class Commands(click.Group):
    """Commands that end with one line and an exit code: 1 for an error of this package, 130 for Ctrl-C."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and translate its exceptions."""
        try:
            return super().invoke(ctx)
        except RripError as error:
            fail(with_notes(str(error), error), 1)
        except KeyboardInterrupt as error:
            if not _notes_of(error):
                error.add_note("nothing was left at the target")
            fail(with_notes("interrupted", error), 128 + (error.number if isinstance(error, _Terminated) else 2))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            if isinstance(error, OSError) and error.filename is None:  # those of files say which
                fail(with_notes(f"its output cannot be written: {error}", error), 1)
            fail(with_notes(f"unexpected {type(error).__name__}: {error}; 'rrip --debug …' shows where", error), 70)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, for example from a batch system or a container's host, or SIGHUP of a terminal that is closed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def handle_sigterm() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end work like Ctrl-C, and repeat a signal if Python has dropped its exception.

    SIGHUP that is ignored, as under ``nohup``, stays so.
    """

    def end(number: int, _: object) -> None:
        raise _Terminated(number)

    numbers = [signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        numbers.append(signal.SIGHUP)
    before, hook = {number: signal.signal(number, end) for number in numbers}, sys.unraisablehook
    timers: list[Timer] = []

    def repeat_signal(lost: sys.UnraisableHookArgs) -> None:
        """Send a signal again, shortly afterwards, whose exception was raised in a callback that cannot raise."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = lost.exc_value.number if isinstance(lost.exc_value, _Terminated) else signal.SIGINT
            timers.append(Timer(0.02, _signal_main_thread, [number]))
            timers[-1].start()
        else:
            hook(lost)

    sys.unraisablehook = repeat_signal
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_main_thread(number: int) -> None:
    """Send a signal to the main thread, which interrupts a system call that it waits in."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def with_notes(message: str, error: BaseException) -> str:
    """Append the notes of an exception to a message."""
    return "; ".join([message, *_notes_of(error)])


def _notes_of(error: BaseException | None) -> list[str]:
    """Return the notes of an exception, or else of the one that was being handled when it was raised."""
    while error is not None:
        if notes := getattr(error, "__notes__", []):
            return list(notes)
        error = error.__context__
    return []


def complain(message: str) -> None:
    """Print one line on standard error, without control characters."""
    click.echo("rrip: " + printable(" ".join(message.split())), err=True)


def fail(message: str, code: int) -> NoReturn:
    """Print an error message and exit with a code."""
    complain(message)
    sys.exit(code)
