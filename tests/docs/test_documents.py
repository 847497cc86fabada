"""The documents are true: every command they show is run, in order, in an empty folder of its own per document.

Commands that set up the machine itself (`git clone`, `cd innkeeper`, `make …`) are not carried out inside a test of
that machine; `make` targets are asked for with `--dry-run` instead. What they do is shown by `.ci/run`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs.transcript import agrees, commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
SOURCE_PATH = re.compile(r"`((?:src|tests|examples|benchmarks|docs)/[\w./-]+)`")
#: Paths in the glossary and the flow are written from the package on.
PACKAGE_PATH = re.compile(r"`((?!src/)(?:[a-z_]+/)+(?:[a-z_]+\.(?:py|sql))?|[a-z_]+\.py)`")
SECONDS = 600


@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if commands(document)],
    ids=lambda document: str(document.relative_to(ROOT)),
)
def test_every_command_does_what_the_document_says(document: Path, tmp_path: Path) -> None:
    if document.name == "matching.md":
        pytest.importorskip("splink")
    folder = tmp_path / "folder"
    folder.mkdir()
    environment = _environment(tmp_path)
    for command in commands(document):
        text = command.text
        if re.match(r"git clone |cd innkeeper\b", text):
            continue
        if re.match(r"make\b", text):
            text = f"make --dry-run -C {shlex.quote(str(ROOT))} {text.removeprefix('make')}"
        script = f"{text}\nstatus=$?\npwd > {shlex.quote(str(tmp_path / 'where'))}\nexit $status\n"
        done = subprocess.run(
            ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )
        place = f"{document.relative_to(ROOT)}:{command.line}: {command.text}"
        assert done.returncode == command.exit_code, f"{place}\n{done.stdout}{done.stderr}"
        if command.shown is not None:
            printed = done.stdout + done.stderr
            assert agrees(command.shown, printed), f"{place}\nprinted:\n{printed}\nshown:\n{command.shown}"
        folder = Path((tmp_path / "where").read_text().rstrip("\n"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    broken = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    broken += [path for path in SOURCE_PATH.findall(text) if not (ROOT / path).exists()]
    assert broken == []


@pytest.mark.parametrize("name", ["glossary.md", "flow.md"])
def test_the_files_that_the_tour_of_the_code_names_are_there(name: str) -> None:
    named = PACKAGE_PATH.findall((ROOT / "docs" / name).read_text())
    package = ROOT / "src" / "innkeeper"
    # A bare name is a neighbour of the file named before it.
    missing = [path for path in named if not (package / path).exists() and not list(package.rglob(path))]
    assert len(named) > 20
    assert missing == []


def _environment(folder: Path) -> dict[str, str]:
    """As a person has it, with the `innkeeper` of this checkout first on the path."""
    programs = folder / "bin"
    programs.mkdir()
    program = programs / "innkeeper"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m innkeeper "$@"\n')
    program.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    return {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
