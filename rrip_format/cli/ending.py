"""How a command ends: one line and an exit code for everything that can go wrong."""

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

__all__ = ["Commands", "complain", "ending_politely", "fail", "with_notes"]


class Commands(click.Group):
    """Commands that end in one line and an exit code: 1 for an error of ours, 130 for an interrupt."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except RripError as error:
            fail(with_notes(str(error), error), 1)
        except KeyboardInterrupt as error:
            if not _notes_of(error):
                error.add_note("nothing was left at the target")
            fail(with_notes("interrupted", error), 143 if isinstance(error, _Terminated) else 130)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            fail(with_notes(f"unexpected {type(error).__name__}: {error}; 'rrip --debug …' shows where", error), 70)


class _Terminated(KeyboardInterrupt):
    """A polite request to end, from a batch system or a container's host."""


@contextmanager
def ending_politely() -> Iterator[None]:
    """Let SIGTERM end work as Ctrl-C does, and neither be lost."""

    def end(*_: object) -> None:
        raise _Terminated

    before, hook = signal.signal(signal.SIGTERM, end), sys.unraisablehook
    timers: list[Timer] = []

    def ask_again(lost: sys.UnraisableHookArgs) -> None:
        """Where a callback of imports or of the compiler, which cannot raise, was what a signal interrupted."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(lost.exc_value, _Terminated) else signal.SIGINT
            timers.append(Timer(0.02, _signal_main_thread, [number]))
            timers[-1].start()
        else:
            hook(lost)

    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        signal.signal(signal.SIGTERM, before)


def _signal_main_thread(number: int) -> None:
    """As if a signal came from outside: it wakes the main thread where that waits, if the system can."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def with_notes(message: str, error: BaseException) -> str:
    """A message with what was noted on the error, such as what is left behind."""
    return "; ".join([message, *_notes_of(error)])


def _notes_of(error: BaseException | None) -> list[str]:
    """Those of an error, or of the one that it came in the midst of: a second Ctrl-C knows nothing."""
    while error is not None:
        if notes := getattr(error, "__notes__", []):
            return list(notes)
        error = error.__context__
    return []


def complain(message: str) -> None:
    """Print one line on standard error, whatever is in the message."""
    click.echo("rrip: " + printable(" ".join(message.split())), err=True)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong and leave with an exit code."""
    complain(message)
    sys.exit(code)
