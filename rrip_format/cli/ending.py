"""How a command ends: one line and an exit code for everything that can go wrong."""

from __future__ import annotations

import signal
import sys
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
            if not getattr(error, "__notes__", []):
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

    def ask_again(lost: sys.UnraisableHookArgs) -> None:
        """Where a callback of imports or of the compiler, which cannot raise, was what a signal interrupted."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(lost.exc_value, _Terminated) else signal.SIGINT
            Timer(0.02, signal.raise_signal, [number]).start()
        else:
            hook(lost)

    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)


def with_notes(message: str, error: BaseException) -> str:
    """A message with what was noted on the error, such as what is left behind."""
    return "; ".join([message, *getattr(error, "__notes__", [])])


def complain(message: str) -> None:
    """Print one line on standard error, whatever is in the message."""
    click.echo("rrip: " + printable(" ".join(message.split())), err=True)


def fail(message: str, code: int) -> NoReturn:
    """Say what is wrong and leave with an exit code."""
    complain(message)
    sys.exit(code)
