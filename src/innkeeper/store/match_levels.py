"""How two values are compared, level by level, as splink wants it: SQL conditions on columns `_l` and `_r`.

The first level that holds counts. Labels are the words that a person reads as evidence. Columns have names of ours
(`f0`, `f1`): a trait's name never becomes SQL. Each level says how often one person's two profiles are at it, and how
often two strangers' are, for where there are too few people to learn that: guesses of ours, on the careful side, as
who lives under one address or shares a mailbox is not one person. Next in the flow: `match_model.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.identity.matching import FieldKind

Level = dict[str, Any]

#: Jaro-Winkler similarity from which two names count as one that was written differently (as splink's own names do).
_SIMILAR: Final = 0.88
#: What a level says of how often it holds for one person, and for two.
SAME, STRANGERS = "m_probability", "u_probability"


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: the traits it is about, their columns, and its levels."""

    traits: tuple[str, ...]
    columns: tuple[str, ...]
    levels: tuple[Level, ...]

    @property
    def name(self) -> str:
        """Its column in splink's answer."""
        return "c_" + "_".join(self.columns)


def comparisons(
    fields: Mapping[str, FieldKind], columns: Mapping[str, str], swapped: tuple[str, str] | None
) -> list[Compared]:
    """The comparisons of the fields, in their order; the two that are *swapped* are one."""
    found: list[Compared] = []
    pair = swapped if swapped is not None and all(name in columns for name in swapped) else None
    for trait, column in columns.items():
        if pair is not None and trait in pair:
            if trait == pair[0]:
                first, last = columns[pair[0]], columns[pair[1]]
                found.append(Compared(pair, (first, last), (_missing(first, last), *_both_names(first, last))))
        else:
            levels = _LEVELS[fields[trait]](f"{column}_l", f"{column}_r")
            equal = _level(f"{column}_l = {column}_r", "equal", *_EQUAL[fields[trait]], frequency=column)
            found.append(Compared((trait,), (column,), (_missing(column), *_with_rest([equal, *levels]))))
    return found


def _level(condition: str, label: str, same: float, strangers: float, *, frequency: str | None = None) -> Level:
    """One level; *frequency*: agreement on a rare value of that column counts more than on a common one.

    *same*, *strangers*: which share of the pairs of one person, and of two, are at it.
    """
    level: Level = {"sql_condition": condition, "label_for_charts": label, SAME: same, STRANGERS: strangers}
    return level if frequency is None else level | {"tf_adjustment_column": frequency}


def _with_rest(levels: list[Level]) -> list[Level]:
    """The levels, and that of all other pairs."""
    rest = [round(1 - sum(level[share] for level in levels), 6) for share in (SAME, STRANGERS)]
    return [*levels, _level("ELSE", "different", *rest)]


def _missing(*columns: str) -> Level:
    sides = [" AND ".join(f"{column}_{side} IS NULL" for column in columns) for side in ("l", "r")]
    condition = " OR ".join(f"({side})" for side in sides)
    return {"sql_condition": condition, "label_for_charts": "missing", "is_null_level": True}


def _alike(a: str, b: str, *, wrong: int = 2) -> str:
    """Two names that are one, written differently: similar, or with at most *wrong* characters changed or swapped."""
    return f"(jaro_winkler_similarity({a}, {b}) >= {_SIMILAR} OR damerau_levenshtein({a}, {b}) <= {wrong})"


def _both_names(a: str, b: str) -> list[Level]:
    """First and last name together: people, forms and exports put each into the other's place."""
    straight = [(f"{a}_l", f"{a}_r"), (f"{b}_l", f"{b}_r")]
    crossed = [(f"{a}_l", f"{b}_r"), (f"{b}_l", f"{a}_r")]

    def all_of(pairs: Sequence[tuple[str, str]], test: Callable[[str, str], str]) -> str:
        return "(" + " AND ".join(test(*pair) for pair in pairs) + ")"

    def equal(left: str, right: str) -> str:
        return f"{left} = {right}"

    one_alike = " OR ".join(_alike(*pair, wrong=1) for pair in (*straight, *crossed))
    return _with_rest(
        [
            _level(f"{a}_{b}_l = {a}_{b}_r", "both equal", 0.75, 0.0005, frequency=f"{a}_{b}"),
            _level(all_of(crossed, equal), "equal, each in the other's place", 0.03, 0.0002),
            _level(f"{all_of(straight, _alike)} OR {all_of(crossed, _alike)}", "both similar", 0.1, 0.001),
            # Whoever shares one name alone is as likely a relative.
            _level(equal(*straight[1]), "the second equal", 0.02, 0.02, frequency=b),
            _level(equal(*straight[0]), "the first equal", 0.03, 0.01, frequency=a),
            _level(" OR ".join(equal(*pair) for pair in crossed), "one equal, in the other's place", 0.01, 0.005),
            _level(one_alike, "one similar", 0.03, 0.03),
        ]
    )


def _name(left: str, right: str) -> list[Level]:
    return [_level(_alike(left, right), "similar", 0.08, 0.03)]


def _date(left: str, right: str) -> list[Level]:
    return [
        _level(f"damerau_levenshtein({left}, {right}) <= 1", "one digit differs", 0.05, 0.003),
        _level(f"damerau_levenshtein({left}, {right}) <= 2", "two digits differ", 0.02, 0.02),
        _level(f"left({left}, 4) = left({right}, 4)", "same year", 0.01, 0.02),
    ]


def _email(left: str, right: str) -> list[Level]:
    name_l, name_r = f"split_part({left}, '@', 1)", f"split_part({right}, '@', 1)"
    near = f"damerau_levenshtein({left}, {right}) <= 0.35 * greatest(length({left}), length({right}))"
    alike = f"jaro_winkler_similarity({left}, {right}) >= {_SIMILAR} OR {near}"
    return [
        _level(f"damerau_levenshtein({left}, {right}) <= 2", "at most two characters differ", 0.08, 0.001),
        _level(f"{name_l} = {name_r}", "same name before the @", 0.05, 0.002),
        _level(alike, "similar", 0.04, 0.02),
    ]


def _phone(left: str, right: str) -> list[Level]:
    # With and without the country's code: at least eight digits from the right.
    same_end = f"length({left}) >= 8 AND length({right}) >= 8 AND right({left}, 8) = right({right}, 8)"
    return [
        _level(same_end, "same last eight digits", 0.06, 0.0005),
        _level(f"damerau_levenshtein({left}, {right}) <= 1", "one digit differs", 0.04, 0.001),
    ]


def _exact(left: str, right: str) -> list[Level]:
    return [_level(f"damerau_levenshtein({left}, {right}) <= 1", "one character differs", 0.05, 0.03)]


#: Per kind, which share of the pairs of one person, and of two, have equal values.
_EQUAL: Final[Mapping[FieldKind, tuple[float, float]]] = {
    "name": (0.85, 0.03), "date": (0.9, 0.001), "email": (0.7, 0.002), "phone": (0.75, 0.002), "exact": (0.85, 0.02),
}  # fmt: skip
_LEVELS: Final[Mapping[FieldKind, Callable[[str, str], list[Level]]]] = {
    "name": _name, "date": _date, "email": _email, "phone": _phone, "exact": _exact,
}  # fmt: skip
