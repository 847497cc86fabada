"""The ledger: what a claim lets go, which steps are legal, fences, and a balance of zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.ledger import NOON, consent, open_state, optin, plan, planned, states, suppression

from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.time import DAY, HOUR, MINUTE, Instant, parse_instant
from innkeeper.store.delivery_states import ENDS, FOLLOWS, OPEN, backoff, check, honest_end
from innkeeper.store.ledger import Change, Claim, Ledger, Row, balance, listing, resolve_doubt
from innkeeper.store.permissions import quiet_until
from innkeeper.store.state import State


def claim(state: State, now: Instant | None = NOON, worker: str = "w", **more: Any) -> Claim:
    options: dict[str, Any] = {
        "lease_until": NOON + MINUTE, "needs_consent": lambda purpose: purpose in ("strict", "double"),
        "needs_confirmation": lambda purpose: purpose == "double",
    }  # fmt: skip
    return Ledger(state, worker).claim(now=now, **(options | more))


def write(state: State, *changes: Change, committing: tuple[Row, ...] = (), worker: str = "w") -> set[str]:
    return Ledger(state, worker).write(changes, committing, lambda row: row.state_at)


def test_a_claim_takes_what_is_due_in_order_and_leases_it(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(2), planned(1))
        plan(state, planned(3), at=NOON + 1)
        plan(state, planned(4), virtual=True)
        found = claim(state)
        assert [row.id for row in found.rows] == ["d-1", "d-2"]
        assert claim(state).rows == []
        row = state.connection.execute("SELECT state, worker, lease_until, attempts FROM deliveries WHERE id = 'd-1'")
        assert row.fetchone() == ("claimed", "w", NOON + MINUTE, 1)
        assert [row.id for row in claim(state, None).rows] == ["d-3"]
        assert states(state)["d-4"] == ("planned", "virtual")


def test_a_claim_can_ask_for_some_profiles_only(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(5)))
        assert [row.id for row in claim(state, subjects={"user_id:u1", "user_id:u3", "user_id:x"}).rows] == [
            "d-1",
            "d-3",
        ]
        assert len(claim(state, limit=2).rows) == 2


@pytest.mark.parametrize(
    ("words", "changes", "state", "reason"),
    [
        ([], {}, "claimed", ""),
        ([], {"expires_at": NOON - 1}, "expired", "expired"),
        ([], {"expires_at": NOON}, "claimed", ""),
        ([suppression("x", True)], {}, "suppressed", "suppressed"),
        ([suppression("x", True, channel="email")], {}, "suppressed", "suppressed"),
        ([suppression("x", True, channel="sms")], {}, "claimed", ""),
        ([suppression("x", True), suppression("x", False, channel="email", at=NOON + 1)], {}, "claimed", ""),
        ([suppression("x", True), suppression("x", False, channel="email")], {}, "suppressed", "suppressed"),
        ([suppression("x", True)], {"kind": "transactional"}, "suppressed", "suppressed"),
        ([consent("x", False)], {}, "suppressed", "consent_withdrawn"),
        ([consent("x", False)], {"kind": "service"}, "suppressed", "consent_withdrawn"),
        ([consent("x", False)], {"kind": "transactional"}, "claimed", ""),
        ([consent("x", False, purpose="other")], {}, "claimed", ""),
        ([consent("x", False, channel="email")], {}, "suppressed", "consent_withdrawn"),
        ([consent("x", False, topic="spa")], {}, "claimed", ""),
        ([consent("x", False, topic="spa")], {"topic": "spa"}, "suppressed", "consent_withdrawn"),
        ([consent("x", False), consent("x", True, purpose="news", at=NOON + 1)], {}, "claimed", ""),
        ([consent("x", False), consent("x", True, purpose="news")], {}, "suppressed", "consent_withdrawn"),
        ([], {"purpose": "strict"}, "suppressed", "no_consent"),
        ([consent("x", True)], {"purpose": "strict"}, "claimed", ""),
        ([consent("x", True, purpose="news")], {"purpose": "strict"}, "suppressed", "no_consent"),
        ([], {"purpose": "double"}, "suppressed", "no_consent"),
        ([consent("x", True)], {"purpose": "double"}, "suppressed", "not_confirmed"),
        ([consent("x", True), optin("x", NOON)], {"purpose": "double"}, "claimed", ""),
        ([consent("x", True), optin("x", NOON, purpose="news")], {"purpose": "double"}, "suppressed", "not_confirmed"),
        ([consent("x", True), optin("x", 5, withdrawn_at=6)], {"purpose": "double"}, "suppressed", "not_confirmed"),
        ([consent("x", True), optin("x", 6, withdrawn_at=5)], {"purpose": "double"}, "claimed", ""),
        ([consent("x", False), optin("x", NOON)], {"purpose": "double"}, "suppressed", "consent_withdrawn"),
        ([consent("x", True)], {"purpose": "double", "kind": "transactional"}, "claimed", ""),
    ],
)
def test_the_claim_reads_again_whether_it_may_go(
    tmp_path: Path, words: list[Any], changes: dict[str, Any], state: str, reason: str
) -> None:
    with open_state(tmp_path) as opened:
        plan(opened, planned("x", **changes), *words)
        found = claim(opened)
        assert states(opened)["d-x"] == (state, reason)
        assert found.ended == ([] if state == "claimed" else ["d-x"])
        receipt = opened.connection.execute("SELECT receipt FROM deliveries").fetchone()[0]
        assert receipt == ("none" if state == "claimed" else "pending")


def test_of_two_identifiers_of_one_profile_the_stricter_counts(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned("x"), consent("x", True, at=NOON + 5))
        state.connection.execute(
            "INSERT INTO consents VALUES ('user_id:ux', 'anonymous_id:a', 'news', 'email', '', 0, ?)", (NOON,)
        )
        claim(state)
        assert states(state)["d-x"] == ("suppressed", "consent_withdrawn")


def test_inside_quiet_hours_the_row_goes_back_with_a_new_time(tmp_path: Path) -> None:
    night = {"zone": "Europe/Lisbon", "from": "22:00", "to": "08:00"}
    late = parse_instant("2026-03-02T23:30:00Z")
    with open_state(tmp_path) as state:
        plan(state, planned("x", quiet=night, expires_at=NOON + 3 * DAY))
        plan(state, planned("t", quiet=night, kind="transactional", expires_at=NOON + 3 * DAY))
        found = claim(state, late)
        assert [row.id for row in found.rows] == ["d-t"]
        assert (found.put_back, states(state)["d-x"]) == (1, ("planned", "quiet_hours"))
        morning = parse_instant("2026-03-03T08:00:00Z")
        assert claim(state, morning - 1).rows == []
        assert [row.id for row in claim(state, morning).rows] == ["d-x"]


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-03-02T21:59:59Z", None),
        ("2026-03-02T22:00:00Z", "2026-03-03T08:00:00Z"),
        ("2026-03-03T07:59:59Z", "2026-03-03T08:00:00Z"),
        ("2026-03-03T08:00:00Z", None),
        # Lisbon goes from 01:00 to 02:00 on 29 March, and from 02:00 back to 01:00 on 25 October.
        ("2026-03-28T23:00:00Z", "2026-03-29T07:00:00Z"),
        ("2026-10-24T23:00:00Z", "2026-10-25T08:00:00Z"),
    ],
)
def test_the_quiet_window_over_clock_changes(at: str, until: str | None) -> None:
    window = '{"zone": "Europe/Lisbon", "from": "22:00", "to": "08:00"}'
    assert quiet_until(parse_instant(at), window) == (None if until is None else parse_instant(until))
    assert quiet_until(parse_instant(at), None) is None


def test_only_legal_steps(tmp_path: Path) -> None:
    for before in (*OPEN, *ENDS):
        for after in (*OPEN, *ENDS):
            if after in FOLLOWS.get(before, ()):
                check(before, after)
            else:
                with pytest.raises(InternalError):
                    check(before, after)
    with open_state(tmp_path) as state:
        plan(state, planned(1))
        row = claim(state).rows[0]
        with pytest.raises(InternalError):
            write(state, Change(row, "claimed", "accepted", NOON))
        assert states(state)["d-1"] == ("claimed", "")


def test_a_row_goes_its_way_and_leaves_a_receipt(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1))
        row = claim(state).rows[0]
        assert write(state, committing=(row,)) == set()
        assert states(state)["d-1"] == ("committing", "")
        assert write(state, Change(row, "committing", "accepted", NOON, provider_id="p")) == set()
        assert [(r.delivery, r.state) for r in state.receipts(9)] == [("d-1", "accepted")]
        # A second result finds nothing to change.
        assert write(state, Change(row, "committing", "rejected", NOON)) == {"d-1"}
        assert states(state)["d-1"] == ("accepted", "")


def test_an_old_fence_changes_nothing(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1))
        old = claim(state, worker="old").rows[0]
        assert [row.id for row in Ledger(state, "new").stranded(NOON + MINUTE)] == []
        assert [row.id for row in Ledger(state, "new").stranded(NOON + MINUTE + 1)] == ["d-1"]
        write(state, Change(old, "claimed", "planned", NOON))
        new = claim(state, worker="new").rows[0]
        assert (old.attempts, new.attempts) == (1, 2)
        assert write(state, committing=(old,)) == {"d-1"}
        assert states(state)["d-1"] == ("claimed", "")
        assert write(state, committing=(new,)) == set()
        assert write(state, Change(old, "committing", "rejected", NOON)) == {"d-1"}
        assert states(state)["d-1"] == ("committing", "")


@pytest.mark.parametrize("kind", ["marketing", "service", "transactional"])
def test_a_doubt_is_final_but_for_transactional_once(tmp_path: Path, kind: str) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1, kind=kind))
        row = claim(state).rows[0]
        write(state, committing=(row,))
        write(state, resolve_doubt(row, "no answer", NOON))
        if kind != "transactional":
            assert states(state)["d-1"] == ("in_doubt", "no answer")
            return
        assert states(state)["d-1"][0] == "planned"
        assert claim(state, NOON + 15 * MINUTE - 1).rows == []
        again = claim(state, NOON + 15 * MINUTE).rows[0]
        assert again.doubts == 1
        write(state, committing=(again,))
        write(state, resolve_doubt(again, "no answer", NOON))
        assert states(state)["d-1"] == ("in_doubt", "no answer")


def test_a_late_answer_settles_a_doubt(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1), planned(2, kind="transactional"))
        rows = claim(state).rows
        write(state, committing=tuple(rows))
        write(state, *(resolve_doubt(row, "no answer", NOON) for row in rows))
        assert write(state, *(Change(row, "committing", "accepted", NOON + 9) for row in rows)) == set()
        assert {found for found, _ in states(state).values()} == {"accepted"}
        assert claim(state, None).rows == []


def test_what_was_in_doubt_once_ends_honestly(tmp_path: Path) -> None:
    assert honest_end("expired", 0) == "expired"
    assert honest_end("expired", 1) == "in_doubt"
    assert honest_end("accepted", 1) == "accepted"
    with open_state(tmp_path) as state:
        plan(state, planned(1, kind="transactional", expires_at=NOON + MINUTE))
        row = claim(state).rows[0]
        write(state, committing=(row,))
        write(state, resolve_doubt(row, "no answer", NOON))
        claim(state, None)
        assert states(state)["d-1"] == ("in_doubt", "expired")


def test_the_balance_is_zero_whatever_happened(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        assert balance(state.connection) == {"planned": 0, "ends": {}, "open": {}, "difference": 0}
        plan(state, *(planned(number) for number in range(6)), suppression(3, True), consent(4, False))
        plan(state, planned(7), virtual=True)
        rows = claim(state, limit=5).rows
        write(state, committing=(rows[0],))
        write(state, Change(rows[1], "claimed", "cancelled", NOON, "missing_value:profile.first_name"))
        assert balance(state.connection) == {
            "planned": 7,
            "ends": {"suppressed": 2, "cancelled": 1},
            "open": {"planned": 2, "claimed": 1, "committing": 1},
            "difference": 0,
        }


def test_the_list_is_as_it_was_planned(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(2, message="other"), at=NOON + HOUR)
        plan(state, planned(1, key="b7"))
        assert list(listing(state.connection)) == [
            {"id": "d-1", "user_id": "u1", "message": "welcome", "journey": "hello", "key": "b7", "channel": "email",
             "planned_at": "2026-03-02T12:00:00Z", "state": "planned", "reason": ""},
            {"id": "d-2", "user_id": "u2", "message": "other", "journey": "hello", "key": None, "channel": "email",
             "planned_at": "2026-03-02T13:00:00Z", "state": "planned", "reason": ""},
        ]  # fmt: skip
        assert [row["id"] for row in listing(state.connection, "other")] == ["d-2"]


def test_backoff_grows_to_an_hour() -> None:
    assert [backoff(attempt) // MINUTE for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_claim_uses_its_indexes(tmp_path: Path) -> None:
    from innkeeper.store import ledger

    with open_state(tmp_path) as state:
        for sql, index in ((ledger._DUE, "deliveries_open"), (ledger._DUE_OF, "deliveries_waiting"),
                           (ledger._STRANDED, "deliveries_open")):  # fmt: skip
            bound = {"now": 0, "limit": 1, "subjects": "[]"}
            steps = [row[3] for row in state.connection.execute("EXPLAIN QUERY PLAN " + sql, bound)]
            assert any(index in step for step in steps), steps
