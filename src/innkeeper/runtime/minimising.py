"""What the applied strategy says of cutting events down before they are written; used by every way in."""

from __future__ import annotations

from pathlib import Path

from innkeeper.events.minimise import BY_DEFAULT, Minimise


def minimise_of(home: Path) -> Minimise:
    """The rule of a home; addresses are truncated where no strategy is applied."""
    if not (home / "state.db").is_file():
        return BY_DEFAULT
    from innkeeper.decisions.read_policies import read_policies
    from innkeeper.kernel.located import Findings
    from innkeeper.runtime.definitions import applied_files
    from innkeeper.store.state import State
    from innkeeper.strategy.yaml import read_yaml

    # Only this one file: reading a whole strategy takes longer than a small import.
    with State.open(home, readonly=True) as state:
        text = applied_files(state).get("policies.yaml")
    found = None if text is None else read_yaml(text, "policies.yaml", Findings())
    return BY_DEFAULT if found is None else read_policies(found, Findings()).minimise
