"""``rrip convert``: slides are encoded, containers are copied."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import RripError, printable
from .ending import complain, ending_politely, fail, with_notes
from .options import AS_JSON, KEEP_IDENTIFIERS, LABEL, OVERWRITE, WORKERS, PixelSize, takes_settings
from .progress import progress_bar

if TYPE_CHECKING:
    from ..containers.copying import Stripping
    from ..sources import Source
    from ..tuning.settings import Settings

__all__ = ["convert"]

_KINDS = {"folder": ".rrip.zarr", "zip": ".rrip.zarr.zip", "tiff": ".rrip.tif"}

_LARGE_PX = 64_000_000
"""From here on processes gain more than it takes to begin them."""


@click.command(short_help="Convert slides and images, or copy containers.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="SOURCE DEST | SOURCE… --out-dir DIR")
@click.option("--out-dir", type=click.Path(file_okay=False), help="Convert every SOURCE to a container in this folder.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="folder", help="What to make there. [folder]")
@takes_settings
@WORKERS
@click.option("--scheduler", metavar="ADDRESS", help="Encode on the Dask cluster of this scheduler.")
@click.option(
    "--missing-tiles", type=click.Choice(["error", "background"]), help="What tiles without data are. [error]"
)
@click.option("--mpp", type=PixelSize(), help="Micrometres per pixel, in place of what SOURCE says.")
@click.option(
    "--objective", type=click.FloatRange(0, min_open=True), help="Magnification, in place of what SOURCE says."
)
@LABEL
@KEEP_IDENTIFIERS
@click.option("--strip", is_flag=True, help="Leave out of the copy of a container what may tell whose tissue it is.")
@OVERWRITE
@click.option("--resume", is_flag=True, help="Go on from what an interrupted run has left, if it has.")
@click.option("--verify/--no-verify", default=True, help="Decode and compare every tile as it was written. [verify]")
@AS_JSON
def convert(
    *,
    paths: tuple[str, ...],
    out_dir: str | None,
    kind: str,
    scheduler: str | None,
    given: dict[str, Any],
    as_json: bool,
    **options: Any,
) -> None:
    """Convert the slide SOURCE to the container DEST (.rrip.zarr, .rrip.zarr.zip or .rrip.tif).

    SOURCE is a slide (SVS, NDPI, MRXS, SCN, BIF, DICOM, TIFF, OME-TIFF), an image (PNG, JPEG), or a container: from
    that, tiles are copied as they are, and nothing is encoded again. DEST appears when it is complete.

    What may tell whose tissue it is stays out: label and macro images, the name of the file, and all properties that do
    not say how the slide was scanned. Copies of containers are whole; with --strip they are without all that.

    With --out-dir, any number of sources; those that fail are named, and the others are converted all the same.
    """
    pairs = _pairs(paths, out_dir, _KINDS[kind])
    with ending_politely(), _cluster(scheduler) as cluster:
        if cluster is not None:
            options["workers"] = options["workers"] or cluster[1]
        failed = 0
        for source, dest in pairs:
            try:
                _convert(source, dest, given, as_json=as_json, cluster=cluster and cluster[0], **options)
            except (RripError, click.UsageError) as error:
                if out_dir is None:
                    raise
                complain(with_notes(str(error), error))
                failed += 1
    if failed:
        fail(f"{failed} of {len(pairs)} sources were not converted", 1)


def _pairs(paths: tuple[str, ...], out_dir: str | None, suffix: str) -> list[tuple[str, str]]:
    """Sources and the containers to make of them."""
    if out_dir is None:
        if len(paths) != 2:
            raise click.UsageError("expected SOURCE and DEST, or several sources and --out-dir")
        return [(paths[0], paths[1])]
    targets = [str(Path(out_dir) / f"{_stem(path)}{suffix}") for path in paths]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise click.UsageError(f"more than one source would become {', '.join(sorted(twice))}")
    Path(out_dir).mkdir(parents=True, exist_ok=True)
    return list(zip(paths, targets, strict=True))


def _stem(path: str) -> str:
    """The name of a source without its extension, one of ours or ``.ome.tif`` too."""
    name = Path(path).name
    for suffix in (*_KINDS.values(), ".rrip.tiff", ".ome.tif", ".ome.tiff"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(path).stem


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[tuple[Executor, int] | None]:
    """The executor of a cluster and how many threads it has, None without one."""
    if scheduler is None:
        yield None
        return
    from ..conversion.executors import cluster

    with cluster(scheduler) as found:
        yield found


@contextmanager
def _processes(source: Source, workers: int) -> Iterator[Executor | None]:
    """Processes of this machine if they are worth their beginning for a source that is open here."""
    if workers == 1 or not source.is_tiled or source.info.width * source.info.height < _LARGE_PX:
        yield None
        return
    from ..conversion.processes import process_pool

    with process_pool(workers) as pool:
        yield pool


def _convert(
    source: str,
    dest: str,
    given: dict[str, Any],
    *,
    as_json: bool,
    cluster: Executor | None,
    strip: bool,
    **options: Any,
) -> None:
    """Convert or copy one source, and say what came of it."""
    from ..containers.copying import Stripping
    from ..conversion.processes import prepare
    from ..sources.tiffcheck import first_page_px

    reading = {name: options.pop(name) for name in ("missing_tiles", "mpp", "objective")}
    if _is_container(source):
        for_slides = [*given, *(name for name, value in reading.items() if value is not None)]
        if for_slides:
            names = ", ".join(for_slides)
            raise click.UsageError(f"{source} is a container: its tiles are copied and keep their {names}")
        stripping = Stripping(options["label"], options["keep_identifiers"]) if strip else None
        overwrite, verify = options["overwrite"], options["verify"]
        _copy(source, dest, stripping, overwrite=overwrite, verify=verify, as_json=as_json)
        return
    if strip:
        raise click.UsageError(
            f"{source} is no container: --strip is for those; of slides, identifiers stay out anyway"
        )
    workers = options["workers"] or os.cpu_count() or 1
    is_free = options["overwrite"] or not os.path.lexists(dest)
    if cluster is None and workers > 1 and is_free and first_page_px(Path(source)) >= _LARGE_PX:
        prepare()  # beside all that follows
    from ..conversion.arguments import opening
    from ..conversion.lossy import describe_loss, own_quality
    from ..conversion.run import convert as run
    from ..slides.describing import format_bytes
    from ..sources import open_source
    from ..tuning.settings import Settings

    settings = Settings(**{name: value for name, value in given.items() if value != "source"})
    with open_source(source, **opening(source, **reading)) as opened:
        if given.get("quality") == "source":
            settings = dataclasses.replace(settings, quality=own_quality(opened))
        if options["resume"] and not options["overwrite"] and _is_there(opened, dest, settings, options):
            click.echo(json.dumps({"path": dest, "there_already": True}) if as_json else f"{dest}: is there already")
            return
        with (
            nullcontext(cluster) if cluster else _processes(opened, workers) as executor,
            progress_bar("converting", quiet=as_json) as progress,
        ):
            done = run(opened, dest, settings, executor=executor, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
        return
    lost = describe_loss(Path(source).name, done.compressions, settings)
    if lost is not None:
        click.echo(printable(f"note: {lost}"), err=True)
    kind = str(settings.target).partition("=")[0]
    reached = "" if done.reached is None else f", {kind} {done.reached:.2f} on a sample"
    share = f", {done.total_bytes / done.source_bytes:.0%} of its source" if done.source_bytes else ""
    resumed = f", {done.resumed_families} of {done.families} families were there" if done.resumed_families else ""
    size = f"{format_bytes(done.total_bytes)}{share}{reached}{resumed}"
    click.echo(f"{done.path}: {done.width} x {done.height} px, {done.levels} levels, {size}")


def _is_container(source: str) -> bool:
    """Whether a source is a container, whatever its name: anything else fails when it is opened as a slide."""
    from ..containers.base import open_container

    try:
        open_container(source).close()
    except (RripError, OSError, ValueError):
        return False
    return True


def _is_there(source: Source, dest: str, settings: Settings, options: dict[str, Any]) -> bool:
    """Whether an earlier run of the same command has come to its end: what `convert` would refuse to overwrite."""
    from ..containers.base import open_container
    from ..conversion.plan import Wanted, is_made_of

    try:
        container = open_container(dest)
    except (RripError, OSError, ValueError):
        return False
    container.close()
    return is_made_of(container.metadata, source, settings, Wanted(options["label"], options["keep_identifiers"]))


def _copy(source: str, dest: str, strip: Stripping | None, *, overwrite: bool, verify: bool, as_json: bool) -> None:
    """Copy a container to one of the same or another kind."""
    from ..containers.base import total_bytes
    from ..containers.copying import transmux
    from ..slides.describing import format_bytes

    with progress_bar("copying", quiet=as_json) as progress:
        stored = transmux(source, dest, overwrite=overwrite, verify=verify, strip=strip, progress=progress)
    total = total_bytes(dest)
    if as_json:
        click.echo(json.dumps({"path": dest, "stored_bytes": stored, "total_bytes": total}))
    else:
        click.echo(f"{dest}: {format_bytes(total)} copied")
