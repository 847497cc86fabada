"""MCP: the handshake both ways, every tool against the command line, permissions, and what must be refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.assistant import INJECTED, STRATEGY, ask, calling, headers_of, make, modern, over_pipes, request
from support.door import Served, reopened
from support.workspace import BASE

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import Invalid, UsageError
from innkeeper.kernel.time import FixedClock, SystemClock, parse_instant
from innkeeper.runtime import access, audit
from innkeeper.runtime.access import LOCAL, Actor
from innkeeper.runtime.definitions import applied_files
from innkeeper.runtime.roles import PERMISSIONS, ROLES
from innkeeper.store.access import Access
from innkeeper.store.state import State
from innkeeper.web import mcp_tools
from innkeeper.web.mcp_messages import answer, read
from innkeeper.web.mcp_tools import DATA, ROUTES, Toolbox, toolbox_of

NOW = parse_instant("2026-03-01T00:00:00Z")
OWNER = Actor(LOCAL, ROLES["owner"])
DRAFT = {"journeys/later.yaml": "enter: {event: Login}\nsteps:\n  - wait: 1 day\n"}
#: Each tool's arguments, and the command that says the same.
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "show_status": ({}, ["status"]),
    "list_stages": ({"at": "2026-02-20T00:00:00Z"}, ["stage", "count", "--at", "2026-02-20T00:00:00Z"]),
    "show_profile": ({"id": "ana", "lines": 2}, ["profile", "show", "ana", "--timeline", "2"]),
    "list_links": ({"id": "ana"}, ["profile", "links", "ana"]),
    "explain_message": ({"id": "bo", "message": "hello"}, ["explain", "profile", "bo", "--message", "hello"]),
    "count_audience": ({"expression": "did('Login')"}, ["audience", "count", "did('Login')"]),
    "list_members": (
        {"expression": "did('Login')", "id": "anonymous_id"},
        ["audience", "list", "did('Login')", "--id", "anonymous_id"],
    ),
    "list_flips": (
        {"expression": "did('Login')", "begin": "2026-02-01T00:00:00Z", "until": "2026-02-05T00:00:00Z"},
        ["audience", "flips", "did('Login')", "--from", "2026-02-01T00:00:00Z", "--until", "2026-02-05T00:00:00Z"],
    ),
    "explain_audience": ({"expression": "traits.plan = 'pro'"}, ["audience", "explain", "traits.plan = 'pro'"]),
    "list_decisions": ({"profile": "ana"}, ["decision", "list", "--profile", "ana"]),
    "list_deliveries": ({"message": "hello"}, ["ledger", "list", "--message", "hello"]),
    "balance": ({}, ["ledger", "balance"]),
    "list_event_names": ({}, ["catalog", "events"]),
    "show_event_name": ({"name": "Booking"}, ["catalog", "events", "Booking"]),
    "list_traits": ({}, ["catalog", "traits"]),
    "list_events": ({"last": 3, "source": "import"}, ["events", "list", "--last", "3", "--source", "import"]),
    "list_objects": ({"type": "booking"}, ["object", "list", "booking"]),
    "show_object": ({"type": "booking", "id": "b1"}, ["object", "show", "booking", "b1"]),
    "list_accounts": ({}, ["account", "list"]),
    "show_account": ({"id": "acme"}, ["account", "show", "acme"]),
    "list_items": ({"catalog": "products"}, ["item", "list", "products"]),
    "show_item": ({"catalog": "products", "id": "soap"}, ["item", "show", "products", "soap"]),
    "list_households": ({}, ["household", "list"]),
    "show_household": ({"household": "home-1"}, ["household", "show", "home-1"]),
    "list_matches": ({}, ["match", "list"]),
    "list_tasks": ({"queue": "desk"}, ["task", "list", "--queue", "desk"]),
}

#: Prints a digest of each file of a folder that holds something; what SQLite shares among processes is no content.
CONTENT = """
import hashlib, json, pathlib, sys
files = [path for path in pathlib.Path(sys.argv[1]).rglob("*") if path.is_file() and path.suffix != ".db-shm"]
held = {str(path): path.read_bytes() for path in files}
print(json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in held.items() if data}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("home")).home


@pytest.fixture(scope="module")
def tools(home: Path) -> Toolbox:
    return toolbox_of(home)


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with Access.open(home) as store:
        for role in ROLES:
            access.add_user(store, f"{role}-user", role, SystemClock())
    with reopened(home, {}, clock=FixedClock(NOW)) as found:
        yield found


def token(served: Served, role: str, name: str, *scopes: str) -> str:
    made = access.add_token(served.house.doorman.access, f"{role}-user", name, FixedClock(NOW), scopes=scopes)
    return str(made["token"])


