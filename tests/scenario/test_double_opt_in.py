"""Double opt-in from the sign-up to the mail, and what the store and the page say of it."""

from __future__ import annotations

from pathlib import Path

from support.workspace import Workspace, event, identify, message

FILES = {
    "policies.yaml": "purposes:\n  news: {kind: marketing, basis: consent, double_opt_in: true}\n",
    "journeys/greet.yaml": "enter: { event: Login }\nreentry: always\nsteps: [ { send: hello } ]\n",
    "messages/hello.md": message(purpose="news"),
}


def test_no_mail_until_the_confirmation_and_none_after_the_withdrawal(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.apply(FILES)
    word = {"purpose": "news", "channel": "email", "address": "ada@x.org"}
    workspace.add(
        identify("ada", "2026-01-02T00:00:00Z", email="ada@x.org", first_name="Ada"),
        event("Consent Given", "ada", "2026-01-02T00:01:00Z", proof="form", **word),
        event("Double Opt-In Requested", "ada", "2026-01-02T00:02:00Z", **word),
        event("Login", "ada", "2026-01-02T01:00:00Z"),
        event("Double Opt-In Confirmed", "ada", "2026-01-03T00:00:00Z", proof="click-77", **word),
        event("Login", "ada", "2026-01-03T01:00:00Z"),
        event("Consent Withdrawn", "ada", "2026-01-04T00:00:00Z", **word),
        event("Login", "ada", "2026-01-04T01:00:00Z"),
        event("Consent Given", "ada", "2026-01-05T00:00:00Z", proof="form again", **word),
        event("Login", "ada", "2026-01-05T01:00:00Z"),
    )
    workspace.run("2026-01-03T12:00:00Z", deliver="file")
    told = workspace.cli("profile", "show", "ada")
    (consent,) = told["consents"]
    assert (consent["given"], consent["double_opt_in"]["state"], consent["double_opt_in"]["proof"]) == (
        True, "confirmed", "click-77",
    )  # fmt: skip
    assert next(each for each in told["traits"] if each["name"] == "email")["verified"] is True
    why = workspace.cli("explain", "profile", "ada", "--message", "hello", "--at", "2026-01-02T12:00:00Z")
    assert (why["gate"], why["reason"]) == ("consent", "not_confirmed")
    workspace.run("2026-01-06T00:00:00Z", deliver="file")
    assert [(each["reason"], each["first_at"]) for each in workspace.decisions() if each["gate"] == "consent"] == [
        ("not_confirmed", "2026-01-02T01:00:00Z"),
        ("consent_withdrawn", "2026-01-04T01:00:00Z"),
        ("not_confirmed", "2026-01-05T01:00:00Z"),
    ]
    assert [row[:3] for row in workspace.deliveries()] == [("2026-01-03T01:00:00Z", "hello", "accepted")]
    page = workspace.shell("profile", "show", "ada").stdout
    assert "news/email/all: given 5 Jan 2026 00:00, proof form again" in page
    assert "confirmed" not in page.split("Consent")[1].split("Journeys")[0]
    assert workspace.cli("replay")["different"] == 0
