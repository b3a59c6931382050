"""The command ``rrip``: parse arguments, print one line or JSON; one module for each command.

Commands import the modules that they need in their functions, so that ``rrip --help`` is fast.
"""

from __future__ import annotations

import click

from .. import __version__
from . import convert, demo, evaluate, export, info, repair, serve, validate, view
from .ending import Commands

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="rrip")
@click.option("--debug", is_flag=True, help="Show a traceback for unexpected errors.")
def main(*, debug: bool) -> None:
    """Store whole-slide images as a JPEG base and JPEG residuals.

    'rrip COMMAND --help' describes a command.
    """
    del debug  # read by Commands


for _command in (
    convert.convert,
    demo.demo,
    evaluate.evaluate,
    export.export,
    info.info,
    repair.repair,
    serve.serve,
    validate.validate,
    view.view,
):
    main.add_command(_command)
