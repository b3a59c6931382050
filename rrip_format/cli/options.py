"""Options that several commands have."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import click

__all__ = [
    "AS_JSON",
    "IMAGE",
    "KEEP_IDENTIFIERS",
    "LABEL",
    "OVERWRITE",
    "STORAGE",
    "WORKERS",
    "FiniteRange",
    "PixelSize",
    "json_line",
    "takes_settings",
]

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
IMAGE = click.option(
    "--image",
    metavar="N|NAME",
    help="Which picture of a source that holds several of one size: series, focal planes. [the largest, first]",
)
KEEP_IDENTIFIERS = click.option(
    "--keep-identifiers",
    is_flag=True,
    help="Keep the file's name and properties that may identify the patient.",
)
LABEL = click.option("--label", is_flag=True, help="Keep images that show the label, or may show it.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace an existing container at DEST.")
WORKERS = click.option(
    "-j", "--workers", type=click.IntRange(min=1), help="Threads, or processes for a large slide. [all cores]"
)


def _use_storage_options(context: click.Context, _: click.Parameter, given: tuple[str, ...]) -> None:
    """Let every URL of a command be opened with options, ``a.b=c`` for an option `b` inside the option `a`."""
    from ..storage.access import using

    options: dict[str, Any] = {}
    for one in given:
        names, sign, text = one.partition("=")
        if not sign or not all(path := names.split(".")):
            raise click.BadParameter(f"{one!r}, expected KEY=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        inner = options
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
            if not isinstance(inner, dict):
                raise click.BadParameter(f"{one!r}: {name} has a value already")
        inner[path[-1]] = value
    if options:
        context.with_resource(using(options))


STORAGE = click.option(
    "--storage-option",
    metavar="KEY=VALUE",
    multiple=True,
    expose_value=False,
    callback=_use_storage_options,
    help="For URLs, as fsspec has it: key=…, client_kwargs.endpoint_url=…; may be given several times.",
)


if TYPE_CHECKING:
    _QualityType: TypeAlias = click.ParamType[int | str]
    _PixelSizeType: TypeAlias = click.ParamType[float | tuple[float, float]]
else:  # generic only in newer versions of click
    _QualityType = _PixelSizeType = click.ParamType


class _Quality(_QualityType):
    """A JPEG quality, or ``source``."""

    name = "1…100|source"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return a number, or the word."""
        return "source" if value == "source" else click.IntRange(1, 100).convert(value, param, ctx)


def json_line(value: object) -> str:
    """Return JSON in readable Unicode; what is none, as in some names of files, is escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")


class FiniteRange(click.FloatRange):
    """A number in a range; click lets ``nan`` and ``inf`` through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a finite number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class PixelSize(_PixelSizeType):
    """Micrometres per pixel: one number, or two of x and y with a comma between."""

    name = "UM[,UM]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | tuple[float, float]:
        """Return a number, or two."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        try:
            sizes = [float(part) for part in value.split(",")]
        except ValueError:
            sizes = []
        if not 1 <= len(sizes) <= 2 or not all(1e-6 <= size <= 1e6 for size in sizes):
            self.fail(f"{value!r} is not one or two sizes in micrometres, such as 0.25 or 0.25,0.26", param, ctx)
        return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])


_SETTINGS = {
    "quality": click.option(
        "-q",
        "--quality",
        type=_Quality(),
        metavar="N|source",
        help="As good as a JPEG pyramid of quality 1 … 100, or of the source's own. [90]",
    ),
    "target": click.option(
        "--target", help="Instead of a quality, reach psnr=…, ratio=… or ssimulacra2=… on a sample."
    ),
    "effort": click.option(
        "--effort", type=click.Choice(["fast", "default", "best"]), help="More effort: smaller, but slower. [default]"
    ),
    "tune": click.option("--tune", type=click.Choice(["psnr", "ssim"]), help="Measure of quality to optimise. [psnr]"),
    "profile": click.option(
        "--profile",
        type=click.Choice(["view", "archive"]),
        help="What the container is for: archive is smaller, and slower to write and to read. [view]",
    ),
    "preset": click.option("--preset", type=click.Choice(["notebook"]), help="The original method, for comparison."),
    "tile": click.option(
        "--base-tile",
        "tile",
        type=int,
        help="Side of a base tile in pixels; level 0 tiles are four times it. [128]",
    ),
    "luma_only": click.option(
        "--luma-only", is_flag=True, help="Store no chroma residuals: smaller, with less exact colour."
    ),
    "level_2_loss": click.option(
        "--level-2-loss",
        type=FiniteRange(0, 10),
        metavar="DB",
        help="Let level 2 have so much less PSNR than a JPEG pyramid's. [0]",
    ),
}
"""Options by the name of the argument of ``Settings``."""


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the encoder to a command, which receives those that were used as `given`."""

    @functools.wraps(command)
    def gather(**options: Any) -> None:
        values = {name: options.pop(name) for name in _SETTINGS}
        given = {name: value for name, value in values.items() if value is not None and value is not False}
        command(given=given, **options)

    for option in reversed(_SETTINGS.values()):
        gather = option(gather)
    return gather
