"""Whatever is sent to the API, the answer says what is wrong with it: never a 5xx (A26)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support.api import CASES, path_of, served
from support.door import Served
from support.garbage import RAW, send

POSTS = [path for method, path in CASES if method == "POST"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("api") / "home") as found:
        yield found


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_cannot_be_taken_is_refused(door: Served, path: str) -> None:
    case = CASES["POST", path]
    headers = {"Authorization": f"Bearer {door.house.doorman.local_token}"} | case.headers
    for body in RAW:
        answer = door.call("POST", "/api/v1" + path_of(path, case.unknown or case.known), body, headers)
        assert answer.status < 500, (body[:80], answer.text)
        if answer.status >= 400:
            assert answer.json["detail"], body[:80]
            # Every error of a draft is told, however many there are.
            assert len(answer.text) < 20_000 or "errors" in answer.json, body[:80]


def test_random_requests_never_fail_on_our_side(door: Served) -> None:
    chance, routes = random.Random(26), list(CASES)
    count = 0
    for _ in range(4):
        for method, path in routes:
            answer, body = send(door, chance, method, path)
            assert answer.status < 500, (method, path, body[:500], answer.text)
            count += 1
    print(f"seed 26: {count} random requests")
