"""Files of events over the API: what becomes of them, beside live events, when they are cut off, and hostile ones.

How lines become events is tested with the command (`test_imports.py`): both go the same way.
"""

from __future__ import annotations

import gzip
import json
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.api import ended, imported, upload
from support.beside import announced, command
from support.door import NOW, Served, opened, reopened

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime import import_files, import_jobs, uploads
from innkeeper.runtime.audit import verify
from innkeeper.runtime.import_beside import TOGETHER, Beside
from innkeeper.runtime.import_jobs import MOST_OPEN
from innkeeper.runtime.import_sink import BATCH_ROWS
from innkeeper.runtime.writer import Writer
from innkeeper.store.imports import Import
from innkeeper.store.log import Log
from innkeeper.web.imports import MOST_WATCHERS

MAPPING = "event: {value: Order Completed}\nuserId: customer\ntimestamp: at\nproperties: {total: total}\n"
CSV = b"customer,at,total\nc1,2026-03-01T09:00:00Z,5\nc2,2026-03-01T10:00:00Z,7\n"


def lines(count: int) -> bytes:
    """JSONL: so many logins, each with its own message id."""
    return b"".join(
        b'{"type":"track","event":"Login","userId":"u","messageId":"m%d","timestamp":"2026-01-01T00:00:00Z"}\n' % n
        for n in range(count)
    )


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Served]:
    with opened(tmp_path / "home") as found:
        yield found


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A door into which nothing gets."""
    with opened(tmp_path_factory.mktemp("quiet") / "home") as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A door for imports that leave nothing behind."""
    with opened(tmp_path_factory.mktemp("shared") / "home") as found:
        yield found


def left(door: Served) -> list[Path]:
    """What lies on the disk of files that were sent."""
    return [path for path in (door.home / "imports").rglob("*") if path.is_file()]


def test_a_file_is_imported_and_its_refused_lines_can_be_read(door: Served) -> None:
    one = imported(door, lines(3) + b'{"type":"track"}\n', "guests.jsonl", source="crm")
    assert {key: one[key] for key in ("state", "read", "events", "accepted", "duplicates", "rejected", "error")} == {
        "state": "done", "read": 4, "events": 3, "accepted": 3, "duplicates": 0, "rejected": 1, "error": None,
    }  # fmt: skip
    assert one["bytes"]["done"] == one["bytes"]["of"] > 0
    assert [event.source for event in door.events()] == ["crm"] * 3
    refused = door.ask("GET", f"/imports/{one['id']}/rejects").text.splitlines()
    assert [json.loads(line)["line"] for line in refused] == [4]
    again = imported(door, lines(3), source="crm")
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    assert door.ask("GET", f"/imports/{again['id']}/rejects").json["code"] == "unknown-rejects"
    assert left(door) == []


def test_tables_come_with_their_mapping_and_gzip_is_undone(door: Served) -> None:
    one = imported(door, gzip.compress(CSV), "orders.csv.gz", mapping=MAPPING)
    assert (one["state"], one["accepted"]) == ("done", 2), one
    assert sorted(event.properties["total"] for event in door.events()) == [5, 7]


def test_the_list_comes_in_pages_the_newest_first(door: Served) -> None:
    made = [imported(door, lines(1))["id"] for _ in range(3)]
    first = door.ask("GET", "/imports?limit=2").json
    rest = door.ask("GET", f"/imports?limit=2&cursor={first['next']}").json
    assert [one["id"] for one in first["imports"] + rest["imports"]] == made[::-1]
    assert rest["next"] is None


def test_the_same_file_under_the_same_key_is_taken_once(door: Served) -> None:
    first = upload(door, lines(2), key="k-1")
    again = upload(door, lines(2), key="k-1")
    other = upload(door, lines(3), key="k-1")
    assert (again.status, again.json["id"], again.headers["idempotent-replayed"]) == (202, first.json["id"], "true")
    assert (other.status, other.json["code"]) == (422, "idempotency-key-reused")
    assert ended(door, first.json["id"])["state"] == "done"
    assert len(door.ask("GET", "/imports").json["imports"]) == 1
    assert left(door) == []
    written = [(each.action, each.status) for each in door.house.doorman.access.entries() if each.noun == "imports"]
    assert written == [("POST", 0), ("POST", 202)]
    assert verify(door.home)["holds"]


