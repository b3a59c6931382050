"""Every command says the same of a path at which there is nothing."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from conftest import SUFFIXES

from rrip_format.cli import main

COMMANDS = {
    name: command
    for name, command in main.commands.items()
    if any(isinstance(parameter, click.Argument) for parameter in command.params)
}
"""Those that take a path."""

NEEDED = {"evaluate": ["--out", "OUT"]}
"""Options without which a command does not begin."""

TARGETS = {"convert": "out.rrip.zarr", "repair": "out.rrip.tif", "export": "out.tif"}


def arguments(name, absent, folder):
    """Call a command with an absent source, and with a target that could be written."""
    also = [str(folder / TARGETS[name])] if name in TARGETS else []
    return [name, str(absent), *also, *[str(folder / "out") if one == "OUT" else one for one in NEEDED.get(name, [])]]


def test_all_commands_are_here():
    """A new command that takes a path is tested, and what is told of the commands is true."""
    assert set(COMMANDS) >= {"convert", "evaluate", "export", "info", "repair", "serve", "validate", "view"}
    for name, command in COMMANDS.items():
        needed = {option for one in command.params if one.required for option in one.opts if option.startswith("--")}
        assert needed == {one for one in NEEDED.get(name, []) if one.startswith("--")}


CASES = [*((suffix, False) for suffix in (*SUFFIXES, ".rrip", ".svs", "")), (".rrip.tif", True), (".svs", True)]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("suffix", "is_link"), CASES)
def test_nothing_there(name, suffix, is_link, tmp_path):
    path, link = tmp_path / f"nothing{suffix}", ""
    if is_link:
        try:
            path.symlink_to(tmp_path / "gone")
        except OSError:
            pytest.skip("no links here")
        link = f", a link to {tmp_path / 'gone'} that is not there"
    before = sorted(tmp_path.iterdir())
    done = CliRunner().invoke(main, arguments(name, path, tmp_path))
    assert done.exit_code == (2 if name == "validate" else 1)  # whose 1 is a container with faults
    assert done.stdout == ""
    assert done.stderr == f"rrip: {path}: no such file or directory{link}; check the path\n"
    assert sorted(tmp_path.iterdir()) == before
