"""Every example in the documents runs, on a slide that these tests make (``tests/support/pages.py``).

Each block begins in a folder of its own, with ``slide.svs``, containers of it of every kind, and ``damaged.rrip.zarr``.
The target of a command is not there yet. A block that cannot run here says why in the comment above it.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import BRIEF, slide_image, tile_path, tissue
from kinds import serve
from pages import ALL, GUIDES, REPOSITORY, Block, blocks, words

import rrip_format
from rrip_format.cli import main

pytest.importorskip("tifffile")

REGION = (300, 200, 256, 256)
"""What the examples call ``patch``."""

KNOWN = {"", "c", "console", "json", "python", "sh", "text", "html", "js", "nginx"}
TARGETS = {"convert", "export", "repair"}
LONG = {"demo", "evaluate"}
"""Commands of ``rrip`` whose arguments are only parsed; tests of their own run them."""


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """A folder with everything that an example may name, and the pixels of `REGION`."""
    import tifffile

    folder = tmp_path_factory.mktemp("examples")
    about = "Aperio Image Library\n900x700 (256x256) JPEG/RGB Q=90|AppMag = 20|MPP = 0.4990"
    tiles = {"tile": (256, 256), "compression": "jpeg", "photometric": "ycbcr", "subsampling": (1, 1)}
    tifffile.imwrite(folder / "slide.svs", slide_image(), **tiles, description=about, metadata=None)
    shutil.copy(folder / "slide.svs", folder / "S12-3456.svs")
    with tifffile.TiffWriter(folder / "stack.tif") as writer:
        for seed in range(3):
            writer.write(tissue(150, 200, seed), photometric="rgb", metadata=None)
    with tifffile.TiffWriter(folder / "slide.ome.tif", ome=True) as writer:
        for seed in range(2):
            named = {"axes": "YXS", "Name": f"Region {seed + 1}"}
            writer.write(tissue(150, 200, seed), photometric="rgb", metadata=named)
    rrip_format.convert(folder / "slide.svs", folder / "slide.rrip.zarr", BRIEF, workers=1)
    for kind in ("zarr.zip", "tif"):
        invoke(["convert", str(folder / "slide.rrip.zarr"), str(folder / f"slide.rrip.{kind}")])
    shutil.copytree(folder / "slide.rrip.zarr", folder / "damaged.rrip.zarr")
    tile_path(folder / "damaged.rrip.zarr", 3, 0, 0).unlink()  # which can be made again
    patch = rrip_format.imread(folder / "slide.rrip.zarr", region=REGION)
    return SimpleNamespace(folder=folder, patch=patch)


@pytest.fixture
def here(made, tmp_path, monkeypatch) -> Path:
    folder = Path(shutil.copytree(made.folder, tmp_path / "work"))
    monkeypatch.chdir(folder)
    return folder


def invoke(arguments: list[str]) -> SimpleNamespace:
    done = CliRunner().invoke(main, arguments, prog_name="rrip")
    return SimpleNamespace(code=done.exit_code, output=done.output)


def imported(code: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def of_language(*languages: str) -> list[Block]:
    return [block for page in GUIDES for block in blocks(page) if block.language in languages]


def of_rrip(block: Block) -> Iterator[str]:
    """The commands that run here; ``test_names.py`` looks at the others."""
    yield from (command for command in block.commands if words(command)[:1] == ["rrip"])


RUN = [block for block in of_language("console", "sh") if block.reason_to_skip or any(of_rrip(block))]


def test_every_block_says_its_language():
    for page in ALL:
        for block in blocks(page):
            assert block.language in KNOWN or block.language.startswith("{"), block.name
            assert not block.mark or block.reason_to_skip or re.fullmatch(r"exits with \d+", block.mark), block.name


def test_there_are_examples():
    assert len(of_language("python")) >= 15
    assert sum(len(list(of_rrip(block))) for block in RUN) >= 20


@pytest.mark.parametrize("block", of_language("python"), ids=lambda block: block.name)
def test_python(made, here, block):
    if block.reason_to_skip:
        pytest.skip(block.reason_to_skip)
    for name in imported(block.code):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    with serve(here) as server:
        space = {"__name__": "__main__"}
        exec(compile(block.code.replace("https://example.org", server.url), block.name, "exec"), space)
    if block.page.name != "training.md" and re.search(r"^\s*patch = ", block.code, re.MULTILINE):
        patch = np.asarray(space["patch"])
        patch = patch.transpose(1, 2, 0) if patch.shape[0] == 3 else patch[..., :3]
        np.testing.assert_array_equal(patch, made.patch)


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_commands(here, monkeypatch, block):
    if block.reason_to_skip:
        pytest.skip(block.reason_to_skip)
    commands = list(of_rrip(block))
    expected = int(block.mark.removeprefix("exits with ")) if block.mark else 0
    with serve(here) as server:
        for command in commands:
            for name, value in re.findall(r"\b(RRIP_[A-Z_]+)=(\S+)", command):
                monkeypatch.setenv(name, value)
            arguments = words(command.replace("https://example.org", server.url))[1:]
            arguments = [name for word in arguments for name in sorted(map(str, here.glob(word))) or [word]]
            if arguments[0] in LONG:
                main.commands[arguments[0]].make_context(arguments[0], arguments[1:])
                continue
            if arguments[0] in TARGETS and not arguments[2].startswith("-") and "--out-dir" not in arguments:
                remove(Path(arguments[2]))
            done = invoke(arguments)
            assert done.code == expected, f"{command}\n{done.output}"


def test_what_validate_prints(here):
    """The lines on the page have the form of real ones: other numbers and places, and ``…`` for what is left out."""
    damaged = here / "slide.rrip.zarr"
    tile_path(damaged, 2, 1, 0).unlink()
    tile = tile_path(damaged, 0, 1, 0)
    tile.write_bytes(tile.read_bytes()[:-60] + bytes(60))
    (damaged / ".DS_Store").touch()
    printed = invoke(["validate", damaged.name]).output.splitlines()
    page = blocks(REPOSITORY / "docs" / "validating.md")
    block = next(block for block in page if block.code.startswith("$ rrip validate damaged"))
    shown = block.code.replace("damaged.rrip.zarr", damaged.name).splitlines()[1:]
    assert len(shown) == 4
    for line in shown:
        pattern = re.escape(line).replace("…", ".*")
        pattern = re.sub(r"\b[0-9a-f]{8}\b", "[0-9a-f]{8}", pattern)
        pattern = re.sub(r"(?<![{a-f\-])\b\d+\b", r"\\d+", pattern)
        assert any(re.fullmatch(pattern, found) for found in printed), (pattern, printed)


DOCTESTS = [
    path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in sorted((REPOSITORY / "rrip_format").rglob("*.py"))
    if "node_modules" not in path.parts and ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", DOCTESTS)
def test_docstrings(here, name):
    module = importlib.import_module(name)
    done = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not done.failed
    assert done.attempted
    assert "+SKIP" not in Path(module.__file__).read_text("utf-8")


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def test_readme_begins_with_its_two_commands():
    """``.ci/run`` takes them from there."""
    first = next(block for block in blocks(REPOSITORY / "README.md") if block.language == "sh")
    converts, tests = first.commands
    assert converts.endswith("rrip demo")
    assert "pytest" in tests