@pytest.mark.parametrize(
    ("name", "data", "query", "status", "code"),
    [
        ("orders.csv", CSV, {}, 422, "mapping-needed"),
        ("a.jsonl", lines(1), {"mapping": MAPPING}, 422, "mapping-not-needed"),
        ("a.bin", b"\x00\x01", {}, 422, "unknown-file-kind"),
        ("orders.csv", CSV, {"mapping": "a: [b"}, 422, "invalid"),
        ("orders.csv", CSV, {"mapping": "x" * 40_000}, 400, "bad-request"),
        ("a.jsonl", lines(1), {"source": "innkeeper"}, 422, "reserved-source"),
        ("a.jsonl", lines(1), {"source": "\x1b[2J"}, 400, "bad-source"),
        ("", lines(1), {}, 400, "bad-name"),
        ("..", lines(1), {}, 400, "bad-name"),
        ("a\0.jsonl", lines(1), {}, 400, "bad-name"),
        ("x" * 300 + ".jsonl", lines(1), {}, 400, "bad-name"),
    ],
)
def test_what_cannot_be_right_is_refused_at_once_and_nothing_is_kept(
    quiet: Served, name: str, data: bytes, query: dict[str, str], status: int, code: str
) -> None:
    answer = upload(quiet, data, name, **query)
    assert (answer.status, answer.json["code"]) == (status, code), answer.text
    assert answer.json["detail"]
    assert (left(quiet), quiet.ask("GET", "/imports").json["imports"]) == ([], [])


@pytest.mark.parametrize(
    ("name", "data", "query", "code"),
    [
        ("orders.csv", CSV, {"mapping": MAPPING.replace("at\n", "when\n")}, "invalid"),
        ("cut.jsonl.gz", gzip.compress(lines(5_000))[:-200], {}, "unreadable-file"),
        ("cut.parquet", b"PAR1" + b"\x00" * 99, {"mapping": MAPPING}, "unreadable-file"),
        ("empty.csv", b"", {"mapping": MAPPING}, "no-header"),
    ],
)
def test_what_turns_out_wrong_ends_the_import_with_its_reason(
    shared: Served, name: str, data: bytes, query: dict[str, str], code: str
) -> None:
    one = imported(shared, data, name, **query)
    assert (one["state"], one["error"]["code"]) == ("failed", code), one
    # Whoever sent it knows its name, not where it lay.
    assert str(shared.home) not in json.dumps(one)
    assert name in one["error"]["detail"] or "mapping.yaml" in one["error"]["detail"]
    assert left(shared) == []
    assert imported(shared, lines(1))["state"] == "done"


@pytest.mark.parametrize(
    "name", ["../../x.jsonl", "/etc/x.jsonl", "..\\..\\x.jsonl", "~mapping.yaml/x.jsonl", "-rf.jsonl"]
)
def test_a_name_is_a_name_and_no_path(shared: Served, name: str) -> None:
    before = {path for path in shared.home.parent.rglob("*") if shared.home not in (path, *path.parents)}
    one = imported(shared, lines(1) + b"{}\n", name)
    assert (one["state"], one["name"]) == ("done", name.replace("\\", "/").rpartition("/")[2])
    assert (shared.home / "rejects" / one["rejects_file"]).is_file()
    assert {path for path in shared.home.parent.rglob("*") if shared.home not in (path, *path.parents)} == before


def test_a_bomb_ends_where_it_gets_too_dense(door: Served) -> None:
    """A25. The reader is a process of its own: the limits are those of every file."""
    bomb = gzip.compress(b" " * (import_files.FREE_BYTES + 1), 9)
    assert import_files.MOST_RATIO * len(bomb) < import_files.FREE_BYTES
    one = imported(door, bomb, "bomb.jsonl.gz")
    assert (one["state"], one["error"]["code"]) == ("failed", "too-dense")


