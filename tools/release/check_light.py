"""Check that reading needs no extra, and that everything else says in one line which extra it needs.

Run it where nothing but the base installation is (``pip install .``), or with ``--hide``, which hides the packages of
all extras. With ``--read`` it only reads, and shows that none of them is imported although they may be there.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "containers"
EXTRAS = {
    "PIL",
    "aiohttp",
    "bioio_base",
    "bjontegaard",
    "dask",
    "distributed",
    "fsspec",
    "imagecodecs",
    "large_image",
    "matplotlib",
    "napari",
    "obstore",
    "openslide",
    "pooch",
    "pydicom",
    "pyvips",
    "requests",
    "s3fs",
    "scipy",
    "skimage",
    "ssimulacra2",
    "starlette",
    "tiatoolbox",
    "tifffile",
    "uvicorn",
    "wsidata",
    "xarray",
}
ZARRS_OWN = {"fsspec"}
"""What Zarr imports by itself where it is installed."""

NEED_EXTRAS = {"upath"}
"""What Zarr also imports where it is installed, and what fails without a package of an extra."""

MOST_BYTES = 200_000_000


class Hiding:
    """A module finder that does not find the packages of extras.

    Parameters
    ----------
    finder
        Which finds all others.
    """

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, name: str, *rest: Any) -> Any:
        """Find a module, but none of an extra."""
        return None if name.partition(".")[0] in EXTRAS | NEED_EXTRAS else self._finder.find_spec(name, *rest)

    def find_distributions(self, *rest: Any) -> Iterator[importlib.metadata.Distribution]:
        """Find installed distributions, but not the one with the entry points of imagecodecs."""
        find = getattr(self._finder, "find_distributions", lambda *_: ())
        return (found for found in find(*rest) if found.name != "imagecodecs-zarr")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def run(*arguments: object) -> tuple[int, str, str]:
    """Run ``rrip`` in this process; return its exit code, output and error output."""
    from click.testing import CliRunner

    from rrip_format.cli import main

    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def containers() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Return the containers of the conformance set with their expected content."""
    for path in sorted(VECTORS.glob("*/case.json")):
        case = json.loads(path.read_text("utf-8"))
        yield path.parent / case["container"], case


def check_reading(folder: Path) -> None:
    """Check every interface to metadata and pixels, for all kinds of container."""
    import numpy as np
    import zarr

    import rrip_format
    from rrip_format.zarr_views.store import RripStore

    for path, case in containers():
        with rrip_format.open(path) as slide:
            for name, wanted in case["tiles"].items():
                level, row, col = map(int, name.split("/"))
                assert hashlib.sha256(slide.read_tile(level, row, col).tobytes()).hexdigest() == wanted, (path, name)
            shape = slide.geometry.shape(0)
            whole = slide.read_region(0, 0, 0, *shape)
            assert slide.associated_images().keys() <= {"label", "macro", "thumbnail"}
        assert np.array_equal(rrip_format.imread(path), whole)
        stores: list[Any] = [RripStore(path), *([str(path)] if path.is_dir() else [])]
        for store in stores:
            group: Any = zarr.open_group(store, mode="r")
            assert np.array_equal(group["0"][:].transpose(1, 2, 0), whole)
        code, out, complaint = run("info", path)
        assert not code, complaint
        assert "families" in out, out
        for depth in ("index", "checksums"):
            code, out, complaint = run("validate", path, "--depth", depth)
            assert not code, out + complaint
    for kind in ("folder", "zip", "tiff"):
        source = next((VECTORS / kind).glob("slide.*"))
        for suffix in (".rrip.zarr", ".rrip.zarr.zip", ".rrip.tif"):
            for command in ("convert", "repair"):
                target = folder / f"{kind}-{command}{suffix}"
                code, _, complaint = run(command, source, target)
                assert not code, complaint
                assert np.array_equal(rrip_format.imread(target), rrip_format.imread(source))


def check_mending(folder: Path) -> None:
    """Check that lost tiles are remade: one of level 3 from finer tiles, one of level 2 from the coarser one."""
    for key, made in (("base/1/c/0/0/0", "rebuilt"), ("base/0/c/0/0/0", "filled")):
        damaged = folder / f"{made}.rrip.zarr"
        shutil.copytree(VECTORS / "folder" / "slide.rrip.zarr", damaged)
        (damaged / key).unlink()
        code, out, complaint = run("repair", damaged, folder / f"{made}.rrip.tif", "--fill-lost", "--json")
        assert not code, complaint
        assert json.loads(out)[made], out


def check_base() -> None:
    """Check the base level of a folder as an ordinary Zarr array, and an associated image."""
    import numpy as np
    import zarr

    import rrip_format

    path = VECTORS / "folder" / "slide.rrip.zarr"
    group: Any = zarr.open_group(str(path), mode="r")
    for k in (0, 1):
        assert np.array_equal(group[f"base/{k}"][:].transpose(1, 2, 0), rrip_format.imread(path, level=k + 2))
    assert group["associated/macro"][:].shape[2] == 3


