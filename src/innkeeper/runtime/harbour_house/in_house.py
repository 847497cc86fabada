"""The stay itself, from the app before arrival to the review after it. Next in the flow: `year.py`."""

from __future__ import annotations

from innkeeper.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant
from innkeeper.runtime.harbour_house.diary import Diary, Line
from innkeeper.runtime.harbour_house.people import Guest
from innkeeper.runtime.harbour_house.stays import Booking

_NOTES = (
    ("celebration", "Mentioned their wedding anniversary on Saturday."),
    ("celebration", "It is her birthday tomorrow; did not want a fuss."),
    ("sleep", "Light sleeper, asked for a room away from the lift."),
    ("sleep", "Prefers a firm pillow."),
    ("food", "No nuts; quite serious about it."),
    ("food", "Loved the sardines last time, asked whether they are in season."),
    ("food", "Drinks oat milk with breakfast."),
    ("work", "Has a presentation on Thursday, needs a quiet corner."),
    ("family", "The little one is afraid of the dark, asked for a night light."),
    ("family", "Travelling with grandmother, who uses a stick."),
    ("plans", "Would like to see the boats leave early in the morning."),
    ("plans", "Asked about tickets for fado on Friday."),
    ("medicine", "Needs a fridge for medicine."),
)
#: What of a remark the house remembers: about what, and which value, and whether the guest said so.
_REMEMBERED = {
    "Light sleeper, asked for a room away from the lift.": ("room", "away from the lift", True),
    "Prefers a firm pillow.": ("pillow", "firm", True),
    "No nuts; quite serious about it.": ("food", "no nuts", True),
    "Loved the sardines last time, asked whether they are in season.": ("food", "sardines", False),
    "Drinks oat milk with breakfast.": ("breakfast", "oat milk", False),
}
_OUTLETS = ((("Tide", 4_200, 9_800), 5), (("Lantern Bar", 1_100, 4_600), 4), (("Breakfast terrace", 1_600, 3_600), 4))
_TREATMENTS = (("sea salt scrub", 7_800), ("deep massage", 9_600), ("hammam", 5_200), ("morning yoga", 2_400))
_SERVICES = (
    ("towels", 5),
    ("extra pillow", 4),
    ("luggage", 4),
    ("taxi", 5),
    ("repair", 2),
    ("late check-out", 3),
    ("laundry", 2),
)
_TOPICS = (
    ("noise", 6),
    ("room not ready", 4),
    ("air conditioning", 4),
    ("bill", 3),
    ("cleanliness", 2),
    ("service", 2),
)
_RESOLUTIONS = (
    "moved to another room",
    "repaired",
    "apology and breakfast",
    "bill corrected",
    "spoke with the manager",
)
_SCREENS = ("Home", "Digital Key", "Room Service", "City Guide", "My Stay", "Spa")
_COMMENTS = {
    "glad": ("The view at blue hour.", "They remembered my pillow.", "Felt at home.", "We will be back.", "Breakfast!"),
    "fair": ("Good, a little noisy.", "Nice house, slow lift.", "Fine for one night."),
    "sad": ("Nobody came back to me.", "Had to ask three times.", "Not what we had booked."),
}


