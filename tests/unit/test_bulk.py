"""Bulk questions: one picture over segments, tail and outbox; typed columns equal to what Python makes of the JSON."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import InternalError, OperationFailed
from innkeeper.kernel.json import dumps, loads
from innkeeper.kernel.numbers import to_micro
from innkeeper.store import manifest, sqlite
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes

NEVER = Sizes(seal_rows=10**9)


def row(number: int, properties: dict[str, Any] | None = None, **changed: Any) -> LogRow:
    made = LogRow(
        "import", f"m{number}", "track", "Order Completed", f"u{number % 5}", None, number, number,
        dumps(properties if properties is not None else {"total": number / 4, "status": "paid"}),
    )  # fmt: skip
    return made._replace(**changed)


def add_outbox(home: Path, *rows: tuple[int, str, str]) -> None:
    connection = sqlite.connect(home / "state.db")
    sqlite.migrate(connection, "state", "state.db")
    for at, message_id, name in rows:
        connection.execute(
            "INSERT INTO outbox (taken_at, subject, input, idx, message_id, name, user_id, anonymous_id, properties, "
            "traits) VALUES (?, 'user_id:u1', 1, ?, ?, ?, 'u1', NULL, '{\"message\":\"welcome\"}', '{}')",
            (at, at, message_id, name),
        )
    connection.close()


def test_an_empty_home(tmp_path: Path) -> None:
    with Bulk.open(tmp_path, properties=["total"]) as bulk:
        assert bulk.rows('SELECT count(*), sum("n:total") FROM events') == [(0, None)]


@pytest.mark.parametrize("sealed", [0, 30, 100])
def test_the_same_answer_wherever_events_lie(tmp_path: Path, sealed: int) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append([row(number) for number in range(sealed)])
        log.seal(force=True)
        log.append([row(number) for number in range(100)])
        with Bulk.open(tmp_path, properties=["total", ("status",)]) as bulk:
            asked = 'SELECT seq, identifier, ts, is_input, "n:total", "s:total", "j:total", "s:status" FROM events'
            assert bulk.rows(f"{asked} WHERE ts < $until ORDER BY seq", {"until": 50}) == [
                (n + 1, f"user_id:u{n % 5}", n, True, n * 250_000, None, dumps(n / 4), "paid") for n in range(50)
            ]


def test_outputs_in_outbox_and_log_are_counted_once(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        moved = [row(n, source="innkeeper", message_id=f"o{n}", name="Stage Changed") for n in (1, 2)]
        log.append(moved[:1])
        log.seal(force=True)
        log.append([*moved[1:], row(9)])
    add_outbox(tmp_path, (1, "o1", "Stage Changed"), (2, "o2", "Stage Changed"), (3, "o3", "Message Sent"))
    with Bulk.open(tmp_path) as bulk:
        found = bulk.rows("SELECT message_id, seq, is_input, ts FROM events WHERE source = 'innkeeper' ORDER BY 1")
        assert found == [("o1", 1, False, 1), ("o2", 2, False, 2), ("o3", None, True, 3)]


@pytest.mark.parametrize(
    "identifiers",
    [
        {"user_id:u1"},
        {"user_id:u2", "anonymous_id:a'1", "user_id:nobody"},
        {"anonymous_id:"},
        {"anonymous_id:u1"},
        set(),
    ],
)
def test_a_picture_of_some_is_that_part_of_the_whole(tmp_path: Path, identifiers: set[str]) -> None:
    people = [("u1", None), ("u2", "a'1"), (None, "a'1"), (None, None), ("u1", "a'1")]
    rows = [
        row(number, user_id=people[number % 5][0], anonymous_id=people[number % 5][1], source=source)
        for number, source in enumerate(["import", "shop", "innkeeper"] * 20)
    ]
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append(rows[:40])
        log.seal(force=True)
        log.append(rows[40:])
    add_outbox(tmp_path, (50, "m50", "Stage Changed"), (70, "o70", "Message Sent"), (5, "m5", "Stage Changed"))
    asked = 'SELECT seq, identifier, source, message_id, "n:total" FROM every_event'
    with Bulk.open(tmp_path, properties=["total"]) as bulk:
        whole = bulk.rows(f"{asked} ORDER BY ts, message_id")
    with Bulk.open(tmp_path, properties=["total"], identifiers=identifiers) as bulk:
        assert bulk.rows(f"{asked} ORDER BY ts, message_id") == [each for each in whole if each[1] in identifiers]


numbers = st.one_of(
    st.integers(-(10**33), 10**33),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e6, 1e6),
    st.decimals(-1000, 1000, places=7).map(float),
    st.integers(-(10**9), 10**9).map(lambda number: number / 2e6),
    st.sampled_from([-0.0, 5e-7, -5e-7, 1e30, 10**30, 10**30 - 1, 9.999999999999999e29, 2**63, 999999999999.9999999]),
)
values = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["in", "0", 'q"q']), numbers, max_size=2),
    st.sampled_from(["null", "5", "true", '"', "\\", "[1]"]),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=20, max_size=300), st.integers(0, 3))
def test_typed_columns_equal_what_python_makes_of_the_json(
    tmp_path_factory: pytest.TempPathFactory, given_values: list[Any], seal_every: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    with Log.open(home, sizes=NEVER) as log:
        for number, value in enumerate(given_values):
            if number and seal_every and number % (len(given_values) // seal_every + 1) == 0:
                log.seal(force=True)
            log.append([row(number, {"a": value, "other": 1})])
    with Bulk.open(home, properties=["a", "a.in", ("a", "0"), ("a", 'q"q'), "absent"]) as bulk:
        names = [f'"{kind}:{path}"' for path in ("a", "a.in", "a.0", 'a.q""q', "absent") for kind in "nsj"]
        found = bulk.rows(f"SELECT {', '.join(names)} FROM events ORDER BY seq")
    for value, got in zip(given_values, found, strict=True):
        inner = value if isinstance(value, dict) else {}
        for at, wanted in enumerate((value, inner.get("in"), inner.get("0"), inner.get('q"q'), None)):
            micro, text, json = got[3 * at : 3 * at + 3]
            assert micro == to_micro(wanted)
            assert text == (wanted if isinstance(wanted, str) else None)
            assert (json is None) == (wanted is None)
            assert json is None or loads(json) == wanted


def test_what_a_segment_knows_of_its_columns_changes_no_answer(tmp_path: Path) -> None:
    odd = ["", "a", 'q"q', "\\", "/", "\n\t\x01\x7f", "é😀\u2028", "null", "5", "</script>"]
    rows = [row(n, {"text": text, "number": n / 8 - 1, "mixed": text if n % 3 else n}) for n, text in enumerate(odd)]
    rows += [row(n, {"text": n, "number": 10**25, "mixed": None, 'AS " x': True}) for n in range(10, 14)]
    asked = [(name,) for name in ("text", "number", "mixed", 'AS " x', 'n:a AS "j:b"')]
    names = ", ".join('"' + f"{kind}:{path[0]}".replace('"', '""') + '"' for path in asked for kind in "nsj")
    answers = []
    for seals in ((), (10,), (5, 12)):
        home = tmp_path / str(len(seals))
        with Log.open(home, sizes=NEVER) as log:
            for first, last in pairwise((0, *seals, len(rows))):
                log.append(rows[first:last])
                log.seal(force=last != len(rows))
        with Bulk.open(home, properties=asked) as bulk:
            answers.append(bulk.rows(f"SELECT {names} FROM events ORDER BY seq"))
        if seals == (10,):
            assert set(manifest.load(home).segments[0].pure) == {"text", "number"}
    assert answers[0] == answers[1] == answers[2]


def test_properties_that_differ_in_case_only(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append([row(1, {"Total": 1, "total": 2})])
        log.seal(force=True)
    for name, micro in (("Total", 1_000_000), ("total", 2_000_000)):
        with Bulk.open(tmp_path, properties=[name]) as bulk:
            assert bulk.rows(f'SELECT "n:{name}" FROM events') == [(micro,)]
    with pytest.raises(OperationFailed) as caught:
        Bulk.open(tmp_path, properties=["Total", "total"])
    assert caught.value.code == "property-case-clash"


def test_several_streams_at_once(tmp_path: Path) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append([row(number) for number in range(1_000)])
        log.seal(force=True)
    with Bulk.open(tmp_path) as bulk:
        one = bulk.stream("SELECT seq FROM events ORDER BY seq", size=7)
        other = bulk.stream("SELECT seq FROM events ORDER BY seq DESC", size=7)
        assert [next(one)[0], next(other)[0]] == [(1,), (1000,)]
        assert bulk.rows("SELECT count(*) FROM events") == [(1000,)]
        assert sum(len(piece) for piece in one) == sum(len(piece) for piece in other) == 993


def test_nothing_but_the_store_can_be_read(tmp_path: Path) -> None:
    with Bulk.open(tmp_path) as bulk:
        for sql in (
            "SELECT * FROM read_text('/etc/passwd')",
            "SET enable_external_access = true",
            "ATTACH '/tmp/x.db'",
        ):
            with pytest.raises((InternalError, OperationFailed)):
                bulk.rows(sql)


@pytest.mark.parametrize("harm", ["missing", "garbage", "truncated", "flipped"])
def test_a_damaged_segment_is_named(tmp_path: Path, harm: str) -> None:
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append([row(number) for number in range(500)])
        log.seal(force=True)
    path = next((tmp_path / "segments").glob("*.parquet"))
    content = bytearray(path.read_bytes())
    if harm == "missing":
        path.unlink()
    else:
        content[len(content) // 3] ^= 4
        harmed = {"garbage": b"x" * len(content), "truncated": bytes(content[:-9]), "flipped": bytes(content)}
        path.write_bytes(harmed[harm])
    with pytest.raises(OperationFailed) as caught:
        Bulk.open(tmp_path)
    assert caught.value.code == "segment-damaged"
    assert path.name in str(caught.value)
    assert "backup" in caught.value.fix


def test_a_question_goes_on_while_another_process_seals_and_merges(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from innkeeper.events.types import LogRow
from innkeeper.store.log import Log
from innkeeper.store.segments import Sizes
with Log.open(Path({str(tmp_path)!r}), sizes=Sizes(seal_rows=50, segment_rows=2000, fan_in=2)) as log:
    for batch in range(24):
        log.append([LogRow("s", f"{{batch}}-{{n}}", "track", "E", "u", None, n, n) for n in range(50)])
        log.seal()
        print(batch, flush=True)
"""
    with Log.open(tmp_path, sizes=NEVER) as log:
        log.append([LogRow("s", "first", "track", "E", "u", None, 0, 0)])
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    opened: list[tuple[Bulk, int]] = []
    for _ in writer.stdout:
        bulk = Bulk.open(tmp_path)
        rows, places = bulk.rows("SELECT count(*), count(DISTINCT seq) FROM events")[0]
        assert rows == places >= (opened[-1][1] if opened else 1)
        assert (rows - 1) % 50 == 0
        opened.append((bulk, rows))
    assert writer.wait() == 0
    # Every picture still gives the answer it gave, however often its segments were replaced since.
    for bulk, rows in opened:
        assert bulk.rows("SELECT count(*) FROM events") == [(rows,)]
        bulk.close()
    with Log.open(tmp_path) as log:
        assert log.count() == 1201
        listed = {segment.file for segment in log._sealed.manifest.segments}
        assert {path.name for path in (tmp_path / "segments").glob("*.parquet")} == listed
