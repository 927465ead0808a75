"""The statements that can be run, with all their parts. Whatever isn't one of these is refused.

Names are in lower case, as the catalog has them. `kind` and `substatement` are what Athena calls
`StatementType` and `SubstatementType`. Types of columns are as they were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from sqlglot import exp

from lakeveil.core.query.execution import StatementType

PropertyValue = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableRef:
    """A table as it was named; `catalog` and `database` are empty where they weren't."""

    table: str
    database: str = ""
    catalog: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseRef:
    """A database as it was named."""

    database: str
    catalog: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read and not yet checked; only the guard looks into `tree`.

    `text` is what it was read from, without parameters; `whole` the statement around it, in which
    places are told.
    """

    text: str
    tree: exp.Expression = field(compare=False, repr=False)
    whole: str = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression or relation that was read and not yet checked; as `Query`."""

    text: str
    tree: exp.Expression = field(compare=False, repr=False)
    whole: str = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column as it is declared."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class PartitionTransform:
    """How Iceberg partitions by a column: `identity`, `year`, `bucket` with its number, ..."""

    column: str
    transform: str = "identity"
    argument: int | None = None


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """`PARTITION (k = v, ...)`, and where it lies."""

    values: tuple[tuple[str, str], ...]
    location: str = ""


class Statement:
    """Any of them."""

    __slots__ = ()
    kind: ClassVar[StatementType] = StatementType.UTILITY
    substatement: ClassVar[str] = ""


class _Ddl(Statement):
    __slots__ = ()
    kind = StatementType.DDL


class _Dml(Statement):
    __slots__ = ()
    kind = StatementType.DML


