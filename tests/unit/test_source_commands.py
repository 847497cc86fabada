"""Sources: made, shown, rotated, revoked, on the command line and in an open door; their keys are nowhere in plain."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.door import NOW, Served, opened, reopened
from support.workspace import Workspace

from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import DAY, SECOND, FixedClock, SystemClock, parse_instant
from innkeeper.runtime import sources
from innkeeper.runtime.user_tokens import by_public_key, by_secret, user_of

EVENT = {"type": "page", "anonymousId": "a"}


def status(served: Served, key: str) -> int:
    return served.call("POST", "/v1/page", json.dumps(EVENT | {"writeKey": key}).encode()).status


def test_the_commands(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    made = workspace.cli("source", "create", "shop", "--kind", "server")
    assert set(made) == {"source", "kind", "write_key"}
    web = workspace.cli("source", "create", "web", "--kind", "public")
    assert (web["source"], web["kind"]) == ("web", "public")
    assert web["write_key"] != web["watch_key"]
    assert [one["source"] for one in workspace.cli("source", "list")["sources"]] == ["shop", "web"]
    fresh = workspace.cli("source", "rotate", "shop", "--grace", "2 hours")
    assert fresh["write_key"] != made["write_key"]
    shown = workspace.cli("source", "show", "shop")
    assert [key["in_force"] for key in shown["keys"]] == [True, True]
    assert [key["until"] is None for key in shown["keys"]].count(True) == 1
    assert workspace.cli("source", "revoke", "shop")["revoked"] == 2
    assert workspace.cli("source", "revoke", "shop")["revoked"] == 0
    assert not any(key["in_force"] for key in workspace.cli("source", "show", "shop")["keys"])
    for arguments, code in (
        (("create", "shop", "--kind", "server"), "source-exists"), (("show", "shpo"), "unknown-source"),
        (("create", "innkeeper", "--kind", "server"), "reserved-source"),
        (("create", "a:b", "--kind", "public"), "bad-source"), (("rotate", "nobody"), "unknown-source"),
        (("user-tokens", "shop", "--hs256-env", "X"), "not-needed"),
        (("user-tokens", "web", "--hs256-env", "no-name"), "bad-variable"),
    ):  # fmt: skip
        assert workspace.cli("source", *arguments, expect=2)["errors"][0]["code"] == code
    told = workspace.shell("source", "show", "web").stdout
    assert "0 accepted, 0 duplicates, 0 refused" in told
    assert web["write_key"] not in told


def test_sources_are_made_and_revoked_while_a_home_is_in_use(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with opened(tmp_path, clock=SystemClock()) as served:
        made = workspace.cli("source", "create", "help-desk", "--kind", "server")
        assert status(served, made["write_key"]) == 200
        assert workspace.cli("source", "revoke", "help-desk")["revoked"] == 1
        assert status(served, made["write_key"]) == 401


def test_no_key_is_on_disk(tmp_path: Path) -> None:
    with opened(tmp_path) as served:
        for key in (served.key("shop"), served.key("web")):
            assert status(served, key) == 200
        wanted = [key.encode() for made in served.keys.values() for key in made.keys.values()]
        wanted += [key[8:] for key in wanted]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(key in content for key in wanted), path
    assert (tmp_path / "sources.db").stat().st_mode & 0o077 == 0


def test_rotation_and_revocation_hold_at_once_in_an_open_door(tmp_path: Path) -> None:
    clock = FixedClock(parse_instant(NOW))
    with opened(tmp_path, clock=clock) as served:
        old = served.key()
        new = sources.rotate(tmp_path, "shop", DAY, clock).keys["write"]
        assert (status(served, old), status(served, new)) == (200, 200)
        clock.instant += DAY - 1
        assert (status(served, old), status(served, new)) == (200, 200)
        clock.instant += 1
        assert (status(served, old), status(served, new)) == (401, 200)
        sources.revoke(tmp_path, "shop", clock)
        assert (status(served, old), status(served, new)) == (401, 401)
        assert status(served, served.key("web")) == 200
        again = sources.rotate(tmp_path, "shop", DAY, clock).keys["write"]
        assert (status(served, new), status(served, again)) == (401, 200)


def test_counts_and_last_errors_are_kept(tmp_path: Path) -> None:
    clock = FixedClock(parse_instant(NOW))
    with opened(tmp_path, clock=clock) as served:
        served.send("/v1/batch", {"batch": [EVENT | {"messageId": "a"}, EVENT | {"messageId": "b"}, {}, {}]})
        clock.instant += SECOND
        served.send("/v1/batch", {"batch": [EVENT | {"messageId": "a"}, {"type": "track", "userId": "u"}]})
        keys = served.keys
    with reopened(tmp_path, keys, clock=clock) as served:
        served.send("/v1/page", EVENT)
    shown = sources.show(tmp_path, "shop", clock)
    assert (shown["accepted"], shown["duplicates"], shown["refused"]) == (3, 1, 3)
    assert [(each["code"], each["count"], each["last_at"]) for each in shown["errors"]] == [
        ("no-event-name", 1, "2026-11-25T12:00:01Z"), ("bad-type", 2, "2026-11-25T12:00:00Z"),
    ]  # fmt: skip


def test_commands_beside_an_open_door_lose_it_nothing(tmp_path: Path) -> None:
    """Another process that opens and closes the file must not take the door's write-ahead log away."""
    with opened(tmp_path) as served:
        for number in range(3):
            served.send("/v1/page", EVENT)
            assert Workspace(tmp_path).cli("source", "rotate", "web")["source"] == "web"
            served.door.keep_counts()
            assert Workspace(tmp_path).cli("source", "show", "shop")["accepted"] == number + 1


def test_tokens_by_rs256(tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    signing, now = by_public_key(pem), parse_instant(NOW)
    claims: dict[str, Any] = {"sub": "me", "aud": "web", "exp": now // SECOND + 1}
    assert user_of(jwt.encode(claims, private, algorithm="RS256"), signing, "web", now) == "me"
    # The public key is no secret: who signs with it by HMAC is nobody.
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256"}, claims)
    )
    mac = base64.urlsafe_b64encode(hmac.new(pem.encode(), head + b"." + body, hashlib.sha256).digest()).rstrip(b"=")
    assert not isinstance(user_of((head + b"." + body + b"." + mac).decode(), signing, "web", now), str)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert not isinstance(user_of(jwt.encode(claims, other, algorithm="RS256"), signing, "web", now), str)
    for text in ("", "rubbish", pem.replace("A", "B"), "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"):
        with pytest.raises(UsageError):
            by_public_key(text)


def test_a_secret_that_is_missing_or_short_vouches_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    now = parse_instant(NOW)
    for number, secret in enumerate(("", "short")):
        monkeypatch.setenv(f"SECRET_{number}", secret)
        token = jwt.encode({"sub": "me", "aud": "web", "exp": 2**40}, "x" * 40, algorithm="HS256")
        refused = user_of(token, by_secret(f"SECRET_{number}"), "web", now)
        assert not isinstance(refused, str)
        assert refused.code == "no-token-secret"
