"""Map the frames of DICOM files to the tiles of pictures (focal planes and optical paths)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rrip_format.errors import SourceError
from rrip_format.sources.dicomfiles import Instance, read_dataset
from rrip_format.sources.dicomframes import Frames, find_frames
from rrip_format.sources.pictures import Picture

__all__ = ["SMALL", "Plane", "list_pictures", "list_planes"]

SMALL = {"LABEL": "label", "OVERVIEW": "macro", "THUMBNAIL": "thumbnail"}
"""Names of associated images by the kind of their instance."""


@dataclass(frozen=True)
class Plane:
    """One picture of an instance, with the file and frame of each of its tiles.

    Attributes
    ----------
    frames : tuple of Frames
        Frames of each file of a concatenation, or of the only file.
    tiles : dict
        From (row, column) of a tile to (index of the file, index of the frame).
    path_number : int
        Index of the optical path.
    is_sparse : bool
        Whether absent tiles are background.
    """

    frames: tuple[Frames, ...]
    tiles: dict[tuple[int, int], tuple[int, int]]
    path_number: int
    is_sparse: bool


def list_pictures(instances: list[Instance], where: str) -> list[Picture]:
    """Return the pictures that could be the slide: each focal plane and optical path of each volume image."""
    groups: dict[str, list[Instance]] = {}
    for instance in instances:
        if instance.kind in SMALL:
            continue
        dataset = read_dataset(instance.path, ["ConcatenationUID"])
        groups.setdefault(str(dataset.get("ConcatenationUID") or instance.path), []).append(instance)
    if not groups:
        msg = f"{where}: holds labels and overviews, but no volume image; add the files that hold it"
        raise SourceError(msg)
    return [picture for group in groups.values() for picture in list_planes(group, group[0].path.name)]


def list_planes(group: list[Instance], name: str) -> list[Picture]:
    """Return the pictures in one instance, or in all files of one concatenation."""
    frames = [find_frames(instance.path) for instance in group]
    frames.sort(key=_place_in_concatenation)
    first = frames[0].dataset
    where = str(frames[0].path)
    rows, columns = int(first.Rows), int(first.Columns)
    width = int(first.get("TotalPixelMatrixColumns") or columns)
    height = int(first.get("TotalPixelMatrixRows") or rows)
    if min(rows, columns, width, height) < 1:
        msg = f"{where}: {width}x{height} px in tiles of {columns}x{rows} px; the attributes are damaged"
        raise SourceError(msg)
    places = [(part, number) for part in range(len(frames)) for number in range(len(frames[part].spans))]
    total = int(first.get("InConcatenationTotalNumber") or len(frames))
    if total != len(frames):
        msg = f"{where}: {len(frames)} of {total} files of a concatenation; add the others"
        raise SourceError(msg)
    grid = (-(-height // rows), -(-width // columns))
    # a single frame of the whole needs no positions
    is_full = first.get("DimensionOrganizationType") == "TILED_FULL" or (len(places) == 1 and grid == (1, 1))
    if is_full:
        _check_concatenation(frames)
        _check_positions(frames, (rows, columns), grid, where)
    planes = _full(first, places, grid, where) if is_full else _sparse(frames, places, (rows, columns), grid, where)
    samples = int(first.SamplesPerPixel)
    return [
        Picture(
            name if len(planes) == 1 else f"{name} {label}",
            width,
            height,
            (Plane(tuple(frames), tiles, path, not is_full),),
            samples == 1,
        )
        for label, path, tiles in planes
    ]


def _place_in_concatenation(part: Frames) -> tuple[int, int]:
    """Return the number of the first frame of a file, and the number of the file."""
    names = ("ConcatenationFrameOffsetNumber", "InConcatenationNumber")
    first, number = (int(part.dataset.get(name) or 0) for name in names)
    return first, number


def _check_concatenation(frames: list[Frames]) -> None:
    """Raise `SourceError` if frames are missing between the files of a concatenation, or their order is not told."""
    begins = 0
    for part in frames if len(frames) > 1 else []:
        first, _ = _place_in_concatenation(part)
        if "ConcatenationFrameOffsetNumber" in part.dataset and first != begins:
            msg = f"{part.path}: begins with frame {first} of a concatenation, expected {begins}; get a complete copy"
            raise SourceError(msg)
        begins += len(part.spans)
    if len({_place_in_concatenation(part) for part in frames}) < len(frames):
        msg = (
            f"{frames[0].path}: nothing tells the order of the {len(frames)} files of a concatenation; export it again"
        )
        raise SourceError(msg)


def _check_positions(frames: list[Frames], size: tuple[int, int], grid: tuple[int, int], where: str) -> None:
    """Raise `SourceError` if frames of TILED_FULL carry positions, which they need not, and lie in another order."""
    groups = [group for part in frames for group in part.dataset.get("PerFrameFunctionalGroupsSequence") or []]
    for index, group in enumerate(groups):
        for position in group.get("PlanePositionSlideSequence") or []:
            said = [position.get(f"{axis}PositionInTotalImagePixelMatrix") for axis in ("Row", "Column")]
            row, column = divmod(index % (grid[0] * grid[1]), grid[1])
            if None not in said and [int(value) - 1 for value in said] != [row * size[0], column * size[1]]:
                msg = (
                    f"{where}: says TILED_FULL, but frame {index} lies at row {said[0]}, column {said[1]}; one of "
                    "the two is wrong, so export it again"
                )
                raise SourceError(msg)


_Tiles = dict[tuple[int, int], tuple[int, int]]


def _full(
    first: Any, places: list[tuple[int, int]], grid: tuple[int, int], where: str
) -> list[tuple[str, int, _Tiles]]:
    """Return the planes of TILED_FULL, ordered by optical path, focal plane, row, column (PS3.3, C.7.6.17.3)."""
    paths = int(first.get("NumberOfOpticalPaths") or len(first.get("OpticalPathSequence") or []) or 1)
    depth = int(first.get("TotalPixelMatrixFocalPlanes") or 1)
    each = grid[0] * grid[1]
    if paths * depth * each != len(places):
        msg = (
            f"{where}: {len(places)} frames, expected {grid[0]}x{grid[1]} for {paths} optical path(s) and {depth} "
            "focal plane(s); get a complete copy"
        )
        raise SourceError(msg)
    found = []
    for number in range(paths * depth):
        part = places[number * each : (number + 1) * each]
        tiles = {divmod(index, grid[1]): place for index, place in enumerate(part)}
        found.append((f"path {number // depth} plane {number % depth}", number // depth, tiles))
    return found


def _sparse(
    frames: list[Frames], places: list[tuple[int, int]], size: tuple[int, int], grid: tuple[int, int], where: str
) -> list[tuple[str, int, _Tiles]]:
    """Return the planes of TILED_SPARSE, whose frames carry their positions."""
    positions = [group for part in frames for group in part.dataset.get("PerFrameFunctionalGroupsSequence") or []]
    if len(positions) != len(places):
        msg = f"{where}: {len(places)} frames and {len(positions)} positions of frames; get another copy"
        raise SourceError(msg)
    identifiers = [
        str(path.get("OpticalPathIdentifier")) for path in frames[0].dataset.get("OpticalPathSequence") or []
    ]
    planes: dict[tuple[int, float], _Tiles] = {}
    for group, place in zip(positions, places, strict=True):
        position = group.PlanePositionSlideSequence[0]
        row, above = divmod(int(position.RowPositionInTotalImagePixelMatrix) - 1, size[0])
        column, beside = divmod(int(position.ColumnPositionInTotalImagePixelMatrix) - 1, size[1])
        if above or beside or not (0 <= row < grid[0] and 0 <= column < grid[1]):
            msg = f"{where}: a frame that lies between tiles or outside the picture is not supported; export it again"
            raise SourceError(msg)
        path = group.get("OpticalPathIdentificationSequence")
        identifier = str(path[0].get("OpticalPathIdentifier")) if path else ""
        number = identifiers.index(identifier) if identifier in identifiers else 0
        depth = float(position.get("ZOffsetInSlideCoordinateSystem") or 0)
        tiles = planes.setdefault((number, depth), {})
        if (row, column) in tiles:
            msg = f"{where}: two frames for the tile at row {row}, column {column}; get another copy"
            raise SourceError(msg)
        tiles[row, column] = place
    return [(f"path {number} at z={depth:g}", number, tiles) for (number, depth), tiles in planes.items()]
