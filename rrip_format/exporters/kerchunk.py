"""Write kerchunk references to the tiles of a container as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from ..containers.pictures import shows_label
from ..slides.slide import Slide
from ..zarr_views.kerchunk import references

__all__ = ["write_references"]


def write_references(slide: Slide, path: Path, *, label: bool) -> None:
    """Write the references of a TIFF file or zip archive, each an offset and length in it.

    Associated images that show the label, which the file would hold itself, are left out unless `label` is set.

    Raises
    ------
    StorageError
        If the container is a folder.
    MissingTileError
        If a tile is missing.
    """
    made = references(slide.container)
    shown = [name for name in slide.associated_images if label or not shows_label(slide.container, name)]
    hidden = tuple(f"associated/{name}/" for name in slide.associated_images if name not in shown)
    made["refs"] = {key: value for key, value in made["refs"].items() if not key.startswith(hidden)}
    path.write_text(json.dumps(made, separators=(",", ":")), encoding="utf-8")
