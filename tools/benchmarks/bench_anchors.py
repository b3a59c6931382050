"""Size and decoding time of other codecs beside RRIP at one PSNR-Y, on fields of tissue and on whole slides.

::

    pip install 'rrip-format[evaluate]' ajpegli
    python tools/benchmarks/bench_anchors.py --picture docs/size-and-time.png

RRIP is encoded at its default quality, and each other codec at the setting with the same PSNR-Y of level 0: bytes are
interpolated between two settings beside it, times are those of the nearest setting. Of a field all families count. Of a
slide some are drawn, with a chance that grows with the bytes that the file has there, so that the mean of their ratios
estimates the whole level 0; the grid of families is shifted by 4 px, since a slide comes back from its own JPEG grid
almost as it was. "Level 0 only" stores no coarser level: level 1 is the mean of 2 x 2 px of a decoded level 0. A file's
own JPEG tiles are also stored as JPEG XL without any loss. All decode in one thread and in turns; times are multiples
of those of the JPEG 4:2:0 pyramid in the same round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from anchor_tables import tables
from bench_fields import FIELDS, field
from benchlib import Json, common_options, emit, interleave, machine, ratio, say
from equal_psnr import Match, matches
from own_tiles import Draw, OwnTiles, draw_families, own_tiles, transcode
from plot_anchors import draw as plot

from rrip_format import RripError, Settings
from rrip_format.core.predict import box2
from rrip_format.evaluate.ours import Rrip
from rrip_format.evaluate.peers import ANCHOR, Method, OneStream, Stored, peers
from rrip_format.evaluate.rate_distortion import usable
from rrip_format.evaluate.sample import Family, Sample
from rrip_format.evaluate.tables import number
from rrip_format.sources import open_source

CODECS = (
    ANCHOR,
    "jpeg-420-flat",
    "jpegli-420",
    "jpegli-444",
    "jxl",
    "jxl-7",
    "webp",
    "avif",
    "j2k-one",
    "htj2k-one",
)
"""Keys of :func:`rrip_format.evaluate.peers.peers`."""

SLIDES = {
    "CMU-1-Small-Region": "CMU-1-Small-Region.svs",
    "duodenum-BS9-40x": "duodenum-BS9-40x.svs",
    "ki67-hamamatsu": "ki67-hamamatsu.ome.tif",
    "TCGA-CR-7395": "TCGA-CR-7395-01A-01-TS1.svs",
}
"""Files by name; all but the last are JPEG, which is JPEG 2000."""

FAMILIES, TIMED, ROUNDS = 12, 4, 7
"""Families of a slide that are encoded, families of an image that are decoded in turns, and rounds of that."""

# --------------------------------------------------------------------------------------------------------------- times

Decoders = dict[str, dict[str, Callable[[], object]]]
"""What decodes a sample, by codec, then by ``level_0``, ``level_1`` (as stored), ``level_1_from_0`` (by averaging)."""


def _decode(parts: Sequence[Stored], level: int) -> None:
    for part in parts:
        part.decode(level)


def _derive(parts: Sequence[Stored]) -> None:
    for part in parts:
        box2(part.decode(0))


def decoders(found: Mapping[str, Match], methods: Sequence[Method]) -> Decoders:
    """Return what decodes the families of each codec; level 1 from level 0 where that is a picture of its own."""
    streams = {method.key for method in methods if isinstance(method, OneStream)}
    result: Decoders = {}
    for key, one in found.items():
        parts = one.parts[:: -(-len(one.parts) // TIMED)]
        result[key] = {f"level_{level}": partial(_decode, parts, level) for level in (0, 1)}
        if key != Rrip.key and key not in streams:
            result[key]["level_1_from_0"] = partial(_derive, parts)
    return result


def time_all(cases: Decoders, pixels: Mapping[str, int], rounds: int) -> dict[str, dict[str, Json]]:
    """Time all in turns: ms per megapixel of the level, and multiples of the JPEG pyramid's, medians of rounds.

    `pixels` is the number of pixels of level 0 that the decoders of a codec decode.
    """
    flat = {f"{key} {what}": call for key, calls in cases.items() for what, call in calls.items()}
    taken = interleave(flat, rounds).wall
    result: dict[str, dict[str, Json]] = {}
    for key, calls in cases.items():
        result[key] = {}
        for what in calls:
            level = int(what != "level_0")
            own, theirs = pixels[key] / 4**level / 1e6, pixels[ANCHOR] / 4**level / 1e6
            per_pixel = {
                "this": [seconds / own for seconds in taken[f"{key} {what}"]],
                ANCHOR: [seconds / theirs for seconds in taken[f"{ANCHOR} level_{level}"]],
            }
            result[key][what] = {
                "ms_per_megapixel": number(1000 * statistics.median(per_pixel["this"])),
                "to_jpeg": ratio(per_pixel, ANCHOR, "this").to_json(),
            }
    return result


# -------------------------------------------------------------------------------------------------------------- images


def own_jpeg(tiles: OwnTiles, draw: Draw, side: int, offset: int) -> tuple[dict[str, tuple[str, float]], Decoders, int]:
    """Return rows of a file's own tiles: label and part of its level 0, by key; their decoders, and pixels."""
    import imagecodecs

    places = [(row * side + offset, col * side + offset) for row, col in draw.places]
    touched = [tiles.touching(y, x, side) for y, x in places]
    streams = {index: tiles.stream(index) for indices in touched for index in indices}
    small = {index: transcode(stream) for index, stream in streams.items()}
    parts = [
        sum(len(small[index]) for index in indices) / sum(len(tiles.stored(index)) for index in indices)
        for indices in touched
    ]
    timed = [index for indices in touched[:: -(-len(touched) // TIMED)] for index in indices]
    jpegs, jxls = [streams[index] for index in timed], [small[index] for index in timed]

    def turbo(stream: bytes) -> Any:
        return imagecodecs.jpeg8_decode(stream)

    def libjxl(stream: bytes) -> Any:
        return imagecodecs.jpegxl_decode(stream, numthreads=1)

    def again(stream: bytes) -> Any:
        return turbo(imagecodecs.jpegxl_decode_jpeg(stream, numthreads=1))

    def cases(streams: Sequence[bytes], decode: Callable[[bytes], Any]) -> dict[str, Callable[[], object]]:
        stored = [Stored((0, 0, 0), lambda _, stream=stream: decode(stream)) for stream in streams]  # type: ignore[misc]
        return {"level_0": partial(_decode, stored, 0), "level_1_from_0": partial(_derive, stored)}

    part = sum(weight * part for weight, part in zip(draw.weights, parts, strict=True))
    labels = {
        "own": ("the file's own JPEG tiles", 1.0),
        "own-jxl": ("the same as JPEG XL without loss, decoded by libjxl", part),
        "own-jxl-jpeg": ("the same, made JPEG again and decoded by libjpeg-turbo", part),
    }
    calls = {"own": cases(jpegs, turbo), "own-jxl": cases(jxls, libjxl), "own-jxl-jpeg": cases(jxls, again)}
    return labels, calls, sum(turbo(stream)[..., 0].size for stream in jpegs)


def _report(
    found: Mapping[str, Match],
    labels: Mapping[str, str],
    times: Mapping[str, Mapping[str, Json]],
    per_file: float | None,
) -> dict[str, Json]:
    """Return the rows of an image; `per_file` is the part of the file that its level 0 is, None for a field."""
    jpeg = found[ANCHOR].whole
    rows = {}
    for key, one in found.items():
        alone = None if key == Rrip.key else one.level_0
        rows[key] = {
            "label": labels[key],
            "setting": number(one.setting),
            "psnr_y": number(one.psnr_y, 2),
            "psnr_rgb": number(one.psnr_rgb, 2),
            "psnr_rgb_to_rrip": number(one.psnr_rgb - found[Rrip.key].psnr_rgb, 2),
            "bytes_to_jpeg": number(one.whole / jpeg),
            "level_0_to_jpeg": None if alone is None else number(alone / jpeg),
            "bytes_to_file": None if per_file is None else number(one.whole * per_file),
            "level_0_to_file": None if per_file is None or alone is None else number(alone * per_file),
            "decode": times[key],
        }
    return rows


def measure_field(folder: Path, name: str, codecs: Sequence[str], rounds: int) -> dict[str, Json]:
    """Measure all families of a field."""
    settings = Settings()
    with open_source(field(folder, name)) as source:
        sample = Sample(source, settings.tile, [])
        families = [sample.family(*place) for place in sample.geometry.tiles(0)]
        methods, left_out = _methods(codecs, families[0])
        found = matches(
            methods, Rrip(source, settings), families, Draw([], [1.0] * len(families), [1.0] * len(families))
        )
    cases = decoders(found, methods)
    pixels = dict.fromkeys(
        cases, len(found[ANCHOR].parts[:: -(-len(families) // TIMED)]) * sample.geometry.tile_side(0) ** 2
    )
    rows = _report(found, _labels(methods), time_all(cases, pixels, rounds), None)
    return {"codecs": rows, "left_out": left_out, "families": len(families)}


def measure_slide(path: Path, codecs: Sequence[str], rounds: int, count: int, offset: int) -> dict[str, Json]:
    """Measure families drawn from a slide, and the file's own tiles if they are JPEG."""
    settings = Settings()
    with open_source(path) as source, own_tiles(path) as tiles:
        sample = Sample(source, settings.tile, [], offset=offset)
        side = sample.geometry.tile_side(0)
        places = [p for p in sample.geometry.tiles(0) if sample.geometry.tile_shape(0, *p) == (side, side)]
        draw = draw_families(tiles, places, side, offset, count)
        families = [sample.family(*place) for place in draw.places]
        methods, left_out = _methods(codecs, families[0])
        found = matches(methods, Rrip(source, settings), families, draw)
        cases = decoders(found, methods)
        pixels = dict.fromkeys(cases, len(families[:: -(-len(families) // TIMED)]) * side**2)
        per_file = tiles.total / path.stat().st_size
        own: dict[str, tuple[str, float]] = {}
        if tiles.is_jpeg:
            own, more, touched = own_jpeg(tiles, draw, side, offset)
            cases, pixels = cases | more, pixels | dict.fromkeys(more, touched)
    times = time_all(cases, pixels, rounds)
    rows = _report(found, _labels(methods), times, per_file)
    for key, (label, part) in own.items():
        rows[key] = {
            "label": label,
            "level_0_to_jpeg": number(part / found[ANCHOR].whole),
            "level_0_to_file": number(part * per_file),
            "decode": times[key],
        }
    return {
        "codecs": rows,
        "left_out": left_out,
        "families": len(families),
        "file": path.name,
        "file_bytes": path.stat().st_size,
        "level_0_bytes": tiles.total,
        "source_is_jpeg": tiles.is_jpeg,
    }


def _methods(codecs: Sequence[str], family: Family) -> tuple[list[Method], dict[str, str]]:
    known = {method.key: method for method in peers()}
    unknown = sorted(set(codecs) - set(known))
    if unknown:
        raise RripError(f"unknown codec {', '.join(unknown)}, expected some of {', '.join(known)}")
    return usable([known[key] for key in dict.fromkeys((ANCHOR, *codecs))], family)


def _labels(methods: Sequence[Method]) -> dict[str, str]:
    return {Rrip.key: Rrip.label} | {method.key: method.label for method in methods}


@click.command()
@common_options
@click.option("--codecs", default=",".join(CODECS), show_default=True, help="Keys of codecs; JPEG 4:2:0 is always one.")
@click.option("--images", help=f"Some of {', '.join((*FIELDS, *SLIDES))}; by default all.")
@click.option("--families", type=click.IntRange(min=1), default=FAMILIES, show_default=True, help="Drawn from a slide.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Also plot to this file.")
@click.option("--offset", type=click.IntRange(min=0), default=4, show_default=True, help="Of the grid on slides, px.")
def main(
    *,
    codecs: str,
    images: str | None,
    families: int,
    offset: int,
    picture: Path | None,
    testdata: Path,
    rounds: int | None,
    quick: bool,
    as_json: bool,
) -> None:
    """Print size and decoding time of codecs at one PSNR-Y, on fields of tissue and on slides beside their files."""
    keys, turns, count = codecs.split(","), rounds or (1 if quick else ROUNDS), 1 if quick else families
    wanted = images.split(",") if images else [*FIELDS, *SLIDES]
    report: dict[str, Json] = {
        "fields": {},
        "slides": {},
        "machine": machine(),
        "quality": Settings().quality,
        "offset": offset,
    }
    try:
        for name in FIELDS:
            if name in wanted and (testdata / FIELDS[name][0]).exists():
                say(f"field {name}", quiet=as_json)
                report["fields"][name] = measure_field(testdata, name, keys, turns)
        for name, file in SLIDES.items():
            if name in wanted and (testdata / file).exists():
                say(f"slide {name}", quiet=as_json)
                report["slides"][name] = measure_slide(testdata / file, keys, turns, count, offset)
    except RripError as error:
        raise click.ClickException(str(error)) from error
    if not report["fields"] and not report["slides"]:
        raise click.ClickException(f"{testdata} has none of the images {', '.join(wanted)}; set --testdata")
    if picture is not None:
        plot(report, picture)
    emit(report, tables(report), as_json=as_json)


if __name__ == "__main__":
    main()
