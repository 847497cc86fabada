"""How two values are compared, level by level, as splink wants it: SQL conditions on columns `_l` and `_r`.

The first level that holds counts. Labels are the words that a person reads as evidence. Columns have names of ours
(`f0`, `f1`): a trait's name never becomes SQL. Next in the flow: `match_model.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.identity.matching import FieldKind

Level = dict[str, Any]

#: Jaro-Winkler similarity from which two names count as one that was written differently (as splink's own names do).
_SIMILAR: Final = 0.88
_ELSE: Final[Level] = {"sql_condition": "ELSE", "label_for_charts": "different"}


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
            equal = _level(f"{column}_l = {column}_r", "equal", frequency=column)
            found.append(Compared((trait,), (column,), (_missing(column), equal, *levels, _ELSE)))
    return found


def _level(condition: str, label: str, *, frequency: str | None = None) -> Level:
    """One level; *frequency*: agreement on a rare value of that column counts more than on a common one."""
    level: Level = {"sql_condition": condition, "label_for_charts": label}
    return level if frequency is None else level | {"tf_adjustment_column": frequency}


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
    return [
        _level(f"{a}_{b}_l = {a}_{b}_r", "both equal", frequency=f"{a}_{b}"),
        _level(all_of(crossed, equal), "equal, each in the other's place"),
        _level(f"{all_of(straight, _alike)} OR {all_of(crossed, _alike)}", "both similar"),
        _level(equal(*straight[1]), "the second equal", frequency=b),
        _level(equal(*straight[0]), "the first equal", frequency=a),
        _level(" OR ".join(equal(*pair) for pair in crossed), "one equal, in the other's place"),
        _level(one_alike, "one similar"),
        _ELSE,
    ]


def _name(left: str, right: str) -> list[Level]:
    return [_level(_alike(left, right), "similar")]


def _date(left: str, right: str) -> list[Level]:
    return [
        _level(f"damerau_levenshtein({left}, {right}) <= 1", "one digit differs"),
        _level(f"damerau_levenshtein({left}, {right}) <= 2", "two digits differ"),
        _level(f"left({left}, 4) = left({right}, 4)", "same year"),
    ]


def _email(left: str, right: str) -> list[Level]:
    name_l, name_r = f"split_part({left}, '@', 1)", f"split_part({right}, '@', 1)"
    near = f"damerau_levenshtein({left}, {right}) <= 0.35 * greatest(length({left}), length({right}))"
    return [
        _level(f"damerau_levenshtein({left}, {right}) <= 2", "at most two characters differ"),
        _level(f"{name_l} = {name_r}", "same name before the @"),
        _level(f"jaro_winkler_similarity({left}, {right}) >= {_SIMILAR} OR {near}", "similar"),
    ]


def _phone(left: str, right: str) -> list[Level]:
    # With and without the country's code: at least eight digits from the right.
    same_end = f"length({left}) >= 8 AND length({right}) >= 8 AND right({left}, 8) = right({right}, 8)"
    return [
        _level(same_end, "same last eight digits"),
        _level(f"damerau_levenshtein({left}, {right}) <= 1", "one digit differs"),
    ]


def _exact(left: str, right: str) -> list[Level]:
    return [_level(f"damerau_levenshtein({left}, {right}) <= 1", "one character differs")]


_LEVELS: Final[Mapping[FieldKind, Callable[[str, str], list[Level]]]] = {
    "name": _name, "date": _date, "email": _email, "phone": _phone, "exact": _exact,
}  # fmt: skip
