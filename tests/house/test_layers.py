"""Packages import only those below them, few modules import each foreign library, and importing loads little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rrip_format

ROOT = Path(__file__).parents[2]


def lint_imports(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Check the contracts of import-linter in ``pyproject.toml``."""
    pytest.importorskip("importlinter", reason="import-linter is in the extra test")
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_imports_keep_the_contracts():
    done = lint_imports("pyproject.toml")
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_a_broken_contract_is_noticed(tmp_path):
    """The test above would pass on contracts that say nothing, too."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    swapped = text.replace('layers = ["cli", "evaluate"', 'layers = ["evaluate", "cli"')
    assert swapped != text
    path = tmp_path / "pyproject.toml"
    path.write_text(swapped, encoding="utf-8")
    done = lint_imports(path)
    assert done.returncode == 1
    assert "rrip_format.evaluate is not allowed to import rrip_format.cli" not in done.stdout
    assert "rrip_format.cli is not allowed to import rrip_format.evaluate" in done.stdout


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
