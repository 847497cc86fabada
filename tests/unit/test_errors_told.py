"""Errors of our own that quote a customer (A34): their text is in no log line, no figure, no answer about health."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.door import opened

from innkeeper.kernel.errors import InnkeeperError, InternalError, OperationFailed

CANARY = "canary-ana@example.com"
TOKEN = "a-token-of-the-metrics"
#: What goes wrong: our own errors with what a database says in them, and what Python raises.
RAISED = (
    f"InternalError({CANARY!r}, code='duckdb', where='the place')",
    f"OperationFailed({CANARY!r}, code='disk-error', where='the place')",
    f"UsageError({CANARY!r}, code='bad-time')",
    f"KeyError({CANARY!r})",
    f"ValueError({CANARY!r}, {{'email': {CANARY!r}}})",
    f"UnicodeEncodeError('ascii', {CANARY!r}, 0, 1, {CANARY!r})",
)
_MAIN = """
import sys
from innkeeper.kernel.errors import InternalError, OperationFailed, UsageError
from innkeeper.runtime import {module} as process
sys.argv = ["x", "home", "1", "json"]
for raised in ({raised}):
    def fails(*_):
        try:
            raise RuntimeError({canary!r})
        except RuntimeError as cause:
            raise raised from cause
    process.{work} = fails
    try:
        process.main()
    except SystemExit:
        pass
    except Exception:
        sys.excepthook(*sys.exc_info())
"""


def records(text: str) -> list[dict[str, object]]:
    """The lines of a log; a line that is none fails."""
    assert CANARY not in text
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("module", "work"), [("engine_process", "serve_engine"), ("relay_process", "serve_relay")], ids=str
)
def test_a34_a_process_that_ends_by_an_error_does_not_say_its_text(module: str, work: str) -> None:
    code = _MAIN.format(module=module, work=work, raised=", ".join(RAISED), canary=CANARY)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    found = records(ran.stderr)
    assert {(each["action"], each["process"]) for each in found} == {("end", module.partition("_")[0])}
    assert [each["reason"] for each in found] == [
        "duckdb", "disk-error", "bad-time", "KeyError", "ValueError", "UnicodeEncodeError",
    ]  # fmt: skip
    assert CANARY not in ran.stdout


def test_a34_a_door_that_ends_by_a_bug_does_not_say_its_text(tmp_path: Path) -> None:
    code = f"""
import sys
from innkeeper.cli.main import main
from innkeeper.kernel.errors import InternalError
from innkeeper.runtime import serve
def fails(*_):
    raise InternalError({CANARY!r}, code="duckdb")
serve.forward = fails
sys.argv = ["innkeeper", "--home", {str(tmp_path)!r}, "up", "--port", "0"]
main()
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 1
    assert CANARY not in ran.stdout + ran.stderr
    assert '"reason": "duckdb"' in ran.stderr
    assert "the log above says where" in ran.stderr


def test_a34_a_seal_that_fails_does_not_say_what_it_read(tmp_path: Path) -> None:
    code = f"""
from innkeeper.kernel.errors import InternalError
from innkeeper.runtime.logs import begin
from innkeeper.store.sealing import _report
begin("json", "door")
_report(InternalError({CANARY!r}, code="duckdb", where="segments"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (record,) = records(ran.stderr)
    assert (record["action"], record["reason"], record["where"]) == ("log.seal", "duckdb", "segments")


@pytest.mark.parametrize("error", [InternalError, OperationFailed, KeyError])
def test_a34_health_that_cannot_be_told_does_not_say_why(tmp_path: Path, error: type[Exception]) -> None:
    def health() -> dict[str, object]:
        raise error(CANARY, code="x") if issubclass(error, InnkeeperError) else error(CANARY)

    with opened(tmp_path / "home", health=health, metrics_token=TOKEN) as served:
        for path in ("/ready", "/metrics", "/health"):
            answer = served.call("GET", path, b"", {"Authorization": f"Bearer {TOKEN}"})
            assert answer.status == (200 if path == "/health" else 503 if error is not KeyError else 500)
            assert CANARY.encode() not in answer.text
