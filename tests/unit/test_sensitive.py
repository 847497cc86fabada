"""What looks sensitive: names in five languages, values by their checksum; what does not."""

from __future__ import annotations

import os
import random

import pytest

from innkeeper.events.sensitive import CANDIDATE, masked, sensitive_name, sensitive_values

SEED = int(os.environ.get("INNKEEPER_SEED", "20261124"))
NAMES = {
    "health": "health_status medical_notes diagnosis isPregnant disability allergies blood_type gezondheid zwanger"
    " Krankheit schwangerschaft здоровье диагноз беременность 健康状况 病史 过敏",
    "religion": "religion church_member faith geloofsovertuiging godsdienst Konfession kirchensteuer религия 宗教 信仰",
    "union": "union_member tradeUnion vakbondslid Gewerkschaft профсоюз 工会会员",
    "sexuality": "sexual_orientation sexuality is_gay lgbtq seksuele_voorkeur sexuelleOrientierung 性取向",
    "ethnicity": "ethnicity race skin_color etnische_afkomst Hautfarbe национальность 民族",
    "politics": "political_party politicalViews politieke_voorkeur politische_Meinung политические_взгляды 政治面貌",
    "national_id": "ssn social_security_number passport_no nationalId bsn burgerservicenummer Personalausweis steuer_id"
    " паспорт СНИЛС ИНН 身份证号码 护照号",
    "card": "card_number creditCard cvv kaartnummer Kreditkarte номер_карты 信用卡号",
    "bank_account": "iban bank_account account_number rekeningnummer Kontonummer 银行账号",
    "secret": "password passwd api_key accessToken token secret pin wachtwoord Passwort пароль 密码",
}
ORDINARY = """
    plan total name first_name country city booking_id room note covers channel device referrer brand
    raceway pinned spinner panel company accountant products price currency quantity position pancake
    email phone birthday score stage tier platform session page title keyboard 名字 城市 имя город naam stad
    preis menge
"""


#: The special categories of data (GDPR, articles 9 and 10), as English-speaking senders name them.
SPECIAL = {
    "health": [
        "healthCondition", "mental_health", "Medical History", "medicationName", "primary_diagnosis", "chronic_disease",
        "isPregnant", "disability_type", "Hearing Impairment", "food_allergies", "bloodPressure", "HIVStatus",
        "covid_vaccinated", "vaccination date", "symptoms", "patientId", "prescription_number", "diabetesType",
        "has_asthma", "resting heart rate", "BMI", "smokingStatus", "wheelchair_user", "last_menstruation",
        "nhs_number", "health_insurance_no",
    ],
    "genetics": ["geneticData", "genome_sequence", "DNA Test", "genotype", "BRCA1", "hereditary_risk", "dnaSample"],
    "biometrics": [
        "biometricTemplate", "fingerprint_scan", "Face ID", "facialRecognitionHash", "voiceprint", "iris_scan",
        "face_embedding", "palmPrint",
    ],
    "religion": [
        "religion", "religiousBeliefs", "church_tax", "Faith", "isMuslim", "jewish_holidays", "philosophicalBeliefs",
        "place of worship",
    ],
    "sexuality": [
        "sexual_orientation", "sexualOrientation", "Sex Life", "gender_identity", "genderIdentity", "Gender Identity",
        "isTransgender", "non_binary", "partner_gender", "sexAssignedAtBirth", "LGBTQ member", "is_gay",
    ],
    "ethnicity": ["ethnicity", "ethnicOrigin", "race", "Racial Background", "skinTone", "caste", "indigenous_status"],
    "politics": ["political_party", "politicalOpinion", "Party Affiliation", "votedFor", "voter_registration"],
    "union": ["trade_union", "unionMembership", "Labor Union", "union_dues"],
    "criminal": [
        "criminal_record", "criminalConvictions", "Felony", "arrestDate", "is_sex_offender", "background check",
        "prison_term", "on_parole",
    ],
}  # fmt: skip
HARMLESS = """
    gender sex_of_pet nationality birth_date country_of_birth language marital_status pronouns title
    health_score customerHealthScore HealthCheck system_health batteryHealth diagnostics device_diagnostic_code
    is_disabled disabledAt emailDisabled hospitality hospitality_group hospitalityScore therapist golf_handicap
    wheelchair_accessible smoking_room patience medium media_type bloodyMary dietary_needs weight product_weight
    device_fingerprint browserFingerprint fingerprint interface_id surface_id typeface retina_display iris_color
    first_touch_id carrier_status brandDNA faithful_customer ChurchStreet churchill_suite denomination
    gift_card_denomination party_size partySize third_party party_name up_voted votes vote_count upvotedAt
    conservative_estimate     union_id unionPay credit_union western_union Union_Square reunion communion_wine
    race_time raceName race_number tribe_id broadcaster castellano racetrack embrace
    probation_end sentence_length court_name tennis_court offense_rating
    secretary tokens_used maxTokens token_limit orientation screen_orientation interested_in preferences
"""


