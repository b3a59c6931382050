"""The command ``rrip``: arguments in, one line or JSON out; a module a command.

Commands import what does their work inside their function, so that ``rrip --help`` answers at once.
"""

from __future__ import annotations

import click

from .. import __version__
from . import convert, demo, evaluate, export, info, repair, validate
from .ending import Commands

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="rrip")
@click.option("--debug", is_flag=True, help="Show a traceback for unexpected errors.")
def main(*, debug: bool) -> None:
    """Store whole-slide images as a JPEG base and JPEG residuals.

    'rrip COMMAND --help' tells all about a command.
    """
    del debug  # read by Commands


for _command in (
    convert.convert,
    demo.demo,
    evaluate.evaluate,
    export.export,
    info.info,
    repair.repair,
    validate.validate,
):
    main.add_command(_command)
