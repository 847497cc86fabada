"""`profile show` in words: one customer on a page, for someone who has to talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from innkeeper.kernel.json import canonical
from innkeeper.kernel.time import parse_instant
from innkeeper.measurement.overview import clock

Told = dict[str, Any]
When = Callable[[str], str]
_LABEL = 12


def tell(told: Told) -> Iterator[str]:
    """The lines of the page; sections without anything in them are left out."""

    def when(text: str) -> str:
        return clock(parse_instant(text), told["zone"])

    yield f"{_name(told)}  stage: {told['stage'] or 'none'}  as of {when(told['at'])} ({told['zone']})"
    if told["parked"]:
        yield f"  set aside: {told['parked']}"
    sections: Sequence[tuple[str, Iterator[str]]] = (
        ("Known as", _identifiers(told["known_as"], when)),
        ("Home", _home(told, when)),
        ("Traits", _traits(told, when)),
        ("Remembered", _memories(told, when)),
        ("Path", _path(told, when)),
        ("Merges", _merges(told["merges"], when)),
        ("Audiences", (f"{_pad(each['name'])} since {when(each['since'])}" for each in told["audiences"])),
        ("Accounts", (f"{_pad(each['id'])} {each['role']} since {when(each['since'])}" for each in told["accounts"])),
        ("Objects", _objects(told, when)),
        ("Consent", _consents(told, when)),
        ("Suppressed", _suppressed(told, when)),
        ("Journeys", _journeys(told, when)),
        ("Messages", _messages(told, when)),
        ("Tasks", (f"{when(row['created_at']):<17}  {row['queue']}: {row['title']}" for row in told["tasks"])),
        (_timeline_title(told), _timeline(told, when)),
    )
    for title, lines in sections:
        yield from _section(title, lines)


def tell_links(told: Told) -> Iterator[str]:
    """The lines of `profile links`: every identifier, then all evidence with what came of it."""
    from innkeeper.runtime.links import REASONS

    yield told["id"]
    for line in _identifiers(told["identifiers"], str):
        yield f"  known as   {line}"
    for link in told["links"]:
        last = link["last"]
        times = "" if link["times"] == 1 else f", {link['times']} times since {link['first']['at']}"
        why = "" if link["counts"] else f"  counts for nothing: {REASONS.get(link['reason'], link['reason'])}"
        yield f"  {link['kind']:<8} {link['a']} and {link['b']}{why}"
        yield f"           {last['at']}  {last['source']} {last['messageId']}{times}"
    for line in _merges(told["merges"], str):
        yield f"  merge      {line}"


def _identifiers(known: Sequence[Told], when: When) -> Iterator[str]:
    for each in known:
        stretches = [
            " ".join(
                [
                    *([f"from {when(span['since'])}"] if span["since"] else ()),
                    *([f"until {when(span['until'])}"] if span["until"] else ()),
                ]
            )
            for span in each["spans"]
        ]
        said = ", then ".join(filter(None, stretches))
        yield each["identifier"] + (f"  {said}" if said else "")


def _merges(merges: Sequence[Told], when: When) -> Iterator[str]:
    for merge in merges:
        verb = "joined" if merge["what"] == "joined" else "came apart from"
        because = merge["evidence"]
        yield (
            f"{when(merge['at'])}  {merge['other']} {verb} {merge['subject']}"
            f" ({because['kind']}: {because['a']}, {because['b']}, {because['source']} {because['messageId']})"
        )


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    first = next(lines, None)
    if first is None:
        return
    yield ""
    yield title
    yield f"  {first}"
    for line in lines:
        yield f"  {line}"


def _name(told: Told) -> str:
    traits = {each["name"]: each["value"] for each in told["traits"]}
    names = [traits[part] for part in ("first_name", "last_name") if isinstance(traits.get(part), str)]
    return f"{told['id']} ({' '.join(names)})" if names else str(told["id"])


def _pad(text: str) -> str:
    return text.ljust(_LABEL)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value)


def _traits(told: Told, when: When) -> Iterator[str]:
    for each in told["traits"]:
        yield f"{_pad(each['name'])} {_value(each['value'])}  ({_origin(each, when)})"
        indent = " " * (_LABEL + 1)
        for part in each.get("parts", ()):
            yield f"{indent}{_value(part['value'])} from {part['identifier']} ({part['source']}, {when(part['at'])})"
        for other in each["others"]:
            if other["value"] != each["value"]:
                value = "removed" if other["value"] is None else f"not {_value(other['value'])}"
                yield f"{indent}{value} ({other['source']}, {when(other['at'])}): {other['why']}"


def _home(told: Told, when: When) -> Iterator[str]:
    if told["deceased_at"]:
        yield f"has died; reported {when(told['deceased_at'])}: nothing is sent any more"
    if told["household"]:
        yield f"household {told['household']}"


def _objects(told: Told, when: When) -> Iterator[str]:
    for each in told["objects"]:
        dates = ", ".join(f"{name} {_where(told, each, name)}" for name in each["dates"])
        status = each["status"] or "no status"
        yield f"{_pad(each['type'])} {each['id']}  {status}, {', '.join(each['roles'])}" + (
            f"  {dates}" if dates else ""
        )
        for plan in each["planned"]:
            yield f"{' ' * (_LABEL + 1)}{plan['journey']} begins {when(plan['at'])}"


def _where(told: Told, each: Told, name: str) -> str:
    """An object's date where it is local; where that is another zone than the page's, it is named."""
    zone = each["zones"][name]
    return clock(parse_instant(each["dates"][name]), zone) + (f" ({zone})" if zone != told["zone"] else "")


def _origin(each: Told, when: When) -> str:
    if "parts" in each:
        origin = f"the sum of {len(each['parts'])}"
    else:
        trust = "" if each["trust"] == 1 else f", trust {each['trust']}"
        origin = f"{each['source']}{trust}, {when(each['at'])}"
    if each.get("verified"):
        return f"{origin}; verified: {each['verified_by']}"
    return f"{origin}; not verified" if "verified" in each else origin


def _memories(told: Told, when: When) -> Iterator[str]:
    for each in told["memories"]:
        who = f" to {each['by']}" if each["explicit"] else f" by {each['by']}"
        how = ("said" if each["explicit"] else "noticed") + (who if each["by"] else "")
        yield f"{_pad(each['about'])} {_value(each['value'])}  ({how}, {when(each['at'])}, {each['source']})"
        if each["note"]:
            yield f"{' ' * (_LABEL + 1)}“{each['note']}”"


def _path(told: Told, when: When) -> Iterator[str]:
    for step in told["path"]:
        yield f"{when(step['at']):<17}  {step['from'] or 'none'} → {step['to'] or 'none'}"
    if not told["path"] and told["stage_since"]:
        yield f"{told['stage']} since {when(told['stage_since'])}"


def _consents(told: Told, when: When) -> Iterator[str]:
    for word in told["consents"]:
        subject = "/".join(word[part] or "all" for part in ("purpose", "channel", "topic"))
        proof = f", proof {word['proof']}" if word["proof"] else ""
        said = "asked" if word["given"] is None else f"{'given' if word['given'] else 'withdrawn'} {when(word['at'])}"
        double = word["double_opt_in"]
        confirmed = ""
        if double is not None:
            by = f", proof {double['proof']}" if double["proof"] else ""
            done = "confirmed" if double["state"] == "confirmed" else "not confirmed yet, asked"
            confirmed = f"; {done} {when(double['at'])}{by}"
        yield f"{subject}: {said}{proof}{confirmed}"


def _suppressed(told: Told, when: When) -> Iterator[str]:
    for word in told["suppressions"]:
        if word["suppressed"]:
            yield f"{word['channel'] or 'all channels'}: {word['reason']}, {when(word['at'])}"


def _journeys(told: Told, when: When) -> Iterator[str]:
    for row in told["enrollments"]:
        end = f"{row['outcome']} {when(row['ended_at'])}" if row["ended_at"] else f"at step {row['step']}"
        name = row["journey"] + (f" [{row['key']}]" if row["key"] is not None else "")
        yield f"{when(row['entered_at']):<17}  {name}  {end}"


def _messages(told: Told, when: When) -> Iterator[str]:
    for row in told["deliveries"]:
        yield f"{when(row['planned_at']):<17}  {row['message']}  {row['state']} {row['reason']}".rstrip()


def _timeline_title(told: Told) -> str:
    shown, lines = len(told["timeline"]), told["timeline_lines"]
    return "What happened" if shown == lines else f"What happened (the last {shown} of {lines}; more: --timeline N)"


def _timeline(told: Told, when: When) -> Iterator[str]:
    for line in told["timeline"]:
        detail = f"  {line['detail']}" if line["detail"] else ""
        yield f"{when(line['at']):<17}  {line['text']}{detail}"
