"""What is decided about a container before its pixels are encoded, and how a later run finds that again."""

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
from ..sources import Source
from ..sources.compressions import find_compressions
from ..sources.storedtiles import count_missing_tiles
from ..spec.geometry import Geometry
from ..spec.metadata import Coding, Metadata, SlideMetadata, parse_metadata
from ..spec.zarr_layout import dump
from ..tuning.calibration import FAMILIES, find_quality, keep_promise
from ..tuning.chroma_fit import Fits
from ..tuning.sampling import even_families, pad_levels, tissue_families
from ..tuning.settings import ChromaFit, Settings, Target

__all__ = ["Plan", "Wanted", "is_made_of", "make_metadata", "make_plan", "note_plan", "recall_plan"]

Json = Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a source besides its pixels a container takes.

    Parameters
    ----------
    label : bool
        Images that show the label, or may show it.
    identifiers : bool
        The file's name and all properties, not the technical ones alone.
    """

    label: bool = False
    identifiers: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a container that is known before its pixels are.

    Parameters
    ----------
    coding : Coding
    settings : Settings
        With the quantiser steps that were found for the slide.
    reached : float or None
        Of the target of the settings, on the sample.
    digest : bytes
        Of the source, as :meth:`rrip_format.sources.Source.digest`.
    """

    coding: Coding
    settings: Settings
    reached: float | None = None
    digest: bytes = b""


def make_plan(source: Source, settings: Settings, executor: Executor) -> Plan:
    """Look at a sample of the slide, and decide how to encode it."""
    reached = None
    target = Target.parse(settings.target) if settings.target else None
    if target and target.kind == "ratio":  # of the slide as it is, glass too
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
    """The same for the same source and settings, so that the same conversion gives the same bytes."""
    identity = hashlib.sha256(rfc8785.dumps({"settings": settings.to_json(), "writer": __version__}))
    identity.update(rfc8785.dumps([list(source.info.background), str(_options(source) or "")]))
    identity.update(digest)
    return UUID(bytes=identity.digest()[:16], version=4)


def _circumstances(source: Source, settings: Settings, digest: bytes, wanted: Wanted) -> dict[str, Json]:
    """Everything outside a plan that decides the bytes of its container, by what to call it."""
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
    """A plan and what it was made for, as JSON."""
    return {
        "circumstances": _circumstances(source, settings, plan.digest, wanted),
        "settings": plan.settings.to_json(),
        "chroma": [[list(how.chroma_taps), list(how.cfl)] for how in plan.coding.residuals],
        "reached": plan.reached,
        "uuid": str(plan.coding.uuid),
    }


def recall_plan(note: Json, source: Source, settings: Settings, wanted: Wanted) -> Plan:
    """The plan of an interrupted run, for the same source and settings.

    Raises
    ------
    RripError
        If anything is not as it was then, or the note is damaged.
    """
    if not _is_note(note):
        raise RripError(
            f"{source.info.name}: what was begun cannot be resumed: its journal does not begin with a plan, so it is "
            "damaged; run without --resume to start anew, which removes what was begun"
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
    first, second = (ChromaFit(tuple(taps), tuple(cfl)) for taps, cfl in note["chroma"])
    plan = None
    if not changed:
        plan = _plan(source, replace(settings, steps=steps), (first, second), note["reached"], digest)
        if str(plan.coding.uuid) == note["uuid"]:
            return plan
        changed = ["the source is read in another way"]
    raise RripError(
        f"{source.info.name}: what was begun cannot be resumed: {', '.join(changed)}; make it as it was, or run "
        "without --resume to start anew, which removes what was begun"
    )


def _is_note(note: Json) -> bool:
    """Whether JSON has the shape of what :func:`note_plan` returns."""

    def are(values: Json, count: int, kinds: type | UnionType) -> bool:
        return isinstance(values, list) and len(values) == count and all(isinstance(value, kinds) for value in values)

    if not isinstance(note, dict) or not {"circumstances", "settings", "chroma", "reached", "uuid"} <= note.keys():
        return False
    settings, chroma = note["settings"], note["chroma"]
    return (
        isinstance(note["circumstances"], dict)
        and isinstance(settings, dict)
        and (settings.get("steps", 0) is None or are(settings.get("steps"), 3, int | float))
        and are(chroma, 2, list)
        and all(len(fit) == 2 and are(fit[0], 4, int) and are(fit[1], 2, int) for fit in chroma)
        and isinstance(note["reached"], int | float | None)
    )


def _brief(value: Json) -> str:
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _slide(source: Source, wanted: Wanted) -> SlideMetadata:
    """What a container says of the slide."""
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
    """With which arguments a source was opened."""
    found: Mapping[str, Json] = getattr(source.reopen[0], "keywords", {})
    return found


def _given(source: Source) -> dict[str, Json]:
    """What the user stated in place of what the source says (spec section 8.4)."""
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
    """A whole number without its fraction, as the metadata have it (spec section 8.1)."""
    return int(value) if value is not None and float(value).is_integer() else value


def is_made_of(metadata: Metadata, source: Source, settings: Settings, wanted: Wanted) -> bool:
    """Whether a container says what one of a source with these settings would say, as far as no pixel tells it."""
    geometry, found = metadata.coding.geometry, metadata.writer.get("settings")
    return (
        (geometry.width, geometry.height) == (source.info.width, source.info.height)
        and metadata.slide == _slide(source, wanted)
        and isinstance(found, dict)
        and {**found, "steps": None} == json.loads(json.dumps(settings.to_json()))
        and (wanted.label or "label" not in metadata.attachments)
    )


def make_metadata(
    source: Source, plan: Plan, wanted: Wanted | None = None, empty: NDArray[np.bool_] | None = None
) -> Metadata:
    """The metadata of a container, given which families are empty, (rows, columns) bool, when that is known.

    What may identify a patient is left out unless it is `wanted`.

    Raises
    ------
    SourceError
        If what the source says of itself cannot be stored.
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
