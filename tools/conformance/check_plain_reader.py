"""Check what Zarr reads of a container without this package: its base level, and an error above it.

Run it twice: with the package installed, ``--write``, which keeps our own pixels of the base; then with
``pip install imagecodecs-zarr`` only, ``--check``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import Any

import numpy as np
import zarr


def write(container: str, pixels: str) -> None:
    """Store the pixels of level 2 as this package reads them."""
    import rrip_format

    with rrip_format.open(container) as slide:
        group: Any = slide.group
        np.save(pixels, group["2"][:])


def check(container: str, pixels: str) -> None:
    """Compare the plain base with these pixels, and check that level 0 raises an error that names the codec."""
    if importlib.util.find_spec("rrip_format"):
        sys.exit("rrip_format is installed here, so this shows nothing; use an environment without it")
    base: Any = zarr.open_group(f"{container}/base", mode="r")
    found, expected = base["0"][:], np.load(pixels)
    if not np.array_equal(found, expected):
        sys.exit(f"the base differs in {np.count_nonzero(found != expected)} of {expected.size} samples")
    root: Any = zarr.open_group(container, mode="r")
    try:
        root["0"][:, :1, :1]
    except Exception as error:  # noqa: BLE001  (which one is up to Zarr)
        if "rrip" not in str(error):
            sys.exit(f"level 0 fails without naming the codec: {error}")
        print(f"base equal, {expected.shape}; level 0: {type(error).__name__}: {error}")
        return
    sys.exit("level 0 was read without the codec")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("container")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", metavar="PIXELS.npy")
    mode.add_argument("--check", metavar="PIXELS.npy")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.container, arguments.write)
    else:
        check(arguments.container, arguments.check)


if __name__ == "__main__":
    main()
