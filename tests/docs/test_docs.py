"""The documentation is true: every command and option is in it, every example runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

import anello
from anello import config, errors
from anello.cli import app
from anello.models.fetch import missing_models

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
LIBRARY = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
FILES = {
    "hand.jpg": "hand-light.jpg",
    "ring.jpg": "ring-solitaire.jpg",
    "band.jpg": "ring-wide-band.jpg",
}

needs_models = pytest.mark.skipif(
    bool(missing_models()), reason="the hand networks are not here: anello models fetch"
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its words, groups opened."""

    def walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield words, command
        for name, sub in (inner or {}).items():
            yield from walk(f"{words} {name}", sub)

    yield from walk("anello", typer.main.get_command(app))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the pictures that the examples name."""
    for name, sample in FILES.items():
        shutil.copy(ROOT / "samples" / sample, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("words", "command"), list(commands()), ids=lambda value: str(value)[:30])
def test_every_command_and_option_is_documented(words: str, command: Any) -> None:
    assert words in COMMANDS
    section = COMMANDS
    if len(words.split()) == 2:
        section = COMMANDS.split(f"## {words}\n")[1].split("\n## ")[0]
    for param in command.params:
        for name in param.opts:
            if name.startswith("-") and name not in ("--help", "-h"):
                assert f"`{name}`" in section, f"{name} of {words}"


def test_every_option_in_the_documentation_is_there() -> None:
    known = {name for _, command in commands() for param in command.params for name in param.opts}
    known |= {"--help", "--version"}
    for page in PAGES:
        for name in re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8")):
            assert name in known, f"{name} in {page.name}"


def test_every_error_is_documented() -> None:
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, errors.AnelloError):
            assert value.__name__ in ERRORS, value
            assert f"`{value.code}`" in ERRORS, value


def test_every_setting_is_documented() -> None:
    server = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
    for variable in config.VARIABLES:
        row = next(line for line in server.splitlines() if line.startswith(f"| `{variable.name}`"))
        assert variable.default == str(config._n_cores()) or variable.default in row


def test_every_public_name_is_documented() -> None:
    for name in anello.__all__:
        if not name.startswith("__"):
            assert name in LIBRARY + ERRORS, name


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert (page.parent / target).exists(), f"{target} in {page.name}"


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size < 400_000, picture


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_is_json(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)


@needs_models
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name
)
def test_python_examples_run(page: Path, desk: Path) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


@needs_models
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "console")], ids=lambda page: page.name
)
def test_shell_examples_run(page: Path, desk: Path) -> None:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line.removeprefix("$ "))
        shape = any(word.isupper() or "[" in word for word in words)  # not a call but its form
        if words[0] != "anello" or shape:
            continue
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, f"{line}\n{result.stderr}"
        assert "-o" not in words or os.path.exists(words[words.index("-o") + 1])


def test_make_words_are_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        for word in re.findall(r"make ([a-z]+)", page.read_text(encoding="utf-8")):
            assert word in targets, f"make {word} in {page.name}"
