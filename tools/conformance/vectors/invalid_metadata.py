"""Metadata that a reader has to refuse."""

from __future__ import annotations

import base64
import copy
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from rrip_format.spec.metadata import seal

from .case import Case, Json
from .valid import SLIDE, full_metadata, make_coding, resealed

Change = Callable[[dict[str, Json]], None]


def bitmap(data: bytes) -> str:
    """Return the text of the member ``empty``."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


# Name, what is wrong, changed members of the coding object; None removes one.
CODING_PROBLEMS: tuple[tuple[str, str, dict[str, Json]], ...] = (
    ("width-0", "width is 0", {"width": 0}),
    ("width-2-31", "width is 2^31", {"width": 2**31}),
    ("width-text", "width is a string", {"width": "768"}),
    ("width-bool", "width is true, which is no integer", {"width": True}),
    ("width-float", "width has a fraction", {"width": 768.5}),
    ("width-point-zero", "width is written 768.0, which canonical form does not tell from 768", {"width": 768.0}),
    ("height-negative", "height is negative", {"height": -1}),
    ("height-missing", "there is no height", {"height": None}),
    ("tile-48", "tile is below 64", {"tile": 48}),
    ("tile-72", "tile is no multiple of 16", {"tile": 72}),
    ("tile-528", "tile is above 512", {"tile": 528}),
    ("uuid-upper", "the UUID is in upper case", {"uuid": str(SLIDE).upper()}),
    ("uuid-hex", "the UUID has no hyphens", {"uuid": SLIDE.hex}),
    ("uuid-missing", "there is no UUID", {"uuid": None}),
    (
        "residuals-one",
        "one residual level",
        {"residuals": [{"taps": [0, 48, 16, 0], "chroma_taps": [0, 48, 16, 0], "cfl": [0, 0], "planes": 1}]},
    ),
    ("residuals-text", "residual levels are strings", {"residuals": ["0", "1"]}),
    ("residuals-missing", "there are no residual levels", {"residuals": None}),
    ("background-256", "background is above 255", {"background": [256, 256, 256]}),
    ("background-two", "background has two values", {"background": [255, 255]}),
    (
        "background-colour",
        "families are empty and background is no grey",
        {"background": [255, 255, 250], "empty": bitmap(b"\4")},
    ),
    ("empty-not-base64", "empty is no base64", {"empty": "*"}),
    ("empty-not-zlib", "empty is no zlib data", {"empty": "AAAA"}),
    ("empty-short", "empty has no bytes when inflated", {"empty": bitmap(b"")}),
    ("empty-long", "empty has one byte too many", {"empty": bitmap(b"\4\0")}),
    ("empty-bomb", "empty inflates to 256 KiB", {"empty": bitmap(bytes(2**18))}),
    (
        "empty-trailing",
        "bytes follow the zlib data",
        {"empty": base64.b64encode(zlib.compress(b"\4") + b"\0").decode()},
    ),
    ("empty-cut", "the zlib data is cut off", {"empty": base64.b64encode(zlib.compress(b"\4")[:-2]).decode()}),
    ("empty-number", "empty is a number", {"empty": 4}),
)

# Name, what is wrong, rule, changed members of the coding object.
VERSION_PROBLEMS: tuple[tuple[str, str, str, dict[str, Json]], ...] = (
    ("version-too-far", "version is beyond 2^31", "metadata.version", {"version": 2**31 + 1}),
    ("version-0", "version is 0", "metadata.version", {"version": 0}),
    ("version-missing", "there is no version", "metadata.version", {"version": None}),
    ("version-text", "version is a string", "metadata.version", {"version": "1"}),
    ("requires-missing", "there is no list of required features", "metadata.requires", {"requires": None}),
    ("requires-text", "requires is a string", "metadata.requires", {"requires": "colour"}),
)

# Name, what is wrong, changed members of the first residual level.
RESIDUAL_PROBLEMS: tuple[tuple[str, str, dict[str, Json]], ...] = (
    ("taps-sum", "the taps add up to 63", {"taps": [-6, 57, 14, -2]}),
    ("taps-magnitude", "the magnitudes of the taps add up to 92", {"taps": [-14, 78, 0, 0]}),
    ("taps-three", "three taps", {"taps": [0, 48, 16]}),
    ("taps-float", "taps with fractions", {"taps": [0.5, 47.5, 16, 0]}),
    ("taps-missing", "no taps", {"taps": None}),
    ("chroma-taps-sum", "the chroma taps add up to 65", {"chroma_taps": [0, 49, 16, 0]}),
    ("chroma-taps-magnitude", "the magnitudes of the chroma taps add up to 92", {"chroma_taps": [0, 78, 0, -14]}),
    ("chroma-taps-missing", "no chroma taps", {"chroma_taps": None}),
    ("cfl-128", "a chroma-from-luma coefficient of 128", {"cfl": [128, 0]}),
    ("cfl-minus-128", "a chroma-from-luma coefficient of -128", {"cfl": [0, -128]}),
    ("cfl-one", "one chroma-from-luma coefficient", {"cfl": [0]}),
    ("planes-2", "two planes", {"planes": 2}),
    ("planes-0", "no planes", {"planes": 0}),
    ("planes-missing", "the number of planes is missing", {"planes": None}),
)  # fmt: skip

# Name, what is wrong, changed weights of the filter of luma.
FILTER_PROBLEMS: tuple[tuple[str, str, Json], ...] = (
    ("edge", "the first weight of the filter of luma is 64", [64, 0, 0, 0]),
    ("diagonal", "the second weight of the filter of luma is -64", [0, -64, 0, 0]),
    ("sum", "the magnitudes of the last weights of the filter of luma add up to 29", [0, 0, 20, -9]),
    ("zero", "all weights of the filter of luma are 0", [0, 0, 0, 0]),
    ("three", "three weights of the filter of luma", [10, 14, 7]),
    ("float", "weights with fractions", [10.5, 14, 7, -9]),
    ("text", "the filter of luma is a string", "10 14 7 -9"),
    ("null", "the filter of luma is null", None),
)


def changed(document: dict[str, Json], members: dict[str, Json]) -> dict[str, Json]:
    """Return a copy of `document` with other members; None removes one."""
    merged = {**copy.deepcopy(document), **members}
    return {name: value for name, value in merged.items() if name not in members or value is not None}


def coding_problems() -> Iterator[Case]:
    """Return invalid coding objects, with correct checksums unless the checksum is what is wrong."""
    good = make_coding().to_json()

    def refuse(name: str, about: str, document: Json, rule: str = "metadata.member", sections: str = "8.2") -> Case:
        return Case(f"invalid/coding-{name}", about, sections, {"coding": document}, rule=rule)

    for name, about, members in CODING_PROBLEMS:
        made = refuse(name, about, seal(changed(good, members)))
        yield replace(made, strict=name == "width-point-zero")  # which parsers need not tell (section 8.1)
    for name, about, rule, members in VERSION_PROBLEMS:
        yield refuse(name, about, seal(changed(good, members)), rule, "8.2 11")
    for name, about, members in RESIDUAL_PROBLEMS:
        first = changed(good["residuals"][0], members)
        yield refuse(name, about, seal({**good, "residuals": [first, good["residuals"][1]]}))
    filtered = make_coding(luma_filter=(10, 14, 7, -9)).to_json()
    with_filter, without = filtered["residuals"]
    for name, about, weights in FILTER_PROBLEMS:
        first = {**with_filter, "luma_filter": weights}
        yield refuse(f"filter-{name}", about, seal({**filtered, "residuals": [first, without]}), sections="5.8 8.2")

    def contradict(name: str, about: str, requires: list[Json], residuals: list[Json]) -> Case:
        document = seal({**filtered, "requires": requires, "residuals": residuals})
        return refuse(f"filter-{name}", about, document, "metadata.feature", "8.2 11")

    about = "a filter of luma that is not required, which readers that do not know it would ignore"
    yield contradict("not-required", about, [], [with_filter, without])
    yield contradict("missing", "a filter of luma is required and not there", ["luma-filter"], [without, without])
    yield contradict("level-1", "a filter of luma at level 1 too", ["luma-filter"], [with_filter, with_filter])
    about = "a filter of luma at level 1 in place of level 0"
    yield contradict("only-level-1", about, ["luma-filter"], [without, with_filter])
    more = seal({**filtered, "requires": ["luma-filter", "six-taps"]})
    yield refuse("requires-more", "a known feature and one that is not", more, "newer.requires", "11")
    yield refuse("no-object", "the coding object is a list", [good], "metadata.version")
    yield refuse("seal-wrong", "a tap was changed after sealing", {**good, "height": 513}, "metadata.seal", "8.5")
    yield refuse("seal-missing", "there is no seal", changed(good, {"crc32c": None}), "metadata.seal", "8.5")
    yield refuse(
        "seal-upper", "the seal is in upper case", {**good, "crc32c": good["crc32c"].upper()}, "metadata.seal", "8.5"
    )
    yield refuse("seal-extra", "a member was added after sealing", {**good, "comment": ""}, "metadata.seal", "8.5 11")
    newer = seal({**good, "version": 2})
    yield refuse("newer", "version 2", newer, "newer.version", "11")
    far = seal({**good, "version": 2**31})
    yield refuse("newer-far", "the largest version that there can be", far, "newer.version", "8.2 11")
    unsealed = {**good, "version": 2, "crc32c": "not known to us"}
    yield refuse("newer-seal", "version 2, which may seal in another way", unsealed, "newer.version", "11")
    requires = seal({**good, "requires": ["six-taps"]})
    yield refuse("requires", "a required feature that is not known", requires, "newer.requires", "11")
    huge = seal({**good, "width": 2**31 - 1, "height": 2**31 - 1})
    yield refuse("too-many-families", "2^46 families", huge, "limit.families", "12")


def metadata_problems() -> Iterator[Case]:
    """Return attributes ``rrip`` that break a rule outside the coding object."""
    good = full_metadata().to_json()

    def refuse(
        name: str, about: str, sections: str, change: Change, *, sealed: bool = True, rule: str = "metadata.member"
    ) -> Case:
        document = {"rrip": copy.deepcopy(good)}
        change(document["rrip"])
        sealed_document = resealed(document) if sealed else document
        return Case(f"invalid/metadata-{name}", about, sections, sealed_document, rule=rule)

    def put(part: str, member: str, value: Json) -> Change:
        return lambda rrip: rrip[part].__setitem__(member, value)

    slide = "8.3"
    yield refuse("mpp-zero", "a pixel of width 0", slide, put("slide", "mpp", [0, 0.25]))
    yield refuse("mpp-huge", "a pixel of 10^308 µm", slide, put("slide", "mpp", [1e308, 0.25]))
    yield refuse("mpp-tiny", "a pixel of 10^-7 µm", slide, put("slide", "mpp", [0.25, 1e-7]))
    yield refuse("mpp-one", "one pixel size", slide, put("slide", "mpp", [0.25]))
    yield refuse("objective-negative", "a negative objective power", slide, put("slide", "objective", -40))
    yield refuse("vendor-number", "the vendor is a number", slide, put("slide", "vendor", 3))
    yield refuse("property-number", "a property is a number", slide, put("slide", "properties", {"a": 1}))
    yield refuse("source-nameless", "the source has no name", slide, put("slide", "source", {"bytes": 1}))
    yield refuse(
        "source-negative", "the source has -1 bytes", slide, put("slide", "source", {"name": "a", "bytes": -1})
    )
    for name, about, member, value in (
        ("missing-tiles-negative", "minus one missing tile", "missing_tiles", -1),
        ("compressions-text", "compressions are a string", "compressions", "JPEG"),
        ("compression-text", "a compression is a string", "compressions", ["JPEG"]),
        ("compression-nameless", "a compression has no method", "compressions", [{"lossy": True}]),
        ("compression-lossy", "lossy is a number", "compressions", [{"method": "ISO_10918_1", "lossy": 1}]),
        ("compression-quality", "a quality of 101", "compressions", [{"method": "ISO_10918_1", "quality": 101}]),
        ("compression-ratio", "a ratio of 0", "compressions", [{"method": "ISO_10918_1", "ratio": 0}]),
        ("compression-subsampling", "subsampling is a number", "compressions", [{"method": "x", "subsampling": 420}]),
    ):
        source = {"name": "a", member: value}
        yield refuse(name, about, "8.3 8.9", put("slide", "source", source))
    yield refuse("slide-missing", "there is no slide", slide, lambda rrip: rrip.pop("slide"))
    yield refuse("writer-missing", "there is no writer", "8.4", lambda rrip: rrip.pop("writer"))
    yield refuse("attachments-missing", "there is no list of attachments", "8.7", lambda rrip: rrip.pop("attachments"))
    yield refuse("attachments-number", "a checksum is a number", "8.7", put("attachments", "macro", 12648430))
    yield refuse(
        "coding-missing", "there is no coding", "8.1", lambda rrip: rrip.pop("coding"), rule="metadata.version"
    )
    yield refuse("coding-bad", "a rule of its coding object is broken", "8.2", put("coding", "tile", 65))
    yield refuse("newer", "its coding object has version 2", "11", put("coding", "version", 2), rule="newer.version")
    about = "an integer beyond 2^53 - 1, which has no canonical form and so no seal"
    change = put("writer", "settings", {"seed": 2**53})
    yield refuse("integer-huge", about, "8.1 8.5", change, sealed=False, rule="metadata.seal")
    change = put("slide", "objective", 20)
    yield refuse(
        "seal-wrong", "the objective power was changed after sealing", "8.5", change, sealed=False, rule="metadata.seal"
    )
    change = put("coding", "tile", 80)
    yield refuse(
        "seal-inner", "the coding object was changed after sealing", "8.5", change, sealed=False, rule="metadata.seal"
    )


def cases() -> Iterator[Case]:
    """Return all cases of this module."""
    yield from coding_problems()
    yield from metadata_problems()
