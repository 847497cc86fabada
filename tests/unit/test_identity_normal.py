"""Exact forms: hostile look-alikes never become one identifier (A37), spellings of one address do."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

from innkeeper.identity.namespaces import BUILT_IN
from innkeeper.identity.normal import exact

#: Characters that some folding takes for the ASCII one: case, NFKC, confusables, dotless and long letters.
LOOK_ALIKES = {
    "a": "аａⓐᵃạ𝐚", "e": "еｅéẹ𝐞", "i": "ıіｉíℹ", "k": "\u212aｋкķ𝐤", "o": "оｏοöº", "s": "ſｓѕş𝐬", "c": "сｃⅽç",
    "p": "рｐ",
    "x": "хｘⅹ", "m": "ｍⅿ", "l": "ｌⅼłℓ", "d": "ｄⅾđ", "n": "ｎñп",
}  # fmt: skip
BASES = ("ann.smith+shop@kelvin-discount.example", "max.koel+pisc@maxi-pocket-sold.example")


def hostile_pairs() -> list[tuple[str, str]]:
    """Pairs of addresses of which a careless folding would make one."""
    pairs = []
    for base, (letter, others) in itertools.product(BASES, LOOK_ALIKES.items()):
        local, domain = base.split("@")
        for other in others:
            if letter in local:
                pairs.append((base, f"{local.replace(letter, other, 1)}@{domain}"))
            if letter in domain:
                pairs.append((base, f"{local}@{domain.replace(letter, other, 1)}"))
    tags = [("ann@example.com", f"{spelling}@example.com") for spelling in (
        "Ann", "ANN", "a.nn", "an.n", "ann+", "ann+x", "ann.", "ａnn", "ann\u200b", "ann\u00ad", "a\u0308nn", " ann",
        "ann%40", '"ann"', "ann(c)", "ann\u0301", "anŉ", "an\u2099", "anﾝ", "ⒶNN",
    )]  # fmt: skip
    domains = [("ann@strasse.example", "ann@straße.example"), ("ann@example.com", "ann@example.com.")]
    domains += [("ann@example.com", f"ann@{other}") for other in (
        "example。com", "example．com", "example｡com", "ｅxample.com", "exam\u00adple.com", "exam\u200dple.com",
        "exampl\u0435.com", "xn--example-.com", "sub.example.com", "example.co", "examp1e.com", "example.çom",
    )]  # fmt: skip
    domains += [("ann@σίσυφος.example", "ann@σίσυφοσ.example"), ("ann@bücher.example", "ann@bucher.example")]
    domains += [("ann@bücher.example", "ann@bu\u0308cher.example"), ("ann@i.example", "ann@İ.example")]
    phones = [("+351211234567", other) for other in (
        "351211234567", "00351211234567", "211234567", "+351211234568", "+3512112345670", "+٣51211234567",
        "+351 (0)21 123 4567", "＋351211234567", "+35121123456O", "+351-21-123-45-6l", "tel:+351211234567",
    )]  # fmt: skip
    ids = [("Card7", other) for other in ("card7", "CARD7", " Card7", "Card7 ", "Card\uff17", "Ｃard7", "Card7\u200b")]
    return [*pairs, *tags, *domains, *phones, *ids]


def key(text: str) -> str | None:
    """The exact form in the namespace that the text looks like."""
    namespace = "email" if "@" in text else "phone" if text[:1] in "+0123456789＋t" else "user_id"
    return exact(namespace, text)


PAIRS = hostile_pairs()


def test_there_are_enough() -> None:
    assert len(set(PAIRS)) >= 200


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_look_alikes_stay_two(one: str, other: str) -> None:
    mine, theirs = key(one), key(other)
    assert mine is not None, one
    assert theirs is None or theirs != mine


@pytest.mark.parametrize(("letter", "other"), [(a, b) for a, others in LOOK_ALIKES.items() for b in others])
def test_look_alikes_stay_two_in_every_namespace(letter: str, other: str) -> None:
    for name in BUILT_IN:
        if name not in ("email", "phone"):
            assert exact(name, f"x{letter}1") != exact(name, f"x{other}1")
    domain = exact("email", f"u@{other}.example")
    assert domain is None or domain != exact("email", f"u@{letter}.example")
    nfkc = unicodedata.normalize("NFKC", other).lower()
    if nfkc == letter:
        assert domain is None, "a label that changes under NFKC has no A-form"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.COM", "Ann@example.com"),
        ("ann@MÜNCHEN.example", "ann@xn--mnchen-3ya.example"),
        ("ann@münchen.example", "ann@XN--MNCHEN-3YA.EXAMPLE"),
        ("+351 21 123 45 67", "+351211234567"),
        ("+1 (212) 555-01.00", "+12125550100"),
    ],
)
def test_spellings_of_one_address_are_one(one: str, other: str) -> None:
    assert key(one) == key(other) is not None


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", "x" * 2_000, "a\x00b"])
def test_what_has_no_exact_form_joins_nothing(value: object) -> None:
    assert exact("card", value) is None


@pytest.mark.parametrize("value", ["null", "NULL", " undefined ", "0", "-1", "Guest", "test", "anonymous", "N/A"])
def test_values_for_nobody_in_particular_are_blocked(value: str) -> None:
    assert BUILT_IN["anonymous_id"].blocks(value)
    assert BUILT_IN["email"].blocks(value)
    assert BUILT_IN["user_id"].blocks(value) is (value.strip().lower() in ("null", "undefined"))
