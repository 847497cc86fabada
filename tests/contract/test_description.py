"""What the description of the API says of every operation: how it refuses, its Idempotency-Key, what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.door import opened

from innkeeper.web.problems import MEDIA, SCHEMA

LOGIN = ("post", "/api/v1/session")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with opened(tmp_path_factory.mktemp("home")) as door:
        return door.call("GET", "/openapi.json").json


@pytest.fixture
def operations(told: Any) -> list[tuple[str, str, Any]]:
    return [(method, path, one) for path, found in told["paths"].items() for method, one in found.items()]


def answers(told: Any, operation: Any) -> Iterator[tuple[str, Any]]:
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            yield status, told["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        else:
            yield status, answer


def test_every_operation_says_how_it_refuses(told: Any, operations: list[tuple[str, str, Any]]) -> None:
    for method, path, one in operations:
        found = dict(answers(told, one))
        expected = {"400", "401", "403", "422", "429", "503", "4XX"} | ({"404"} if "{" in path else set())
        expected |= {"get": set(), "delete": {"408", "413"}, "post": {"408", "413", "409"}}[method]
        assert expected <= set(found), (method, path)
        for status, answer in found.items():
            if not status.startswith("2"):
                schema = {"$ref": "#/components/schemas/Problem"}
                assert answer["content"] == {MEDIA: {"schema": schema}}, (method, path, status)
                assert ("Retry-After" in answer.get("headers", {})) == (status in ("429", "503"))
    assert told["components"]["schemas"]["Problem"] == SCHEMA
    assert {"type", "title", "status", "detail", "code", "fix"} == set(SCHEMA["required"])


def test_every_post_takes_an_idempotency_key(operations: list[tuple[str, str, Any]]) -> None:
    for method, path, one in operations:
        keys = [each for each in one.get("parameters", ()) if each["name"] == "Idempotency-Key"]
        # A login is answered anew each time: its answer is a session.
        assert len(keys) == (method == "post" and (method, path) != LOGIN), (method, path)
        for key in keys:
            assert (key["in"], key["required"], key["schema"]["maxLength"]) == ("header", False, 255)
            assert "422" in key["description"]


def test_a_good_answer_says_what_it_is(operations: list[tuple[str, str, Any]]) -> None:
    for method, path, one in operations:
        (answer,) = (each for status, each in one["responses"].items() if status.startswith("2"))
        assert one["summary"] in answer["description"], (method, path)
        for content in answer["content"].values():
            assert list(content["examples"]) == [one["operationId"]], (method, path)


def test_no_answer_is_in_the_frameworks_form(told: Any) -> None:
    assert "status_code" not in str(told)
    assert "Additional response" not in str(told)
