"""Sample ``rrip`` attributes, whole and changed."""

from __future__ import annotations

import copy
from uuid import UUID

from rrip_format.spec.geometry import Geometry
from rrip_format.spec.metadata import Coding, Metadata, ResidualCoding, SlideMetadata, seal

SLIDE = UUID("00112233-4455-4677-8899-aabbccddeeff")
# 3 x 4 families; the first and the last are empty
CODING = Coding(
    SLIDE,
    Geometry(900, 700, 64),
    (ResidualCoding(cfl=(-20, 11), chroma_taps=(0, 48, 16, 0)), ResidualCoding((-13, 77, 0, 0), (127, -127), 3)),
    (255, 255, 255),
    bytes([0b10000000, 0b00010000]),
)
METADATA = Metadata(
    CODING,
    SlideMetadata((0.25, 0.2525), 40.0, "aperio", {"aperio.AppMag": "40", "ünï": "µm"}, "slide.svs", 12345),
    {"name": "rrip_format", "version": "0.1.0", "settings": {"quality": 80}},
)


def resealed(document, path, value):
    """A copy of an rrip or coding document with one value changed, or removed, and right checksums."""
    document = copy.deepcopy(document)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    if "coding" in document and path[0] == "coding" and len(path) > 1:
        document["coding"] = seal(document["coding"])
    return seal(document)


REMOVED = object()
HUGE = 10**4000  # about the largest integer that Python's json module reads