def used(tools: Toolbox, tool: str, arguments: dict[str, Any], actor: Actor = OWNER) -> dict[str, Any]:
    told: dict[str, Any] = answer(tools, read(json.dumps(calling(tool, **arguments)).encode()), actor)["result"]
    assert json.loads(told["content"][0]["text"]) == json.loads(json.dumps(told["structuredContent"]))
    return told


def command(home: Path, *arguments: str) -> Any:
    answers: list[Any] = []
    cli.main(args=["--home", str(home), "--json", *arguments], standalone_mode=False, obj=answers)
    return json.loads(json.dumps(answers[-1], default=list))


def test_every_tool_has_its_case() -> None:
    others = {
        "list_profiles",
        "list_journeys",
        "show_delivery",
        "list_drafts",
        "show_draft",
        "check_draft",
        "plan_draft",
    }
    others |= {"show_match", "show_task"}
    assert set(CASES) | others == set(ROUTES)


@pytest.mark.parametrize("tool", CASES)
def test_a_tool_says_what_the_command_says(home: Path, tools: Toolbox, tool: str) -> None:
    arguments, line = CASES[tool]
    told = used(tools, tool, arguments)
    assert not told["isError"]
    expected = command(home, *line)
    got = json.loads(told["content"][0]["text"])
    # How far the clock of the machine is ahead grows meanwhile.
    for each in (expected, got):
        each.get("lag", {}).pop("engine_seconds", None)
    assert any(expected.values())
    # Pages and account traits are the API's own; reserved names the command's.
    assert {name: got[name] for name in expected if name in got} == {k: v for k, v in expected.items() if k in got}
    assert set(expected) - set(got) <= {"reserved"}
    assert set(got) - set(expected) <= {"next", "account_traits"}


def test_the_tools_without_a_command_of_their_own(home: Path, tools: Toolbox) -> None:
    everybody = command(home, "audience", "list", "not did('Login', within => '1 second')")["ids"]
    profiles = used(tools, "list_profiles", {})["structuredContent"]["profiles"]
    assert [each["id"] for each in profiles] == everybody == ["ana", "bo"]
    first = used(tools, "list_profiles", {"limit": 1})["structuredContent"]
    second = used(tools, "list_profiles", {"limit": 1, "cursor": first["next"]})["structuredContent"]
    assert [*first["profiles"], *second["profiles"]] == profiles
    journeys = used(tools, "list_journeys", {})["structuredContent"]["journeys"]
    assert journeys == command(home, "status")["journeys"]
    assert journeys["welcome"]["entered"] == 2
    id = command(home, "ledger", "list")["deliveries"][0]["id"]
    assert used(tools, "show_delivery", {"id": id})["structuredContent"] == command(home, "explain", "delivery", id)


def test_a_draft_is_kept_checked_and_planned_and_nothing_is_in_force(
    home: Path, tools: Toolbox, tmp_path: Path
) -> None:
    before = applied(home)
    drafted = used(tools, "draft_definitions", {"files": {**DRAFT, "audiences/logged-in.yaml": None}})
    told = json.loads(drafted["content"][0]["text"])
    folder = tmp_path / "strategy"
    for name, text in {**before, **DRAFT}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "audiences/logged-in.yaml").unlink()
    planned = command(home, "plan", str(folder))
    assert planned["added"] == ["journeys/later"]
    assert planned["removed"] == ["audiences/logged-in"]
    kept = {name: told.pop(name) for name in ("draft", "etag")}
    assert told == {"errors": [], "warnings": [], "apply": mcp_tools.APPLY, **planned}
    shown = used(tools, "show_draft", {"id": kept["draft"]})["structuredContent"]
    assert (shown["author"], shown["etag"]) == (LOCAL, kept["etag"])
    assert shown["files"] == {**DRAFT, "audiences/logged-in.yaml": None}
    assert used(tools, "plan_draft", {"id": kept["draft"]})["structuredContent"]["removed"] == planned["removed"]
    again = used(tools, "draft_definitions", {"files": DRAFT, "draft": kept["draft"], "etag": "1"})
    assert again["structuredContent"]["errors"][0]["code"] == "stale-draft"
    wrong = used(
        tools, "draft_definitions", {"files": {"journeys/later.yaml": "enter: {event: Logn}\nstep: []\n"}, **kept}
    )
    errors = wrong["structuredContent"]["errors"]
    (folder / "journeys/later.yaml").write_text("enter: {event: Logn}\nstep: []\n")
    assert [each["code"] for each in errors] == check_codes(home, folder)
    assert {each["file"] for each in errors} == {"journeys/later.yaml"}
    assert "added" not in wrong["structuredContent"]
    assert wrong["structuredContent"]["draft"] == kept["draft"]
    assert used(tools, "check_draft", {"id": kept["draft"]})["structuredContent"]["errors"] == errors
    drafts = used(tools, "list_drafts", {})["structuredContent"]["drafts"]
    assert kept["draft"] in [each["draft"] for each in drafts]
    assert applied(home) == before
    assert used(tools, "show_definitions", {})["structuredContent"]["files"] == sorted(before)
    path = "journeys/welcome.yaml"
    assert used(tools, "show_definitions", {"path": path})["structuredContent"]["text"] == STRATEGY[path]
    assert used(tools, "show_definitions", {"path": "journeys/welcom.yaml"})["isError"]