class Stay:
    """One stay: writes what happens, and remembers how the guest felt about it (0 to 100)."""

    def __init__(self, diary: Diary, guest: Guest, booking: Booking) -> None:
        self.diary, self.guest, self.booking = diary, guest, booking
        self.mood = diary.dice.decile((45, 66, 72, 77, 80, 83, 86, 89, 92, 95, 100))
        self.spent = booking.total

    def track(self, at: Instant, event: str, **properties: object) -> None:
        """An event of this stay."""
        self.diary.track(self.guest, at, event, {"booking_id": self.booking.booking_id, **properties})

    def before_arrival(self) -> None:
        """The app and the guide, in the days before."""
        dice, arrival = self.diary.dice, self.booking.arrival
        if self.guest.uses_app:
            at = self.diary.moment(arrival - dice.between(1, 4) * DAY, self.guest.zone)
            if self.guest.stays == 0:
                self.diary.identify(self.guest, at, {"timezone": self.guest.zone, "app": True})
            self._app(at, dice.between(2, 5))
        if dice.chance(38):
            at = self.diary.moment(arrival - dice.between(1, 2) * DAY, self.guest.zone)
            self.track(at, "Guide Opened", chapter=dice.pick(("arriving", "eating", "walking")))

    def _app(self, at: Instant, screens: int) -> None:
        dice = self.diary.dice
        # A phone without network keeps what it saw and sends it the next time it finds some.
        delay = dice.between(5, 70) * HOUR + dice.below(60) * MINUTE if dice.chance(6) else 0
        app: Line = {"app": {"name": "Harbour House", "version": "4.2"}}
        for _ in range(screens):
            line: Line = {"type": "screen", "name": dice.pick(_SCREENS), "properties": {}, "context": app}
            self.diary.add(self.guest, at, line, delay=delay)
            at = self.diary.later(at, 0, 3)

    def check_in(self) -> Instant:
        """At the desk; now and then something is said in passing, and written down."""
        dice = self.diary.dice
        at = self.diary.house_time(self.booking.arrival, 15, 22)
        note: Line = {}
        if dice.chance(36):
            topic, text = dice.pick(_NOTES)
            note = {"note": text, "note_topic": topic, "note_by": dice.pick(("Amélia", "Jorge", "Sunita"))}
        room = f"{dice.between(1, 5)}{dice.between(1, 24):02d}"
        self.track(at, "Checked In", room_number=room, first_stay=self.guest.stays == 0, **note)
        if note and note["note"] in _REMEMBERED:
            self._remember(at + 40 * SECOND, _REMEMBERED[note["note"]], note["note_by"], note["note"])
        self.guest.stays += 1
        return at

    def _remember(self, at: Instant, memory: tuple[str, str, bool], by: str, note: str) -> None:
        about, value, explicit = memory
        said: Line = {"about": about, "value": value, "explicit": explicit, "by": by, "note": note}
        self.diary.track(self.guest, at, "Memory Noted", said)

    def days(self, arrived: Instant) -> None:
        """Dinners, treatments, requests, and what goes wrong."""
        dice = self.diary.dice
        for night in range(self.booking.nights):
            day = arrived + night * DAY
            evening = max(self.diary.house_time(day, 18, 22), arrived + 20 * MINUTE)
            if dice.chance(64):
                name, low, high = dice.weighted(_OUTLETS)
                covers = self.booking.adults + self.booking.children
                self._charge(evening, "Dining Charged", dice.between(low, high) * covers, outlet=name, covers=covers)
            if night and dice.chance(18):
                treatment, cents = dice.pick(_TREATMENTS)
                self._charge(self.diary.house_time(day, 9, 17), "Spa Visited", cents, treatment=treatment)
            if dice.chance(30):
                minutes = dice.decile((3, 5, 7, 9, 11, 14, 17, 22, 30, 45, 120))
                self.mood -= 6 if minutes > 40 else 0
                asked = self.diary.later(evening, 5, 100)
                category = dice.weighted(_SERVICES)
                self.track(asked, "Service Requested", category=category, minutes=minutes)
                if category == "extra pillow":
                    wish = ("pillow", "one more", False)
                    self._remember(asked + MINUTE, wish, "housekeeping", "Asked for an extra pillow.")
            if self.guest.uses_app and dice.chance(55):
                self._app(self.diary.later(evening, 1, 120), dice.between(2, 6))
        if dice.chance(11):
            self._complain(self.diary.later(arrived, 40, 60 * 20))

    def _charge(self, at: Instant, event: str, cents: int, **properties: object) -> None:
        self.spent += cents
        self.track(at, event, total=cents / 100, **properties)

    def _complain(self, at: Instant) -> None:
        dice = self.diary.dice
        severity = dice.weighted((("low", 34), ("medium", 44), ("high", 22)))
        self.mood -= {"low": 8, "medium": 22, "high": 40}[severity]
        complaint = f"C-{self.booking.booking_id[3:]}"
        topic = dice.weighted(_TOPICS)
        self.track(at, "Complaint Raised", complaint_id=complaint, severity=severity, topic=topic)
        if dice.chance(78):
            solved = self.diary.later(at, 25, 60 * dice.pick((2, 4, 8, 20, 60)))
            self.mood += {"low": 8, "medium": 18, "high": 26}[severity]
            resolution = dice.pick(_RESOLUTIONS)
            self.track(solved, "Complaint Resolved", complaint_id=complaint, severity=severity, resolution=resolution)

    def check_out(self) -> Instant:
        """The bill, and goodbye."""
        at = self.diary.house_time(self.booking.departure, 7, 11)
        self.track(at, "Checked Out", nights=self.booking.nights, total=self.spent / 100, room=self.booking.room)
        return at

    def afterwards(self, left: Instant) -> None:
        """The survey, a review, a friend who is told."""
        dice = self.diary.dice
        score = max(0, min(10, (self.mood + dice.between(0, 9)) // 10))
        if dice.chance(44):
            at = self.diary.moment(left + dice.between(1, 5) * DAY, self.guest.zone)
            tone = "glad" if score >= 9 else "fair" if score >= 6 else "sad"
            answer: Line = {"score": score, "effort": max(1, min(7, (110 - self.mood) // 14))}
            if dice.chance(40):
                answer["comment"] = dice.pick(_COMMENTS[tone])
            self.track(at, "Survey Completed", **answer)
            if self.guest.email and dice.chance(70):
                opened = {"message": "thank-you", "journey": "after-the-stay"}
                self.diary.track(self.guest, at - 90 * SECOND, "Message Opened", opened)
        if dice.chance(24 if score >= 9 else 16 if score <= 4 else 6):
            at = self.diary.moment(left + dice.between(5, 20) * DAY, self.guest.zone)
            site = dice.pick(("maps.example", "trips.example", "citybreaks.example"))
            self.track(at, "Review Published", site=site, stars=max(1, min(5, (score + 1) // 2)))
        if score >= 9 and dice.chance(13):
            at = self.diary.moment(left + dice.between(3, 60) * DAY, self.guest.zone)
            self.track(at, "Referral Made", referral_id=f"R-{self.booking.booking_id[3:]}")
