"""What looks sensitive among the names and values that sources send: a warning for people, never a verdict.

Names are compared by the beginnings of their words, in English, Dutch, German, Russian and Chinese; values by their
form and, where there is one, their checksum. Who asks: `runtime/catalog.py`. Declaring a property or trait settles the
question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from typing import Final

#: Category -> beginnings of words in names: the special categories of data (GDPR, articles 9 and 10), then numbers and
#: secrets. A word of up to four letters must be the whole word.
STEMS: Final[dict[str, tuple[str, ...]]] = {
    "genetics": (
        "geneti", "genome", "genomic", "genotyp", "genevariant", "genemutation", "dna", "brca", "haplo", "heredit",
        "chromosom", "erfelijk", "erbgut", "erbkrank", "генети", "геном", "днк", "基因", "遗传",
    ),
    "biometrics": (
        "biometr", "fingerprintscan", "fingerprinttempl", "fingerprintdata", "fingerprintimage", "faceid", "facerecog",
        "facialrecog", "facialgeom", "faceprint", "facescan", "faceembed", "facetempl", "voiceprint", "irisscan",
        "iriscode", "iristempl", "retinascan", "retinalscan", "palmprint", "palmvein", "handgeometry", "gaitpattern",
        "vingerafdruk", "gezichtsherken", "fingerabdruck", "gesichtserkenn", "биометр", "отпечат", "指纹", "人脸",
        "虹膜", "声纹",
    ),
    "criminal": (
        "criminal", "convict", "felon", "misdemean", "arrest", "offender", "imprison", "prison", "jail", "parole",
        "probationofficer", "policerecord", "policecheck", "courtrecord", "courtcase", "indictment", "prosecut",
        "backgroundcheck", "dbscheck", "strafblad", "strafrecht", "veroordel", "vorstraf", "verurteil",
        "führungszeugnis", "судимост", "преступлен", "犯罪", "前科",
    ),
    "health": (
        "health", "medic", "diagnos", "disease", "illness", "sick", "pregnan", "disabilit", "disabledperson",
        "handicap", "visualimpair", "hearingimpair", "mobilityimpair", "cognitiveimpair", "allerg", "blood", "hiv",
        "covid", "vaccin", "symptom", "surgery", "hospitaliz", "hospitalis", "hospitaladm", "patient", "prescription",
        "cancer", "diabet", "asthma", "epilep", "depression", "anxiety", "autis", "adhd", "dementia", "alzheimer",
        "hepatitis", "psychiat", "psychother", "addiction", "alcoholism", "substanceabuse", "druguse", "drugtest",
        "issmoker", "nonsmoker", "smokerstatus", "smokingstatus", "smokinghabit", "bmi", "bodymass", "bodyfat",
        "heartrate", "glucoselevel", "insulin", "menstrua", "fertility", "contracept", "miscarriage", "abortion",
        "wheelchairuser", "deaf", "icdcode", "nhsnumber", "gezond", "ziekte", "medicijn", "zwanger", "bloed", "gesund",
        "krank", "schwanger", "behinder", "blut", "здоров", "болезн", "диагноз", "беремен", "инвалид", "аллерг",
        "zdorov", "健康", "疾病", "病史", "怀孕", "过敏", "血型",
    ),
    "religion": (
        "religio", "church", "faith", "confession", "creed", "baptis", "catholic", "muslim", "islam", "jewish",
        "judais", "hindu", "buddhis", "sikh", "mosque", "synagogue", "parish", "worship", "atheis", "zakat",
        "spiritualbelief", "philosophicalbelief", "worldview", "geloof", "godsdienst", "kerk", "levensbeschouw",
        "glaube", "konfession", "kirche", "weltanschauung", "религи", "вероисповед", "церков", "宗教", "信仰", "教会",
    ),
    "union": (
        "union", "tradeunion", "laborunion", "labourunion", "workscouncil", "vakbond", "ondernemingsraad",
        "gewerkschaft", "betriebsrat", "профсоюз", "profsoyuz", "工会",
    ),
    "sexuality": (
        "sexual", "bisexual", "homosex", "heterosex", "asexual", "pansexual", "gay", "lesbian", "lgbt", "lgbtq",
        "queer", "sexlife", "sexpref", "sexorient", "sexatbirth", "birthsex", "assignedsex", "sexassigned", "intersex",
        "samesex", "genderident", "genderreassign", "gendertransition", "transgender", "transsex", "cisgender",
        "nonbinary", "partnergender", "spousegender", "fetish", "seksue", "geaard", "geslachtsident", "sexuell",
        "geschlechtsident", "сексуальн", "ориентаци", "гендернаяидент", "性取向", "同性", "性别认同",
    ),
    "ethnicity": (
        "ethni", "race", "racial", "skincolo", "skintone", "caste", "tribal", "indigenous", "aborigin",
        "ancestry", "etnisch", "afkomst", "huidskleur", "herkunft", "hautfarbe", "этнич", "национальн", "раса",
        "民族", "种族",
    ),
    "politics": (
        "politic", "partymember", "partyaffil", "partyregistration", "votedfor", "votingintent", "votingpref",
        "votingrecord", "voterregist", "voterid", "politiek", "partijlid", "stemvoorkeur", "politisch",
        "parteimitglied", "parteizugeh", "политич", "партийн", "политик", "政治", "党员",
    ),
    "national_id": (
        "ssn", "socialsecurity", "nationalid", "passport", "idcard", "idnumber", "taxid", "nino", "bsn",
        "burgerservice",
        "paspoort", "identiteitskaart", "rijbewijs", "steuerid", "steuernummer", "personalausweis", "reisepass",
        "sozialversicherung", "паспорт", "снилс", "инн", "snils", "身份证", "护照", "社保号",
    ),
    "card": (
        "cardnumber", "creditcard", "debitcard", "cardno", "pan", "cvv", "cvc", "cvv2", "kaartnummer", "kreditkarte",
        "kartennummer", "номеркарты", "банковскаякарта", "卡号", "信用卡", "银行卡",
    ),
    "bank_account": (
        "iban", "bankaccount", "accountnumber", "routingnumber", "sortcode", "rekeningnummer", "bankrekening",
        "kontonummer", "bankkonto", "расчетныйсчет", "номерсчета", "银行账号", "银行账户",
    ),
    "secret": (
        "password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "credential",
        "pin", "otp", "wachtwoord", "geheim", "passwort", "kennwort", "пароль", "секрет", "parol",
        "密码", "口令", "令牌",
    ),
}  # fmt: skip

#: What begins like a word of a category and is something else, by category.
ORDINARY: Final[dict[str, tuple[str, ...]]] = {
    "genetics": ("branddna", "genomen"),
    "criminal": ("arresting",),
    "health": (
        "healthscore", "healthcheck", "systemhealth", "servicehealth", "batteryhealth", "diagnostic", "golfhandicap",
        "handicapindex", "bloodymary", "bloodorange",
    ),
    "religion": ("faithful", "churchill", "churchstreet", "churchroad"),
    "union": (
        "unionpay", "unionid", "unionsquare", "unionstation", "unionstreet", "unionjack", "creditunion", "westernunion",
        "europeanunion",
    ),
    "ethnicity": (
        "racetime", "racename", "racedate", "raceday", "raceid", "racenumber", "racetrack", "racecar", "raceresult",
        "racedistance", "racecondition", "racetype", "caster", "castell",
    ),
    "secret": ("secretary", "secretsanta", "tokens", "tokencount", "tokenlimit", "tokenusage"),
}  # fmt: skip

_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-zа-я])(?=[A-ZА-Я])|(?<=[A-ZА-Я])(?=[A-ZА-Я][a-zа-я])")
#: What a value must look like to be looked at closer, in the dialect of RE2; DuckDB picks the candidates with it.
CANDIDATE: Final = (
    r"[A-Za-z]{2}[0-9]{2}[ ]?([A-Za-z0-9]{4}[ ]?){2,7}[A-Za-z0-9]{1,4}|[0-9][0-9 -]{7,21}[0-9Xx]|[0-9]{8}-?[A-Za-z]"
    r"|eyJ[A-Za-z0-9_-]+\..*|-----BEGIN .*|(sk|rk)_(live|test)_.*|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}"
)
_SECRET = re.compile(
    r"eyJ[A-Za-z0-9_-]+\.|-----BEGIN |(sk|rk)_(live|test)_|AKIA[0-9A-Z]{16}\Z|gh[pousr]_[A-Za-z0-9]{20}"
)
_CARD = re.compile(r"(4\d{12}(\d{3})?|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(011|5\d\d)\d{12})\Z")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}\Z")
_CHINESE = re.compile(r"[1-9]\d{5}(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dX]\Z")
#: So many weak candidates have to agree before their form counts: one in eleven numbers passes such a test by chance.
_ENOUGH = 3


@lru_cache(maxsize=20_000)
def sensitive_name(name: str) -> str | None:
    """The category of what a name seems to hold; None: nothing sensitive.

    >>> [sensitive_name(name) for name in ("healthIssues", "Kreditkarten-Nr", "身份证号", "plan")]
    ['health', 'card', 'national_id', None]
    """
    text = unicodedata.normalize("NFKC", name)
    words = [word.casefold() for word in _WORD.findall(_CAMEL.sub(" ", text))]
    starts = ["".join(words[place:]) for place in range(len(words))]
    for category, stems in STEMS.items():
        places = range(len(words)) if category not in ORDINARY else _telling(words, starts, ORDINARY[category])
        for stem in stems:
            if not stem.isascii() and ord(stem[0]) >= 0x3000:
                if stem in text:
                    return category
            elif len(stem) <= 4:
                if any(stem == words[place] for place in places):
                    return category
            elif any(starts[place].startswith(stem) for place in places):
                return category
    return None


def _telling(words: list[str], starts: list[str], ordinary: tuple[str, ...]) -> list[int]:
    """The places of the words that are no part of anything ordinary."""
    covered = set[int]()
    for place, start in enumerate(starts):
        for each in ordinary:
            if start.startswith(each):
                begins = accumulate(map(len, words[place:]), initial=0)
                covered.update(place + number for number, begin in enumerate(begins) if begin < len(each))
    return [place for place in range(len(words)) if place not in covered]


def sensitive_values(values: Iterable[str]) -> str | None:
    """The category of what values of one property seem to be; *values*: those that look like `CANDIDATE`.

    >>> sensitive_values(["NL91 ABNA 0417 1643 00"]), sensitive_values(["4111-1111-1111-1111"])
    ('bank_account', 'card')
    >>> sensitive_values(["4111-1111-1111-1112"]), sensitive_values(["2026-01-01", "123456789"])
    (None, None)
    """
    found: dict[str, int] = {}
    weak = 0
    every = list(values)
    for value in every:
        category = _certain(value)
        if category is not None:
            found[category] = found.get(category, 0) + 1
        elif _maybe_national(value):
            weak += 1
    if found:
        category, count = max(found.items(), key=lambda one: (one[1], one[0]))
        return category if 2 * count >= len(every) else None
    return "national_id" if weak >= _ENOUGH and 5 * weak >= 4 * len(every) else None


def _certain(value: str) -> str | None:
    bare = re.sub(r"[ -]", "", value).upper()
    if _SECRET.match(value):
        return "secret"
    if _IBAN.match(bare) and _mod97(bare) == 1:
        return "bank_account"
    if _CARD.match(bare) and _luhn(bare):
        return "card"
    return "national_id" if _CHINESE.match(bare) and _chinese(bare) else None


def _maybe_national(value: str) -> bool:
    """Whether a value passes the test of a Dutch, German, Russian, Spanish or American number of a person."""
    bare = re.sub(r"[ -]", "", value).upper()
    if re.fullmatch(r"\d{3}-\d{2}-\d{4}", value):
        return not value.startswith(("000", "666", "9"))
    if re.fullmatch(r"\d{8}[A-Z]", bare):
        return "TRWAGMYFPDXBNJZSQVHLCKE"[int(bare[:8]) % 23] == bare[8]
    if re.fullmatch(r"\d{9}", bare):
        weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
        return sum(int(digit) * weight for digit, weight in zip(bare, weights, strict=True)) % 11 == 0
    return bool(re.fullmatch(r"\d{11}", bare)) and (_steuer_id(bare) or _snils(bare))


def _mod97(iban: str) -> int:
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _chinese(number: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    rest = sum(int(digit) * weight for digit, weight in zip(number[:17], weights, strict=True)) % 11
    return "10X98765432"[rest] == number[17]


def _steuer_id(number: str) -> bool:
    """ISO 7064, MOD 11,10."""
    product = 10
    for digit in number[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10]) and number[0] != "0"


def _snils(number: str) -> bool:
    rest = sum(int(digit) * weight for digit, weight in zip(number[:9], range(9, 0, -1), strict=True)) % 101
    return (0 if rest == 100 else rest) == int(number[9:])


def masked(text: str) -> str:
    """A value as an example: addresses and long numbers only hinted at, long texts cut.

    >>> masked("ada@example.org"), masked("+351 555 000 012"), masked("pro"), masked("2026-01-05T10:00:00Z")
    ('a…@example.org', '+35…12', 'pro', '2026-01-05T10:00:00Z')
    """
    # No longer than an address may be before its @: a text without one would be searched again from each character.
    hidden = re.sub(r"([^\s@,;<>\"'])[^\s@,;<>\"']{0,63}@([\w.-]+)", r"\1…@\2", text)
    if not re.match(r"\d{4}-\d\d-\d\d", hidden):
        hidden = re.sub(r"[+(]?\d(?:[ ().\-/]?\d){7,}", lambda found: f"{found[0][:3]}…{found[0][-2:]}", hidden)
    return hidden if len(hidden) <= 40 else hidden[:39] + "…"
