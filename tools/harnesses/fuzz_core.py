"""The fuzz targets of the compiled core (``core_fuzz/*.c``), for libFuzzer and for any compiler; part of ``fuzz.py``.

With Clang a target is searched by libFuzzer, guided by coverage. With GCC alone ``core_fuzz/driver.c`` runs it on its
inputs and on changes of them: always the same, so that a test can do it. Both are built with AddressSanitizer and
UndefinedBehaviorSanitizer.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import core_build
import numpy as np

__all__ = ["TARGETS", "FoundError", "libfuzzer", "replay", "seeds"]

FOLDER = Path(__file__).with_name("core_fuzz")

TARGETS = ("contract", "encode", "source", "stream", "tile")
"""Names of files in ``tools/harnesses/core_fuzz``."""

_SIDES = (8, 16, 24, 64, 136, 16, 64, 256)
"""Sides that the target ``stream`` knows, px."""


class FoundError(Exception):
    """A sanitizer or a comparison has stopped a target; the message is its report."""


def program(target: str, build: core_build.Build = core_build.CHECKED) -> Path:
    """Build a target as a program, with libFuzzer or with our driver."""
    is_searched = build is core_build.FUZZED
    names = [target] if is_searched else [target, "driver"]
    own = [FOLDER / f"{name}.c" for name in names]
    parts = core_build.objects(build, [*core_build.core_files(), *own])
    options = ["-fsanitize=fuzzer"] if is_searched else []
    kind = hashlib.sha256(repr(build).encode()).hexdigest()[:8]
    return core_build.link(build, parts, core_build.KEPT / f"fuzz-{target}-{kind}", *options)


def _noise(side: int, shape: tuple[int, ...] = ()) -> Any:
    """Return a picture with all frequencies, samples minus 128."""
    rng = np.random.default_rng(side)
    smooth = 90 * np.sin(np.arange(side) / 5)[:, None] * np.cos(np.arange(side) / 7)
    return np.clip(smooth + rng.normal(0, 12, (*shape, side, side)), -128, 127).astype(np.float32)


def _streams() -> dict[tuple[int, int], bytes]:
    """Return a valid stream of each side and number of planes."""
    from rrip_format.core.jpeg_encoder import Quantiser, encode_gray, encode_ycc

    steps = Quantiser(np.full(64, 24, np.uint8), 0.5)
    found = {(side, 1): encode_gray(_noise(side), steps) for side in {*_SIDES, 128}}
    return found | {(side, 3): encode_ycc(_noise(side, (3,)), steps, steps) for side in (*_SIDES, 64)}


def _two(number: int) -> bytes:
    return number.to_bytes(2, "little")


def _with_restarts(stream: bytes, interval: int) -> bytes:
    """Return streams with a restart interval that their scan does not keep."""
    return stream[:2] + b"\xff\xdd\0\4" + interval.to_bytes(2, "big") + stream[2:]


def _jpegs() -> Iterator[tuple[int, bytes, bytes]]:
    """Return side, tables and stream of JPEGs as in sources: subsampled, with restart markers, abbreviated."""
    import imagecodecs

    rgb = np.ascontiguousarray(_noise(48, (3,)).transpose(1, 2, 0) + 128, np.uint8)
    for subsampling in ("444", "422", "420"):
        whole = imagecodecs.jpeg8_encode(rgb, level=70, subsampling=subsampling)
        yield 48, b"", whole
        yield 48, b"", _with_restarts(whole, 5)
        at, tables, rest = 2, b"", b""
        while whole[at + 1] != 0xDA:
            end = at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")
            if whole[at + 1] in {0xC4, 0xDB}:
                tables += whole[at:end]
            else:
                rest += whole[at:end]
            at = end
        yield 48, b"\xff\xd8" + tables + b"\xff\xd9", whole[:2] + rest + whole[at:]
    yield 48, b"", imagecodecs.jpeg8_encode(rgb[..., 0].copy(), level=30)


def seeds(target: str) -> list[bytes]:
    """Return valid inputs of a target to start from."""
    streams = _streams()
    match target:
        case "stream":
            every = [
                bytes((_SIDES.index(side) | (8 if planes == 3 else 0), 0, 255)) + stream
                for (side, planes), stream in streams.items()
                if side in _SIDES
            ]
            one = every[1]
            return [*every, one[:1] + b"\x80\x10" + one[3:], one[:3] + _with_restarts(one[3:], 2)]
        case "tile":
            gray = {side: streams[side, 1] for side in (64, 128, 256)}
            base, coarse = streams[64, 3], streams[256, 3]
            whole, some, sound = bytes((0, 255, 0, 255)), bytes((90, 30, 128, 4)), bytes(3)
            chosen = (
                (2, 0, [base], whole, sound),
                (3, 8, [coarse], some, sound),
                (1, 2, [base, *[gray[128]] * 3], whole, sound),
                (0, 4, [base, gray[128], b"", b"", gray[256]], some, sound),
                (0, 3, [base, *[gray[128]] * 3, *[gray[256]] * 3], some, sound),
                (0, 20, [base, gray[128], b"", b"", gray[256]], some, sound),
                (2, 4, [base], some, bytes((17, 1, 1))),
                (2, 4, [base], some, bytes((3, 1, 3))),
            )
            return [
                bytes((level, kind)) + window + b"\3\5" + damage
                + b"".join(map(_two, [len(part) for part in (*parts, *[b""] * 7)][:7]))
                + b"".join(parts)
                for level, kind, parts, window, damage in chosen
            ]  # fmt: skip
        case "source":
            return [bytes((side, side)) + _two(len(tables)) + tables + stream for side, tables, stream in _jpegs()]
        case "encode":
            ramp = bytes(range(1, 256, 4))
            return [
                bytes((how, 3, passes)) + _two(rate) + bytes((len(ramp),)) + ramp + bytes(range(256)) * 2
                for how in (0, 1, 8, 16, 24)
                for passes, rate in ((0, 0), (1, 100), (3, 5000))
            ]
        case _:
            rng = np.random.default_rng(1)
            return [bytes((which,)) + rng.bytes(200) for which in range(14) for _ in range(4)]


@contextmanager
def _files(inputs: Sequence[bytes]) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory(prefix="rrip-") as folder:
        paths = [Path(folder, f"{number:05}") for number in range(len(inputs))]
        for path, data in zip(paths, inputs, strict=True):
            path.write_bytes(data)
        yield list(map(str, paths))


def replay(
    target: str, inputs: Sequence[bytes], runs: int = 0, seed: int = 1, build: core_build.Build = core_build.CHECKED
) -> int:
    """Run a target on inputs and on so many changes of them; return the number of inputs.

    Raises
    ------
    FoundError
        With the report; the input that shows it stays in the working directory.
    """
    finding = Path(f"core-{target}.crash-{seed}").absolute()
    with _files(inputs) as files:
        done = subprocess.run(
            [program(target, build), str(runs), str(seed), finding, *files], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise FoundError(f"core-{target}: exit code {done.returncode}, see {finding}\n{done.stderr[-6000:]}")
    return len(inputs) + runs


def libfuzzer(target: str, options: Sequence[str]) -> int:
    """Hand a target to libFuzzer; return its exit code."""
    usual = [f"-artifact_prefix=core-{target}.", "-timeout=20", "-rss_limit_mb=2048", "-max_len=20000"]
    return subprocess.run([program(target, core_build.FUZZED), *usual, *options], check=False).returncode
