"""Convert a slide or an array to a container, block by block and resumable.

``docs/converting.md`` describes what remains after each kind of failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..containers.creating import check_room, check_target, open_writer
from ..containers.opening import total_bytes
from ..containers.writer import ContainerWriter
from ..errors import RripError, SourceError
from ..second_reader.check import NOT_ASKED, SecondOpinion, check_source
from ..sources import Source, open_source
from ..spec.geometry import Geometry
from ..spec.metadata import Compression, Metadata
from ..storage.access import is_bucket, local_name
from ..storage.journal import Journal, read_journal
from ..tuning.settings import Settings, Steps
from .arguments import chosen_settings, reading
from .lossy import own_quality
from .pictures import encode_pictures
from .pipeline import Pipeline, is_resumable
from .plan import Plan, Wanted, fit_profile, make_metadata, make_plan, note_plan, recall_plan

__all__ = ["Conversion", "convert"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Result of a conversion.

    Parameters
    ----------
    path : str
        Path of the container.
    width, height : int
        Size of level 0, px.
    levels : int
        Number of levels.
    families, empty_families : int
        Number of families, and of those that are empty.
    resumed_families : int
        Number of families that an interrupted run had written.
    stored_bytes : int
        Bytes of all stored tiles.
    total_bytes : int
        Bytes of the container, metadata included, as in ``rrip info``.
    source_bytes : int or None
        Size of the source.
    steps : four floats or None
        Quantiser steps that were found for the slide, as in :class:`rrip_format.tuning.settings.Settings`.
    reached : float or None
        Value that was reached for the target of the settings, on a sample.
    quality : int
        Of the settings; where the source's own was wanted, that.
    compressions : tuple of Compression, or None
        How the pixels of the source had been compressed before, oldest first; None where that is not known.
    notes : tuple of str
        How the source was read, where that needs a word: which of several pictures, what was left out.
    second_opinion : SecondOpinion
        Which other library read the same pixels, or why none did.
    """

    path: str
    width: int
    height: int
    levels: int
    families: int
    empty_families: int
    resumed_families: int
    stored_bytes: int
    total_bytes: int
    source_bytes: int | None
    steps: Steps | None
    reached: float | None
    quality: int
    compressions: tuple[Compression, ...] | None
    notes: tuple[str, ...] = ()
    second_opinion: SecondOpinion = NOT_ASKED