def test_a_draft_that_cannot_be_planned_is_told_with_its_new_etag(home: Path, tools: Toolbox) -> None:
    path = "audiences/logged-in.yaml"
    kept_before = len(used(tools, "list_drafts", {})["structuredContent"]["drafts"])
    for files in ({}, {path: STRATEGY[path]}):
        refused = used(tools, "draft_definitions", {"files": files})
        assert refused["isError"]
        assert refused["structuredContent"]["errors"][0]["code"] == "empty-draft"
    assert len(used(tools, "list_drafts", {})["structuredContent"]["drafts"]) == kept_before
    first = used(tools, "draft_definitions", {"files": DRAFT})["structuredContent"]
    changes: tuple[tuple[dict[str, Any], list[str]], ...] = ((dict.fromkeys(DRAFT), ["empty-draft"]), (DRAFT, []))
    for files, codes in changes:
        told = used(tools, "draft_definitions", {"files": files, "draft": first["draft"], "etag": first["etag"]})
        assert not told["isError"]
        told = told["structuredContent"]
        assert [each["code"] for each in told["errors"]] == codes
        assert told["etag"] not in ("", first["etag"])
        first = told


def applied(home: Path) -> dict[str, str]:
    with State.open(home, readonly=True) as state:
        files = applied_files(state)
    assert files == {**BASE, **STRATEGY}
    return files


def check_codes(home: Path, folder: Path) -> list[str]:
    with pytest.raises(Invalid) as found:
        command(home, "plan", str(folder))
    return [each.code for each in found.value.problems]


def test_each_role_sees_and_may_use_what_its_permissions_say(tools: Toolbox) -> None:
    everything = {tool.name: tool for tool in tools.open_to(OWNER)}
    assert set(everything) == {*ROUTES, "show_definitions", "draft_definitions"}
    for permission in PERMISSIONS:
        actor = Actor("ana", frozenset({permission}))
        may = {tool.name for tool in tools.open_to(actor)}
        assert may == {name for name, tool in everything.items() if tool.permission == permission}
        for name in everything.keys() - may:
            told = used(tools, name, {}, actor)["structuredContent"]
            assert told["errors"][0]["code"] == "not-allowed"
    reading = {"workspace:read", "customers:read", "things:read", "tasks:read", "events:read", "definitions:draft"}
    assert {tool.permission for tool in everything.values()} == reading


def test_every_description_says_that_texts_are_data(tools: Toolbox) -> None:
    for tool in tools.open_to(OWNER):
        told = tool.told()
        assert told["description"].endswith(DATA)
        assert told["annotations"]["readOnlyHint"] == (tool.name != "draft_definitions")
        schema = told["inputSchema"]
        assert schema["type"] == "object"
        assert not schema["additionalProperties"]
        assert all(each["description"] for each in schema["properties"].values())


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("show_profile", {}, "bad-arguments"),
        ("show_profile", {"id": 7}, "bad-arguments"),
        ("show_profile", {"id": "ana", "liness": 2}, "bad-arguments"),
        ("show_profile", {"id": "nobody"}, "unknown-profile"),
        ("show_profile", {"id": "ana", "lines": 1001}, "bad-limit"),
        ("show_profile", {"id": "ana", "at": "yesterday"}, "bad-time"),
        ("count_audience", {"expression": "did('Logn')"}, "unknown-event"),
        ("count_audience", {"expression": ""}, "bad-expression"),
        ("count_audience", {"expression": "did('Login')", "of": "planet"}, "bad-arguments"),
        ("list_profiles", {"cursor": "x"}, "bad-cursor"),
        ("draft_definitions", {"files": {"strategy.yaml": 5}}, "bad-arguments"),
        ("draft_definitions", {"files": []}, "bad-arguments"),
    ],
)
def test_a_wrong_call_is_told_so_that_it_can_be_mended(
    tools: Toolbox, tool: str, arguments: dict[str, Any], code: str
) -> None:
    told = used(tools, tool, arguments)
    assert told["isError"]
    assert told["structuredContent"]["errors"][0]["code"] == code


