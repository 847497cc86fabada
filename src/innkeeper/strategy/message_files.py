"""Splits the files of `messages/` into front matter and body; what they mean is `content/message.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from innkeeper.content.message import FORMATS, MessageFile, split_name
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.strategy.yaml import read_yaml

_FENCE = "---"
_EXAMPLE = "begin the file with: ---, channel: email, purpose: ..., subject: ..., ---, each on its own line"


def message_files(files: Mapping[str, str], findings: Findings) -> list[MessageFile]:
    """The message files among *files*; those without readable front matter are findings."""
    found = []
    for path, text in files.items():
        if path.startswith("messages/"):
            file = split_message(path, text, findings)
            if file is not None:
                found.append(file)
    return found


def split_message(path: str, text: str, findings: Findings) -> MessageFile | None:
    """One message file; None when it has no readable front matter."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        findings.add(Place(path, 1, 1), "no-front-matter", "the message has no front matter", _EXAMPLE)
        return None
    close = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if close is None:
        findings.add(Place(path, 1, 1), "open-front-matter", "the front matter does not end", "end it with a line ---")
        return None
    front = read_yaml("\n".join(lines[1:close]), path, findings, first_line=2)
    if front is None:
        return None
    begin = close + 1
    while begin < len(lines) and not lines[begin].strip():
        begin += 1
    stem, locale, ending = split_name(PurePosixPath(path).name)
    return MessageFile(
        stem=stem,
        locale=locale,
        front=Located(front.value, Place(path, front.place.line, front.place.column), front.keys),
        body="\n".join(lines[begin:]),
        body_place=Place(path, min(begin, len(lines) - 1) + 1, 1),
        format=FORMATS[ending],
    )
