"""Say of pixels which level of the slide they are; imported by the probes, so it needs NumPy alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

CLOSE = 4
"""Of one sample; other JPEG decoders and colour conversions round otherwise."""


class Judge:
    """Collects rows of (way in, result) for one program.

    Parameters
    ----------
    folder : path
        Of the containers, with ``levels.npz``, the RGB of each level.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        with np.load(self.folder / "levels.npz") as levels:
            self.levels = [levels[str(k)] for k in range(len(levels.files))]
        self.rows: list[tuple[str, str]] = []

    def path(self, suffix: str) -> str:
        """Return the container of a kind, given by its suffix."""
        return str(self.folder / f"slide{suffix}")

    def level_of(self, pixels: Any) -> str:
        """Name what an image of (height, width, 3 or 4) shows."""
        image = np.asarray(pixels)
        is_grey = image.ndim == 2 or (image[..., :3] == image[..., :1]).all()
        if is_grey and max(image.shape) < 500 and (image.ndim == 2 or np.ptp(image[..., 0])):
            return "a small page of text, no slide"
        image = image[..., :3]
        for number, level in enumerate(self.levels):
            if image.shape == level.shape and (image == level).all():
                return f"level {number}"
        for number, level in enumerate(self.levels):
            if image.shape == level.shape and np.abs(image.astype(int) - level).max() <= CLOSE:
                return f"level {number}, samples within {CLOSE}"
        if (image == image.flat[0]).all():
            return f"WRONG: nothing but {image.flat[0]}"
        return f"WRONG: other pixels, {image.shape}"

    def look(self, way: str, read: Callable[[], Any]) -> None:
        """Add a row with what a way in shows, or with the first line of its refusal."""
        try:
            result = self.level_of(read())
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            text = str(error).strip()
            result = f"refused: {text.splitlines()[0] if text else type(error).__name__}"
        self.rows.append((way, result))

    def tell(self, *packages: str) -> None:
        """Print the rows, and the versions of packages, for the tool that runs the probes."""
        found = {}
        for name in packages:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        json.dump({"versions": found, "rows": self.rows}, sys.stdout)
