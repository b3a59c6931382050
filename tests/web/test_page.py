"""The page of ``rrip view`` in Chromium and Firefox, on slides of every kind; Node drives them."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import threading
from pathlib import Path

import pytest
from kinds import make_kinds
from test_reader import needs_node, run_node

import rrip_format
from rrip_format.containers.copying import transmux
from rrip_format.containers.opening import open_container
from rrip_format.containers.zarr_reader import ZarrContainer
from rrip_format.serving.view import ViewServer
from rrip_format.spec.metadata import seal

uvicorn = pytest.importorskip("uvicorn")

SCRIPT = "<img src=x onerror='globalThis.wasHacked = 1'>"


def hostile(path: Path) -> None:
    """Give a container text that is markup, and a pixel size."""
    document = json.loads((path / "zarr.json").read_text())
    rrip = document["attributes"]["rrip"]
    rrip["slide"] |= {"mpp": [0.25, 0.25], "vendor": SCRIPT, "properties": {SCRIPT: SCRIPT}}
    document["attributes"]["rrip"] = seal(rrip)
    (path / "zarr.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def slides(tmp_path_factory, container) -> Path:
    """One slide as every kind of container, digests of its blocks, and a copy with a flipped byte."""
    folder = tmp_path_factory.mktemp("slides")
    kinds = make_kinds(tmp_path_factory.mktemp("kinds"), container)
    shutil.copytree(kinds.zarr, folder / "slide.rrip.zarr")
    hostile(folder / "slide.rrip.zarr")
    for suffix in (".rrip.tif", ".rrip.zarr.zip"):
        transmux(folder / "slide.rrip.zarr", folder / f"slide{suffix}")
    digests = {}
    with rrip_format.open(folder / "slide.rrip.tif") as slide:
        side = slide.geometry.tile_side(0)
        for level in range(slide.geometry.levels):
            height, width = slide.geometry.shape(level)
            for y in range(0, height, side):
                for x in range(0, width, side):
                    block = slide.read_region(level, y, x, min(side, height - y), min(side, width - x))
                    digests[f"{level}/{y // side}/{x // side}"] = hashlib.sha256(block.tobytes()).hexdigest()
    (folder / "digests.json").write_text(json.dumps(digests))
    damage(folder)
    return folder


def damage(folder: Path) -> None:
    """Flip a byte of a tile of level 0."""
    data = bytearray((folder / "slide.rrip.tif").read_bytes())
    opened = open_container(folder / "slide.rrip.tif")
    assert not isinstance(opened, ZarrContainer)
    offset, length = opened.locate(0, 1, 1)
    opened.close()
    data[offset + length // 2] ^= 1
    (folder / "damaged.rrip.tif").write_bytes(data)
    (folder / "damaged.json").write_text(json.dumps({"x": 384, "y": 384}))


@pytest.fixture(scope="module")
def served(slides):
    """Variables for Node: the slides, and addresses of ``rrip view`` and ``rrip serve`` on them."""
    from rrip_format.serving.app import make_app

    names = ("slide.rrip.tif", "slide.rrip.zarr", "slide.rrip.zarr.zip")
    with ViewServer([str(slides / name) for name in names]) as view, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        serve = uvicorn.Server(uvicorn.Config(make_app([slides]), log_level="error", lifespan="off"))
        threads = [
            threading.Thread(target=view.serve_forever, kwargs={"poll_interval": 0.05}),
            threading.Thread(target=serve.run, kwargs={"sockets": [listener]}),
        ]
        for thread in threads:
            thread.start()
        yield {
            "RRIP_WEB_SLIDES": str(slides),
            "RRIP_WEB_VIEW": view.url,
            "RRIP_WEB_SERVE": f"http://127.0.0.1:{listener.getsockname()[1]}",
        }
        view.shutdown()
        serve.should_exit = True
        for thread in threads:
            thread.join()


def run_or_skip(name: str, variables: dict[str, str]) -> None:
    printed = run_node(name, **variables)
    reasons = {line.partition("# SKIP ")[2] for line in printed.splitlines() if "# SKIP " in line}
    if reasons:
        pytest.skip(" and ".join(sorted(reasons)))


@needs_node
def test_the_page(served):
    run_or_skip("page.test.mjs", served)


@needs_node
def test_viv_and_zarrita(served):
    run_or_skip("adapters.test.mjs", served)
