"""The rule of the house: every package knows only those below it, and few modules lead to each foreign library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rrip_format

PACKAGE = Path(rrip_format.__file__).parent
FLOORS = [
    *("errors", "extras", "compat", "spec", "privacy", "concurrency", "storage", "core", "family", "sources"),
    *(
        "containers",
        "zarr_views",
        "slides",
        "viewers",
        "tuning",
        "conversion",
        "integrity",
        "exporters",
        "evaluate",
        "cli",
    ),
]
"""From the ground up: each may import those before it."""

LATE = {("base", "tiff_reader"), ("base", "zip_reader"), ("writer", "tiff_writer")}
"""In ``containers``: factories that import an implementation, inside a function, when a file asks for it."""

FOREIGN_DOORS = {
    "PIL": {"containers.pictures", "evaluate", "exporters", "tuning.calibration", "viewers.openslide_api"},
    "distributed": {"conversion.executors"},
    "fsspec": {"storage.byte_source", "zarr_views.fsspec_raw"},
    "imagecodecs": {"evaluate", "exporters.tiff", "family.jpeg", "sources", "zarr_views.base_codec"},
    "pyvips": {"family.jpeg", "sources"},
    "skimage": {"evaluate", "integrity.comparison"},
    "openslide": {"sources", "viewers.openslide_api"},
    "tifffile": {"exporters.tiff", "sources"},
    "ctypes": {"core", "storage.workplace", "tuning.losses", "viewers.openslide_api"},
    "google_crc32c": {"spec.tile"},
}
"""By library, the packages and modules that import it."""


def room(path: Path) -> str:
    """The package of a file, or the module itself where it stands at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    """Name of a module without that of the package at the top."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


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


def test_imports_are_seen():
    """The tests below would pass on an empty set too."""
    assert own_rooms(PACKAGE / "family" / "decode.py") == {"core", "errors", "spec"}
    assert {"errors"} <= own_rooms(PACKAGE / "sources" / "base.py")
    assert "imagecodecs" in imports(PACKAGE / "family" / "jpeg.py")
    assert own_rooms(PACKAGE / "spec" / "tile.py") == {"errors"}


def test_every_package_has_its_floor():
    assert {room(path) for path in MODULES} == {*FLOORS, "__init__", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_only_point_down(path):
    if room(path) not in FLOORS:
        return  # the roof
    height = FLOORS.index(room(path))
    for other in own_rooms(path):
        assert FLOORS.index(other) < height, f"{room(path)} imports {other}, which is not below it"


def check_no_cycle(graph: dict[str, set[str]]) -> None:
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"a cycle among {sorted(graph)}"
        for name in leaves:
            del graph[name]


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_there_is_no_cycle_within(name):
    """What is inside a room of more than one module points down too, and its ``__init__`` is its roof."""
    prefix = f"rrip_format.{name}."
    graph = {}
    for path in (PACKAGE / name).glob("*.py"):
        found = imports(path)
        assert f"rrip_format.{name}" not in found or path.stem == "__init__", f"{path}: name the module"
        inside = {full.removeprefix(prefix).partition(".")[0] for full in found if full.startswith(prefix)}
        graph[path.stem] = {other for other in inside if (path.stem, other) not in LATE}
    check_no_cycle(graph)


@pytest.mark.parametrize(("factory", "implementation"), sorted(LATE))
def test_factories_import_late(factory, implementation):
    path, full = PACKAGE / "containers" / f"{factory}.py", f"rrip_format.containers.{implementation}"
    assert full in imports(path), "no longer needed in LATE"
    assert full not in imports(path, inside_functions=False)


@pytest.mark.parametrize("library", FOREIGN_DOORS)
def test_few_doors_to_each_foreign_library(library):
    users = {path for path in MODULES if any(name.partition(".")[0] == library for name in imports(path))}
    doors = {door for door in FOREIGN_DOORS[library] for path in users if dotted(path).startswith(door)}
    assert doors == FOREIGN_DOORS[library], "a door that nobody uses"
    strangers = {dotted(path) for path in users if not dotted(path).startswith(tuple(doors))}
    assert not strangers


@pytest.mark.parametrize("name", ["spec", "core", "family"])
def test_the_lower_floors_know_no_store(name):
    paths = {path for path in MODULES if room(path) == name} - {PACKAGE / "core" / "library.py"}  # which opens one
    found = {full.partition(".")[0] for path in paths for full in imports(path)}
    assert found
    assert not found & {"zarr", "fsspec", "pathlib"}


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
    assert "rrip_format.core.library" in loaded
    assert not loaded & {"zarr", "imagecodecs", "pyvips", "openslide", "tifffile", "skimage", "dask"}


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
