"""What every provider promises, run on each one and on the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from fakes.provider import FakeProvider
from fakes.smtp import Server

from innkeeper.channels import DEFAULT_EMAIL, PROVIDERS, make_provider
from innkeeper.channels.contract import ChannelConfig, Outgoing, Provider
from innkeeper.kernel.time import parse_instant

Make = Callable[[Path], Provider]


@lru_cache
def _server() -> Server:
    return Server()


def _settings(name: str) -> dict[str, object]:
    if name != "smtp":
        return {}
    return {"from": "a@b.example", "host": "localhost", "port": _server().port, "security": "none"}


def _made(name: str) -> Make:
    return lambda home: make_provider(
        ChannelConfig(name=DEFAULT_EMAIL.name, provider=name, settings=_settings(name)), home
    )


@pytest.fixture(scope="module", autouse=True)
def _end() -> Iterator[None]:
    yield
    if _server.cache_info().currsize:
        _server().stop()
        _server.cache_clear()


MAKERS: dict[str, Make] = {name: _made(name) for name in PROVIDERS}
MAKERS["fake"] = lambda home: FakeProvider(home / "history")
MAKERS["fake that settles"] = lambda home: FakeProvider(home / "history", settles=True)


def outgoing(number: int = 1) -> Outgoing:
    return Outgoing(
        delivery_id=f"d{number}", address="ana@example.com", subject="Hello", text="Hi\n", html=None, headers={},
        at=parse_instant("2026-03-02T12:00:00Z"),
    )  # fmt: skip


@pytest.fixture(params=sorted(MAKERS))
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = MAKERS[request.param]
    return maker


def opened(make: Make, home: Path) -> Provider:
    provider = make(home)
    provider.open()
    return provider


def test_it_commits_once_and_accepts(make: Make, tmp_path: Path) -> None:
    provider, calls = opened(make, tmp_path), []
    assert provider.probe()
    assert provider.send(outgoing(), lambda: calls.append(1)).outcome == "accepted"
    assert calls == [1]
    provider.close()


def test_nothing_is_sent_when_the_commitment_fails(make: Make, tmp_path: Path) -> None:
    class TakenOver(Exception):
        pass

    def refuse() -> None:
        raise TakenOver

    provider = opened(make, tmp_path)
    with pytest.raises(TakenOver):
        provider.send(outgoing(), refuse)
    settled = provider.settle("d1")
    assert settled is None or settled.outcome == "retry"
    provider.close()


def test_it_settles_after_a_restart_or_says_that_it_cannot(make: Make, tmp_path: Path) -> None:
    def nothing() -> None:
        """A ledger that does not mind."""

    first = opened(make, tmp_path)
    first.send(outgoing(1), nothing)
    first.close()
    second = opened(make, tmp_path)
    answers: list[Any] = [second.settle("d1"), second.settle("d2")]
    second.close()
    if second.settles:
        assert [answer.outcome for answer in answers] == ["accepted", "retry"]
    else:
        assert answers == [None, None]


def test_its_name_is_the_one_in_the_table(tmp_path: Path) -> None:
    for name in PROVIDERS:
        assert MAKERS[name](tmp_path).name == name
