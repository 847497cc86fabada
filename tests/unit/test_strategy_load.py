"""Strategies that are right: what `load` makes of their files, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time
from pathlib import Path

import pytest

from innkeeper.channels.contract import ChannelConfig
from innkeeper.decisions.policy import Cap, Policies, Purpose, QuietHours
from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.time import DAY, HOUR, WEEK
from innkeeper.runtime import definitions
from innkeeper.store.state import State
from innkeeper.strategy.folder import read_folder
from innkeeper.strategy.inventory import compare, inventory
from innkeeper.strategy.known import KnownNames
from innkeeper.strategy.load import examine, load, version_of
from innkeeper.strategy.starting import example_files, example_names, starter_files

STARTER = {path: content.decode() for path, content in starter_files().items()}
POLICIES = "purposes: { account: , news: }\n"


def test_the_starter_says_what_its_files_say() -> None:
    found = load(STARTER)
    assert found.version == version_of(STARTER)
    assert found.workspace.name == "My business"
    assert found.workspace.events["Signed Up"] == {"plan"}
    assert list(found.audiences) == ["loyal"]
    assert [stage.stage for stage in found.stages] == ["retention", "conversion", "evaluation"]
    assert list(found.journeys) == ["welcome"]
    assert sorted(found.messages) == ["welcome-1", "welcome-2"]
    assert found.policies == Policies(
        purposes={
            "account": Purpose(name="account", kind="service", basis="contract", priority=10),
            "news": Purpose(name="news", kind="marketing", basis="consent", priority=0),
        },
        caps=(Cap(at_most=2, per=7 * DAY, purpose="news"),),
        quiet_hours=QuietHours(start=time(22), end=time(8)),
    )
    assert found.channels["email"].settings == {"from": "My business <hello@example.com>"}


@pytest.mark.parametrize("name", example_names())
def test_every_example_is_valid(name: str) -> None:
    files = {
        path: content.decode()
        for path, content in example_files(name).items()
        if not path.startswith(("README", "mapping"))
    }
    assert load(files).journeys


@pytest.mark.parametrize(
    ("per", "mode", "duration", "calendar"),
    [
        ("7 days", "rolling", 7 * DAY, None), ("day", "rolling", DAY, None), ("month", "rolling", 30 * DAY, None),
        ("36 hours", "rolling", 36 * HOUR, None), ("day", "calendar", DAY, "day"), ("1 day", "calendar", DAY, "day"),
        ("24 hours", "calendar", DAY, "day"), ("week", "calendar", WEEK, "week"), ("7 days", "calendar", WEEK, "week"),
        ("1 week", "calendar", WEEK, "week"), ("month", "calendar", 30 * DAY, "month"),
        ("1 month", "calendar", 30 * DAY, "month"), ("30 days", "calendar", 30 * DAY, "month"),
    ],
)  # fmt: skip
def test_the_period_of_a_cap(per: str, mode: str, duration: int, calendar: str | None) -> None:
    text = POLICIES + f"caps: [ {{ at_most: 1, per: {per}, mode: {mode} }} ]"
    cap = load({**STARTER, "policies.yaml": text}).policies.caps[0]
    assert (cap.per, cap.calendar, cap.mode) == (duration, calendar, mode)


def test_translations_join_their_message() -> None:
    files = {
        **STARTER,
        "messages/welcome-1.nl.md": "---\nsubject: Welkom\n---\nHallo",
        "messages/willkommen.txt": "---\nmessage: welcome-1\nlocale: de\nsubject: Willkommen\n---\nGuten Tag",
    }
    message = load(files).messages["welcome-1"]
    assert message.variants[0].locale == "en"
    assert {(v.locale, v.format, v.body) for v in message.variants[1:]} == {
        ("nl", "markdown", "Hallo"), ("de", "text", "Guten Tag"),
    }  # fmt: skip
    assert message.purpose == "account"
    assert message.defaults == {"profile.first_name": "friend"}
    assert message.version != load(STARTER).messages["welcome-1"].version


def test_the_body_knows_its_line() -> None:
    text = "---\nchannel: email\npurpose: news\nsubject: S\n---\n\n\nFirst line"
    variant = load({**STARTER, "messages/m.html": text}).messages["m"].variants[0]
    assert (variant.place.line, variant.body, variant.format) == (8, "First line", "html")


def test_a_secret_is_a_reference_to_the_environment() -> None:
    text = 'email: { provider: file, from: "a@b.example", password: "${MAIL_PASSWORD}" }'
    # The file provider has no password; that it would be a reference is all right.
    assert [problem.code for problem in examine({**STARTER, "channels.yaml": text}).errors] == ["unknown-key"]


def test_a_channel_has_its_provider_and_settings() -> None:
    text = 'email: { from: "a@b.example" }'
    assert load({**STARTER, "channels.yaml": text}).channels["email"] == ChannelConfig(
        name="email", provider="file", settings={"from": "a@b.example"}
    )


def test_a_name_may_look_like_a_number() -> None:
    files = {**STARTER, "audiences/a.yaml": "name: 12\nwhen: did('Signed Up')", "journeys/j.yaml": (
        "journey: 7\nenter: { audience: 12 }\nsteps: [ { send: welcome-1 } ]"
    )}  # fmt: skip
    found = load(files)
    assert ("12" in found.audiences, found.journeys["7"].name) == (True, "7")


def test_without_channels_there_is_email_into_files() -> None:
    files = {path: text for path, text in STARTER.items() if path != "channels.yaml"}
    assert load(files).channels["email"].provider == "file"


def test_names_that_the_log_has_seen_are_known() -> None:
    files = {**STARTER, "audiences/new.yaml": "when: did('Seen', where => x = 1) and traits.colour = 'blue'"}
    known = KnownNames(events={"Seen": frozenset({"x"})}, traits=frozenset({"colour"}))
    assert "new" in load(files, known=known).audiences
    assert "new" in load(files, allow_unknown=True).audiences


def test_a_list_of_stages_may_stand_under_a_key() -> None:
    text = "stages:\n  - { stage: lead, when: did('Signed Up') }"
    assert [stage.stage for stage in load({**STARTER, "stages.yaml": text}).stages] == ["lead"]


def test_only_contents_are_compared() -> None:
    after = {
        **STARTER,
        "stages.yaml": "# a comment\n" + STARTER["stages.yaml"],
        "audiences/loyal.yaml": STARTER["audiences/loyal.yaml"].replace(">= 3", ">= 4"),
        "audiences/new.yaml": "when: did('Signed Up')",
        "messages/welcome-2.nl.md": "---\nsubject: S\n---\nB",
    }
    del after["journeys/welcome.yaml"]
    changes = compare(STARTER, after)
    assert changes.as_dict() == {
        "added": ["audiences/new"],
        "changed": ["audiences/loyal", "messages/welcome-2"],
        "removed": ["journeys/welcome"],
    }
    assert "-when: count('Order Completed', within => '365 days') >= 3" in changes.diffs["audiences/loyal"]
    assert not compare(after, after)
    assert set(inventory(STARTER)) == {
        "strategy", "stages", "policies", "channels", "audiences/loyal", "journeys/welcome", "messages/welcome-1",
        "messages/welcome-2",
    }  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with State.open(tmp_path, create=True) as opened:
        yield opened


def test_what_is_applied_is_what_is_in_force(state: State) -> None:
    assert definitions.applied(state) is None
    assert (definitions.number(state), definitions.applied_files(state)) == (0, {})
    assert definitions.apply(state, STARTER, 5) == 1
    assert definitions.apply(state, STARTER, 6) == 1
    changed = {**STARTER, "audiences/new.yaml": "when: did('Signed Up')"}
    assert definitions.apply(state, changed, 7) == 2
    found = definitions.applied(state)
    assert found is not None
    assert found.version == version_of(changed)
    assert (definitions.number(state), definitions.applied_files(state)) == (2, changed)


def test_an_applied_strategy_that_is_no_longer_valid_says_how_to_go_on(state: State) -> None:
    definitions.apply(state, {**STARTER, "audiences/new.yaml": "who: me"}, 1)
    with pytest.raises(OperationFailed, match="not valid for this version") as caught:
        definitions.applied(state)
    assert "innkeeper apply" in caught.value.fix


def test_a_folder_is_read_without_what_only_lies_beside(tmp_path: Path) -> None:
    for path in ("strategy.yaml", "README.md", ".git/config", "mapping.yaml", "mappings/x.yaml", "audiences/a.yaml",
                 "audiences/a.yaml~", "messages/m.md", "notes.docx"):  # fmt: skip
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_text("a: b")
    assert sorted(read_folder(tmp_path)) == ["audiences/a.yaml", "messages/m.md", "notes.docx", "strategy.yaml"]


def test_a_file_that_is_no_text_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "strategy.yaml").write_bytes(b"name: x\nzone: \xff\n")
    with pytest.raises(UsageError, match=r"strategy.yaml:2:1: the byte 0xff is not UTF-8"):
        read_folder(tmp_path)
    with pytest.raises(UsageError, match="innkeeper init"):
        read_folder(tmp_path / "nowhere")
