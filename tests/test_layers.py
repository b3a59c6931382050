"""The house's rule: every module knows only those below it, and one door leads to each foreign library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rrip_format

PACKAGE = Path(rrip_format.__file__).parent
FLOORS = [
    ["errors"],
    ["extras"],
    ["geometry", "bytesource", "disk", "limits", "pool", "recent"],
    ["tile"],
    ["metadata", "associated", "journal", "sinks"],
    ["core"],
    ["jpeg"],
    ["family"],
    ["layout"],
    ["storage"],
    ["container", "layout_v2", "packet"],
    ["hierarchy"],
    ["store"],
    ["picture", "preview", "properties"],
    ["codec", "jpeg_codec", "slide", "writing", "encoder", "overview", "source"],
    ["sampling"],
    ["losses"],
    ["fitting"],
    ["calibration", "blocks"],
    ["plan", "workers"],
    ["conversion"],
]
"""From the ground up; a module that is not named here may stand on any of these, and none of these on it."""

LATE = {("container", "tiff_reader"), ("container", "zip_reader"), ("writing", "tiff_writer")}
"""Factories that import an implementation, inside a function, when a file asks for it."""

FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
FOREIGN_DOORS = {
    "PIL": {"calibration", "demo", "evaluate", "exporting", "export_deepzoom", "openslide_api", "picture"},
    "distributed": {"workers"},
    "fsspec": {"bytesource", "filesystem"},
    "imagecodecs": {"evaluate", "export_tiff", "jpeg", "jpeg_codec", "source"},
    "pyvips": {"jpeg", "source"},
    "skimage": {"comparison", "demo", "evaluate"},
    "openslide": {"openslide_api", "source"},
    "tifffile": {"export_tiff", "source"},
    "ctypes": {"core", "disk", "losses", "openslide_api"},
    "google_crc32c": {"tile"},
}


def room(path: Path) -> str:
    """``source`` for all of a subpackage, the module's name for others."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path, *, inside_functions: bool = True) -> set[str]:
    """Absolute names of all modules that a file imports, at its top, for type checkers or inside functions."""
    found: set[str] = set()
    parts = ("rrip_format", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts[:-1]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if inside_functions else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            if base == "rrip_format" or (node.level and not node.module):
                found |= {f"{base}.{alias.name}" for alias in node.names}
            else:
                found.add(base)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {
            "load_module",
            "load_reader",
        }:
            found |= {arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)}
    return found


def own_rooms(path: Path, names: set[str] | None = None) -> set[str]:
    """Rooms of this package that a file imports, its own left out."""
    own = {name.split(".")[1] for name in names or imports(path) if name.startswith("rrip_format.")}
    return {name for name in own if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()} - {room(path)}


def rooms_below(path: Path) -> set[str]:
    """As `own_rooms`, without what a factory imports late."""
    return {name for name in own_rooms(path) if (room(path), name) not in LATE}


