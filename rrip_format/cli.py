"""The command ``rrip``: arguments in, one line or JSON out."""

from __future__ import annotations

import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import RripError, printable

if TYPE_CHECKING:
    from .comparison import Comparison
    from .encoder import Settings
    from .findings import Finding
    from .validation import Depth

__all__ = ["main"]


class _Commands(click.Group):
    """Commands that end in one line and an exit code: 1 for an error of ours, 130 for an interrupt."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RripError as error:
            _fail(_with_notes(str(error), error), 1)
        except KeyboardInterrupt as error:
            if not getattr(error, "__notes__", []):
                error.add_note("nothing was left at the target")
            _fail(_with_notes("interrupted", error), 143 if isinstance(error, _Terminated) else 130)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            _fail(_with_notes(f"unexpected {type(error).__name__}: {error}; 'rrip --debug …' shows where", error), 70)


class _Terminated(KeyboardInterrupt):
    """A polite request to end, from a batch system or a container's host."""


@contextmanager
def _ending_politely() -> Iterator[None]:
    """Let SIGTERM end work as Ctrl-C does."""

    def end(*_: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _with_notes(message: str, error: BaseException) -> str:
    """A message with what was noted on the error, such as what is left behind."""
    return "; ".join([message, *getattr(error, "__notes__", [])])


def _fail(message: str, code: int) -> None:
    click.echo("rrip: " + _one_line(message), err=True)
    sys.exit(code)


def _one_line(message: str) -> str:
    return printable(" ".join(message.split()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rrip")
@click.option("--debug", is_flag=True, help="Show a traceback for unexpected errors.")
def main(*, debug: bool) -> None:
    """Store whole-slide images as a JPEG base and JPEG residuals."""
    del debug  # read by _Commands


_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs, and nothing else.")


_SETTINGS = (
    click.option(
        "-q", "--quality", type=click.IntRange(1, 100), help="No worse than a JPEG pyramid of this quality. [90]"
    ),
    click.option(
        "--target", help="Find the setting that reaches psnr=…, ratio=… or ssimulacra2=… on a sample instead."
    ),
    click.option("--effort", type=click.Choice(["fast", "default", "best"]), help="Smaller for more time. [default]"),
    click.option("--tune", type=click.Choice(["psnr", "ssim"]), help="What to be small for. [psnr]"),
    click.option("--preset", type=click.Choice(["notebook"]), help="The original method, for comparison."),
    click.option("--base-tile", type=int, help="Side of a base tile in pixels; level 0 tiles are four times it. [128]"),
    click.option("--luma-only", is_flag=True, help="Store no chroma residuals: smaller, with less exact colour."),
)

_SETTING_NAMES = ("quality", "target", "effort", "tune", "preset", "base_tile", "luma_only")


def _settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options for the settings of the encoder; :func:`_given_settings` takes them."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


def _given_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of ``Settings``, of those options that were given."""
    return {
        ("tile" if name == "base_tile" else name): value
        for name, value in options.items()
        if value is not None and value is not False
    }


_KINDS = {"folder": ".rrip.zarr", "zip": ".rrip.zarr.zip", "tiff": ".rrip.tif"}


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE DEST | SOURCE… --out-dir DIR")
@click.option("--out-dir", type=click.Path(file_okay=False), help="Convert every SOURCE to a container in this folder.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="folder", help="What to make there. [folder]")
@_settings_options
@click.option("-j", "--workers", type=click.IntRange(min=1), help="Threads. [all cores]")
@click.option("--scheduler", metavar="ADDRESS", help="Encode on the Dask cluster of this scheduler.")
@click.option("--label", is_flag=True, help="Keep the label image, which may show whose tissue it is.")
@click.option("--overwrite", is_flag=True, help="Replace a container that is at DEST.")
@click.option("--resume", is_flag=True, help="Go on from what an interrupted run has left, if it has.")
@click.option("--verify/--no-verify", default=True, help="Decode and compare every tile as it was written. [verify]")
@_AS_JSON
def convert(
    *,
    paths: tuple[str, ...],
    out_dir: str | None,
    kind: str,
    scheduler: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert the slide SOURCE to the container DEST (.rrip.zarr, .rrip.zarr.zip or .rrip.tif).

    SOURCE is a slide (SVS, NDPI, MRXS, SCN, BIF, DICOM, TIFF, OME-TIFF), an image (PNG, JPEG), or a container: from
    that, tiles are copied as they are, and nothing is encoded again. DEST appears when it is complete.

    With --out-dir, any number of sources; those that fail are named, and the others are converted all the same.
    """
    given = _given_settings({name: options.pop(name) for name in _SETTING_NAMES})
    pairs = _pairs(paths, out_dir, _KINDS[kind])
    with _ending_politely(), _executor(scheduler) as executor:
        if executor is not None:
            options.update(executor=executor[0], workers=options["workers"] or executor[1])
        failed = 0
        for source, dest in pairs:
            try:
                _convert(source, dest, given, as_json=as_json, **options)
            except RripError as error:
                if out_dir is None:
                    raise
                click.echo("rrip: " + _one_line(_with_notes(str(error), error)), err=True)
                failed += 1
    if failed:
        _fail(f"{failed} of {len(pairs)} sources were not converted", 1)


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
def _executor(scheduler: str | None) -> Iterator[tuple[Executor, int] | None]:
    """The executor of a cluster and how many threads it has, None without one."""
    if scheduler is None:
        yield None
        return
    from .workers import cluster

    with cluster(scheduler) as found:
        yield found


def _convert(source: str, dest: str, given: dict[str, Any], *, as_json: bool, **options: Any) -> None:
    """Convert or copy one source, and say what came of it."""
    from .conversion import convert as run
    from .encoder import Settings
    from .info import format_bytes

    if _is_container(source):
        if given:
            raise click.UsageError(f"{source} is a container: its tiles are copied and keep their {', '.join(given)}")
        _copy(source, dest, overwrite=options["overwrite"], verify=options["verify"], as_json=as_json)
        return
    settings = Settings(**given)
    if options["resume"] and not options["overwrite"] and _is_there(source, dest, settings):
        click.echo(json.dumps({"path": dest, "there_already": True}) if as_json else f"{dest}: is there already")
        return
    with _progress("converting", quiet=as_json) as progress:
        done = run(source, dest, settings, progress=progress, **options)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done)))
        return
    kind = str(settings.target).partition("=")[0]
    reached = "" if done.reached is None else f", {kind} {done.reached:.2f} on a sample"
    share = f", {done.stored_bytes / done.source_bytes:.0%} of its source" if done.source_bytes else ""
    resumed = f", {done.resumed_families} of {done.families} families were there" if done.resumed_families else ""
    size = f"{format_bytes(done.stored_bytes)}{share}{reached}{resumed}"
    click.echo(f"{done.path}: {done.width} x {done.height} px, {done.levels} levels, {size}")


