"""A strategy's files to its `Definitions`, or every problem in them at once.

One pass reads each file with the reader of its kind; a second one (`references.py`) checks what they say about each
other. Not here: the folder on disk (`folder.py`), what was applied (`runtime/definitions.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath

from innkeeper.audiences import Expression
from innkeeper.audiences.check import Subject
from innkeeper.channels.contract import ChannelConfig
from innkeeper.content.message import MessageFile, read_messages, split_name
from innkeeper.content.types import Message
from innkeeper.decisions.policy import Policies
from innkeeper.decisions.read_policies import read_policies
from innkeeper.journeys.definition import Journey
from innkeeper.journeys.read import read_journey
from innkeeper.kernel.errors import Invalid, Problem
from innkeeper.kernel.ids import digest
from innkeeper.kernel.located import Findings, Located, Place, Reader
from innkeeper.strategy.expressions import Written, catalog_of, check_expressions, read_expression
from innkeeper.strategy.folder import check_paths
from innkeeper.strategy.journey_names import NameChecker, traits_set
from innkeeper.strategy.known import KnownNames, join
from innkeeper.strategy.message_files import message_files
from innkeeper.strategy.names import check_name
from innkeeper.strategy.object_names import check_objects
from innkeeper.strategy.read_catalogs import CatalogDefinition, check_stages, read_catalog, read_csv_catalog
from innkeeper.strategy.read_channels import read_channels
from innkeeper.strategy.read_workspace import read_workspace
from innkeeper.strategy.references import (
    cap_mentions,
    catalog_mentions,
    check_mentions,
    journey_mentions,
    message_mentions,
    trait_mentions,
)
from innkeeper.strategy.retention_check import check_retention, retention_mentions
from innkeeper.strategy.types import AudienceDefinition, Definitions, StageDefinition, Workspace
from innkeeper.strategy.yaml import read_yaml

#: Codes of findings about names that nobody has declared or sent; `--allow-unknown` makes them warnings.
UNKNOWN_NAMES = frozenset(
    {
        "unknown-event", "unknown-property", "unknown-trait", "unknown-stage", "unknown-memory",
        "unknown-account-trait",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a strategy's files say and what is wrong with them, in the order of file and line."""

    definitions: Definitions
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def load(files: Mapping[str, str], *, known: KnownNames | None = None, allow_unknown: bool = False) -> Definitions:
    """The definitions of a strategy.

    Args:
        files: Text by path, relative to the folder, with `/`.
        known: Names that the log has seen; they join those that `strategy.yaml` declares and the standard ones.
        allow_unknown: Accept names of events, properties and traits that nobody has declared or sent.

    Raises:
        Invalid: With all problems, in the order of file and line.
    """
    examination = examine(files, known=known, allow_unknown=allow_unknown)
    if examination.errors:
        raise Invalid(examination.errors)
    return examination.definitions


def examine(files: Mapping[str, str], *, known: KnownNames | None = None, allow_unknown: bool = False) -> Examination:
    """As `load`, but answers with the problems instead of raising them; the definitions hold what could be read."""
    findings = Findings()
    definitions = _Loading(files, findings).definitions(known or KnownNames())
    problems = _once(findings.problems)
    warnings = [problem for problem in problems if allow_unknown and problem.code in UNKNOWN_NAMES]
    errors = [problem for problem in problems if problem not in warnings]
    return Examination(definitions=definitions, errors=tuple(errors), warnings=tuple(warnings))


def _once(problems: list[Problem]) -> list[Problem]:
    """In the order of file and line; of two with one code and place, the first (a goal names its event twice)."""
    found: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        found.setdefault((problem.file, problem.line, problem.column, problem.code), problem)
    return [found[place] for place in sorted(found)]


def version_of(files: Mapping[str, str]) -> str:
    """A hash of the files: equal files, equal version."""
    return digest(*(part for path in sorted(files) for part in (path, files[path])))


