"""What all tests share: where the data lies, how properties are searched, and a clean environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# No deadline: the machine that runs the tests may be busy. No database: a failure prints the lines that repeat it. The
# same cases every time, so that a red run is due to the change; INNKEEPER_WILD=1 looks for new ones.
settings.register_profile(
    "innkeeper",
    deadline=None,
    database=None,
    derandomize=not os.environ.get("INNKEEPER_WILD"),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("innkeeper")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets, named by INNKEEPER_DATA; a test that asks for it is skipped without it."""
    folder = Path(os.environ.get("INNKEEPER_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the data folder {folder} is not there; set INNKEEPER_DATA")
    return folder


@pytest.fixture(scope="session")
def online_retail(data_folder: Path) -> Path:
    """The year of real purchases that `examples/online-retail` imports."""
    path = data_folder / "online_retail" / "sales.parquet"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the random tests did: every line in which a test that passed printed its seed and its counts."""
    told = [
        (report.nodeid, line.strip())
        for report in terminalreporter.getreports("passed")
        for line in report.capstdout.splitlines()
        if re.search(r"\bseed\b", line)
    ]
    if told:
        terminalreporter.section("seeds and counts of random tests")
    for name, line in sorted(told):
        terminalreporter.line(f"{name}: {line}")
    seed = terminalreporter.config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.line(f"the same order and the same random cases again: pytest --randomly-seed={seed}")


@pytest.fixture(autouse=True)
def _no_workspace_of_the_person_who_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INNKEEPER_HOME", raising=False)
