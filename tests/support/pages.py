"""The documents of the repository, their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

GUIDES = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(REPOSITORY / "docs").glob("*.md"),
    ]
)
"""What people read first: all blocks of Python and all commands of these run."""

RECORDS = [*sorted((REPOSITORY / "docs" / "records").glob("*.md")), REPOSITORY / "CHANGELOG.md"]

SPECIFICATION = [REPOSITORY / "spec" / "rrip.md", REPOSITORY / "spec" / "vectors" / "README.md"]

ALL = [*GUIDES, *RECORDS, *SPECIFICATION]

FENCE = re.compile(
    r"^(?:<!-- example: (?P<mark>[^\n]+) -->\n)?^```(?P<language>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, its language, what the comment ``<!-- example: … -->`` above it says, its text."""

    page: Path
    line: int
    language: str
    mark: str
    code: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    @property
    def reason_to_skip(self) -> str | None:
        found = re.fullmatch(r"skip \((.+)\)", self.mark)
        return found[1] if found else None

    @property
    def commands(self) -> list[str]:
        """Lines that a shell runs: those behind a prompt of a ``console`` block, all of a ``sh`` block."""
        lines = self.code.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line and not line.startswith("#")] if self.language == "sh" else []


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text("utf-8")
    return [
        Block(page, text[: match.start("code")].count("\n"), match["language"], match["mark"] or "", match["code"])
        for match in FENCE.finditer(text)
    ]


def words(command: str) -> list[str]:
    """What a shell makes of a command, without its comment and without variables that it begins with."""
    found = shlex.split(command, comments=True)
    while found and re.match(r"[A-Z_]+=", found[0]):
        found = found[1:]
    return found


def inline_code(page: Path) -> Iterator[str]:
    """Everything between single backquotes, outside fenced blocks."""
    text = FENCE.sub("", page.read_text("utf-8"))
    for match in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        yield " ".join(match[1].split())


def named_commands(page: Path) -> Iterator[str]:
    """Commands of a page, in blocks and in running text."""
    for block in blocks(page):
        yield from block.commands
    for code in inline_code(page):
        if re.match(r"(rrip|python|pip|pip install) [a-z.'\[-]", code):
            yield code