@dataclass(slots=True)
class _Loading:
    files: Mapping[str, str]
    findings: Findings
    paths: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    # names of definitions that stand there, but could not be read: no reason to call them unknown as well
    broken: dict[str, set[str]] = field(default_factory=lambda: {"audience": set(), "message": set(), "stage": set()})

    def definitions(self, log_names: KnownNames) -> Definitions:
        if not self.files:
            place = Place("strategy.yaml", 1, 1)
            self.findings.add(place, "no-strategy", "there are no strategy files", "make some: innkeeper init DIR")
        self.paths = check_paths(sorted(self.files), self.findings)
        workspace = self._workspace()
        messages, message_parts = self._messages(workspace.locale, frozenset(workspace.objects))
        policies_node, policies = self._policies()
        journeys, journey_nodes = self._journeys()
        audiences, account_audiences = self._audiences()
        definitions = Definitions(
            version=version_of(self.files),
            workspace=workspace,
            audiences=audiences,
            account_audiences=account_audiences,
            stages=self._stages(),
            journeys=journeys,
            messages=messages,
            policies=policies or Policies(),
            channels=self._channels(),
            catalogs=self._catalogs(),
        )
        declared = KnownNames(
            events=workspace.events, traits=workspace.traits | traits_set(journeys), memories=workspace.memories
        )
        names = join(declared, log_names)
        catalog = catalog_of(definitions, names, self.broken)
        known: dict[str, Collection[str] | None] = {
            "message": definitions.messages.keys() | self.broken["message"],
            "audience": definitions.audiences.keys() | self.broken["audience"],
            "account audience": definitions.account_audiences,
            "purpose": None if policies is None else policies.purposes,
            "channel": definitions.channels,
            "event": catalog.event_names,
            "catalog": definitions.catalogs,
            "object": workspace.objects,
        }
        mentions = chain(
            catalog_mentions(definitions.catalogs), message_mentions(message_parts), cap_mentions(policies_node),
            journey_mentions(definitions.journeys), trait_mentions(workspace.declared),
            retention_mentions(policies_node),
        )  # fmt: skip
        check_mentions(mentions, known, self.findings)
        check_expressions([*self.written, *_journey_expressions(definitions)], catalog, self.findings)
        stages = [name for name, _ in catalog.stages]
        for each in definitions.catalogs.values():
            check_stages(each, stages, self.findings)
        check_objects(workspace.objects, catalog, self.findings)
        checker = NameChecker(catalog, self.findings, definitions.catalogs)
        for name, journey in journeys.items():
            checker.journey(journey, journey_nodes[name])
        for message in messages.values():
            checker.message(message, journeys.values())
        check_retention(definitions, self.findings)
        return definitions

    def _single(self, path: str) -> Located | None:
        return read_yaml(self.files[path], path, self.findings) if path in self.files else None

    def _each(self, folder: str, key: str, ending: str = "") -> Iterator[tuple[str, Located]]:
        """Name and value of every definition of a folder; a name that comes twice is a finding."""
        seen: dict[str, Place] = {}
        for path in self.paths:
            if not path.startswith(f"{folder}/") or not path.endswith(ending):
                continue
            node = read_yaml(self.files[path], path, self.findings)
            if node is not None and node.value is None:
                self.findings.add(node, "empty-file", "the file is empty", "write the definition, or remove the file")
            if node is None or node.value is None:
                if folder == "audiences":
                    self.broken["audience"].add(PurePosixPath(path).stem)
                continue
            name, place = _name_of(node, key, PurePosixPath(path).stem)
            check_name(name, place, self.findings)
            if name in seen:
                self.findings.add(
                    place, "two-definitions", f"{folder} has '{name}' already, in {seen[name].file}", "rename one"
                )
                continue
            seen[name] = place
            yield name, node

    def _workspace(self) -> Workspace:
        node = self._single("strategy.yaml")
        return Workspace() if node is None else read_workspace(node, self.findings)

    def _audiences(self) -> tuple[dict[str, AudienceDefinition], dict[str, AudienceDefinition]]:
        """Those of profiles, and those of accounts."""
        audiences: dict[str, AudienceDefinition] = {}
        of_accounts: dict[str, AudienceDefinition] = {}
        for name, node in self._each("audiences", "name"):
            reader = Reader(node, self.findings, f"the audience '{name}'")
            reader.text("name")
            description = reader.text("description", "") or ""
            of: Subject = (
                "account" if reader.choice("of", ("profile", "account"), "profile") == "account" else "profile"
            )
            when = reader.require("when", "write it like when: did('Order Completed')")
            reader.close()
            expression = self._expression(when, f"audience '{name}'", of)
            if expression is None:
                self.broken["audience"].add(name)
                continue
            found = of_accounts if of == "account" else audiences
            found[name] = AudienceDefinition(name=name, description=description, when=expression, place=node.place)
        return audiences, of_accounts

    def _stages(self) -> tuple[StageDefinition, ...]:
        node = self._single("stages.yaml")
        if node is None or node.value is None:
            return ()
        rules = _stage_rules(node, self.findings)
        stages: list[StageDefinition] = []
        for rule in rules:
            reader = Reader(rule, self.findings, "a stage")
            name = reader.text("stage", required=True)
            when = reader.require("when", "write it like when: did('Order Completed')")
            reader.has("description")
            reader.close()
            expression = self._expression(when, "the stages")
            if name is not None and expression is None:
                self.broken["stage"].add(name)
            if name is not None and any(stage.stage == name for stage in stages):
                where = reader.get("stage") or rule
                self.findings.add(
                    where, "two-definitions", f"the stage '{name}' stands here again", "join them with or"
                )
            elif name is not None and expression is not None:
                check_name(name, (reader.get("stage") or rule).place, self.findings)
                stages.append(StageDefinition(stage=name, when=expression, place=rule.place))
        return tuple(stages)

    def _expression(self, node: Located | None, owner: str, of: Subject = "profile") -> Expression | None:
        written = None if node is None else read_expression(node, owner, self.findings, of)
        if written is None:
            return None
        self.written.append(written)
        return written.expression

    def _catalogs(self) -> dict[str, CatalogDefinition]:
        catalogs: dict[str, CatalogDefinition] = {}
        for name, node in self._each("catalogs", "catalog", ending=".yaml"):
            catalogs[name] = read_catalog(node, name, self.findings)
        for path in self.paths:
            if path.startswith("catalogs/") and path.endswith(".csv"):
                name = PurePosixPath(path).stem
                check_name(name, Place(path, 1, 1), self.findings)
                if name in catalogs:
                    self.findings.add(
                        Place(path, 1, 1), "two-definitions",
                        f"catalogs has '{name}' already, in {catalogs[name].place.file}", "rename one",
                    )  # fmt: skip
                    continue
                catalogs[name] = read_csv_catalog(self.files[path], path, name, self.findings)
        return catalogs

    def _journeys(self) -> tuple[dict[str, Journey], dict[str, Located]]:
        journeys, nodes = {}, {}
        for name, node in self._each("journeys", "journey"):
            journey = read_journey(node, name, self.findings)
            if journey is not None:
                journeys[name], nodes[name] = journey, node
        return journeys, nodes

    def _messages(self, locale: str, objects: frozenset[str]) -> tuple[dict[str, Message], list[MessageFile]]:
        files = message_files({path: self.files[path] for path in self.paths}, self.findings)
        messages = read_messages(files, locale, self.findings, objects)
        for path in self.paths:
            if path.startswith("messages/"):
                self.broken["message"].add(split_name(PurePosixPath(path).name)[0])
        for name in messages:
            check_name(name, messages[name].place, self.findings)
        return messages, files

    def _policies(self) -> tuple[Located | None, Policies | None]:
        """The file's value and its policies; None for policies that could not be read."""
        if "policies.yaml" not in self.files:
            return None, Policies()
        node = self._single("policies.yaml")
        return node, None if node is None else read_policies(node, self.findings)

    def _channels(self) -> dict[str, ChannelConfig]:
        return read_channels(self._single("channels.yaml"), self.findings)


def _journey_expressions(definitions: Definitions) -> list[Written]:
    return [
        Written(expression=clause.expression, where=clause.node or clause.place, event=clause.event)
        for journey in definitions.journeys.values()
        for clause in journey.clauses
    ]


def _name_of(node: Located, key: str, stem: str) -> tuple[str, Place]:
    if isinstance(node.value, dict) and key in node.value:
        given = node.value[key]
        if isinstance(given.value, str | int | float) and not isinstance(given.value, bool) and str(given.value):
            return str(given.value), given.place
    return stem, node.place


def _stage_rules(node: Located, findings: Findings) -> list[Located]:
    if isinstance(node.value, dict):
        reader = Reader(node, findings, "stages.yaml")
        reader.require("stages", "write a list of {stage, when}")
        reader.close()
        return reader.items("stages")
    if isinstance(node.value, list):
        return node.value
    findings.add(node, "not-a-list", "stages.yaml must be a list of {stage, when}", "begin each rule with '- stage:'")
    return []
