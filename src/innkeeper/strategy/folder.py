"""A strategy folder on disk to its texts by path, and which paths mean something.

`read_folder` is the only thing of this slice that touches the disk. What the texts mean: `load.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from innkeeper.kernel.errors import OperationFailed, UsageError, did_you_mean
from innkeeper.kernel.located import Findings, Place

#: Files with one fixed name.
SINGLE_FILES = ("strategy.yaml", "stages.yaml", "policies.yaml", "channels.yaml")
#: Folders with one definition a file, and the endings that they hold.
FOLDERS = {
    "audiences": (".yaml",),
    "journeys": (".yaml",),
    "messages": (".md", ".html", ".txt"),
    "catalogs": (".yaml", ".csv"),
}
# Meant for later, not built yet: an honest answer beats silence.
_LATER_FOLDERS = ("traits", "experiments", "tests")
_LATER_ENDINGS = (".mjml",)
_MAX_BYTES = 1_000_000
_MAX_FILES = 5_000


def read_folder(folder: Path) -> dict[str, str]:
    """Path (with `/`, relative to the folder) to text, of everything in it that is not plainly something else.

    Hidden files, READMEs, licences and mappings are left out; a file that cannot belong to a strategy comes with an
    empty text, so that `load` can say so.

    Raises:
        UsageError: There is no such folder, it is too large, or a file is not UTF-8.
        OperationFailed: A file cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}", code="no-folder", fix=f"make one with: innkeeper init {folder}"
        )
    findings = Findings()
    files: dict[str, str] = {}
    for path in sorted(_walk(folder), key=lambda path: path.as_posix()):
        if len(files) >= _MAX_FILES:
            raise UsageError(
                f"{folder} holds more than {_MAX_FILES:,} files", code="too-many-files", fix="name the strategy folder"
            )
        files[path.relative_to(folder).as_posix()] = _read(path, findings)
    findings.raise_if_any()
    return files


def _walk(folder: Path) -> Iterator[Path]:
    pending = [folder]
    while pending:
        parent = pending.pop()
        try:
            entries = list(parent.iterdir())
        except OSError as error:
            raise OperationFailed(
                f"{parent} cannot be read: {error.strerror}", code="unreadable", fix="make it readable for this user"
            ) from error
        for entry in entries:
            if entry.name.startswith((".", "__")) or (parent == folder and _is_beside(entry.name)):
                continue
            if not entry.is_dir():
                if not entry.name.startswith(("README", "LICENSE")) and not entry.name.endswith("~"):
                    yield entry
            elif not entry.is_symlink():
                pending.append(entry)


def _is_beside(name: str) -> bool:
    return name == "mappings" or (name.endswith(".yaml") and "mapping" in name)


def _read(path: Path, findings: Findings) -> str:
    if path.suffix not in (".yaml", ".md", ".html", ".txt", ".csv"):
        return ""
    try:
        if path.stat().st_size > _MAX_BYTES:
            findings.add(
                Place(str(path), 1, 1), "file-too-large", f"the file is over {_MAX_BYTES:,} bytes", "make it smaller"
            )
            return ""
        content = path.read_bytes()
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise OperationFailed(
            f"{path} cannot be read: {error.strerror}", code="unreadable", fix="make it readable for this user"
        ) from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        findings.add(
            Place(str(path), line, 1), "not-utf-8", f"the byte 0x{content[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        )  # fmt: skip
        return ""


def check_paths(paths: Iterable[str], findings: Findings) -> list[str]:
    """The paths that mean something; each other one is a finding."""
    good = []
    for path in paths:
        parts = tuple(path.split("/"))
        endings = FOLDERS.get(parts[0], ())
        if path in SINGLE_FILES or (len(parts) == 2 and parts[1].endswith(endings)):
            good.append(path)
        else:
            message, fix = _why_not(path, parts)
            findings.add(Place(path, 1, 1), "unknown-file", message, fix)
    return good


def _why_not(path: str, parts: tuple[str, ...]) -> tuple[str, str]:
    top, name = parts[0], parts[-1]
    if len(parts) > 1 and top in _LATER_FOLDERS:
        return f"{top}/ comes with a later version", f"move {path} out of the folder until then"
    if name.endswith(_LATER_ENDINGS):
        return f"{PurePosixPath(name).suffix} messages come with a later version", "write the message as .html or .md"
    if len(parts) > 1 and top in FOLDERS:
        if len(parts) > 2:
            return f"folders within {top}/ are not read", f"put the file into {top}/ itself"
        endings = " or ".join(FOLDERS[top])
        return f"{top}/ holds files that end in {endings}", f"rename it to {PurePosixPath(name).stem}{FOLDERS[top][0]}"
    if len(parts) > 1:
        near = did_you_mean(top, FOLDERS)
        return f"a strategy has no folder {top}/", near or f"its folders are: {', '.join(FOLDERS)}"
    near = did_you_mean(name, SINGLE_FILES)
    return f"a strategy has no file {name}", near or f"its files are: {', '.join(SINGLE_FILES)}; or move it elsewhere"