def test_what_is_too_large_or_has_no_room_is_refused_before_it_is_kept(door: Served) -> None:
    door.house.imports.uploads.most = 1_000
    assert upload(door, b" " * 1_001).status == 413
    assert upload(door, lines(1)).status == 202
    door.house.imports.uploads.spare = 2**60
    full = upload(door, lines(1))
    assert (full.status, full.json["code"]) == (507, "disk-full")
    assert [path for path in left(door) if path.parent.name == "imports"] == []


def test_a_disk_that_gets_full_refuses_the_file_and_goes_on(door: Served) -> None:
    """The disk's end is the process's own limit of a file's size, which the system reports like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 1024 * 1024, before[1]))
    try:
        full = upload(door, b" " * (6 * 1024 * 1024))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (full.status, full.json["code"]) == (507, "disk-full")
    assert left(door) == []
    assert imported(door, lines(1))["accepted"] == 1


def test_a_scratch_file_that_has_no_room_ends_the_import(door: Served) -> None:
    # Small enough to be received, and larger when it is unpacked.
    table = gzip.compress(b"customer,at,total\n" + b"c1,2026-03-01T09:00:00Z,5\n" * 2_000)
    door.house.imports.uploads.room = lambda: 4_000  # type: ignore[method-assign]
    one = imported(door, table, "orders.csv.gz", mapping=MAPPING)
    assert (one["state"], one["error"]["code"]) == ("failed", "disk-full"), one


def test_refused_lines_leave_of_the_disk_what_must_stay_free(door: Served) -> None:
    """A line of two bytes is refused with two hundred."""
    most, rejects = 6 * 1024**2, door.home / "rejects"
    door.house.imports.uploads.room = lambda: most - size_of(rejects)  # type: ignore[method-assign]
    one = imported(door, gzip.compress(b"7\n" * 60_000 + lines(1)), "refused.jsonl.gz")
    assert (one["state"], one["error"]["code"], one["accepted"]) == ("failed", "disk-full", 0), one
    assert most - 1_000 < size_of(rejects) <= most
    refused = door.ask("GET", f"/imports/{one['id']}/rejects").text.splitlines()
    assert len(refused) == one["rejected"] > 0
    assert left(door) == []


def size_of(folder: Path) -> int:
    """How many bytes the files of a folder have."""
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0


def test_events_leave_of_the_disk_what_must_stay_free(tmp_path: Path) -> None:
    with gated(tmp_path / "home") as (door, gate):
        gate.let_go.set()
        door.house.imports.uploads.room = (  # type: ignore[method-assign]
            lambda: 0 if sum(commit["bulk"] for commit in gate.commits) >= BATCH_ROWS else 2**40
        )
        one = imported(door, lines(2 * BATCH_ROWS), source="bulk")
        assert (one["state"], one["error"]["code"], one["accepted"]) == ("failed", "disk-full", BATCH_ROWS), one


def test_a_file_that_breaks_off_or_stops_coming_leaves_nothing(door: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    token = door.house.doorman.local_token
    head = f"POST /api/v1/imports?name=a.jsonl HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    with socket.create_connection(("127.0.0.1", door.port)) as connection:
        connection.sendall(f"{head}Content-Length: 900\r\n\r\n".encode() + lines(1))
        _until(lambda: left(door) != [])
    _until(lambda: left(door) == [])
    monkeypatch.setattr(uploads, "_PATIENCE_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", door.port)) as connection:
        connection.sendall(f"{head}Content-Length: 900\r\n\r\n".encode() + b"{")
        assert b" 408 " in connection.recv(4_096).partition(b"\r\n")[0]
    assert left(door) == []
    assert door.ask("GET", "/imports").json["imports"] == []


def test_as_many_come_in_at_once_as_may(door: Served) -> None:
    token = door.house.doorman.local_token
    head = f"POST /api/v1/imports?name=a.jsonl HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    slow = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(uploads.MOST_AT_ONCE)]
    try:
        for number, connection in enumerate(slow, 1):
            connection.sendall(f"{head}Content-Length: 900\r\n\r\n".encode() + b"{")
            _until(lambda number=number: len(left(door)) == number)  # type: ignore[misc]
        more = upload(door, lines(1))
        assert (more.status, more.json["code"], more.headers["retry-after"]) == (429, "busy", "1")
    finally:
        for connection in slow:
            connection.close()


def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.005)


def test_as_many_follow_imports_as_may(tmp_path: Path) -> None:
    with gated(tmp_path / "home") as (door, gate):
        one = upload(door, lines(20 * TOGETHER), source="bulk").json["id"]
        gate.reached.wait()
        head = f"GET /api/v1/imports/{one}/progress HTTP/1.1\r\nHost: x\r\n"
        head += f"Authorization: Bearer {door.house.doorman.local_token}\r\n\r\n"
        watchers = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(MOST_WATCHERS)]
        for each in watchers:
            each.sendall(head.encode())
            with each.makefile("rb") as told:
                while not told.readline().startswith(b"data: "):
                    pass
        refused = door.ask("GET", f"/imports/{one}/progress")
        assert (refused.status, refused.json["code"]) == (429, "too-many-watchers")
        watchers.pop().close()
        gate.let_go.set()
        _until(lambda: door.ask("GET", f"/imports/{one}/progress").status == 200)
        for each in watchers:
            each.close()


class Gated:
    """A log that stops in the middle of the third commit of an import until it is let go."""

    log: Log

    def __init__(self) -> None:
        self.commits: list[Counter[str]] = []
        self.reached, self.let_go = threading.Event(), threading.Event()

    def append(self, rows: Sequence[LogRow]) -> Any:
        self.commits.append(Counter(row.source for row in rows))
        if sum(1 for commit in self.commits if commit["bulk"]) == 3 and not self.reached.is_set():
            self.reached.set()
            self.let_go.wait()
        return self.log.append(rows)


@contextmanager
def gated(home: Path) -> Iterator[tuple[Served, Gated]]:
    """A door whose log is gated, with an import of twenty portions at its gate."""
    gate = Gated()
    with opened(home, writer=Writer(gate)) as door:
        gate.log = door.log
        yield door, gate
        gate.let_go.set()


def test_live_events_are_taken_while_a_file_is_imported(tmp_path: Path) -> None:
    with gated(tmp_path / "home") as (door, gate):
        one = upload(door, lines(20 * TOGETHER), source="bulk").json["id"]
        gate.reached.wait()
        answers: list[int] = []
        live = {"event": "Login", "userId": "ana"}
        sender = threading.Thread(target=lambda: answers.append(door.send("/v1/track", live).status))
        sender.start()
        _until(lambda: door.door.writer.waiting[0] > 0)
        gate.let_go.set()
        sender.join()
        assert answers == [200]
        assert ended(door, one)["accepted"] == 20 * TOGETHER
    # Sent in the middle of a commit, it is in the next one, with most of the file still to come.
    place = next(number for number, commit in enumerate(gate.commits) if commit["shop"])
    assert sum(1 for commit in gate.commits[:place] if commit["bulk"]) == 3
    assert sum(commit["bulk"] for commit in gate.commits[place:]) == 17 * TOGETHER
    assert max(commit["bulk"] for commit in gate.commits) == TOGETHER


def test_an_import_that_begins_or_ends_while_it_is_read_is_told_with_its_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gated(tmp_path / "home") as (door, gate):
        number = int(upload(door, lines(20 * TOGETHER), source="bulk").json["id"])
        gate.reached.wait()
        imports = door.house.imports
        table, begun = imports._table, imports._table.get(number)
        read = table.get

        def ending(asked: int) -> Import:
            found = read(asked)
            monkeypatch.undo()
            gate.let_go.set()
            _until(lambda: imports._running is None)
            return found

        monkeypatch.setattr(table, "get", ending)
        told = imports.show(number)
        assert (told["state"], told["read"]) == ("running", 20 * TOGETHER), told
        # It began after it was looked at what runs, and has ended by now.
        told = imports._told(begun, None)
        assert (told["state"], told["accepted"]) == ("done", 20 * TOGETHER), told


@pytest.fixture
def halted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set as soon as an import has been told to end."""
    told, halt = threading.Event(), Beside.halt

    def telling(self: Beside) -> None:
        halt(self)
        told.set()

    monkeypatch.setattr(Beside, "halt", telling)
    return told


