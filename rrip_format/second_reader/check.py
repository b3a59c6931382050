"""Compare a source with a second reader before it is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import LimitError, SecondOpinionError, one_line
from ..sources.base import Source
from ..sources.storedtiles import count_missing_tiles
from .base import Area, Image, SecondReader, UnableError
from .choice import FIRST_NAMES, close_all, open_second
from .compare import LUMA_LIMIT, MEAN_LIMIT, TELLING, describe, deviation, measure, shapes_agree

__all__ = ["NOT_ASKED", "SecondOpinion", "check_source"]

_LIKELY = 4
"""Places where the file itself tells that there is much to see."""

_ENOUGH, _MOST = 3, 16
"""Telling blocks that are wanted, and how many blocks are looked at for them."""

_LEAST, _SHARE = 8, 0.02
"""Blocks after which one telling block is enough, where together they are more than this share of the picture."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What a second reader says of a source.

    Parameters
    ----------
    reader : str or None
        Its name, None where there is none.
    blocks : int
        Compared, and found equal but for rounding.
    telling : int
        Those among them that show enough for a turned, shifted or discoloured picture to be noticed.
    reason : str or None
        Why there is no second reader, or why it saw less than was wanted.
    """

    reader: str | None
    blocks: int = 0
    telling: int = 0
    reason: str | None = None

    def __str__(self) -> str:
        if self.reader is None:
            return f"no second opinion: {self.reason}"
        return f"{self.reader} agrees ({self.blocks} blocks)" + (f", but {self.reason}" if self.reason else "")


NOT_ASKED = SecondOpinion(None, reason="it was not asked for")


def check_source(source: Source) -> SecondOpinion:
    """Compare dimensions, orientation and colour of a source with what another library reads.

    Some ten blocks are read twice: the corners, where a wrong way up and wrong tiles at the edges show, and places of
    much detail, which are chosen by the second reader, because a source that shows nothing would choose nothing.

    Parameters
    ----------
    source : Source

    Returns
    -------
    SecondOpinion

    Raises
    ------
    SecondOpinionError
        They differ by more than decoders round.
    SourceError
        The source cannot be read.
    """
    try:
        readers = open_second(source)
    except UnableError as error:
        return SecondOpinion(None, reason=one_line(error))
    try:
        return _compare(source, readers)
    finally:
        close_all(readers)


def _compare(source: Source, readers: list[SecondReader]) -> SecondOpinion:
    """Compare block by block with those readers that agree so far; there is more than one only of stacks."""
    info, second = source.info, readers[0]
    if (info.height, info.width) != (second.height, second.width):
        raise _differ(
            source, f"finds {info.width} x {info.height} px, {second.name} {second.width} x {second.height} px"
        )
    blocks = telling = pixels = 0
    lacks_tiles = count_missing_tiles(source) > 0
    for area in _areas(second):
        ours = source.read(area.y, area.x, area.height, area.width)
        if lacks_tiles and bool((ours == info.background).all(axis=-1).any()):
            continue  # each library fills missing tiles in its own way
        try:
            theirs = [reader.read(area) for reader in readers]
        except MemoryError as error:
            raise LimitError(f"{source.where}: {second.name} needs more memory for the block {area}") from error
        except Exception as error:  # noqa: BLE001 - a library may raise anything, and the source could be read
            return SecondOpinion(second.name if blocks else None, blocks, telling, f"{second.name}: {one_line(error)}")
        agreed = [_agree(source, second, area, ours, one) for one in theirs]
        if not any(agreed):
            raise _differ(source, _how(second, area, ours, theirs[0]))
        readers = [reader for reader, equal in zip(readers, agreed, strict=True) if equal]
        blocks += 1
        telling += deviation(ours) >= TELLING
        pixels += area.height * area.width
        wanted = 1 if blocks >= _LEAST and pixels > _SHARE * info.height * info.width else _ENOUGH
        if blocks >= _MOST or (telling >= wanted and blocks >= (_LEAST if wanted == 1 else 6 + _LIKELY)):
            break
    reason = None if telling else "none of them shows enough to tell which way up it is"
    return SecondOpinion(second.name, blocks, telling, reason)


def _areas(second: SecondReader) -> Iterator[Area]:
    """Yield corners, likely places, the edges beside these, and places all over the picture, each block once."""
    bottom, right = second.height - 1, second.width - 1
    likely = second.likely(_LIKELY)
    places = [(0, 0), (bottom, right), (0, right), (bottom, 0), *likely[:2], *second.edges(), *likely[2:]]
    spread = np.random.default_rng(0).random((2 * _MOST, 2)) * (second.height, second.width)
    places += [(int(y), int(x)) for y, x in spread]
    seen = set()
    for y, x in places:
        area = second.block(y, x)
        if area not in seen and second.holds(area):
            seen.add(area)
            yield area


def _agree(source: Source, second: SecondReader, area: Area, ours: Image, theirs: Image) -> bool:
    if not second.has_colour:
        return shapes_agree(ours, theirs)
    return measure(ours, theirs).is_rounding or (second.slack > 0 and _is_beside(source, second.slack, area, theirs))


def _how(second: SecondReader, area: Area, ours: Image, theirs: Image) -> str:
    """Say what a source shows instead of what the second reader does."""
    if not second.has_colour:
        return f"shows other shapes than {second.name} in the block {area}"
    words, found = describe(ours, theirs), measure(ours, theirs)
    return (
        f"shows the block {area} {words + ', compared with' if words else 'unlike'} {second.name}: the mean difference "
        f"of squares of 8 px is {found.mean:.1f} of 255, expected at most {MEAN_LIMIT:g}, that of the luma of pixels "
        f"{found.luma:.1f}, expected at most {LUMA_LIMIT:g}"
    )


def _is_beside(source: Source, slack: int, area: Area, theirs: Image) -> bool:
    """Return whether a block is found a few px beside its place."""
    for down in range(-slack, slack + 1):
        for across in range(-slack, slack + 1):
            y, x = area.y + down, area.x + across
            inside = min(y, x) >= 0 and y + area.height <= source.info.height and x + area.width <= source.info.width
            if inside and measure(source.read(y, x, area.height, area.width), theirs).is_rounding:
                return True
    return False


def _differ(source: Source, how: str) -> SecondOpinionError:
    first = FIRST_NAMES[source.info.reader]
    return SecondOpinionError(
        f"{source.where}: {first} {how}; one of the two misreads the file, so look at it in a viewer: if {first} is "
        "right, pass --no-second-opinion (second_opinion=False)"
    )
