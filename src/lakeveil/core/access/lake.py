"""What a decision looks at: tables as they are, and the policy over them. Frozen values.

`Policy` holds everything about access except the tables: it is read once and shared by many
decisions. A `Table` is one table with all that is assigned on the way to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from lakeveil.core.access.grants import DataCellsFilter, Grant, TableName, TagPolicy
from lakeveil.core.access.guards import NameGuard
from lakeveil.core.access.tags import Expression, LFTag, SavedExpression, TagLayers, Tags


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in lower case, its type as the catalog spells it."""

    name: str
    type: str = "string"
    partition: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database. `owner` is the ARN of whoever created it."""

    account: str
    name: str
    owner: str = ""
    catalog_tags: Tags = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    """Explicitly assigned to the database."""

    def effective_tags(self) -> dict[str, str]:
        """The tags that hold for it."""
        return {**self.catalog_tags, **self.tags}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `owner` is the ARN of whoever created it.

    `governed` says whether its data lies under a registered location. Where it does not, nobody
    but administrators and the owner even learns that the table is there: in Lake Formation such a
    table would be left to IAM, that is, open.
    """

    name: TableName
    columns: tuple[Column, ...]
    owner: str = ""
    tags: TagLayers = field(default_factory=TagLayers)
    governed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSettings:
    """Data lake settings of one account. All are principals' identifiers.

    `organisations` are the ARNs of the organisation and units that the account is in; `guards` say
    which columns of its tables must carry a tag of their own.
    """

    administrators: frozenset[str] = frozenset()
    read_only_administrators: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    guards: frozenset[NameGuard] = frozenset()


NO_SETTINGS = LakeSettings()


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Ontologies, saved expressions, grants, filters and settings of every account."""

    tags: Mapping[tuple[str, str], LFTag] = field(default_factory=dict)
    """(account, key) -> tag."""
    expressions: Mapping[tuple[str, str], SavedExpression] = field(default_factory=dict)
    """(account, name) -> expression."""
    grants: tuple[Grant, ...] = ()
    filters: Mapping[tuple[TableName, str], DataCellsFilter] = field(default_factory=dict)
    settings: Mapping[str, LakeSettings] = field(default_factory=dict)

    def settings_of(self, account: str) -> LakeSettings:
        """An account's settings; nobody is administrator where there are none."""
        return self.settings.get(account, NO_SETTINGS)

    def defined_keys(self, account: str) -> frozenset[str]:
        """The keys of an account's ontology."""
        return self._keys.get(account, frozenset())

    def expression_of(self, policy: TagPolicy) -> Expression | None:
        """The expression of a tag policy; None where the saved one it names is gone."""
        if policy.name is None:
            return policy.expression
        saved = self.expressions.get((policy.account, policy.name))
        return saved.body if saved else None

    def grants_to(self, identities: Iterable[str]) -> list[Grant]:
        """The grants that name one of these identifiers, in the order they are in."""
        found = [number for one in identities for number in self._by_principal.get(one, ())]
        return [self.grants[number] for number in sorted(set(found))]

    @cached_property
    def _by_principal(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for number, grant in enumerate(self.grants):
            found[grant.principal].append(number)
        return dict(found)

    @cached_property
    def _keys(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for account, key in self.tags:
            found[account].add(key)
        return {account: frozenset(keys) for account, keys in found.items()}