def test_a_cancelled_import_ends_and_what_it_wrote_stays(tmp_path: Path, halted: threading.Event) -> None:
    with gated(tmp_path / "home") as (door, gate):
        running = upload(door, lines(20 * TOGETHER), source="bulk").json["id"]
        waiting = upload(door, lines(1), source="later").json["id"]
        gate.reached.wait()
        assert door.ask("GET", f"/imports/{running}").json["state"] == "running"
        # One that waits ends at once: whoever cancels it needs not wait for the others.
        ended_now = door.ask("DELETE", f"/imports/{waiting}").json
        assert (ended_now["state"], ended_now["ended_at"] is None, ended_now["error"]) == ("cancelled", False, None)
        assert {path.parent.name for path in left(door)} == {running}
        assert door.ask("DELETE", f"/imports/{running}").json["state"] == "cancelling"
        assert halted.is_set()
        gate.let_go.set()
        one = ended(door, running)
        assert (one["state"], one["error"]) == ("cancelled", None)
        assert ended(door, waiting)["state"] == "cancelled"
        assert door.ask("DELETE", f"/imports/{running}").json == one
        assert [event.source for event in door.events()] == ["bulk"] * 3 * TOGETHER
        assert imported(door, lines(1), source="later")["state"] == "done"
        assert left(door) == []


