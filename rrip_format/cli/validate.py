"""``rrip validate``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..errors import RripError, printable
from .ending import fail
from .options import STORAGE, WORKERS, json_line
from .progress import progress_bar

if TYPE_CHECKING:
    from ..integrity.comparison import Comparison
    from ..integrity.findings import Finding
    from ..integrity.validation import Depth
    from ..second_reader.check import SecondOpinion

__all__ = ["validate"]

_DEPTHS = ["header", "index", "checksums", "pixels"]


@click.command(short_help="Find everything that is wrong with a container.")
@click.argument("path", type=click.Path())
@click.option("--depth", type=click.Choice(_DEPTHS), default="checksums", show_default=True, help="What to check.")
@click.option("--strict", is_flag=True, help="Count warnings in the exit code.")
@click.option("--source", type=click.Path(), help="The slide that it was made from, to compare level 0 pixel by pixel.")
@WORKERS
@STORAGE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line: each finding, then a summary.")
def validate(
    *,
    path: str,
    depth: Depth,
    strict: bool,
    source: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Find everything that is wrong with the container PATH.

    Depths: header checks the metadata; index also documents, attachments and the presence of every tile; checksums also
    length, checksum and trailer of every tile; pixels also decodes every stream. Exit code: 0 valid, 1 findings, 2
    usage or input and output, 3 a limit.
    """
    from ..integrity.findings import Tally
    from ..integrity.validation import find_problems

    tally, compared, opinion = Tally(), None, None

    def add(finding: Finding) -> None:
        tally.add(finding)
        if as_json:
            click.echo(json_line(finding.to_json()))

    try:
        with progress_bar("validating", quiet=as_json) as progress:
            for finding in find_problems(path, depth, workers=workers, progress=progress):
                add(finding)
        if source is not None:
            compared, opinion = _compare(path, source, workers=workers, quiet=as_json, add=add)
    except RripError as error:  # not about the content of the container
        fail(str(error), 2)
    errors, warnings = tally.of("error"), tally.of("warning")
    code = tally.exit_code(strict=strict)
    if as_json:
        found = {"path": path, "depth": depth, "valid": code == 0, "errors": errors, "warnings": warnings}
        found |= {"rules": dict(tally.counts), "source": None if compared is None else compared.to_json()}
        found |= {"second_opinion": None if opinion is None else asdict(opinion)}
        click.echo(json_line(found))
    else:
        for line in tally.lines():
            click.echo(line)
        verdict = "not valid" if code else "valid"
        click.echo(printable(f"{path}: {verdict} at depth {depth}, {errors} errors, {warnings} warnings"))
        if compared is not None:
            click.echo(str(compared))
        if opinion is not None:
            click.echo(printable(f"of the source, {opinion}"))
    sys.exit(code)


def _reading(path: str) -> dict[str, Any]:
    """Return how the source of a container was read, in arguments of ``open_source``; none if it cannot be opened."""
    from ..containers.opening import open_container

    try:
        with closing(open_container(path)) as container:
            given = container.metadata.writer.get("given")
            filled = isinstance(given, dict) and given.get("missing_tiles") == "background"
            image = container.metadata.slide.properties.get("rrip.image")
            return {"allow_missing_tiles": filled, "image": image}
    except RripError:
        return {}


def _compare(
    path: str, source: str, *, workers: int | None, quiet: bool, add: Callable[[Finding], None]
) -> tuple[Comparison | None, SecondOpinion | None]:
    """Compare a container with its source, and that with what another library reads.

    The comparison is None if the container cannot be opened or has another size, the second opinion if it differs.
    """
    from ..containers.opening import open_container
    from ..integrity.comparison import check_reading, check_size, compare
    from ..integrity.findings import Finding
    from ..sources import open_source

    with open_source(source, **_reading(path)) as opened:
        said = check_reading(opened)
        if isinstance(said, Finding):
            add(said)
        opinion = None if isinstance(said, Finding) else said
        try:
            container = open_container(path)
        except RripError:
            return None, opinion
        with closing(container):
            finding = check_size(container, opened)
            if finding is not None:
                add(finding)
                return None, opinion
            with progress_bar("comparing", quiet=quiet) as progress:
                return compare(container, opened, workers=workers, progress=progress), opinion
