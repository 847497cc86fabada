"""The overview as one HTML page that asks nobody for anything: styles and charts inside, no script.

Pure: an `Overview` in, a text out. The look is `overview.css`, the charts `charts.py`, the words `overview.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from innkeeper.measurement.charts import Series, days, hours, stacked_columns
from innkeeper.measurement.html import Html, number, tag
from innkeeper.measurement.overview import (
    MONTHS,
    OUTCOMES,
    Balance,
    JourneyFigures,
    Overview,
    Story,
    clock,
    reason_words,
)
from innkeeper.measurement.story import stamp

#: Nothing may be loaded and nothing may run; styles stand in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_KINDS = (("transactional", "transactional"), ("service", "service"), ("marketing", "marketing"))


def render(overview: Overview) -> str:
    """The page."""
    style = resources.files("innkeeper.measurement").joinpath("overview.css").read_text(encoding="utf-8")
    title = f"{overview.workspace}: overview"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", title),
        tag("style", Html(style)),
    )
    body = tag(
        "body",
        _header(overview),
        tag("main", _stages(overview), _journeys(overview), _refusals(overview), _days(overview), _hours(overview),
            _balance(overview.balance), _story(overview.story, overview.zone)),
        tag("footer", [tag("p", note) for note in overview.notes],
            tag("p", f"Times are those of {overview.zone}. This page holds personal data; keep it as you keep your "
                "guest book.")),
    )  # fmt: skip
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _header(overview: Overview) -> Html:
    states = {**overview.balance.ends, **overview.balance.open}
    denied = sum(refusal.candidates for refusal in overview.refusals if refusal.outcome == "deny")
    figures = (
        (overview.events, "events"), (overview.profiles, "profiles"), (states.get("accepted", 0), "messages accepted"),
        (denied, "messages refused"), (sum(overview.tasks.values()), "tasks for people"),
        (overview.balance.difference, "missing from the ledger"),
    )  # fmt: skip
    when = f"{clock(overview.since, overview.zone)} to {clock(overview.until, overview.zone)}"
    items = [tag("li", tag("b", number(value)), tag("span", words)) for value, words in figures]
    return tag(
        "header", tag("h1", overview.workspace), tag("p", when, class_="when"), tag("ul", items, class_="figures")
    )


def _section(title: str, lead: str, *children: object) -> Html:
    return tag("section", tag("h2", title), tag("p", lead, class_="lead"), *children)


def _stages(overview: Overview) -> Html | None:
    if not overview.stages or not overview.stage_counts:
        return None
    labels = _months([point.at for point in overview.stage_counts], overview.zone)
    # Drawn from the first stage of a life at the bottom to the rarest on top; stages.yaml lists the rarest first.
    names = list(reversed(overview.stages))
    series = [
        Series(
            name=name, css=f"s{min(place, 7)}", values=[point.counts.get(name, 0) for point in overview.stage_counts]
        )
        for place, name in enumerate(names)
    ]
    last = overview.stage_counts[-1]
    outside = last.counts.get("", 0)
    lead = "Everyone the workspace has ever seen, by the stage of their life with it, at the end of each month."
    if outside:
        lead += f" In no stage: {number(outside)}."
    return _section(
        "Stages over time", lead,
        stacked_columns(labels, series, title="Profiles per stage at the end of each month"),
        tag("details", tag("summary", "As a table"),
            _table(["", *labels], [[one.name, *one.values] for one in series])),
    )  # fmt: skip


def _months(ends: Sequence[int], zone: str) -> list[str]:
    """The months that end then; the first one and every January say their year."""
    labels: list[str] = []
    for end in ends:
        _, month, year, _ = clock(end - 1, zone).split()
        labels.append(f"{month} ’{year[2:]}" if not labels or month == MONTHS[0] else month)
    return labels


def _table(head: Sequence[object], rows: Sequence[Sequence[object]], css: str = "wide") -> Html:
    """A table; whole numbers stand at the right with thin spaces, texts and bars at the left."""

    def cell(value: object) -> Html:
        return tag("td", number(value)) if isinstance(value, int) else tag("td", value, class_="left")

    body = [tag("tr", tag("th", row[0], scope="row"), [cell(value) for value in row[1:]]) for row in rows]
    sides = [None if isinstance(value, int) else "left" for value in rows[0]]
    header = tag(
        "thead", tag("tr", [tag("th", name, scope="col", class_=side) for name, side in zip(head, sides, strict=True)])
    )
    return tag("div", tag("table", header, tag("tbody", body)), class_=css)


def _journeys(overview: Overview) -> Html | None:
    if not overview.journeys:
        return None
    head = ["journey", "entered", "how it went", "goal", "accepted", "refused", "tasks"]
    rows = [_journey(journey) for journey in overview.journeys]
    return _section(
        "What each journey did", "One line per journey; a run belongs to a person, or to one thing of theirs.",
        _table(head, rows),
        _legend([(OUTCOMES[name], f"c-{name}") for name in ("goal", "finished", "exit", "stopped", "open")]),
    )  # fmt: skip


def _journey(journey: JourneyFigures) -> list[object]:
    parts = {name: journey.outcomes.get(name, 0) for name in ("goal", "finished", "exit")}
    parts["stopped"] = journey.outcomes.get("stopped", 0) + journey.outcomes.get("left", 0)
    parts["open"] = journey.open
    bar = [
        tag("i", class_=f"c-{name}", style=f"flex-grow:{count}", title=f"{OUTCOMES[name]}: {count}")
        for name, count in parts.items()
        if count
    ]
    words = ", ".join(f"{count} {OUTCOMES[name]}" for name, count in parts.items() if count)
    return [
        journey.name, journey.entered, tag("div", bar, class_="bar", role="img", aria_label=words),
        parts["goal"], journey.deliveries.get("accepted", 0), sum(journey.refused.values()), journey.tasks,
    ]  # fmt: skip


def _legend(entries: Sequence[tuple[str, str]]) -> Html:
    return tag("ul", [tag("li", tag("i", class_=css), words) for words, css in entries], class_="legend")


def _refusals(overview: Overview) -> Html | None:
    if not overview.refusals:
        return None
    denied = sorted((one for one in overview.refusals if one.outcome == "deny"), key=lambda one: -one.candidates)
    put_off = sorted((one for one in overview.refusals if one.outcome == "defer"), key=lambda one: -one.candidates)
    largest = max(one.candidates for one in overview.refusals)
    rows: list[list[object]] = []
    for one in (*denied, *put_off):
        css = "c-refused" if one.outcome == "deny" else "c-deferred"
        bar = tag("i", class_=f"one {css}", style=f"width:{max(1, one.candidates * 100 // largest)}%")
        words = reason_words(one.reason)
        rows.append([words, one.purpose, "refused" if one.outcome == "deny" else "put off", one.candidates,
                     tag("div", bar)])  # fmt: skip
    return _section(
        "What was not sent, and why",
        "Every message that could have been sent was judged, and each one that was not has a record with its reason.",
        _table(["reason", "purpose", "", "messages", ""], rows, css="wide reasons"),
    )


def _days(overview: Overview) -> Html | None:
    if not overview.days:
        return None
    labels, month = [], ""
    for place, day in enumerate(overview.days):
        now = day.day[5:7]
        labels.append(MONTHS[int(now) - 1] if now != month and (place or day.day[8:] < "20") else "")
        month = now
    series = [
        Series(name=name, css=f"c-{css}", values=[day.sent.get(name, 0) for day in overview.days])
        for name, css in _KINDS
    ]
    against = [
        Series(name="refused by a cap", css="c-refused", values=[day.capped for day in overview.days]),
        Series(name="put off by quiet hours", css="c-deferred", values=[day.deferred for day in overview.days]),
    ]
    return _section(
        "Day by day", "Above, what was accepted for delivery. Below, what the caps and the quiet hours held back.",
        days(labels, series, title="Accepted messages per day"), _legend([(one.name, one.css) for one in series]),
        days(labels, against, title="Messages per day held back by caps and quiet hours", height=120),
        _legend([(one.name, one.css) for one in against]),
    )  # fmt: skip


def _hours(overview: Overview) -> Html | None:
    if not any(overview.hours):
        return None
    lead = "Service and marketing messages by the hour on the recipient's own clock."
    shadows: list[tuple[float, float]] = []
    if overview.quiet is not None:
        first, last = (int(text[:2]) + int(text[3:5]) / 60 for text in overview.quiet)
        shadows = [(first, last)] if first <= last else [(0, last), (first, 24)]
        lead += (
            f" In shadow: quiet hours, {overview.quiet[0]} to {overview.quiet[1]}, when nothing of theirs may go out."
        )
    return _section("Hour by hour", lead, hours(overview.hours, shadows, title="Messages by local hour"))


def _balance(balance: Balance) -> Html:
    listed: list[object] = []
    for states, word in ((balance.ends, ""), (balance.open, "still ")):
        for state, count in sorted(states.items(), key=lambda item: -item[1]):
            if count:
                listed += [" + " if listed else "", tag("b", number(count)), f" {word}{state}"]
    exact = balance.difference == 0
    verdict = (
        "It balances: nothing lost, nothing twice." if exact else f"{number(balance.difference)} rows are missing."
    )
    return _section(
        "The ledger", "One row for every message that was planned; each ends somewhere, or is still open.",
        tag("p", tag("b", number(balance.planned)), " planned = ", listed or tag("b", "0"), class_="sum"),
        tag("p", verdict, class_="ok" if exact else "bad"),
    )  # fmt: skip


def _story(story: Story | None, zone: str) -> Html | None:
    if story is None:
        return None
    lines = [
        tag("li", tag("time", stamp(line, zone)), tag("span", class_="dot", aria_hidden="true"),
            tag("p", line.text, tag("span", line.detail, class_="detail") if line.detail else None), class_=line.voice)
        for line in story.lines
    ]  # fmt: skip
    who = story.name or story.id
    return _section(
        f"The story of {who}",
        f"Profile {story.id}: what they did, what was made of it, what was sent and what was held back.",
        tag("ol", lines, class_="story"),
        _legend(
            [("the person", "s5-key"), ("a message", "c-service"), ("refused", "c-refused"), ("a task", "c-marketing")]
        ),
    )
