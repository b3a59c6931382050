"""The plan of a conversion: everything that is decided before pixels are encoded, and its note for a later run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any
from uuid import UUID

import numpy as np
import rfc8785
from numpy.typing import NDArray

from .. import __version__
from ..containers.base import load_json
from ..errors import RripError, SourceError
from ..privacy.identifiers import without_identifiers
from ..sources import SlideInfo, Source
from ..sources.compressions import find_compressions
from ..sources.storedtiles import count_missing_tiles
from ..spec.geometry import Geometry
from ..spec.metadata import Coding, Metadata, SlideMetadata, parse_metadata
from ..spec.zarr_layout import dump
from ..tuning.calibration import FAMILIES, find_quality, keep_promise
from ..tuning.chroma_fit import Fits
from ..tuning.sampling import even_families, pad_levels, tissue_families
from ..tuning.settings import LevelFit, Settings, Target

__all__ = ["Plan", "Wanted", "fit_profile", "is_made_of", "make_metadata", "make_plan", "note_plan", "recall_plan"]

Json = Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which parts of a source besides its pixels to store.

    Parameters
    ----------
    label : bool
        Store images that show the label, or may show it.
    identifiers : bool
        Store the name of the file and all properties, not only technical ones.
    """

    label: bool = False
    identifiers: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Coding and settings of a container, known before its pixels are encoded.

    Parameters
    ----------
    coding : Coding
        Coding of the container, without its empty families.
    settings : Settings
        Settings with the quantiser steps that were found for the slide.
    reached : float or None
        Value reached for the target of the settings, on the sample.
    digest : bytes
        Digest of the source, see :meth:`rrip_format.sources.Source.digest`.
    """

    coding: Coding
    settings: Settings
    reached: float | None = None
    digest: bytes = b""


_LARGEST_PADDING = 1.1
"""Padded pixels of level 0 with the tiles of the profile ``archive``, as a multiple of those with the usual ones, above
which larger tiles save nothing."""


def fit_profile(settings: Settings, info: SlideInfo) -> Settings:
    """Return settings for a slide of that size: ``archive`` keeps usual tiles where larger ones pad it much more."""
    if settings.profile != "archive":
        return settings

    def padded(tile: int) -> int:
        geometry = Geometry(info.width, info.height, tile)
        rows, cols = geometry.families
        return rows * cols * geometry.tile_side(0) ** 2

    usual = Settings().tile
    if padded(settings.tile) <= _LARGEST_PADDING * padded(usual):
        return settings
    return replace(settings, profile=None, tile=usual)


def make_plan(source: Source, settings: Settings, executor: Executor) -> Plan:
    """Choose the settings for a slide on a sample of it."""
    reached = None
    target = Target.parse(settings.target) if settings.target else None
    if target and target.kind == "ratio":  # of the whole slide, glass included
        geometry = Geometry(source.info.width, source.info.height, settings.tile)
        sample = [pad_levels(levels, geometry) for levels in even_families(source, geometry)]
    else:
        sample = tissue_families(source, executor, FAMILIES[settings.effort])
    if target:
        settings, fits, reached = find_quality(sample, settings, target, executor)
    else:
        settings, fits = keep_promise(sample, settings, executor)
    return _plan(source, settings, fits, reached, source.digest())


def _plan(source: Source, settings: Settings, fits: Fits, reached: float | None, digest: bytes) -> Plan:
    info = source.info
    geometry = Geometry(info.width, info.height, settings.tile)
    uuid = _identity(source, settings, digest)
    return Plan(Coding(uuid, geometry, settings.residuals(fits), info.background), settings, reached, digest)


def _identity(source: Source, settings: Settings, digest: bytes) -> UUID:
    """Return the UUID of the container, the same for the same source and settings."""
    read_with = {name: value for name, value in _options(source).items() if value is not None and value is not False}
    identity = hashlib.sha256(rfc8785.dumps({"settings": settings.to_json(), "writer": __version__}))
    read_with = {name: value for name, value in _options(source).items() if value is not None and value is not False}
    identity.update(rfc8785.dumps([list(source.info.background), read_with]))
    identity.update(digest)
    return UUID(bytes=identity.digest()[:16], version=4)


def _circumstances(source: Source, settings: Settings, digest: bytes, wanted: Wanted) -> dict[str, Json]:
    """Return everything besides the plan that determines the bytes of a container, by its name in messages."""
    return {
        "rrip_format version": __version__,
        "source": source.info.name,
        "size of the source": source.info.size_bytes,
        "sha256 of the source": digest.hex(),
        "label image": wanted.label,
        "identifiers": wanted.identifiers,
        **settings.to_json(),
    }


def note_plan(plan: Plan, source: Source, settings: Settings, wanted: Wanted) -> Json:
    """Return a plan and its circumstances as JSON."""
    weights = plan.coding.residuals[0].luma_filter
    return {
        "circumstances": _circumstances(source, settings, plan.digest, wanted),
        "settings": plan.settings.to_json(),
        "chroma": [[list(how.chroma_taps), list(how.cfl)] for how in plan.coding.residuals],
        "luma_filter": weights and list(weights),
        "reached": plan.reached,
        "uuid": str(plan.coding.uuid),
    }


def recall_plan(note: Json, source: Source, settings: Settings, wanted: Wanted) -> Plan:
    """Restore the plan of an interrupted run with the same source and settings.

    Raises
    ------
    RripError
        If the circumstances have changed, or the note is damaged.
    """
    if not _is_note(note):
        raise RripError(
            f"{source.info.name}: the interrupted run cannot be resumed: its journal does not begin with a plan, so it "
            "is damaged; run without --resume to start again, which removes the interrupted run"
        )
    digest = source.digest()
    before = note["circumstances"]
    now = json.loads(json.dumps(_circumstances(source, settings, digest, wanted)))
    changed = [
        f"{name} was {_brief(before.get(name))} and is {_brief(now.get(name))}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    found: Mapping[str, Json] = note["settings"]
    steps = found["steps"] and tuple(found["steps"])
    first, second = (LevelFit(tuple(taps), tuple(cfl)) for taps, cfl in note["chroma"])
    first = replace(first, luma_filter=note["luma_filter"] and tuple(note["luma_filter"]))
    plan = None
    if not changed:
        plan = _plan(source, replace(settings, steps=steps), (first, second), note["reached"], digest)
        if str(plan.coding.uuid) == note["uuid"]:
            return plan
        changed = ["the source is read with other options"]
    raise RripError(
        f"{source.info.name}: the interrupted run cannot be resumed: {', '.join(changed)}; use the same as before, or "
        "run without --resume to start again, which removes the interrupted run"
    )


def _is_note(note: Json) -> bool:
    """Return whether JSON has the form of a note of :func:`note_plan`."""

    def are(values: Json, count: int, kinds: type | UnionType) -> bool:
        return isinstance(values, list) and len(values) == count and all(isinstance(value, kinds) for value in values)

    names = {"circumstances", "settings", "chroma", "luma_filter", "reached", "uuid"}
    if not isinstance(note, dict) or not names <= note.keys():
        return False
    settings, chroma = note["settings"], note["chroma"]
    return (
        isinstance(note["circumstances"], dict)
        and isinstance(settings, dict)
        and (settings.get("steps", 0) is None or are(settings.get("steps"), 4, int | float))
        and are(chroma, 2, list)
        and all(len(fit) == 2 and are(fit[0], 4, int) and are(fit[1], 2, int) for fit in chroma)
        and (note["luma_filter"] is None or are(note["luma_filter"], 4, int))
        and isinstance(note["reached"], int | float | None)
    )


def _brief(value: Json) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _slide(source: Source, wanted: Wanted) -> SlideMetadata:
    """Return the description of the slide, without identifiers unless they are wanted."""
    info = source.info
    mpp = None if info.mpp_x is None or info.mpp_y is None else (info.mpp_x, info.mpp_y)
    slide = SlideMetadata(
        mpp=mpp,
        objective=info.objective_power,
        vendor=info.vendor,
        properties=info.properties,
        source_name=info.name,
        source_bytes=info.size_bytes,
        compressions=find_compressions(source),
        missing_tiles=count_missing_tiles(source) if _options(source).get("allow_missing_tiles") else 0,
    )
    return slide if wanted.identifiers else without_identifiers(slide)


def _options(source: Source) -> Mapping[str, Json]:
    """Return the arguments that a source was opened with."""
    found: Mapping[str, Json] = getattr(source.reopen[0], "keywords", {})
    return found


def _given(source: Source) -> dict[str, Json]:
    """Return what the user stated in place of what the source says (spec section 8.4)."""
    options, given = _options(source), dict[str, Json]()
    if options.get("mpp") is not None:
        given["mpp"] = [_whole(source.info.mpp_x), _whole(source.info.mpp_y)]
    if options.get("objective_power") is not None:
        given["objective"] = _whole(options["objective_power"])
    if options.get("background") is not None:
        given["background"] = list(options["background"])
    if options.get("allow_missing_tiles"):
        given["missing_tiles"] = "background"
    return given


def _whole(value: float | None) -> float | None:
    """Return a whole number without its fraction, as the metadata have it (spec section 8.1)."""
    return int(value) if value is not None and float(value).is_integer() else value


def is_made_of(metadata: Metadata, source: Source, settings: Settings, wanted: Wanted) -> bool:
    """Return whether a container could be the result of the same conversion, judging by its metadata."""
    geometry, found = metadata.coding.geometry, metadata.writer.get("settings")
    return (
        (geometry.width, geometry.height) == (source.info.width, source.info.height)
        and metadata.slide == _slide(source, wanted)
        and isinstance(found, dict)
        and {**found, "steps": None} == json.loads(json.dumps(fit_profile(settings, source.info).to_json()))
        and (wanted.label or "label" not in metadata.attachments)
    )


def make_metadata(
    source: Source, plan: Plan, wanted: Wanted | None = None, empty: NDArray[np.bool_] | None = None
) -> Metadata:
    """Return the metadata of a container; `empty`, (rows, columns) bool, says which families are empty, if known.

    What may identify a patient is left out unless it is `wanted`.

    Raises
    ------
    SourceError
        If the properties of the source cannot be stored.
    """
    info, coding = source.info, plan.coding
    if empty is not None and empty.any():
        coding = replace(coding, empty_bits=np.packbits(empty).tobytes())
    slide = _slide(source, wanted or Wanted())
    writer = {"name": "rrip_format", "version": __version__, "settings": plan.settings.to_json()}
    if given := _given(source):
        writer["given"] = given
    metadata = Metadata(coding, slide, writer)
    try:
        parse_metadata(load_json(dump(metadata.to_json()), "the object rrip"))
    except (RripError, ValueError, RecursionError) as error:
        raise SourceError(f"{info.name}: its metadata cannot be stored: {error}") from error
    return metadata
