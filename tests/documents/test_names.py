"""Whatever a document names exists: paths, links, anchors, tools and their options, extras, public names."""

from __future__ import annotations

import importlib
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from pages import ALL, GUIDES, REPOSITORY, SPECIFICATION, inline_code, named_commands, words

from rrip_format.cli import main
from rrip_format.errors import RULES
from rrip_format.integrity.findings import SEVERITIES
from rrip_format.spec.limits import LIMITS

PAGES = pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(REPOSITORY)))

TOP = {"docs", "rrip_format", "spec", "tests", "tools", ".ci"}
"""Folders in which every path of a document begins, unless it begins in a package."""

PACKAGES = {path.parent.name for path in REPOSITORY.glob("rrip_format/*/__init__.py")}

PLACES = [REPOSITORY, REPOSITORY / "rrip_format", REPOSITORY / "tools" / "conformance", REPOSITORY / "spec"]

EXTRAS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def paths(page: Path) -> set[str]:
    """Code of a page that is a path into the repository, maybe with ``*``."""
    found = set()
    for code in inline_code(page):
        for word in code.split():
            path = word.rstrip(",:;")
            parts = path.split("/")
            if re.fullmatch(r"[\w./*-]+", path) and len(parts) > 1 and parts[0] in TOP | PACKAGES:
                found.add(path)
    return found


@PAGES
def test_paths(page):
    for path in paths(page):
        assert any(any(place.glob(path.rstrip("/"))) for place in PLACES), f"{page.name} names {path}"


def test_paths_are_looked_at():
    assert sum(len(paths(page)) for page in ALL) > 80


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower()).replace(" ", "-")


@PAGES
def test_links(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"https?:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name} links to {target}"


@PAGES
def test_commands(page):
    for command in named_commands(page):
        program, *arguments = words(command.replace("…", "X")) or [""]
        if program == "python" and arguments[0].startswith("tools/"):
            check_tool(arguments, command)
        elif program == "python" and arguments[0] == "-m":
            assert importlib.util.find_spec(arguments[1]), command
        elif program == "rrip" and arguments and not arguments[0].startswith("-") and arguments[0].islower():
            check_options(main.commands[arguments[0]], arguments[1:], command)
        elif program == "pip" and arguments[0] == "install":
            check_extras(arguments[1:], command)


def check_options(command, arguments: list[str], said: str) -> None:
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    for argument in arguments:
        if argument.startswith("--") and argument != "--help":
            assert argument.partition("=")[0] in known, said


def check_tool(arguments: list[str], said: str) -> None:
    """A tool is there, and it or what stands beside it declares the options."""
    path = REPOSITORY / arguments[0]
    assert path.is_file(), said
    source = "".join(file.read_text("utf-8") for file in path.parent.glob("*.py"))
    for argument in arguments[1:]:
        if argument.startswith("--"):
            assert re.search(rf'["/]{re.escape(argument.partition("=")[0])}["/]', source), said


def check_extras(arguments: list[str], said: str) -> None:
    for name in re.findall(r"\[([a-z,]+)\]", " ".join(arguments)):
        assert set(name.split(",")) <= EXTRAS.keys(), said


def test_extras_in_text():
    for page in GUIDES:
        for code in inline_code(page):
            found = re.fullmatch(r"(?:rrip-format)?\[([a-z]+)\]", code)
            assert found is None or found[1] in EXTRAS, f"{page.name}: {code}"


@pytest.mark.parametrize("page", [*GUIDES, *SPECIFICATION], ids=lambda page: page.name)
def test_python_names(page):
    for code in inline_code(page):
        for dotted in re.findall(r"\brrip_format(?:\.\w+)+", code):
            if not dotted.endswith((".py", ".c", ".h")):
                resolve(dotted)


def resolve(dotted: str) -> object:
    """The object of a dotted name; an attribute of a module or of what it holds."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(dotted)


CODE = [*REPOSITORY.glob("*.py"), *REPOSITORY.glob("rrip_format/**/*.py"), *REPOSITORY.glob("tools/**/*.py")]

SOURCE = "".join(path.read_text("utf-8") for path in CODE)


@PAGES
def test_variables_of_the_environment(page):
    of_limits = {f"RRIP_MAX_{name.upper()}" for name in LIMITS}
    for name in re.findall(r"\bRRIP_[A-Z_]+\b", page.read_text("utf-8")):
        assert name in of_limits or name in SOURCE, f"{page.name} names {name}"


@PAGES
def test_rules(page):
    """Code that begins like a rule of the specification is one, unless it is the name of a file."""
    kinds = {rule.partition(".")[0] for rule in RULES} - {"container"}
    for code in inline_code(page):
        if re.fullmatch(rf"({'|'.join(sorted(kinds))})\.[a-z]+", code) and not code.endswith(
            (".py", ".c", ".h", ".json")
        ):
            assert code in RULES | SEVERITIES, f"{page.name} names {code}"


ARCHITECTURE = REPOSITORY / "docs" / "architecture.md"

QUESTIONS = (
    "Where is the layout of a stored tile defined?",
    "Where is a damaged tile noticed?",
    "Where would I add a slide format?",
    "Where would I add a container?",
    "What may I change without touching the specification?",
)
"""What someone who opens the repository for the first time wants to know."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_questions_of_a_newcomer(question):
    row = next(line for line in ARCHITECTURE.read_text("utf-8").splitlines() if line.startswith(f"| {question} |"))
    answer = row.split("|")[2]
    files = [REPOSITORY / path for path in re.findall(r"`((?:rrip_format|spec)/[\w./]+)`", answer)]
    assert files
    assert all(path.exists() for path in files), answer
    text = "".join(path.read_text("utf-8") for path in files if path.is_file())
    for name in re.findall(r"`(\w+)\(\)`", answer):
        assert re.search(rf"(?:def |^[\w ]*\*?\b){name}\(", text, re.MULTILINE), f"{name} is in none of {files}"


def test_all_packages_are_on_the_architecture_page():
    text = ARCHITECTURE.read_text("utf-8")
    rows = {name for line in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)}
    assert rows >= PACKAGES


def test_the_glossary_has_one_meaning_for_each_word_and_all_terms_of_the_specification():
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"^\| (\*\*.+?) \|", glossary, re.MULTILINE)
    entries = [word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(entries) == len(set(entries)) > 40
    specification = SPECIFICATION[0].read_text("utf-8")
    terms = specification.partition("## 3. Terms")[2].partition("\n## ")[0]
    for row in re.findall(r"^\| ([a-zA-Z, ]+) \|", terms, re.MULTILINE)[1:]:
        assert set(row.split(", ")) <= set(entries), row
