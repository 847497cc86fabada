"""What docs/ingest.md says of the SDKs is what is installed."""

from __future__ import annotations

import re

from clients.harness import CLIENTS
from clients.sdks import versions

_ROOT = CLIENTS.parents[1]


def test_the_document_names_the_clients_in_the_versions_that_are_tested() -> None:
    document = (_ROOT / "docs" / "ingest.md").read_text()
    table = document.split("\n## Clients\n")[1].split("\n## ")[0]
    told = dict(re.findall(r"^\| (\S+) \| (\d[\w.]*) \|", table, re.MULTILINE))
    wanted = re.findall(r"^([\w-]+)>=", (_ROOT / "requirements" / "clients.in").read_text(), re.MULTILINE)
    sent_with = {*wanted, *(name for name in versions() if name.startswith("@")), "customerio-node"}
    assert told == {name: versions()[name] for name in sent_with}
    assert len(told) == 11


def test_no_package_is_fetched_from_a_place_that_is_written_down() -> None:
    assert '"resolved"' not in (CLIENTS / "package-lock.json").read_text()
