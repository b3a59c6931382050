"""``rrip convert``: encode slides, copy containers."""

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

from ..errors import RripError, SourceError, printable
from ..spec.extensions import EXTENSIONS, FOLDER, SEALED, TIFF, ZIP
from .ending import complain, fail, handle_sigterm, with_notes
from .options import (
    AS_JSON,
    IMAGE,
    KEEP_IDENTIFIERS,
    LABEL,
    OVERWRITE,
    STORAGE,
    WORKERS,
    FiniteRange,
    PixelSize,
    takes_settings,
)
from .progress import progress_bar

if TYPE_CHECKING:
    from ..containers.copying import Stripping
    from ..sources import Source
    from ..tuning.settings import Settings

__all__ = ["LARGE_PX", "convert"]

_KINDS = {"folder": FOLDER, "zip": ZIP, "tiff": TIFF[0], "sealed": SEALED}
"""Extensions of containers by kind."""

LARGE_PX = 64_000_000
"""Size of a slide from which on processes repay starting them."""


@click.command(short_help="Convert slides and images, or copy containers.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="SOURCE DEST | SOURCE… --out-dir DIR")
@click.option("--out-dir", type=click.Path(file_okay=False), help="Convert every SOURCE to a container in this folder.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="folder", help="Kind of these containers. [folder]")
@takes_settings
@WORKERS
@click.option("--scheduler", metavar="ADDRESS", help="Encode on the Dask cluster of this scheduler.")
@LABEL
@KEEP_IDENTIFIERS
@click.option("--strip", is_flag=True, help="Leave out of the copy of a container what may tell whose tissue it is.")
@IMAGE
@click.option(
    "--missing-tiles", type=click.Choice(["error", "background"]), help="What tiles without data are. [error]"
)
@click.option("--mpp", type=PixelSize(), help="Micrometres per pixel, in place of what SOURCE says.")
@click.option("--objective", type=FiniteRange(0, min_open=True), help="Magnification, in place of what SOURCE says.")
@OVERWRITE
@click.option("--resume", is_flag=True, help="Continue an interrupted run, if there is one.")
@click.option("--verify/--no-verify", default=True, help="Decode every written tile and compare it. [verify]")
@STORAGE
@click.option(
    "--second-opinion/--no-second-opinion",
    default=True,
    help="Compare some blocks with what another library reads first. [second-opinion]",
)
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
    """Convert the slide SOURCE to the container DEST (.rrip.zarr, .rrip.zarr.zip, .rrip.tif or .rrip).

    SOURCE is a slide (SVS, NDPI, MRXS, SCN, BIF, DICOM, TIFF, OME-TIFF), an image (PNG, JPEG), or a container, whose
    tiles are copied without encoding them again. DEST appears when it is complete; it may be in a
    bucket (s3://bucket/slide.rrip.tif).

    What may identify the patient is left out: label and macro images, the name of the file, and all properties that do
    not describe how the slide was scanned. Containers are copied completely, or with --strip without all that.

    With --out-dir there may be several sources; if one fails, the others are converted all the same.
    """
    pairs = _pairs(paths, out_dir, _KINDS[kind])
    with handle_sigterm(), _cluster(scheduler) as cluster:
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
        fail(f"{failed} of {len(pairs)} sources could not be converted", 1)


def _pairs(paths: tuple[str, ...], out_dir: str | None, suffix: str) -> list[tuple[str, str]]:
    """Return each source with the container to make of it."""
    from ..storage.access import is_bucket, local_name

    paths = tuple(local_name(path) for path in paths)
    if out_dir is None:
        if len(paths) != 2:
            raise click.UsageError("expected SOURCE and DEST, or several sources and --out-dir")
        return [(paths[0], paths[1])]
    to_bucket = is_bucket(out_dir)
    names = [f"{_stem(path)}{suffix}" for path in paths]
    targets = [f"{out_dir.rstrip('/')}/{name}" if to_bucket else str(Path(out_dir) / name) for name in names]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise click.UsageError(f"several sources would be converted to {', '.join(sorted(twice))}; convert them apart")
    if not to_bucket:
        Path(out_dir).mkdir(parents=True, exist_ok=True)
    return list(zip(paths, targets, strict=True))


def _stem(path: str) -> str:
    """Return the name of a source without its extension."""
    name = Path(path).name
    for suffix in (*EXTENSIONS, ".ome.tif", ".ome.tiff"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(path).stem


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[tuple[Executor, int] | None]:
    """Connect to a Dask cluster; yield its executor and number of threads, None without a scheduler."""
    if scheduler is None:
        yield None
        return
    from ..conversion.executors import cluster

    with cluster(scheduler) as found:
        yield found


@contextmanager
def _processes(source: Source, workers: int) -> Iterator[Executor | None]:
    """Start a process pool if the slide is large enough to repay starting processes, otherwise yield None."""
    if workers == 1 or not source.is_tiled or source.info.width * source.info.height < LARGE_PX:
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
    """Convert or copy one source, and print the result."""
    from ..containers.copying import Stripping
    from ..conversion.processes import prepare
    from ..sources.tiffcheck import first_page_px

    how = {name: options.pop(name) for name in ("image", "missing_tiles", "mpp", "objective")}
    if _is_container(source):
        for_slides = [*given, *(name for name, value in how.items() if value is not None)]
        if for_slides:
            names = ", ".join(for_slides)
            raise click.UsageError(
                f"{source} is a container: its tiles are copied, so {names} cannot be changed; leave it out"
            )
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
    if cluster is None and workers > 1 and is_free and first_page_px(Path(source)) >= LARGE_PX:
        prepare()  # in the background
    from ..conversion.arguments import reading
    from ..conversion.lossy import describe_loss, own_quality
    from ..conversion.run import convert as run
    from ..privacy.identifiers import pixels_may_identify
    from ..slides.describing import format_bytes
    from ..sources import open_source
    from ..tuning.settings import Settings

    settings = Settings(**{name: value for name, value in given.items() if value != "source"})
    with open_source(source, **reading(source, **how)) as opened:
        if given.get("quality") == "source":
            settings = dataclasses.replace(settings, quality=own_quality(opened))
        if options["resume"] and not options["overwrite"] and _is_there(opened, dest, settings, options):
            click.echo(
                json.dumps({"path": dest, "there_already": True}) if as_json else printable(f"{dest}: exists already")
            )
            return
        with (
            nullcontext(cluster) if cluster else _processes(opened, workers) as executor,
            progress_bar("converting", quiet=as_json) as progress,
        ):
            for note in [] if as_json else opened.info.notes:
                click.echo(printable(f"note: {note}"), err=True)
            done = run(opened, dest, settings, executor=executor, progress=progress, **options)
        shown = pixels_may_identify(opened.info.properties)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
        return
    notes = [describe_loss(Path(source).name, done.compressions, settings)]
    if shown:
        notes.append(f"{Path(source).name} says that its pixels show the label or other text; nothing removes that")
    for note in filter(None, notes):
        click.echo(printable(f"note: {note}"), err=True)
    kind = str(settings.target).partition("=")[0]
    reached = "" if done.reached is None else f", {kind} {done.reached:.2f} on a sample"
    share = f", {done.total_bytes / done.source_bytes:.0%} of its source" if done.source_bytes else ""
    resumed = f", {done.resumed_families} of {done.families} families resumed" if done.resumed_families else ""
    size = f"{format_bytes(done.total_bytes)}{share}{reached}{resumed}; {done.second_opinion}"
    click.echo(printable(f"{done.path}: {done.width} x {done.height} px, {done.levels} levels, {size}"))
    _warn(dest)


def _is_container(source: str) -> bool:
    """Return whether the tiles of a source are to be copied; what is on a server has to be a container."""
    from ..containers.opening import open_container
    from ..containers.recognition import is_container
    from ..errors import FormatError, NotFoundError
    from ..sources import ONLY_LOCAL
    from ..storage.access import is_url

    if not is_url(source):
        return is_container(source)
    try:
        open_container(source).close()
    except NotFoundError:
        raise
    except FormatError as error:
        raise SourceError(f"{source}: is not an RRIP container; {ONLY_LOCAL}") from error
    return True


def _is_there(source: Source, dest: str, settings: Settings, options: dict[str, Any]) -> bool:
    """Return whether the target is the complete result of the same command."""
    from ..containers.opening import open_container
    from ..conversion.plan import Wanted, is_made_of

    try:
        container = open_container(dest)
    except (RripError, OSError, ValueError):
        return False
    container.close()
    return is_made_of(container.metadata, source, settings, Wanted(options["label"], options["keep_identifiers"]))


def _copy(source: str, dest: str, strip: Stripping | None, *, overwrite: bool, verify: bool, as_json: bool) -> None:
    """Copy a container to the same or another kind."""
    from ..containers.copying import transmux
    from ..containers.opening import total_bytes
    from ..slides.describing import format_bytes

    with progress_bar("copying", quiet=as_json) as progress:
        stored = transmux(source, dest, overwrite=overwrite, verify=verify, strip=strip, progress=progress)
    total = total_bytes(dest, stored)
    if as_json:
        click.echo(json.dumps({"path": dest, "stored_bytes": stored, "total_bytes": total}))
    else:
        click.echo(printable(f"{dest}: {format_bytes(total)} copied"))
        _warn(dest)


def _warn(dest: str) -> None:
    """Say what other software makes of a TIFF file: it does not know that there is more in it."""
    if dest.lower().endswith((".tif", ".tiff")):
        text = (
            f"{dest}: software without RRIP opens level 2 of it, at a quarter of the resolution; a .rrip file gives it "
            "nothing to mistake"
        )
        click.echo(printable(text), err=True)
