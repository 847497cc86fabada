"""Visits to the website: where people come from, what they look at, the newsletter. Next in the flow: `stays.py`."""

from __future__ import annotations

from innkeeper.kernel.time import DAY, HOUR, SECOND, Instant, format_instant
from innkeeper.runtime.harbour_house.diary import Diary, Line, house_day
from innkeeper.runtime.harbour_house.people import Guest

SITE = "https://harbour-house.example"

#: room -> (nightly price in euro cents, how often it is chosen, beds for)
ROOMS = {
    "harbour room": (11_400, 52, 2),
    "terrace room": (14_200, 24, 2),
    "family room": (18_900, 14, 5),
    "river suite": (26_500, 10, 3),
}
_PAGES = (
    (("/rooms", "Rooms"), 9), (("/rooms/harbour-room", "Harbour room"), 6),
    (("/rooms/terrace-room", "Terrace room"), 5),
    (("/rooms/river-suite", "River suite"), 4), (("/rooms/family-room", "Family room"), 3), (("/dining", "Dining"), 5),
    (("/spa", "Spa"), 4), (("/offers", "Offers"), 5), (("/neighbourhood", "The neighbourhood"), 4),
    (("/getting-here", "Getting here"), 3),
)  # fmt: skip
_SOURCES: tuple[tuple[tuple[str, str, str, str], int], ...] = (
    (("https://www.google.com/", "google", "organic", ""), 34),
    (("https://www.google.com/", "google", "cpc", "lisbon-by-the-river"), 16),
    (("", "", "", ""), 22),
    (("https://www.instagram.com/", "instagram", "social", "blue-hour"), 9),
    (("https://maps.example/", "maps", "referral", ""), 8),
    (("https://citybreaks.example/", "citybreaks", "affiliate", "autumn-escapes"), 7),
    (("", "newsletter", "email", "letters-from-the-quay"), 4),
)


def visit(diary: Diary, guest: Guest, at: Instant, *, arrival: Instant | None = None) -> Instant:
    """One visit to the site; with an *arrival* in mind it searches for rooms. Answers the moment it ends."""
    dice = diary.dice
    referrer, source, medium, campaign = dice.weighted(_SOURCES)
    pages: list[tuple[str, str]] = [("/", "Harbour House")]
    pages += [dice.weighted(_PAGES) for _ in range(dice.between(1, 4))]
    for number, (path, title) in enumerate(pages):
        _page(diary, guest, at, path, title, (referrer, source, medium, campaign) if number == 0 else None)
        at = diary.later(at, 0, 4)
        if path.startswith("/rooms/"):
            room = path.removeprefix("/rooms/").replace("-", " ")
            diary.track(guest, at, "Room Viewed", {"room": room, "rate": ROOMS[room][0] / 100}, online=True)
    if arrival is not None and dice.chance(65):
        at = diary.later(at, 0, 3)
        near = house_day(arrival + dice.pick((0, 0, 0, -1, 1, 7)) * DAY, 15)
        search: Line = {
            "arrival": format_instant(near), "nights": dice.between(1, 5),
            "adults": 1 if guest.persona == "solo" else 2,
            "children": dice.between(1, 2) if guest.persona == "family" else 0, "results": dice.between(0, 9),
        }  # fmt: skip
        diary.track(guest, at, "Search Performed", search, online=True)
    return diary.later(at, 1, 3)


def _page(
    diary: Diary, guest: Guest, at: Instant, path: str, title: str, landing: tuple[str, str, str, str] | None
) -> None:
    context: Line = {"page": {"path": path, "title": title, "url": SITE + path}}
    properties: Line = {"path": path, "title": title, "url": SITE + path}
    if landing is not None:
        referrer, source, medium, campaign = landing
        if referrer:
            properties["referrer"] = context["page"]["referrer"] = referrer
        if source:
            context["campaign"] = {"source": source, "medium": medium, **({"name": campaign} if campaign else {})}
    diary.add(guest, at, {"type": "page", "name": title, "properties": properties, "context": context}, online=True)


def join_newsletter(diary: Diary, guest: Guest, at: Instant) -> None:
    """The sign-up in the footer: who they are, what they agreed to, and the proof of it."""
    traits: Line = {"email": guest.email, "country": guest.country.code, "locale": guest.country.locale}
    if diary.dice.chance(70):
        traits["first_name"] = guest.first_name
    diary.identify(guest, at, traits, online=True)
    give_consent(diary, guest, at + SECOND, "double opt-in, footer form")
    joined: Line = {"form": "footer", "list": "letters from the quay"}
    diary.track(guest, at + 2 * SECOND, "Newsletter Joined", joined, online=True)
    if diary.dice.chance(48):
        opened = at + diary.dice.between(13, 44) * HOUR
        diary.track(guest, opened, "Message Opened", {"message": "welcome-1", "journey": "welcome"})


def give_consent(diary: Diary, guest: Guest, at: Instant, proof: str) -> None:
    """Yes to marketing by email, with its proof."""
    guest.consented = True
    diary.track(guest, at, "Consent Given", {"purpose": "marketing", "channel": "email", "proof": proof})


def withdraw_consent(diary: Diary, guest: Guest, at: Instant, proof: str) -> None:
    """No more marketing by email."""
    guest.consented = False
    diary.track(guest, at, "Consent Withdrawn", {"purpose": "marketing", "channel": "email", "proof": proof})
