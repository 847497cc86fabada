"""Who comes to Harbour House: names, countries, languages, habits. Invented people at reserved domains.

Next in the flow: `diary.py` writes down what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from innkeeper.runtime.harbour_house.dice import Dice

# country -> (share, locale, zone, first names, last names); a name is (as written, for the address).
_Names = tuple[tuple[str, str], ...]


def _latin(text: str) -> _Names:
    return tuple((name, name.lower().translate(_PLAIN)) for name in text.split())


_PLAIN = str.maketrans("áàâãäåçéèêëíîïñóôõöøúüß", "aaaaaaceeeeiiinooooouus")
_ENGLISH = _latin("Emma Jack Olivia Harry Grace Thomas Alice George Ruth Edward Nora Samuel Hazel Owen Clara Henry")
_ENGLISH_LAST = _latin("Walker Hughes Bennett Clarke Foster Marsh Doyle Reid Turner Whitby Ellis Hale Quinn Mercer")
_PORTUGUESE = _latin("Inês João Marta Rui Beatriz Tiago Leonor Duarte Sofia Miguel Teresa Nuno Catarina André")
_PORTUGUESE_LAST = _latin("Silva Santos Ferreira Costa Oliveira Martins Sousa Almeida Ribeiro Pinto Carvalho Lopes")
_GERMAN = _latin("Anna Lukas Lena Felix Marie Jonas Hannah Paul Greta Moritz Ursula Jürgen Sabine Stefan")
_GERMAN_LAST = _latin("Müller Schneider Fischer Weber Becker Hoffmann Schäfer Koch Richter Wolf Neumann Vogel")
_DUTCH = _latin("Sanne Daan Femke Bram Lotte Sem Anouk Thijs Marijke Pieter Roos Jeroen Hanneke Willem")
_DUTCH_LAST = _latin("Jansen Bakker Visser Smit Meijer Mulder Bos Vos Dekker Brouwer Dijkstra Kuipers")
_FRENCH = _latin("Camille Louis Chloé Hugo Manon Jules Élise Antoine Margaux Théo Hélène Luc")
_FRENCH_LAST = _latin("Martin Bernard Dubois Moreau Laurent Lefèvre Roux Girard Fournier Mercier")
_SPANISH = _latin("Lucía Pablo Carmen Álvaro Elena Javier Marta Diego Pilar Sergio")
_SPANISH_LAST = _latin("García Fernández Ruiz Moreno Navarro Torres Vega Ortega Castro Molina")
_ITALIAN = _latin("Giulia Marco Chiara Luca Elisa Matteo Paola Davide")
_ITALIAN_LAST = _latin("Rossi Ferrari Bianchi Romano Ricci Marino Greco Conti")
_RUSSIAN: _Names = (
    ("Анна", "anna"), ("Иван", "ivan"), ("Ольга", "olga"), ("Дмитрий", "dmitri"), ("Елена", "elena"),
    ("Сергей", "sergei"), ("Мария", "maria"), ("Павел", "pavel"),
)  # fmt: skip
_RUSSIAN_LAST: _Names = (
    ("Соколов", "sokolov"), ("Лебедев", "lebedev"), ("Козлов", "kozlov"), ("Морозов", "morozov"),
    ("Волков", "volkov"), ("Павлов", "pavlov"),
)  # fmt: skip
_CHINESE: _Names = (
    ("丽华", "lihua"), ("伟", "wei"), ("芳", "fang"), ("磊", "lei"), ("静", "jing"), ("洋", "yang"), ("敏", "min"),
    ("雪", "xue"),
)  # fmt: skip
_CHINESE_LAST: _Names = (
    ("王", "wang"), ("李", "li"), ("张", "zhang"), ("刘", "liu"), ("陈", "chen"), ("赵", "zhao"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """Where a guest lives, and how people there are called."""

    code: str
    locale: str
    zones: tuple[str, ...]
    first: _Names
    last: _Names


def _country(code: str, locale: str, zones: str, first: _Names, last: _Names) -> Country:
    return Country(code=code, locale=locale, zones=tuple(zones.split()), first=first, last=last)


COUNTRIES: tuple[tuple[Country, int], ...] = (
    (_country("PT", "pt", "Europe/Lisbon", _PORTUGUESE, _PORTUGUESE_LAST), 19),
    (_country("GB", "en", "Europe/London", _ENGLISH, _ENGLISH_LAST), 14),
    (_country("DE", "de", "Europe/Berlin", _GERMAN, _GERMAN_LAST), 14),
    (_country("FR", "fr", "Europe/Paris", _FRENCH, _FRENCH_LAST), 11),
    (_country("NL", "nl", "Europe/Amsterdam", _DUTCH, _DUTCH_LAST), 10),
    (_country("ES", "es", "Europe/Madrid", _SPANISH, _SPANISH_LAST), 7),
    (_country("US", "en", "America/New_York America/Chicago America/Los_Angeles", _ENGLISH, _ENGLISH_LAST), 8),
    (_country("IT", "it", "Europe/Rome", _ITALIAN, _ITALIAN_LAST), 5),
    (_country("CN", "zh", "Asia/Shanghai", _CHINESE, _CHINESE_LAST), 4),
    (_country("RU", "ru", "Europe/Moscow Asia/Yekaterinburg", _RUSSIAN, _RUSSIAN_LAST), 3),
    (_country("BR", "pt", "America/Sao_Paulo", _PORTUGUESE, _PORTUGUESE_LAST), 3),
    (_country("AU", "en", "Australia/Sydney Australia/Perth", _ENGLISH, _ENGLISH_LAST), 2),
)

#: persona -> share, and the chance in a hundred that a contented one comes back within the year.
PERSONAS: tuple[tuple[str, int], ...] = (("couple", 42), ("business", 20), ("family", 16), ("solo", 17), ("regular", 5))
RETURNS = {"couple": 28, "business": 60, "family": 22, "solo": 25, "regular": 92}


@dataclass(slots=True, kw_only=True)
class Guest:
    """One person: what does not change, and the little that does while the year goes by."""

    number: int
    user_id: str
    anonymous_id: str
    persona: str
    country: Country
    zone: str
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    company: str | None
    uses_app: bool
    tells_zone: bool
    known: bool = False
    consented: bool = False
    stays: int = 0
    bookings: int = 0
    traits_told: dict[str, object] = field(default_factory=dict)


_COMPANIES = ("lumen-optics", "northsea-freight", "arcadia-press", "helix-labs", "saltmarsh-energy", "orbit-audio")


def make_guest(dice: Dice, number: int, device: str) -> Guest:
    """The guest with a number, on a device (its anonymous_id)."""
    country = dice.weighted(COUNTRIES)
    persona = dice.weighted(PERSONAS)
    first, first_plain = dice.pick(country.first)
    last, last_plain = dice.pick(country.last)
    domain = dice.pick(("example.com", "example.com", "example.org", "example.net"))
    return Guest(
        number=number,
        user_id=f"g{number:05d}",
        anonymous_id=device,
        persona=persona,
        country=country,
        zone=dice.pick(country.zones),
        first_name=first,
        last_name=last,
        email=f"{first_plain}.{last_plain}{number}@{domain}" if dice.chance(98) else None,
        phone=f"+000 555 {number:06d}" if dice.chance(55) else None,
        company=dice.pick(_COMPANIES) if persona == "business" and dice.chance(60) else None,
        uses_app=dice.chance(55 if persona == "regular" else 34),
        tells_zone=dice.chance(40),
    )


def device_name(dice: Dice) -> str:
    """A browser's anonymous_id."""
    return f"{dice.below(1 << 60):015x}"