def test_imports_are_seen():
    """The tests below would pass on an empty set too."""
    assert own_rooms(PACKAGE / "family.py") == {
        "core",
        "errors",
        "geometry",
        "jpeg",
        "metadata",
        "tile",
    }
    assert {"errors"} <= own_rooms(PACKAGE / "source" / "base.py")
    assert "imagecodecs" in imports(PACKAGE / "jpeg.py")
    assert own_rooms(PACKAGE / "tile.py") == {"errors"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_point_down(path):
    if room(path) == "__init__":
        return  # the roof
    height = FLOOR.get(room(path))
    if height is None:
        return  # above all floors; cycles among those are looked for below
    for other in rooms_below(path):
        assert other in FLOOR, f"{room(path)} imports {other}, which is above all named floors"
        assert FLOOR[other] < height, f"{room(path)} imports {other}, which is not below it"


def check_no_cycle(graph: dict[str, set[str]]) -> None:
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"a cycle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


def test_there_is_no_cycle():
    graph = {}
    for path in MODULES:
        if room(path) != "__init__":
            graph.setdefault(room(path), set()).update(rooms_below(path))
    check_no_cycle(graph)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_there_is_no_cycle_within(name):
    """What is inside a room of more than one module points down too, and its ``__init__`` is its roof."""
    prefix = f"rrip_format.{name}."
    graph = {}
    for path in (PACKAGE / name).glob("*.py"):
        found = imports(path)
        assert f"rrip_format.{name}" not in found or path.stem == "__init__", f"{path}: name the module"
        graph[path.stem] = {full.removeprefix(prefix) for full in found if full.startswith(prefix)}
    assert any(graph.values())
    check_no_cycle(graph)


@pytest.mark.parametrize(("factory", "implementation"), sorted(LATE))
def test_factories_import_late(factory, implementation):
    path = PACKAGE / f"{factory}.py"
    assert implementation in own_rooms(path), "no longer needed in LATE"
    assert implementation not in own_rooms(path, imports(path, inside_functions=False))


@pytest.mark.parametrize("library", FOREIGN_DOORS)
def test_one_door_to_each_foreign_library(library):
    users = {room(path) for path in MODULES if any(name.partition(".")[0] == library for name in imports(path))}
    assert users <= FOREIGN_DOORS[library]
    assert users


@pytest.mark.parametrize("name", ["geometry", "tile", "metadata", "core", "family", "layout", "overview"])
def test_the_lower_floors_know_no_store(name):
    paths = {path for path in MODULES if room(path) == name} - {PACKAGE / "core" / "library.py"}  # which opens one
    found = {full.partition(".")[0] for path in paths for full in imports(path)}
    assert found
    assert not found & {"zarr", "fsspec", "os", "pathlib"}


HEAVY = {
    "rrip_format.core.library",
    "zarr",
    "imagecodecs",
    "pyvips",
    "openslide",
    "tifffile",
    "skimage",
    "scipy",
    "dask",
    "numpy",
    "fsspec",
}


def loaded_by(code: str) -> set[str]:
    """Full names of the modules that a new Python has loaded after some code."""
    script = f"import sys; {code}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(result.stdout.split())


def test_importing_the_package_is_light():
    assert not loaded_by("import rrip_format; rrip_format.__version__; dir(rrip_format)") & HEAVY


def test_the_command_line_answers_without_what_it_does_not_need():
    assert not loaded_by("import rrip_format.cli") & HEAVY


def test_metadata_need_no_compiled_core(container):
    """So they can be looked at on a machine for which there is none."""
    path = str(container.path)
    shown = (
        f"import rrip_format; from rrip_format.slides.describing import describe; describe(rrip_format.open({path!r}))"
    )
    assert "rrip_format.core.library" not in loaded_by(shown)


def test_reading_needs_no_encoder(container):
    """Neither libvips nor any slide reader nor another JPEG decoder has to be installed to read."""
    loaded = loaded_by(f"import rrip_format; rrip_format.open({str(container.path)!r}).read_region(0, 300, 300, 9, 9)")
    assert {"rrip_format.core.library", "zarr"} <= loaded
    assert not loaded & {"imagecodecs", "pyvips", "openslide", "tifffile", "skimage", "dask"}


def test_public_names():
    for name in rrip_format.__all__:
        assert getattr(rrip_format, name) is not None
    assert set(rrip_format.__all__) <= set(dir(rrip_format))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rrip_format.nothing  # noqa: B018
    assert callable(rrip_format.convert)
    assert callable(rrip_format.open)


@pytest.mark.parametrize("first", ["convert", "open", "Slide", "Settings"])
def test_lazy_names_in_any_order(first):
    """A submodule must not take a function's place."""
    code = (
        f"import rrip_format as r; r.{first}; import rrip_format.cli; assert callable(r.convert) and callable(r.open)"
    )
    loaded_by(code)
