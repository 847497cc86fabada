"""Message files to `Message` values: front matter, locale variants, bodies. Rendering is `render.py`.

The strategy slice splits the files and reads their front matter; see `strategy/load.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from innkeeper.content.types import Message, Variant
from innkeeper.kernel.ids import digest
from innkeeper.kernel.json import canonical
from innkeeper.kernel.located import Findings, Located, Place, Reader

Format = Literal["markdown", "html", "text"]
FORMATS: Mapping[str, Format] = {"md": "markdown", "html": "html", "txt": "text"}

_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_PATH = re.compile(r"(profile|event|journey|workspace)(\.[^.\s]+)+\Z")
_INHERITED = ("channel", "purpose", "topic", "missing", "defaults")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFile:
    """One file of `messages/`.

    Attributes:
        stem: Its name without ending and locale.
        locale: What its name says (`welcome.nl.md`); None when it says nothing.
        front: The front matter.
        body: The Liquid text after it.
        body_place: Where the body begins.
    """

    stem: str
    locale: str | None
    front: Located
    body: str
    body_place: Place
    format: Format


def split_name(file_name: str) -> tuple[str, str | None, str]:
    """Stem, locale and ending of a message's file name.

    >>> split_name("welcome.nl.md"), split_name("welcome.md"), split_name("a.b2.html")
    (('welcome', 'nl', 'md'), ('welcome', None, 'md'), ('a.b2', None, 'html'))
    """
    stem, _, ending = file_name.rpartition(".")
    name, dot, locale = stem.rpartition(".")
    return (name, locale, ending) if dot and _LOCALE.match(locale) else (stem, None, ending)


def read_messages(
    files: Iterable[MessageFile], default_locale: str, findings: Findings, objects: frozenset[str] = frozenset()
) -> dict[str, Message]:
    """The messages that the files make, by name; what is wrong is left out and added to the findings.

    *objects*: the object types, whose values templates may read.
    """
    groups: dict[str, list[_Part]] = {}
    for file in files:
        part = _read_part(file, default_locale, findings, objects)
        groups.setdefault(part.name, []).append(part)
    messages = {}
    for name, parts in groups.items():
        message = _join(name, parts, default_locale, findings)
        if message is not None:
            messages[name] = message
    return messages


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file, read; `keys` holds what a variant may inherit."""

    name: str
    is_base: bool
    variant: Variant
    keys: Mapping[str, object]
    front: Located

    @property
    def place(self) -> Place:
        return self.front.place


def _read_part(file: MessageFile, default_locale: str, findings: Findings, objects: frozenset[str]) -> _Part:
    front = Located({}, file.front.place, {}) if file.front.value is None else file.front
    reader = Reader(front, findings, "the front matter")
    name = reader.text("message", file.stem) or file.stem
    locale = _locale(reader, file, default_locale)
    subject = reader.text("subject", "") or ""
    _check_texts(reader.get("subject"), subject, file, findings, objects)
    keys: dict[str, object] = {
        "channel": reader.text("channel"),
        "purpose": reader.text("purpose"),
        "topic": reader.text("topic"),
        "missing": reader.choice("missing", ("abort", "default")),
        "defaults": _defaults(reader.get("defaults"), findings),
    }
    reader.close()
    variant = Variant(locale=locale, subject=subject, body=file.body, format=file.format, place=file.body_place)
    return _Part(
        name=name,
        is_base=file.locale is None,
        variant=variant,
        keys={key: value for key, value in keys.items() if value is not None},
        front=front,
    )


def _locale(reader: Reader, file: MessageFile, default: str) -> str:
    node, locale = reader.get("locale"), reader.text("locale")
    if node is None or locale is None:
        return file.locale or default
    if not _LOCALE.match(locale):
        reader.findings.add(node, "bad-locale", f"'{locale}' is not a locale", "write it like nl or pt-BR")
    elif file.locale is not None and locale != file.locale:
        reader.findings.add(
            node, "two-locales", f"the file's name says '{file.locale}', its front matter '{locale}'", "keep one"
        )
    return locale


