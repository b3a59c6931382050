"""Compile the core while a wheel is built (`docs/building.md`)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools" / "release"))
import compile_core
from compile_core import CompileError, Compiler, Target

sys.path.pop(0)

TARGET_VARIABLE = "RRIP_BUILD_TARGET"
"""Environment variable that names one of `compile_core.TARGETS`."""


class CoreBuildHook(BuildHookInterface[BuilderConfig]):
    """Compiles the core into the source tree, from where tests run, and into the wheel."""

    def dependencies(self) -> list[str]:
        """Zig's package, which is large, only where its compiler will be used."""
        return [compile_core.ZIG_REQUIREMENT] if self._choose()[0].zig else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say where the library is and which machines the wheel is for."""
        compiler, target = self._choose()
        try:
            if target and version == "editable":
                self.app.abort(f"An editable install is for this machine: unset {TARGET_VARIABLE}.")
            if version == "editable":
                compile_core.compile_library(self._in_tree(), compiler)
                return
            # Several builds can run in one tree: each packs what it has compiled itself.
            self._made = tempfile.TemporaryDirectory(prefix="rrip-")
            name = compile_core.library_name(target.system if target else sys.platform)
            library = Path(self._made.name, name)
            compile_core.compile_library(library, compiler, target)
        except CompileError as error:
            self.app.abort(str(error))
        if not target:
            try:
                compile_core.replace_file(library, self._in_tree())
            except OSError as error:  # the tree can be read-only, or a process on Windows can have the library open
                self.app.display_warning(f"The library of the source tree was not renewed: {error}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform(compiler, target)}"
        build_data["force_include"][str(library)] = f"rrip_format/core/{name}"

    def _choose(self) -> tuple[Compiler, Target | None]:
        wanted = os.environ.get(TARGET_VARIABLE)
        if wanted and wanted not in compile_core.TARGETS:
            self.app.abort(f"{TARGET_VARIABLE} is {wanted!r}, not one of {', '.join(compile_core.TARGETS)}.")
        return compile_core.find_compiler(cross=bool(wanted)), compile_core.TARGETS[wanted] if wanted else None

    def _in_tree(self) -> Path:
        return compile_core.CORE / compile_core.library_name(sys.platform)


def _platform(compiler: Compiler, target: Target | None) -> str:
    """Platform tags of the wheel."""
    from packaging.tags import platform_tags

    if compiler.zig:
        target = target or compile_core.native_target()
    if target:
        return target.platform
    # What another compiler made may need all that this machine has: neither old C libraries nor old systems will do.
    return next(tag for tag in platform_tags() if not tag.startswith(("manylinux", "musllinux")))
