"""`source webhook` and `source test`: what they say, and what they refuse with a reason."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.webhooks import TOPIC
from support.workspace import Workspace

from innkeeper import store
from innkeeper.cli.main import cli
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import FixedClock
from innkeeper.runtime import sources, webhooks
from innkeeper.runtime.webhook_files import changed_mappings

SQL = Path(store.__file__).parent / "sql"
MAPPING = "event: { value: E }\nuserId: who\nmessageId: id\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, kind in (("shop", "server"), ("web", "public")):
        sources.create(tmp_path, name, kind, FixedClock(0))  # type: ignore[arg-type]
    (tmp_path / "m.yaml").write_text(MAPPING)
    return tmp_path


def test_the_commands(home: Path) -> None:
    workspace = Workspace(home)
    file, payload = str(home / "m.yaml"), home / "p.json"
    payload.write_text(json.dumps([{"who": "c1", "id": 1}, {"id": 2}]))
    assert workspace.cli("source", "test", "shop", str(payload), expect=2)["errors"][0]["code"] == "no-webhook"
    told = workspace.cli("source", "test", "shop", str(payload), "--mapping", file)
    assert [(event["event"], event["userId"], event["messageId"]) for event in told["events"]] == [("E", "c1", "1")]
    assert [(each["index"], each["code"]) for each in told["refused"]] == [(1, "no-id")]
    assert workspace.cli("events", "list")["events"] == []
    made = workspace.cli(
        "source", "webhook", "shop", "--mapping", file, "--scheme", "stripe", "--secret-env", "SHOP_SECRET"
    )
    assert made == {"source": "shop", "scheme": "stripe", "path": "/v1/webhooks/shop", "shown_once": False}
    again = workspace.cli("source", "test", "shop", str(payload))
    # Without a time of the sender's it happens when it comes, which is later by now.
    assert [event | {"timestamp": ""} for event in again["events"]] == [
        event | {"timestamp": ""} for event in told["events"]
    ]
    assert again["refused"] == told["refused"]
    shown = workspace.cli("source", "show", "shop")
    assert shown["webhook"] == {"scheme": "stripe", "file": file}
    workspace.cli("source", "webhook", "shop", "--off")
    assert workspace.cli("source", "show", "shop")["webhook"] is None
    (home / "m.yaml").write_text(MAPPING + "evnt: x\n")
    wrong = workspace.cli("source", "webhook", "shop", "--mapping", file, "--scheme", "address", expect=2)["errors"]
    assert [(each["file"], each["line"], each["code"]) for each in wrong] == [(file, 4, "unknown-key")]


@pytest.mark.parametrize(
    ("name", "wish", "code"),
    [
        ("shop", {"scheme": "strpe", "secret_env": "A"}, "unknown-scheme"),
        ("shop", {"scheme": "stripe"}, "missing-option"),
        ("shop", {"scheme": "twilio", "secret_env": "A"}, "missing-option"),
        ("shop", {"scheme": "sns"}, "missing-option"),
        ("shop", {"scheme": "address", "secret_env": "A"}, "not-needed"),
        ("shop", {"scheme": "stripe", "secret_env": "A", "url": "https://a.b/c"}, "not-needed"),
        ("shop", {"scheme": "stripe", "secret_env": "whsec-abc"}, "bad-variable"),
        ("shop", {"scheme": "hubspot", "secret_env": "A", "url": "a.b/c"}, "bad-url"),
        ("shop", {"scheme": "sns", "topic": "arn:aws:sqs:eu-west-1:123456789012:q"}, "bad-topic"),
        ("shop", {"scheme": "sns", "topic": TOPIC + "\n"}, "bad-topic"),
        ("web", {"scheme": "stripe", "secret_env": "A"}, "not-a-server"),
        ("shpo", {"scheme": "stripe", "secret_env": "A"}, "unknown-source"),
    ],
)
def test_what_cannot_be_declared_says_why(home: Path, name: str, wish: dict[str, str], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        webhooks.declare(home, name, webhooks.Wish(mapping=webhooks.read_mapping(home / "m.yaml"), **wish))
    assert refused.value.code == code
    assert refused.value.fix


def test_a_file_from_before_webhooks_takes_them(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "sources.db")
    database.executescript((SQL / "sources_0001.sql").read_text() + "PRAGMA user_version = 1;")
    database.execute("INSERT INTO sources VALUES ('shop', 'server', 0, NULL)")
    database.commit()
    database.close()
    assert sources.show(tmp_path, "shop", FixedClock(0))["webhook"] is None
    (tmp_path / "m.yaml").write_text(MAPPING)
    wish = webhooks.Wish(scheme="stripe", mapping=webhooks.read_mapping(tmp_path / "m.yaml"), secret_env="A")
    assert webhooks.declare(tmp_path, "shop", wish)["path"] == "/v1/webhooks/shop"


def test_a_secret_of_an_address_is_new_each_time_and_kept_as_a_hash(home: Path) -> None:
    wish = webhooks.Wish(scheme="address", mapping=webhooks.read_mapping(home / "m.yaml"))
    first, second = (webhooks.declare(home, "shop", wish)["path"] for _ in range(2))
    assert first != second
    kept = b"".join(path.read_bytes() for path in home.glob("sources.db*"))
    assert not any(path.rpartition("/")[2].encode() in kept for path in (first, second))


def test_a_mapping_file_that_is_no_longer_what_was_declared_is_told(home: Path) -> None:
    strategy, mappings = home / "strategy", home / "strategy" / "mappings"
    mappings.mkdir(parents=True)
    file = mappings / "m.yaml"
    file.write_text(MAPPING)
    assert changed_mappings(home / "nothing", strategy) == []
    wish = webhooks.Wish(
        scheme="stripe", mapping=webhooks.read_mapping(file), secret_env="SHOP_SECRET", verify_env="SHOP_TOKEN"
    )
    webhooks.declare(home, "shop", wish)
    assert changed_mappings(home, strategy) == changed_mappings(home, home) == []
    file.write_text(MAPPING + "properties: { amount: { column: cents, divide: 100 } }\n")
    (told,) = changed_mappings(home, strategy)
    assert (told.code, told.file) == ("webhook-changed", str(file))
    assert "+properties: { amount: { column: cents, divide: 100 } }" in told.message
    again = f"innkeeper source webhook shop --mapping {file} --scheme stripe"
    assert told.fix == f"{again} --secret-env SHOP_SECRET --verify-env SHOP_TOKEN"
    file.write_text(MAPPING + "evnt: x\n")
    (wrong,) = changed_mappings(home, strategy)
    assert (wrong.code, wrong.file, wrong.line) == ("unknown-key", str(file), 4)
    file.write_text(MAPPING + "".join(f"# {number}\n" for number in range(60)))
    (long,) = changed_mappings(home, strategy)
    assert "lines more" in long.message
    (strategy / "strategy.yaml").write_text("name: test\nzone: UTC\n")
    done = CliRunner().invoke(cli, ["--home", str(home), "--json", "check", str(strategy)])
    assert [each["code"] for each in json.loads(done.stdout)["warnings"]] == ["webhook-changed"]
    assert done.exit_code == 0
    webhooks.declare(home, "shop", replace(wish, mapping=webhooks.read_mapping(file)))
    assert changed_mappings(home, strategy) == []