def test_special_categories_are_known_however_they_are_written() -> None:
    assert sum(map(len, SPECIAL.values())) >= 60
    found = {name: (category, sensitive_name(name)) for category, names in SPECIAL.items() for name in names}
    assert {name: both for name, both in found.items() if both[0] != both[1]} == {}


def test_what_only_sounds_like_a_special_category_is_no_alarm() -> None:
    assert len(HARMLESS.split()) >= 60
    assert {name: found for name in HARMLESS.split() if (found := sensitive_name(name)) is not None} == {}


@pytest.mark.parametrize(("category", "name"), [(key, name) for key, names in NAMES.items() for name in names.split()])
def test_sensitive_names(category: str, name: str) -> None:
    assert sensitive_name(name) == category
    assert sensitive_name(f"customer_{name}") == category


@pytest.mark.parametrize("name", ORDINARY.split())
def test_ordinary_names(name: str) -> None:
    assert sensitive_name(name) is None


VALUES = {
    "bank_account": ["NL91ABNA0417164300", "DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19",
                     "PT50000201231234567890154"],
    "card": ["4111111111111111", "5555 5555 5555 4444", "3782-822463-10005", "6011111111111117"],
    "national_id": ["11010519491231002X"],
    "secret": ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x", "-----BEGIN PRIVATE KEY-----", "sk_live_abc",
               "AKIAIOSFODNN7EXAMPLE"],
}  # fmt: skip


@pytest.mark.parametrize(("category", "value"), [(key, value) for key, values in VALUES.items() for value in values])
def test_values_with_a_checksum_count_alone(category: str, value: str) -> None:
    assert sensitive_values([value]) == category
    if category in ("card", "bank_account"):
        last = value[-1]
        assert sensitive_values([value[:-1] + ("0" if last != "0" else "1")]) is None


def test_numbers_of_persons_count_together() -> None:
    for numbers in (
        ["111222333", "123456782", "999999990"],  # Dutch, elf-proef
        ["86095742719", "47036892816", "65929970489"],  # German, ISO 7064
        ["112-233-445 95", "087-654-303 00", "116-973-385 89"],  # Russian
        ["12345678Z", "00000000T", "87654321X"],  # Spanish
        ["078-05-1120", "219-09-9999", "457-55-5462"],  # American, by form
    ):
        assert sensitive_values(numbers) == "national_id", numbers
        assert sensitive_values(numbers[:2]) is None


def test_random_numbers_seldom_look_like_persons_or_cards() -> None:
    dice = random.Random(SEED)
    wrong = 0
    for _ in range(2_000):
        length = dice.choice((8, 9, 10, 11, 12, 13, 16))
        wrong += sensitive_values(["".join(dice.choices("0123456789", k=length)) for _ in range(20)]) is not None
    assert wrong == 0
    print(f"seed {SEED}: 2000 properties of 20 random numbers")


def test_candidates_are_found_by_the_pattern() -> None:
    import re

    for values in VALUES.values():
        assert all(re.fullmatch(CANDIDATE, value) for value in values)
    assert not re.fullmatch(CANDIDATE, "river suite")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("write to ada.l@example.org, please", "write to a…@example.org, please"),
        ("00351 555 000 12", "003…12"), ("0612345678", "061…78"), ("12", "12"), ("x" * 60, "x" * 39 + "…"),
        ("HH-00017-1", "HH-00017-1"), ("2026-03-01", "2026-03-01"),
    ],
)  # fmt: skip
def test_examples_are_masked(value: str, shown: str) -> None:
    assert masked(value) == shown
