"""Grants: who, on what, which permissions. There is no deny; everything is a union.

The kinds of resources are those of Lake Formation's `Resource` union. `account` is always the
account whose catalog or ontology the resource belongs to (the API's `CatalogId`). Names of
databases, tables and columns are lower case, as Glue stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lakeveil.core.access import permissions as allowed
from lakeveil.core.access.masks import Mask
from lakeveil.core.access.permissions import NOTHING, Permissions
from lakeveil.core.access.tags import Expression


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table by account (catalog id), database and name."""

    account: str
    database: str
    table: str

    def __str__(self) -> str:
        return f"{self.database}.{self.table}"


@dataclass(frozen=True, slots=True)
class OnCatalog:
    """The catalog of an account."""

    account: str


@dataclass(frozen=True, slots=True)
class OnDatabase:
    """One database; its tables are not included."""

    account: str
    database: str


@dataclass(frozen=True, slots=True)
class OnTable:
    """One table, or with `table` None every table of the database, future ones too."""

    account: str
    database: str
    table: str | None


@dataclass(frozen=True, slots=True)
class OnColumns:
    """Columns of one table: those `named`, or with `excluding` all but those."""

    account: str
    database: str
    table: str
    named: frozenset[str]
    excluding: bool = False


@dataclass(frozen=True, slots=True)
class OnFilter:
    """A data cells filter."""

    account: str
    database: str
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class OnLocation:
    """A registered location: `s3://bucket/prefix`."""

    account: str
    location: str


@dataclass(frozen=True, slots=True)
class OnTag:
    """A tag with some of its values; `*` among them stands for all."""

    account: str
    key: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class OnExpression:
    """A saved expression, as a thing that can be described, altered and dropped."""

    account: str
    name: str


class PolicyKind(StrEnum):
    """What a tag policy is about: databases by their tags, or tables and their columns."""

    DATABASE = "DATABASE"
    TABLE = "TABLE"


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """Everything whose effective tags match: by an expression, or by a saved one's `name`."""

    account: str
    kind: PolicyKind
    expression: Expression | None = None
    name: str | None = None


Resource = (
    OnCatalog
    | OnDatabase
    | OnTable
    | OnColumns
    | OnFilter
    | OnLocation
    | OnTag
    | OnExpression
    | TagPolicy
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant.

    `account` is where it was recorded: the resource's own, or the consumer's that passes on what
    was shared with it. `principal` is an ARN, an account id, an organisation's ARN, or
    `ACCOUNT:IAMPrincipals`. From `expires_at` (UTC seconds) on it is as if it were not there.
    With a `mask` it selects through that mask and allows nothing else.
    """

    id: str
    account: str
    principal: str
    resource: Resource
    permissions: Permissions
    grantable: Permissions = NOTHING
    mask: Mask | None = None
    expires_at: float | None = None
    granted_by: str = ""
    granted_at: float = 0.0
    reason: str = ""

    def live(self, now: float) -> bool:
        """Whether it counts at this time."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCellsFilter:
    """Rows x columns of one table. `rows` None is every row; see `OnColumns` for the columns."""

    table: TableName
    name: str
    named: frozenset[str]
    excluding: bool = False
    rows: str | None = None
    version: str = ""


_VALID: dict[type, Permissions] = {
    OnCatalog: allowed.ON_CATALOG,
    OnDatabase: allowed.ON_DATABASE,
    OnTable: allowed.ON_TABLE,
    OnColumns: allowed.ON_COLUMNS,
    OnFilter: allowed.ON_FILTER,
    OnLocation: allowed.ON_LOCATION,
    OnTag: allowed.ON_TAG,
    OnExpression: allowed.ON_EXPRESSION,
}


def valid_permissions(resource: Resource) -> Permissions:
    """What can be granted on a kind of resource, `ALL` aside."""
    if isinstance(resource, TagPolicy):
        on_databases = resource.kind is PolicyKind.DATABASE
        return allowed.ON_DATABASE if on_databases else allowed.ON_TABLE
    return _VALID[type(resource)]
