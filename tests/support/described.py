"""Schemathesis over the API: what its description allows is sent and what it forbids; each answer must be described.

An operation is asked with what Schemathesis makes up for all of it, and with its path, query and headers as the table
of cases knows them, so that the rest of it meets something that is there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.api import CASES, Ask, real, served
from support.door import Served

PREFIX: Final = "/api/v1"
#: What every answer must pass.
_ANSWERS: Final[list[CheckFunction]] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
#: The operation that needs no token, and so is not in the table of cases.
LOGIN: Final = ("POST", "/session")


class Described:
    """A served home, and its API as it describes itself."""

    def __init__(self, door: Served) -> None:
        self.door, self.base = door, f"http://127.0.0.1:{door.port}"
        self.told = door.call("GET", "/openapi.json").json
        self._schema = schemathesis.openapi.from_dict(self.told, config=SchemathesisConfig())
        self._session = requests.Session()
        #: Answers by their status.
        self.answered: Counter[int] = Counter()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def operations(self) -> set[tuple[str, str]]:
        """Method and path of everything that is described."""
        return {
            (method.upper(), path.removeprefix(PREFIX))
            for path, found in self.told["paths"].items()
            for method in found
        }

    def known(self, method: str, path: str) -> tuple[int, Any, Any]:
        """What the table of cases knows is sent: status, answer, and the example of one, where they are JSON."""
        case, operation = CASES[method, path], self._operation(method, path)
        body = {} if case.body is None else {"body": case.body, "media_type": "application/json"}
        answer = self._ask(
            operation.Case(
                path_parameters=real(self.door, case), query=dict(case.query), headers=dict(case.headers), **body
            )
        )
        said = operation.definition.raw["responses"]
        (good,) = (each for status, each in said.items() if status.startswith("2"))
        (shown,) = good["content"].values()
        (example,) = shown["examples"].values()
        return answer.status_code, _documents(answer.text)[0], example["value"]

    def storm(self, method: str, path: str, *, examples: int, seed: int) -> int:
        """So many requests of every kind; how many answers came, each as it is described."""
        before, operation, case = self.answered.total(), self._operation(method, path), CASES.get((method, path), Ask())
        near: dict[str, Any] = {
            "path_parameters": real(self.door, case) or None, "query": case.query or None,
            "headers": case.headers or None,
        }  # fmt: skip
        for mode in GenerationMode:
            for fixed in ({}, near) if any(near.values()) else ({},):
                self._storm(operation.as_strategy(mode, **fixed), examples, seed)
        return self.answered.total() - before

    def _storm(self, cases: SearchStrategy[Case[Any]], examples: int, seed: int) -> None:
        @seeded(seed)
        @settings(max_examples=examples, phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def sent(case: Case[Any]) -> None:
            self._ask(case)

        sent()

    def _operation(self, method: str, path: str) -> APIOperation[Any, Any, Any, Any]:
        return self._schema[PREFIX + path][method]

    def _ask(self, case: Case[Any]) -> Response:
        headers = {"Authorization": f"Bearer {self.door.house.doorman.local_token}", "Origin": self.base}
        answer = case.call(base_url=self.base, session=self._session, headers=headers)
        # In an address the word null leaves a parameter out, which is no error.
        left_out = "=null" in str(answer.request.url)
        case.validate_response(answer, checks=_ANSWERS if left_out else [*_ANSWERS, negative_data_rejection])
        self.answered[answer.status_code] += 1
        return answer


@contextmanager
def described_api(home: Path) -> Iterator[Described]:
    """The workspace of the table of cases, served and described."""
    with served(home) as door:
        found = Described(door)
        try:
            yield found
        finally:
            found.close()


def _documents(text: str) -> list[Any]:
    """The JSON documents of an answer: one, one a line, or one an event."""
    if text.startswith("{"):
        return [json.loads(line) for line in text.splitlines()]
    return [json.loads(line.removeprefix("data:")) for line in text.splitlines() if line.startswith("data:")]