def test_an_answer_that_is_too_large_is_refused(tools: Toolbox, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(used(tools, "show_profile", {"id": "ana"})["content"][0]["text"].encode())
    monkeypatch.setattr(mcp_tools, "MOST_BYTES", size)
    assert not used(tools, "show_profile", {"id": "ana"})["isError"]
    monkeypatch.setattr(mcp_tools, "MOST_BYTES", size - 1)
    told = used(tools, "show_profile", {"id": "ana"})
    assert told["structuredContent"]["errors"][0]["code"] == "too-large"


def test_the_whole_handshake_over_pipes(home: Path) -> None:
    hello = request("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t"}})
    garbage = [b"{", b"[1]", b"nul", b"\xff\xfe", b"[" * 100_000, b'{"jsonrpc":"2.0","id":null,"method":"ping"}', b"7"]
    told = over_pipes(
        home, hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}, request("tools/list", id="l"), b"",
        calling("show_profile", id="ana"), *garbage, b"x" * (1024 * 1024 + 5), request("ping", id=9),
        request("resources/list", id=10), {"jsonrpc": "2.0", "id": 1, "result": {}}, calling("drop_everything"),
        modern(request("server/discover")), modern(request("ping")), modern(request("tools/list"), "1999-01-01"),
    )  # fmt: skip
    first, listed, profile, *rest = told
    assert first["result"]["protocolVersion"] == "2025-06-18"
    assert (listed["id"], len(listed["result"]["tools"])) == ("l", len(ROUTES) + 2)
    assert INJECTED in profile["result"]["content"][0]["text"]
    codes = [one.get("error", {}).get("code") for one in rest]
    assert codes[:8] == [-32700, -32600, -32700, -32700, -32700, -32600, -32600, -32600]
    assert codes[8:] == [None, -32601, -32602, None, -32601, -32022]
    assert all(one["id"] is None for one in rest[:8])
    assert rest[11]["result"]["supportedVersions"] == ["2025-06-18", "2025-11-25", "2026-07-28"]


def test_over_pipes_as_a_user(home: Path, served: Served) -> None:
    names = over_pipes(home, request("tools/list"), options=("--as", "front-line-user"))[0]["result"]["tools"]
    permissions = {tool.name: tool.permission for tool in toolbox_of(home).open_to(OWNER)}
    expected = {name for name, needed in permissions.items() if needed in ROLES["front-line"]}
    assert {one["name"] for one in names} == expected != set(permissions)
    with pytest.raises(UsageError, match="nobody"):
        command(home, "mcp", "--as", "nobody")
    with pytest.raises(UsageError, match="no workspace"):
        command(home / "nothing", "mcp")


def test_a_user_who_is_ended_is_answered_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = iter([json.dumps(request("ping")).encode() + b"\n"] * 2)

    class Pipe(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            line = next(said)
            if told.getvalue():
                access.end_user(store, "ana", SystemClock())
            return line

    told = io.BytesIO()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Pipe()))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(told))
    with Access.open(tmp_path) as store:
        access.add_user(store, "ana", "viewer", SystemClock())
        with pytest.raises(UsageError, match="ended"):
            cli.main(args=["--home", str(tmp_path), "mcp", "--as", "ana"], standalone_mode=False)
    assert [json.loads(line)["result"] for line in told.getvalue().splitlines()] == [{}]


def test_tools_leave_the_home_as_it_is(home: Path, tools: Toolbox) -> None:
    def content() -> Any:
        # By another process: who closes a database's file in this one takes away the locks that SQLite holds here.
        return json.loads(subprocess.run([sys.executable, "-c", CONTENT, home], check=True, capture_output=True).stdout)

    used(tools, "draft_definitions", {"files": DRAFT})
    before = content()
    for tool, (arguments, _) in CASES.items():
        assert not used(tools, tool, arguments)["isError"]
    assert content() == before