def _is_container(source: str) -> bool:
    """Whether a source is a container, whatever its name: anything else fails when it is opened as a slide."""
    from .container import open_container

    try:
        open_container(source).close()
    except (RripError, OSError, ValueError):
        return False
    return True


def _is_there(source: str, dest: str, settings: Settings) -> bool:
    """Whether an earlier run of the same command has come to its end: what `convert` would refuse to overwrite."""
    from .container import open_container
    from .source import open_source

    try:
        container = open_container(dest)
    except (RripError, OSError, ValueError):
        return False
    container.close()
    about, writer = container.metadata.slide, container.metadata.writer
    with open_source(source) as opened:
        same = (opened.info.name, opened.info.size_bytes) == (about.source_name, about.source_bytes)
    found = writer.get("settings")
    return same and isinstance(found, dict) and {**found, "steps": None} == settings.to_json()


def _copy(source: str, dest: str, *, overwrite: bool, verify: bool, as_json: bool) -> None:
    """Copy a container to one of the same or another kind."""
    from .info import format_bytes
    from .transmux import transmux

    with _progress("copying", quiet=as_json) as progress:
        stored = transmux(source, dest, overwrite=overwrite, verify=verify, progress=progress)
    click.echo(
        json.dumps({"path": dest, "stored_bytes": stored}) if as_json else f"{dest}: {format_bytes(stored)} copied"
    )


