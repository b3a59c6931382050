"""Run the benchmarks that ``docs/records/speed.md`` names, and insert their output into the page.

::

    python tools/benchmarks/bench_page.py docs/records/speed.md --testdata ../shared/testdata

A block of the page is what stands between ``<!-- begin: COMMAND -->`` and ``<!-- end -->``. A block ``begin must hold:
COMMAND`` takes the table of the same run that says what must hold. All take half an hour on a quiet machine.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click

BLOCK = re.compile(r"<!-- begin( must hold)?: (.+?) -->\n(.*?)<!-- end -->", re.DOTALL)
HEAD = "| what must hold |"


def commands(page: str) -> list[str]:
    """Return the commands of a page, each once, in order."""
    return list(dict.fromkeys(match[2] for match in BLOCK.finditer(page)))


def filled(page: str, outputs: dict[str, str]) -> str:
    """Return the page with new text in the blocks of those commands."""

    def replace(match: re.Match[str]) -> str:
        only_what_must_hold, command, _ = match.groups()
        if command not in outputs:
            return match[0]
        parts = outputs[command].strip().split("\n\n")
        wanted = [part for part in parts if part.startswith(HEAD) == bool(only_what_must_hold)]
        begin = match[0].partition("\n")[0]
        return "\n\n".join([begin, *wanted, "<!-- end -->"]) if wanted else match[0]

    return BLOCK.sub(replace, page)


def run(command: str, *options: str) -> str:
    """Return the output of a command of the page."""
    program, *arguments = shlex.split(command)
    assert program == "python"
    click.echo(f"$ {command}", err=True)
    done = subprocess.run([sys.executable, *arguments, *options], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{command} failed with exit code {done.returncode}")
    return done.stdout


@click.command()
@click.argument("page", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--testdata",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=os.environ.get("RRIP_TESTDATA", "../shared/testdata"),
    show_default=True,
    help="Folder of the tissue.",
)
@click.option("--only", help="Run only commands that have this text in them.")
@click.option("--quick", is_flag=True, help="Pass --quick on, to see that everything works.")
def main(*, page: Path, testdata: Path, only: str | None, quick: bool) -> None:
    """Run the benchmarks that PAGE names, and put what they print into it, one after the other."""
    options = ["--testdata", str(testdata), *(["--quick"] if quick else [])]
    for command in commands(page.read_text(encoding="utf-8")):
        if only is None or only in command:
            found = {command: run(command, *options)}
            page.write_text(filled(page.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