def convert(
    source: Any,
    target: str | os.PathLike[str],
    settings: Settings | None = None,
    *,
    quality: int | Literal["source"] | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    overwrite: bool = False,
    resume: bool = False,
    verify: bool = True,
    label: bool = False,
    keep_identifiers: bool = False,
    image: int | str | None = None,
    missing_tiles: Literal["error", "background"] | None = None,
    mpp: float | tuple[float, float] | None = None,
    objective: float | None = None,
    second_opinion: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Conversion:
    """Convert a slide, an image or an array to an RRIP container.

    Parameters
    ----------
    source : str, path-like, numpy.ndarray, dask.array.Array, zarr.Array or Source
        A slide, an image or an array (height, width, 3) uint8, as :func:`rrip_format.sources.open_source` opens it; or
        an open source, which stays open.
    target : str or path-like
        Path, or URL in a bucket: ``*.rrip.zarr``, ``*.rrip.zarr.zip``, ``*.rrip.tif`` or ``*.rrip``; it appears when it
        is complete.
    settings : Settings, optional
        Settings of the encoder.
    quality : int or "source", optional
        1 … 100, short for ``Settings(quality=…)``; by default 90. ``"source"``: that of the JPEG streams of the source,
        whatever the settings say, so that the container is no worse than the source compressed once more.
    workers : int, optional
        Number of threads that encode and check, besides a few that wait for the disk; by default the number of cores.
        With an executor, the number of blocks that it works on at the same time.
    executor : concurrent.futures.Executor, optional
        Where families are encoded instead of threads: a process pool, or ``dask.distributed.Client.get_executor()``. It
        is left running. The settings are found and the tiles are written in this process. Tiles are checked in this
        process too, or by a process pool.
    overwrite : bool
        Replace a container at the target.
    resume : bool
        Continue an interrupted run with the same source and settings, if there is one; the container then has the same
        bytes as that of an uninterrupted run. Otherwise remove what an interrupted run has left.
    verify : bool
        Decode every written tile, and compare it with what the encoder expects.
    label : bool
        Keep the label image, and a macro image that shows the label or may show it, which may identify the patient.
    keep_identifiers : bool
        Keep the name of the file and all of its properties, not only those that say how it was scanned.
    image : int or str, optional
        Number (0 first) or name of the picture to convert, where a source holds several; the largest if not given.
        What `source` is open for already cannot be changed.
    missing_tiles : str, optional
        ``"background"``: tiles without data are background, also in formats where they mean damage. ``"error"``, the
        default, refuses them there.
    mpp : float or two floats, optional
        Micrometres per pixel (x, y), in place of what the source says.
    objective : float, optional
        Nominal magnification, in place of what the source says.
    second_opinion : bool
        Compare dimensions, orientation and colour of some blocks with what another library reads, before any work.
    progress : callable, optional
        Called with (families done, families in all).

    Returns
    -------
    Conversion
        Path, sizes and settings of the container.

    Raises
    ------
    TypeError
        If `settings` is not a :class:`Settings`.
    ValueError
        If `quality` differs from that of `settings`, or how to read a source is given with one that is open.
    TargetError
        If the target cannot be written, is being written by another run, or exists and `overwrite` is not set.
    SourceNotFoundError
        If there is no such source; it is a ``FileNotFoundError``.
    SourceError
        If the source cannot be read completely, or is damaged, or another library reads something else.
    DamagedError
        If a tile that is read back differs from what was written.
    RripError
        If the interrupted run had another source, other settings or another version, or if the executor lost its
        workers.
    """
    settings = chosen_settings(settings, None if quality == "source" else quality)
    wanted = Wanted(label, keep_identifiers)
    how = reading(source, image=image, missing_tiles=missing_tiles, mpp=mpp, objective=objective)
    target = local_name(os.fsdecode(target))
    check_target(target, overwrite=overwrite)
    workers = workers or os.cpu_count() or 1
    threads = workers if executor is None else min(workers, os.cpu_count() or 1)
    with nullcontext(source) if isinstance(source, Source) else open_source(source, **how) as opened:
        if quality == "source":
            settings = replace(settings, quality=own_quality(opened))
        settings = fit_profile(settings, opened.info)
        if resume and not is_resumable(opened):
            raise RripError("an array may have changed, so its conversion cannot be resumed: convert it again")
        opinion = check_source(opened) if second_opinion else NOT_ASKED
        check_room(target, Geometry(opened.info.width, opened.info.height, settings.tile))
        with (
            open_writer(_absolute(target), overwrite=overwrite, resume=resume, verify=verify) as writer,
            _threads(threads) as local,  # one per core: a thread that waits for a core may hold the interpreter lock
            _threads(threads) as settling,  # these wait for the disk
        ):
            notes = read_journal(writer.place.journal) if resume else []
            with _note_resumability(writer, kept=len(notes) > 1):
                before = opened.as_opened or opened.fingerprint()
                plan = recall_plan(notes[0], opened, settings, wanted) if notes else None
                plan = plan or make_plan(opened, settings, local)
                make_metadata(opened, plan, wanted)  # fail before the work if something cannot be stored
                for picture, jpeg in encode_pictures(opened, label=label):
                    writer.write_associated(picture, jpeg)
                checking = executor if isinstance(executor, ProcessPoolExecutor) else local
                run = Pipeline(opened, plan, writer, checking, settling, verify=verify, progress=progress)
                restored = run.restore(notes[1:], local, 2 * workers)
                begun = [note_plan(plan, opened, settings, wanted), *notes[1 : 1 + restored]]
                with Journal(writer.place.journal, begun) as journal:
                    run.encode(journal, restored, executor or local, 2 * workers)
                if opened.fingerprint() != before:
                    writer.resumable = False
                    raise SourceError(f"{opened.info.name}: has changed while it was converted; convert it again")
                run.write_overviews()
                metadata = make_metadata(opened, plan, wanted, run.empty)
                return replace(_finish(opened, plan, run, writer, metadata, target), second_opinion=opinion)


def _absolute(name: str) -> str:
    """Return a path that stays right where the working directory changes; a URL as it is."""
    return name if is_bucket(name) else os.path.abspath(name)  # noqa: PTH100


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Start threads whose pending work is cancelled if the context ends with an exception."""
    with ThreadPoolExecutor(workers, thread_name_prefix="rrip") as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def _note_resumability(writer: ContainerWriter, *, kept: bool) -> Iterator[None]:
    """Add a note to an exception saying whether the run can be resumed; `kept` if it can from the start."""
    writer.resumable = kept
    try:
        yield
    except BaseException as error:
        error.add_note(
            f"finished parts are kept in {writer.place.folder}: --resume continues from there"
            if writer.resumable
            else "nothing was left at the target"
        )
        raise


def _finish(
    source: Source, plan: Plan, run: Pipeline, writer: ContainerWriter, metadata: Metadata, target: str
) -> Conversion:
    """Write metadata and ICC profile, and move the complete container to the target."""
    info, geometry = source.info, plan.coding.geometry
    writer.finish(metadata, info.icc_profile)
    return Conversion(
        path=target,
        width=geometry.width,
        height=geometry.height,
        levels=geometry.levels,
        families=run.empty.size,
        empty_families=int(run.empty.sum()),
        resumed_families=run.resumed_families,
        stored_bytes=run.stored_bytes,
        total_bytes=total_bytes(target, run.stored_bytes),
        source_bytes=info.size_bytes,
        steps=plan.settings.steps,
        reached=plan.reached,
        quality=plan.settings.quality,
        compressions=metadata.slide.compressions,
        notes=info.notes,
    )
