"""What the engine knows of accounts now, for the command line: the list, and one account with its members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import FOREVER, format_instant
from innkeeper.profiles.state import ProfileState, decode
from innkeeper.profiles.ties import ACCOUNT_THING
from innkeeper.profiles.traits import all_traits
from innkeeper.runtime import definitions as applied
from innkeeper.store import accounts as rows
from innkeeper.store import things
from innkeeper.store.doctor import Finding
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey


def list_accounts(home: Path) -> list[dict[str, Any]]:
    """All accounts by id: how many members, traits, audiences."""
    with State.open(home, readonly=True) as state:
        limit, counts = _limit(state), rows.member_counts(state)
        return [
            _told(decode(row.body), row.id, counts.get(row.id, 0), limit)
            for page in things.pages(state, "account")
            for row in page
        ]


def show_account(home: Path, account: str) -> dict[str, Any]:
    """One account: traits with their source, members with roles, audiences, when it is looked at again.

    Raises:
        UsageError: Nobody has named such an account.
    """
    with State.open(home, readonly=True) as state:
        body = things.bodies(state, [ThingKey(*ACCOUNT_THING, account)]).get(ThingKey(*ACCOUNT_THING, account))
        if body is None:
            known = [row.id for page in things.pages(state, "account") for row in page]
            raise UsageError(
                f"there is no account '{account}'", code="unknown-account",
                fix=did_you_mean(account, known) or "see: innkeeper account list",
            )  # fmt: skip
        members, one = rows.member_rows(state, account), decode(body)
        told = _told(one, account, len(members), _limit(state))
        told["traits"] = _sourced(one)
        told["audiences"] = [
            {"name": name, "since": format_instant(membership.at)}
            for name, membership in sorted(one.memberships.items())
        ]
        told["next_due_at"] = None if one.next_due_at >= FOREVER else format_instant(one.next_due_at)
        told["members"] = [
            {"id": display_id(row.identifier), "role": row.role, "since": format_instant(row.since)} for row in members
        ]
        return told


def too_large(home: Path) -> list[Finding]:
    """The accounts with more members than `limits` allows for, as findings of `doctor`; nothing is lost by it."""
    if not State.exists(home):
        return []
    with State.open(home, readonly=True) as state:
        limit = _limit(state)
        if limit is None:
            return []
        return [
            Finding(
                code="account-too-large",
                message=f"the account '{account}' has {members:,} members, more than {limit:,}",
                fix="see: innkeeper account show; if it is right, raise accounts: limits: members in strategy.yaml",
                state="note", where=str(state.path),
            )
            for account, members in sorted(rows.member_counts(state).items())
            if members > limit
        ]  # fmt: skip


def _told(state: ProfileState, account: str, members: int, limit: int | None) -> dict[str, Any]:
    return {
        "id": account,
        "members": members,
        "too_many_members": limit is not None and members > limit,
        "traits": all_traits(state),
        "audiences": sorted(state.memberships),
    }


def _sourced(state: ProfileState) -> list[dict[str, Any]]:
    return [
        {
            "name": name, "value": trait.value, "source": trait.source, "messageId": trait.message_id,
            "at": format_instant(trait.at),
        }
        for facts in state.facts.values()
        for name, trait in sorted(facts.traits.items())
        if trait.value is not None
    ]  # fmt: skip


def _limit(state: State) -> int | None:
    definitions = applied.applied(state)
    declared = None if definitions is None else definitions.workspace.accounts
    return None if declared is None else declared.most_members
