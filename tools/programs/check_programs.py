"""Open containers with other programs, each in an environment of its own, and print what each of them shows.

::

    python tools/programs/check_programs.py --work DIR           all programs; their environments stay in DIR
    python tools/programs/check_programs.py --work DIR zarrita   some of them
    python tools/programs/check_programs.py --work DIR --quick   those that CI runs, without what cannot be installed
    python tools/programs/check_programs.py --work DIR --write   the same, and put the table into docs/programs.md

A program shows level 0, another level, or refuses. What shows other pixels than a level's, or a fill colour, is marked
WRONG, and the exit code is 1. ``--slide`` takes a real slide instead of the picture of ``rrip demo``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from judge import Judge

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "programs.md"
MOST_WORDS = 260
"""Characters of a refusal that the table has."""

MOST_SECONDS = 600
"""Of an installation or a probe."""

BEGIN, END = "<!-- made by tools/programs/check_programs.py -->\n", "<!-- end -->\n"


@dataclass(frozen=True, slots=True)
class Program:
    """One program and what it needs.

    Parameters
    ----------
    name : str
        As the table has it.
    probe : str
        Its file in ``probes``.
    packages : tuple of str
        What ``pip`` or, for a probe in JavaScript, ``npm`` installs.
    extras : str or None
        Extras of this package to install beside it, None: it is not installed.
    bare : tuple of str
        What is installed without the packages that it names, because they exclude each other or are far more than the
        probe needs; `packages` has those that it needs.
    shares : str or None
        Key of the program whose environment it runs in.
    is_quick : bool
        Whether it is installed within a minute, and no test of this package runs it anyway.
    """

    name: str
    probe: str
    packages: tuple[str, ...]
    extras: str | None = None
    bare: tuple[str, ...] = ()
    shares: str | None = None
    is_quick: bool = False

    @property
    def key(self) -> str:
        """What the command line calls it."""
        return self.probe.partition(".")[0].strip("_")

    @property
    def environment(self) -> str:
        """Name of its environment."""
        return self.shares or self.key


# fmt: off
TIATOOLBOX = (
    "numpy", "zarr", "pyyaml", "dask", "filelock", "glymur", "joblib", "matplotlib", "pandas", "opencv-python-headless",
    "pydicom", "requests", "s3fs", "scikit-image", "shapely", "tifffile", "imagecodecs", "tqdm",
    "wsidicom", "defusedxml", "psutil", "aiohttp", "universal_pathlib", "SimpleITK",
)
# fmt: on
"""What its readers import."""

PYTORCH = "torch==2.13.0"
"""This release for all, so that it is downloaded once."""

PROGRAMS = [
    Program("zarr-python with this package", "zarr_python.py", ("zarr",), "", is_quick=True),
    Program("zarr-python", "zarr_alone.py", ("zarr",), is_quick=True),
    Program("zarr-python 2", "zarr_2.py", ("zarr<3", "numpy"), is_quick=True),
    Program("zarrita (JavaScript)", "zarrita.mjs", ("zarrita@0.7", "@zarrita/storage"), is_quick=True),
    Program("tensorstore", "tensorstore_.py", ("tensorstore",), is_quick=True),
    Program("zarrs (Rust), by zarrista", "zarrs_.py", ("zarrista", "numpy"), is_quick=True),
    Program("GDAL, by rasterio", "gdal.py", ("rasterio",), is_quick=True),
    Program("tifffile, Pillow", "tifffile_.py", ("tifffile", "imagecodecs", "pillow"), is_quick=True),
    Program(
        "OpenCV, imageio, scikit-image, SimpleITK, libvips",
        "pictures_.py",
        ("opencv-python-headless", "imageio", "scikit-image", "SimpleITK", "pyvips", "pyvips-binary", "imagecodecs"),
    ),
    Program("cuCIM, on the CPU", "cucim_.py", ("cucim-cu12", "numpy")),
    Program("ngff-zarr", "ngff_zarr_.py", ("ngff-zarr", "numpy")),
    Program("openslide-python", "openslide_alone.py", ("openslide-python", "openslide-bin", "numpy"), is_quick=True),
    Program(
        "openslide-python, run by this package",
        "openslide_patched.py",
        ("openslide-python",),
        "openslide",
        is_quick=True,
    ),
    Program("histolab", "histolab_.py", ("numpy", "scipy", "scikit-image"), "openslide", ("histolab",)),
    Program("histolab, run by this package", "histolab_patched.py", (), shares="histolab"),
    Program("wsidata", "wsidata_alone.py", (PYTORCH, "wsidata", "lazyslide"), "openslide"),
    Program("wsidata with this package", "wsidata_reader.py", (), shares="wsidata_alone"),
    Program("wsidata, run by this package", "wsidata_.py", (), shares="wsidata_alone"),
    Program("LazySlide with this package", "lazyslide_.py", (), shares="wsidata_alone"),
    Program("tiatoolbox", "tiatoolbox_alone.py", (PYTORCH, *TIATOOLBOX), "openslide", ("tiatoolbox",)),
    Program("tiatoolbox with this package", "tiatoolbox_reader.py", (), shares="tiatoolbox_alone"),
    Program("PyTorch's DataLoader with this package", "torch_.py", (), shares="wsidata_alone"),
    Program("napari with this package", "napari_.py", ("napari", "napari-ome-zarr", "imagecodecs"), "napari"),
    Program("xarray with this package", "xarray_.py", ("xarray",), "xarray"),
    Program("bioio with this package", "bioio_.py", ("bioio",), "bioio"),
    Program("large_image with this package", "large_image_.py", ("large-image",), "large-image"),
]


class NotInTimeError(RuntimeError):
    """A command took more than `MOST_SECONDS`."""


def make_containers(folder: Path, slide: Path | None) -> None:
    """Write the containers that all programs open, and the pixels that they ought to show."""
    import tifffile
    from skimage.data import immunohistochemistry

    import rrip_format

    if slide is None:
        image = np.tile(immunohistochemistry(), (3, 3, 1))
        image[:300, :300] = 255  # so that some families are empty
        slide = folder / "source.tif"
        per_cm = 10000 / 0.5
        tifffile.imwrite(slide, image, tile=(256, 256), resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    settings = rrip_format.Settings(tile=64, effort="fast")
    rrip_format.convert(slide, folder / "slide.rrip.zarr", settings)
    from rrip_format.containers.copying import transmux

    for suffix in (".rrip.zarr.zip", ".rrip.tif", ".rrip"):
        transmux(folder / "slide.rrip.zarr", folder / f"slide{suffix}")
    opened = rrip_format.open(folder / "slide.rrip.zarr")
    levels = {str(level.index): rrip_format.imread(opened.name, level=level.index) for level in opened.levels}
    np.savez(folder / "levels.npz", **levels)  # type: ignore[arg-type]  # names of arrays


def run(command: list[str | Path], folder: Path | None = None) -> str:
    """Run a command and return what it prints.

    Raises
    ------
    RuntimeError
        If it fails, with the end of what it says.
    NotInTimeError
        If it takes more than `MOST_SECONDS`.
    """
    words = [str(part) for part in command]
    paths = {**os.environ, "PYTHONPATH": str(HERE)}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, cwd=folder, env=paths, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise NotInTimeError(f"{' '.join(words)}\nnot done after {MOST_SECONDS} s") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def environment(program: Program, work: Path, package: str) -> Path:
    """Make the environment of a program, if it is not there, and return its folder."""
    place = work / program.environment
    done = place / "complete"
    if done.exists():
        return place
    if program.probe.endswith(".mjs"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text('{"type": "module"}', encoding="utf-8")
        run(["npm", "install", "--no-audit", "--no-fund", *program.packages], place)
    else:
        run([sys.executable, "-m", "venv", "--clear", place])
        packages = list(program.packages)
        if program.extras is not None:
            packages.append(f"{package}[{program.extras}]" if program.extras else package)
        run([place / "bin" / "pip", "install", "--quiet", *packages])
        if program.bare:
            run([place / "bin" / "pip", "install", "--quiet", "--no-deps", *program.bare])
    done.touch()
    return place


def probe(program: Program, place: Path, containers: Path) -> tuple[str, list[tuple[str, str]]]:
    """Versions, and (way in, result) of a program."""
    script = HERE / "probes" / program.probe
    judge = Judge(str(containers))
    if script.suffix == ".mjs":
        copy = place / script.name  # modules are looked for from where a script is
        copy.write_bytes(script.read_bytes())
        found = json.loads(run(["node", copy, containers, str(len(judge.levels))], place))
    else:
        found = json.loads(run([place / "bin" / "python", script, containers]).splitlines()[-1])
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return versions, [(way, judged(judge, result)) for way, result in found["rows"]]


def judged(judge: Judge, result: str | dict[str, Any]) -> str:
    """Judge the raw samples that a probe in another language has written, (3, height, width)."""
    if isinstance(result, str):
        return result
    planes = np.fromfile(result["file"], np.uint8).reshape(result["shape"])
    return judge.level_of(planes.transpose(1, 2, 0))


def together(rows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Put arrays of one container with the same result, or each with its own level, into one row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for way, told in rows:
        container, _, name = way.partition(", array ")
        result = told.replace(f"/{name.strip('`')}/zarr.json", "/…/zarr.json")
        result = result if len(result) <= MOST_WORDS else f"{result[:MOST_WORDS]} …"
        number = name.strip("`").removeprefix("base/")
        own = number.isdigit() and result == f"level {int(number) + (2 if 'base/' in name else 0)}"
        groups.setdefault((container, "its level, every pixel" if own else result), []).append(name)
    for (container, result), names in groups.items():
        yield f"{container}, array {', '.join(names)}" if any(names) else container, result


def table(found: dict[str, tuple[str, list[tuple[str, str]]]]) -> str:
    """Draw a table in Markdown."""
    lines = ["| program | way in | result |", "|---|---|---|"]
    for name, (versions, rows) in found.items():
        title = f"{name} ({versions})" if versions else name
        for way, result in together(rows):
            text = result.replace("|", "\\|").replace("<", "&lt;")
            lines.append(f"| {title} | {way} | {text} |")
            title = ""
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the command line; 1 if a program shows wrong pixels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *(program.key for program in PROGRAMS)], metavar="NAME")
    parser.add_argument(
        "--work",
        type=lambda text: Path(text).resolve(),
        required=True,
        help="where the environments of the programs are",
    )
    parser.add_argument(
        "--quick", action="store_true", help="only programs that are installed within a minute and that no test runs"
    )
    parser.add_argument("--slide", type=Path)
    parser.add_argument("--package", help="a wheel of this package to install instead of its sources")
    parser.add_argument("--write", action="store_true", help="put the table into docs/programs.md")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        make_containers(Path(folder), options.slide)
        for program in PROGRAMS:
            if (options.names and program.key not in options.names) or (options.quick and not program.is_quick):
                continue
            if program.probe.endswith(".mjs") and shutil.which("npm") is None:
                print(f"skipped: {program.name}, npm is not here", file=sys.stderr)
                continue
            home = next(one for one in PROGRAMS if one.key == program.environment)
            try:
                place = environment(home, options.work, options.package or str(ROOT))
            except (RuntimeError, OSError) as error:
                print(f"skipped: {program.name} cannot be installed: {error}", file=sys.stderr)
                if not options.quick:
                    return 2
                if isinstance(error, NotInTimeError):
                    print("skipped: all programs after it", file=sys.stderr)
                    break
                continue
            try:
                found[program.name] = probe(program, place, Path(folder))
            except (RuntimeError, OSError) as error:
                print(f"{program.name}: cannot be run: {error}", file=sys.stderr)
                return 2
    text = table(found).replace(folder, "…")
    print(f"Python {sysconfig.get_python_version()}\n\n{text}")
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return int("WRONG" in text)


if __name__ == "__main__":
    sys.exit(main())
