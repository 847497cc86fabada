"""Reads the commands of a Markdown document and what it says they print.

A block is fenced as `console` (lines that begin with `$ ` are commands, the lines below show what they print) or as
`sh` (every line is a command, output is not shown). A line that ends in `\\` goes on; a here-document goes on to its
end. A comment `# exits N` behind a command says which exit code it has; without one it is 0. In the output shown, `…`
stands for any text, and a line of `…` alone for any lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```\s*$", re.MULTILINE | re.DOTALL
)
_EXITS = re.compile(r"\s+# exits (\d+)\s*$")
_HEREDOC = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?")
ANYTHING = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a document, and what the document says of it; `shown` is None where it shows no output."""

    text: str
    line: int
    exit_code: int = 0
    shown: str | None = None


def commands(document: Path) -> list[Command]:
    """The commands of a document, in its order."""
    text = document.read_text()
    found: list[Command] = []
    for fence in _FENCE.finditer(text):
        first = text.count("\n", 0, fence.start("body")) + 1
        lines = [line.removeprefix(fence["indent"]) for line in fence["body"].splitlines()]
        if fence["kind"] == "console":
            found += _console(lines, first)
        elif fence["kind"] == "sh":
            found += _script(lines, first)
    return found


def _console(lines: list[str], first: int) -> list[Command]:
    found: list[Command] = []
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            raise ValueError(f"line {first + at}: a console block begins with a command: `$ …`")
        begin = at
        text, at = _whole(lines, at, lines[at][2:])
        shown: list[str] = []
        while at < len(lines) and not lines[at].startswith("$ "):
            shown.append(lines[at])
            at += 1
        output = "\n".join(shown).strip("\n")
        found.append(_command(text, first + begin, output or None))
    return found


def _script(lines: list[str], first: int) -> list[Command]:
    found: list[Command] = []
    at = 0
    while at < len(lines):
        begin = at
        text, at = _whole(lines, at, lines[at])
        if text.strip() and not text.lstrip().startswith("#"):
            found.append(_command(text, first + begin, None))
    return found


def _whole(lines: list[str], at: int, text: str) -> tuple[str, int]:
    """The command that begins with *text* at line *at*, and the line behind it."""
    at += 1
    while text.endswith("\\") and at < len(lines):
        text, at = f"{text}\n{lines[at].removeprefix('> ')}", at + 1
    if here := _HEREDOC.search(text):
        while at < len(lines):
            line = lines[at].removeprefix("> ")
            text, at = f"{text}\n{line}", at + 1
            if line.strip() == here[1]:
                break
    return text, at


def _command(text: str, line: int, shown: str | None) -> Command:
    exits = _EXITS.search(text)
    code = int(exits[1]) if exits else 0
    return Command(text=text[: exits.start()] if exits else text, line=line, exit_code=code, shown=shown)


def agrees(shown: str, printed: str) -> bool:
    """Whether what was printed is what the document shows."""
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == ANYTHING else _line(line) + "\n" for line in _clean(shown).splitlines()
    )
    return re.fullmatch(pattern, _clean(printed) + "\n") is not None


def _line(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split(ANYTHING))


def _clean(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