def _defaults(node: Located | None, findings: Findings) -> dict[str, str] | None:
    if node is None:
        return None
    if not isinstance(node.value, dict):
        findings.add(
            node,
            "not-a-mapping",
            "'defaults' names each value by its path",
            "write it like {profile.first_name: guest}",
        )
        return None
    defaults = {}
    for path, item in node.value.items():
        if not _PATH.match(path):
            findings.add(
                node.keys[path], "bad-path", f"'{path}' is no path to a value of a template",
                "write it like profile.first_name or event.total",
            )  # fmt: skip
        elif isinstance(item.value, list | dict) or item.value is None:
            findings.add(item, "not-a-text", f"the default of '{path}' must be a text", "put it in quotes")
        else:
            defaults[path] = item.value if isinstance(item.value, str) else canonical(item.value)
    return defaults


def _check_texts(
    subject: Located | None, text: str, file: MessageFile, findings: Findings, objects: frozenset[str]
) -> None:
    from innkeeper.content.compose import check_markdown
    from innkeeper.content.render import ROOTS, check_template

    if subject is not None and "\n" in text.strip():
        findings.add(subject, "bad-subject", "the subject has more than one line", "write it on one line")
    if subject is not None:
        for line, message in check_template(text, ROOTS | objects):
            place = subject.inside(line, 1)
            findings.add(place, "bad-template", f"the subject is not valid Liquid: {message}", _LIQUID_FIX)
    if not file.body.strip():
        findings.add(file.body_place, "empty-body", "the message has no body", "write its text below the front matter")
    for line, message in check_template(file.body, ROOTS | objects):
        place = Place(file.body_place.file, file.body_place.line + line - 1, 1)
        findings.add(place, "bad-template", f"the body is not valid Liquid: {message}", _LIQUID_FIX)
    for line, message in check_markdown(file.body) if file.format == "markdown" else ():
        place = Place(file.body_place.file, file.body_place.line + line - 1, 1)
        findings.add(place, "html-in-markdown", message, "write Markdown, or make it a .html message")


_LIQUID_FIX = "mend the tag; every {{ needs }}, every {% if %} an {% endif %}"


def _join(name: str, parts: list[_Part], default_locale: str, findings: Findings) -> Message | None:
    parts = sorted(parts, key=lambda part: (not part.is_base, part.variant.locale != default_locale, part.place.file))
    base = parts[0]
    seen: dict[str, _Part] = {}
    for part in parts:
        locale = part.variant.locale
        if locale in seen:
            findings.add(
                part.place, "two-definitions",
                f"the message '{name}' in '{locale}' stands in {seen[locale].place.file} already",
                "rename one, or give it another locale",
            )  # fmt: skip
        seen.setdefault(locale, part)
        _check_variant(name, part, base, findings)
    keys = base.keys
    for key in ("channel", "purpose"):
        if key not in keys and isinstance(base.front.value, dict):
            findings.add(
                base.place, "missing-key", f"the message '{name}' needs '{key}'", f"add '{key}: {_EXAMPLE[key]}'"
            )
    if "channel" not in keys or "purpose" not in keys:
        return None
    variants = tuple(part.variant for part in seen.values())
    return Message(
        name=name,
        channel=str(keys["channel"]),
        purpose=str(keys["purpose"]),
        topic=keys.get("topic"),  # type: ignore[arg-type]
        missing=keys.get("missing", "default"),  # type: ignore[arg-type]
        defaults=keys.get("defaults", {}),  # type: ignore[arg-type]
        variants=variants,
        version=_version(name, keys, variants),
        place=base.place,
    )


_EXAMPLE = {"channel": "email", "purpose": "service"}


def _check_variant(name: str, part: _Part, base: _Part, findings: Findings) -> None:
    if not part.variant.subject.strip() and base.keys.get("channel") == "email":
        findings.add(part.place, "missing-key", f"the message '{name}' needs 'subject'", "add 'subject: ...'")
    if part is base:
        if not part.is_base:
            findings.add(
                part.place, "no-base", f"the message '{name}' has only translations",
                f"add messages/{name}.md with its channel and purpose",
            )  # fmt: skip
        return
    for key in _INHERITED:
        if key in part.keys and key != "defaults" and part.keys[key] != base.keys.get(key):
            where = part.front.value[key] if isinstance(part.front.value, dict) else part.place
            findings.add(
                where, "variant-differs",
                f"'{key}' is '{part.keys[key]}' here and '{base.keys.get(key)}' in {base.place.file}",
                "remove it here: a translation has it from its base",
            )  # fmt: skip


def _version(name: str, keys: Mapping[str, object], variants: tuple[Variant, ...]) -> str:
    contents = [[v.locale, v.subject, v.body, v.format] for v in variants]
    return digest(name, canonical(dict(keys)), canonical(contents))