@dataclass(frozen=True, slots=True)
class Select(_Dml):
    """A query."""

    substatement = "SELECT"
    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTableAs(_Dml):
    """CREATE TABLE ... AS. `properties` have their names in lower case."""

    substatement = "CREATE_TABLE_AS_SELECT"
    table: TableRef
    query: Query
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    if_not_exists: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert(_Dml):
    """INSERT INTO; `columns` empty for all in order."""

    substatement = "INSERT"
    table: TableRef
    query: Query
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unload(_Dml):
    """UNLOAD (query) TO 's3://...' WITH (...)."""

    substatement = "UNLOAD"
    query: Query
    location: str
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(_Dml):
    """DELETE FROM; no condition is every row."""

    substatement = "DELETE"
    table: TableRef
    alias: str = ""
    where: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Dml):
    """UPDATE ... SET."""

    substatement = "UPDATE"
    table: TableRef
    alias: str = ""
    assignments: tuple[tuple[str, Condition], ...]
    where: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCase:
    """One WHEN. `action` is `delete`, `update` or `insert`; `columns` go with `values`."""

    matched: bool
    action: str
    condition: Condition | None = None
    columns: tuple[str, ...] = ()
    values: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(_Dml):
    """MERGE INTO. `source` is a relation with its alias, as it would stand after FROM."""

    substatement = "MERGE"
    table: TableRef
    alias: str = ""
    source: Condition
    on: Condition
    cases: tuple[MergeCase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimize(_Dml):
    """OPTIMIZE ... REWRITE DATA USING BIN_PACK."""

    substatement = "OPTIMIZE"
    table: TableRef
    where: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacuum(_Dml):
    """VACUUM."""

    substatement = "VACUUM"
    table: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTable(_Ddl):
    """CREATE [EXTERNAL] TABLE; with `table_type` ICEBERG in its properties an Iceberg table.

    `partitions` are columns of their own for Hive's tables, `transforms` are Iceberg's. `serde` is
    the class after ROW FORMAT SERDE, `delimited` what DELIMITED says (`fields`, `escaped`, ...).
    """

    substatement = "CREATE_TABLE"
    table: TableRef
    columns: tuple[ColumnDefinition, ...]
    partitions: tuple[ColumnDefinition, ...] = ()
    transforms: tuple[PartitionTransform, ...] = ()
    external: bool = False
    if_not_exists: bool = False
    comment: str = ""
    location: str = ""
    serde: str = ""
    serde_properties: Mapping[str, str] = field(default_factory=dict)
    delimited: Mapping[str, str] = field(default_factory=dict)
    stored_as: str = ""
    input_format: str = ""
    output_format: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def iceberg(self) -> bool:
        """Whether it makes an Iceberg table."""
        return self.properties.get("table_type", "").lower() == "iceberg"


@dataclass(frozen=True, slots=True, kw_only=True)
class DropTable(_Ddl):
    """DROP TABLE."""

    substatement = "DROP_TABLE"
    table: TableRef
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddColumns(_Ddl):
    """ALTER TABLE ... ADD COLUMNS, or with `replace` REPLACE COLUMNS."""

    substatement = "ALTER_TABLE_ADD_COLUMNS"
    table: TableRef
    columns: tuple[ColumnDefinition, ...]
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropColumn(_Ddl):
    """ALTER TABLE ... DROP COLUMN."""

    substatement = "ALTER_TABLE_DROP_COLUMN"
    table: TableRef
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeColumn(_Ddl):
    """ALTER TABLE ... CHANGE [COLUMN], and RENAME COLUMN with `type` empty."""

    substatement = "ALTER_TABLE_CHANGE_COLUMN"
    table: TableRef
    name: str
    new: ColumnDefinition
    after: str | None = None
    """The column that it moves behind, `` for the first place; None leaves it where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddPartitions(_Ddl):
    """ALTER TABLE ... ADD PARTITION."""

    substatement = "ALTER_TABLE_ADD_PARTITION"
    table: TableRef
    partitions: tuple[PartitionSpec, ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPartitions(_Ddl):
    """ALTER TABLE ... DROP PARTITION."""

    substatement = "ALTER_TABLE_DROP_PARTITION"
    table: TableRef
    partitions: tuple[PartitionSpec, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenamePartition(_Ddl):
    """ALTER TABLE ... PARTITION ... RENAME TO PARTITION."""

    substatement = "ALTER_TABLE_RENAME_PARTITION"
    table: TableRef
    old: PartitionSpec
    new: PartitionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameTable(_Ddl):
    """ALTER TABLE ... RENAME TO."""

    substatement = "ALTER_TABLE_RENAME"
    table: TableRef
    new: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLocation(_Ddl):
    """ALTER TABLE ... [PARTITION ...] SET LOCATION."""

    substatement = "ALTER_TABLE_SET_LOCATION"
    table: TableRef
    location: str
    partition: PartitionSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTableProperties(_Ddl):
    """ALTER TABLE ... SET TBLPROPERTIES, and `removed` by UNSET."""

    substatement = "ALTER_TABLE_SET_TBLPROPERTIES"
    table: TableRef
    properties: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


AlterTable = (
    AddColumns
    | DropColumn
    | ChangeColumn
    | AddPartitions
    | DropPartitions
    | RenamePartition
    | RenameTable
    | SetLocation
    | SetTableProperties
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateView(_Ddl):
    """CREATE VIEW; `columns` rename those of the query, empty for none."""

    substatement = "CREATE_VIEW"
    view: TableRef
    query: Query
    columns: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropView(_Ddl):
    """DROP VIEW."""

    substatement = "DROP_VIEW"
    view: TableRef
    if_exists: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDatabase(_Ddl):
    """CREATE DATABASE."""

    substatement = "CREATE_DATABASE"
    database: DatabaseRef
    if_not_exists: bool = False
    comment: str = ""
    location: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropDatabase(_Ddl):
    """DROP DATABASE."""

    substatement = "DROP_DATABASE"
    database: DatabaseRef
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterDatabase(_Ddl):
    """ALTER DATABASE ... SET DBPROPERTIES."""

    substatement = "ALTER_DATABASE"
    database: DatabaseRef
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MsckRepair(_Ddl):
    """MSCK REPAIR TABLE."""

    substatement = "MSCK_REPAIR_TABLE"
    table: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowDatabases(Statement):
    """SHOW DATABASES or SCHEMAS; `like` is Hive's pattern, where `|` is or and `*` any text."""

    substatement = "SHOW_DATABASES"
    like: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTables(Statement):
    """SHOW TABLES; an empty `database` is the current one."""

    substatement = "SHOW_TABLES"
    database: str = ""
    like: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowViews(Statement):
    """SHOW VIEWS."""

    substatement = "SHOW_VIEWS"
    database: str = ""
    like: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowColumns(Statement):
    """SHOW COLUMNS."""

    substatement = "SHOW_COLUMNS"
    table: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCreateTable(Statement):
    """SHOW CREATE TABLE."""

    substatement = "SHOW_CREATE_TABLE"
    table: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCreateView(Statement):
    """SHOW CREATE VIEW."""

    substatement = "SHOW_CREATE_VIEW"
    view: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowPartitions(Statement):
    """SHOW PARTITIONS."""

    substatement = "SHOW_PARTITIONS"
    table: TableRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowTableProperties(Statement):
    """SHOW TBLPROPERTIES; with `name` one of them."""

    substatement = "SHOW_TBLPROPERTIES"
    table: TableRef
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe(Statement):
    """DESCRIBE [EXTENDED | FORMATTED] table [PARTITION ...] [column]."""

    substatement = "DESCRIBE_TABLE"
    table: TableRef
    detail: str = ""
    partition: PartitionSpec | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain(Statement):
    """EXPLAIN [ANALYZE] [(FORMAT f, TYPE t)] statement."""

    substatement = "EXPLAIN"
    statement: Statement
    analyze: bool = False
    format: str = "text"
    type: str = "distributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare(Statement):
    """PREPARE name FROM statement, which is kept as its text."""

    substatement = "PREPARE"
    name: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute(Statement):
    """EXECUTE name [USING constant, ...]; `parameters` are the constants' texts."""

    substatement = "EXECUTE"
    name: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deallocate(Statement):
    """DEALLOCATE PREPARE name."""

    substatement = "DEALLOCATE"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Statement):
    """USE [catalog.]database."""

    substatement = "USE"
    database: DatabaseRef