def test_the_whole_handshake_over_http(served: Served) -> None:
    told = ask(served, request("initialize", {"protocolVersion": "2025-03-26"}))
    assert told.json["result"]["protocolVersion"] == "2025-11-25"
    assert "access-control-allow-origin" not in told.headers
    said = ask(served, {"jsonrpc": "2.0", "method": "notifications/initialized"}, MCP_Protocol_Version="2025-11-25")
    assert (said.status, said.text) == (202, b"")
    counted = ask(served, calling("count_audience", expression="did('Login')"), MCP_Protocol_Version="2025-11-25")
    assert counted.json["result"]["structuredContent"] == {"count": 2}
    assert "resultType" not in counted.json["result"]
    discovered = modern(request("server/discover"))
    assert ask(served, discovered, **headers_of(discovered)).json["result"]["resultType"] == "complete"
    one = modern(calling("count_audience", expression="did('Login')"))
    assert ask(served, one, **headers_of(one)).json["result"]["structuredContent"] == {"count": 2}
    for method in ("GET", "DELETE"):
        assert served.call(method, "/mcp").status == 405


def test_what_is_refused_over_http(served: Served) -> None:
    one = modern(calling("show_status"))
    said = headers_of(one)
    for name in said:
        assert code_of(ask(served, one, **{**said, name: "other"})) == (400, -32020)
        assert code_of(ask(served, one, **{k: v for k, v in said.items() if k != name})) == (400, -32020)
    unknown = modern(request("tools/list"), "2099-01-01")
    assert code_of(ask(served, unknown, **headers_of(unknown) | {"MCP-Protocol-Version": "2099-01-01"})) == (
        400,
        -32022,
    )
    assert code_of(ask(served, request("ping"), MCP_Protocol_Version="2099-01-01")) == (400, -32022)
    assert code_of(ask(served, request("ping"), MCP_Protocol_Version="2026-07-28")) == (400, -32602)
    gone = modern(request("ping"))
    assert code_of(ask(served, gone, **headers_of(gone))) == (404, -32601)
    bare = {**one, "params": {**one["params"], "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}}
    assert code_of(ask(served, bare, **said)) == (400, -32602)
    assert code_of(ask(served, b"{")) == (400, -32700)
    assert code_of(ask(served, [request("ping")])) == (400, -32600)
    assert code_of(ask(served, request("nothing"))) == (200, -32601)
    assert ask(served, b"[" * 600_000).status == 413


def code_of(told: Any) -> tuple[int, int]:
    return told.status, told.json["error"]["code"]


def test_a_token_opens_what_its_role_and_scopes_say(served: Served) -> None:
    assert ask(served, request("ping"), token="ink_nothing").status == 401
    for role, permissions in ROLES.items():
        listed = ask(served, request("tools/list"), token=token(served, role, f"all-{role}")).json["result"]["tools"]
        open_ = {tool.name for tool in toolbox_of(served.home).open_to(Actor("x", permissions))}
        assert {one["name"] for one in listed} == open_
    narrow = token(served, "owner", "narrow", "tasks:read")
    tools = ask(served, request("tools/list"), token=narrow).json["result"]["tools"]
    assert [one["name"] for one in tools] == ["list_tasks", "show_task"]
    refused = ask(served, calling("show_profile", id="ana"), token=narrow).json["result"]
    assert refused["structuredContent"]["errors"][0]["code"] == "not-allowed"
    assert "ana@example.com" not in json.dumps(refused)


def test_a_page_of_another_origin_is_refused(served: Served) -> None:
    for origin in ("http://evil.example", "http://localhost.evil.example", "null", "http://[::1", "http://10.0.0.1"):
        assert ask(served, request("ping"), Origin=origin).status == 403, origin
        assert ask(served, request("ping"), Origin=origin, Host="127.0.0.1").status == 403, origin
    for origin in ("http://localhost:6274", "http://127.0.0.1:8642", "http://[::1]:8642"):
        assert ask(served, request("ping"), Origin=origin).status == 200, origin


def test_a_draft_is_in_the_audit_and_a_question_is_not(served: Served) -> None:
    editor = token(served, "editor", "drafts")
    store = served.house.doorman.access
    before = len(store.entries())
    assert not ask(served, calling("show_status"), token=editor).json["result"]["isError"]
    assert len(store.entries()) == before
    assert not ask(served, calling("draft_definitions", files=DRAFT), token=editor).json["result"]["isError"]
    assert ask(served, calling("draft_definitions", files=5), token=editor).json["result"]["isError"]
    viewer = token(served, "viewer", "looks")
    assert ask(served, calling("draft_definitions", files=DRAFT), token=viewer).json["result"]["isError"]
    written = store.entries()[before:]
    assert [each.status for each in written] == [audit.BEGUN, 200, audit.BEGUN, 422, audit.BEGUN, 422]
    assert {each.about for each in written} == {"/mcp draft_definitions"}
    assert [each.actor for each in written[::2]] == ["editor-user", "editor-user", "viewer-user"]
    assert audit.verify(served.home)["holds"]