def test_one_that_is_cancelled_when_its_turn_has_come_does_not_begin(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports, cancelled = door.house.imports, threading.Event()
    begin = imports._import

    def late(number: int) -> None:
        cancelled.wait()
        begin(number)

    monkeypatch.setattr(imports, "_import", late)
    one = upload(door, lines(1)).json["id"]
    assert door.ask("DELETE", f"/imports/{one}").json["state"] == "cancelled"
    cancelled.set()
    assert imported(door, lines(2), source="next")["accepted"] == 2
    assert door.ask("GET", f"/imports/{one}").json["state"] == "cancelled"
    assert {event.source for event in door.events()} == {"next"}


def test_an_import_is_begun_anew_with_the_door(tmp_path: Path, halted: threading.Event) -> None:
    home = tmp_path / "home"
    with gated(home) as (door, gate):
        running = upload(door, lines(20 * TOGETHER) + b"{}\n", source="bulk").json["id"]
        waiting = upload(door, CSV, "orders.csv", mapping=MAPPING).json["id"]
        gate.reached.wait()
        closing = threading.Thread(target=door.house.imports.stop)
        closing.start()
        halted.wait()
        gate.let_go.set()
        closing.join()
    with reopened(home, {}, clock=FixedClock(parse_instant(NOW))) as door:
        one = ended(door, running)
        assert (one["state"], one["accepted"], one["duplicates"]) == ("done", 17 * TOGETHER, 3 * TOGETHER)
        assert one["rejected"] == 1
        assert ended(door, waiting)["accepted"] == 2
        assert len({(event.source, event.message_id) for event in door.events()}) == 20 * TOGETHER + 2
        assert len(door.events()) == 20 * TOGETHER + 2
        assert len(list((home / "rejects").iterdir())) == 1


def test_an_import_that_cannot_begin_ends_and_those_behind_it_go_on(tmp_path: Path) -> None:
    with gated(tmp_path / "home") as (door, gate):
        upload(door, lines(20 * TOGETHER), source="bulk")
        gate.reached.wait()
        stuck, behind = (upload(door, lines(1), source=source).json["id"] for source in ("stuck", "behind"))
        # What it refused when it was begun before cannot be removed.
        (door.home / "rejects" / "old.jsonl").mkdir(parents=True)
        door.house.imports._table.refusing(int(stuck), "old.jsonl")
        gate.let_go.set()
        assert ended(door, behind)["accepted"] == 1
        one = door.ask("GET", f"/imports/{stuck}").json
        assert (one["state"], one["error"]["status"], one["error"]["code"]) == ("failed", 503, "disk-error"), one
        assert left(door) == []


def test_a_table_that_cannot_be_read_for_a_while_holds_imports_up_and_no_longer(
    door: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports, failed = door.house.imports, threading.Event()
    take_next = imports._next

    def failing() -> int | None:
        number = take_next()
        if number is not None and not failed.is_set():
            failed.set()
            raise OperationFailed("the disk is full", code="disk-full")
        return number

    monkeypatch.setattr(import_jobs, "_RETRY_SECONDS", 0.01)
    imported(door, lines(1))
    monkeypatch.setattr(imports, "_next", failing)
    assert [imported(door, lines(1))["state"] for _ in range(3)] == ["done"] * 3
    assert failed.is_set()


def test_no_more_wait_than_may(tmp_path: Path) -> None:
    with gated(tmp_path / "home") as (door, gate):
        upload(door, lines(20 * TOGETHER), source="bulk")
        gate.reached.wait()
        taken = [upload(door, lines(1)).status for _ in range(MOST_OPEN)]
        assert taken == [202] * (MOST_OPEN - 1) + [429]
        gate.let_go.set()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_command_beside_a_served_home_answers_as_without_one(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"events.jsonl{suffix}"
    data = lines(5) + b"{}\n"
    file.write_bytes(gzip.compress(data) if suffix else data)
    alone = command(tmp_path / "alone", "import", str(file), "--source", "crm").told
    with opened(tmp_path / "home") as door, announced(door):
        served = command(door.home, "import", str(file), "--source", "crm").told
        assert Path(served.pop("rejects_file")).parent == door.home / "rejects"
        assert Path(alone.pop("rejects_file")).parent == tmp_path / "alone" / "rejects"
        assert served.keys() == alone.keys()
        assert served | {"seconds": 0} == alone | {"seconds": 0}
        assert [event.source for event in door.events()] == ["crm"] * 5


def test_the_command_says_what_is_wrong_as_without_a_server(tmp_path: Path) -> None:
    table, mapping, cut = tmp_path / "orders.csv", tmp_path / "orders.yaml", tmp_path / "cut.jsonl.gz"
    table.write_bytes(CSV)
    mapping.write_text(MAPPING.replace("at\n", "when\n"))
    cut.write_bytes(gzip.compress(lines(5_000))[:-200])
    calls = [
        ("import", str(table)), ("import", str(table), "--mapping", str(mapping)), ("import", str(cut)),
        ("import", str(tmp_path / "none.jsonl")), ("import", str(tmp_path)),
        ("import", str(cut), "--source", "innkeeper"),
    ]  # fmt: skip
    alone = [command(tmp_path / "alone", *call).error for call in calls]
    with opened(tmp_path / "home") as door, announced(door):
        for call, without in zip(calls, alone, strict=True):
            beside = command(door.home, *call).error
            assert type(beside) is type(without), (call, beside)
            assert str(beside).replace(cut.name, "") == str(without).replace(str(cut), ""), call


def test_ctrl_c_cancels_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(lines(20 * TOGETHER))

    with gated(tmp_path / "home") as (door, gate), announced(door):

        def interrupt(_: float) -> None:
            gate.reached.wait()
            raise KeyboardInterrupt

        monkeypatch.setattr("innkeeper.cli.imports_served.time.sleep", interrupt)
        assert command(door.home, "import", str(file), "--source", "bulk").error is not None
        monkeypatch.undo()
        gate.let_go.set()
        assert ended(door, "1")["state"] == "cancelled"
        assert len(door.events()) == 3 * TOGETHER