def codec_is_ours() -> bool:
    """Return whether imagecodecs-zarr, which has a codec of the same name, is not installed."""
    points = importlib.metadata.entry_points(group="zarr.codecs", name="imagecodecs_jpeg")
    return all(point.value.startswith("rrip_format") for point in points)


def check_commands(folder: Path) -> None:
    """Check that commands that need an extra end with one line that names it, and leave nothing behind."""
    tiff = next((VECTORS / "tiff").glob("slide.*"))
    svs, png = folder / "x.svs", folder / "x.png"
    svs.write_bytes(b"II*\0" + bytes(1000))
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    for extra, arguments in (
        ("convert", ("convert", svs, folder / "y.rrip.tif")),
        ("convert", ("convert", png, folder / "y.rrip.zarr")),
        ("convert", ("validate", tiff, "--source", svs)),
        ("convert", ("demo", "--out", folder / "y")),
        ("convert", ("export", tiff, folder / "y.tif")),
        ("convert", ("export", tiff, folder / "y.dzi")),
        ("convert", ("export", tiff, folder / "y", "--kind", "dicom")),
        ("openslide", ("validate", tiff, "--depth", "pixels")),
        ("evaluate", ("evaluate", png, "--out", folder / "y")),
        ("dask", ("convert", svs, folder / "y.rrip.tif", "--scheduler", "tcp://127.0.0.1:1")),
        ("remote", ("info", "https://example.org/slide.rrip.tif")),
        ("remote", ("info", "https://example.org/slide.rrip.zarr")),
        ("remote", ("view", "--no-browser", "https://example.org/slide.rrip.tif")),
        ("serve", ("serve", folder)),
    ):
        code, _, complaint = run(*arguments)
        assert code in {1, 2}, (arguments, code)
        assert complaint.count("\n") == 1, complaint
        assert f"pip install 'rrip-format[{extra}]'" in complaint, (extra, complaint)
        assert not list(folder.glob("*y*")), arguments
        print(complaint, end="")


def check_calls() -> None:
    """Check that Python functions that need an extra raise an error that names it."""
    import numpy as np
    from zarr.buffer import default_buffer_prototype

    import rrip_format
    from rrip_format.errors import ExtraMissingError

    def chunk_of_another_shape() -> None:
        from rrip_format.zarr_views.base_codec import Jpeg

        prototype = default_buffer_prototype()
        spec: Any = SimpleNamespace(shape=(30, 40, 3), prototype=prototype)
        codec: Any = Jpeg()
        codec._decode_sync(prototype.buffer.from_bytes(b"\xff\xd8"), spec)  # noqa: SLF001

    def read_in_napari() -> None:
        from rrip_format.viewers.napari_reader import read_layers

        read_layers(str(next((VECTORS / "tiff").glob("slide.*"))))

    doors: tuple[tuple[str, Callable[[], object]], ...] = (
        ("convert", lambda: rrip_format.convert(np.zeros((300, 300, 3), np.uint8), "y.rrip.zarr")),
        ("convert", chunk_of_another_shape),
        ("openslide", lambda: rrip_format.RripSlide),
        ("napari", read_in_napari),
        ("remote", lambda: importlib.import_module("rrip_format.zarr_views.fsspec_raw")),
    )
    for extra, door in doors:
        said = ""
        try:
            door()
        except ExtraMissingError as error:
            said = str(error)
        assert f"pip install 'rrip-format[{extra}]'" in said, (extra, said)
        assert "\n" not in said
        print(said)


def check_import() -> None:
    """Check that the package alone imports nothing that takes long."""
    code = "import sys, rrip_format; print(*{'zarr', 'numpy', 'ctypes', 'click'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert not found, found


def check_size() -> None:
    """Check the size of what is installed, without pip and the like."""
    place = Path(sysconfig.get_path("purelib"))
    others = [path for path in place.iterdir() if not path.name.startswith(("pip", "setuptools", "pkg_resources", "_"))]
    files = {file for path in others for file in (path.rglob("*") if path.is_dir() else [path])}
    size = sum(512 * file.lstat().st_blocks for file in files)
    print(f"reading takes {size / 1e6:.0f} MB, numpy and zarr included")
    assert size <= MOST_BYTES


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--hide", action="store_true", help="Hide the packages of extras.")
    mode.add_argument("--read", action="store_true", help="Read only, with extras or without.")
    arguments = parser.parse_args()
    if arguments.hide:
        sys.meta_path[:] = map(Hiding, sys.meta_path)
    elif not arguments.read:
        there = {name for name in EXTRAS if importlib.util.find_spec(name)}
        if there:
            sys.exit(f"{', '.join(sorted(there))} can be imported here, so this shows nothing; --hide hides them")
        check_size()
    check_import()
    with tempfile.TemporaryDirectory() as folder:
        check_reading(Path(folder))
        check_mending(Path(folder))
        if codec_is_ours():
            check_base()
        imported = {name for name in EXTRAS if sys.modules.get(name)}
        assert not imported - ZARRS_OWN, f"reading imports {imported}"
        if not arguments.read:
            check_base()
            check_commands(Path(folder))
            check_calls()
    print("reading needs no extra")


if __name__ == "__main__":
    main()
