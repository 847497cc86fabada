"""What a wrong strategy gets: every problem with file, line, column, code and a way to mend it.

The cases are `tests/golden/bad_strategy.txt`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.kernel.errors import Invalid
from innkeeper.strategy.known import KnownNames
from innkeeper.strategy.load import examine, load
from innkeeper.strategy.starting import starter_files

MARK = "¦"
STARTER = {path: content.decode() for path, content in starter_files().items()}
# declared by the starter; a case may replace its strategy.yaml
KNOWN = KnownNames(
    events={"Signed Up": frozenset({"plan"}), "Order Completed": frozenset({"total"})}, traits=frozenset({"plan"})
)
Case = tuple[str, str, str, Mapping[str, str]]


def places(files: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Where the marks stand."""
    found = []
    for path, text in files.items():
        if MARK in text:
            at = text.index(MARK)
            found.append((path, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)))
    return found


def cases() -> Iterator[Case]:
    """The cases of `tests/golden/bad_strategy.txt`."""
    text = (Path(__file__).parents[1] / "golden" / "bad_strategy.txt").read_text().replace("\\t", "\t")
    for block in text.split("\n== ")[1:]:
        head, *files = block.rstrip("\n").split("\n-- ")
        code, fix, message = (part.strip() for part in head.split(" | "))
        yield code, fix, message, dict(_file(file) for file in files)


def _file(text: str) -> tuple[str, str]:
    path, _, content = text.partition("\n")
    return path.removesuffix(" (removed)"), content


CASES = list(cases())
IDS = [f"{number}-{case[0]}" for number, case in enumerate(CASES, 1)]


@pytest.mark.parametrize(("code", "fix", "message", "files"), CASES, ids=IDS)
def test_a_problem_has_place_code_and_fix(code: str, fix: str, message: str, files: Mapping[str, str]) -> None:
    merged = {**STARTER, **{path: text.replace(MARK, "") for path, text in files.items()}}
    merged = {path: text for path, text in merged.items() if text or MARK in files.get(path, "")}
    found = examine(merged, known=KNOWN).errors
    expected = [(code, *place) for place in places(files)]
    assert [(p.code, p.file, p.line, p.column) for p in found if p.code == code] == expected, "\n".join(map(str, found))
    problem = next(p for p in found if p.code == code)
    assert all(p.fix and p.message for p in found)
    assert fix in problem.fix
    assert message in problem.message
    # Nothing else is said, but what follows from the problem itself.
    follow = {"unknown-message", "unknown-purpose", "unknown-stage"}
    assert {p.code for p in found} - follow <= {code}, "\n".join(map(str, found))


def test_all_problems_come_at_once_in_the_order_of_file_and_line() -> None:
    files = {
        **STARTER,
        "strategy.yaml": STARTER["strategy.yaml"].replace("UTC  ", "Mars/Base"),
        "policies.yaml": STARTER["policies.yaml"].replace("at_most: 2", "at_most: two"),
        "audiences/new.yaml": "when: did('Signd Up') and traits.plna = 'x'\nwho: me",
        "messages/new.md": "no front matter",
        "journeys/new.yaml": "enter: { event: Nope }\nsteps:\n  - send: nothing\n  - dance: tango\n",
        "channels.yaml": "email: { provider: file, token: abc }",
    }
    with pytest.raises(Invalid) as caught:
        load(files)
    problems = caught.value.problems
    assert {p.file for p in problems} == {
        "strategy.yaml", "policies.yaml", "audiences/new.yaml", "messages/new.md", "journeys/new.yaml", "channels.yaml",
    }  # fmt: skip
    assert len([p for p in problems if p.file == "audiences/new.yaml"]) == 3
    assert len([p for p in problems if p.file == "journeys/new.yaml"]) == 3
    assert [(p.file, p.line, p.column) for p in problems] == sorted((p.file, p.line, p.column) for p in problems)


def test_all_circles_are_found() -> None:
    circles = {"a": "in_audience('b')", "b": "in_audience('a')", "c": "stage = 'x'", "d": "in_audience('d')"}
    files = {f"audiences/{name}.yaml": f"when: {when}\n" for name, when in circles.items()}
    files["stages.yaml"] = "- stage: x\n  when: in_audience('c')\n"
    with pytest.raises(Invalid) as caught:
        load({"strategy.yaml": STARTER["strategy.yaml"], **files})
    assert [(p.code, p.file) for p in caught.value.problems] == [
        ("cycle", "audiences/b.yaml"), ("cycle", "audiences/d.yaml"), ("cycle", "stages.yaml"),
    ]  # fmt: skip


def test_a_secret_is_never_printed() -> None:
    smtp = "email: { provider: smtp, host: mail.example.com, from: a@b.example, username_env: U, "
    for entry in ("email: { provider: file, password: hunter2 }", smtp + "password_env: hunter2 }",
                  smtp + "password: hunter2 }"):  # fmt: skip
        found = examine({**STARTER, "channels.yaml": entry}).errors
        assert "inline-secret" in {problem.code for problem in found}
        assert "hunter2" not in "".join(map(str, found))


def test_allow_unknown_makes_unknown_names_warnings_and_nothing_else() -> None:
    files = {**STARTER, "audiences/new.yaml": "when: did('Signd Up') and in_audience('nobody')"}
    examination = examine(files, allow_unknown=True)
    assert [p.code for p in examination.warnings] == ["unknown-event"]
    assert [p.code for p in examination.errors] == ["unknown-audience"]


def test_an_empty_folder_is_no_strategy() -> None:
    assert [p.code for p in examine({}).errors] == ["no-strategy"]


def _mutated(draw: st.DrawFn) -> dict[str, str]:
    """The starter with a few characters or lines changed, taken away or doubled."""
    files = dict(STARTER)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(files)))
        text = files[path]
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 12)))
        files[path] = text[:at] + draw(st.sampled_from(_SPLINTERS)) + text[end:]
    return files


_SPLINTERS = [
    "", " ", "\n", "\n  ", "- ", ": ", "{", "}", "[", "]", "'", '"', "(", ")", ",", "{{", "}}", "{% if %}", "%}", "|",
    "null", "true", "12", "-1.5", "[]", "{}", "a", "did('Signed Up')", "event.plan", "3 days", "\t", "&a ", "*a", "#",
    "---\n", "é", "\x00", "!",
]  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.composite(_mutated)())
def test_any_damage_gives_definitions_or_problems_with_places(files: dict[str, str]) -> None:
    for problem in examine(files).errors:
        assert problem.code
        assert problem.message
        assert problem.file in files
        assert 1 <= problem.line <= files[problem.file].count("\n") + 2
        assert problem.column >= 1
