"""The scores of pairs: splink's probabilistic model (Fellegi and Sunter) over DuckDB in memory. The only place that
imports splink, which is an extra.

splink learns from the data alone how often the true pairs agree on each field (expectation maximisation) and how often
strangers do (a sample of pairs); a pair's weight is the sum of the logarithms of their ratios. Everything runs on one
thread with a fixed seed: the same people give the same proposals. Next in the flow: `proposals.py`.

Source: I. Fellegi and A. Sunter, "A Theory for Record Linkage", JASA 64 (1969); R. Linacre et al., "Splink", IJPDS 7
(2022).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from innkeeper.identity.matching import Evidence, MatchRules, Proposal, comparable
from innkeeper.kernel.errors import OperationFailed
from innkeeper.store import duck
from innkeeper.store.match_blocks import Block, Blocks
from innkeeper.store.match_levels import SAME, STRANGERS, Compared, comparisons

if TYPE_CHECKING:
    import duckdb

_SEED: Final = 1
_SAMPLED_PAIRS: Final = 1_000_000
#: Fewer people than this tell nothing about how often people agree: the fixed shares of `match_levels.py` are used.
ENOUGH_PEOPLE: Final = 100
#: Then a pair counts, before anything is seen, as one of so many people's.
_AS_IF_AMONG: Final = 1_000
#: What share of the true pairs agrees on two fields at least; the rest differs somewhere.
_RECALL: Final = 0.7
_MEMORY: Final = "2GB"
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A profile as it is compared: its subject and the values of the traits, by trait."""

    subject: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What was found: proposals, best first; how many people and pairs were compared; what the model learned from."""

    proposals: list[Proposal]
    people: int
    compared: int
    trained_on: list[str]


def score(home: Path, people: Sequence[Person], rules: MatchRules, threshold: float) -> Scored:
    """Propose the pairs that are one person with at least a probability.

    Args:
        home: Its scratch folder is used when memory is short.
        people: The profiles; their order changes nothing.
        rules: What is compared.
        threshold: From which probability on.

    Raises:
        OperationFailed: The extra is not installed, or the data cannot be scored.
        UsageError: No field tells people apart, or a declared block is too large.
    """
    _require()
    with duck.connect(home, memory=_MEMORY, threads=1) as connection, duck.translated(home), _quiet():
        columns = _load(connection, people, rules)
        model = _Model(connection, columns, rules)
        return model.propose(threshold)


def _require() -> None:
    try:
        import splink  # noqa: F401
    except ImportError as error:
        raise OperationFailed(
            "matching needs the package splink, which is an extra and is not installed", code="extra-missing",
            fix="pip install 'innkeeper[matching]' (in a checkout: make dev), then call again",
        ) from error  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """splink tells its progress in logs and its doubts in warnings; what matters of them is in the report."""
    logger = logging.getLogger("splink")
    before, propagates = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
        logger.propagate = propagates


def _load(connection: duckdb.DuckDBPyConnection, people: Sequence[Person], rules: MatchRules) -> dict[str, str]:
    """Make the table `people` of comparable values; the columns, by trait, that tell anything."""
    names = {trait: f"f{number}" for number, trait in enumerate(rules.fields)}
    duck.run(
        connection, f"CREATE TABLE raw (unique_id VARCHAR, {', '.join(f'{name} VARCHAR' for name in names.values())})"
    )
    marks = ", ".join("?" * (len(names) + 1))
    rows = sorted(
        (person.subject, *(comparable(kind, person.values.get(trait)) for trait, kind in rules.fields.items()))
        for person in people
    )
    rows = [row for row in rows if any(row[1:])]
    for start in range(0, len(rows), _PAGE):
        page = [value for row in rows[start : start + _PAGE] for value in row]
        values = ", ".join([f"({marks})"] * (len(page) // (len(names) + 1)))
        duck.run(connection, f"INSERT INTO raw VALUES {values}", page)  # noqa: S608 – placeholders
    derived = [
        f"left({names[trait]}, 4) AS {names[trait]}_start" for trait, kind in rules.fields.items() if kind == "email"
    ]
    if rules.swapped is not None and all(trait in names for trait in rules.swapped):
        first, last = (names[trait] for trait in rules.swapped)
        derived.append(f"{first} || ' ' || {last} AS {first}_{last}")
    more = "".join(f", {item}" for item in derived)
    duck.run(connection, f"CREATE TABLE people AS SELECT *{more} FROM raw ORDER BY unique_id")  # noqa: S608
    filled = duck.run(connection, f"SELECT {', '.join(f'count({name})' for name in names.values())} FROM people")[0]  # noqa: S608
    return {trait: name for (trait, name), count in zip(names.items(), filled, strict=True) if count > 1}


class _Model:
    def __init__(self, connection: duckdb.DuckDBPyConnection, columns: dict[str, str], rules: MatchRules) -> None:
        self.connection, self.columns, self.rules = connection, columns, rules
        kept = set(columns.values())
        pair = rules.swapped if rules.swapped and all(trait in columns for trait in rules.swapped) else None
        swapped = (columns[pair[0]], columns[pair[1]]) if pair else None
        self.compared: list[Compared] = comparisons(rules.fields, columns, pair)
        self.blocks = Blocks(connection, [name for name in columns.values() if name in kept], swapped)
        self.people = int(duck.run(connection, "SELECT count(*) FROM people")[0][0])
        self.trained_on: list[str] = []

    @property
    def _few(self) -> bool:
        return self.people < ENOUGH_PEOPLE

    def propose(self, threshold: float) -> Scored:
        blocks = self._chosen() if len(self.compared) > 1 else []
        if not blocks:
            return Scored(proposals=[], people=self.people, compared=0, trained_on=[])
        linker = self._linker(blocks)
        self._train(linker)
        blocked = linker.inference.compute_blocked_pairs_for_predict()
        compared = int(duck.run(self.connection, f"SELECT count(*) FROM {blocked.physical_name}")[0][0])  # noqa: S608
        predicted = linker.inference.predict(threshold_match_probability=threshold, warning_mode="never")
        found = self.connection.execute(f"SELECT * FROM {predicted.physical_name}")  # noqa: S608 – a name that splink made
        names = [column[0] for column in found.description]
        proposals = [self._proposal(dict(zip(names, row, strict=True))) for row in found.fetchall()]
        proposals.sort(key=lambda one: (-(one.probability or 0), one.members))
        return Scored(proposals=proposals, people=self.people, compared=compared, trained_on=self.trained_on)

    def _chosen(self) -> list[Block]:
        if self.rules.block_on:
            known = [
                tuple(self.columns[trait] for trait in block)
                for block in self.rules.block_on
                if all(trait in self.columns for trait in block)
            ]
            return self.blocks.declared(known, self.columns)
        starts = [
            f"{self.columns[trait]}_start"
            for trait, kind in self.rules.fields.items()
            if kind == "email" and trait in self.columns
        ]
        return self.blocks.chosen(starts)

    def _linker(self, blocks: Sequence[Block]) -> Any:
        from splink import DuckDBAPI, Linker, SettingsCreator
        from splink.comparison_library import CustomComparison

        rules: list[Any] = [block.sql for block in blocks]
        settings = SettingsCreator(
            link_type="dedupe_only",
            comparisons=[
                CustomComparison(output_column_name=each.name, comparison_levels=self._levels(each))
                for each in self.compared
            ],
            blocking_rules_to_generate_predictions=rules,
            # Before anything is seen: about every person has one double.
            probability_two_random_records_match=1 / (_AS_IF_AMONG if self._few else self.people),
            retain_matching_columns=True,
            retain_intermediate_calculation_columns=True,
            linker_uid="innkeeper",
        )
        api = DuckDBAPI(self.connection)
        return Linker(api.register("people"), settings, log_level=None)

    def _levels(self, each: Compared) -> list[Any]:
        """Its levels; among few people, how often a value is there says nothing of how rare it is.

        Where there are many, what each level is worth is learned.
        """
        left_out = {"tf_adjustment_column"} if self._few else {SAME, STRANGERS}
        return [{name: value for name, value in level.items() if name not in left_out} for level in each.levels]

    def _train(self, linker: Any) -> None:
        if self._few:
            return
        from splink.internals.exceptions import EMTrainingException

        columns = [each.columns for each in self.compared]
        if sure := self.blocks.beyond_chance(columns):
            try:
                linker.training.estimate_probability_two_random_records_match(
                    [block.sql for block in sure], recall=_RECALL
                )
            except ValueError as error:
                raise OperationFailed(
                    f"nearly everybody agrees with nearly everybody: {error}", code="nothing-to-tell-apart",
                    fix="compare fields in which people differ",
                ) from error  # fmt: skip
        linker.training.estimate_u_using_random_sampling(max_pairs=_SAMPLED_PAIRS, seed=_SEED)
        for block in self.blocks.training(columns):
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(block.sql)
            except EMTrainingException:
                # The block had too little to learn from; the next one, or the starting values, must do.
                continue
            self.trained_on.append(" and ".join(self._trait(column) for column in block.left))

    def _trait(self, column: str) -> str:
        return next(trait for trait, name in self.columns.items() if name == column)

    def _proposal(self, row: Mapping[str, Any]) -> Proposal:
        evidence = []
        for each in self.compared:
            found = int(row[f"gamma_{each.name}"])
            weight = sum(float(row[name]) for name in (f"mw_{each.name}", f"mw_tf_adj_{each.name}") if name in row)
            evidence.append(
                Evidence(field=" and ".join(each.traits), found=_label(each, found), weight=round(weight, 3))
            )
        return Proposal(
            kind="person",
            members=tuple(sorted((row["unique_id_l"], row["unique_id_r"]))),
            evidence=tuple(evidence),
            probability=round(float(row["match_probability"]), 6),
            weight=round(float(row["match_weight"]), 3),
        )


def _label(each: Compared, found: int) -> str:
    """The words of a level: splink counts them from 0 (different) upwards, and says -1 where a value is missing."""
    levels = each.levels
    label: str = levels[0]["label_for_charts"] if found < 0 else levels[len(levels) - 1 - found]["label_for_charts"]
    return label