@contextmanager
def _progress(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal, nothing anywhere else."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

        def update(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield update


@main.command()
@click.argument("path")
@_AS_JSON
def info(*, path: str, as_json: bool) -> None:
    """Show levels, sizes and metadata of the container PATH."""
    from .info import describe, format_info
    from .slide import open_slide

    with open_slide(path) as slide:
        found = describe(slide)
    click.echo(json.dumps(found, ensure_ascii=False) if as_json else format_info(found))


@main.command()
@click.argument("path")
@click.argument("dest", type=click.Path())
@click.option("-q", "--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="JPEG quality.")
@click.option("--label", is_flag=True, help="Keep the label image, which may show whose tissue it is.")
@click.option("-j", "--workers", type=click.IntRange(min=1), help="Threads. [all cores]")
@click.option("--overwrite", is_flag=True, help="Replace what is at DEST.")
@_AS_JSON
def export(
    *, path: str, dest: str, quality: int, label: bool, workers: int | None, overwrite: bool, as_json: bool
) -> None:
    """Write the container PATH as DEST, for readers that know nothing of RRIP.

    DEST is a pyramidal TIFF (.tif), OME-TIFF (.ome.tif) or Deep Zoom (.dzi); it appears when it is complete.
    """
    from .export import export as run
    from .info import format_bytes

    with _progress("exporting", quiet=as_json) as progress:
        size = run(path, dest, quality=quality, label=label, workers=workers, overwrite=overwrite, progress=progress)
    click.echo(json.dumps({"path": dest, "bytes": size}) if as_json else f"{dest}: {format_bytes(size)}")


@main.command()
@click.option(
    "--out", type=click.Path(file_okay=False), default="rrip-demo", show_default=True, help="Folder for its files."
)
@_AS_JSON
def demo(*, out: str, as_json: bool) -> None:
    """Convert a tissue picture that is part of the installation, and compare it with a JPEG pyramid."""
    from .demo import format_demo, run_demo

    found = run_demo(out)
    click.echo(json.dumps(found) if as_json else format_demo(found))


@main.command()
@click.argument("source")
@click.option("--out", type=click.Path(file_okay=False), required=True, help="Folder for the report; made if needed.")
@click.option("--families", type=click.IntRange(min=1), default=4, show_default=True, help="How many to measure.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the choice of families.")
@click.option("--all", "everything", is_flag=True, help="Measure every family, and convert the whole slide.")
@click.option(
    "--offset",
    type=click.IntRange(min=0),
    default=0,
    help="Start of the families in px: 4 is off a source's JPEG grid.",
)
@click.option("--codecs", help="Comma-separated keys of the codecs to compare with. [all]")
@click.option("--ssimulacra2/--no-ssimulacra2", default=True, help="SSIMULACRA2 takes most of the time.")
@_settings_options
@_AS_JSON
def evaluate(
    *,
    source: str,
    out: str,
    families: int,
    seed: int,
    everything: bool,
    offset: int,
    codecs: str | None,
    ssimulacra2: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure size, quality and decode time on the slide or image SOURCE, beside other codecs.

    OUT gets report.md with plots, summary.json, samples.csv and the container. Everything is really encoded and
    decoded; it takes some minutes.
    """
    from .encoder import Settings
    from .evaluate import evaluate as run
    from .evaluate import format_summary

    settings = Settings(**_given_settings(options))
    with _progress("measuring", quiet=as_json) as progress:
        summary = run(
            source,
            out,
            settings,
            families=None if everything else families,
            seed=seed,
            offset=offset,
            codecs=None if codecs is None else [key.strip() for key in codecs.split(",")],
            ssimulacra2=ssimulacra2,
            progress=progress,
        )
    click.echo(json.dumps(summary, ensure_ascii=False) if as_json else format_summary(summary))


_DEPTHS = ["header", "index", "checksums", "pixels"]


@main.command()
@click.argument("path")
@click.option("--depth", type=click.Choice(_DEPTHS), default="checksums", show_default=True, help="How deep to look.")
@click.option("--strict", is_flag=True, help="Let warnings count for the exit code.")
@click.option("--source", help="The slide that it was made from, to compare level 0 with, pixel by pixel.")
@click.option("-j", "--workers", type=click.IntRange(min=1), help="Threads. [all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line: each finding, then a summary.")
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

    header: metadata and seals. index: what is there and what is not. checksums: CRC, place and trailer of every tile.
    pixels: every stream is decoded. Exit code: 0 valid, 1 findings, 2 usage or input and output, 3 a limit.
    """
    from .findings import Tally
    from .validation import find_problems

    tally, compared = Tally(), None

    def add(finding: Finding) -> None:
        tally.add(finding)
        if as_json:
            click.echo(json.dumps(finding.to_json(), ensure_ascii=False))

    try:
        with _progress("validating", quiet=as_json) as progress:
            for finding in find_problems(path, depth, workers=workers, progress=progress):
                add(finding)
        if source is not None:
            compared = _compare(path, source, workers=workers, quiet=as_json, add=add)
    except RripError as error:  # nothing is known of the container
        _fail(str(error), 2)
    errors, warnings = tally.of("error"), tally.of("warning")
    code = tally.exit_code(strict=strict)
    if as_json:
        found = {"path": path, "depth": depth, "valid": code == 0, "errors": errors, "warnings": warnings}
        found |= {"rules": dict(tally.counts), "source": None if compared is None else compared.to_json()}
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        for line in tally.lines():
            click.echo(line)
        verdict = "not valid" if code else "valid"
        click.echo(printable(f"{path}: {verdict} at depth {depth}, {errors} errors, {warnings} warnings"))
        if compared is not None:
            click.echo(str(compared))
    sys.exit(code)


def _compare(
    path: str, source: str, *, workers: int | None, quiet: bool, add: Callable[[Finding], None]
) -> Comparison | None:
    """Compare a container with its source; None where it cannot be opened, which is told, or has another size."""
    from .comparison import check_size, compare
    from .container import open_container
    from .source import open_source

    with open_source(source) as opened:
        try:
            container = open_container(path)
        except RripError:
            return None
        with closing(container):
            finding = check_size(container, opened)
            if finding is not None:
                add(finding)
                return None
            with _progress("comparing", quiet=quiet) as progress:
                return compare(container, opened, workers=workers, progress=progress)


@main.command()
@click.argument("path")
@click.argument("dest", type=click.Path())
@click.option("--fill-lost", is_flag=True, help="Fill lost tiles from the coarser level, instead of leaving them out.")
@click.option("--overwrite", is_flag=True, help="Replace a container that is at DEST.")
@click.option("-j", "--workers", type=click.IntRange(min=1), help="Threads. [all cores]")
@_AS_JSON
def repair(*, path: str, dest: str, fill_lost: bool, overwrite: bool, workers: int | None, as_json: bool) -> None:
    """Write all that the damaged container PATH still has as the new container DEST.

    Documents and tables are made again, and lost tiles of level 3 and coarser from the level below. Other lost tiles
    are left out, so that reading fails there and nowhere else, or filled. Exit code: 0 complete, 1 parts are lost.
    """
    from .repairing import repair as run

    with _progress("repairing", quiet=as_json) as progress:
        done = run(path, dest, fill_lost=fill_lost, overwrite=overwrite, workers=workers, progress=progress)
    if as_json:
        click.echo(json.dumps({"path": dest, **done.to_json()}))
    else:
        for line in done.lines():
            click.echo(line)
    sys.exit(1 if done.lost or done.lost_attachments or done.lost_root else 0)
